"""A server of this process with an admin token, and commands that are pointed at one workspace of it."""

from __future__ import annotations

import http.client
import json
import threading

import pytest
from click.testing import CliRunner

from servesim.delivery.cli import main
from servesim.delivery.handle import LocalServer

ADMIN_TOKEN = "admin-of-tests"


@pytest.fixture(scope="module")
def server():
    with LocalServer() as local:
        local.server.admin_token = ADMIN_TOKEN
        yield local


@pytest.fixture
def here(server):
    handle = server.open(unknown_models="stub")
    yield handle
    handle.close()


@pytest.fixture
def command(here, monkeypatch):
    """Run a command with this workspace's variables; a proxy that nothing listens on stands in the way."""
    monkeypatch.delenv("DATABRICKS_HOST", raising=False)
    monkeypatch.setenv("SERVESIM_URL", here.host)
    monkeypatch.setenv("SERVESIM_ADMIN_TOKEN", ADMIN_TOKEN)
    monkeypatch.setenv("SERVESIM_WORKSPACE", here.workspace.name)
    monkeypatch.setenv("DATABRICKS_TOKEN", here.token)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    def run(*arguments, **options):
        return CliRunner().invoke(main, [*arguments], catch_exceptions=False, **options)

    return run


@pytest.fixture
def call(here):
    """Make one call as a client of the workspace."""

    def ask(method, path, body=None):
        connection = http.client.HTTPConnection(here.host.removeprefix("http://"), timeout=60)
        headers = {"Authorization": f"Bearer {here.token}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            response.body = response.read()
            return response
        finally:
            connection.close()

    return ask


@pytest.fixture
def deploy(call):
    """Create an endpoint with one entity that scales to zero."""

    def create(name):
        entity = {"entity_name": f"main.ml.{name}", "entity_version": "1", "scale_to_zero_enabled": True}
        made = call("POST", "/api/2.0/serving-endpoints", {"name": name, "config": {"served_entities": [entity]}})
        assert made.status == 200, made.body

    return create


class Scoring(threading.Thread):
    """A request that may be held while the test goes on."""

    def __init__(self, call, endpoint) -> None:
        super().__init__(daemon=True)
        self.call, self.endpoint = call, endpoint
        self.start()

    def run(self):
        self.answer = self.call("POST", f"/serving-endpoints/{self.endpoint}/invocations", {"inputs": [1]})

    def result(self):
        self.join(30)
        return self.answer


@pytest.fixture
def score(call):
    """Ask an endpoint for a prediction, in a thread."""
    return lambda endpoint: Scoring(call, endpoint)
