"""What is sent by hand: paths that are no addresses, and what is no HTTP at all."""

import logging
import socket
import threading

import pytest

from servesim.delivery.handle import LocalServer
from servesim.http.log import shown


def exchange(servesim, data):
    host, _, port = servesim.host.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as wire:
        wire.sendall(data)
        return wire.makefile("rb").readline()


@pytest.mark.parametrize("path", ["//[/", "//[", "////", "/;/", "//x:99999999/"])
def test_a_path_that_is_no_address_is_not_simulated(servesim, path):
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {servesim.token}\r\n\r\n"
    assert exchange(servesim, head.encode()) == b"HTTP/1.1 501 Not Implemented\r\n"
    assert [*servesim.not_simulated] == [f"GET {path}"]


@pytest.mark.parametrize("data", [b"GET /a\x1b[31m HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nno header\r\n\r\n"])
def test_what_is_no_http_is_one_line_of_the_log(servesim, caplog, data):
    with caplog.at_level(logging.ERROR):
        assert b" 400 " in exchange(servesim, data)
    (record,) = caplog.records
    assert record.exc_info is None
    assert record.getMessage().isprintable()


@pytest.mark.parametrize(
    "data",
    [
        b"GET /_servesim/signed/x?token=a-secret\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-secret\x01\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBearer a-secret\r\n\r\n",
        b"a-secret HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-secret" + b"x" * 9_000 + b"\r\n\r\n",
        b"GET /_servesim/signed/x?token=a-secret" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["query", "header", "no header", "no call", "long header", "long query"],
)
def test_no_line_of_the_log_quotes_what_is_no_http(servesim, caplog, data):
    with caplog.at_level(logging.DEBUG):
        assert b" 400 " in exchange(servesim, data)
    assert "a-secret" not in caplog.text
    assert "Error handling request" in caplog.text


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\nb", "a\x9b", "é", "a\u202eb"])
def test_lines_of_the_log_hold_nothing_that_a_terminal_obeys(text):
    line = shown(text, 100)
    assert line.isascii()
    assert line.isprintable()


def test_a_server_stops_although_somebody_has_sent_half_a_body():
    with LocalServer() as server:
        handle = server.open()
        wire = socket.create_connection((server.server.host, server.server.port), timeout=30)
        head = f"POST /serving-endpoints/e/invocations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {handle.token}\r\n"
        wire.sendall(head.encode() + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n{")
        assert wire.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"  # it is being read
    wire.close()


def test_a_handle_of_a_stopped_server_says_so():
    server = LocalServer().start()
    handle = server.open()
    server.stop()
    with pytest.raises(RuntimeError, match="has stopped"):
        handle.clock.now()


def test_two_threads_that_advance_move_time_by_the_sum(servesim):
    before = servesim.clock.now()
    threads = [threading.Thread(target=servesim.clock.advance, args=("1m",)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (before, servesim.clock.now()) == ("2026-01-05T09:00:00Z", "2026-01-05T09:10:00Z")


@pytest.mark.parametrize("by", [float("inf"), float("nan"), 1e300, "9" * 400 + "d", "99999999d"])
def test_time_is_not_advanced_beyond_its_end(servesim, by):
    with pytest.raises(ValueError, match="year 9999"):
        servesim.clock.advance(by)
    assert servesim.clock.now() == "2026-01-05T09:00:00Z"
