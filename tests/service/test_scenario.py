"""Worlds and profiles read from YAML, and the errors that point into them."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from servesim.core.profile import EVIDENCE, FAITHFUL, INSTANT, Profile
from servesim.delivery.handle import LocalServer
from servesim.service.documents import NODE_LIMIT, DocumentError
from servesim.service.profiles import profile_named
from servesim.service.scenario import read_scenarios
from servesim.service.shipped import shipped

if TYPE_CHECKING:
    from pathlib import Path

WORLD = """
seed: 3
clock: frozen
start: "2026-03-01T00:00:00Z"
principals:
  - {user: alice@example.com, token: alice-token}
  - {service_principal: 1f0c6b3e, display_name: CI, token: ci-token}
models:
  - name: main.ml.fraud
    stub: {constant: 0.5}
    signature: {amount: double}
  - name: main.ml.fraud
    stub: hash
endpoints:
  - name: fraud
    creator: 1f0c6b3e
    config:
      served_entities:
        - {entity_name: main.ml.fraud, entity_version: 2, scale_to_zero_enabled: true}
"""


def write(folder: Path, text: str, name: str = "world.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_stubs_say_which_mlflow_their_environment_has(tmp_path, servesim_server: LocalServer):
    world = "models:\n  - {name: iris, stub: echo, mlflow_version: 1.28.0}\n  - {name: iris, stub: echo}\n"
    with servesim_server.open(scenario=write(tmp_path, world)) as sim:
        registry = sim.workspace.world.registry
        assert [registry.get("iris", number).mlflow for number in ("1", "2")] == ["1.28.0", ""]
    with pytest.raises(DocumentError, match="mlflow_version"):
        read_scenarios([write(tmp_path, "models: [{name: iris, stub: echo, mlflow_version: soon}]")])


@pytest.mark.sdk
def test_a_world_begins_serving(tmp_path, servesim_server: LocalServer):
    with servesim_server.open(scenario=write(tmp_path, WORLD)) as sim:
        endpoint = sim.client().serving_endpoints.get("fraud")
        assert endpoint.as_dict()["state"] == {"ready": "READY", "config_update": "NOT_UPDATING"}
        assert endpoint.creator == "1f0c6b3e"
        assert sim.clock.mode == "frozen"
        assert sim.clock.now() == "2026-03-01T00:00:00Z"
        answer = sim.client().serving_endpoints.query("fraud", dataframe_records=[{"amount": 1}])
        assert answer.served_model_name == "fraud-2"


@pytest.mark.sdk
def test_a_token_of_the_scenario_is_its_principal(tmp_path, servesim_server: LocalServer):
    with servesim_server.open(scenario=write(tmp_path, WORLD)) as sim:
        sim.token = "ci-token"
        me = sim.client().current_user.me()
        assert (me.user_name, me.display_name) == ("1f0c6b3e", "CI")
    with pytest.raises(Exception, match="Invalid access token"):
        sim.client().current_user.me()


MEMBERS = """
principals:
  - {user: ann@example.com, token: ann-token, groups: [team, users], entitlements: [allow-cluster-create]}
  - {user: root@example.com, token: root-token, admin: true}
  - {service_principal: robot, client_id: robot-id, client_secret: robot-secret}
models:
  - {name: m, stub: echo}
endpoints:
  - {name: hers}
"""


@pytest.mark.sdk
def test_members_have_groups_and_entitlements_and_are_no_admins_unless_it_is_said(tmp_path, servesim_server):
    with servesim_server.open(scenario=write(tmp_path, MEMBERS)) as sim:
        directory = sim.workspace.world.directory
        assert {name: member.is_admin for name, member in directory.members.items()} == {
            "ann@example.com": False,
            "root@example.com": True,
            "tester@example.com": True,  # the handle's own
            "robot": False,
        }
        assert directory.find("ann@example.com").entitlements == ("allow_cluster_create",)
        assert sim.client().serving_endpoints.get("hers").creator == "ann@example.com"  # the first one's
        sim.token = "ann-token"
        me = sim.client().current_user.me()
        assert [group.display for group in me.groups] == ["users", "team"]
        assert [entitlement.value for entitlement in me.entitlements] == ["allow-cluster-create"]


SECRETS = """
principals: [{user: ann@example.com, token: ann-token}, {user: bob@example.com, token: bob-token}]
secrets: {s: {k: planted-value}}
models: [{name: m, stub: echo}]
endpoints:
  - name: hers
    config: {served_entities: [{entity_name: m, entity_version: 1, environment_vars: {KEY: "{{secrets/s/k}}"}}]}
"""


def test_endpoints_can_begin_with_secrets(tmp_path, servesim_server: LocalServer):
    with servesim_server.open(scenario=write(tmp_path, SECRETS)) as sim:
        world, vault = sim.workspace.world, sim.workspace.vault
        assert [*world.secrets["s"].acl] == ["ann@example.com"]
        (deployment,) = world.deployments.values()
        vault.delete("s")  # too late for what serves
        assert vault.environment(deployment.id, deployment.spec.environment) == (("KEY", "planted-value"),)
        assert "planted" not in repr(sim.log)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("secrets/s/k", "secrets/s/none", r"line 6: endpoints\[0\]: served entity 'm-1': .* 'none' of scope 's'"),
        ("name: hers", "name: hers\n    creator: bob@example.com", r"no READ permission on the scope"),
        ("{s: {k", "{s: {a/b", r"line 3: secrets.s: 'key' must be"),
    ],
)
def test_secrets_that_an_endpoint_cannot_have_are_an_error(tmp_path, servesim_server: LocalServer, old, new, said):
    with pytest.raises(DocumentError, match=said):
        servesim_server.open(scenario=write(tmp_path, SECRETS.replace(old, new)))


def test_files_can_name_clients_alone(tmp_path):
    (scenario,) = read_scenarios([write(tmp_path, "workspace: other\nport: 0\n" + MEMBERS)]).values()
    assert [client.id for client in scenario.clients] == ["robot-id"]
    assert "robot-secret" not in repr(scenario)
    assert scenario.port == 0


def test_a_client_is_free_again_once_its_workspace_has_ended(tmp_path, servesim_server: LocalServer):
    path = write(tmp_path, MEMBERS)
    with servesim_server.open(scenario=path):
        before = len(servesim_server.server.hub.workspaces())
        other = write(tmp_path, MEMBERS.replace("-token", "-other"), "other.yaml")
        with pytest.raises(ValueError, match="an OAuth client can stand for one principal"):
            servesim_server.open(scenario=other)
        assert len(servesim_server.server.hub.workspaces()) == before
    servesim_server.open(scenario=path).close()


def test_an_option_wins_over_the_file(tmp_path, servesim_server: LocalServer):
    with servesim_server.open(scenario=write(tmp_path, WORLD), clock="autojump") as sim:
        assert sim.clock.mode == "autojump"


def test_a_scenario_that_fails_leaves_no_workspace_behind(tmp_path, servesim_server: LocalServer):
    before = len(servesim_server.server.hub.workspaces())
    broken = WORLD.replace("entity_version: 2", "entity_version: 9")
    with pytest.raises(DocumentError, match=r"world.yaml, line 15: endpoints\[0\]: Version 9 of registered"):
        servesim_server.open(scenario=write(tmp_path, broken))
    assert len(servesim_server.server.hub.workspaces()) == before


def test_files_of_one_workspace_add_up_and_the_later_wins(tmp_path):
    first = write(tmp_path, WORLD, "first.yaml")
    second = write(tmp_path, "seed: 9\nprincipals: [{user: bob@example.com, token: b}]", "second.yaml")
    third = write(tmp_path, "workspace: other\nseed: 1", "third.yaml")
    scenarios = read_scenarios([first, second, third])
    assert list(scenarios) == ["default", "other"]
    assert scenarios["default"].options["seed"] == 9
    assert list(scenarios["default"].principals) == ["alice-token", "ci-token", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: x", r'line 1: seed: "x" is not of type "integer"'),
        ("\nsede: 1", r"line 2: .*'sede' was unexpected"),
        ("models: [1", r"line 1: expected ',' or ']'"),
        ("seed: 1\nseed: 2", "line 2: seed: stands twice"),
        ("- 1", r'line 1: \[1\] is not of type "object"'),
        ("", r'line 1: null is not of type "object"'),
        ("models:\n  - name: a\n    stub: {constant: 1, fail: x}", r"line 3: models\[0\].stub"),
        (
            "models:\n  - name: a\n    stub: echo\n    signature: {x: decimal}",
            r"line 4: models\[0\].signature.x",
        ),
        (
            "models:\n  - name: a\n    mlflow: nowhere",
            r"line 2: models\[0\]: the MLflow model at .* cannot be read",
        ),
        ("endpoints:\n  - name: a\n    confg: {}", r"line 2: endpoints\[0\]: .*'confg' was unexpected"),
        (
            "endpoints:\n- name: a\n  config:\n    served_entities:\n    - {entity_name: m, entity_version: 1, x: 1}",
            r"line 5: endpoints\[0\].config.served_entities\[0\]: .*'x' was unexpected",
        ),
        ("endpoints:\n  - name: a_", r"line 2: endpoints\[0\]: Endpoint name must be maximum 63"),
        ("endpoints:\n  - {name: a, creator: x}", r"line 2: endpoints\[0\].creator: 'x' is no principal"),
        ("profile: {cold_start: [20s, 10s]}", "line 1: profile.cold_start: the least comes first"),
        ("profile: {cold_start: 5x}", "line 1: profile.cold_start: "),
        ("profile: {cold: 5s}", "line 1: profile: .*'cold' was unexpected"),
        ("profile: swift", "there is no profile 'swift': give faithful, faithful@2026-11, instant"),
        ("start: 2026-01-01 25:00", "'2026-01-01 25:00' is not an instant"),
        (
            "principals:\n- {user: a, token: t}\n- {user: b, token: t}",
            r"principals\[1\].token: this token stands",
        ),
        (
            "principals:\n- {service_principal: a, client_id: c, client_secret: s}\n"  # noqa: ISC004 - one text
            "- {service_principal: b, client_id: c, client_secret: s}",
            r"line 3: principals\[1\].client_id: this client id stands",
        ),
        ("principals: [{user: a}]", r"line 1: principals\[0\]: a principal has a token, or client_id and client_s"),
        ("principals: [{token: a}]", r"line 1: principals\[0\]: a principal has either user or service_principal"),
        ("models: [{name: a}]", r"line 1: models\[0\]: a model has either stub or mlflow"),
        ("models: [{name: a, stub: {constants: 1}}]", r"line 1: models\[0\].stub: a stub is echo, hash, fail"),
        ("principals: [{user: a, client_id: c, client_secret: s}]", r"principals\[0\]: .*service_principal"),
        ("principals: [{service_principal: a, client_id: c}]", r"principals\[0\]: .*client_secret"),
        ("principals: [{user: a, token: t, entitlements: [fly]}]", r"principals\[0\].entitlements\[0\]"),
        ("port: 65536", "line 1: port: "),
        ("model_serving: off", "line 1: model_serving: "),
        ("principals: [{user: a, token: 'a b'}]", r"principals\[0\].token"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
    ],
)
def test_an_error_points_at_file_line_and_key(tmp_path, servesim_server: LocalServer, text, message):
    with pytest.raises(ValueError, match=message):
        servesim_server.open(scenario=write(tmp_path, text))


def test_a_shipped_world_goes_by_its_name_unless_there_is_such_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for written in ("canary-rolls-back", "canary-rolls-back.yaml"):
        (scenario,) = read_scenarios([written]).values()
        assert scenario.documents[0].content["endpoints"][0]["name"] == "fraud"
    (tmp_path / "canary-rolls-back").write_text("seed: 5\n", encoding="utf-8")
    assert read_scenarios(["canary-rolls-back"])["default"].options == {"seed": 5}
    with pytest.raises(DocumentError, match="folder/canary-promotes"):
        read_scenarios(["folder/canary-promotes"])


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(DocumentError, match=r"none.yaml: No such file"):
        read_scenarios([tmp_path / "none.yaml"])
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"seed: \xff")
    with pytest.raises(DocumentError, match=r"latin\.yaml: not UTF-8 text"):
        read_scenarios([latin])
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    with pytest.raises(DocumentError, match=r"large\.yaml: larger than 4,194,304 bytes"):
        read_scenarios([large])


def test_aliases_cannot_blow_up(tmp_path):
    levels = [f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 10)}]" for level in range(1, 9)]
    text = "\n".join(["l0: &l0 [x]", *levels])
    with pytest.raises(DocumentError, match=f"more than {NODE_LIMIT:,} values"):
        read_scenarios([write(tmp_path, text)])


def test_a_profile_file_overrides_single_values(tmp_path):
    path = write(tmp_path, "base: instant\ncold_start: [1s, 2m]\nidle_to_zero: 90\nentity_limit: 3", "mine.yaml")
    profile = profile_named(str(path))
    assert profile.name == "mine"
    assert profile.cold_start_ms == (1_000, 120_000)
    assert profile.idle_to_zero_ms == 90_000
    assert profile.entity_limit == 3
    assert profile.container_build_ms == INSTANT.container_build_ms


def test_a_profile_is_found_beside_its_scenario(tmp_path):
    write(tmp_path, "container_build: 1s", "quick.yaml")
    scenarios = read_scenarios([write(tmp_path, "profile: quick.yaml")])
    assert scenarios["default"].options["profile"].container_build_ms == (1_000, 1_000)


def test_the_schema_knows_every_value_of_a_profile_and_each_has_its_evidence():
    schema = json.loads(shipped("scenarios/scenario.schema.json").read_text(encoding="utf-8"))
    values = {field.name for field in fields(Profile)} - {"name"}
    written = {key.replace(".", "_") for key in schema["$defs"]["profile"]["properties"]} - {"base"}
    assert written == {name.removesuffix("_ms") for name in values}
    assert set(EVIDENCE) == values
    assert all(evidence.grade in {"documented", "recorded", "observed", "chosen"} for evidence in EVIDENCE.values())
    assert FAITHFUL.name == "faithful"


@pytest.mark.parametrize("path", sorted(shipped("scenarios").glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_scenario_begins(path, servesim_server: LocalServer):
    with servesim_server.open(scenario=path) as sim:
        assert sim.workspace.world.endpoints or sim.workspace.world.model_endpoints
