"""What MLflow's client puts into DBFS before it registers a model whose run is kept elsewhere."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

ROOT = "/databricks/mlflow/tmp-external-source"
REGISTRY = "/api/2.0/mlflow/"
MODEL = {"MLmodel": b"flavors: {python_function: {}}", "conda.yaml": b"dependencies: [mlflow]", "code/a b.py": b""}


def call(sim, method, path, data=None):
    """Make a call and return status and answer; a dict is sent as JSON."""
    body = json.dumps(data).encode() if isinstance(data, dict) else data
    request = urllib.request.Request(sim.host + path, data=body, method=method)
    request.add_header("Authorization", f"Bearer {sim.token}")
    request.add_header("Content-Type", "application/octet-stream" if isinstance(data, bytes) else "application/json")
    try:
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def upload(sim, folder, files=MODEL):
    for path, content in files.items():
        quoted = path.replace(" ", "%20")
        assert call(sim, "POST", f"/dbfs{ROOT}//{folder}/{quoted}", content) == (200, None)


def listing(sim, path):
    return call(sim, "GET", f"/api/2.0/dbfs/list?path={path}")


def register(sim, source):
    call(sim, "POST", REGISTRY + "registered-models/create", {"name": "fraud"})
    status, answer = call(sim, "POST", REGISTRY + "model-versions/create", {"name": "fraud", "source": source})
    assert status == 200, answer
    return answer["model_version"]


@pytest.mark.parametrize(
    ("prefix", "source"),
    [
        ("", "dbfs:" + ROOT + "/run"),
        ("model/", "dbfs:" + ROOT + "/run/model"),
        ("", "dbfs:" + ROOT + "/run/m-614d1ac061124874b81e8e7a01fca7f6"),
        ("model/", "dbfs://profile@databricks" + ROOT + "/run/model"),
    ],
    ids=["folder", "below it", "a logged model", "with a profile"],
)
def test_what_was_uploaded_is_registered(servesim, prefix, source):
    upload(servesim, "run", {prefix + path: content for path, content in MODEL.items()})
    version = register(servesim, source)
    assert (version["status"], version["source"]) == ("READY", source)
    listed = call(servesim, "GET", REGISTRY + "model-versions/list-artifacts?name=fraud&version=1")[1]["files"]
    assert [file["path"] for file in listed] == ["MLmodel", "code", "conda.yaml"]


def test_a_folder_takes_no_more_once_a_version_was_registered_from_it(servesim):
    upload(servesim, "run")
    register(servesim, f"dbfs:{ROOT}/run")
    status, answer = call(servesim, "POST", f"/dbfs{ROOT}/run/more", b"x")
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert register(servesim, f"dbfs:{ROOT}/run")["version"] == "2", "but more versions can be registered from it"


def test_what_lies_there_is_listed_so_that_the_client_takes_another_folder(servesim):
    status, answer = listing(servesim, f"{ROOT}//run")
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    upload(servesim, "run")
    files = listing(servesim, f"{ROOT}//run")[1]["files"]
    assert [(file["path"], file["is_dir"], file["file_size"]) for file in files] == [
        (f"{ROOT}/run/MLmodel", False, 30),
        (f"{ROOT}/run/code", True, 0),
        (f"{ROOT}/run/conda.yaml", False, 22),
    ]
    assert listing(servesim, f"{ROOT}/run/MLmodel")[1]["files"] == files[:1]
    assert listing(servesim, f"{ROOT}/run/other")[0] == 404
    assert listing(servesim, ROOT)[0] == 404


@pytest.mark.parametrize(
    "path", ["x", "run/../../x", "run/%2e%2e/x", "run/a%00b", "run/%ff", "run/a%5cb", "../x", "%2e/x", "%00/x"]
)
def test_a_path_that_is_none_is_refused(servesim, path):
    status, answer = call(servesim, "POST", f"/dbfs{ROOT}/{path}", b"x")
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert servesim.workspace.store.disk.used == 0


def test_the_rest_of_dbfs_is_not_simulated(servesim):
    assert call(servesim, "POST", "/dbfs/other/x", b"x")[0] == 501
    assert listing(servesim, "/other")[0] == 501
    assert listing(servesim, ROOT + "-beside/x")[0] == 501
    assert register(servesim, f"dbfs:{ROOT}/nothing")["status"] == "FAILED_REGISTRATION"


def test_a_reset_and_the_end_leave_nothing(servesim_server):
    with servesim_server.open() as sim:
        disk = sim.workspace.store.disk
        before = disk.used
        upload(sim, "run")
        assert disk.used > before
        servesim_server.run(sim.workspace.reset())
        assert disk.used == before
        upload(sim, "run")
    assert disk.used == before


def test_uploads_need_loopback(servesim, monkeypatch):
    monkeypatch.setattr(servesim.workspace.store, "host", "192.0.2.1")
    assert call(servesim, "POST", f"/dbfs{ROOT}/run/MLmodel", b"x")[0] == 403
