"""A training job whose runs are kept on its own machine, and whose models go to the workspace registry."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.mlflow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def job(servesim, monkeypatch, tmp_path):
    """Give MLflow with a tracking store in a file and the registry of the workspace."""
    mlflow = pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    for name, value in servesim.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "databricks")
    return mlflow


def log(mlflow, numpy, **settings):
    class Doubling(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input * 2

    rows = numpy.ones((1, 2))
    signature = mlflow.models.infer_signature(rows, rows)
    with mlflow.start_run() as run:
        model = mlflow.pyfunc.log_model(
            name="model", python_model=Doubling(), signature=signature, pip_requirements=["mlflow"], **settings
        )
    return run.info.run_id, model


def test_what_it_logs_is_registered_and_loaded_back(job, servesim):
    import numpy as np

    run, model = log(job, np, registered_model_name="doubling")
    assert model.registered_model_version == "1"
    again = job.register_model(f"runs:/{run}/model", "doubling")
    by_id = job.register_model(model.model_uri, "doubling")
    assert [(version.version, version.status) for version in (again, by_id)] == [("2", "READY"), ("3", "READY")]
    assert len({servesim.workspace.world.registry.get("doubling", number).digest for number in "123"}) == 1
    for number in "123":
        loaded = job.pyfunc.load_model(f"models:/doubling/{number}")
        assert loaded.predict(np.ones((1, 2))).tolist() == [[2, 2]]
    assert not servesim.not_simulated


def test_a_logged_model_can_be_named_where_the_workspace_keeps_the_runs(job, servesim):
    import numpy as np

    _, model = log(job, np)
    client = job.MlflowClient(tracking_uri="databricks", registry_uri="databricks")
    client.create_registered_model("doubling")
    version = client.create_model_version("doubling", model.model_uri)
    assert (version.status, version.source) == ("READY", model.model_uri)
