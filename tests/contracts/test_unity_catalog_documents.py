"""The document of Unity Catalog's models and their files: what it claims, and that the server keeps to it."""

from __future__ import annotations

import http.client
import json
from urllib.parse import quote

import pytest

from servesim.contracts.conformity import request_violations, response_violations
from servesim.contracts.documents import document
from servesim.contracts.operations import find, operations

JSON, BINARY = "application/json", "application/octet-stream"
MODELS = "/api/2.0/mlflow/unity-catalog/registered-models/"
VERSIONS = "/api/2.0/mlflow/unity-catalog/model-versions/"
CATALOG = "/api/2.1/unity-catalog/"
FILES, FOLDERS = "/api/2.0/fs/files/Models/", "/api/2.0/fs/directories/Models/"
SIGNED = "/_servesim/signed/"
FRAUD = {"name": "main.ml.fraud"}
FIRST = FRAUD | {"version": "1"}
LEVELS = {"catalog_name": "main", "schema_name": "ml", "model_name": "fraud"}
PLACE = "main/ml/fraud/1"
PATH = {"path": f"/Models/{PLACE}/MLmodel"}
STAGED = {"model_name": "main.ml.fraud", "model_version": "1"}
MLMODEL = b"""\
flavors:
  python_function: {loader_module: made_up, env: {conda: conda.yaml}}
"""
CONDA = b"dependencies: [{pip: [mlflow==3.1.0]}]\n"
READING = LEVELS | {"version": 1, "operation": "READ_MODEL_VERSION"}
ENABLED = MODELS[:-1] + ":is-databricks-sdk-models-artifact-repository-enabled"
OPERATION = "MODEL_VERSION_OPERATION_READ"
ONE, TWO = CATALOG + "models/main.ml.fraud", CATALOG + "models/main.ml.scores"
TAGS = {"changes": {"add_tags": [{"key": "k", "value": "v"}]}}
WALK = [
    ("GET", ENABLED, None, 200),
    ("POST", MODELS + "create", FRAUD | {"tags": [{"key": "team", "value": "risk"}], "description": "d"}, 200),
    ("POST", MODELS + "create", FRAUD, 400),
    ("POST", MODELS + "create", {"name": "fraud"}, 400),
    ("GET", MODELS + "get?name=main.ml.fraud", None, 200),
    ("GET", MODELS + "get?name=main.ml.nobody", None, 404),
    ("GET", MODELS + "search?max_results=1", None, 200),
    ("PATCH", MODELS + "update", FRAUD | {"description": "e"}, 200),
    ("POST", MODELS + "set-tag", FRAUD | {"key": "k", "value": "v"}, 200),
    ("DELETE", MODELS + "delete-tag", FRAUD | {"key": "k"}, 200),
    ("POST", VERSIONS + "create", FRAUD | {"source": "/nowhere", "run_id": "r", "model_id": "m-1"}, 200),
    ("POST", VERSIONS + "generate-temporary-credentials", FIRST | {"operation": OPERATION + "_WRITE"}, 200),
    ("POST", VERSIONS + "generate-temporary-credentials", FIRST | {"operation": OPERATION}, 400),
    ("PUT", FILES + f"{PLACE}/MLmodel?overwrite=true", MLMODEL, 204),
    ("PUT", FILES + f"{PLACE}/MLmodel?overwrite=false", MLMODEL, 409),
    ("PUT", FILES + f"{PLACE}/a/b", b"\xff\x00", 204),
    ("PUT", FILES + f"{PLACE}/a%2Fb", b"", 400),
    ("PUT", FILES + "main/ml/nobody/1/a", b"", 404),
    ("PUT", "/api/2.0/fs/files/Volumes/main/ml/a", b"", 501),
    ("PUT", FOLDERS + f"{PLACE}/c", None, 204),
    ("POST", FILES + f"{PLACE}/c?action=initiate-upload", None, 200),
    ("POST", FILES + f"{PLACE}/c?action=end", None, 501),
    ("POST", "/api/2.0/fs/create-upload-part-urls", PATH, 501),
    ("POST", "/api/2.0/fs/create-abort-upload-url", PATH, 200),
    ("DELETE", SIGNED, None, 200),
    ("POST", "/api/2.0/fs/create-upload-url", {"path": f"/Models/{PLACE}/conda.yaml"}, 200),
    ("PUT", SIGNED, CONDA, 200),
    ("POST", "/api/2.0/fs/create-upload-url", {"path": "/Volumes/a"}, 501),
    ("POST", "/api/2.0/fs/create-upload-url", {"path": "/Models/a"}, 400),
    ("DELETE", FILES + f"{PLACE}/a/b", None, 204),
    ("DELETE", FILES + f"{PLACE}/a/b", None, 404),
    ("POST", VERSIONS + "finalize", FIRST, 200),
    ("PUT", FILES + f"{PLACE}/late", b"", 400),
    ("POST", VERSIONS + "generate-temporary-credentials", FIRST | {"operation": OPERATION}, 200),
    ("GET", FILES + f"{PLACE}/MLmodel", None, 200),
    ("HEAD", FILES + f"{PLACE}/MLmodel", None, 200),
    ("GET", FILES + f"{PLACE}/nothing", None, 404),
    ("HEAD", FILES + f"{PLACE}/nothing", None, 404),
    ("GET", FOLDERS + f"{PLACE}/", None, 200),
    ("GET", FOLDERS + f"{PLACE}?page_size=1", None, 200),
    ("GET", FOLDERS + f"{PLACE}/nothing", None, 404),
    ("HEAD", FOLDERS + PLACE, None, 200),
    ("HEAD", FOLDERS + f"{PLACE}/nothing", None, 404),
    ("POST", "/api/2.0/fs/create-download-url", PATH, 200),
    ("GET", SIGNED, None, 200),
    ("POST", "/api/2.0/fs/create-download-url?path=" + quote(PATH["path"]), None, 200),
    ("GET", SIGNED + "Models/a?token=b", None, 403),
    ("PATCH", SIGNED + "Models/a?token=b", None, 403),
    ("GET", VERSIONS + "get?name=main.ml.fraud&version=1", None, 200),
    ("GET", VERSIONS + "get?name=main.ml.fraud&version=9", None, 404),
    ("GET", VERSIONS + "get?name=main.ml.fraud&version=first", None, 400),
    ("GET", VERSIONS + "search?filter=" + quote("name='main.ml.fraud'"), None, 200),
    ("GET", VERSIONS + "search?filter=run_id", None, 400),
    ("GET", VERSIONS + "search?filter=" + quote("name='main.ml.nobody'"), None, 200),
    ("GET", VERSIONS + "search?max_results=-1&filter=" + quote("name='main.ml.nobody'"), None, 400),
    ("PATCH", VERSIONS + "update", FIRST | {"description": "e"}, 200),
    ("GET", VERSIONS + "get-download-uri?name=main.ml.fraud&version=1", None, 200),
    ("POST", VERSIONS + "set-tag", FIRST | {"key": "k", "value": "v"}, 200),
    ("POST", VERSIONS + "set-tag", FIRST | {"key": "", "value": "v"}, 400),
    ("DELETE", VERSIONS + "delete-tag?name=main.ml.fraud&version=1&key=k", None, 200),
    ("POST", VERSIONS + "emit-lineage", FIRST, 200),
    ("POST", MODELS + "alias", FIRST | {"alias": "champion"}, 200),
    ("POST", MODELS + "alias", FIRST | {"alias": "latest"}, 400),
    ("GET", MODELS + "alias?name=main.ml.fraud&alias=champion", None, 200),
    ("GET", MODELS + "alias?name=main.ml.fraud&alias=nobody", None, 404),
    ("GET", MODELS + "get?name=main.ml.fraud", None, 200),
    ("POST", CATALOG + "models", {"catalog_name": "main", "schema_name": "ml", "name": "scores", "comment": "c"}, 200),
    ("GET", CATALOG + "models", None, 200),
    ("GET", CATALOG + "models?catalog_name=main", None, 400),
    ("GET", ONE + "?include_aliases=true", None, 200),
    ("PATCH", TWO, {"comment": "d"}, 200),
    ("POST", CATALOG + "models/versions", LEVELS | {"source": "/nowhere"}, 200),
    ("PATCH", ONE + "/versions/2/finalize", None, 200),
    ("POST", CATALOG + "temporary-model-version-credentials", READING, 200),
    ("GET", ONE + "/versions", None, 200),
    ("GET", ONE + "/versions/1?include_aliases=true", None, 200),
    ("GET", ONE + "/versions/9", None, 404),
    ("PATCH", ONE + "/versions/1", {"comment": "d"}, 200),
    ("PATCH", CATALOG + "securable-tags/FUNCTION/main.ml.fraud", TAGS, 200),
    ("PATCH", CATALOG + "securable-tags/TABLE/main.ml.fraud", TAGS, 400),
    ("PATCH", CATALOG + "subentity-tags/FUNCTION/main.ml.fraud/1", TAGS, 200),
    ("PUT", ONE + "/aliases/best", {"version_num": 1}, 200),
    ("GET", ONE + "/aliases/best", None, 200),
    ("DELETE", ONE + "/aliases/best", None, 200),
    ("DELETE", MODELS + "alias", FRAUD | {"alias": "champion"}, 200),
    ("DELETE", ONE + "/versions/2", None, 200),
    ("DELETE", VERSIONS + "delete", FIRST, 200),
    ("DELETE", MODELS + "delete", FRAUD, 200),
    ("DELETE", MODELS + "delete?name=main.ml.fraud", None, 404),
    ("DELETE", TWO, None, 200),
    ("DELETE", TWO, None, 404),
]


def sent(handle, method, path, value, token="", **headers):
    """Make one call and return status, headers and body."""
    kind = {} if value is None else {"Content-Type": BINARY if isinstance(value, bytes) else JSON}
    body = json.dumps(value) if isinstance(value, dict) else value
    connection = http.client.HTTPConnection(handle.host.removeprefix("http://"), timeout=60)
    try:
        login = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, body, {**kind, **login, **headers})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def kept_to(method, path, status, headers, body):
    kind = headers.get("Content-Type", "")
    return response_violations(method, path.partition("?")[0], status, kind, body, headers=headers)


def test_every_operation_answers_as_its_contract_says(servesim):
    fine, address = set(), ""
    for method, path, value, expected in WALK:
        filled = address if path == SIGNED else path
        token = "" if filled.startswith(SIGNED) else servesim.token
        status, headers, answer = sent(servesim, method, filled, value, token)
        assert status == expected, (method, path, answer)
        assert kept_to(method, filled, status, headers, answer) == [], (method, path, answer)
        if status == 200 and path.partition("?")[0].endswith("-url"):
            told = json.loads(answer)
            address = told.get("abort_upload_url", told)["url"].removeprefix(servesim.host)
        if status < 300 or "part-urls" in path:
            fine.add(find(method, filled.partition("?")[0]).id)
    assert fine == {one.id for one in operations("unity_catalog")}


@pytest.mark.parametrize(("token", "expected"), [("", 401), ("dapi-wrong", 403)])
def test_who_has_no_credential_is_told_so_by_every_operation(servesim, token, expected):
    for one in operations("unity_catalog"):
        if one.spec["security"]:
            answer = sent(servesim, one.method, one.path.replace("{", "").replace("}", ""), None, token)
            assert answer[0] == expected, one.id
            assert kept_to(one.method, one.path, *answer) == [], one.id


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Range": "bytes=0-6"}, 206),
        ({"Range": "bytes=99999-"}, 416),
        ({"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, 412),
    ],
    ids=str,
)
def test_a_part_of_a_file(servesim, headers, expected):
    for method, path, value in [
        ("POST", MODELS + "create", FRAUD),
        ("POST", VERSIONS + "create", FRAUD),
        ("PUT", FILES + f"{PLACE}/MLmodel", MLMODEL),
    ]:
        assert sent(servesim, method, path, value, servesim.token)[0] < 300
    path = FILES + f"{PLACE}/MLmodel"
    for method in ("GET", "HEAD"):
        answer = sent(servesim, method, path, None, servesim.token, **headers)
        assert answer[0] == expected
        assert kept_to(method, path, *answer) == []
        assert expected != 206 or answer[2] == (MLMODEL[:7] if method == "GET" else b"")


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("PUT", FILES + f"{PLACE}/a", "upload_file"),
        ("PUT", FILES + f"{PLACE}/a/b/c", "upload_file"),
        ("GET", FOLDERS + "main/ml/fraud/1/", "list_directory"),
        ("HEAD", FOLDERS + "main", "get_directory_metadata"),
        ("PATCH", FILES + f"{PLACE}/a", None),
        ("PUT", FILES, None),
        ("PUT", "/api/2.0/fs/files/Volumes/a/b", None),
        ("GET", SIGNED + "Models/a/b", "download_by_signed_url"),
    ],
)
def test_what_follows_in_a_path_may_have_slashes(method, path, found):
    operation = find(method, path)
    assert (operation.id if operation else None) == found


VERSION = {
    "name": "main.ml.fraud",
    "version": "1",
    "creation_timestamp": 1,
    "last_updated_timestamp": 1,
    "status": "READY",
    "storage_location": "dbfs:/Models/main/ml/fraud/1",
}
INFO = {
    **LEVELS,
    "version": 1,
    "status": "READY",
    "created_at": 1,
    "updated_at": 1,
    "id": "84f4b905-97b9-4fb1-846a-96cb505772f1",
    "metastore_id": "84f4b905-97b9-4fb1-846a-96cb505772f1",
    "storage_location": "dbfs:/Models/main/ml/fraud/1",
}


@pytest.mark.parametrize(
    ("wrapper", "path", "version", "change"),
    [
        ("model_version", VERSIONS + "get", VERSION, {"version": 1}),
        ("model_version", VERSIONS + "get", VERSION, {"name": "fraud"}),
        ("model_version", VERSIONS + "get", VERSION, {"current_stage": "None"}),
        ("model_version", VERSIONS + "get", VERSION, {"aliases": ["champion"]}),
        ("model_version", VERSIONS + "get", VERSION, {"description": ""}),
        ("model_version", VERSIONS + "get", VERSION, {"status": "MODEL_VERSION_STATUS_UNKNOWN"}),
        ("", ONE + "/versions/1", INFO, {"version": "1"}),
        ("", ONE + "/versions/1", INFO, {"status_message": "m"}),
        ("", ONE + "/versions/1", INFO, {"aliases": [{"alias": "champion", "version": "1"}]}),
        ("", ONE + "/versions/1", INFO, {"id": "84f4b90597b94fb1846a96cb505772f1"}),
    ],
    ids=str,
)
def test_a_version_that_is_not_quite_one_is_not_allowed(wrapper, path, version, change):
    def wrong(value):
        body = json.dumps({wrapper: value} if wrapper else value).encode()
        return response_violations("GET", path, 200, JSON, body)

    assert wrong(version) == []
    assert wrong(version | change)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("main.ml.fraud", True), ("main.ml.fraud v2", False), ("fraud", False), ("a.b.c.d", False), ("a..c", False)],
)
def test_a_name_has_three_levels(name, is_one):
    body = json.dumps({"name": name}).encode()
    assert (request_violations("POST", MODELS + "create", {}, JSON, body) == []) is is_one


@pytest.mark.parametrize("alias", ["champion", "v", "1a", "v1x"])
def test_an_alias_that_is_one(alias):
    assert asked_for(alias) == []


@pytest.mark.parametrize("alias", ["", "1", "v1", "V23", "latest", "Latest", "a b"])
def test_an_alias_that_is_none(alias):
    assert asked_for(alias) == ["query alias"]


def asked_for(alias):
    found = request_violations("GET", MODELS + "alias", {"name": "main.ml.fraud", "alias": alias}, "", b"")
    return [one.where for one in found]


def test_no_operation_has_a_stage():
    assert "current_stage" not in json.dumps(document("unity_catalog"))
