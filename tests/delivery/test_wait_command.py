"""`servesim wait`: until a server answers, until an endpoint is ready, and when it gives up."""

from __future__ import annotations

import http.server
import json
import socket
import threading

import pytest

ENDPOINTS = "/api/2.0/serving-endpoints"


@pytest.fixture
def _at_once(monkeypatch):
    """Let no real time pass between two looks."""
    monkeypatch.setattr("servesim.delivery.wait.rest", lambda _seconds: None)


pytestmark = pytest.mark.usefixtures("_at_once")


def test_a_server_that_answers(command, here):
    result = command("wait")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{here.host} answers\n", "")


def test_a_server_that_starts_meanwhile(command, monkeypatch, here):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    servers = []

    def start(_seconds):
        if not servers:
            servers.append(http.server.HTTPServer(("127.0.0.1", port), _Healthy))
            threading.Thread(target=servers[0].serve_forever, daemon=True).start()

    monkeypatch.setattr("servesim.delivery.wait.rest", start)
    result = command("wait", "--url", f"http://127.0.0.1:{port}", "--timeout", "30s")
    servers[0].shutdown()
    servers[0].server_close()
    assert result.exit_code == 0
    assert result.stderr == f"waiting for http://127.0.0.1:{port}/_servesim/v1/health\n"


class _Healthy(http.server.BaseHTTPRequestHandler):
    """A server that is healthy."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        """Say nothing."""


def test_a_server_that_never_comes(command):
    result = command("wait", "--url", "http://127.0.0.1:1", "--timeout", "0s")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "asked http://127.0.0.1:1 for 0s; nothing answers there" in result.stderr


def test_an_endpoint_that_becomes_ready(command, deploy):
    deploy("fraud")
    result = command("wait", "--endpoint", "fraud")
    assert (result.exit_code, result.stdout) == (0, "fraud is ready\n")
    assert result.stderr == "waiting for endpoint fraud: NOT_READY, update IN_PROGRESS\n"


def test_an_endpoint_whose_update_fails(command, deploy, here):
    from servesim.core.commands import AddFault
    from servesim.core.faults import Fault

    async def order():
        here.workspace.clock.execute(AddFault(Fault("fail", message="no")))

    here._server.run(order())
    deploy("fraud")
    result = command("wait", "-e", "fraud")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the update of endpoint fraud ended as UPDATE_FAILED; it is NOT_READY" in result.stderr


def test_an_endpoint_whose_time_stands(command, deploy, here):
    here._server.run(here.workspace.clock.set_mode("frozen"))
    deploy("fraud")
    result = command("wait", "-e", "fraud", "--timeout", "0")
    assert result.exit_code == 1
    assert "servesim clock advance 10m" in result.stderr


def test_an_endpoint_that_stays_as_it_is_is_looked_at_less_and_less(command, deploy, here, monkeypatch):
    pauses = []

    def rest(pause):
        pauses.append(pause)
        if len(pauses) == 6:
            here.clock.advance("10m")

    monkeypatch.setattr("servesim.delivery.wait.rest", rest)
    here._server.run(here.workspace.clock.set_mode("frozen"))
    deploy("fraud")
    assert command("wait", "-e", "fraud").stdout == "fraud is ready\n"
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_an_endpoint_that_does_nothing(command, call):
    call("POST", ENDPOINTS, {"name": "empty"})
    result = command("wait", "-e", "empty")
    assert result.exit_code == 1
    assert "no update of it is in progress" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("-e", "none"), 1), (("-e", "x", "--token", "wrong"), 1), (("--timeout", "soon"), 2), (("--token", "a\nb"), 2)],
)
def test_exit_codes(command, arguments, code):
    assert command("wait", *arguments).exit_code == code


def test_json(command, deploy):
    deploy("fraud")
    document = json.loads(command("wait", "-e", "fraud", "--json").stdout)
    assert (document["endpoint"], document["state"]["ready"]) == ("fraud", "READY")
    assert json.loads(command("wait", "--json").stdout)["endpoint"] is None
