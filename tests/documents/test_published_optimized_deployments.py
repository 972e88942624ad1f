"""Serverless optimized deployments: the page's snippets and what it says of them, each as a test of its step.

Who may not use them, and what each rule refuses: tests/clients/test_express_client.py, tests/http/test_express.py.
"""

import json
import sys

import pytest

DOCUMENT = "Serverless optimized deployments"
ADDRESS = "https://docs.databricks.com/aws/en/machine-learning/model-serving/serverless-optimized-deployments"

NAME = "main.ml.fraud"
MLMODEL = """\
databricks_runtime: client.4.0
flavors:
  python_function:
    env: {conda: conda.yaml}
    loader_module: fraud
    python_version: 3.11.7
mlflow_version: 3.17.2
signature:
  inputs: '[{"type": "double", "name": "amount", "required": true}]'
  outputs: '[{"type": "double", "required": true}]'
"""
WORLD = """\
poll: settle
models:
  - {name: main.ml.fraud, version: 1, stub: echo, express: true}
  - {name: main.ml.fraud, version: 2, stub: echo}
"""


def logged(folder):
    """Write what a serverless notebook has logged."""
    (folder / "model").mkdir()
    (folder / "model/MLmodel").write_text(MLMODEL, encoding="utf-8")
    (folder / "model/requirements.txt").write_text("mlflow\n", encoding="utf-8")
    (folder / "model/conda.yaml").write_text(json.dumps({"dependencies": [{"pip": ["mlflow"]}]}), encoding="utf-8")
    return str(folder / "model")


@pytest.fixture
def notebook(opens, monkeypatch, tmp_path):
    """Be in a serverless notebook of environment version 4 whose environment is a small folder; give its workspace."""
    pytest.importorskip("mlflow.utils.env_pack", reason="the extra `mlflow` is not installed, or packs no environments")
    world = opens()
    (tmp_path / "environment").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "databricks")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "databricks-uc")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with world.sim.env(serverless_environment=4):
        yield world


def staged(world):
    (row,) = world.models.list(NAME)
    return row["status"], row["staged"]


@pytest.mark.mlflow
@pytest.mark.filterwarnings("ignore")  # MLflow's own, and those of what it is built on
@pytest.mark.parametrize("install", [False, pytest.param(True, marks=pytest.mark.deep)], ids=["as it is", "installed"])
def test_use_register_with_a_config(notebook, tmp_path, install):
    """Use: register with `EnvPackConfig`; `install_dependencies=False` where nothing can be installed."""
    import mlflow
    from mlflow.utils import env_pack

    if not hasattr(env_pack, "EnvPackConfig"):
        pytest.skip("this MLflow has no EnvPackConfig")
    pack = env_pack.EnvPackConfig(name="databricks_model_serving", install_dependencies=install)
    began = notebook.sim.workspace.clock.now()
    mlflow.register_model(logged(tmp_path), NAME, env_pack=pack)
    assert staged(notebook) == ("READY", True)
    assert notebook.sim.workspace.clock.now() > began  # with its environment, registration takes longer


@pytest.mark.deep
@pytest.mark.mlflow
@pytest.mark.filterwarnings("ignore")
def test_use_register_with_the_shorthand(notebook, tmp_path):
    """Use: the string in place of the config, which installs the dependencies."""
    import mlflow

    mlflow.register_model(logged(tmp_path), NAME, env_pack="databricks_model_serving")
    assert staged(notebook) == ("READY", True)


@pytest.mark.mlflow
@pytest.mark.filterwarnings("ignore")
def test_use_register_without_it(notebook, tmp_path):
    """Use: a version that was registered without it is deployed by an ordinary build."""
    import mlflow

    mlflow.register_model(logged(tmp_path), NAME)
    staging = {"model_name": NAME, "model_version": "1"}
    status, refusal = notebook.ask("POST", "/api/2.0/serving-endpoints:stageDeployment", staging)
    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "env_pack" in refusal["message"]
    assert staged(notebook) == ("READY", False)


@pytest.fixture
def deployed(opens, tmp_path):
    """Deploy a version that was registered with its environment, and one that was not; give workspace and durations."""
    (tmp_path / "world.yaml").write_text(WORLD, encoding="utf-8")
    world = opens(scenario=tmp_path / "world.yaml")
    took = {}
    for name, version in (("optimized", "1"), ("ordinary", "2")):
        began = world.sim.workspace.clock.now()
        entity = {"entity_name": NAME, "entity_version": version, "workload_size": "Small"}
        world.do("POST", "/api/2.0/serving-endpoints", {"name": name, "config": {"served_entities": [entity]}})
        assert world.do("GET", f"/api/2.0/serving-endpoints/{name}")["state"]["ready"] == "READY"
        took[name] = world.sim.workspace.clock.now() - began
    return world, took


def test_deploy_as_usual_in_less_time(deployed):
    """Deploy as any other version: it is ready sooner."""
    _, took = deployed
    assert 0 < took["optimized"] < took["ordinary"]


def test_the_event_log_shows_no_container_build(deployed):
    """Look at the event log: the container build is missing from it.

    In the UI: the event log of the endpoint.

    Here: `GET /api/2.0/serving-endpoints/optimized/events`
    """
    world, _ = deployed
    built = {
        name: ["ontainer" in one["message"] for one in world.do("GET", f"{at}/{name}/events")["events"]]
        for at in ("/api/2.0/serving-endpoints",)
        for name in ("optimized", "ordinary")
    }
    assert (any(built["optimized"]), any(built["ordinary"])) == (False, True)
