"""Create an endpoint, score with it and delete it: nothing here knows that the workspace is simulated."""

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput

entity = ServedEntityInput(
    entity_name="main.ml.fraud", entity_version="1", workload_size="Small", scale_to_zero_enabled=True
)
endpoints = WorkspaceClient().serving_endpoints
endpoints.create_and_wait("fraud", config=EndpointCoreConfigInput("fraud", served_entities=[entity]))
print(endpoints.query("fraud", dataframe_records=[{"amount": 12.5}]).predictions)
endpoints.delete("fraud")
