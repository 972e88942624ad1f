"""The documents of the two retired generations: what they claim, and that the server keeps to it."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlencode

import pytest

from servesim.contracts.conformity import request_violations, response_violations
from servesim.contracts.documents import document
from servesim.contracts.operations import evidence, find, operations, responses
from servesim.delivery.handle import LocalServer
from servesim.http import serving
from servesim.service.operation_names import ENDPOINTS_V2, LEGACY, PREVIEW, PUBLISHED, SLIPS

JSON = "application/json"
UPDATE = "update-compute-config"
PREFIXES = {
    "serverless_preview": (ENDPOINTS_V2, PREVIEW + "endpoints-v2/", PUBLISHED),
    "legacy": (LEGACY, PREVIEW + "endpoints/"),
}
SCORED = {"serverless_preview": "/model-endpoint/", "legacy": "/model/"}
WORLD = {
    "start": "2025-06-01T00:00:00Z",
    "serverless_preview": "enabled",
    "models": [
        {"name": name, "version": version, "stub": {"constant": 0.5}, "stage": stage}
        for name in ("iris", "wine")
        for version, stage in ((1, "Production"), (2, "Staging"))
    ]
    + [{"name": "main.ml.iris", "version": 1, "stub": "echo"}],
}
IRIS = {"registered_model_name": "iris"}
FIRST = {**IRIS, "endpoint_version_name": "1"}
NOBODY = {"registered_model_name": "nobody"}
NINTH = {**IRIS, "endpoint_version_name": "9"}
SMALL = {"workload_size_id": "SMALL", "scale_to_zero_enabled": "true"}
COMPUTE = {**IRIS, "stage": "staging", "desired_workload_config_spec": SMALL}
CLUSTER = {**IRIS, "desired_cluster_config": {"node_type_id": "i3.xlarge", "tags": [{"key": "team", "value": "risk"}]}}
WALKS = {
    "serverless_preview": [
        ("GET", "get-status", IRIS, 404),
        ("POST", "enable", NOBODY, 404),
        ("POST", "enable", {"registered_model_name": "main.ml.iris"}, 400),
        ("POST", "enable", {}, 400),
        ("POST", "enable", IRIS, 200),
        ("POST", "{score}/1", None, 503),
        ("GET", "get-status", IRIS, 200),
        ("GET", "get-status", IRIS, 200),
        ("GET", "list", {}, 200),
        ("GET", "list-versions", IRIS, 200),
        ("GET", "list-versions", IRIS, 200),
        ("GET", "get-version-status", FIRST, 200),
        ("GET", "get-version-status", NINTH, 404),
        ("GET", "get-version-status", IRIS, 400),
        ("GET", "list-version-aliases", IRIS, 200),
        ("PUT", UPDATE, {**COMPUTE, "stage": "None"}, 400),
        ("PUT", UPDATE, COMPUTE, 200),
        ("GET", "list-versions", IRIS, 200),
        ("POST", "restart-compute-config-update", FIRST, 400),
        ("GET", "get-supported-workload-sizes", {}, 200),
        ("GET", "get-version-replicas", FIRST, 200),
        ("POST", "get-version-logs", FIRST, 200),
        ("POST", "get-version-logs", {**FIRST, "replica_id": "gone"}, 404),
        ("POST", "get-version-build-logs", FIRST, 200),
        ("POST", "{score}/1", None, 200),
        ("POST", "{score}/Production", None, 200),
        ("POST", "{score}/9", None, 404),
        ("GET", "get-version-metrics", FIRST, 200),
        ("GET", "get-version-metrics", {**FIRST, "start_timestamp": "2", "end_timestamp": "1"}, 400),
        ("GET", "get-event-history", IRIS, 200),
        ("POST", "disable", IRIS, 200),
        ("POST", "disable", IRIS, 404),
    ],
    "legacy": [
        ("GET", "get-status", IRIS, 400),
        ("POST", "enable", NOBODY, 404),
        ("POST", "enable", {"registered_model_name": "main.ml.iris"}, 400),
        ("POST", "enable", IRIS, 200),
        ("POST", "{score}/1", None, 503),
        ("GET", "get-status", IRIS, 200),
        ("GET", "get-status", IRIS, 200),
        ("GET", "list", {}, 200),
        ("GET", "list-versions", IRIS, 200),
        ("GET", "list-versions", IRIS, 200),
        ("GET", "list-version-aliases", IRIS, 200),
        ("POST", "get-version-logs", FIRST, 200),
        ("POST", "get-version-logs", NINTH, 400),
        ("POST", "{score}/2", None, 200),
        ("POST", "{score}/Staging", None, 200),
        ("POST", "{score}/9", None, 404),
        ("GET", "get-event-history", IRIS, 200),
        ("GET", "get-metric-history", IRIS, 200),
        ("PUT", "update-cluster-config", IRIS, 400),
        ("PUT", "update-cluster-config", CLUSTER, 200),
        ("GET", "list-versions", IRIS, 200),
        ("POST", "disable", IRIS, 200),
        ("POST", "disable", IRIS, 400),
    ],
}
READS = {"get_status", "list_versions", "list_version_aliases", "get_event_history"}
SEEN = {
    "serverless_preview": {("preview_" + one, "404") for one in READS | {"get_version_logs", "get_version_build_logs"}},
    "legacy": {("legacy_" + one, "400") for one in READS},
}
"""The refusals of the control plane that clients and the workspace's own pages look at."""
LATER = {"preview_restart_compute_config_update"}
"""Needs an update that failed."""


@pytest.fixture(scope="module")
def server():
    with LocalServer() as local:
        yield local


@pytest.fixture
def open_world(server, tmp_path):
    """Open workspaces like WORLD, with more."""
    opened = []

    def start(**more):
        scenario = tmp_path / f"world{len(opened)}.json"
        scenario.write_text(json.dumps(WORLD | more))
        opened.append(server.open(scenario=scenario))
        return opened[-1]

    yield start
    for handle in opened:
        handle.close()


def sent(handle, method, path, value=None, token=None):
    """Make one call; return status, headers and body, once the answer is held against its contract."""
    headers = {"Content-Type": JSON, "Authorization": f"Bearer {token or handle.token}"}
    if token == "":
        del headers["Authorization"]
    connection = http.client.HTTPConnection(handle.host.removeprefix("http://"), timeout=60)
    try:
        connection.request(method, path, None if value is None else json.dumps(value), headers)
        response = connection.getresponse()
        status, told, body = response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()
    content_type = told.get("Content-Type", "")
    bare = path.partition("?")[0]
    assert response_violations(method, bare, status, content_type, body, headers=told) == [], (method, path, body)
    return status, told, body


def called(handle, surface, prefix, asked):
    """Make a call of a walk: a GET by its query, and a scoring request of the model."""
    method, call, value = asked
    if call.startswith("{score}"):
        return sent(handle, method, f"{SCORED[surface]}iris{call.removeprefix('{score}')}/invocations", {"inputs": [1]})
    if method == "GET":
        return sent(handle, method, f"{prefix}{call}?{urlencode(value)}")
    return sent(handle, method, prefix + call, value)


@pytest.mark.parametrize(
    ("surface", "prefix"), [(surface, prefix) for surface, found in PREFIXES.items() for prefix in found]
)
def test_every_operation_answers_as_its_contract_says(open_world, surface, prefix):
    handle = open_world()
    fine = set()
    for *asked, expected in WALKS[surface]:
        status, _, body = called(handle, surface, prefix, asked)
        assert status == expected, (asked, body)
        if status == 200:
            fine.add(asked[1].partition("/")[0])
    known = {one.path.rpartition("/")[2] for one in operations(surface) if one.id not in LATER}
    assert fine == {"{score}" if call == "invocations" else call for call in known}


@pytest.mark.parametrize("surface", PREFIXES)
def test_every_call_goes_by_each_path_that_clients_and_pages_have(surface):
    routed = {(method, path) for method, path, _ in serving.routes()}
    first, *others = PREFIXES[surface]
    below = [one for one in operations(surface) if one.path.startswith(first)]
    assert len(below) >= 10
    for one in below:
        assert (one.method, one.path) in routed
        for prefix in others:
            path = prefix + one.path.removeprefix(first)
            assert (one.method, path) in routed
            assert find(one.method, path) == one


@pytest.mark.parametrize("path", SLIPS)
def test_a_slip_of_the_page_is_the_call_that_it_means(open_world, path):
    assert find("PUT", path).id == "preview_update_compute_config"
    handle = open_world(enabled_models=[{"name": "iris", "generation": "serverless_preview"}])
    assert sent(handle, "PUT", path, COMPUTE)[0] == 200


@pytest.mark.parametrize("surface", PREFIXES)
@pytest.mark.parametrize(("token", "expected"), [("", 401), ("dapi-wrong", 403)])
def test_who_has_no_credential_is_told_so_by_every_operation(open_world, surface, token, expected):
    handle = open_world()
    for one in operations(surface):
        assert sent(handle, one.method, one.path.replace("{", "").replace("}", ""), token=token)[0] == expected


def test_a_workspace_without_the_preview_says_so_in_every_operation(open_world):
    handle = open_world(serverless_preview="not enrolled")
    for one in operations("serverless_preview"):
        if one.id != "query_preview_version":
            status, _, body = sent(handle, one.method, one.path)
            assert (status, json.loads(body)["error_code"]) == (404, "FEATURE_DISABLED"), one.id


def test_legacy_serving_says_in_every_operation_that_it_has_ended(open_world):
    handle = open_world(start="2025-09-15T00:00:00Z")
    for one in operations("legacy"):
        if one.id != "query_legacy_version":
            status, _, body = sent(handle, one.method, one.path)
            assert (status, json.loads(body)["error_code"]) == (404, "FEATURE_DISABLED"), one.id


def test_a_date_can_end_any_operation(open_world):
    handle = open_world(dates={"operation:list_endpoints": "2025-05-31"})
    status, _, body = sent(handle, "GET", "/api/2.0/serving-endpoints")
    assert (status, json.loads(body)["error_code"]) == (404, "FEATURE_DISABLED")
    assert "404" not in responses(find("GET", "/api/2.0/serving-endpoints"))


def test_a_fault_can_be_ordered_for_the_scoring_requests_of_one_surface(open_world):
    both = [{"name": "iris", "generation": "serverless_preview"}, {"name": "wine", "generation": "legacy"}]
    fault = {"effect": "status", "status": 418, "error_code": "TEAPOT", "operation": "query_legacy_version"}
    handle = open_world(enabled_models=both, faults=[fault])
    assert sent(handle, "POST", "/model-endpoint/iris/1/invocations", {"inputs": [1]})[0] == 200
    connection = http.client.HTTPConnection(handle.host.removeprefix("http://"), timeout=60)
    headers = {"Content-Type": JSON, "Authorization": f"Bearer {handle.token}"}
    connection.request("POST", "/model/wine/1/invocations", '{"inputs": [1]}', headers)
    assert connection.getresponse().status == 418
    connection.close()


@pytest.mark.parametrize("by_body", [False, True])
def test_a_fault_can_be_ordered_for_the_calls_about_one_model(open_world, by_body):
    both = [{"name": name, "generation": "legacy"} for name in ("iris", "wine")]
    fault = {"effect": "status", "status": 500, "operation": "legacy_get_status", "endpoint": "model/wine"}
    handle = open_world(enabled_models=both, faults=[fault])

    def status(model):
        asked = {"registered_model_name": model}
        path = LEGACY + "get-status"
        return sent(handle, "GET", path, asked)[0] if by_body else sent(handle, "GET", f"{path}?{urlencode(asked)}")[0]

    assert [status("iris"), status("wine")] == [200, 500]


def told(path, value):
    return response_violations("GET", path, 200, JSON, json.dumps(value).encode())


CONFIG = {
    "stage": "Staging",
    "version": 1,
    "creation_timestamp": 1,
    "workload_spec": {**SMALL, "workload_size_id": "Small"},
}
CONFIG["workload_spec"]["scale_to_zero_enabled"] = True
VERSION = {
    **FIRST,
    "service_status": {"state": "SERVICE_STATE_READY", "message": "", "config": CONFIG},
}


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint_version_name": 1},
        {"service_status": {"state": "READY", "message": "", "config": CONFIG}},
        {"service_status": {"state": "SERVICE_STATE_READY", "message": ""}},
        {"config_update_status": None},
        {"state": "ENDPOINT_STATE_READY"},
    ],
    ids=str,
)
def test_a_version_that_is_not_quite_one_is_not_allowed(change):
    path = ENDPOINTS_V2 + "get-version-status"
    assert told(path, {"endpoint_status": VERSION}) == []
    assert told(path, {"endpoint_status": VERSION | change})


def test_legacy_serving_has_states_of_its_own():
    version = {**FIRST, "state": "VERSION_STATE_LAUNCHING"}
    assert told(LEGACY + "list-versions", {"endpoint_versions": [version]}) == []
    assert told(LEGACY + "list-versions", {"endpoint_versions": [version | {"state": "SERVICE_STATE_READY"}]})


@pytest.mark.parametrize(
    "spec",
    [{}, {"workload_size_id": None}, {"workload_size_id": "Tiny"}, {"scale_to_zero_enabled": "yes"}, None],
    ids=str,
)
def test_a_compute_that_asks_for_nothing_known_is_none(spec):
    def wrong(value):
        body = json.dumps({**COMPUTE, "desired_workload_config_spec": value}).encode()
        return request_violations("PUT", ENDPOINTS_V2 + UPDATE, {}, JSON, body)

    assert wrong(SMALL) == wrong({"workload_size_id": "Large", "scale_to_zero_enabled": None}) == []
    assert wrong(spec)


@pytest.mark.parametrize("surface", PREFIXES)
def test_every_operation_is_deprecated(surface):
    paths = document(surface)["paths"]
    assert all(one["deprecated"] for item in paths.values() for one in item.values())


@pytest.mark.parametrize("surface", PREFIXES)
def test_a_refusal_is_observed_where_one_was_seen_and_chosen_elsewhere(surface):
    grades = {
        (one.id, status): evidence(response).grade
        for one in operations(surface)
        for status, (_, response) in responses(one).items()
        if status in {"400", "404"} and "/api/" in one.path
    }
    assert {key for key, grade in grades.items() if grade == "observed"} == SEEN[surface]
    assert {grade for key, grade in grades.items() if key not in SEEN[surface]} == {"chosen"}
