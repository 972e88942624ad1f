"""Bodies have a bound, whether they are announced or not, and nothing beyond it is kept."""

import asyncio
import http.client
import json
from types import SimpleNamespace

import pytest

from servesim.core.errors import Rejected
from servesim.http.calls import read_body

MEGABYTE = 2**20
LIMIT = 16 * MEGABYTE
INVOCATIONS = "/serving-endpoints/fraud/invocations"


def padded(size):
    return b'{"inputs": [1]' + b" " * (size - 15) + b"}"


def test_a_body_of_the_limit_passes(wire):
    wire.ready()
    assert wire.call("POST", INVOCATIONS, padded(LIMIT)).json == {"predictions": [1]}


def test_a_body_that_announces_more_is_400(wire):
    wire.ready()
    answer = wire.call("POST", INVOCATIONS, padded(LIMIT + 1))
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "16,777,216 bytes" in answer.json["message"]


def test_a_body_that_streams_more_is_400(wire):
    wire.ready()
    answer = wire.call("POST", INVOCATIONS, iter([b" " * MEGABYTE] * 18))
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_body_that_streams_less_passes(wire):
    wire.ready()
    chunks = iter([b'{"inputs"', b": [1, 2]", b"}"])
    answer = wire.call("POST", INVOCATIONS, chunks)
    assert answer.json == {"predictions": [1, 1]}


def test_a_control_body_beyond_its_limit_is_400(wire):
    body = json.dumps({"name": "fraud", "description": "x" * MEGABYTE}).encode()
    for sent in (body, iter([body])):
        answer = wire.call("POST", "/api/2.0/serving-endpoints", sent)
        assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert wire.list() == b'{"endpoints":[]}'


def test_the_server_goes_on_after_a_client_that_left(wire, caplog):
    wire.ready()
    connection = http.client.HTTPConnection(wire.address)
    connection.putrequest("POST", INVOCATIONS)
    connection.putheader("Authorization", f"Bearer {wire.handle.token}")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b'{"inp')
    connection.close()
    assert wire.score().status == 200
    assert caplog.records == []


class Endless:
    """A body that ends after so many megabytes, if it ends, and counts what was taken of it."""

    def __init__(self, megabytes=1000):
        self.end = megabytes * MEGABYTE
        self.taken = 0

    async def readany(self):
        return self.read_nowait()

    def read_nowait(self):
        if self.taken >= self.end:
            return b""
        self.taken += MEGABYTE
        return bytes(MEGABYTE)


def request(content, **headers):
    return SimpleNamespace(content_length=None, headers=headers, content=content)


def test_no_more_than_the_limit_is_taken():
    content = Endless()
    with pytest.raises(Rejected, match="body too large"):
        asyncio.run(read_body(request(content), LIMIT))
    assert content.taken <= LIMIT + MEGABYTE


def test_one_read_beyond_the_limit_is_too_large_as_well():
    with pytest.raises(Rejected, match="body too large"):
        asyncio.run(read_body(request(Endless(1)), 10))
