"""Files of versions over HTTP: what curl, the SDK and MLflow send, and what is refused."""

import contextlib
import hashlib
import io
import json
import os
import socket
import subprocess
import threading

import pytest

from servesim.core.commands import SetModelAccess
from servesim.core.errors import Code
from servesim.core.model_commands import CreateModelVersion
from servesim.delivery.handle import LocalServer
from servesim.generations.ga_texts import TEXTS
from servesim.http import files as served
from servesim.http import whole

UC = "/api/2.0/mlflow/unity-catalog/"
MODEL = "main.d.m"
VERSION = "/Models/main/d/m/1"
FILES = f"/api/2.0/fs/files{VERSION}/"
DIRECTORIES = f"/api/2.0/fs/directories{VERSION}"


@pytest.fixture
def pending(wire):
    """Give a workspace with a version that waits for its files."""
    register(wire)
    return wire


def register(wire, name=MODEL):
    wire.call("POST", UC + "registered-models/create", {"name": name})
    made = wire.call("POST", UC + "model-versions/create", {"name": name, "source": "dbfs:/elsewhere"})
    assert made.status == 200, made.body


def put(wire, path, body, **options):
    return wire.call("PUT", FILES + path, body, {"Content-Type": "application/octet-stream"}, **options)


def drawn(size):
    return hashlib.shake_128(b"seed").digest(size)


def held(wire):
    """List what a workspace has, by path."""
    return {path: file.size for path, file in wire.handle.workspace.artifacts.files(key(wire)).items()}


def key(wire):
    return wire.handle.workspace.world.registry.model(MODEL).number, "1"


def on_disk(wire):
    """List the files of the whole server that belong to no other test's workspace: none does."""
    folder = wire.handle.workspace.store.disk.folder
    return [] if folder is None else [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]


def refused(answer, code):
    text = TEXTS[code]
    assert (answer.status, answer.json["error_code"]) == (text.status, text.error_code), answer.body
    return answer.json["message"]


# --- one file -------------------------------------------------------------------------------------


def test_a_file_is_uploaded_read_listed_and_deleted(pending):
    assert put(pending, "data/model.pkl", b"12345").status == 204
    got = pending.call("GET", FILES + "data/model.pkl")
    assert (got.status, got.body) == (200, b"12345")
    assert got.headers == {
        "Content-Type": "application/octet-stream",
        "Content-Length": "5",
        "Last-Modified": got.headers["Last-Modified"],
        "ETag": f'"{hashlib.sha256(b"12345").hexdigest()}"',
        "Accept-Ranges": "bytes",
    }
    head = pending.call("HEAD", FILES + "data/model.pkl")
    assert (head.status, head.body, head.headers) == (200, b"", got.headers)
    assert pending.call("HEAD", DIRECTORIES + "/data").status == 200
    assert pending.call("HEAD", DIRECTORIES + "/none").status == 404
    assert pending.call("GET", DIRECTORIES).json == {
        "contents": [{"path": VERSION + "/data", "name": "data", "is_directory": True}]
    }
    (entry,) = pending.call("GET", DIRECTORIES + "/data/").json["contents"]
    assert entry.pop("last_modified") > 0
    name = "data/model.pkl"
    assert entry == {"path": f"{VERSION}/{name}", "name": "model.pkl", "is_directory": False, "file_size": 5}
    assert pending.call("DELETE", FILES + name).status == 204
    refused(pending.call("GET", FILES + name), Code.FILE_MISSING)
    refused(pending.call("DELETE", FILES + name), Code.FILE_MISSING)
    refused(pending.call("GET", DIRECTORIES + "/data"), Code.FOLDER_MISSING)
    assert on_disk(pending) == []


def test_an_empty_file_is_a_file(pending):
    assert put(pending, "empty", b"").status == 204
    assert pending.call("GET", FILES + "empty").body == b""
    assert held(pending) == {"empty": 0}


def test_names_are_taken_as_they_are_sent(pending):
    names = {"a%20b": "a b", "%C3%A9": "é", "a+b": "a+b", "a%2Bb": "a+b", "%252e": "%2e", "a%3Fb": "a?b"}
    for sent in names:
        assert put(pending, sent, sent.encode()).status == 204
    assert sorted(held(pending)) == sorted(set(names.values()))
    assert pending.call("GET", FILES + "%C3%A9").body == b"%C3%A9"


def test_a_file_that_is_there_is_replaced_unless_that_is_not_wanted(pending):
    assert put(pending, "a", b"1").status == 204
    assert put(pending, "a?overwrite=true", b"22").status == 204
    refused(put(pending, "a?overwrite=false", b"333"), Code.FILE_EXISTS)
    assert put(pending, "a?overwrite=maybe", b"333").status == 400
    assert pending.call("GET", FILES + "a").body == b"22"
    assert len(on_disk(pending)) == 1


def test_the_same_content_is_stored_once(pending):
    for name in "abc":
        put(pending, name, b"same" * 1000)
    assert pending.handle.workspace.store.disk.used == 4000
    assert len(on_disk(pending)) == 1


def test_many_uploads_of_one_file_at_once_leave_one_of_them(pending):
    bodies = [bytes([number]) * 300_000 for number in range(12)]
    threads = [threading.Thread(target=put, args=(pending, "a/b", body)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pending.call("GET", FILES + "a/b").body in bodies
    assert [path.stat().st_size for path in on_disk(pending)] == [300_000]


@pytest.mark.parametrize(
    ("asked", "status", "body", "sent"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=0-9", 200, b"0123456789", None),
        ("bytes=-99", 200, b"0123456789", None),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=-0", 416, None, "bytes */10"),
        ("bytes=3-2", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
        ("bytes=1-2,4-5", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_parts_of_a_file(pending, asked, status, body, sent):
    put(pending, "a", b"0123456789")
    got = pending.call("GET", FILES + "a", headers={"Range": asked})
    assert (got.status, got.headers.get("Content-Range")) == (status, sent)
    assert body is None or got.body == body
    other = pending.call("GET", FILES + "a", headers={"Range": asked, "If-Range": '"another"'})
    assert (other.status, other.body) == (200, b"0123456789")


def test_a_file_that_changed_meanwhile_is_not_read_on(pending):
    put(pending, "a", b"0123456789")
    before = pending.call("HEAD", FILES + "a").headers["Last-Modified"]
    assert pending.call("GET", FILES + "a", headers={"If-Unmodified-Since": before}).status == 200
    assert pending.call("GET", FILES + "a", headers={"If-Unmodified-Since": "whenever"}).status == 200
    pending.handle.clock.advance("2s")
    put(pending, "a", b"9876543210")
    assert pending.call("GET", FILES + "a", headers={"If-Unmodified-Since": before}).status == 412


def test_folders_come_in_pages(pending):
    for number in range(5):
        put(pending, f"{number}", b"1")
    put(pending, "folder/x", b"1")
    names, token = [], ""
    while True:
        page = pending.call("GET", f"{DIRECTORIES}?page_size=2&page_token={token}").json
        names.append([entry["name"] for entry in page["contents"]])
        token = page.get("next_page_token", "")
        if not token:
            break
    assert names == [["0", "1"], ["2", "3"], ["4", "folder"]]
    page = pending.call("GET", DIRECTORIES + "?page_size=2").json
    sent = json.dumps({"page_token": page["next_page_token"]}).encode()  # as MLflow does
    assert pending.call("GET", DIRECTORIES, sent).json["contents"][0]["name"] == "2"
    refused(pending.call("GET", f"{DIRECTORIES}/folder?page_token={page['next_page_token']}"), Code.PAGE_TOKEN_INVALID)


def test_folders_are_there_as_soon_as_they_have_a_file(pending):
    assert pending.call("PUT", DIRECTORIES + "/data").status == 204
    assert pending.call("HEAD", DIRECTORIES + "/data").status == 404
    put(pending, "a", b"1")
    refused(pending.call("PUT", DIRECTORIES + "/a"), Code.FILE_EXISTS)
    refused(pending.call("PUT", DIRECTORIES + "/../x"), Code.PATH_INVALID)


@pytest.mark.parametrize("kind", ["files", "directories"])
@pytest.mark.parametrize("path", ["/Volumes/main/d/v/x", "/Workspace/x", "/Models", ""])
def test_other_places_are_not_simulated(pending, kind, path):
    assert pending.call("GET", f"/api/2.0/fs/{kind}{path}").status == 501
    assert pending.call("POST", "/api/2.0/fs/create-upload-url", {"path": path or "/"}).status == 501


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("main/d/none/1/a", Code.MODEL_MISSING),
        ("main/d/m/2/a", Code.VERSION_MISSING),
        ("main/d/m/one/a", Code.VERSION_MISSING),
        ("main/d/m/1", Code.PATH_INVALID),
        ("main/d/m/1/", Code.PATH_INVALID),
        ("main/d/m", Code.PATH_INVALID),
        ("main/d.m/x/1/a", Code.PATH_INVALID),
        ("main//m/1/a", Code.PATH_INVALID),
    ],
)
def test_a_place_that_is_no_version_s_takes_no_upload(pending, path, code):
    refused(pending.call("PUT", f"/api/2.0/fs/files/Models/{path}", b"1"), code)
    assert on_disk(pending) == []


def test_a_registered_version_is_sealed(pending):
    pending.handle.models.stub("main.d.stub", "echo")
    answer = pending.call("PUT", "/api/2.0/fs/files/Models/main/d/stub/1/a", b"1")
    assert "its files do not change" in refused(answer, Code.VERSION_SEALED)
    refused(pending.call("DELETE", "/api/2.0/fs/files/Models/main/d/stub/1/a"), Code.VERSION_SEALED)
    asked = {"path": "/Models/main/d/stub/1/a"}
    refused(pending.call("POST", "/api/2.0/fs/create-upload-url", asked), Code.VERSION_SEALED)
    put(pending, "MLmodel", b"no model")
    pending.call("POST", UC + "model-versions/finalize", {"name": MODEL, "version": "1"})
    refused(put(pending, "late", b"1"), Code.VERSION_SEALED)
    assert on_disk(pending) == []  # its registration failed


def test_who_may_do_nothing_with_a_model_reads_and_writes_none_of_its_files(servesim, pending):
    owner, reader = pending.user("owner@example.com"), pending.user("reader@example.com")
    register(owner, "main.d.own")
    own = FILES.replace("/m/", "/own/")
    assert owner.call("PUT", own + "a", b"1").status == 204
    assert pending.call("GET", own + "a").body == b"1"  # an administrator
    refused(reader.call("PUT", own + "a", b"2"), Code.MODEL_NOT_PERMITTED)
    refused(reader.call("DELETE", own + "a"), Code.MODEL_NOT_PERMITTED)
    refused(reader.call("PUT", DIRECTORIES.replace("/m/", "/own/") + "/x"), Code.MODEL_NOT_PERMITTED)
    asked = {"path": VERSION.replace("/m/", "/own/") + "/a"}
    refused(reader.call("POST", "/api/2.0/fs/create-upload-url", asked), Code.MODEL_NOT_PERMITTED)
    assert reader.call("GET", own + "a").status == 200  # everybody may execute it, as long as nobody says who
    restrict(servesim, "main.d.own", "owner@example.com")
    refused(reader.call("GET", own + "a"), Code.MODEL_NOT_PERMITTED)
    refused(reader.call("GET", DIRECTORIES.replace("/m/", "/own/")), Code.MODEL_NOT_PERMITTED)
    refused(reader.call("POST", "/api/2.0/fs/create-download-url", asked), Code.MODEL_NOT_PERMITTED)
    missing = reader.call("GET", own.replace("/1/", "/7/") + "a")  # nor is there anything said of its versions
    refused(missing, Code.MODEL_NOT_PERMITTED)
    assert owner.call("GET", own + "a").body == b"1"


def restrict(servesim, model, *allowed):
    async def work():
        servesim.workspace.clock.execute(SetModelAccess(model, allowed))

    servesim._server.run(work())


def test_where_others_reach_the_server_nothing_is_uploaded(pending, monkeypatch):
    store = pending.handle.workspace.store
    monkeypatch.setattr(store, "host", "192.0.2.1")
    asked = {"path": VERSION + "/a"}
    for answer in (
        pending.call("POST", UC + "model-versions/create", {"name": MODEL, "source": "dbfs:/elsewhere"}),
        put(pending, "a", b"1"),
        pending.call("DELETE", FILES + "a"),
        pending.call("POST", FILES + "a?action=initiate-upload", b""),
        pending.call("POST", "/api/2.0/fs/create-upload-url", asked),
    ):
        refused(answer, Code.UPLOADS_NEED_LOOPBACK)
    assert pending.call("GET", DIRECTORIES).status == 200
    for own in ("127.0.0.2", "::1", "localhost"):
        monkeypatch.setattr(store, "host", own)
        assert put(pending, "a", b"1").status == 204


def test_the_server_says_where_it_listens(servesim):
    assert servesim.workspace.store.host == "127.0.0.1"


def raw(wire, head, body=b""):
    host, _, port = wire.address.partition(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    lines = [head, "Host: x", f"Authorization: Bearer {wire.handle.token}", "", ""]
    connection.sendall("\r\n".join(lines).encode() + body)
    return connection


@pytest.mark.parametrize("encoding", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_an_upload_that_breaks_off_leaves_nothing(pending, encoding):
    body = b"12345" if encoding.startswith("Content") else b"64\r\n12345"
    connection = raw(pending, f"PUT {FILES}a HTTP/1.1\r\n{encoding}", body)
    connection.close()
    while not [call for call in pending.handle.requests() if call.method == "PUT"]:
        pending.call("GET", DIRECTORIES)
    (call,) = [call for call in pending.handle.requests() if call.method == "PUT"]
    assert (call.status, call.path) == (400, FILES + "a")
    assert held(pending) == {}
    assert on_disk(pending) == []
    assert pending.handle.workspace.store.disk.used == 0


def test_a_body_that_is_no_chunks_leaves_nothing(pending):
    connection = raw(pending, f"PUT {FILES}a HTTP/1.1\r\nTransfer-Encoding: chunked", b"5\r\n12345\r\nzz\r\n")
    assert b" 400 " in connection.makefile("rb").readline()
    connection.close()
    assert on_disk(pending) == []


def test_who_sends_nothing_for_too_long_is_refused(pending, monkeypatch):
    monkeypatch.setattr(served, "BLOCK_CAP_S", 0)
    connection = raw(pending, f"PUT {FILES}a HTTP/1.1\r\nContent-Length: 9", b"1234")
    assert b" 408 " in connection.makefile("rb").readline()
    connection.close()
    assert on_disk(pending) == []


def test_an_upload_past_the_quota_is_refused_before_and_while_it_comes(wire):
    with LocalServer(artifact_quota=1_000) as server, server.open() as handle:
        wire = type(wire)(handle)
        register(wire)
        assert put(wire, "full", drawn(1_000)).status == 204
        assert put(wire, "full", b"").status == 204
        assert put(wire, "a", drawn(600)).status == 204
        for body in (b"x" * 401, iter([b"x" * 200, b"y" * 201])):
            message = refused(put(wire, "b", body), Code.UPLOAD_QUOTA)
            assert "servesim keeps 1000 bytes" in message
        assert put(wire, "b", b"x" * 400).status == 204
        assert held(wire) == {"full": 0, "a": 600, "b": 400}
        assert len(on_disk(wire)) == 3


# --- the end of versions --------------------------------------------------------------------------


def test_files_go_with_their_version_model_and_workspace(servesim_server, pending):
    put(pending, "a", b"1")
    assert len(on_disk(pending)) == 1
    assert pending.call("DELETE", UC + "model-versions/delete", {"name": MODEL, "version": "1"}).status == 200
    assert on_disk(pending) == []
    register(pending, "main.d.next")
    pending.call("PUT", "/api/2.0/fs/files/Models/main/d/next/1/a", b"2")
    assert len(on_disk(pending)) == 1
    assert pending.call("DELETE", UC + "registered-models/delete", {"name": "main.d.next"}).status == 200
    assert on_disk(pending) == []
    other = servesim_server.open()
    wire = type(pending)(other)
    register(wire)
    put(wire, "a", b"3")
    assert len(on_disk(pending)) == 1
    servesim_server.run(other.workspace.reset())
    assert on_disk(pending) == []
    register(wire)
    put(wire, "a", b"4")
    other.close()
    assert on_disk(pending) == []


def test_the_store_goes_with_the_server(wire):
    with LocalServer() as server, server.open() as handle:
        wire = type(wire)(handle)
        register(wire)
        put(wire, "a", b"1")
        folder = handle.workspace.store.disk.folder
        assert folder.exists()
    assert not folder.exists()


# --- signed URLs ----------------------------------------------------------------------------------


def test_a_signed_url_takes_a_file_and_another_gives_it(pending):
    asked = {"path": VERSION + "/data/a b"}
    given = pending.call("POST", "/api/2.0/fs/create-upload-url", asked).json
    assert given["headers"] == []
    at = given["url"].removeprefix(pending.handle.host)
    answer = pending.call("PUT", at, b"12345", token=False)
    assert (answer.status, answer.body) == (200, b"")
    assert held(pending) == {"data/a b": 5}
    for got in (
        pending.call("POST", "/api/2.0/fs/create-download-url", asked),
        pending.call("POST", f"/api/2.0/fs/create-download-url?path={VERSION}/data/a%20b"),
    ):
        at = got.json["url"].removeprefix(pending.handle.host)
        assert pending.call("GET", at, token=False).body == b"12345"
        assert pending.call("GET", at, headers={"Range": "bytes=1-2"}, token=False).body == b"23"
    refused(pending.call("POST", "/api/2.0/fs/create-download-url", {"path": VERSION + "/none"}), Code.FILE_MISSING)


def test_a_signed_url_changes_no_version_that_is_registered_meanwhile(pending):
    given = pending.call("POST", "/api/2.0/fs/create-upload-url", {"path": VERSION + "/a"}).json
    put(pending, "a", b"1")
    pending.call("POST", UC + "model-versions/finalize", {"name": MODEL, "version": "1"})
    at = given["url"].removeprefix(pending.handle.host)
    refused(pending.call("PUT", at, b"2", token=False), Code.VERSION_SEALED)


# --- the workspace registry -----------------------------------------------------------------------


@pytest.fixture
def named(wire, tmp_path):
    """Give a workspace with a version in each registry whose folder was named by whoever runs the server."""
    (tmp_path / "MLmodel").write_text("flavors: {python_function: {loader_module: made_up}}\n")
    (tmp_path / "conda.yaml").write_text("dependencies: [{pip: [mlflow]}]\n")
    for name in (MODEL, "named"):
        wire.handle.models.mlflow(name, tmp_path)
    return wire


@pytest.mark.parametrize("first", ["contents", "metadata", "file", "url"])
def test_what_was_named_is_read_like_what_was_uploaded(named, first):
    reads = {
        "contents": lambda: named.call("GET", DIRECTORIES),
        "metadata": lambda: named.call("HEAD", DIRECTORIES),
        "file": lambda: named.call("GET", FILES + "MLmodel"),
        "url": lambda: named.call("POST", "/api/2.0/fs/create-download-url", {"path": f"{VERSION}/MLmodel"}),
    }
    assert reads[first]().status == 200
    listed = named.call("GET", DIRECTORIES).json["contents"]
    assert [entry["name"] for entry in listed] == ["MLmodel", "conda.yaml"]


def test_what_was_named_in_the_workspace_registry_is_read_too(named):
    query = "?name=named&version=1&path="
    files = named.call("GET", "/api/2.0/mlflow/model-versions/list-artifacts" + query).json["files"]
    assert [file["path"] for file in files] == ["MLmodel", "conda.yaml"]


def test_what_was_named_and_is_gone_says_so(named, tmp_path):
    (tmp_path / "MLmodel").unlink()
    (tmp_path / "conda.yaml").unlink()
    tmp_path.rmdir()
    assert "no such" in refused(named.call("GET", DIRECTORIES), Code.SOURCE_UNREADABLE).lower()
    tmp_path.mkdir()


@pytest.mark.parametrize("registry", ["/api/2.0/mlflow/", "/api/2.0/preview/mlflow/"])
def test_files_of_the_workspace_registry_are_listed_and_read(wire, registry):
    assert wire.call("POST", registry + "registered-models/create", {"name": "fraud"}).status == 200
    fill(wire, "fraud", {"MLmodel": b"x", "data/a b": b"12345"})
    asked = registry + "model-versions/list-artifacts?name=fraud&version=1"
    assert wire.call("GET", asked).json == {
        "files": [{"path": "MLmodel", "is_dir": False, "file_size": 1}, {"path": "data", "is_dir": True}]
    }
    listed = {"files": [{"path": "data/a b", "is_dir": False, "file_size": 5}]}
    assert wire.call("GET", asked + "&path=data").json == listed
    assert wire.call("GET", asked + "&path=data/a%20b").json == listed
    refused(wire.call("GET", asked + "&path=none"), Code.FOLDER_MISSING)
    refused(wire.call("GET", asked + "&path=../x"), Code.PATH_INVALID)
    signed = registry + "model-versions/get-signed-download-uri?name=fraud&version=1&path="
    given = wire.call("GET", signed + "data/a%20b").json
    assert given["headers"] == []
    at = given["signed_uri"].removeprefix(wire.handle.host)
    assert wire.call("GET", at, token=False).body == b"12345"
    refused(wire.call("GET", signed + "data"), Code.FILE_MISSING)


def fill(wire, name, files):
    """Give a version of the workspace registry files, as its registration does."""

    async def work():
        workspace = wire.handle.workspace
        workspace.clock.execute(CreateModelVersion(name, None, "elsewhere"))
        number = workspace.world.registry.model(name).number

        async def body(content):
            yield content

        for path, content in files.items():
            await workspace.artifacts.write((number, "1"), path, body(content))

    wire.handle._server.run(work())


# --- faults ---------------------------------------------------------------------------------------


def test_a_download_may_break_off_or_be_garbled_as_it_was_ordered(pending):
    content = drawn(1_000_000)
    put(pending, "a", content)
    pending.handle.faults.add("truncate", operation="download_file", cut_at=700_000, times=1)
    with raw(pending, f"GET {FILES}a HTTP/1.1") as wire, wire.makefile("rb") as answer:
        head, _, body = answer.read().partition(b"\r\n\r\n")
    assert b"Content-Length: 1000000" in head
    assert body == content[:700_000]
    pending.handle.faults.add("garble", operation="download_file", times=1)
    assert pending.call("GET", FILES + "a").body == b"<garbled by a fault>"
    assert pending.call("GET", FILES + "a").body == content


# --- clients --------------------------------------------------------------------------------------


@pytest.fixture
def sdk(pending):
    return pending.handle.client().files


def test_an_upload_in_parts_is_asked_for_in_words_that_are_known(pending):
    for there in (False, True):
        if there:
            assert put(pending, "a", b"1").status == 204
        answer = pending.call("POST", FILES + "a?action=initiate-upload&overwrite=1.9", b"")
        assert "overwrite" in refused(answer, Code.BAD_FIELD)


@pytest.mark.sdk
def test_the_sdk_s_files(pending, sdk, tmp_path):
    sdk.create_directory(VERSION + "/data")
    sdk.upload(VERSION + "/data/é x", io.BytesIO(b"12345"), overwrite=True)
    (tmp_path / "file").write_bytes(b"678")
    sdk.upload_from(VERSION + "/b", str(tmp_path / "file"))
    assert sdk.download(VERSION + "/data/é x").contents.read() == b"12345"
    sdk.download_to(VERSION + "/b", str(tmp_path / "again"))
    assert (tmp_path / "again").read_bytes() == b"678"
    assert [(entry.name, entry.is_directory) for entry in sdk.list_directory_contents(VERSION)] == [
        ("b", False),
        ("data", True),
    ]
    assert sdk.get_metadata(VERSION + "/b").content_length == 3
    sdk.get_directory_metadata(VERSION + "/data")
    sdk.delete(VERSION + "/b")
    from databricks.sdk.errors import AlreadyExists, NotFound

    with pytest.raises(NotFound):
        sdk.get_directory_metadata(VERSION + "/b")
    with pytest.raises(NotFound):
        sdk.download(VERSION + "/b")
    with pytest.raises(AlreadyExists):
        sdk.upload(VERSION + "/data/é x", io.BytesIO(b"1"), overwrite=False)


def write_all(pipe, content):
    with os.fdopen(pipe, "wb") as stream:
        stream.write(content)


@pytest.mark.sdk
@pytest.mark.parametrize("seekable", [True, False])
def test_the_sdk_uploads_and_downloads_large_files(pending, sdk, tmp_path, caplog, seekable):
    content = drawn(1024 * 1024) * 60
    (tmp_path / "large").write_bytes(content)
    if seekable:
        sdk.upload_from(VERSION + "/large", str(tmp_path / "large"), overwrite=True)
    else:
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as stream:
            writer = threading.Thread(target=write_all, args=(writing, content))
            writer.start()
            sdk.upload(VERSION + "/large", stream, overwrite=True)
            writer.join()
    assert sdk.download(VERSION + "/large").contents.read() == content
    sdk.download_to(VERSION + "/large", str(tmp_path / "again"), use_parallel=True)
    assert (tmp_path / "again").read_bytes() == content
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]
    assert len(on_disk(pending)) == 1
    assert pending.handle.not_simulated == {}


def test_curl_uploads_and_downloads(pending, tmp_path):
    content = drawn(3_000_000)
    (tmp_path / "file").write_bytes(content)
    curl = [
        "curl",
        "-sS",
        "--noproxy",
        "*",
        "-H",
        f"Authorization: Bearer {pending.handle.token}",
        "-w",
        "%{http_code}",
    ]
    url = pending.handle.host + FILES
    up = subprocess.run([*curl, "-T", str(tmp_path / "file"), url + "file"], capture_output=True, check=True)
    assert up.stdout == b"204"
    down = subprocess.run([*curl, "-o", str(tmp_path / "again"), url + "file"], capture_output=True, check=True)
    assert down.stdout == b"200"
    assert (tmp_path / "again").read_bytes() == content


def test_who_downloads_slowly_or_uploads_much_keeps_nobody_waiting(pending, servesim_server):
    content = drawn(served.BLOCK_BYTES * 8)
    put(pending, "large", content)
    slow = raw(pending, f"GET {FILES}large HTTP/1.1")
    open_upload = raw(pending, f"PUT {FILES}b HTTP/1.1\r\nContent-Length: 9", b"1234")
    other = servesim_server.open()
    assert type(pending)(other).call("GET", "/api/2.0/serving-endpoints").status == 200
    other.close()
    open_upload.sendall(b"56789")
    assert b" 204 " in open_upload.makefile("rb").readline()
    with slow.makefile("rb") as answer:
        while answer.readline() != b"\r\n":
            pass
        assert answer.read(len(content)) == content
    slow.close()
    open_upload.close()


def test_who_takes_nothing_of_a_download_is_let_go(pending, servesim_server, monkeypatch):
    async def connected():
        connections = servesim_server.server._listeners[0]._runner.server.connections
        return {one.transport.get_extra_info("peername") for one in connections if one.transport is not None}

    monkeypatch.setattr(whole, "BLOCK_CAP_S", 0)
    content = drawn(1024) * 64 * 1024
    put(pending, "large", content)
    stuck = raw(pending, f"GET {FILES}large HTTP/1.1")
    with contextlib.suppress(ConnectionResetError):
        stuck.recv(1)  # from then on the server has the connection, or has ended it
    while stuck.getsockname() in servesim_server.run(connected()):
        pass  # it ends by itself
    got = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while part := stuck.recv(1 << 20):
            got += part
    assert len(got) < len(content)
    stuck.close()
