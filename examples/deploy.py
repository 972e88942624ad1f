"""A deployment job: the champion is served by the endpoint, which is created if there is none, and answers."""

import mlflow
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import ResourceDoesNotExist
from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput
from mlflow import MlflowClient

MODEL = "main.ml.fraud"
ENDPOINT = "fraud"

mlflow.set_registry_uri("databricks-uc")
version = str(MlflowClient().get_model_version_by_alias(MODEL, "champion").version)

endpoints = WorkspaceClient().serving_endpoints
champion = ServedEntityInput(
    entity_name=MODEL, entity_version=version, workload_size="Small", scale_to_zero_enabled=True
)
try:
    endpoints.update_config(ENDPOINT, served_entities=[champion])
    print(f"{ENDPOINT} is updated to version {version}")
except ResourceDoesNotExist:
    endpoints.create(ENDPOINT, config=EndpointCoreConfigInput(name=ENDPOINT, served_entities=[champion]))
    print(f"{ENDPOINT} is created with version {version}")
endpoints.wait_get_serving_endpoint_not_updating(ENDPOINT)

answer = endpoints.query(ENDPOINT, inputs=[[900.0, 20.0], [50.0, 60.0]])
print(f"{ENDPOINT} predicts {answer.predictions}")
