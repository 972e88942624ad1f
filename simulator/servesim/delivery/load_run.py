"""One load test, from what is asked for to the verdict that is told."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from servesim.delivery.client import is_loopback
from servesim.delivery.load_files import LOG, PROGRESS, RUN, found_run, fresh_folder, tidy, write_reports
from servesim.delivery.load_options import SCRIPT, Asked
from servesim.delivery.load_progress import Tail, teller
from servesim.delivery.load_server import end, shortened, started, world
from servesim.delivery.load_target import CouldNotRun, is_servesim, require_extra
from servesim.delivery.load_told import tell, tell_files, tell_server
from servesim.load.calls import CannotRun
from servesim.load.calls import server as server_at
from servesim.load.document import INCONCLUSIVE, PASS, write_run
from servesim.load.ending import COULD_NOT_RUN
from servesim.load.endpoint import only, read
from servesim.load.settings import VARIABLE, Settings
from servesim.service.clock import Stopwatch, rest
from servesim.service.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.delivery.load_progress import Bar, Lines
    from servesim.load.calls import Server
    from servesim.load.document import Run

_LOOK_S = 0.1
_GRACE_S = 20.0
"""For locust to write what there is once it has been told to end."""
_SILENT_S = 120.0
"""More than locust takes to start, and a plan to be computed; from then on a line comes every second."""
_STOPPED = "stopped by Ctrl-C or a signal"


def run(asked: Asked) -> str:
    """Run a test, leave its files, tell its result and return its outcome; raise CouldNotRun."""
    require_extra()
    fresh_folder(asked.out)
    secrets = (asked.token, asked.admin_token)
    with _terminable():
        try:
            document, code = _measured(asked, secrets)
            if not asked.as_json:
                tell(document)  # before the report, which takes a moment
            write_reports(document, asked.out)
        except KeyboardInterrupt:
            raise CouldNotRun(f"it was stopped before its report was there; {asked.out} has what there is.") from None
        except OSError as error:
            raise CouldNotRun(f"the report can't be written: {error}") from error
    tell_files(document, asked.out, as_json=asked.as_json)
    if code == COULD_NOT_RUN:
        raise CouldNotRun("; ".join(document.get("notes") or ["locust says that it could not run to its end"]) + ".")
    return str(document["outcome"])


def _measured(asked: Asked, secrets: tuple[str, ...]) -> tuple[Run, int | None]:
    with started(asked) if asked.url is None else nullcontext(asked.url) as url:
        settings = _settings(asked, url)
        if asked.url is None:
            tell_server(url, world(asked), shortened())
        code = _locust(asked, settings, url)
    tidy(asked.out, secrets)
    document = found_run(asked.out, secrets)
    if code is None:
        document["notes"] = [*document.get("notes", []), _STOPPED]
        if document["outcome"] == PASS and asked.test != SCRIPT:  # a script may have no other end
            document["outcome"] = INCONCLUSIVE
        write_run(asked.out / RUN, document)
    return document, code


def _settings(asked: Asked, url: str) -> dict[str, Any]:
    """Return what locust's process is told; raise CouldNotRun unless the endpoint can be loaded."""
    try:
        return _told(asked, server_at(url, asked.token))
    except CannotRun as error:
        raise CouldNotRun(f"{error}.") from error


def _told(asked: Asked, server: Server) -> dict[str, Any]:
    simulated = asked.url is None or is_servesim(server)
    if asked.test in {"cold_start", "retirement"} and not simulated:
        raise CouldNotRun(
            f"{asked.test} moves servesim's clock by its admin API, and {server.url} is no servesim. Leave --url out, "
            "or name one."
        )
    settings = {**asked.settings, "test": asked.test, "url": server.url, "simulated": simulated}
    if asked.test != SCRIPT:
        settings["endpoint"] = read(server, asked.settings.get("endpoint") or only(server)).name
    out = asked.out.resolve()
    return {**settings, "result": str(out / RUN), "progress": str(out / PROGRESS)}


def _locust(asked: Asked, settings: dict[str, Any], url: str) -> int | None:
    """Run locust to its end and show how far it is; return its exit code, None if it was stopped."""
    progress = Tail(asked.out / PROGRESS)
    with (asked.out / LOG).open("wb") as log, teller(asked.settings.get("alpha", Settings().alpha)) as shown:
        process = subprocess.Popen(  # noqa: S603 - locust, with the arguments that somebody asked for
            _arguments(asked, url), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=_environment(asked, settings, url), start_new_session=True,
        )  # fmt: skip
        try:
            _follow(process, progress, shown)
        except KeyboardInterrupt:
            return None
        finally:
            end(process, _GRACE_S)
    return process.returncode


def _follow(process: subprocess.Popen[Any], progress: Tail, shown: Lines | Bar) -> None:
    """Show how far locust is until it ends; raise CouldNotRun once it has said nothing for too long."""
    silence = Stopwatch()
    while process.poll() is None:
        for one in progress.new():
            silence = Stopwatch()
            shown.show(one)
        if silence.seconds() > _SILENT_S:
            raise CouldNotRun(f"locust has said nothing for {_SILENT_S:g} s and was ended; see its log.")
        rest(_LOOK_S)
    for one in progress.new():
        shown.show(one)


def _arguments(asked: Asked, url: str) -> list[str]:
    files = str(shipped("loadtests") / f"{asked.test}.py")
    if asked.file is not None:
        plugin = importlib.util.find_spec("servesim.load.plugin")
        files = f"{plugin.origin},{asked.file}" if plugin else str(asked.file)
    command = [sys.executable, "-m", "locust", "-f", files, "--headless", "--host", url, "--only-summary"]
    rate = asked.spawn_rate or (asked.users if asked.test != SCRIPT else None)
    for option, value in (("--users", asked.users), ("--spawn-rate", rate)):
        command += [option, str(value)] if value else []
    command += _several(asked.processes) if asked.processes > 1 else []
    return [*command, *asked.locust_arguments]


def _several(processes: int) -> list[str]:
    """Have so many processes; their master listens on loopback alone, at a port of its own."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = str(listening.getsockname()[1])
    master = ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]
    return ["--processes", str(processes), *master]


def _environment(asked: Asked, settings: dict[str, Any], url: str) -> dict[str, str]:
    """Tokens go by variables alone: no list of processes and no file shows them."""
    ours = {"DATABRICKS_HOST": url, "DATABRICKS_TOKEN": asked.token, VARIABLE: json.dumps(settings)}
    if settings["simulated"]:
        ours["SERVESIM_ADMIN_TOKEN"] = asked.admin_token
    kept = {name: text for name, text in os.environ.items() if name != "SERVESIM_ADMIN_TOKEN"}
    if is_loopback(urlsplit(url).hostname or ""):
        kept |= {"NO_PROXY": "127.0.0.1,localhost,::1", "no_proxy": "127.0.0.1,localhost,::1"}
    return {**kept, **ours}


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a run as Ctrl-C does, so that what it started is ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
