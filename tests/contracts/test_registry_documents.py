"""The document of the model registry: what it claims, and that the server keeps to it."""

from __future__ import annotations

import http.client
import json
from urllib.parse import quote

import pytest

from servesim.contracts.conformity import request_violations, response_violations
from servesim.contracts.documents import document
from servesim.contracts.operations import find, operations
from servesim.http import serving
from servesim.service.operation_names import PREVIEW, REGISTRY

JSON = "application/json"
MODELS, VERSIONS = REGISTRY + "registered-models/", REGISTRY + "model-versions/"
OWN = REGISTRY + "databricks/"
PERMISSIONS = "/api/2.0/permissions/registered-models/{id}"
FRAUD = {"name": "fraud"}
FIRST = {"name": "fraud", "version": "1"}
UPLOADS = "/databricks/mlflow/tmp-external-source"
GRANT = {"access_control_list": [{"group_name": "scientists", "permission_level": "CAN_READ"}]}
MLMODEL = """\
flavors:
  python_function: {loader_module: made_up, env: {conda: conda.yaml}}
"""
WALK = [
    ("POST", MODELS + "create", FRAUD | {"tags": [{"key": "team", "value": "risk"}], "description": "d"}, 200),
    ("POST", MODELS + "create", FRAUD, 400),
    ("POST", MODELS + "create", {"name": "main.ml.fraud"}, 400),
    ("POST", MODELS + "create", {"name": ""}, 400),
    ("GET", MODELS + "get?name=fraud", None, 200),
    ("GET", MODELS + "get", FRAUD, 200),
    ("GET", MODELS + "get", None, 400),
    ("GET", MODELS + "get?name=nobody", None, 404),
    ("GET", OWN + "registered-models/get?name=fraud", None, 200),
    ("POST", VERSIONS + "create", FRAUD | {"source": "{folder}", "run_id": "r", "description": "d"}, 200),
    ("POST", VERSIONS + "create", FRAUD | {"source": "dbfs:/nowhere"}, 200),
    ("POST", VERSIONS + "create", FRAUD | {"source": "/"}, 400),
    ("GET", VERSIONS + "get?name=fraud&version=1", None, 200),
    ("GET", VERSIONS + "get?name=fraud&version=9", None, 404),
    ("GET", VERSIONS + "get?name=fraud&version=first", None, 400),
    ("GET", VERSIONS + "search?max_results=1", None, 200),
    ("GET", VERSIONS + "search?filter=" + quote("name='fraud'"), None, 200),
    ("GET", VERSIONS + "search?filter=name", None, 400),
    ("GET", VERSIONS + "search?page_token=another", None, 400),
    ("PATCH", VERSIONS + "update", FIRST | {"description": "e"}, 200),
    ("GET", VERSIONS + "get-download-uri?name=fraud&version=1", None, 200),
    ("GET", VERSIONS + "list-artifacts?name=fraud&version=1&path=", None, 200),
    ("GET", VERSIONS + "list-artifacts?name=fraud&version=1&path=..", None, 400),
    ("GET", VERSIONS + "get-signed-download-uri?name=fraud&version=1&path=MLmodel", None, 200),
    ("GET", VERSIONS + "get-signed-download-uri?name=fraud&version=1&path=nothing", None, 404),
    ("POST", VERSIONS + "set-tag", FIRST | {"key": "k", "value": "v"}, 200),
    ("GET", VERSIONS + "get?name=fraud&version=1", None, 200),
    ("DELETE", VERSIONS + "delete-tag", FIRST | {"key": "k"}, 200),
    ("POST", VERSIONS + "transition-stage", FIRST | {"stage": "Staging", "archive_existing_versions": False}, 200),
    ("POST", VERSIONS + "transition-stage", FIRST | {"stage": "Nowhere", "archive_existing_versions": False}, 400),
    ("POST", OWN + "model-versions/transition-stage", FIRST | {"stage": "production", "comment": "c"}, 200),
    ("POST", MODELS + "get-latest-versions", FRAUD, 200),
    ("GET", MODELS + "get-latest-versions?name=fraud&stages=Production", None, 200),
    ("POST", MODELS + "set-tag", FRAUD | {"key": "k", "value": ""}, 200),
    ("POST", MODELS + "set-tag", FRAUD | {"key": "", "value": "v"}, 400),
    ("DELETE", MODELS + "delete-tag?name=fraud&key=k", None, 200),
    ("PATCH", MODELS + "update", FRAUD | {"description": ""}, 200),
    ("GET", MODELS + "search?order_by=name&order_by=timestamp", None, 200),
    ("GET", MODELS + "search?max_results=0", None, 400),
    ("GET", MODELS + "list", None, 200),
    ("GET", PERMISSIONS, None, 200),
    ("PATCH", PERMISSIONS, GRANT, 200),
    ("PUT", PERMISSIONS, GRANT, 200),
    ("PUT", PERMISSIONS, {"access_control_list": [{"user_name": "a", "permission_level": "CAN_VIEW"}]}, 400),
    ("GET", PERMISSIONS + "/permissionLevels", None, 200),
    ("GET", "/api/2.0/permissions/registered-models/nobody", None, 404),
    ("POST", MODELS + "rename", FRAUD | {"new_name": "fraud-2"}, 200),
    ("DELETE", VERSIONS + "delete?name=fraud-2&version=1", None, 400),
    ("POST", VERSIONS + "transition-stage", {"name": "fraud-2", "version": "1", "stage": "Archived"}, 200),
    ("DELETE", VERSIONS + "delete?name=fraud-2&version=1", None, 200),
    ("DELETE", MODELS + "delete", {"name": "fraud-2"}, 200),
    ("DELETE", MODELS + "delete?name=fraud-2", None, 404),
    ("GET", "/api/2.0/dbfs/list?path=" + UPLOADS + "/a", None, 404),
    ("POST", f"/dbfs{UPLOADS}/a/MLmodel", {"any": "file"}, 200),
    ("POST", f"/dbfs{UPLOADS}/MLmodel", {"any": "file"}, 400),
    ("GET", "/api/2.0/dbfs/list?path=" + UPLOADS + "/a", None, 200),
    ("GET", "/api/2.0/dbfs/list?path=/", None, 501),
    ("POST", REGISTRY + "comments/create", {"name": "fraud", "version": "1", "comment": "c"}, 501),
]


def test_every_call_goes_by_its_older_path_as_well():
    routed = {(method, path) for method, path, _ in serving.routes()}
    below = {(one.method, one.path) for one in operations("registry") if one.path.startswith(REGISTRY)}
    assert len(below) > 20
    for method, path in below:
        older = PREVIEW + path.removeprefix(REGISTRY)
        assert (method, older) in routed
        assert find(method, older) == find(method, path)


def test_unity_catalog_has_no_older_path():
    assert find("GET", PREVIEW + "unity-catalog/registered-models/get") is None


def test_what_a_delete_needs_may_stand_in_its_body():
    def wrong(method, path, query, body=b""):
        found = request_violations(method, path, query, JSON if body else "", body)
        return [one.where for one in found]

    delete = ("DELETE", MODELS + "delete-tag")
    assert wrong(*delete, {"name": "fraud", "key": "k"}) == []
    assert wrong(*delete, {}, json.dumps({"name": "fraud", "key": "k"}).encode()) == []
    assert wrong(*delete, {"key": "k"}, json.dumps({"name": None}).encode()) == ["query name"]
    assert wrong(*delete, {"key": "k"}, b'{"name": 1}') == ["query name"]
    assert wrong(*delete, {}, b"[") == wrong(*delete, {}) == ["query name", "query key"]
    # Only where the document says so.
    assert wrong("GET", "/api/2.0/secrets/list", {}, b'{"scope": "s"}') == ["query scope"]


@pytest.mark.parametrize("value", ["Staging", ["Staging", "none"], []])
def test_a_list_in_a_query_may_be_one_value(value):
    latest = ("GET", MODELS + "get-latest-versions")
    assert request_violations(*latest, {"name": "fraud", "stages": value}, "", b"") == []
    assert request_violations(*latest, {"name": "fraud", "stages": ["Staging", "Live"]}, "", b"")


VERSION = {
    "name": "fraud",
    "version": "1",
    "creation_timestamp": 1,
    "last_updated_timestamp": 1,
    "current_stage": "None",
    "status": "READY",
}


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1},
        {"current_stage": "none"},
        {"current_stage": None},
        {"status": "MODEL_VERSION_STATUS_UNKNOWN"},
        {"tags": []},
        {"tags": [{"key": "a"}]},
        {"creation_timestamp": "1"},
        {"storage_location": "s"},
        {"permission_level": "CAN_READ"},
    ],
    ids=str,
)
def test_a_version_that_is_not_quite_one_is_not_allowed(change):
    def wrong(version):
        body = json.dumps({"model_version": version}).encode()
        return response_violations("GET", VERSIONS + "get", 200, JSON, body)

    assert wrong(VERSION) == []
    assert wrong(VERSION | change)


def sent(handle, method, path, value, token):
    """Make one call and return status, headers and body."""
    headers = {"Content-Type": JSON} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection = http.client.HTTPConnection(handle.host.removeprefix("http://"), timeout=60)
    try:
        connection.request(method, path, None if value is None else json.dumps(value), headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def kept_to(method, path, status, headers, body):
    content_type = headers.get("Content-Type", "")
    return response_violations(method, path.partition("?")[0], status, content_type, body, headers=headers)


@pytest.fixture
def folder(tmp_path):
    """A model that can be registered."""
    (tmp_path / "MLmodel").write_text(MLMODEL)
    (tmp_path / "conda.yaml").write_text("dependencies: [{pip: [mlflow==3.1.0]}]\n")
    return tmp_path


@pytest.mark.parametrize("way", [REGISTRY, PREVIEW])
def test_every_operation_answers_as_its_contract_says(servesim, folder, way):
    fine, ident = set(), ""
    for method, path, value, expected in WALK:
        filled = path.replace("{id}", ident).replace(REGISTRY, way)
        body = value and {name: str(folder) if one == "{folder}" else one for name, one in value.items()}
        status, headers, answer = sent(servesim, method, filled, body, servesim.token)
        assert status == expected, (method, path, answer)
        assert kept_to(method, filled, status, headers, answer) == [], (method, path, answer)
        if path.startswith(OWN + "registered-models/get"):
            ident = json.loads(answer)["registered_model_databricks"]["id"]
        if status == 200:
            fine.add(find(method, path.partition("?")[0]).id)
    assert fine == {one.id for one in operations("registry")}


@pytest.mark.parametrize(("token", "expected"), [("", 401), ("dapi-wrong", 403)])
def test_who_has_no_credential_is_told_so_by_every_operation(servesim, token, expected):
    for one in operations("registry"):
        answer = sent(servesim, one.method, one.path.replace("{", "").replace("}", ""), None, token)
        assert answer[0] == expected, one.id
        assert kept_to(one.method, one.path, *answer) == [], one.id


def test_what_is_not_simulated_is_said_of_each_surface_that_clients_have():
    known = {one["call"].rpartition("/mlflow/")[2].partition("/")[0] for one in document("registry")["x-not-simulated"]}
    assert known == {"transition-requests", "comments", "registry-webhooks", "registered-models"}
