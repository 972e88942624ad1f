"""Many mixed calls from many clients to a server of its own: nothing stale, nothing wrong, memory flat at the end."""

from __future__ import annotations

import http.client
import json
import os
import threading
from pathlib import Path

import pytest

from servesim.core.draws import Stream

ENDPOINTS = "/api/2.0/serving-endpoints"
CLIENTS = 16
CALLS = 200_000
WARM = 0.4
"""The share of the calls after which every ring and log has been filled."""
GROWTH_BYTES = 12 * 1024 * 1024
"""What the server may grow by in the rest of them; a hundred bytes kept of each call would be as much."""


class Soak:
    """The server, and what the clients found wrong."""

    def __init__(self, server) -> None:
        self.server = server
        self.tokens = {admin: server.token(admin=admin) for admin in (False, True)}
        self.problems: list[str] = []
        self.calls = 0

    def resident(self) -> int:
        pages = Path(f"/proc/{self.server.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Client(threading.Thread):
    """One client with an endpoint of its own, whose every answer is known, and four that it shares with the others."""

    def __init__(self, soak, number, calls) -> None:
        super().__init__(name=f"client-{number}")
        self.soak, self.calls, self.number = soak, calls, number
        self.stream = Stream(number, "soak")
        self.drawn = 0
        self.own = f"own-{number}"
        self.connection = http.client.HTTPConnection(soak.server.address, timeout=120)

    def choose(self, count) -> int:
        self.drawn += 1
        return self.stream.between(self.drawn, 0, count - 1)

    def call(self, method, path, body=None, *, admin=False):
        headers = {"Authorization": f"Bearer {self.soak.tokens[admin]}", "Content-Type": "application/json"}
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = self.connection.getresponse()
        answer = response.read()
        self.calls -= 1
        self.soak.calls += 1
        if response.status >= 500:
            self.wrong(method, path, response.status, answer[:200])
        return response.status, answer, response.headers

    def wrong(self, *what) -> None:
        self.soak.problems.append(f"{self.name}: {what}")

    def expect(self, what, got, wanted) -> None:
        if got != wanted:
            self.wrong(what, got, "expected", wanted)

    def run(self) -> None:
        try:
            while self.calls > 0 and len(self.soak.problems) < 20:
                self.live()
        except Exception as error:  # noqa: BLE001 - a client that breaks is a finding
            self.wrong("broke", repr(error))
        self.connection.close()

    # --- a round of an endpoint of one's own: each answer follows from the calls before ---

    def live(self) -> None:
        version = 1 + self.choose(3)
        self.call("DELETE", f"{ENDPOINTS}/{self.own}")
        made = self.call("POST", ENDPOINTS, {"name": self.own, "config": config(version)})
        self.expect("create", made[0], 200)
        self.look(1, version)
        for number in range(2, 6):
            version = 1 + self.choose(3)
            self.expect("put", self.call("PUT", f"{ENDPOINTS}/{self.own}/config", config(version))[0], 200)
            self.look(number, version)
            for _ in range(self.choose(8)):
                self.share()
        self.expect("stop", self.call("POST", f"{ENDPOINTS}/{self.own}/config:stop")[0], 200)
        self.expect("score of what is stopped", self.score(self.own)[0], 400)
        self.expect("start", self.call("POST", f"{ENDPOINTS}/{self.own}/config:start")[0], 200)
        self.look(6, version)

    def look(self, number, version) -> None:
        """Read the own endpoint and score it; its state may not be older than the last change."""
        status, answer, _ = self.call("GET", f"{ENDPOINTS}/{self.own}")
        got = json.loads(answer)
        serving = got["config"]["served_entities"][0]["entity_version"]
        self.expect("get", (status, got["config"]["config_version"], serving), (200, number, str(version)))
        tag = str(self.choose(10**9))
        self.call("PATCH", f"{ENDPOINTS}/{self.own}/tags", {"add_tags": [{"key": "last", "value": tag}]})
        listed = json.loads(self.call("GET", f"{ENDPOINTS}/{self.own}")[1])["tags"]
        self.expect("tags", listed, [{"key": "last", "value": tag}])
        for _ in range(10):
            self.expect("score", self.score(self.own)[1], b'{"predictions": [%d]}' % version)

    def score(self, name):
        return self.call("POST", f"/serving-endpoints/{name}/invocations", {"inputs": [1]})

    # --- endpoints that everybody changes: only what can never be is wrong ---

    def share(self) -> None:
        name = f"shared-{self.choose(4)}"
        path, version = f"{ENDPOINTS}/{name}", 1 + self.choose(3)
        deeds = [
            lambda: self.call("POST", ENDPOINTS, {"name": name, "config": config(version)}),
            lambda: self.call("PUT", f"{path}/config", config(version)),
            lambda: self.call("GET", path),
            lambda: self.call("GET", ENDPOINTS),
            lambda: self.call("GET", f"{path}/events"),
            lambda: self.call("GET", f"{path}/metrics"),
            lambda: self.call("GET", f"{path}/served-models/fraud-{version}/build-logs"),
            lambda: self.call("POST", "/api/2.0/secrets/scopes/create", {"scope": name}),
            lambda: self.call(
                "POST", "/api/2.0/secrets/put", {"scope": name, "key": str(version), "string_value": "planted" * 20}
            ),
            lambda: self.call("GET", f"/api/2.0/secrets/list?scope={name}"),
            lambda: self.call("GET", "/_servesim/v1/workspaces/default/requests?last=20", admin=True),
            lambda: self.call("GET", "/_servesim/v1/workspaces/default/events?limit=20", admin=True),
            lambda: self.call("POST", "/_servesim/v1/workspaces/default/clock/advance", {"by": "31m"}, admin=True),
            lambda: self.call("POST", f"{path}/config:stop"),
            lambda: self.call("POST", f"{path}/config:start"),
            lambda: self.call("DELETE", path),
        ]
        _, answer, _ = deeds[self.choose(len(deeds))]()
        if b"planted" in answer:
            self.wrong("a secret came back", answer[:200])
        for _ in range(2):
            status, answer, headers = self.score(name)
            if status == 200 and answer != b'{"predictions": [%s]}' % headers["Served-Model-Name"][-1].encode():
                self.wrong("score of", name, answer, headers["Served-Model-Name"])


def config(version):
    entity = {"entity_name": "main.ml.fraud", "entity_version": str(version), "scale_to_zero_enabled": True}
    return {"served_entities": [entity]}


def live_together(soak, calls):
    clients = [Client(soak, number, calls // CLIENTS) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


@pytest.fixture
def soak(server_process):
    """A server whose model ``main.ml.fraud`` answers the number of its version."""
    models = [option for number in (1, 2, 3) for option in ("--model", f"main.ml.fraud@{number}=constant:{number}")]
    return Soak(server_process("--quiet", "--poll", "settle", *models))


@pytest.mark.deep
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory of a process is read from /proc")
def test_two_hundred_thousand_mixed_calls_from_sixteen_clients(soak):
    live_together(soak, int(CALLS * WARM))
    warm = soak.resident()
    live_together(soak, int(CALLS * (1 - WARM)))
    assert soak.problems == []
    assert soak.calls >= CALLS * 0.99
    assert soak.resident() - warm < GROWTH_BYTES


def test_a_few_mixed_calls(soak):
    live_together(soak, 1_600)
    assert soak.problems == []
