"""A secret reaches the model that a worker serves, and nobody who reads what the worker printed or failed with."""

from __future__ import annotations

import http.client
import json

import pytest

pytestmark = pytest.mark.mlflow

VALUE = "planted-s3cret-value"
ENTITY = {
    "entity_name": "probe",
    "entity_version": "1",
    "environment_vars": {"KEY": "{{secrets/s/k}}", "MODE": "fast"},
}
ENDPOINT = "/api/2.0/serving-endpoints/e"


def call(sim, method, path, body=None):
    connection = http.client.HTTPConnection(sim.host.removeprefix("http://"), timeout=120)
    headers = {"Authorization": f"Bearer {sim.token}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, body and json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def settled(sim):
    while True:
        found = json.loads(call(sim, "GET", ENDPOINT)[1])
        if found["state"]["config_update"] != "IN_PROGRESS":
            return found


def ask(sim, deed):
    return call(sim, "POST", "/serving-endpoints/e/invocations", {"inputs": [deed]})


def put(sim, value):
    body = {"scope": "s", "key": "k", "string_value": value}
    assert call(sim, "POST", "/api/2.0/secrets/put", body)[0] == 200


@pytest.fixture
def probe(servesim, pool_models):
    """Give a workspace with an endpoint whose model has a secret."""
    servesim.models.mlflow("probe", pool_models / "probe")
    servesim.models.mlflow("refuses", pool_models / "refuses")
    call(servesim, "POST", "/api/2.0/secrets/scopes/create", {"scope": "s"})
    put(servesim, VALUE)
    body = {"name": "e", "config": {"served_entities": [ENTITY]}}
    assert call(servesim, "POST", "/api/2.0/serving-endpoints", body)[0] == 200
    assert settled(servesim)["state"]["ready"] == "READY"
    return servesim


def test_the_model_has_the_value_for_as_long_as_it_runs(probe):
    assert ask(probe, "environment KEY") == (200, json.dumps({"predictions": [VALUE]}))
    put(probe, "another value")
    assert json.loads(ask(probe, "environment KEY")[1]) == {"predictions": [VALUE]}
    ask(probe, "kill")  # its replica comes back with what the deployment began with
    assert json.loads(ask(probe, "environment KEY")[1]) == {"predictions": [VALUE]}
    config = {"served_entities": [ENTITY | {"workload_size": "Medium"}]}
    assert call(probe, "PUT", f"{ENDPOINT}/config", config)[0] == 200
    settled(probe)
    assert json.loads(ask(probe, "environment KEY")[1]) == {"predictions": ["another value"]}


def test_what_it_prints_or_fails_with_shows_no_value(probe):
    assert ask(probe, f"print value is {VALUE}")[0] == 200
    status, failed = ask(probe, f"exit {VALUE}")  # an exception that quotes it
    assert status == 400
    assert "[REDACTED]" in failed
    logs = call(probe, "GET", f"{ENDPOINT}/served-models/probe-1/logs")[1]
    assert "value is [REDACTED]" in logs
    build = call(probe, "GET", f"{ENDPOINT}/served-models/probe-1/build-logs")[1]
    shown = [failed, logs, build, probe.printed("e", "probe-1"), call(probe, "GET", ENDPOINT)[1], *map(repr, probe.log)]
    shown += [call(probe, "GET", f"{ENDPOINT}/{page}")[1] for page in ("events", "metrics", "openapi")]
    assert [text for text in shown if VALUE in text] == []


def test_the_reason_of_a_failed_deployment_shows_no_value(probe):
    put(probe, "no weights here")  # what the model says as it refuses
    entity = ENTITY | {"entity_name": "refuses"}
    assert call(probe, "PUT", f"{ENDPOINT}/config", {"served_entities": [entity]})[0] == 200
    shown = json.dumps(settled(probe)) + repr(list(probe.log))
    assert "[REDACTED]" in shown
    assert "no weights here" not in shown
