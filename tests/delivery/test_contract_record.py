"""`servesim contract record`: it passes everything on as it is, and writes what it may."""

from __future__ import annotations

import gzip
import http.client
import http.server
import json
import os
import socket
import stat
import threading
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

import servesim
from servesim.delivery import recording
from servesim.delivery.cli import main
from servesim.delivery.recording import Exchange, Recording, Side, Unreadable, read_recording

JSON = (("Content-Type", "application/json"),)
NO_LINE = {"omitted": "neither JSON nor one line of plain text"}


class Upstream(http.server.ThreadingHTTPServer):
    """A server that tells what it was sent and answers as a test wants it."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = []
        self.breaks_off = False
        self.answer = (200, JSON, b'{"is": "ok"}')
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self):
        self.close_connection |= self.server.breaks_off
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        self.server.seen.append((self.command, self.path, self.headers, body))
        status, headers, answer = self.server.answer
        self.send_response(status, "As Told")
        for name, value in headers:
            self.send_header(name, value)
        if not any(name == "Content-Length" for name, _ in headers) and status not in {204, 304}:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.handle_one
        raise AttributeError(name)

    def log_message(self, *_):
        pass


@pytest.fixture
def upstream():
    with Upstream() as server:
        yield server
        server.shutdown()
        server.thread.join()


def ask(url, method="GET", path="/", body=None, headers=None):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_a_client_of_servesim_is_recorded_line_by_line(recorder):
    with servesim.run() as sim:
        running = recorder(sim.host)
        headers = {"Authorization": f"Bearer {sim.token}", "Content-Type": "application/json"}
        ask(running.url, "GET", "/api/2.0/serving-endpoints/?a=1", headers=headers)
        ask(running.url, "POST", "/serving-endpoints/none/invocations", b'{"inputs": [1]}', headers)
        text = running.end()
    first, second = lines(text)
    assert first == {
        "method": "GET",
        "path": "/api/2.0/serving-endpoints/",
        "query": "a=1",
        "status": 200,
        "request": {"content_type": "application/json"},
        "response": {
            "content_type": "application/json",
            "json": {"endpoints": []},
            "headers": ["content-length", "content-type"],
        },
    }
    assert (second["status"], second["request"]["json"]) == (404, {"inputs": [1]})
    assert "x-request-id" in second["response"]["headers"]
    assert running.code == 0
    assert running.said == f"2 exchanges written to {running.file}\n"
    assert sim.token not in text


def test_everything_passes_as_it_is(recorder, upstream):
    answer = (("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Own", "x"))
    upstream.answer = (418, (*answer, ("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5")), b"pot")
    running = recorder(upstream.url)
    sent = {"X-Mine": "y", "Connection": "X-Other", "X-Other": "1", "Accept-Encoding": "gzip", "User-Agent": "mine/1"}
    response, body = ask(running.url, "PATCH", "/a%2Fb/../c;d?x=%20y&x=2", b"\x00\xff", sent)
    assert (response.status, response.reason, body) == (418, "As Told", b"pot")
    assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert (response.headers["X-Own"], response.headers["X-Hop"]) == ("x", None)
    [(method, path, headers, body)] = upstream.seen
    assert (method, path, body) == ("PATCH", "/a%2Fb/../c;d?x=%20y&x=2", b"\x00\xff")
    assert headers["Host"] == upstream.url.partition("://")[2]
    assert (headers["X-Mine"], headers["User-Agent"]) == ("y", "mine/1")
    assert (headers["X-Other"], headers["Content-Type"]) == (None, None)
    assert headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_stays_without(recorder, upstream, status):
    upstream.answer = (status, (), b"")
    response, body = ask(recorder(upstream.url).url)
    assert (response.status, body) == (status, b"")


def test_a_redirect_is_passed_back(recorder, upstream):
    upstream.answer = (302, (("Location", "http://127.0.0.1:1/"),), b"")
    response, _ = ask(recorder(upstream.url).url)
    assert (response.status, response.headers["Location"]) == (302, "http://127.0.0.1:1/")


def test_the_length_that_head_tells_is_passed_back(recorder, upstream):
    upstream.answer = (200, (("Content-Length", "1234"),), b"")
    response, body = ask(recorder(upstream.url).url, "HEAD")
    assert (response.headers["Content-Length"], body) == ("1234", b"")


def test_a_body_beyond_the_limit_passes_and_is_left_out(recorder, upstream):
    large = b"[" + b"1," * recording.BODY_LIMIT + b"1]"
    upstream.answer = (200, JSON, large)
    running = recorder(upstream.url)
    _, body = ask(running.url, "POST", "/", large, dict(JSON))
    assert body == large
    assert upstream.seen[0][3] == large
    [line] = lines(running.end())
    assert line["request"]["omitted"] == line["response"]["omitted"] == "longer than 1,048,576 bytes"
    assert running.file.stat().st_size < 1000


def test_a_chunked_body_passes(recorder, upstream):
    running = recorder(upstream.url)
    ask(running.url, "POST", "/", iter([b'{"a"', b": 1}"]), dict(JSON))
    assert upstream.seen[0][3] == b'{"a": 1}'
    assert lines(running.end())[0]["request"]["json"] == {"a": 1}


def test_who_waits_for_100_continue_is_told_to_go_on(recorder, upstream):
    running = recorder(upstream.url)
    host, _, port = urlsplit(running.url).netloc.partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_an_upstream_that_is_not_there_is_an_error_and_no_exchange(recorder):
    running = recorder("http://127.0.0.1:1")
    response, body = ask(running.url, path="/a?token=secret-in-query", headers={"Authorization": "Bearer secret-token"})
    assert response.status == 502
    assert json.loads(body)["error_code"] == "TEMPORARILY_UNAVAILABLE"
    assert b"secret" not in body
    assert running.end() == ""
    assert running.said.startswith("0 exchanges written")


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-A: a\x01b\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: \xff\r\n",
        b"HTTP/1.1 200 \x1b[31m\r\n",
    ],
)
def test_a_head_that_cannot_be_passed_back_is_the_recorder_s_own_answer(recorder, head):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(head + b"Content-Length: 2\r\n\r\n{}")

        thread = threading.Thread(target=answer)
        thread.start()
        running = recorder(f"http://127.0.0.1:{server.getsockname()[1]}")
        response, body = ask(running.url)
        thread.join()
    assert response.status == 502
    assert json.loads(body)["error_code"] == "TEMPORARILY_UNAVAILABLE"
    assert running.end() == ""


def test_what_is_no_http_is_not_printed(recorder, upstream):
    running = recorder(upstream.url)
    host, _, port = urlsplit(running.url).netloc.partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET /?token=\x00secret-in-line HTTP/1.1\r\nA b: secret-in-head\r\n\r\n")
        assert b" 400 " in connection.recv(1000)
    running.end()
    assert "Traceback" not in running.said
    assert "secret-in" not in running.said


def test_an_answer_that_breaks_off_breaks_off_and_is_no_exchange(recorder, upstream):
    upstream.answer = (200, (("Content-Length", "100"),), b"part")
    upstream.breaks_off = True
    running = recorder(upstream.url)
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        ask(running.url)
    assert running.end() == ""


def test_the_upstream_s_certificate_is_checked(recorder, tmp_path):
    pytest.importorskip("trustme")
    from servesim.delivery.tls import throw_away

    with throw_away(("localhost",), None) as tls, Upstream() as upstream:
        upstream.socket = tls.context.wrap_socket(upstream.socket, server_side=True)
        running = recorder(f"https://localhost:{upstream.server_address[1]}")
        response, body = ask(running.url)
        upstream.shutdown()
        upstream.thread.join()
    assert response.status == 502
    assert b"ClientConnectorCertificateError" in body
    assert upstream.seen == []


# --- the file -----------------------------------------------------------------------------------------


def exchange(request=b"", response=b"", content_type="application/json", *, path="/a", query="", headers=()):
    typed = (("Content-Type", content_type),)
    return Exchange("POST", path, query, 200, Side((*typed, *headers), request), Side(typed, response))


@pytest.fixture
def written(tmp_path):
    """Write exchanges and return the lines."""

    def write(*exchanges):
        file = Recording(tmp_path / "r.jsonl")
        for one in exchanges:
            file.add(one)
        file.close()
        return lines((tmp_path / "r.jsonl").read_text())

    return write


def test_the_file_is_its_owner_s_alone(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("")
    path.chmod(0o644)
    file = Recording(path)
    file.add(exchange())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    file.close()


def test_a_recording_is_continued(written):
    written(exchange(b"1"))
    assert [line["request"]["json"] for line in written(exchange(b"2"))] == [1, 2]


def test_a_recording_that_ends_with_half_a_line_is_continued_on_the_next(written, tmp_path):
    written(exchange(b"1"))
    path = tmp_path / "r.jsonl"
    half = path.read_text()[:-10]
    path.write_text(half)
    file = Recording(path)
    file.add(exchange(b"2"))
    file.close()
    first, second = path.read_text().splitlines()
    assert (first, json.loads(second)["request"]["json"]) == (half, 2)


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), os.mkfifo, lambda path: path.symlink_to("/dev/null")])
def test_what_is_no_file_is_refused(tmp_path, make):
    path = tmp_path / "r.jsonl"
    make(path)
    with pytest.raises(Unreadable, match=r"r\.jsonl"):
        Recording(path)


def test_a_full_file_takes_no_further_line(tmp_path, monkeypatch):
    file = Recording(tmp_path / "r.jsonl")
    monkeypatch.setattr(recording, "FILE_LIMIT", 300)
    for _ in range(5):
        file.add(exchange(b"[1, 2, 3]"))
    file.close()
    assert (file.written, file.left_out) == (1, 4)
    assert len(lines((tmp_path / "r.jsonl").read_text())) == 1


def test_half_a_line_is_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "r.jsonl"
    file = Recording(path)
    file.add(exchange(b"1"))
    write = os.write
    monkeypatch.setattr(os, "write", lambda number, data: write(number, data[:10]))
    with pytest.raises(OSError, match="no room"):
        file.add(exchange(b"2"))
    file.close()
    assert len(lines(path.read_text())) == 1


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", b'{"a": [1, null, true]}', {"json": {"a": [1, None, True]}}),
        ("application/json; charset=utf-8", b'"\xc3\xa4"', {"json": "ä"}),
        ("application/scim+json", b"{}", {"json": {}}),
        ("application/json", b'{"client_secret": "x', {"omitted": "not JSON", "size": 20}),
        ("application/json", b"[" * 100_000, {"omitted": "not JSON", "size": 100_000}),
        ("application/json", b"[" * 300 + b"]" * 300, {"omitted": "nested too deep", "size": 600}),
        ("application/json", b"\xff", {"omitted": "not UTF-8", "size": 1}),
        ("text/plain", b"hello", {"text": "hello"}),
        ("text/plain", b'{"a": 1}', {"text": '{"a": 1}'}),
        ("text/plain", b'{"client_secret": "x', NO_LINE | {"size": 20}),
        ("text/plain", b"a: b\nc: d", NO_LINE | {"size": 9}),
        ("text/plain", b"<a>b</a>", NO_LINE | {"size": 8}),
        ("text/plain", b"a" * 2_001, NO_LINE | {"size": 2_001}),
        ("text/csv", b"a,b\n1,2\n", NO_LINE | {"size": 8}),
        ("text/html", b"<p>no", NO_LINE | {"size": 5}),
        ("text/event-stream", b'data: {"a":1}\r\n\r\ndata: [DONE]\n', {"text": 'data: {"a": 1}\n\r\ndata: [DONE]\n'}),
        (
            "text/event-stream",
            b'data: {"a":\ndata: 1}\n',
            {"omitted": "a stream with data that are not JSON", "size": 21},
        ),
        ("application/json", b"\xef\xbb\xbf[]", {"json": []}),
        ("application/x-www-form-urlencoded", b"a=1&b=%20", {"text": "a=1&b=+"}),
        ("application/octet-stream", b"abc", NO_LINE | {"size": 3}),
        ("multipart/form-data; boundary=a", b"--a", NO_LINE | {"size": 3}),
        ("", b"", {}),
    ],
)
def test_a_body_is_written_as_far_as_it_can_be_looked_through(written, content_type, body, expected):
    [line] = written(exchange(body, body, content_type))
    line["request"].pop("content_type")
    line["response"].pop("content_type")
    line["response"].pop("headers")
    assert line["request"] == line["response"] == expected


def test_an_encoded_body_is_left_out(written):
    packed = Side((*JSON, ("Content-Encoding", "gzip")), gzip.compress(b"{}"))
    [line] = written(exchange()._replace(response=packed))
    assert line["response"]["omitted"] == "encoded as 'gzip'"


def test_what_was_written_is_read_again(written, tmp_path):
    written(exchange(b'{"a": "\\ud800"}', b"no", "text/plain", path="/x%20y", query="a=1&b="), exchange(b"{", b"[1]"))
    first, second = read_recording(tmp_path / "r.jsonl")
    assert (first.method, first.path, first.query, first.status) == ("POST", "/x%20y", {"a": "1", "b": ""}, 200)
    assert (first.request, first.response) == (("text/plain", b'{"a": "\\ud800"}'), ("text/plain", b"no"))
    assert first.headers == ("content-type",)
    assert (second.request[1], second.response[1]) == (b"?", b"[1]")
    assert second.where == f"{tmp_path / 'r.jsonl'}, line 2"


# --- usage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), 2, "Missing option '--upstream'"),
        (("--upstream", "ftp://x"), 2, "--upstream"),
        (("--upstream", "http://u:p@x"), 2, "has a user or password in it"),
        (("--upstream", "http://127.0.0.1:1", "--out", "nowhere/r.jsonl"), 2, "cannot be written"),
        (("--upstream", "http://127.0.0.1:1", "--port", "70000"), 2, "--port"),
    ],
)
def test_wrong_usage_is_told(tmp_path, monkeypatch, options, code, said):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["contract", "record", *options], catch_exceptions=False)
    assert (result.exit_code, said in result.stderr) == (code, True), result.output


def test_a_port_that_is_taken_is_told(tmp_path, upstream):
    port = str(upstream.server_address[1])
    arguments = ["--upstream", "http://127.0.0.1:1", "--port", port, "--out", str(tmp_path / "r.jsonl")]
    result = CliRunner().invoke(main, ["contract", "record", *arguments], catch_exceptions=False)
    assert result.exit_code == 1
    assert f"port {port} cannot be listened on" in result.stderr
