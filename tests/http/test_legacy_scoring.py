"""Scoring by legacy serving over the wire: each protocol end to end, URLs, rights and limits."""

from __future__ import annotations

import base64
import json

import pytest

pytestmark = pytest.mark.servesim(start="2025-06-01T00:00:00Z")

TABLE = {"columns": ["a"], "data": [[1], [2]]}
ROWS = [{"a": 1}, {"a": 2}]
RECORDS = {"Content-Type": "application/json; format=pandas-records"}
CSV = {"Content-Type": "text/csv"}
VERSIONS = ("1.13.1", "1.28.0", "2.0.1")
"""Of MLflow, one for each version of the model."""


@pytest.fixture
def iris(wire):
    """Give a workspace that serves a model with three versions, each of another MLflow."""
    for mlflow in VERSIONS:
        wire.handle.models.stub("iris", "echo", mlflow_version=mlflow)
    wire.handle.model_endpoints.enable("iris", "legacy")
    return wire


def ask(wire, version, body, headers=(), **options):
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return wire.call("POST", f"/model/iris/{version}/invocations", sent, headers, **options)


@pytest.mark.parametrize(
    ("body", "headers", "bare"),
    [
        (TABLE, {}, ("1", "2")),
        (ROWS, RECORDS, ("1", "2")),
        (ROWS, {}, ("2",)),
        ({"inputs": {"a": [1, 2]}}, {}, ("2",)),
        (b"a\n1\n2\n", CSV, ("1", "2")),
        ({"dataframe_split": TABLE}, {}, ()),
        ({"dataframe_records": ROWS}, {}, ()),
    ],
    ids=["split", "records by type", "records", "tensors", "csv", "dataframe_split", "dataframe_records"],
)
def test_requests_by_the_version_of_the_model(iris, body, headers, bare):
    for number in ("1", "2"):
        answer = ask(iris, number, body, headers)
        if number in bare:
            assert (answer.status, answer.json) == (200, ROWS)
        else:
            assert (answer.status, answer.json["error_code"]) in {(500, "MALFORMED_REQUEST"), (400, "BAD_REQUEST")}
    newest = ask(iris, "3", body, headers)
    if body in (TABLE, ROWS):
        assert newest.status == (415 if headers else 400)
        assert "IMPORTANT: The MLflow Model scoring protocol has changed" in newest.body.decode()
    else:
        assert (newest.status, newest.json) == (200, {"predictions": ROWS})


def test_a_model_that_declares_nothing_is_of_the_newest(wire):
    wire.handle.models.stub("iris", "echo")
    wire.handle.models.function("iris", len)
    wire.handle.model_endpoints.enable("iris", "legacy")
    assert ask(wire, "1", TABLE).status == 400
    assert ask(wire, "2", {"inputs": [1, 2]}).json == {"predictions": 2}


@pytest.mark.parametrize(
    ("mlflow", "body", "status", "said"),
    [
        ("2.5.0", TABLE, 400, "Received dictionary with input fields: ['columns', 'data']. IMPORTANT: "),
        ("2.6.0", TABLE, 400, "Received dictionary with input fields: []. IMPORTANT: "),
        ("2.5.0", {"inputs": [1], "params": {}}, 500, 'One of "instances" and "inputs" must be specified'),
        ("2.9.2", {"instances": 5}, 500, "Failed to parse data as TF serving input."),
        ("3.3.2", {"dataframe_split": 5}, 400, "Invalid input. Dataframe split format must be a dictionary."),
    ],
)
def test_refusals_by_the_version_of_the_model(wire, mlflow, body, status, said):
    wire.handle.models.stub("iris", "echo", mlflow_version=mlflow)
    wire.handle.model_endpoints.enable("iris", "legacy")
    answer = ask(wire, "1", body)
    assert (answer.status, answer.json.keys()) == (status, {"error_code", "message"})
    assert said in answer.json["message"]
    assert ask(wire, "1", {"inputs": [1]}).json == {"predictions": [1]}


def test_a_function_of_an_old_version(wire):
    wire.handle.models.function("iris", lambda rows: [row["a"] * 2 for row in rows], mlflow_version="1.30.1")
    wire.handle.model_endpoints.enable("iris", "legacy")
    assert ask(wire, "1", TABLE).json == [2, 4]


def test_other_surfaces_speak_the_newest(wire):
    wire.handle.models.stub("main.ml.fraud", "echo", mlflow_version="1.28.0")
    entity = {"entity_name": "main.ml.fraud", "entity_version": "3"}
    wire.ready(entities=(entity,))
    assert wire.score(body={"dataframe_split": TABLE}).json == {"predictions": ROWS}


@pytest.mark.parametrize("version", ["", "soon", "28", "1.28.0 or so"])
def test_versions_of_mlflow_that_are_none(wire, version):
    if version:
        with pytest.raises(ValueError, match="MLflow version"):
            wire.handle.models.stub("iris", mlflow_version=version)
    else:
        wire.handle.models.stub("iris", mlflow_version=version)


def test_stages_and_numbers(iris):
    assert ask(iris, "Production", ROWS).status == 404
    iris.move("iris", "2", "Production")
    assert ask(iris, "Production", ROWS).json == ROWS
    assert ask(iris, "1", TABLE).json == ROWS  # in no stage, and served by its number
    iris.move("iris", "3", "Production")
    assert ask(iris, "Production", {"inputs": [1]}).json == {"predictions": [1]}  # the latest in the stage
    assert ask(iris, "2", ROWS).json == ROWS
    iris.move("iris", "2", "Archived")
    assert ask(iris, "2", ROWS).status == 404
    assert ask(iris, "Archived", ROWS).status == 404
    assert ask(iris, "None", ROWS).status == 404


def test_names_that_an_url_must_write_otherwise(wire):
    wire.handle.models.stub("iris setosa é", "echo", mlflow_version="1.28.0")
    wire.handle.model_endpoints.enable("iris setosa é", "legacy")
    answer = wire.call("POST", "/model/iris%20setosa%20%C3%A9/1/invocations", TABLE)
    assert (answer.status, answer.json) == (200, ROWS)


def test_basic_and_bearer_and_none(iris):
    basic = base64.b64encode(f"token:{iris.handle.token}".encode()).decode()
    assert ask(iris, "2", TABLE, {"Authorization": f"Basic {basic}"}).json == ROWS
    assert ask(iris, "2", TABLE, token=False).status == 401


def test_whoever_reads_the_model_scores(wire):
    admin = wire.user("ann@example.com", admin=True)
    assert admin.call("POST", "/api/2.0/mlflow/registered-models/create", {"name": "iris"}).status == 200
    wire.handle.models.stub("iris", "echo", mlflow_version="1.28.0")
    wire.handle.model_endpoints.enable("iris", "legacy")
    bob = wire.user("bob@example.com")
    refused = ask(bob, "1", TABLE)
    assert (refused.status, refused.json["error_code"]) == (403, "PERMISSION_DENIED")
    allow(admin, "bob@example.com", "CAN_READ")
    assert ask(bob, "1", TABLE).json == ROWS


def allow(admin, user, level):
    got = admin.call("GET", "/api/2.0/mlflow/databricks/registered-models/get?name=iris")
    path = f"/api/2.0/permissions/registered-models/{got.json['registered_model_databricks']['id']}"
    granted = {"access_control_list": [{"user_name": user, "permission_level": level}]}
    assert admin.call("PATCH", path, granted).status == 200


def test_enabling_needs_to_manage_and_to_create_clusters(wire):
    admin = wire.user("ann@example.com", admin=True)
    assert admin.call("POST", "/api/2.0/mlflow/registered-models/create", {"name": "iris"}).status == 200
    head, body = "/api/2.0/mlflow/endpoints/", {"registered_model_name": "iris"}
    bob, eve = wire.user("bob@example.com"), wire.user("eve@example.com", entitlements=["allow-cluster-create"])
    asked = [("POST", "enable", body)]
    for level in ("CAN_READ", "CAN_MANAGE_PRODUCTION_VERSIONS"):
        allow(admin, "eve@example.com", level)
        assert_denied(eve, head, asked)
    allow(admin, "bob@example.com", "CAN_MANAGE")
    assert_denied(bob, head, asked)  # who may manage it, and may not create clusters
    allow(admin, "eve@example.com", "CAN_MANAGE")
    assert eve.call("POST", head + "enable", body).status == 200
    assert bob.call("GET", head + "get-status?registered_model_name=iris").status == 200
    assert_denied(
        bob,
        head,
        [("POST", "disable", body), ("PUT", "update-cluster-config", {**body, "desired_cluster_config": {"tags": []}})],
    )
    nobody = wire.user("dan@example.com")
    assert nobody.call("GET", head + "list").json == {"endpoints": []}
    assert len(bob.call("GET", head + "list").json["endpoints"]) == 1
    assert_denied(nobody, head, [("GET", "get-status?registered_model_name=iris", None)])
    assert eve.call("POST", head + "disable", body).status == 200


def assert_denied(caller, head, calls):
    for method, name, body in calls:
        answer = caller.call(method, head + name, body)
        assert (answer.status, answer.json["error_code"]) == (403, "PERMISSION_DENIED"), name


def test_the_payload_limit(iris):
    limit = 16 * 1024 * 1024
    head, tail = b'{"columns": ["a"], "data": [["', b'"]]}'
    most = head + b"x" * (limit - len(head) - len(tail)) + tail
    assert ask(iris, "2", most).status == 200
    over = ask(iris, "2", most + b" ")
    assert (over.status, over.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_the_url_of_the_other_generation_says_which_is_right(iris):
    answer = iris.call("POST", "/model-endpoint/iris/2/invocations", TABLE)
    assert answer.status == 404
    assert "/model/iris/2/invocations" in answer.json["message"]


def test_what_is_not_there(iris):
    for path in ("/model/iris/9/invocations", "/model/nowhere/1/invocations"):
        answer = iris.call("POST", path, TABLE)
        assert answer.status == 404
        assert path in answer.json["message"]


@pytest.mark.servesim(start="2025-06-01T00:00:00Z", clock="frozen")
def test_a_version_on_its_way(wire):
    wire.handle.models.stub("iris", "echo", mlflow_version="1.28.0")
    wire.call("POST", "/api/2.0/mlflow/endpoints/enable", {"registered_model_name": "iris"})
    assert ask(wire, "1", TABLE).status == 503
    wire.handle.clock.advance("4m")
    assert ask(wire, "1", TABLE).status == 503
    wire.handle.clock.advance("10m")
    assert ask(wire, "1", TABLE).json == ROWS


def test_trouble_that_is_ordered_comes_as_it_is(iris):
    iris.handle.faults.add("status", endpoint="model/iris", entity="2", status=429, message="not now", times=1)
    assert ask(iris, "1", TABLE).status == 200
    answer = ask(iris, "2", TABLE)
    assert (answer.status, answer.json["message"]) == (429, "not now")
    assert ask(iris, "2", TABLE).status == 200


@pytest.mark.servesim(start="2025-09-14T23:59:59Z", clock="frozen")
def test_its_end(iris):
    assert ask(iris, "2", TABLE).json == ROWS
    iris.handle.clock.run_until("2025-09-15T00:00:00Z")
    answer = ask(iris, "2", TABLE)
    assert (answer.status, answer.json["error_code"]) == (404, "FEATURE_DISABLED")
