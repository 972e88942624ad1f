"""What the serverless preview refuses: to whom, for what, and that a refused call has changed nothing."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

pytestmark = pytest.mark.servesim(serverless_preview="enabled")

HEAD = "/api/2.0/preview/mlflow/endpoints-v2/"
MODEL = "ElasticNet"
INVALID = (400, "INVALID_PARAMETER_VALUE")
MALFORMED = (400, "MALFORMED_REQUEST")
MISSING = (404, "RESOURCE_DOES_NOT_EXIST")
DENIED = (403, "PERMISSION_DENIED")
SPEC = {"desired_workload_config_spec": {"workload_size_id": "Small", "scale_to_zero_enabled": True}}
VERSION = {"endpoint_version_name": "1"}
OPERATIONS = {
    "enable": ("POST", {}),
    "disable": ("POST", {}),
    "get-status": ("GET", {}),
    "list-versions": ("GET", {}),
    "get-version-status": ("GET", VERSION),
    "list-version-aliases": ("GET", {}),
    "update-compute-config": ("PUT", {"stage": "Staging", **SPEC}),
    "restart-compute-config-update": ("POST", VERSION),
    "get-version-replicas": ("GET", VERSION),
    "get-version-logs": ("POST", VERSION),
    "get-version-build-logs": ("POST", VERSION),
    "get-version-metrics": ("GET", VERSION),
    "get-event-history": ("GET", {}),
}
"""Operations about a model with what they need beside its name."""
OF_ALL = {"list": "GET", "get-supported-workload-sizes": "GET"}
OF_VERSIONS = [name for name, (_, needed) in OPERATIONS.items() if needed is VERSION]
READS = ["get-status", "list-versions", "list-version-aliases", "get-event-history"]


def ask(wire, operation, **fields):
    """Make a call with what it needs, and more, or something else; None leaves a field out."""
    method, needed = OPERATIONS[operation]
    sent = {"registered_model_name": MODEL, **needed, **fields}
    return wire.call(method, HEAD + operation, {name: value for name, value in sent.items() if value is not None})


def refused(answer):
    """Return status and code of a refusal, which has a message."""
    assert answer.json["message"]
    return answer.status, answer.json["error_code"]


@pytest.fixture
def staged(wire):
    """Give a workspace whose model has version 1 in Staging and 2 in none."""
    for value in (1, 2):
        wire.handle.models.stub(MODEL, "constant", value=value)
    wire.move(MODEL, "1", "Staging")
    return wire


@pytest.fixture
def ready(staged):
    """Serve it."""
    assert ask(staged, "enable").status == 200
    while ask(staged, "get-version-status").status == 404:
        pass
    while ask(staged, "get-version-status").json["endpoint_status"]["service_status"]["state"] != "SERVICE_STATE_READY":
        pass
    return staged


@pytest.fixture
def unchanged(ready):
    """Give a served model, and look whether a test has left it as it was."""
    looks = [ask(ready, operation).body for operation in READS]
    yield ready
    assert [ask(ready, operation).body for operation in READS] == looks


# --- where it is off ----------------------------------------------------------------------------------


@pytest.mark.servesim(serverless_preview="not enrolled")
def test_a_workspace_without_it_answers_every_call_so(staged):
    for operation in OPERATIONS:
        answer = ask(staged, operation)
        assert refused(answer) == (404, "FEATURE_DISABLED"), operation
        assert "not enrolled" in answer.json["message"]
        assert "account team" in answer.json["message"]
        assert "--serverless-preview enabled" in answer.json["message"]
    for operation, method in OF_ALL.items():
        assert refused(staged.call(method, HEAD + operation)) == (404, "FEATURE_DISABLED")
    # Before anything that is wrong with the call.
    assert refused(staged.call("POST", HEAD + "enable", b"no JSON")) == (404, "FEATURE_DISABLED")
    assert refused(staged.call("GET", HEAD + "get-status")) == (404, "FEATURE_DISABLED")


@pytest.mark.servesim(serverless_preview="terms accepted")
def test_the_refusal_says_what_comes_next(staged):
    assert "'enable'" in ask(staged, "get-status").json["message"]


def test_a_model_that_it_does_not_serve_is_missing(staged):
    for operation in OPERATIONS.keys() - {"enable"}:
        answer = ask(staged, operation)
        assert refused(answer) == MISSING, operation
        assert f"'{MODEL}'" in answer.json["message"]
        assert refused(ask(staged, operation, registered_model_name="nobody's")) == MISSING, operation


def test_a_call_without_a_token_is_refused(staged):
    assert staged.call("GET", f"{HEAD}list", token=False).status == 401


# --- what was sent ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "", 7, ["ElasticNet"], {"name": "ElasticNet"}, True], ids=repr)
def test_the_model_s_name_is_needed_and_a_text(unchanged, value):
    for operation in OPERATIONS:
        answer = ask(unchanged, operation, registered_model_name=value)
        assert refused(answer) == INVALID, operation
        assert "'registered_model_name'" in answer.json["message"]


@pytest.mark.parametrize("value", [None, "", 1.5, -1, ["1"], True], ids=repr)
def test_the_version_s_name_is_needed_and_a_text(unchanged, value):
    for operation in OF_VERSIONS:
        answer = ask(unchanged, operation, endpoint_version_name=value)
        assert refused(answer) == INVALID, operation
        assert "'endpoint_version_name'" in answer.json["message"]


@pytest.mark.parametrize("value", ["2", "9", "Staging", "01", "x" * 5000], ids=lambda value: value[:9])
def test_a_version_that_is_not_served_is_missing(unchanged, value):
    for operation in OF_VERSIONS:
        answer = ask(unchanged, operation, endpoint_version_name=value)
        assert refused(answer) == MISSING, operation
        assert "served are '1'" in answer.json["message"]
        assert len(answer.json["message"]) < 1000


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"stage": None}, "stage"),
        ({"stage": "None"}, "stage"),
        ({"stage": "Archived"}, "stage"),
        ({"stage": "Stagging"}, "stage"),
        ({"stage": ["Staging"]}, "stage"),
        ({"desired_workload_config_spec": None}, "desired_workload_config_spec"),
        ({"desired_workload_config_spec": {}}, "desired_workload_config_spec"),
        ({"desired_workload_config_spec": "Small"}, "desired_workload_config_spec"),
        ({"desired_workload_config_spec": {"workload_size_id": "Huge"}}, "workload_size_id"),
        ({"desired_workload_config_spec": {"workload_size_id": 4}}, "workload_size_id"),
        ({"desired_workload_config_spec": {"scale_to_zero_enabled": "yes"}}, "scale_to_zero_enabled"),
        ({"desired_workload_config_spec": {"scale_to_zero_enabled": 1}}, "scale_to_zero_enabled"),
    ],
    ids=repr,
)
def test_compute_that_there_is_not(unchanged, fields, named):
    answer = ask(unchanged, "update-compute-config", **fields)
    assert refused(answer) == INVALID
    assert f"{named}' must be" in answer.json["message"]


@pytest.mark.parametrize(
    "span",
    [
        {"start_timestamp": "yesterday"},
        {"start_timestamp": -1},
        {"end_timestamp": 1.5},
        {"end_timestamp": True},
        {"end_timestamp": 10**16},
        {"end_timestamp": "9" * 400},
        {"start_timestamp": 2, "end_timestamp": 1},
    ],
    ids=repr,
)
def test_instants_that_are_none(unchanged, span):
    assert refused(ask(unchanged, "get-version-metrics", **span)) == INVALID
    query = urlencode({"registered_model_name": MODEL, **VERSION, **span})
    assert refused(unchanged.call("GET", f"{HEAD}get-version-metrics?{query}")) == INVALID


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"NaN"], ids=repr)
def test_bodies_that_are_no_json(unchanged, body):
    for operation, (method, _) in OPERATIONS.items():
        if method != "GET":
            assert refused(unchanged.call(method, HEAD + operation, body)) == MALFORMED, operation
    if body:
        assert refused(unchanged.call("GET", f"{HEAD}get-status?registered_model_name={MODEL}", body)) == MALFORMED


@pytest.mark.parametrize("body", ["[]", "7", '"ElasticNet"', "null"])
def test_bodies_that_are_no_objects(unchanged, body):
    for operation, (method, _) in OPERATIONS.items():
        assert refused(unchanged.call(method, HEAD + operation, body.encode())) == INVALID, operation


def test_a_parameter_that_comes_twice(unchanged):
    query = f"registered_model_name={MODEL}&registered_model_name={MODEL}"
    assert refused(unchanged.call("GET", f"{HEAD}get-status?{query}")) == INVALID


def test_a_body_that_is_too_large(unchanged):
    body = json.dumps({"registered_model_name": MODEL, "more": "x" * 2**20}).encode()
    answer = unchanged.call("POST", f"{HEAD}get-version-logs", body)
    assert (answer.status, answer.json["error_code"]) == INVALID
    assert "1,048,576" in answer.json["message"]


def test_what_else_is_sent_is_left_alone(unchanged):
    assert ask(unchanged, "get-status", experiment_id=None, surprise={"a": [1]}).status == 200


# --- what is so ---------------------------------------------------------------------------------------


def test_a_model_that_there_is_not_cannot_be_enabled(wire):
    answer = ask(wire, "enable", registered_model_name="fraudd")
    assert refused(answer) == MISSING
    assert "'fraudd'" in answer.json["message"]


@pytest.mark.parametrize("name", ["main.ml.fraud", "main.ml.nobody"])
def test_a_model_of_unity_catalog_cannot_be_enabled(wire, name):
    answer = ask(wire, "enable", registered_model_name=name)
    assert refused(answer) == INVALID
    assert "Unity Catalog" in answer.json["message"]
    assert "/api/2.0/serving-endpoints" in answer.json["message"]
    assert refused(ask(wire, "get-status", registered_model_name=name)) == MISSING


@pytest.mark.servesim(start="2025-06-01T00:00:00Z")
def test_legacy_serving_has_to_be_off_first(staged):
    legacy = "/api/2.0/preview/mlflow/endpoints/"
    assert staged.call("POST", f"{legacy}enable", {"registered_model_name": MODEL}).status == 200
    answer = ask(staged, "enable")
    assert refused(answer) == INVALID
    assert "/endpoints/disable" in answer.json["message"]
    assert staged.call("POST", f"{legacy}disable", {"registered_model_name": MODEL}).status == 200
    assert ask(staged, "enable").status == 200


def test_an_update_that_did_not_fail_cannot_be_tried_again(unchanged):
    answer = ask(unchanged, "restart-compute-config-update")
    assert refused(answer) == INVALID
    assert "no failed update" in answer.json["message"]


def test_a_replica_that_is_gone_is_missing(ready):
    replicas = ask(ready, "get-version-replicas").json["version_replicas"]
    gone = replicas[0]["replica_id"]
    assert ask(ready, "get-version-logs", replica_id=gone).status == 200
    assert ask(ready, "update-compute-config", desired_workload_config_spec={"workload_size_id": "Large"}).status == 200
    ask(ready, "get-version-status")
    answer = ask(ready, "get-version-logs", replica_id=gone)
    assert refused(answer) == MISSING
    assert gone in answer.json["message"]
    assert refused(ask(ready, "get-version-logs", replica_id="x" * 5000)) == MISSING
    assert refused(ask(ready, "get-version-logs", replica_id=7)) == INVALID


# --- who asks -----------------------------------------------------------------------------------------


@pytest.fixture
def grant(staged):
    """Give what makes a caller with a level on the model, who may create clusters or not."""
    got = staged.call("GET", f"/api/2.0/mlflow/databricks/registered-models/get?name={MODEL}").json
    path = f"/api/2.0/permissions/registered-models/{got['registered_model_databricks']['id']}"

    def make(level, *, clusters=True, name="ann@example.com"):
        rights = ("allow-cluster-create",) if clusters else ()
        caller = staged.user(name, entitlements=rights)
        levels = [{"user_name": name, "permission_level": level}] if level else []
        assert staged.call("PUT", path, {"access_control_list": levels}).status == 200
        return caller

    return make


CHANGES = ("enable", "disable", "update-compute-config", "restart-compute-config-update")


def test_reading_needs_can_read(grant, ready):
    stranger = grant(None)
    for operation in OPERATIONS:
        answer = ask(stranger, operation)
        assert refused(answer) == DENIED, operation
    reader = grant("CAN_READ", clusters=False)
    for operation in OPERATIONS.keys() - set(CHANGES):
        assert ask(reader, operation).status == 200, operation
    assert ready.call("GET", f"{HEAD}list").status == 200


@pytest.mark.parametrize("level", ["CAN_READ", "CAN_EDIT", "CAN_MANAGE_STAGING_VERSIONS"])
def test_changing_needs_a_higher_level(grant, ready, level):
    caller = grant(level)
    for operation in CHANGES:
        answer = ask(caller, operation)
        assert refused(answer) == DENIED, operation
        assert "CAN_MANAGE_PRODUCTION_VERSIONS" in answer.json["message"]
    assert ask(ready, "get-status").status == 200


def test_changing_needs_the_right_to_create_clusters_too(grant, ready):
    caller = grant("CAN_MANAGE", clusters=False)
    for operation in CHANGES:
        answer = ask(caller, operation)
        assert refused(answer) == DENIED, operation
        assert "allow-cluster-create" in answer.json["message"]
    assert ask(ready, "get-status").status == 200


def test_production_versions_and_clusters_are_enough(grant):
    caller = grant("CAN_MANAGE_PRODUCTION_VERSIONS")
    assert ask(caller, "enable").status == 200
    for _ in range(2):
        told = ask(caller, "get-status").json["endpoint_status"]
    assert {config["user_id"] for config in told["compute_config"]} == {"ann@example.com"}
    assert ask(caller, "update-compute-config").status == 200
    assert ask(caller, "disable").status == 200
