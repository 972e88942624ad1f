"""The server's side of the nursery: one process per interpreter that has imported MLflow and forks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections import deque
from pathlib import Path
from typing import Any

from servesim.models.pool_process import Ring, Worker, ending

_SCRIPT = Path(__file__).with_name("worker_main.py")
_STDERR_BYTES = 64 * 1024
_NOTICE_BYTES = 1024 * 1024
_END_S = 5.0

# The entity's own variables come on top of these. The rest of the server's environment stays away: a
# model that works only because of a developer's shell would not be found out.
_INHERITED = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "TZ",
        "TMPDIR",
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ],
)
_INHERITED_PREFIXES = (
    *("LC_", "DYLD_", "OMP_", "OPENBLAS_", "MKL_", "CUDA_", "NVIDIA_"),
    *("MLFLOW_", "AWS_", "AZURE_", "GOOGLE_"),  # registries and where their artifacts are stored
)
_FIXED = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "PYTHONHASHSEED": "0",  # MLflow prints sets: their order is the same in each run
}


class NurseryFailed(Exception):  # noqa: N818 - the caller turns it into a value
    """No worker can be forked; the first argument is the reason, the second what was printed."""


class Nursery:
    """One started interpreter; use `Nursery.start`."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket, lifeline: int) -> None:
        """Take over a started process and the server's ends of its control socket and lifeline."""
        self.process = process
        self.greeting: dict[str, Any] = {}
        self._control = control
        self._lifeline = lifeline
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._forks: deque[asyncio.Future[int]] = deque()
        self._exits: dict[int, asyncio.Future[int | None]] = {}
        self._lines = bytearray()
        self._stderr = Ring(_STDERR_BYTES)
        self._drain = self._loop.create_task(self._read_stderr())
        self.alive = True
        control.setblocking(False)  # noqa: FBT003 - the call takes no keyword
        self._loop.add_reader(control, self._on_control)

    @classmethod
    async def start(cls, python: str, *, cap_s: float) -> Nursery:
        """Start an interpreter and wait until it has imported MLflow; NurseryFailed says why it hasn't."""
        nursery = await cls._spawn(python)
        try:
            async with asyncio.timeout(cap_s):
                await nursery._started  # noqa: SLF001 - a constructor
        except TimeoutError:
            nursery.process.kill()
            await nursery.close()
            message = f"importing MLflow under {python} took longer than {cap_s:g} s"
            raise NurseryFailed(message, "") from None
        except BaseException:
            await nursery.close()
            raise
        if not nursery.greeting or "failed" in nursery.greeting:
            await nursery.close()
            raise nursery._refusal(python)  # noqa: SLF001 - a constructor
        return nursery

    @classmethod
    async def _spawn(cls, python: str) -> Nursery:
        control, their_control = socket.socketpair()
        their_lifeline, lifeline = os.pipe()
        fds = (their_control.fileno(), their_lifeline)
        try:
            process = await asyncio.create_subprocess_exec(
                *(python, str(_SCRIPT), *map(str, fds)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env=environment(python),
                pass_fds=fds,
                start_new_session=True,
            )
        except OSError as error:
            control.close()
            os.close(lifeline)
            message = f"the interpreter {python} can't be started: {error.strerror}"
            raise NurseryFailed(message, "") from None
        finally:
            their_control.close()
            os.close(their_lifeline)
        return cls(process, control, lifeline)

    def _refusal(self, python: str) -> NurseryFailed:
        """Why the process is of no use, with the way out where there's one."""
        own = python == sys.executable
        if self.greeting.get("missing") == "mlflow":
            cure = "install the extra servesim[mlflow]" if own else "install mlflow there"
            who = "this Python" if own else f"the interpreter {python}"
            return NurseryFailed(f"{who} has no mlflow: {cure}", self.greeting["log"])
        if self.greeting:
            reason = f"MLflow can't be imported under {python}: {self.greeting['failed']}"
            return NurseryFailed(reason, self.greeting["log"])
        said = self._stderr.text().strip()
        last = said.splitlines()[-1] if said else "it printed nothing"
        how = ending(self.process.returncode)
        return NurseryFailed(f"the interpreter {python} {how} before MLflow was imported: {last}", said)

    async def _read_stderr(self) -> None:
        stream = self.process.stderr
        while stream is not None and (data := await stream.read(_STDERR_BYTES)):
            self._stderr.add(data)

    async def fork(self, ring: Ring) -> Worker:
        """One more worker, whose output goes into the ring."""
        ours, theirs = socket.socketpair()
        output, their_output = os.pipe()
        forked: asyncio.Future[int] = self._loop.create_future()
        self._forks.append(forked)
        try:
            socket.send_fds(self._control, [b"f"], [theirs.fileno(), their_output])
            pid = await forked
        except BaseException as error:
            ours.close()
            os.close(output)
            if isinstance(error, (OSError, NurseryFailed)):
                message = "the process that forks workers has ended"
                raise NurseryFailed(message, str(error)) from None
            raise
        finally:
            theirs.close()
            os.close(their_output)
        worker = Worker(pid, self._exits[pid], output, ring)
        await worker.connect(ours)
        return worker

    def _on_control(self) -> None:
        """Read notices: one JSON text a line."""
        try:
            data = self._control.recv(_STDERR_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._lines += data
        if not data or len(self._lines) > _NOTICE_BYTES:
            self._lose()
            return
        *lines, rest = self._lines.split(b"\n")
        self._lines = bytearray(rest)
        for line in lines:
            self._notice(json.loads(line))

    def _notice(self, notice: dict[str, Any]) -> None:
        if "forked" in notice:
            self._exits[notice["forked"]] = self._loop.create_future()
            forked = self._forks.popleft()
            if not forked.done():
                forked.set_result(notice["forked"])
        elif "exit" in notice:
            exited = self._exits.pop(notice["exit"])
            exited.set_result(notice["status"])
        else:
            self.greeting = notice
            self._started.set_result(None)

    def _lose(self) -> None:
        """The process is gone, and on Linux its workers are too: nobody must wait for them."""
        if not self.alive:
            return
        self.alive = False
        self._loop.remove_reader(self._control)
        if not self._started.done():
            self._started.set_result(None)
        for forked in self._forks:
            if not forked.done():
                forked.set_exception(NurseryFailed("", ""))
        for pid, exited in self._exits.items():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # Linux has done so; elsewhere nobody else would
            exited.set_result(None)

    async def close(self) -> None:
        """End the process and with it every worker; returns when it's gone."""
        self._lose()
        self._control.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        try:
            async with asyncio.timeout(_END_S):
                await self.process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        await self._drain


class Nurseries:
    """One nursery per interpreter, started when it's first needed."""

    def __init__(self, python: str, *, cap_s: float) -> None:
        """Start nothing yet; `python` is the interpreter where none is named."""
        self._python = python
        self._cap_s = cap_s
        self._running: dict[str, Nursery] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, python: str | None = None) -> Nursery:
        """The interpreter's nursery; NurseryFailed when it can't be had."""
        python = python or self._python
        async with self._locks.setdefault(python, asyncio.Lock()):
            nursery = self._running.get(python)
            if nursery is not None and nursery.alive:
                return nursery
            if nursery is not None:
                await nursery.close()
            nursery = self._running[python] = await Nursery.start(python, cap_s=self._cap_s)
            return nursery

    async def close(self) -> None:
        """End them all."""
        await asyncio.gather(*(nursery.close() for nursery in self._running.values()))
        self._running.clear()


def environment(python: str) -> dict[str, str]:
    """What every worker of an interpreter starts with, before its entity's own variables."""
    kept = {
        name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }
    if python == sys.executable and "PYTHONPATH" in os.environ:
        kept["PYTHONPATH"] = os.environ["PYTHONPATH"]  # it may be where mlflow comes from
    return kept | _FIXED
