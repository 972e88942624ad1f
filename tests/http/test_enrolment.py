"""The way to the serverless preview as named people take it, and the worlds that have models of retired serving."""

from __future__ import annotations

import asyncio
import re

import pytest

from servesim.core.enrolment import Enrolment
from servesim.core.errors import Rejected
from servesim.service.documents import DocumentError

TOKEN = "admin-of-tests"
STATUS = "/api/2.0/mlflow/endpoints-v2/get-status?registered_model_name=iris"
DATABRICKS, MEMBER, ADMIN = None, "ann@example.com", "root@example.com"


@pytest.fixture
def admin(wire, servesim_server, monkeypatch):
    """Call the admin API of the workspace; it has a member and an admin."""
    monkeypatch.setattr(servesim_server.server, "admin_token", TOKEN)
    wire.user(MEMBER)
    wire.user(ADMIN, admin=True)
    inside = f"/_servesim/v1/workspaces/{wire.handle.workspace.name}"

    def call(method, path, body=None):
        return wire.call(method, inside + path, body, {"Authorization": f"Bearer {TOKEN}"})

    return call


def take(admin, step, name):
    return admin("POST", "/serverless-preview", {"step": step, "as": name})


# --- the table ------------------------------------------------------------------------------------


def test_four_people_bring_a_workspace_to_the_preview(admin, wire):
    taken = [("request", MEMBER), ("enrol", DATABRICKS), ("accept terms", ADMIN), ("enable", ADMIN)]
    states = ["not enrolled", "requested", "enrolled", "terms accepted"]
    for (step, name), state in zip(taken, states, strict=True):
        assert admin("GET", "/serverless-preview").json == {"state": state, "next": step}
        refused = wire.call("GET", STATUS)
        assert (refused.status, refused.json["error_code"]) == (404, "FEATURE_DISABLED")
        assert take(admin, step, name).status == 200
    assert admin("GET", "/serverless-preview").json == {"state": "enabled", "next": None}
    assert wire.call("GET", STATUS).json["error_code"] == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize(
    ("before", "step", "refusal"),
    [
        (
            "not enrolled",
            ("enable", ADMIN),
            (400, "is 'not enrolled': the step 'enable' is not the next one, .* 'request'"),
        ),
        ("enabled", ("request", MEMBER), (400, "is 'enabled'.* which is 'none'")),
        ("requested", ("enrol", ADMIN), (403, "The step 'enrol' is taken by Databricks, not by 'root@example.com'")),
        ("enrolled", ("accept terms", MEMBER), (403, "is taken by a workspace admin, not by 'ann@example.com'")),
        ("terms accepted", ("enable", MEMBER), (403, "is taken by a workspace admin")),
        ("not enrolled", ("request", "nobody"), (404, "'nobody' is no principal")),
        ("not enrolled", ("ask", MEMBER), (400, "step must be one of request, enrol, accept terms, enable; got 'ask'")),
        ("not enrolled", ("request", 7), (400, "as must be the name of a principal")),
        ("not enrolled", (None, MEMBER), (400, "step must be one of")),
    ],
)
def test_a_step_that_cannot_be_taken_changes_nothing(admin, wire, before, step, refusal):
    (word, name), (status, message) = step, refusal
    wire.handle.workspace.world.enrolment = Enrolment(before)
    answer = take(admin, word, name)
    assert answer.status == status
    assert re.search(message, answer.json["message"])
    assert admin("GET", "/serverless-preview").json["state"] == before


def test_the_handle_takes_the_same_steps(wire):
    preview = wire.handle.serverless_preview
    wire.user(MEMBER)
    assert preview.state() == "not enrolled"
    assert preview.step("request", as_=MEMBER) == "requested"
    with pytest.raises(Rejected, match="enrolment") as refused:
        preview.step("enable", as_=MEMBER)
    assert "the step 'enable' is not the next one" in refused.value.__notes__[0]
    with pytest.raises(ValueError, match="there is no step 'ask': the steps are request, enrol, accept terms, enable"):
        preview.step("ask")
    with pytest.raises(Rejected):
        preview.step("enrol", as_="nobody")
    preview.enable()
    assert asyncio.run(wire.handle.aio.serverless_preview.state()) == "enabled"


@pytest.mark.servesim(serverless_preview="enrolled")
def test_a_workspace_can_begin_anywhere_on_the_way_and_a_reset_goes_back_there(admin):
    assert take(admin, "accept terms", ADMIN).json == {"state": "terms accepted", "next": "enable"}
    assert admin("POST", "/reset").status == 200
    assert admin("GET", "/serverless-preview").json == {"state": "enrolled", "next": "accept terms"}


# --- models that are served -----------------------------------------------------------------------


@pytest.mark.servesim(start="2025-06-01", profile="instant")
def test_the_admin_api_lists_what_is_served_and_what_ended(admin, wire):
    wire.handle.models.stub("iris", "constant", value=1)
    assert admin("GET", "/model-endpoints").json == {"model_endpoints": []}
    wire.handle.model_endpoints.enable("iris", "legacy", by=ADMIN)
    wire.user("eve@example.com", admin=True).call("POST", "/model/iris/1/invocations", {"inputs": [1]})
    (row,) = admin("GET", "/model-endpoints").json["model_endpoints"]
    assert row == {
        "generation": "legacy",
        "model": "iris",
        "state": "ready",
        "reason": "",
        "enabled_by": ADMIN,
        "enabled_at": "2025-06-01T00:00:00Z",
        "versions": [{"version": "1", "stage": "None", "state": "ready"}],
        "aliases": {},
        "compute": [{"stage": None, "node_type": "", "tags": {}}],
        "calls": 1,
        "last_called": "2025-06-01T00:00:00Z",
        "last_caller": "eve@example.com",
    }
    assert wire.handle.model_endpoints.list() == [row]
    wire.handle.clock.run_until("2025-09-15")
    assert admin("GET", "/model-endpoints").json["model_endpoints"][0]["state"] == "ended"
    calendar = admin("GET", "/calendar").json
    assert (calendar["now"], calendar["endings"]) == ("2025-09-15T00:00:00Z", wire.handle.model_endpoints.calendar())


@pytest.mark.servesim(serverless_preview="enabled")
def test_the_handle_enables_as_a_client_would_and_disables(wire):
    wire.user(MEMBER)
    wire.handle.models.stub("iris", "echo")
    served = wire.handle.model_endpoints
    with pytest.raises(
        ValueError, match="there is no generation 'ga' that enables models: it is serverless_preview or"
    ):
        served.enable("iris", "ga")
    with pytest.raises(Rejected):
        served.enable("iris", "serverless_preview", by=MEMBER)
    served.enable("iris", "serverless_preview", serving=False)
    assert served.list()[0]["state"] == "pending"
    served.disable("iris", "serverless_preview")
    assert asyncio.run(wire.handle.aio.model_endpoints.list()) == []


WORLD = """
start: 2025-09-01
serverless_preview: enabled
principals:
  - {user: ana@example.com, token: ana-token, entitlements: [allow-cluster-create]}
  - {user: bob@example.com, token: bob-token}
models:
  - {name: iris, stub: {constant: 1}, stage: Production}
  - {name: rose, stub: {constant: 2}, stage: Staging}
enabled_models:
  - {name: iris, generation: legacy, cluster: {node_type: m5.large, tags: {team: flowers}}}
  - name: rose
    generation: serverless_preview
    by: ana@example.com
    compute: {Staging: {workload_size: Medium, scale_to_zero: true}}
"""


def opened(servesim_server, folder, text):
    (folder / "world.yaml").write_text(text, encoding="utf-8")
    return servesim_server.open(scenario=folder / "world.yaml")


def test_a_world_begins_with_models_that_are_served(servesim_server, make_wire, tmp_path):
    with opened(servesim_server, tmp_path, WORLD) as sim:
        legacy, preview = sim.model_endpoints.list()
        assert (legacy["state"], legacy["enabled_by"]) == ("ready", "ana@example.com")
        assert legacy["compute"] == [{"stage": None, "node_type": "m5.large", "tags": {"team": "flowers"}}]
        assert {"stage": "Staging", "workload_size": "Medium", "scale_to_zero": True} in preview["compute"]
        assert preview["aliases"] == {"Staging": "1"}
        wire = make_wire(sim)
        for path in ("/model/iris/Production", "/model-endpoint/rose/Staging"):
            assert wire.call("POST", f"{path}/invocations", {"inputs": [1]}).status == 200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("start: 2025-09-01", ""), r"line 11: enabled_models\[0\]: The surface 'legacy' is retired.* `start:` sets"),
        (("start: 2025-09-01", "start: 2025-09-15"), "'legacy' is retired since 2025-09-15T00:00:00Z"),
        (("preview: enabled", "preview: enrolled"), r"enabled_models\[1\]: .* `serverless_preview: enabled`"),
        (("by: ana", "by: eve"), r"line 14: enabled_models\[1\].by: 'eve@example.com' is no principal"),
        (("by: ana", "by: bob"), r"enabled_models\[1\]: .*bob@example.com"),
        (("name: rose\n", "name: tulip\n"), r"enabled_models\[1\]: Registered model 'tulip'"),
        (("name: rose\n", "name: iris\n"), r"enabled_models\[1\]: .*'iris'"),
        (("cluster:", "compute:"), r"enabled_models\[0\].compute"),
        (("cluster: {node_type: m5.large, tags: {team: flowers}}", "compute: {}"), "legacy has no 'compute'"),
        (("generation: legacy", "generation: ga"), r"enabled_models\[0\].generation"),
    ],
    ids=["start", "end", "enrolment", "nobody", "rights", "unknown", "legacy-still-on", "key", "other", "generation"],
)
def test_a_world_that_cannot_be_says_where_and_what_to_do(servesim_server, tmp_path, change, message):
    before = len(servesim_server.server.hub.workspaces())
    with pytest.raises(DocumentError, match=message):
        opened(servesim_server, tmp_path, WORLD.replace(*change))
    assert len(servesim_server.server.hub.workspaces()) == before
