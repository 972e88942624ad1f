"""`servesim models` against a server of this process."""

from __future__ import annotations

import json

import pytest

from servesim.core.access import Principal
from servesim.core.model_commands import (
    CreateModelVersion,
    CreateRegisteredModel,
    FinishRegistration,
    SetAlias,
    TransitionStage,
)
from servesim.core.registry import Stage
from servesim.models.worker_facts import digest

LONG = "a_catalog_of_a_large_team.fraud_detection_in_card_payments.transaction_scorer"
WHY = "The source 's3://somewhere/else' is none that servesim reads: " + "name a folder below --model-root. " * 5


@pytest.fixture
def registered(here):
    """Register what the commands look at."""
    ana = Principal("ana.maria.of.the.fraud.team@example.com")
    here.principals.add(ana.name, admin=True)

    def run(command):
        here._server.run(execute(command))

    async def execute(command):
        return here.workspace.clock.execute(command)

    here.models.stub(LONG, "constant", value=1)
    here.models.function("main.ml.tax", lambda rows: rows)
    run(CreateRegisteredModel("churn", ana))
    run(CreateModelVersion("churn", ana, "s3://somewhere/else"))
    run(FinishRegistration("churn", "1", None, WHY))
    run(CreateModelVersion("churn", ana, "models:/churn/1"))
    here.models.stub("churn", "echo")
    run(TransitionStage("churn", "3", None, Stage.PRODUCTION))
    for alias in ("champion", "of-november", "of-the-whole-year"):
        run(SetAlias("main.ml.tax", alias, None, "1"))
    run(CreateRegisteredModel("empty", ana))
    return here


def test_before_anything_is_registered(command):
    assert command("models").stdout == "No model is registered.\n"
    assert json.loads(command("models", "--json").stdout) == {"models": [], "without_versions": []}


def test_versions_stand_below_their_models_with_status_stage_and_aliases(command, registered):
    lines = command("models").stdout.splitlines()
    assert lines[:3] == ["MODEL", lines[1], LONG]
    assert lines[1].split() == ["VERSION", "STATUS", "STAGE", "ALIASES", "ANSWERS", "CREATOR"]
    table = {line.split()[0]: line.split() for line in lines[lines.index("churn") :] if line.startswith("  ")}
    assert table["1"][:5] == ["1", "FAILED", "-", "-", "-"]
    assert table["2"][:5] == ["2", "PENDING", "-", "-", "-"]
    assert table["3"] == ["3", "READY", "Production", "-", "stub", "-"]
    assert lines[lines.index("main.ml.tax") + 1].split() == ["1", "READY", "-", "champion", "+2", "function", "-"]
    assert lines[-2:] == ["empty", "  no version"]


def test_why_one_has_failed_stands_below_it(command, registered):
    lines = command("models", "churn").stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if "FAILED" in line)
    told = [line.strip() for line in lines[start + 1 :] if line.startswith("    ")]
    assert " ".join(told) == WHY.strip()


def test_no_line_is_wider_than_a_terminal(command, registered):
    lines = command("models").stdout.splitlines()
    assert max(map(len, lines)) == 80  # the creator's name is cut


@pytest.mark.parametrize(
    ("name", "shown"), [("churn", {"churn"}), ("main.ml.*", {"main.ml.tax"}), ("*", {LONG, "main.ml.tax", "churn"})]
)
def test_a_name_or_a_pattern_picks_models(command, registered, name, shown):
    found = json.loads(command("models", name, "--json").stdout)
    assert {row["name"] for row in found["models"]} == shown
    assert found["without_versions"] == (["empty"] if name == "*" else [])


def test_a_model_that_is_not_there_is_told(command, registered):
    done = command("models", "chrun")
    assert done.exit_code == 1
    assert "has no model 'chrun'" in done.stderr
    assert command("models", "chrun", "--json").exit_code == 1


def test_json_has_what_the_handle_lists(command, registered):
    rows = json.loads(command("models", "--json").stdout)["models"]
    assert rows == registered.models.list()
    assert [row["version"] for row in registered.models.list("churn")] == ["1", "2", "3"]
    assert registered.models.list("nothing") == []
    failed, pending, ready = registered.models.list("churn")
    assert (failed["kind"], failed["status"], failed["status_message"]) == (None, "FAILED_REGISTRATION", WHY)
    assert (pending["kind"], pending["status"]) == (None, "PENDING_REGISTRATION")
    assert pending["creator"] == "ana.maria.of.the.fraud.team@example.com"
    assert (ready["stage"], ready["creator"], ready["staged"]) == ("Production", None, False)
    (tax,) = registered.models.list("main.ml.tax")
    assert (tax["stage"], tax["aliases"]) == (None, ["champion", "of-november", "of-the-whole-year"])


def test_a_row_tells_the_digest_of_an_mlflow_model_and_who_may_execute_it(here, tmp_path):
    (tmp_path / "MLmodel").write_text("flavors: {python_function: {loader_module: none}}\n")
    here.models.mlflow("main.ml.tax", tmp_path)
    here.models.allow("main.ml.tax", ["risk", "ana@example.com"])
    (row,) = here.models.list()
    assert (row["kind"], row["digest"]) == ("mlflow", digest(tmp_path))
    assert row["allowed"] == ["ana@example.com", "risk"]


def test_a_version_that_is_staged_says_so(command, here, tmp_path):
    world = tmp_path / "world.yaml"
    world.write_text("models: [{name: main.ml.fraud, stub: echo, express: true, tags: {a: b}}]")
    with here._local.open(scenario=str(world)) as sim:
        shown = command("models", "--workspace", sim.workspace.name).stdout
    assert shown.splitlines()[-1] == "    staged for an express deployment"
