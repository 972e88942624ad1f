"""Load on a server: wrk where it is installed, else the client of this folder; and rounds that alternate."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, TypeVar

from calls import HOST
from figures import Figure, paired
from processes import script

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from calls import Call
    from processes import Process

T = TypeVar("T")

WARM_UP_S = 0.3
MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Plan:
    """How thorough a run is."""

    rounds: int = 5
    seconds: float = 3.0
    """Of load, for each side in each round."""
    quick: bool = False
    wrk: str | None = None

    @staticmethod
    def of(*, quick: bool, rounds: int | None, builtin: bool) -> Plan:
        """Return a plan from what was asked for."""
        wrk = None if builtin else shutil.which("wrk")
        return Plan(rounds or (3 if quick else 5), 1.0 if quick else 3.0, quick, wrk)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a server did under load."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float | None
    failed: int


def alternate(rounds: int, *sides: Callable[[], T]) -> list[list[T]]:
    """Measure every side in every round, in turning order; return the rounds of each side."""
    measured: list[list[T]] = [[] for _ in sides]
    for number in range(rounds):
        order = range(len(sides)) if number % 2 == 0 else reversed(range(len(sides)))
        for side in order:
            measured[side].append(sides[side]())
    return measured


def sample(server: Process, call: Call, connections: int, plan: Plan) -> Sample:
    """Load a server with one request over and over."""
    built_in(server, [call], connections, WARM_UP_S)
    before = server.cpu_s()
    ran = _wrk(server, call, connections, plan) if plan.wrk else built_in(server, [call], connections, plan.seconds)
    after = server.cpu_s()
    requests = ran["requests"]
    cpu_us = None if before is None or after is None else (after - before) / requests * 1e6
    return Sample(requests / ran["seconds"], ran["p50_ms"], ran["p99_ms"], cpu_us, ran["refused"])


def built_in(
    server: Process,
    calls: Sequence[Call],
    connections: int,
    seconds: float,
    expected: dict[str, list[str]] | None = None,
) -> dict[str, Any]:
    """Load a server with the client of this folder, each connection with its own of the calls."""
    spec = {
        "host": HOST,
        "port": server.port,
        "connections": connections,
        "seconds": seconds,
        "requests": [call.raw().decode() for call in calls],
        "expected": expected or {},
    }
    return script("client.py", given=spec)


def _wrk(server: Process, call: Call, connections: int, plan: Plan) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        lua = Path(folder) / "call.lua"
        lua.write_text(call.lua())
        url = f"http://{HOST}:{server.port}{call.path}"
        options = ["-t1", f"-c{connections}", f"-d{max(round(plan.seconds), 1)}s", "--latency", "-s", str(lua)]
        said = subprocess.run(  # noqa: S603 - the load generator
            [str(plan.wrk), *options, url], capture_output=True, text=True, check=True, timeout=120
        ).stdout
    total = re.search(r"(\d+) requests in ([\d.]+)(m?s)", said)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    assert total is not None, said
    return {
        "requests": int(total[1]),
        "seconds": float(total[2]) * MILLISECONDS[total[3]] / 1000,
        "p50_ms": _latency(said, "50%"),
        "p99_ms": _latency(said, "99%"),
        "refused": int(refused[1]) if refused else 0,
    }


def _latency(said: str, share: str) -> float:
    found = re.search(rf"{share}\s+([\d.]+)(us|ms|s)\b", said)
    assert found is not None, said
    return float(found[1]) * MILLISECONDS[found[2]]


def throughput(
    row: str,
    what: str,
    ours: Sequence[Sample],
    theirs: Sequence[Sample],
    *,
    floor: float | None = None,
    reach: float | None = None,
) -> Figure:
    """Hold our requests a second against the baseline's."""
    failed = sum(one.failed for one in ours)
    return Figure(
        row=row,
        what=what,
        value=median(one.per_second for one in ours),
        unit="/s",
        baseline=median(one.per_second for one in theirs),
        ratio=paired([one.per_second for one in ours], [one.per_second for one in theirs]),
        floor=floor,
        reach=reach,
        cpu_us=cpu_of(ours),
        baseline_cpu_us=cpu_of(theirs),
        note=f"{failed} answers were not 200" if failed else "",
    )


def times(row: str, what: str, ours: Sequence[Sample], theirs: Sequence[Sample], most: float) -> Figure:
    """Hold the time that a call of ours takes against that of another call of the same server."""
    took, beside = ([1e6 / one.per_second for one in found] for found in (ours, theirs))
    failed = sum(one.failed for one in ours)
    return Figure(
        row=row,
        what=what,
        value=median(took),
        unit="us",
        baseline=median(beside),
        ratio=paired(took, beside),
        floor=most,
        at_least=False,
        reach=1.0,
        cpu_us=cpu_of(ours),
        baseline_cpu_us=cpu_of(theirs),
        note=f"{failed} answers were not 200" if failed else "",
    )


def tail(row: str, what: str, ours: Sequence[Sample], theirs: Sequence[Sample], floor: float) -> Figure:
    """Hold our 99th percentile against the baseline's."""
    return Figure(
        row=row,
        what=what,
        value=median(one.p99_ms for one in ours),
        unit="ms",
        baseline=median(one.p99_ms for one in theirs),
        ratio=paired([one.p99_ms for one in ours], [one.p99_ms for one in theirs]),
        floor=floor,
        at_least=False,
    )


def cpu_of(samples: Sequence[Sample]) -> float | None:
    """Return the median processor time of a request; None where it cannot be known."""
    known = [one.cpu_us for one in samples if one.cpu_us is not None]
    return median(known) if known else None
