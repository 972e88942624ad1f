"""The built-in load generator: one process, keep-alive connections, one request at a time on each.

Reads what to do as JSON from standard input and writes what came of it as JSON. It selects on raw sockets and
sends bytes that were made before it began, so it costs a few microseconds for each request.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time
from typing import Any

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
SERVED = re.compile(rb"\r\nserved-model-name: *([^\r]+)", re.IGNORECASE)
END_OF_HEAD = b"\r\n\r\n"
GIVE_UP_S = 20.0


class Connection:
    """A connection that sends its request again as soon as it is answered."""

    __slots__ = ("head", "missing", "number", "parts", "request", "since", "socket")

    def __init__(self, number: int, address: tuple[str, int], request: bytes) -> None:
        """Connect."""
        self.number = number
        self.request = request
        self.since = 0.0
        self.head = b""
        self.parts: list[bytes] = []
        self.missing = 0
        self.socket = socket.create_connection(address, timeout=GIVE_UP_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self) -> None:
        """Send the request."""
        self.head, self.parts = b"", []
        self.since = time.perf_counter()
        self.socket.sendall(self.request)

    def answer(self) -> tuple[bytes, bytes] | None:
        """Read what came; return head and body once the answer is whole."""
        part = self.socket.recv(1 << 20)
        if not part:
            message = "the server closed a connection"
            raise ConnectionError(message)
        if not self.head:
            self.head, separator, part = b"".join([*self.parts, part]).partition(END_OF_HEAD)
            self.parts = []
            if not separator:
                self.head, self.parts = b"", [self.head]
                return None
            length = LENGTH.search(self.head)
            assert length is not None, self.head
            self.missing = int(length[1])
        self.parts.append(part)
        self.missing -= len(part)
        return None if self.missing > 0 else (self.head, b"".join(self.parts))


class Tally:
    """What came back: how long it took, from whom, and what was wrong with it."""

    def __init__(self, expected: dict[str, list[str]]) -> None:
        """Expect these bodies by served entity and connection; nothing expects only 200."""
        self.expected = {entity.encode(): [body.encode() for body in bodies] for entity, bodies in expected.items()}
        self.latencies: list[float] = []
        self.refused = 0
        self.wrong = 0
        self.served: dict[str, int] = {}

    def take(self, number: int, seconds: float, head: bytes, body: bytes) -> None:
        """Count an answer."""
        self.latencies.append(seconds)
        if not head.startswith(b"HTTP/1.1 200"):
            self.refused += 1
        elif self.expected:
            found = SERVED.search(head)
            entity = found[1] if found else b""
            self.served[entity.decode()] = self.served.get(entity.decode(), 0) + 1
            bodies = self.expected.get(entity)
            self.wrong += bodies is None or bodies[number] != body

    def percentile_ms(self, share: float) -> float:
        """Return the latency that a share of the answers stayed below."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """Load a server for a number of seconds."""
    address = (spec["host"], spec["port"])
    requests = [text.encode() for text in spec["requests"]]
    connections = [
        Connection(number, address, requests[number % len(requests)]) for number in range(spec["connections"])
    ]
    selector = selectors.DefaultSelector()
    for connection in connections:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send()
    tally = Tally(spec.get("expected", {}))
    began = time.perf_counter()
    seconds = _until(began + spec["seconds"], selector, tally) - began
    for connection in connections:
        connection.socket.close()
    return {
        "requests": len(tally.latencies),
        "seconds": seconds,
        "p50_ms": tally.percentile_ms(0.5),
        "p99_ms": tally.percentile_ms(0.99),
        "refused": tally.refused,
        "wrong": tally.wrong,
        "served": tally.served,
    }


def _until(end: float, selector: selectors.BaseSelector, tally: Tally) -> float:
    now = time.perf_counter()
    while now < end:
        ready = selector.select(GIVE_UP_S)
        if not ready:
            message = "the server did not answer"
            raise TimeoutError(message)
        for key, _ in ready:
            connection: Connection = key.data
            answer = connection.answer()
            if answer is not None:
                now = time.perf_counter()
                tally.take(connection.number, now - connection.since, *answer)
                connection.send()
    return now


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
