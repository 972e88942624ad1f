"""`servesim migrate inventory` against a server of this process: by its admin API, and by the public one alone."""

from __future__ import annotations

import json

import pytest

from servesim.core.access import Principal
from servesim.core.model_commands import TransitionStage
from servesim.core.model_compute import Compute
from servesim.core.model_endpoint_commands import EnableModel
from servesim.core.registry import Stage

ANN = Principal("ann@example.com")
BEFORE = "2025-06-01T00:00:00Z"
ROWS = {"inputs": [[1.5]]}
BOTH_WAYS = pytest.mark.parametrize("way", [(), ("--public", "--today", "2025-06-01")], ids=["admin", "public"])


async def execute(workspace, commands):
    for one in commands:
        workspace.clock.execute(one)


def opened(server, **options):
    handle = server.open(start=BEFORE, serverless_preview="enabled", **options)
    handle.principals.add(ANN.name, admin=True)
    for model, generation in (("churn", "legacy"), ("tax", "serverless_preview")):
        for _ in range(2):
            handle.models.stub(model, "constant", value=0.5)
        computes = ((Stage.STAGING, Compute("Large", scale_to_zero=True)),) if model == "tax" else ()
        commands = [
            TransitionStage(model, "1", ANN, Stage.PRODUCTION),
            TransitionStage(model, "2", ANN, Stage.STAGING),
            EnableModel(generation, model, ANN, True, computes),
        ]
        server.run(execute(handle.workspace, commands))
    return handle


@pytest.fixture(scope="module")
def world(server):
    handle = opened(server)
    yield handle
    handle.close()


@pytest.fixture
def here(world):
    return world


@pytest.fixture(autouse=True)
def _pointed(command, here, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", here.host)


@pytest.fixture
def shown(command):
    """Run the command for JSON."""

    def run(*options):
        done = command("migrate", "inventory", "--json", *options)
        return done.exit_code, json.loads(done.stdout)

    return run


@BOTH_WAYS
def test_both_apis_tell_what_is_served_and_until_when(shown, way):
    code, found = shown(*way)
    churn, tax = found["models"]
    assert (code, found["now"], found["breaking"]) == (0, BEFORE, [])
    assert [(one["model"], one["generation"], one["state"]) for one in (churn, tax)] == [
        ("churn", "legacy", "READY"),
        ("tax", "serverless_preview", "READY"),
    ]
    for one in (churn, tax):
        versions = [(each["version"], each["stage"], each["state"]) for each in one["versions"]]
        assert versions == [("1", "Production", "READY"), ("2", "Staging", "READY")]
        assert one["aliases"] == {"Production": "1", "Staging": "2"}
        assert "/api/2.0/serving-endpoints" in one["instead"]
    assert (churn["retired_on"], churn["days_left"]) == ("2025-09-15T00:00:00Z", 106)
    assert (tax["retired_on"], tax["days_left"]) == (None, None)
    sizes = {each["stage"]: (each["workload_size"], each["scale_to_zero"]) for each in tax["compute"]}
    assert sizes["Staging"] == ("Large", True)


def test_the_admin_api_tells_who_enabled_a_model_and_who_called_it(shown, call):
    assert call("POST", "/model/churn/Production/invocations", ROWS).status == 200
    churn, tax = shown()[1]["models"]
    assert (churn["enabled_by"], churn["enabled_at"]) == (ANN.name, BEFORE)
    assert (churn["calls"] > 0, churn["last_caller"]) == (True, "tester@example.com")
    assert (tax["calls"], tax["last_called"], tax["last_caller"]) == (0, None, None)


def test_what_the_public_api_does_not_tell_is_left_out_and_said(shown, command):
    _, found = shown("--public")
    assert {one[field] for one in found["models"] for field in ("enabled_by", "enabled_at", "calls")} == {None}
    assert "does not tell who enabled" in found["notes"][0]


@BOTH_WAYS
@pytest.mark.parametrize(("by", "code"), [("2025-09-15", 0), ("2025-09-15T00:00:01Z", 1), ("2025-10-01", 1)])
def test_it_ends_with_1_if_something_breaks_before_a_day(shown, way, by, code):
    exit_code, found = shown("--by", by, *way)
    assert exit_code == code
    assert found["breaking"] == [{"model": "churn", "generation": "legacy"}] * code


def test_the_table_has_a_row_for_each_model_with_what_is_served_below(command):
    done = command("migrate", "inventory", "--by", "2025-10-01")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["MODEL", "GENERATION", "STATE", "CALLS", "LAST", "CALL", "ENDS"]
    row = next(line for line in lines if line.startswith("tax")).split()
    assert row == ["tax", "serverless_preview", "READY", "0", "never", "no", "day", "is", "known"]
    assert "  on since 2025-06-01, by ann@example.com" in lines
    assert "  version 2 in Staging READY  /model-endpoint/tax/Staging/invocations" in lines
    assert "  Staging: Large, scales to zero" in lines
    assert lines[-1] == "Breaks before 2025-10-01: churn."
    assert done.exit_code == 1


@pytest.mark.parametrize("way", [(), ("--public",)], ids=["admin", "public"])
def test_no_word_is_broken_at_80_columns(command, way):
    lines = command("migrate", "inventory", *way).stdout.splitlines()
    assert [line for line in lines if len(line) > 80 and " " in line.strip()] == []
    assert "  https://docs.databricks.com/" in "\n".join(lines)


def test_a_date_of_ones_own_is_the_end_to_both_apis(server, shown, here, monkeypatch):
    own = opened(server, dates={"serverless_preview": "2025-07-01", "legacy": "2025-12-31"})
    monkeypatch.setenv("SERVESIM_WORKSPACE", own.workspace.name)
    monkeypatch.setenv("DATABRICKS_TOKEN", own.token)
    for way in ((), ("--public", "--today", "2025-06-01")):
        churn, tax = shown(*way)[1]["models"]
        assert (churn["retired_on"], churn["days_left"]) == ("2025-12-31T00:00:00Z", 213)
        assert (tax["retired_on"], tax["days_left"]) == ("2025-07-01T00:00:00Z", 30)
    own.close()


def test_once_it_has_ended_what_was_served_is_still_told(server, command, monkeypatch):
    own = opened(server)
    own.clock.advance("120d")
    monkeypatch.setenv("SERVESIM_WORKSPACE", own.workspace.name)
    monkeypatch.setenv("DATABRICKS_TOKEN", own.token)
    row = next(line for line in command("migrate", "inventory").stdout.splitlines() if line.startswith("churn"))
    assert "ENDED" in row
    assert row.endswith("2025-09-15, the day is past")
    public = command("migrate", "inventory", "--host", own.host).stdout
    assert "churn" not in public
    assert "Legacy serving cannot be asked: " in public
    own.close()


def test_a_model_whose_serving_has_ended_is_planned_for_by_its_stages(server, command, monkeypatch):
    own = opened(server)
    own.clock.advance("120d")
    monkeypatch.setenv("DATABRICKS_TOKEN", own.token)
    (move,) = json.loads(command("migrate", "plan", "churn", "--json", "--host", own.host).stdout)["moves"]
    assert [(one["version"], one["body"]["name"], one["old_path"]) for one in move["endpoints"]] == [
        ("2", "churn-Staging", "/model/churn/Staging/invocations"),
        ("1", "churn-Production", "/model/churn/Production/invocations"),
    ]
    own.close()


def test_an_empty_world_says_so(server, command, monkeypatch):
    own = server.open()
    monkeypatch.setenv("SERVESIM_WORKSPACE", own.workspace.name)
    monkeypatch.setenv("DATABRICKS_TOKEN", own.token)
    for words in (["inventory"], ["inventory", "--host", own.host], ["plan", "--host", own.host]):
        done = command("migrate", *words)
        assert (done.exit_code, "Nothing is served by legacy serving" in done.stdout) == (0, True)
    script = command("migrate", "plan", "--script", "--host", own.host)
    assert (script.stdout, "Nothing is served" in script.stderr) == ("", True)
    own.close()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        pytest.param(["inventory", "--by", "soon"], 2, "'soon' is not an instant", id="no date"),
        pytest.param(["inventory", "--host", "ftp://x"], 2, "is not the URL of a server", id="no URL"),
        pytest.param(["inventory", "--host", "http://127.0.0.1:9"], 5, "Name the workspace with --host", id="nobody"),
        pytest.param(["inventory", "--public", "--token", "wrong"], 1, "was answered 40", id="wrong token"),
        pytest.param(["plan", "--token", "a\nb"], 2, "no header can hold", id="no token"),
        pytest.param(["plan", "nothing"], 1, "on them: churn, tax", id="no such model"),
        pytest.param(["plan", "--json", "--script"], 2, "ask for one", id="two forms"),
        pytest.param(["plan", "tax", "--example", f"churn={__file__}"], 2, "holds no request", id="no JSON"),
        pytest.param(["plan", "--example", "churn"], 2, "is not MODEL=FILE", id="no file named"),
        pytest.param(["plan", "--example", "churn=nowhere.json"], 2, "holds no request in JSON", id="no file"),
    ],
)
def test_wrong_usage_and_refusals_say_what_to_do(command, here, words, code, told):
    done = command("migrate", *words)
    assert (done.exit_code, told in " ".join(done.output.split())) == (code, True), done.output


@pytest.mark.parametrize("content", ["[1]", "{", '{"inputs": [NaN]}', "[" * 100_000])
def test_a_file_that_holds_no_request_is_refused(command, tmp_path, content):
    (tmp_path / "rows.json").write_text(content)
    done = command("migrate", "plan", "--example", f"churn={tmp_path / 'rows.json'}")
    assert (done.exit_code, "holds no request" in " ".join(done.output.split())) == (2, True), done.output


def test_a_plan_asks_for_the_models_that_are_named_alone(command):
    found = json.loads(command("migrate", "plan", "tax", "--json").stdout)
    assert [move["model"] for move in found["moves"]] == ["tax"]
    sizes = [one["body"]["config"]["served_entities"][0]["workload_size"] for one in found["moves"][0]["endpoints"]]
    assert sizes == ["Large", "Small"]


def test_grants_that_may_not_be_read_are_left_to_whoever_plans(command, here):
    here.faults.add("status", operation="get_model_permissions", status=403, times=1)
    text = " ".join(command("migrate", "plan", "tax").stdout.split())
    assert "Grant by hand what was granted on the model" in text
    assert "What was granted on tax is not known, grant it by hand: /api/2.0/permissions/" in text
    assert "Grant nothing" in command("migrate", "plan", "tax").stdout
