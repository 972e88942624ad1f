"""Scoring and the admin API as they answer, each answer held against its contract; MLflow's own server as well."""

from __future__ import annotations

import http.client
import json

import pytest

from servesim.contracts.conformity import response_violations
from servesim.contracts.operations import find, operations
from servesim.models import pool_types
from servesim.models.host import ModelHost

SURFACES = ("data", "scoring", "admin")
TOKEN = "admin-of-tests"
ADMIN = "/_servesim/v1"
JSON = "application/json"
ENDPOINTS = "/api/2.0/serving-endpoints"
FRAUD = "/serving-endpoints/fraud/invocations"
ENTITY = {"name": "a", "entity_name": "main.ml.fraud", "entity_version": "1", "scale_to_zero_enabled": True}


class Wire:
    """Calls by hand, each held against its contract."""

    def __init__(self, url, token=None) -> None:
        self.address = url.removeprefix("http://")
        self.token = token
        self.answered = set()

    def __call__(self, method, path, content=None, *, token="", headers=None):
        """Return status and content of an answer; ``content`` is bytes as they are or a value for JSON."""
        body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        token = self.token if token == "" else token
        sent = {"Content-Type": JSON, **({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, path, body, {name: value for name, value in sent.items() if value is not None})
            response = connection.getresponse()
            answer, told = response.read(), {name.lower(): value for name, value in response.getheaders()}
        finally:
            connection.close()
        asked, content_type = path.partition("?")[0], told.get("content-type", "")
        one = find(method, asked, SURFACES)
        if one is not None or asked.startswith(ADMIN):
            found = response_violations(
                method, asked, response.status, content_type, answer, headers=told, surfaces=SURFACES
            )
            assert found == [], (method, path, response.status, answer)
        if one is not None:
            self.answered.add((one.id, response.status))
        try:
            return response.status, json.loads(answer)
        except ValueError:
            return response.status, answer


@pytest.fixture
def score(servesim):
    """Give the data plane with an endpoint that echoes, and one that takes doubles alone."""
    servesim.models.stub("main.ml.fraud", "echo")
    servesim.models.stub("main.ml.strict", "constant", value=1, signature={"amount": "double"})
    wire = Wire(servesim.host, servesim.token)
    for name, model in (("fraud", "main.ml.fraud"), ("strict", "main.ml.strict")):
        config = {"served_entities": [ENTITY | {"entity_name": model}]}
        assert wire("POST", ENDPOINTS, {"name": name, "config": config})[0] == 200
        servesim.clock.advance("20m")
    return wire


# --- scoring --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, {"dataframe_split": {"columns": ["a"], "data": [[1], [2]]}}),
        (JSON, {"dataframe_records": [{"a": 1}, {"b": None}], "params": {"x": 1}, "client_request_id": "y"}),
        (JSON, {"instances": [{"a": 1}]}),
        (JSON, {"instances": [[1.5], [2]]}),
        (JSON, {"inputs": {"a": [1]}}),
        (JSON, {"inputs": 5, "usage_context": {"team": "x"}}),
        (JSON, {"messages": [{"role": "user", "content": "hi"}], "stream": True}),
        (JSON, {"prompt": "hi"}),
        (JSON, b'{"inputs": [NaN]}'),
        ("text/csv", b"a,b\n1,x\n"),
    ],
    ids=str,
)
def test_what_is_scored_is_allowed(score, content_type, body):
    assert score("POST", FRAUD, body, headers={"Content-Type": content_type})[0] == 200
    assert score("POST", FRAUD + "/", body, headers={"Content-Type": content_type})[0] == 200
    inner = "/serving-endpoints/fraud/served-models/a/invocations"
    assert score("POST", inner, body, headers={"Content-Type": content_type})[0] == 200
    assert score.answered == {("query_endpoint", 200), ("query_served_entity", 200)}


@pytest.mark.parametrize(
    ("status", "path", "body", "headers"),
    [
        (400, FRAUD, b"", {}),
        (400, FRAUD, {}, {}),
        (400, FRAUD, {"instances": [{"a": 1}, 1]}, {}),
        (400, "/serving-endpoints/strict/invocations", {"dataframe_records": [{"b": 1}]}, {}),
        (400, "/serving-endpoints/strict/invocations", {"dataframe_records": [{"amount": "x"}]}, {}),
        (400, FRAUD, b"x", {"Content-Type": "text/csv", "Content-Length": "20000000"}),
        (401, FRAUD, {"inputs": 1}, {"Authorization": None}),
        (403, FRAUD, {"inputs": 1}, {"Authorization": "Bearer wrong"}),
        (404, "/serving-endpoints/none/invocations", {"inputs": 1}, {}),
        (404, "/serving-endpoints/fraud/served-models/none/invocations", {"inputs": 1}, {}),
        (415, FRAUD, b"x", {"Content-Type": "text/html"}),
        (415, FRAUD, {"inputs": 1}, {"Content-Type": "application/json; charset=latin-1"}),
        (415, FRAUD, {"inputs": 1}, {"Content-Type": "application/json; v=1"}),
        (500, FRAUD, {"inputs": 1}, {"Content-Type": None}),
        (501, FRAUD, b"PAR1", {"Content-Type": "application/vnd.apache.parquet"}),
    ],
    ids=str,
)
def test_what_is_refused_is_allowed(score, status, path, body, headers):
    assert score("POST", path, body, headers=headers)[0] == status


def test_who_may_not_query_is_refused(score, servesim):
    token = servesim.principals.add(user="stranger@example.com")
    status, answer = score("POST", FRAUD, {"inputs": 1}, token=token)
    assert (status, answer["error_code"]) == (403, "PERMISSION_DENIED")


def test_a_stopped_endpoint_is_refused(score):
    assert score("POST", f"{ENDPOINTS}/fraud/config:stop")[0] == 200
    assert score("POST", FRAUD, {"inputs": 1}) == (
        400,
        {"error_code": "BAD_REQUEST", "message": "Endpoint 'fraud' is stopped. Start it before it is queried."},
    )


@pytest.mark.servesim(clock="frozen", hold_timeout=0.01)
def test_a_request_that_is_held_too_long_is_refused(score, servesim):
    servesim.clock.advance("2h")
    assert score("POST", FRAUD, {"inputs": 1})[0] == 504


@pytest.mark.servesim(model_serving="disabled")
def test_where_model_serving_is_off_everything_is_refused(servesim):
    assert Wire(servesim.host, servesim.token)("POST", FRAUD, {"inputs": 1})[0] == 500


ODD = "/serving-endpoints/odd/invocations"


def odd(score, servesim, function):
    """Serve a Python callable as the endpoint `odd`."""
    servesim.models.function("main.ml.odd", function)
    config = {"served_entities": [ENTITY | {"entity_name": "main.ml.odd"}]}
    assert score("POST", ENDPOINTS, {"name": "odd", "config": config})[0] == 200
    servesim.clock.advance("20m")


def fail(_rows):
    raise ValueError("boom")


@pytest.mark.parametrize(("status", "function"), [(400, fail), (500, lambda _rows: {object()})], ids=["raises", "odd"])
def test_a_model_that_fails_passes_through(score, servesim, status, function):
    odd(score, servesim, function)
    assert score("POST", ODD, {"inputs": 1})[0] == status


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (429, pool_types.QueueFull(1)),
        (500, pool_types.LoadFailed("the folder is gone", "")),
        (500, pool_types.WorkerDied("killed")),
        (504, pool_types.TimedOut(1.0)),
    ],
    ids=str,
)
def test_a_replica_that_cannot_answer_is_refused(score, servesim, monkeypatch, status, outcome):
    async def answer(*_arguments):
        return outcome

    odd(score, servesim, lambda rows: rows)
    monkeypatch.setattr(ModelHost, "answer", answer)
    assert score("POST", ODD, {"inputs": 1})[0] == status


def test_a_model_that_is_gone_is_refused(score, servesim):
    odd(score, servesim, lambda rows: rows)
    servesim.workspace.models.functions.clear()
    assert score("POST", ODD, {"inputs": 1})[0] == 503


@pytest.mark.mlflow
def test_mlflow_s_own_server_answers_what_its_contract_says(scoring_server):
    wire = Wire(scoring_server.url)
    for path in ("/ping", "/health", "/version"):
        assert wire("GET", path)[0] == 200
        assert wire("GET", path + "/")[0] == 307
    assert wire("POST", "/invocations", scoring_server.request) == (200, {"predictions": [0.5]})
    assert wire("POST", "/invocations", b"amount\n1.5\n", headers={"Content-Type": "text/csv"})[0] == 200
    refused = {"rows": [], **dict.fromkeys(("a", "b"))}
    bodies = [b"", b"[1]", {}, refused, {"inputs": 1}, {"dataframe_records": [{"amount": "x"}]}, {"instances": [1, {}]}]
    assert [wire("POST", "/invocations", body)[0] for body in bodies] == [400] * len(bodies)
    for content_type in ("text/html", "application/json; charset=latin-1", "application/json; a=b"):
        assert wire("POST", "/invocations", {}, headers={"Content-Type": content_type})[0] == 415
    assert wire("POST", "/invocations", {}, headers={"Content-Type": None}) == (500, b"Internal Server Error")
    assert wire("POST", "/invocations", b"x", headers={"Content-Type": "application/vnd.apache.parquet"})[0] == 400
    assert wire("POST", "/invocations/", {})[0] == 307
    assert {one for one, _ in wire.answered} == {one.id for one in operations("scoring")}


# --- the admin API --------------------------------------------------------------------------------


@pytest.fixture
def admin(servesim, servesim_server, monkeypatch):
    """Give the admin API; ``inside`` is the path of the test's own workspace."""
    monkeypatch.setattr(servesim_server.server, "admin_token", TOKEN)
    wire = Wire(servesim.host, TOKEN)
    wire.inside = f"{ADMIN}/workspaces/{servesim.workspace.name}"
    return wire


def steps(inside):
    """Calls that succeed in this order: method, path, body, status."""
    made = f"{ADMIN}/workspaces/contract"
    model = {"name": "main.ml.fraud", "version": 1, "stub": "hash"}
    endpoint = {"name": "fraud", "config": {"served_entities": [ENTITY]}}
    return [
        ("GET", ADMIN, None, 200),
        ("GET", f"{ADMIN}/health", None, 200),
        ("POST", f"{inside}/models", {"name": "main.ml.fraud", "stub": "echo", "example": {"inputs": [1]}}, 201),
        ("POST", f"{inside}/models", {"name": "main.ml.fraud", "stub": "hash", "signature": {"a": "long"}}, 201),
        ("GET", f"{inside}/models", None, 200),
        ("PUT", f"{inside}/models/main.ml.fraud/access", {"allowed": ["users"]}, 200),
        ("PUT", f"{inside}/models/main.ml.fraud/access", {"allowed": None}, 200),
        ("POST", f"{inside}/faults", {"effect": "delay", "delay": "1m", "endpoint": "fraud"}, 201),
        ("POST", f"{inside}/faults", {"effect": "fail", "endpoint": "other", "times": 2}, 201),
        ("GET", f"{inside}/faults", None, 200),
        ("DELETE", f"{inside}/faults/2", None, 200),
        ("POST", f"{inside}/routes", {"method": "get", "path": "/api/2.1/jobs/{id}", "json": {}}, 201),
        ("POST", f"{inside}/routes", {"method": "*", "path": "/x/*", "text": "no", "status": 403}, 201),
        ("GET", f"{inside}/routes", None, 200),
        ("DELETE", f"{inside}/routes/1", None, 200),
        ("GET", f"{inside}/calendar", None, 200),
        ("GET", f"{inside}/serverless-preview", None, 200),
        ("POST", f"{inside}/serverless-preview", {"step": "request"}, 200),
        ("GET", f"{inside}/model-endpoints", None, 200),
        ("POST", f"{inside}/principals", {"service_principal": "job", "entitlements": ["workspace-access"]}, 201),
        ("GET", f"{inside}/principals", None, 200),
        ("POST", f"{inside}/expire-tokens", {"principal": "job"}, 200),
        ("POST", f"{inside}/expire-tokens", None, 200),
        ("DELETE", f"{inside}/principals/job", None, 200),
        ("GET", f"{inside}/clock/", None, 200),
        ("POST", f"{inside}/clock/advance", {"by": 1.5}, 200),
        ("POST", f"{inside}/clock/run-until", {"instant": "2026-01-05T10:00:00Z"}, 200),
        ("POST", f"{inside}/clock/mode", {"mode": "frozen"}, 200),
        ("GET", f"{ADMIN}/workspaces", None, 200),
        ("POST", f"{ADMIN}/workspaces", {"workspace": "contract", "models": [model], "endpoints": [endpoint]}, 201),
        ("GET", made, None, 200),
        ("GET", f"{made}/events?after=0&limit=3", None, 200),
        ("POST", f"{made}/reset", None, 200),
        ("DELETE", made, None, 200),
    ]


@pytest.mark.servesim(clock="frozen", hold_timeout=0.01)
def test_every_operation_answers_what_the_contract_says(admin, servesim):
    for method, path, body, status in steps(admin.inside):
        assert admin(method, path, body)[0] == status, (method, path)
    own = {"token": servesim.token}
    assert admin("POST", ENDPOINTS, {"name": "fraud", "config": {"served_entities": [ENTITY]}}, **own)[0] == 200
    gateway = {"inference_table_config": {"enabled": True, "catalog_name": "m", "schema_name": "s"}}
    assert admin("PUT", f"{ENDPOINTS}/fraud/ai-gateway", gateway, **own)[0] == 200
    assert admin("GET", f"{admin.inside}/clock")[1]["pending_count"] > 0
    assert admin("POST", f"{admin.inside}/clock/advance", {"by": "20m"})[0] == 200
    assert admin("GET", f"{ADMIN}/examples/fraud", **own)[0] == 200
    assert admin("GET", f"{ADMIN}/examples/none", **own)[0] == 404
    for body in ({"inputs": [1]}, {}):
        admin("POST", FRAUD, body, **own)
    admin("POST", "/serving-endpoints/none/invocations", {"inputs": 1}, **own)
    admin("POST", f"{admin.inside}/clock/advance", {"by": "2h"})
    admin("POST", FRAUD, {"inputs": [1]}, **own)
    listed = admin("GET", f"{admin.inside}/requests?limit=50")[1]["requests"]
    assert {one["status"] for one in listed} >= {200, 400, 404, 504}
    for one in listed:
        for part in ("", "/why"):
            assert admin("GET", f"{admin.inside}/requests/{one['number']}{part}")[0] == 200
    rows = admin("GET", f"{admin.inside}/inference-table/fraud")[1]
    assert [row["status_code"] for row in rows["rows"]] == [200, 400]
    used = admin("GET", f"{admin.inside}/usage")[1]["usage"]
    assert {row["endpoint"] for row in used} >= {"fraud"}
    succeeded = {one for one, status in admin.answered if status < 300}
    assert succeeded >= {one.id for one in operations("admin")}


@pytest.mark.parametrize(
    ("status", "call", "body"),
    [
        (400, "POST {inside}/models", {"name": "m"}),
        (400, "POST {inside}/clock/advance", {"for": 1}),
        (400, "POST {inside}/clock/advance", b"[" * 5_000),
        (400, "POST {inside}/clock/mode", {"mode": "odd"}),
        (400, "POST {inside}/clock/run-until", {"instant": "2020-01-01"}),
        (400, "POST {inside}/faults", {"effect": "fail", "delay": "1m"}),
        (400, "POST {inside}/routes", {"method": "GET", "path": ENDPOINTS}),
        (400, "POST {inside}/principals", {}),
        (400, "POST {inside}/expire-tokens", {"principal": 5}),
        (400, "POST {inside}/serverless-preview", {"step": "enable"}),
        (400, "POST {inside}/serverless-preview", {"step": "leap"}),
        (400, "GET {inside}/events?limit=x", None),
        (400, "GET {inside}/requests?kind=odd", None),
        (400, "PUT {inside}/models/m/access", {}),
        (400, "POST {admin}/workspaces", {"clock": "sundial"}),
        (404, "PUT {inside}/models/m/access", {"allowed": None}),
        (404, "GET {admin}/workspaces/none", None),
        (404, "POST {admin}/workspaces/none/reset", None),
        (404, "DELETE {inside}/principals/none", None),
        (404, "POST {inside}/serverless-preview", {"step": "request", "as": "nobody"}),
        (404, "DELETE {inside}/faults/9", None),
        (404, "DELETE {inside}/routes/9", None),
        (404, "GET {inside}/requests/none", None),
        (404, "GET {inside}/requests/none/why", None),
        (404, "GET {inside}/inference-table/none", None),
        (409, "POST {admin}/workspaces", None),
    ],
    ids=str,
)
def test_every_refusal_is_what_the_contract_says(admin, status, call, body):
    method, path = call.replace("{inside}", admin.inside).replace("{admin}", ADMIN).split(" ")
    if call == "POST {admin}/workspaces" and status == 409:
        body = {"workspace": admin.inside.rpartition("/")[2]}
    assert admin(method, path, body)[0] == status


def test_each_operation_refuses_strangers_as_the_contract_says(admin):
    for one in operations("admin"):
        if one.id == "admin_health":
            continue
        path = one.path.replace("{name}", "default").replace("{", "").replace("}", "")
        assert admin(one.method, path, token=None)[0] == 401
        assert admin(one.method, path, token="wrong")[0] == 403


def test_what_there_is_too_much_of_is_refused(admin, monkeypatch):
    monkeypatch.setattr("servesim.core.faults.FAULT_LIMIT", 0)
    monkeypatch.setattr("servesim.http.admin_workspaces.WORKSPACE_LIMIT", 0)
    assert admin("POST", f"{admin.inside}/faults", {"effect": "hang"})[0] == 429
    assert admin("POST", f"{ADMIN}/workspaces")[0] == 429


def test_a_path_that_is_no_operation_s_is_refused_as_the_contract_says(admin, servesim):
    assert admin("GET", f"{ADMIN}/nothing")[0] == 404
    assert admin("DELETE", f"{admin.inside}/clock")[0] == 405
    assert admin("GET", f"{ADMIN}/nothing", token=None)[0] == 401
    assert admin("POST", f"{ADMIN}/health")[0] == 200
    assert admin("PUT", f"{ADMIN}/examples/fraud", token=servesim.token)[0] == 501
    assert admin("PUT", f"{ADMIN}/examples/fraud", token=None)[0] == 401
