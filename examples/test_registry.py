"""A test of a training job: the model that it registers in Unity Catalog is served, and predicts what it should."""

import mlflow
import pytest
from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

MODEL = "main.ml.fee"


def train(folder):
    """Train, register and name the champion; your job's own function stands here."""
    amounts, fees = [[100.0], [200.0]], [2.0, 4.0]
    model = LinearRegression().fit(amounts, fees)
    signature = infer_signature([{"amount": 100.0}], fees)
    mlflow.sklearn.save_model(model, folder, signature=signature, pip_requirements=["mlflow", "scikit-learn"])
    version = str(mlflow.register_model(str(folder), MODEL).version)
    MlflowClient().set_registered_model_alias(MODEL, "champion", version)


def test_the_champion_is_served(servesim, servesim_env, monkeypatch, tmp_path):
    servesim_env()  # the job's clients go to servesim
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "databricks")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "databricks-uc")
    train(tmp_path / "model")

    (version,) = servesim.models.list(MODEL)
    assert (version["status"], version["aliases"]) == ("READY", ["champion"])
    entity = ServedEntityInput(
        entity_name=MODEL, entity_version=version["version"], workload_size="Small", scale_to_zero_enabled=True
    )
    endpoints = servesim.client().serving_endpoints
    endpoints.create_and_wait("fee", config=EndpointCoreConfigInput("fee", served_entities=[entity]))
    (fee,) = endpoints.query("fee", dataframe_records=[{"amount": 900.0}]).predictions
    assert fee == pytest.approx(18.0)
