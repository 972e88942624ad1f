"""One call to a server that behaves badly: an answer has one limit of time and of size."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from servesim.delivery import client
from servesim.delivery.client import Target, Unreachable, call


class Talker(threading.Thread):
    """Says some bytes to the first who asks, then others again and again until nobody listens."""

    def __init__(self, first, again, every_s) -> None:
        super().__init__(daemon=True)
        self.first, self.again, self.every_s = first, again, every_s
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.ended = threading.Event()
        self.start()

    @property
    def target(self):
        return Target(f"http://127.0.0.1:{self.listener.getsockname()[1]}", "token")

    def run(self):
        with contextlib.suppress(OSError), self.listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(self.first)
            while self.again and not self.ended.wait(self.every_s):
                connection.sendall(self.again)


@pytest.fixture
def talker():
    made = []

    def make(first, again=b"", every_s=0.01):
        made.append(Talker(first, again, every_s))
        return made[-1].target

    yield make
    for one in made:
        one.ended.set()
        one.listener.close()
        one.join(30)


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (HEAD + b"\r\n", b"x"),
        (HEAD + b"Content-Length: 100000\r\n\r\n", b"x"),
        (CHUNKED, b"1\r\nx\r\n"),
        (HEAD + b"A: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "length", "chunked", "header", "continue"],
)
def test_an_answer_that_drips_has_one_limit(talker, first, again):
    with pytest.raises(Unreachable, match=r"^its answer had not ended after 0\.3 s$"):
        call(talker(first, again), "/", timeout_s=0.3)


@pytest.mark.parametrize(
    ("head", "again"),
    [
        (HEAD + b"\r\n", b"x" * 1000),
        (HEAD + b"Content-Length: 1000000000000000\r\n\r\n", b"x" * 1000),
        (CHUNKED, b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
    ],
    ids=["body", "length", "chunked"],
)
def test_an_answer_without_end_is_not_kept(talker, monkeypatch, head, again):
    monkeypatch.setattr(client, "BODY_LIMIT", 10_000)
    with pytest.raises(Unreachable, match="its answer is longer than 10,000 bytes"):
        call(talker(head, again, 0), "/", timeout_s=30)


def test_an_answer_that_is_cut_off_is_none(talker):
    with pytest.raises(Unreachable, match="IncompleteRead"):
        call(talker(HEAD + b"Content-Length: 9\r\n\r\nabc"), "/")


def test_an_answer_is_read_whole(talker):
    assert call(talker(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n"), "/").body == b"abc"
