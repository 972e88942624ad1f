"""The servesim that a load test starts, and ends whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from servesim.core.profile import PROFILES, Profile
from servesim.delivery.admin_client import span
from servesim.delivery.load_files import SERVER_LOG, told
from servesim.delivery.load_target import CouldNotRun
from servesim.service.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servesim.delivery.load_options import Asked

PROFILE = "load"
_WORLD = "scenarios/fraud-90-10.yaml"
_WORLDS = {name: f"scenarios/{name}.yaml" for name in ("retirement", "saturation")}
"""Worlds of tests that need another one."""
_PROGRAM = (sys.executable, "-c", "from servesim.delivery.cli import main; main()")
_LAST_LINE = "export NO_PROXY="
_ELSEWHERE = {"HOST", "PORT", "ALLOW_REMOTE", "ALLOWED_HOST", "TLS", "TLS_DIR", "CLOCK", "RATE", "SCENARIO", "PROFILE"}
_GRACE_S = 15.0


@contextmanager
def started(asked: Asked) -> Iterator[str]:
    """Run a servesim with the tokens and the world that were asked for, and yield its address; raise CouldNotRun."""
    command = [*_PROGRAM, "serve", "--host", "127.0.0.1", "--port", "0", "--quiet", "--clock", "paced", "--rate", "1"]
    command += ["--profile", PROFILE, "--scenario", str(world(asked)), "--grace", "2s"]
    if (seed := asked.settings.get("seed")) is not None:
        command += ["--seed", str(seed)]
    log = asked.out / SERVER_LOG
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - this very program
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
            env=_environment(asked), start_new_session=True,
        )  # fmt: skip
        try:
            yield _address(process, log, (asked.token, asked.admin_token))
        finally:
            end(process, _GRACE_S)


def world(asked: Asked) -> Path:
    """Return the scenario that the server begins with."""
    return asked.scenario or shipped(_WORLDS.get(asked.test, _WORLD))


def _environment(asked: Asked) -> dict[str, str]:
    """Tokens go by variables, which no list of processes shows; what would move the server elsewhere is left out."""
    kept = {name: text for name, text in os.environ.items() if name.removeprefix("SERVESIM_") not in _ELSEWHERE}
    return {**kept, "SERVESIM_TOKEN": asked.token, "SERVESIM_ADMIN_TOKEN": asked.admin_token}


def _address(process: subprocess.Popen[str], log: Path, secrets: tuple[str, ...]) -> str:
    url = ""
    for line in process.stdout or ():
        if line.startswith("export SERVESIM_URL="):
            url = line.partition("=")[2].strip()
        if line.startswith(_LAST_LINE):
            return url
    process.wait()
    raise CouldNotRun(f"servesim did not start. {told(log, secrets)}")


def end(process: subprocess.Popen[Any], grace_s: float) -> None:
    """End a process that was started here, and its own: by a signal, after the grace by force."""
    if process.poll() is None:
        process.terminate()
        # A second Ctrl-C waits for nothing.
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(grace_s)
    _end_group(process.pid)
    if process.poll() is None:
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _end_group(leader: int) -> None:
    """End by force who is left of the group that a process led, should it have been killed before its own were."""
    if leader > 1:  # 0 would be the group that we are in ourselves
        with suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)


def shortened() -> list[str]:
    """Say how the durations of the profile differ from those of the real service."""
    short, faithful = PROFILES[PROFILE], PROFILES["faithful"]
    return [
        f"{field.name.removesuffix('_ms').replace('_', ' ')} {_duration(short, field.name)}"
        f" ({_factor(getattr(short, field.name), getattr(faithful, field.name))})"
        for field in fields(Profile)
        if field.name.endswith("_ms") and getattr(short, field.name) != getattr(faithful, field.name)
    ]


def _duration(profile: Profile, name: str) -> str:
    value = getattr(profile, name)
    if not isinstance(value, tuple):
        return span(value)
    least, most = value
    return span(least) if least == most else f"{span(least)} to {span(most)}"


def _factor(short: int | tuple[int, int], faithful: int | tuple[int, int]) -> str:
    one, other = (sum(value) if isinstance(value, tuple) else 2 * value for value in (short, faithful))
    if not one or not other:
        return "none"
    return f"1/{other / one:,.0f}" if other >= one else f"{one / other:,.0f} times that"
