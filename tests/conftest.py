"""What tests of every kind share: the plugins under test, and a server that is a process of its own."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from typing import Any

import pytest

pytest_plugins = ["pytester"]

SERVE = [sys.executable, "-c", "from servesim.delivery.cli import main; main()", "serve", "--port", "0"]


class ServerProcess:
    """A running ``servesim serve`` with what it prints."""

    def __init__(self, *options: str) -> None:
        """Start it and read the lines that point clients at it."""
        self.process = subprocess.Popen([*SERVE, *options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.exports: dict[str, str] = {}
        for line in self.process.stdout:
            name, _, value = line.strip().removeprefix("export ").partition("=")
            self.exports[name] = value
            if name == "NO_PROXY":  # the last of them
                break
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(line.rstrip("\n") for line in self.process.stdout)

    @property
    def address(self) -> str:
        """Host and port."""
        return self.exports["DATABRICKS_HOST"].partition("://")[2]

    def token(self, *, admin: bool = False) -> str:
        """Return the token of the workspace's user, or of the admin API."""
        return self.exports["SERVESIM_ADMIN_TOKEN" if admin else "DATABRICKS_TOKEN"]

    def call(self, method: str, path: str, body: Any = None, *, admin: bool = False) -> tuple[int, bytes]:
        """Make one call on a connection of its own and return status and body."""
        headers = {"Authorization": f"Bearer {self.token(admin=admin)}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def end(self) -> None:
        """Stop it and wait for its last line."""
        self.process.terminate()
        self.process.wait(timeout=30)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def server_process():
    """Start servers by their options; all end with the test."""
    started: list[ServerProcess] = []

    def start(*options: str) -> ServerProcess:
        started.append(ServerProcess(*options))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.end()
