"""The process that models run in: `python worker_main.py CONTROL_FD LIFELINE_FD`.

It is started by path, also under an interpreter that has MLflow but not servesim, so it needs the
standard library and MLflow only. The *nursery* imports MLflow once and forks one worker for each pair
of descriptors that arrives on its control socket; a worker serves frames on its channel, one at a time.

What ends when the server is gone, however it went: the nursery (end of file on the control socket), its
workers (the nursery kills their process groups; a thread of theirs reads the lifeline; Linux's parent
death signal), and so also a model that spins in C code with the interpreter's lock held.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import importlib.util
import json
import os
import selectors
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, NoReturn

_IMPORTS = ("mlflow", "numpy", "pandas", "mlflow.pyfunc", "mlflow.pyfunc.scoring_server")
_PR_SET_PDEATHSIG = 1

Notice = dict[str, Any]


def main() -> None:
    """Run the nursery until its control socket closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the terminal's group: the server decides
    _die_with_parent(expected_parent=None)
    control = socket.socket(fileno=int(sys.argv[1]))
    nursery = Nursery(control, lifeline=int(sys.argv[2]))
    greeting = _import_mlflow()
    _silence()
    try:
        nursery.tell(greeting)
        if "failed" not in greeting:
            nursery.run()
    except OSError:
        pass  # the server is gone: nobody is left to be told
    nursery.end()


def _import_mlflow() -> Notice:
    """Import what scoring needs; the greeting says which versions, or why not."""
    try:
        for name in _IMPORTS:
            importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - whatever an import raises is the reason
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        return {
            "failed": f"{type(error).__name__}: {error}",
            "log": traceback.format_exc(),
            "missing": missing,
        }
    gc.collect()
    gc.freeze()  # forked workers share these pages as long as the collector leaves them alone
    return {"mlflow": sys.modules["mlflow"].__version__, "python": _python_version()}


def _silence() -> None:
    """Give the start's standard error back: only a start that failed is read from there."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)


class Nursery:
    """The workers' parent: forks them on request, reports their ends, and takes them with it."""

    def __init__(self, control: socket.socket, lifeline: int) -> None:
        """Get ready to fork; nothing runs yet."""
        self._control = control
        self._lifeline = lifeline
        self._children: set[int] = set()
        self._selector = selectors.DefaultSelector()
        self._waker, self._wake = socket.socketpair()

    def tell(self, notice: Notice) -> None:
        """Send one line of JSON to the server."""
        self._control.sendall(json.dumps(notice).encode() + b"\n")

    def run(self) -> None:
        """Serve the control socket until it closes."""
        for end in (self._waker, self._wake):
            end.setblocking(False)  # noqa: FBT003 - the call takes no keyword
        signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler no byte reaches the waker
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._waker, selectors.EVENT_READ)
        while self._turn():
            self._reap()

    def _turn(self) -> bool:
        """Wait for something to do; false at the control socket's end."""
        for key, _ in self._selector.select():
            if key.fileobj is self._waker:
                self._waker.recv(4096)
            elif not self._request():
                return False
        return True

    def _request(self) -> bool:
        """Take one request for a worker off the control socket."""
        data, descriptors, _, _ = socket.recv_fds(self._control, 1, 2)
        if not data:
            return False
        self._fork(*descriptors)
        return True

    def _fork(self, channel: int, output: int) -> None:
        child = os.fork()
        if child == 0:
            self._become_worker(channel, output)
        os.close(channel)  # a sibling that held these would hide the end of the other side
        os.close(output)
        _own_group(child)
        self._children.add(child)
        self.tell({"forked": child})

    def _become_worker(self, channel: int, output: int) -> NoReturn:
        """Forget the nursery and serve; never returns."""
        status = 1
        try:
            nursery = os.getppid()
            self._forget()
            _own_group(0)
            status = run_worker(channel, output, self._lifeline, nursery)
        except SystemExit as ending:
            status = _exit_status(ending.code)
        except BaseException:  # noqa: BLE001 - a worker must not fall back into the nursery's loop
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(AttributeError, OSError, ValueError):  # replaced or closed by the model
                    stream.flush()
            os._exit(status)

    def _forget(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        atexit._clear()  # noqa: SLF001 - what the nursery's imports registered is not the worker's to run
        self._selector.close()
        for end in (self._control, self._waker, self._wake):
            end.close()

    def _reap(self) -> None:
        """Report every child that has ended."""
        for child in sorted(self._children):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                self._children.discard(child)
                self.tell({"exit": child, "status": os.waitstatus_to_exitcode(status)})

    def end(self) -> NoReturn:
        """Take all workers, and whatever they have started, along."""
        for child in self._children:
            _kill_group(child)
        for child in self._children:
            os.waitpid(child, 0)
        os._exit(0)


def run_worker(channel: int, output: int, lifeline: int, nursery: int) -> int:
    """Serve the channel until it closes; the exit status."""
    _die_with_parent(expected_parent=nursery)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    os.set_inheritable(channel, False)  # noqa: FBT003 - the call takes no keyword
    threading.Thread(target=_follow, args=(lifeline,), name="lifeline", daemon=True).start()
    _seed()
    with socket.socket(fileno=channel) as end, end.makefile("rb") as requests:
        _neighbour("worker_serve").serve(requests, end.sendall, _neighbour("worker_facts"))
    atexit._run_exitfuncs()  # noqa: SLF001 - a fork's end by os._exit would leave temporary folders behind
    return 0


def _neighbour(name: str) -> Any:
    """A module of this folder: by path, as the folder holds names that must shadow nothing."""
    spec = importlib.util.spec_from_file_location(f"servesim_{name}", Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module


def _follow(lifeline: int) -> None:
    """End the whole process group when the server is gone."""
    os.read(lifeline, 1)  # nobody writes: it returns at the end of file
    os.killpg(0, signal.SIGKILL)


def _die_with_parent(expected_parent: int | None) -> None:
    """Have Linux kill this process when its parent ends; elsewhere the lifeline alone does it.

    Linux means the thread that forked: for the nursery the one that runs the server's event loop.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if expected_parent is not None and os.getppid() != expected_parent:
        os._exit(1)  # the parent ended before the signal was asked for


def _own_group(process: int) -> None:
    """Make a process the leader of a group; both sides ask, whichever comes first."""
    with contextlib.suppress(OSError):  # it has ended already
        os.setpgid(process, process)


def _kill_group(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended already
        os.killpg(process, signal.SIGKILL)


def _seed() -> None:
    """Start the global generators alike in every worker: a run can be repeated."""
    importlib.import_module("random").seed(0)
    sys.modules["numpy"].random.seed(0)


def _exit_status(code: object) -> int:
    """What the interpreter makes of SystemExit's code."""
    if code is None:
        return 0
    return code & 0xFF if isinstance(code, int) else 1


def _python_version() -> str:
    return ".".join(str(part) for part in sys.version_info[:3])


if __name__ == "__main__":
    if sys.path and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
        del sys.path[0]  # this folder's modules must not shadow what a model imports
    main()
