"""The scripts of plans, run on servesim: what was served before is served by Model Serving, and alike."""

from __future__ import annotations

import itertools
import json
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from servesim.core.access import Grantee, Principal
from servesim.core.model_access import ModelLevel
from servesim.core.model_commands import CreateRegisteredModel, SetModelPermissions, TransitionStage
from servesim.core.model_compute import Compute
from servesim.core.model_endpoint_commands import EnableModel
from servesim.core.registry import Stage

pytestmark = pytest.mark.sdk

ANN = Principal("ann@example.com")
BEFORE = "2025-06-01T00:00:00Z"
ROWS = {"dataframe_split": {"columns": ["amount"], "data": [[1.5], [2.5]]}}
STAGES = {"1": Stage.PRODUCTION, "2": Stage.STAGING}
COMPUTES = ((Stage.STAGING, Compute("Medium", scale_to_zero=True)), (Stage.PRODUCTION, Compute("Large")))


@pytest.fixture
def here(server):
    handle = server.open(start=BEFORE, serverless_preview="enabled")
    yield handle
    handle.close()


@pytest.fixture
def execute(here):
    """Run commands in the workspace, as nobody."""

    async def run(commands):
        return [here.workspace.clock.execute(one) for one in commands]

    return lambda *commands: here._server.run(run(commands))


@pytest.fixture
def served(here, execute):
    """Have a model served since before: two versions of a stub, in stages, that Ann manages and analysts read."""
    here.principals.add(ANN.name, admin=True)

    def serve(model, generation, computes=(), function=None, **options):
        ((made,),) = [execute(CreateRegisteredModel(model, ANN))]
        grants = ((Grantee("group", "analysts"), ModelLevel.CAN_READ),)
        execute(SetModelPermissions(here.workspace.world.registry.id_of(made), ANN, grants, False))
        for number, stage in STAGES.items():
            if function is None:
                here.models.stub(model, "constant", value=float(number), **options)
            else:
                here.models.function(model, function)
            execute(TransitionStage(model, number, ANN, stage))
        execute(EnableModel(generation, model, ANN, True, computes))

    return serve


class Script:
    """The script of a plan, in a folder of its own."""

    def __init__(self, command, folder, capsys):
        self.command, self.folder, self.capsys = command, folder, capsys
        (folder / "rows.json").write_text(json.dumps(ROWS))

    def plan(self, *options, models=()):
        """Write it for models of the workspace registry; with a request for some, it needs no MLflow."""
        examples = [f"--example={model}={self.folder / 'rows.json'}" for model in models]
        return self.write("--keep-registry", *examples, *options)

    def write(self, *options):
        done = self.command("migrate", "plan", "--script", *options)
        assert done.exit_code == 0, done.output
        (self.folder / "migrate.py").write_text(done.stdout)
        return done.stdout

    def run(self):
        """Run it in this process; return its exit code and what it printed."""
        self.capsys.readouterr()
        code = 0
        try:
            runpy.run_path(str(self.folder / "migrate.py"))
        except SystemExit as ended:
            code = ended.code
        printed = self.capsys.readouterr()
        return code, printed.out, printed.err

    def run_apart(self):
        """Run it in a process of its own."""
        words = [sys.executable, "migrate.py"]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False, timeout=100)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def script(command, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)  # the SDK waits between two looks
    return Script(command, tmp_path, capsys)


@pytest.fixture(autouse=True)
def _pointed(here, command, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", here.host)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def endpoint(call, name):
    found = json.loads(call("GET", f"/api/2.0/serving-endpoints/{name}").body)
    (entity,) = found["config"]["served_entities"]
    shown = call("GET", f"/api/2.0/permissions/serving-endpoints/{found['id']}")
    levels = {
        entry.get("group_name") or entry.get("user_name"): entry["all_permissions"][0]["permission_level"]
        for entry in json.loads(shown.body)["access_control_list"]
    }
    return found["state"]["ready"], entity, levels


@pytest.mark.parametrize("generation", ["legacy", "serverless_preview"])
def test_what_was_served_is_served_by_endpoints_with_its_compute_and_permissions(served, script, call, generation):
    served("modelA", generation, COMPUTES if generation == "serverless_preview" else ())
    text = script.plan(models=["modelA"])
    code, out, err = script.run()
    assert (code, err) == (0, ""), out
    ready, entity, levels = endpoint(call, "modelA-Production")
    size = "Large" if generation == "serverless_preview" else "Small"
    assert (ready, entity["entity_version"], entity["workload_size"]) == ("READY", "1", size)
    assert entity["scale_to_zero_enabled"] is (generation == "legacy")
    assert levels["analysts"] == "CAN_QUERY"
    assert '"admins"' not in text  # theirs comes from above the model
    assert levels[ANN.name] == "CAN_MANAGE"
    assert endpoint(call, "modelA-Staging")[1]["entity_version"] == "2"
    assert out.count(" predicts what ") == 2
    surface = "model" if generation == "legacy" else "model-endpoint"
    assert call("POST", f"/{surface}/modelA/Production/invocations", ROWS).status == 200  # still on


@pytest.mark.parametrize("generation", ["legacy", "serverless_preview"])
def test_with_cut_over_the_old_serving_is_off_and_a_second_run_changes_nothing(served, script, call, generation):
    served("modelA", generation)
    script.plan("--cut-over", models=["modelA"])
    first, second = script.run(), script.run()
    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert "modelA is off at" in first[1]
    assert "modelA-Staging is there already" in second[1]
    assert "not served by" in second[1]
    surface = "model" if generation == "legacy" else "model-endpoint"
    assert call("POST", f"/{surface}/modelA/Production/invocations", ROWS).status == 404
    answered = call("POST", "/serving-endpoints/modelA-Production/invocations", ROWS)
    assert json.loads(answered.body)["predictions"] == [1.0, 1.0]
    assert "Nothing is served by" in script.command("migrate", "plan").stdout


def test_a_model_of_mlflow_1_is_asked_in_its_own_form(served, script):
    served("modelA", "legacy", mlflow_version="1.28.0")
    script.plan(models=["modelA"])
    code, out, err = script.run()
    assert code == 0, err
    assert out.count("its callers get the predictions bare now") == 2


def test_other_predictions_keep_the_old_serving_on(served, script, call):
    drawn = itertools.count()
    served("modelA", "legacy", function=lambda rows: [float(next(drawn))] * len(rows))
    assert "\ndisable(" in script.plan("--cut-over", models=["modelA"])
    code, out, err = script.run()
    assert (code, "Nothing is turned off" in err) == (1, True), out
    assert "/serving-endpoints/modelA-Production/invocations predicts" in err
    assert call("GET", "/api/2.0/preview/mlflow/endpoints/get-status?registered_model_name=modelA").status == 200


def test_an_endpoint_of_that_name_which_serves_something_else_is_left_alone(served, script, call, here):
    served("modelA", "legacy")
    script.plan("--cut-over", models=["modelA"])
    here.models.stub("main.ml.other", "echo")
    entity = {"entity_name": "main.ml.other", "entity_version": "1", "workload_size": "Small"}
    body = {"name": "modelA-Staging", "config": {"served_entities": [{**entity, "scale_to_zero_enabled": True}]}}
    assert call("POST", "/api/2.0/serving-endpoints", body).status == 200
    code, _, err = script.run()
    assert code == 1
    assert "modelA-Staging is there already and serves something else" in err


def test_after_its_end_a_model_moves_without_a_comparison(served, script, here, call):
    served("modelA", "legacy")
    here.clock.advance("120d")
    script.plan("modelA", "--cut-over", models=["modelA"])
    code, out, err = script.run()
    assert (code, out.count("is not served by")) == (0, 2), err
    assert endpoint(call, "modelA-Production")[0] == "READY"


def test_a_version_without_files_is_told_before_anything_is_made(served, script, monkeypatch):
    served("modelA", "legacy")
    script.write("--cut-over")
    clients = MagicMock()
    monkeypatch.setitem(sys.modules, "mlflow", clients)
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", SimpleNamespace(MlflowException=LookupError))
    monkeypatch.setitem(sys.modules, "mlflow.models", clients)
    code, _, err = script.run()
    assert (code, "models:/modelA/1 has no files; plan with --keep-registry" in err) == (1, True), err
    assert not clients.MlflowClient().copy_model_version.called


def test_the_same_world_gives_the_same_script(served, script):
    served("modelA", "legacy")
    assert script.plan() == script.plan()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model as MLflow writes it, with a signature and an input example."""
    pytest.importorskip("sklearn", reason="comes with the extra `mlflow`")
    written = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, Path(__file__).parents[1] / "clients/real_models.py", written], check=True)
    return written / "iris"


@pytest.fixture
def really_served(folder, here, execute):
    """Have a real model served by legacy serving."""
    for number, stage in STAGES.items():
        here.models.mlflow("churn", folder)
        execute(TransitionStage("churn", number, None, stage))
    execute(EnableModel("legacy", "churn", None, True))


@pytest.mark.mlflow
@pytest.mark.deep
def test_a_real_model_goes_to_unity_catalog_in_a_process_of_its_own(really_served, here, script, call):
    script.write("--cut-over", "--catalog", "main", "--schema", "ml")
    for _ in range(2):  # the second finds everything there
        code, _, err = script.run_apart()
        assert code == 0, err
    assert {path.name for path in script.folder.iterdir()} == {"migrate.py", "rows.json"}
    rows = here.models.list("main.ml.churn")
    assert [(row["version"], row["aliases"], row["tags"]) for row in rows] == [
        ("1", ["production"], {"copied_from": "models:/churn/1"}),
        ("2", ["staging"], {"copied_from": "models:/churn/2"}),
    ]
    assert endpoint(call, "churn-Staging")[1]["entity_name"] == "main.ml.churn"
    assert call("GET", "/api/2.0/preview/mlflow/endpoints/get-status?registered_model_name=churn").status == 400


@pytest.mark.mlflow
@pytest.mark.deep
def test_of_a_stub_nothing_is_made_in_unity_catalog(served, script, call):
    served("modelA", "legacy")
    script.write()
    code, _, err = script.run_apart()
    assert (code, "has no files; plan with --keep-registry" in err) == (1, True), err
    assert call("GET", "/api/2.1/unity-catalog/models/main.default.modelA").status == 404


@pytest.mark.mlflow
@pytest.mark.deep
def test_without_a_request_nothing_is_compared_and_nothing_turned_off(served, script):
    served("modelA", "legacy")
    script.plan("--cut-over")
    code, out, err = script.run_apart()
    assert (code, "models:/modelA/1 cannot be read" in out) == (1, True)
    assert "no input example. Plan with --example" in err
    assert "is off" not in out
