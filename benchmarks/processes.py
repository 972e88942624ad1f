"""Servers and scripts as processes of their own: started, watched and ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from calls import HOST, TOKEN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

HERE = Path(__file__).parent
PROC = Path("/proc")
START_LIMIT_S = 120.0
POLL_S = 0.002
STOP_LIMIT_S = 15.0
SCRIPT_LIMIT_S = 900.0


def free_port() -> int:
    """Return a port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def script(name: str, *arguments: str, given: object = None) -> Any:
    """Run a script of this folder to its end and return the JSON that it wrote."""
    ran = subprocess.run(  # noqa: S603 - a script of this folder
        [sys.executable, str(HERE / name), *arguments],
        input=None if given is None else json.dumps(given),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=SCRIPT_LIMIT_S,
    )
    return json.loads(ran.stdout)


def with_bytecode(variables: dict[str, str]) -> dict[str, str]:
    """Let compiled modules be kept, as an installation has them; a checkout would be compiled at every start."""
    return {name: value for name, value in variables.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Process:
    """A server on loopback, from its start to the end of its process group."""

    def __init__(self, command: Sequence[str], port: int, *, ready: str = "/", **variables: str) -> None:
        """Prepare; ``ready`` is the path that answers 200 once it is up."""
        self.command = list(command)
        self.port = port
        self._ready = ready
        self._variables = variables
        self._process: subprocess.Popen[bytes] | None = None
        self.start_s = 0.0
        """Real seconds from the start of the process to its first 200."""

    def __enter__(self) -> Self:
        """Start it and wait for its first 200."""
        began = time.perf_counter()
        self._process = subprocess.Popen(  # noqa: S603 - commands that the benchmarks spell out
            self.command,
            stdout=subprocess.DEVNULL,
            stderr=None if os.environ.get("BENCH_STDERR") else subprocess.DEVNULL,
            env=with_bytecode({**os.environ, **self._variables}),
            start_new_session=True,
        )
        try:
            self._await_first_200(began)
        except BaseException:
            self._end()
            raise
        self.start_s = time.perf_counter() - began
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it and whatever it started."""
        self._end()

    @property
    def pid(self) -> int:
        """The id of the server's process."""
        assert self._process is not None
        return self._process.pid

    def cpu_s(self) -> float | None:
        """Return the processor seconds of its processes so far; None where there is no /proc."""
        if not (PROC / str(self.pid) / "schedstat").exists():
            return None
        tasks = [task for pid in _tree(self.pid) for task in (PROC / str(pid) / "task").glob("*/schedstat")]
        return sum(_nanoseconds(task) for task in tasks) / 1e9

    def memory_mb(self) -> float | None:
        """Return the resident memory of its own process; None where there is no /proc."""
        status = PROC / str(self.pid) / "status"
        if not status.exists():
            return None
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def _await_first_200(self, began: float) -> None:
        assert self._process is not None
        while not _answers(self.port, self._ready):
            if self._process.poll() is not None or time.perf_counter() - began > START_LIMIT_S:
                message = f"it did not start (BENCH_STDERR=1 shows why): {' '.join(self.command)}"
                raise RuntimeError(message)
            time.sleep(POLL_S)

    def _end(self) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_LIMIT_S)
        # Its own session, so this reaches nothing but what it started.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def _answers(port: int, path: str) -> bool:
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((HOST, port), timeout=5) as connection:
            connection.sendall(request.encode())
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _tree(pid: int) -> list[int]:
    pids = [pid]
    for task in (PROC / str(pid) / "task").glob("*/children"):
        with contextlib.suppress(OSError):
            pids += [found for child in task.read_text().split() for found in _tree(int(child))]
    return pids


def _nanoseconds(schedstat: Path) -> int:
    try:
        return int(schedstat.read_text().split()[0])
    except OSError:
        return 0  # the thread has ended
