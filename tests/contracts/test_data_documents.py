"""The documents of scoring and of the admin API: what they allow was answered, and what was not is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from servesim.contracts.conformity import request_violations, response_violations
from servesim.contracts.operations import operations
from servesim.core.commands import Alarm
from servesim.core.deployment import Signal
from servesim.core.faults import QUERIES
from servesim.http.admin import OPERATIONS
from servesim.http.server import EXAMPLES, HEALTH, SCORING_PATHS
from servesim.service.contract_source import source
from servesim.service.operation_names import NAMES

TESTS = Path(__file__).parent.parent
JSON, PLAIN = "application/json", "text/plain; charset=utf-8"
SCORE = {"scoring": "/invocations", "data": "/serving-endpoints/fraud/invocations"}


def recorded():
    """The pairs of MLflow's own scoring server."""
    texts = [(TESTS / folder / "recorded_pairs.jsonl").read_text(encoding="utf-8") for folder in ("payloads", "models")]
    pairs = [json.loads(line) for text in texts for line in text.splitlines()]
    return [pair for pair in pairs if pair["request"]["method"] == "POST"]


def sent(pair):
    request = pair["request"]
    return base64.b64decode(request["body_b64"]) if "body_b64" in request else (request["body"] or "").encode()


def wrong(surface, status, content, content_type=JSON):
    """Say what is wrong with an answer to a scoring request."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return response_violations("POST", SCORE[surface], status, content_type, body, surfaces=(surface,))


# --- the documents --------------------------------------------------------------------------------


def test_the_data_plane_is_there_as_it_is_routed():
    scored = [one for one in operations("data", "serverless_preview", "legacy") if one.id in QUERIES]
    assert {(one.method, one.path.replace("{served_model_name}", "{entity}")) for one in scored} == {
        ("POST", path) for path in SCORING_PATHS
    }


def test_the_admin_api_is_there_as_it_is_routed():
    routed = {(row.method, row.path) for row in OPERATIONS}
    written = {(one.method, one.path) for one in operations("admin")}
    assert written == routed | {("GET", HEALTH), ("GET", EXAMPLES + "{endpoint}")}
    assert {one.evidence.grade for one in operations("admin")} == {"chosen"}


def test_what_a_scenario_may_have_can_be_sent():
    rules = json.loads((TESTS.parent / "scenarios/scenario.schema.json").read_text(encoding="utf-8"))["$defs"]
    schemas = source("admin")["components"]["schemas"]
    ours = {"scenario": "WorkspaceIn", "principal": "PrincipalIn", "model": "ModelIn", "route": "UserRouteIn"}
    for theirs, name in ours.items():
        assert schemas[name]["properties"].keys() == rules[theirs]["properties"].keys(), name
        assert schemas[name]["additionalProperties"] is False


def test_time_may_wait_for_every_event_that_there_is():
    awaited = source("admin")["components"]["schemas"]["PendingTimer"]["properties"]["what"]["enum"]
    assert set(awaited) == {*Alarm, *Signal}


def test_a_fault_may_strike_every_call_that_has_a_name():
    allowed = source("admin")["components"]["schemas"]["FaultOperation"]["enum"]
    assert set(allowed) == {"any", "query", "deployment", *NAMES}
    assert len(allowed) == len(set(allowed))


# --- what was recorded ----------------------------------------------------------------------------


@pytest.mark.parametrize("surface", ["scoring", "data"])
def test_what_was_recorded_is_allowed(surface):
    for pair in recorded():
        answer = pair["response"]
        content_type = answer["headers"]["content-type"]
        assert wrong(surface, answer["status"], answer["body"].encode(), content_type) == [], pair["id"]


def test_what_was_answered_with_predictions_could_be_asked():
    asked = 0
    for pair in recorded():
        content_type = pair["request"]["headers"].get("Content-Type", "")
        if pair["response"]["status"] == 200 and not content_type.endswith("parquet"):
            assert request_violations("POST", "/invocations", {}, content_type, sent(pair)) == [], pair["id"]
            asked += 1
    assert asked > 100


@pytest.mark.parametrize(
    ("method", "path", "status", "content_type", "body"),
    [
        ("GET", "/ping", 200, JSON, b"\n"),
        ("GET", "/health", 200, JSON, b"\n"),
        ("GET", "/version", 200, JSON, b"3.17.2"),
        ("POST", "/invocations/", 307, "", b""),
        ("POST", "/invocations", 504, JSON, b"Request processing time exceeded limit"),
        ("POST", "/invocations", 200, JSON, b'{"predictions": [NaN, Infinity]}'),
        (
            "POST",
            "/invocations",
            409,
            JSON,
            b'{"error_code": "ABORTED", "message": "Failed to predict data \'x\'", "extra": 1}',
        ),
    ],
)
def test_what_mlflow_answers_beside_is_allowed(method, path, status, content_type, body):
    assert response_violations(method, path, status, content_type, body, surfaces=("scoring",)) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        [1],
        {"foo": 1},
        {"instances": [1], "inputs": [1]},
        {"dataframe_split": {"columns": ["a"]}},
        {"dataframe_split": {"data": [[1]], "rows": 1}},
        {"dataframe_split": [[1]]},
        {"dataframe_split": {"data": [[1], 2]}},
        {"dataframe_records": {"a": 1}},
        {"dataframe_records": [{"a": 1}, 2]},
        {"instances": [{"a": 1}, 1]},
        {"inputs": [1], "params": [1]},
    ],
    ids=json.dumps,
)
def test_what_is_refused_is_not_allowed_to_be_asked(body):
    for path in SCORE.values():
        assert request_violations("POST", path, {}, JSON, json.dumps(body).encode())


REFUSED = {
    "error_code": "BAD_REQUEST",
    "message": "Invalid input.",
    "sqlstate": "KAM00",
    "error_class": "INVALID_PARAMETER_VALUE",
}
MISSING = {"error_code": "ENDPOINT_NOT_FOUND", "message": "The given endpoint does not exist."}
RAISED = {"error_code": "INTERNAL_ERROR", "message": "Failed to predict data 'x'. \nError: boom"}
DETAILS = [{"@type": "type.googleapis.com/google.rpc.RequestInfo", "request_id": "x", "serving_data": ""}]


def test_each_error_is_allowed_with_its_own_status_alone():
    assert wrong("scoring", 400, REFUSED) == wrong("data", 400, REFUSED) == wrong("data", 404, MISSING) == []
    assert wrong("scoring", 500, RAISED) == wrong("data", 500, RAISED) == []
    for surface in SCORE:
        for status in (200, 401, 403, 404, 409, 429, 499, 500, 501, 503, 504):
            assert wrong(surface, status, REFUSED), (surface, status)
        assert wrong(surface, 400, RAISED)
        assert wrong(surface, 404, RAISED | {"error_code": "PERMISSION_DENIED"})
        assert wrong(surface, 418, REFUSED)


@pytest.mark.parametrize(
    "changed",
    [
        {"error_code": "RESOURCE_DOES_NOT_EXIST"},
        {"error_code": 400},
        {"message": ""},
        {"message": None},
        {"sqlstate": "KAM01"},
        {"error_class": "SCHEMA_ENFORCEMENT_FAILED"},
        {"details": DETAILS},
        {"token": "dapi-x"},
    ],
    ids=str,
)
def test_an_error_that_is_not_quite_one_is_not_allowed(changed):
    for surface in SCORE:
        assert wrong(surface, 400, REFUSED | changed)


def test_the_envelopes_of_the_data_plane_are_told_apart():
    gateway = {"error_code": 401, "message": "Credential was not sent."}
    assert wrong("data", 401, gateway) == []
    assert wrong("data", 401, gateway | {"error_code": "401"})
    assert wrong("data", 403, gateway)
    assert wrong("data", 404, MISSING | {"details": DETAILS})
    assert wrong("scoring", 404, MISSING)
    assert wrong("data", 415, b"no", PLAIN)
    assert wrong("data", 415, MISSING)
    assert wrong("data", 500, b"oops", PLAIN)


def test_an_answer_says_which_entity_it_is_from():
    body = b'{"predictions": [0]}'
    assert response_violations("POST", SCORE["data"], 200, JSON, body, headers={"served-model-name": "a"}) == []
    assert response_violations("POST", SCORE["data"], 200, JSON, body, headers={})
