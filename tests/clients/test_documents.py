"""What the SDK fetches to be read by other programs: metrics by Prometheus, the OpenAPI document by its clients."""

import json

import pytest
import requests

databricks = pytest.importorskip("databricks.sdk", reason="the extra `clients` is not installed")

from databricks.sdk.service.serving import (  # noqa: E402 - as above
    EndpointCoreConfigInput,
    GetOpenApiResponse,
    ServedEntityInput,
)

pytestmark = [pytest.mark.sdk, pytest.mark.servesim(poll="settle")]

answers_with_contents = pytest.mark.skipif(
    "contents" not in GetOpenApiResponse.__dataclass_fields__, reason="older SDKs give nobody the document"
)

MODEL = "main.ml.scored"
EXAMPLE = {"dataframe_split": {"columns": ["amount", "count"], "data": [[12.5, 3]]}}


@pytest.fixture
def scored(client, servesim):
    """An endpoint whose model has a signature and an input example."""
    servesim.models.stub(MODEL, "echo", signature={"amount": "double", "count": "long"}, example=EXAMPLE)
    entity = ServedEntityInput(entity_name=MODEL, entity_version="1", scale_to_zero_enabled=True)
    config = EndpointCoreConfigInput(name="scored", served_entities=[entity])
    client.serving_endpoints.create_and_wait("scored", config=config)
    return client.serving_endpoints


def auth(client):
    return {"Authorization": f"Bearer {client.config.token}"}


def test_prometheus_reads_the_metrics(client, scored):
    parser = pytest.importorskip("prometheus_client.parser")
    scored.query("scored", dataframe_records=[{"amount": 1.5, "count": 1}])
    with scored.export_metrics("scored").contents as contents:
        families = {family.name: family for family in parser.text_string_to_metric_families(contents.read().decode())}
    (requested,) = families["request_count_total"].samples
    assert (requested.labels, requested.value) == ({"served_entity": "scored-1"}, 1)
    assert families["request_latency_ms"].type == "histogram"


@answers_with_contents
def test_the_openapi_document_leads_to_an_answer(client, scored):
    with scored.get_open_api("scored").contents as contents:
        document = json.load(contents)
    pytest.importorskip("openapi_spec_validator").validate(document)
    ((path, item),) = document["paths"].items()
    body = item["post"]["requestBody"]["content"]["application/json"]["example"]
    answered = requests.post(document["servers"][0]["url"] + path, json=body, headers=auth(client), timeout=30)
    assert (answered.status_code, answered.json()) == (200, {"predictions": [{"amount": 12.5, "count": 3}]})


@answers_with_contents
def test_a_request_that_the_document_rules_out_is_refused(client, scored):
    with scored.get_open_api("scored").contents as contents:
        document = json.load(contents)
    ((path, item),) = document["paths"].items()
    body = {"dataframe_records": [{"amount": "much", "count": 3}]}
    schema = item["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert not pytest.importorskip("jsonschema").Draft202012Validator(schema).is_valid(body)
    answered = requests.post(document["servers"][0]["url"] + path, json=body, headers=auth(client), timeout=30)
    assert answered.status_code == 400


def test_custom_models_are_not_optimizable(client, scored):
    path = f"/api/2.0/serving-endpoints/get-model-optimization-info/{MODEL}/1"
    assert client.api_client.do("GET", path)["optimizable"] is False
