"""What tests of every kind share: the plugins under test, and a server that is a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester"]

# Every answer of every server in these tests, in this process or one of its own, is held against the contracts.
os.environ["SERVESIM_VALIDATE_RESPONSES"] = "1"

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


def _starts() -> Iterator[Callable[..., ServerProcess]]:
    started: list[ServerProcess] = []

    def start(*options: str) -> ServerProcess:
        started.append(ServerProcess(*options))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.end()


@pytest.fixture
def server_process():
    """Start servers by their options; all end with the test."""
    yield from _starts()


@pytest.fixture(scope="module")
def modules_process():
    """Start servers by their options, for tests that leave them as they are; all end with the module."""
    yield from _starts()


class Recorder:
    """A running ``servesim contract record`` with the file that it writes."""

    def __init__(self, upstream: str, file: Path) -> None:
        """Start it and read where it listens."""
        self.file = file
        command = [*SERVE[:3], "contract", "record", "--upstream", upstream, "--out", str(file)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.first = self.process.stdout.readline()
        self.url = self.process.stdout.readline().strip().partition("=")[2]
        self.code: int | None = None
        self.said = ""

    def end(self) -> str:
        """Stop it as Ctrl-C does; return what it has written."""
        if self.code is None:
            self.process.send_signal(signal.SIGINT)
            out, err = self.process.communicate(timeout=30)
            self.code, self.said = self.process.returncode, out + err
        return self.file.read_text(encoding="ascii")


@pytest.fixture
def recorder(tmp_path):
    """Record the calls to an upstream into recording.jsonl; all recorders end with the test."""
    started: list[Recorder] = []

    def start(upstream: str) -> Recorder:
        started.append(Recorder(upstream, tmp_path / "recording.jsonl"))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Make what is dear once for all workers of pytest-xdist: ``shared(name, make)`` gives what ``make()`` once gave.

    It is read back from a file, so it has to be something that can be pickled.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent

    def get(name: str, make: Callable[[], Any]) -> Any:
        import fcntl

        kept = folder / f"{name}.pickle"
        with (folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                kept.write_bytes(pickle.dumps(make()))
        return pickle.loads(kept.read_bytes())  # noqa: S301 - this run wrote it

    return get


@pytest.fixture
def guests(pytester, monkeypatch):
    """Run the tests of somebody else in a process of its own, with servesim's plugin and no other.

    Those that are installed beside it take longer to import than the tests take; that pytest finds the plugin by itself
    is shown by tests/package.
    """
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess("-p", "pytest_servesim", *arguments)

    return run


@pytest.fixture(scope="session", autouse=True)
def _drawn_alike():
    """Keep hypothesis from drawing literals of whatever modules are imported, so that every run draws the same."""
    if "hypothesis" not in sys.modules:
        yield
        return
    from hypothesis.internal.conjecture import providers

    with pytest.MonkeyPatch.context() as patch:
        if hasattr(providers, "CONSTANTS_CACHE"):
            none = type(providers._local_constants)()
            patch.setattr(providers, "_get_local_constants", lambda: none)
            patch.setattr(providers, "CONSTANTS_CACHE", type(providers.CONSTANTS_CACHE)(1024))
        yield
