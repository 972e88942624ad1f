"""Uploads that want out of their folder, too much of it, or what is somebody else's."""

import http.client
import json
import os
import signal
import socket
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest

from servesim.core.errors import Code
from servesim.service import artifact_disk, artifact_folders, artifacts

UC = "/api/2.0/mlflow/unity-catalog/"
VERSION = "/Models/main/d/m/1"
FILES = f"/api/2.0/fs/files{VERSION}/"


def call(handle, method, path, body=None, *, token=True):
    """Make one call with a path that is sent as it is."""
    host, _, port = handle.host.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    headers = {"Authorization": f"Bearer {handle.token}"} if token else {}
    try:
        connection.request(method, path, json.dumps(body).encode() if isinstance(body, dict) else body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def register(handle, name="main.d.m"):
    call(handle, "POST", UC + "registered-models/create", {"name": name})
    status, body = call(handle, "POST", UC + "model-versions/create", {"name": name, "source": "dbfs:/elsewhere"})
    assert status == 200, body


@pytest.fixture
def target(servesim):
    """Give a workspace with a version that waits for files, beside one with a secret in it."""
    register(servesim)
    register(servesim, "main.d.other")
    assert call(servesim, "PUT", FILES.replace("/m/", "/other/") + "secret", b"theirs")[0] == 204
    return servesim


def stored(handle):
    """List what all versions of a workspace hold, and every file that the server has."""
    folder = handle.workspace.store.disk.folder
    paths = sorted(path for held in handle.workspace.artifacts._held.values() for path in held.files)
    return paths, len([path for path in folder.rglob("*") if path.is_file() and path.name != "lock"])


ENCODINGS = [
    "../x",
    "..%2fx",
    "..%2Fx",
    "%2e%2e/x",
    "%2E%2E%2Fx",
    ".%2e/x",
    "a/../../x",
    "a/%2e%2e/%2e%2e/x",
    "./x",
    "%2e/x",
    "..\\x",
    "..%5cx",
    "..%5c..%5cx",
    "%2fetc%2fpasswd",
    "/etc/passwd",
    "/x",
    "a//x",
    "a/",
    "%00",
    "x%00.txt",
    "x%0a",
    "x%1b[31m",
    "x%7f",
    "%c2%85",
    "%ff",
    "%c0%ae%c0%ae/x",
    "%ed%a0%80",
    "a" * 256,
    "/".join(["a" * 200] * 5),
    "/".join("a" * 40),
    "%C3%A9" * 200,
]


@pytest.mark.parametrize("path", ENCODINGS, ids=lambda path: path[:20])
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_no_encoding_of_a_path_leads_out(target, path, method):
    before = stored(target)
    status, body = call(target, method, FILES + path, b"mine" if method == "PUT" else None)
    assert (status, json.loads(body)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert stored(target) == before


@pytest.mark.parametrize("path", ["../../other/1/secret", "a/../../../other/1/secret", "%2e%2e/%2e%2e/other/1/secret"])
def test_the_path_of_another_version_is_not_reached_by_detours(target, path):
    for method in ("PUT", "GET", "DELETE"):
        assert call(target, method, FILES + path, b"mine")[0] == 400
    assert call(target, "GET", FILES.replace("/m/", "/other/") + "secret")[1] == b"theirs"


@pytest.mark.parametrize("call_path", ["create-upload-url", "create-download-url", "create-abort-upload-url"])
@pytest.mark.parametrize("path", ["/../x", "/a/../../../other/1/secret", "//x", "/a\\b", "/a\0", "/\ud800", "/a\nb"])
def test_no_path_in_a_body_leads_out(target, call_path, path):
    status, body = call(target, "POST", f"/api/2.0/fs/{call_path}", {"path": VERSION + path})
    assert (status, json.loads(body)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_double_encoding_is_a_name_and_no_way_out(target):
    assert call(target, "PUT", FILES + "%252e%252e%252fx", b"mine")[0] == 204
    assert stored(target)[0] == ["%2e%2e%2fx", "secret"]


def test_a_target_with_a_host_is_read_as_one(target):
    host, _, port = target.host.removeprefix("http://").partition(":")
    head = f"PUT http://x{FILES}../x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {target.token}\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as wire:
        wire.sendall(head.encode() + b"Content-Length: 1\r\n\r\n1")
        assert b" 400 " in wire.makefile("rb").readline()
    assert stored(target)[0] == ["secret"]


# --- folders that are taken -----------------------------------------------------------------------


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {}")
    (tmp_path / "secret").write_text("theirs")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text("theirs")
    return folder


def take(handle, folder):
    async def work():
        try:
            await handle.workspace.artifacts.take((99, "1"), folder)
        except Exception as problem:  # noqa: BLE001 - told below
            return problem
        return None

    return handle._server.run(work())


@pytest.mark.parametrize(
    ("name", "aim"),
    [
        ("file", "../secret"),
        ("folder", "../secrets"),
        ("absolute", "/etc/hostname"),
        ("devices", "/dev/zero"),
        ("dangling", "../none"),
        ("by-way", "step/secret"),
        ("itself", "itself"),
    ],
)
def test_links_in_a_folder_do_not_lead_out(target, model, name, aim):
    if name == "by-way":
        (model / "step").symlink_to("..")
    (model / name).symlink_to(aim)
    before = stored(target)
    problem = take(target, model)
    assert str(problem.code if hasattr(problem, "code") else problem) in {"source outside", "source unreadable"}
    assert stored(target) == before


def test_a_link_in_the_place_of_a_folder_that_was_looked_at_is_not_followed(target, model, monkeypatch):
    (model / "keys").mkdir()
    (model / "keys" / "key").write_text("mine")
    found = artifact_folders._found

    def swapped(folder):
        for path, source in found(folder):
            if path == "keys/key":
                (model / "keys").rename(model / "before")
                (model / "keys").symlink_to(model.parent / "secrets")
            yield path, source

    monkeypatch.setattr(artifact_folders, "_found", swapped)
    before = stored(target)
    assert take(target, model).code is Code.SOURCE_UNREADABLE
    assert stored(target) == before


def test_a_link_in_the_place_of_the_model_s_own_folder_is_not_followed(target, model):
    before = stored(target)
    model.rename(model.with_name("before"))
    model.symlink_to(model.parent / "secrets")
    assert take(target, model).code is Code.SOURCE_OUTSIDE
    assert stored(target) == before


def test_what_is_no_file_is_not_read(target, model):
    os.mkfifo(model / "pipe")
    before = stored(target)
    assert "no ordinary file" in str(take(target, model))
    assert stored(target) == before


def test_links_to_folders_inside_are_not_followed_in_circles(target, model):
    (model / "again").symlink_to(".")
    before = stored(target)
    assert "no ordinary file" in str(take(target, model))
    assert stored(target) == before


def test_a_huge_number_of_files_is_not_taken(target, model, monkeypatch):
    for module in (artifacts, artifact_folders):
        monkeypatch.setattr(module, "FILES", 20)
    for number in range(30):
        (model / str(number)).write_bytes(b"%d" % number)
    before = stored(target)
    assert "more than 20 files" in str(take(target, model))
    assert stored(target) == before
    for number in range(25):
        call(target, "PUT", FILES + str(number), b"%d" % number)
    assert len(stored(target)[0]) == 21


# --- signed URLs ----------------------------------------------------------------------------------


def signed(handle, what="create-upload-url", path=VERSION + "/a"):
    status, body = call(handle, "POST", f"/api/2.0/fs/{what}", {"path": path})
    assert status == 200, body
    return json.loads(body)["url"].removeprefix(handle.host)


def test_a_signed_url_is_good_for_its_method_and_its_file_alone(target):
    url = signed(target)
    for method in ("GET", "HEAD", "DELETE", "POST"):
        assert call(target, method, url, b"1", token=False)[0] == 403
    for other in (
        url.replace("/a?", "/b?"),
        url.replace("/m/", "/other/"),
        url.replace("/1/", "/2/"),
        url.replace("/a?", "/x/../a?"),
        url.replace("/a?", "/a/?"),
        url[:-1],
        url.partition("?")[0],
        url.partition("=")[0] + "=",
        "/_servesim/signed/",
        "/_servesim/signed/?token=",
        "/_servesim/signed/" + quote("../") + "?token=" + url.partition("=")[2],
    ):
        assert call(target, "PUT", other, b"1", token=False)[0] == 403
    assert stored(target)[0] == ["secret"]
    assert call(target, "PUT", url, b"1", token=False)[0] == 200
    download = signed(target, "create-download-url")
    assert call(target, "PUT", download, b"2", token=False)[0] == 403
    assert call(target, "GET", download, token=False) == (200, b"1")


def test_a_signed_url_is_good_in_its_workspace_alone(servesim_server, target):
    other = servesim_server.open()
    register(other)
    call(other, "PUT", FILES + "a", b"theirs")
    mine, theirs = signed(target), signed(other, "create-download-url")
    assert mine.partition("=")[2] != theirs.partition("=")[2]
    call(target, "PUT", mine, b"mine", token=False)
    assert call(target, "GET", theirs, token=False) == (200, b"theirs")  # every workspace has the same address
    url = signed(other)
    other.close()
    assert call(target, "PUT", url, b"2", token=False)[0] == 403
    assert call(target, "GET", theirs, token=False)[0] == 403
    assert call(target, "GET", FILES + "a") == (200, b"mine")


def test_a_signed_url_does_not_come_to_a_model_of_the_same_name(target):
    url = signed(target)
    assert call(target, "DELETE", UC + "registered-models/delete", {"name": "main.d.m"})[0] == 200
    assert call(target, "PUT", url, b"1", token=False)[0] == 404
    register(target)
    assert call(target, "PUT", url, b"1", token=False)[0] == 403
    assert stored(target)[0] == ["secret"]


def test_a_signed_url_ends(target, monkeypatch):
    url = signed(target)
    watch = target.workspace.store.signed._watch
    monkeypatch.setattr(type(watch), "seconds", lambda _: 1e9)
    assert call(target, "PUT", url, b"1", token=False)[0] == 403
    monkeypatch.undo()
    assert call(target, "PUT", url, b"1", token=False)[0] == 403


def test_so_many_signed_urls_and_no_more_are_kept(target, monkeypatch):
    from servesim.service import signed as urls

    monkeypatch.setattr(urls, "KEPT", 3)
    made = [signed(target, path=f"{VERSION}/{number}") for number in range(5)]
    assert [call(target, "PUT", url, b"1", token=False)[0] for url in made] == [403, 403, 200, 200, 200]


def test_no_token_of_a_signed_url_is_on_record(target):
    token = signed(target).partition("=")[2]
    call(target, "PUT", f"/_servesim/signed/x?token={token}", b"1", token=False)
    assert token not in repr(target.requests())


# --- what a killed server leaves ------------------------------------------------------------------


def test_the_next_server_removes_what_a_killed_one_left(server_process, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    tempfile.tempdir = None

    def upload(server, body):
        server.call("POST", UC + "registered-models/create", {"name": "main.d.m"})
        source = {"name": "main.d.m", "source": "dbfs:/elsewhere"}
        assert server.call("POST", UC + "model-versions/create", source)[0] == 200
        connection = http.client.HTTPConnection(server.address, timeout=30)
        connection.request("PUT", FILES + "a", body, {"Authorization": f"Bearer {server.token()}"})
        assert connection.getresponse().status == 204
        connection.close()

    def folders():
        return {path for path in Path(tmp_path).iterdir() if path.name.startswith(artifact_disk.PREFIX)}

    try:
        killed, living = server_process(), server_process()
        upload(killed, b"killed")
        left = folders()
        upload(living, b"living")
        (other,) = folders() - left
        assert len(left) == 1
        os.kill(killed.process.pid, signal.SIGKILL)
        killed.end()
        assert folders() == {*left, other}
        upload(server_process(), b"next")
        assert left.isdisjoint(folders())
        assert other in folders()
        status, body = living.call("GET", FILES + "a")
        assert (status, body) == (200, b"living")
    finally:
        tempfile.tempdir = None
