"""Who comes to the rim with ill intent, or with a slow line: refused or bounded, and the server goes on."""

from __future__ import annotations

import contextlib
import json
import resource
import socket

import pytest

from servesim.delivery.handle import LocalServer
from servesim.http import calls, rim, server


@pytest.fixture
def many_files():
    """Let this process have both ends of 1,000 connections open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(servesim):
    host, _, port = servesim.host.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def exchange(servesim, head, body=b""):
    """Send a call as it is and return status and body of the answer."""
    with connect(servesim) as wire:
        wire.sendall(head.encode() + body)
        with wire.makefile("rb") as answer:
            status = int(answer.readline().split()[1])
            lengths = [line for line in iter(answer.readline, b"\r\n") if line.lower().startswith(b"content-length:")]
            return status, answer.read(int(lengths[0].partition(b":")[2]))


def head(servesim, method, path, *headers):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {servesim.token}", *headers]
    return "\r\n".join(lines) + "\r\n\r\n"


def assert_goes_on(servesim):
    assert exchange(servesim, head(servesim, "GET", "/api/2.0/serving-endpoints"))[0] == 200


JSON = "Content-Type: application/json"

PATHS = [
    "/../api/2.0/serving-endpoints",
    "/x/../api/2.0/serving-endpoints",
    "/api/2.0/../2.0/serving-endpoints",
    "/api/2.0/./serving-endpoints",
    "/%2e%2e/api/2.0/serving-endpoints",
    "/api%2F2.0%2Fserving-endpoints",
    "/api/2.0%2fserving-endpoints",
    "/api/2.0/serving-endpoints/..%2f..%2fsecrets",
    "/api/2.0/serving-endpoints/%2e%2e",
    "/_servesim/v1/../../api/2.0/serving-endpoints",
    "/_servesim/v1/health/../../../api/2.0/serving-endpoints",
    "/oidc/../api/2.0/serving-endpoints",
    "/serving-endpoints/../../api/2.0/serving-endpoints",
    "/serving-endpoints/..%2f..%2fetc/invocations",
    "/.well-known/databricks-config/../../api/2.0/serving-endpoints",
    "/\\..\\api/2.0/serving-endpoints",
    "/api/2.0/serving-endpoints/%00",
    "/api/2.0/serving-endpoints/%ff%fe",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_path_leads_to_what_is_written_and_nowhere_else(servesim, method, path):
    for name in ("..", "a"):
        servesim.workspace.not_simulated.clear()
        status, body = exchange(servesim, head(servesim, method, path, "Content-Length: 0"))
        assert status in {400, 401, 403, 404, 405, 501}, (name, body)
    servesim.workspace.not_simulated.clear()
    assert_goes_on(servesim)


def test_an_encoded_slash_in_a_name_stays_in_the_name(servesim):
    status, body = exchange(servesim, head(servesim, "GET", "/api/2.0/serving-endpoints/a%2Fconfig"))
    assert (status, json.loads(body)["message"]) == (404, "Endpoint with name 'a/config' does not exist.")


@pytest.mark.parametrize("header", ["X-Large: {}", "Authorization: Bearer {}", "Host: {}", "Cookie: {}", "X-{}: 1"])
def test_a_header_of_64_kb_is_refused(servesim, header):
    status, body = exchange(servesim, f"GET / HTTP/1.1\r\n{header.format('x' * 65_536)}\r\n\r\n")
    assert status == 400
    assert len(body) < 1_000
    assert_goes_on(servesim)


def test_a_path_of_64_kb_is_refused(servesim):
    assert exchange(servesim, head(servesim, "GET", "/" + "x" * 65_536))[0] == 400
    assert_goes_on(servesim)


def test_ten_thousand_headers_are_refused(servesim):
    assert exchange(servesim, head(servesim, "GET", "/", *(f"X-{number}: 1" for number in range(10_000))))[0] == 400
    assert_goes_on(servesim)


@pytest.mark.parametrize("host", ["evil.example", "", "a b", "x\x01", "[", "127.0.0.1:99999"])
def test_a_host_that_is_not_ours_gets_nothing_from_the_admin_api(servesim, host):
    sent = f"GET /_servesim/v1/workspaces HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {servesim.token}\r\n\r\n"
    assert exchange(servesim, sent)[0] in {400, 401, 403}
    assert_goes_on(servesim)


@pytest.mark.parametrize(
    "path", ["/api/2.0/serving-endpoints", "/serving-endpoints/e/invocations", "/api/2.0/secrets/put", "/oidc/v1/token"]
)
@pytest.mark.parametrize("length", ["Content-Length: 9", "Transfer-Encoding: chunked"])
def test_a_body_that_does_not_come_is_waited_for_so_long(servesim, monkeypatch, path, length):
    monkeypatch.setattr(calls, "BODY_CAP_S", 0.05)
    kind = "Content-Type: application/x-www-form-urlencoded"
    status, body = exchange(
        servesim, head(servesim, "POST", path, length, kind), b"1\r\n{\r\n" if "chunked" in length else b"{"
    )
    assert (status, json.loads(body)["error_code"]) == (408, "DEADLINE_EXCEEDED")
    assert_goes_on(servesim)


def test_a_body_that_comes_in_pieces_is_read_to_its_end(servesim):
    body = json.dumps({"name": "fraud"}).encode()
    with connect(servesim) as wire:
        wire.sendall(head(servesim, "POST", "/api/2.0/serving-endpoints", f"Content-Length: {len(body)}").encode())
        for byte in body:
            wire.sendall(bytes([byte]))
        assert wire.recv(15) == b"HTTP/1.1 200 OK"


def test_of_a_thousand_idle_connections_the_oldest_go(many_files, monkeypatch):
    monkeypatch.setattr(server, "room_for_connections", lambda: 100)
    with LocalServer() as local:
        handle = local.open()
        with contextlib.ExitStack() as idle:
            wires = [idle.enter_context(connect(handle)) for _ in range(1_000)]
            assert_goes_on(handle)
            assert [wire.recv(1) for wire in wires[:800]] == [b""] * 800  # closed by the server
            wires[-1].sendall(head(handle, "GET", "/api/2.0/serving-endpoints").encode())
            assert wires[-1].recv(15) == b"HTTP/1.1 200 OK"


def test_a_connection_that_waits_for_its_answer_is_not_the_one_to_go(servesim, monkeypatch):
    monkeypatch.setattr(server, "room_for_connections", lambda: 3)
    with LocalServer() as local:
        handle = local.open(clock="frozen")
        handle.models.stub("m", "constant", value=1)
        entity = {"entity_name": "m", "entity_version": "1", "scale_to_zero_enabled": True}
        body = json.dumps({"name": "e", "config": {"served_entities": [entity]}}).encode()
        made = head(handle, "POST", "/api/2.0/serving-endpoints", f"Content-Length: {len(body)}")
        assert exchange(handle, made, body)[0] == 200
        handle.clock.advance("2h")  # it serves, and then sleeps
        scoring = head(handle, "POST", "/serving-endpoints/e/invocations", "Content-Length: 15", JSON)
        with contextlib.ExitStack() as others:
            held = others.enter_context(connect(handle))
            held.sendall(scoring.encode() + b'{"inputs": [1]}')
            for _ in range(10):
                others.enter_context(connect(handle))
                assert_goes_on(handle)
            handle.clock.advance("10m")
            with held.makefile("rb") as answer:
                assert answer.readline() == b"HTTP/1.1 200 OK\r\n"


def test_there_is_room_for_fewer_connections_than_files():
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert 0 < rim.room_for_connections() <= rim.MOST_CONNECTIONS
    assert rim.room_for_connections() < files or files < 0
