"""A test with the pytest plugin: a workspace for each test, no server to start."""

import pytest
from databricks.sdk.errors import NotFound
from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput


def test_an_endpoint_scores(servesim):
    servesim.models.stub("main.ml.fraud", "constant", value=0.5)
    endpoints = servesim.client().serving_endpoints
    entity = ServedEntityInput(
        entity_name="main.ml.fraud", entity_version="1", workload_size="Small", scale_to_zero_enabled=True
    )
    endpoints.create_and_wait("fraud", config=EndpointCoreConfigInput("fraud", served_entities=[entity]))
    assert endpoints.query("fraud", dataframe_records=[{"amount": 12.5}]).predictions == [0.5]


def test_what_is_not_there_is_not_found(servesim):
    with pytest.raises(NotFound):
        servesim.client().serving_endpoints.get("fraud")
