"""Rows on the world itself: a month of a thousand endpoints, virtual traffic, memory."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import servers
from calls import LIST_ALL
from figures import Figure
from load import built_in
from processes import script

if TYPE_CHECKING:
    from load import Plan
    from processes import Process

ENDPOINTS, DAYS = 1_000, 30
QUICK_ENDPOINTS, QUICK_DAYS = 100, 3
ADDED_ENDPOINTS = 10_000
JUDGED, QUICK_JUDGED = 1_000_000, 100_000
RECORDED, QUICK_RECORDED = 1_000_000, 100_000


def month(plan: Plan) -> list[Figure]:
    """A thousand endpoints through thirty days; a quick run takes a smaller world and scales it up."""
    endpoints, days = (QUICK_ENDPOINTS, QUICK_DAYS) if plan.quick else (ENDPOINTS, DAYS)
    found = script("run_core.py", "month", str(endpoints), str(days))
    scale = ENDPOINTS * DAYS / endpoints / days
    what = f"{ENDPOINTS:,} endpoints through {DAYS} days, {found['commands'] * scale:,.0f} commands"
    note = f"scaled up from {endpoints} endpoints and {days} days" if plan.quick else ""
    cpu_s = found["cpu_s"] * scale
    return [
        Figure(row="month", what=what, value=cpu_s, unit="s CPU", floor=10, reach=2, at_least=False, note=note),
    ]


def virtual(plan: Plan) -> list[Figure]:
    """Requests without HTTP, through admission, split and recording."""
    runs = [script("run_core.py", "virtual", str(20_000 if plan.quick else 200_000)) for _ in range(plan.rounds)]
    rate = median(run["per_cpu_second"] for run in runs)
    return [
        Figure(row="virtual", what="Admit and Finish, no HTTP", value=rate, unit="/s CPU", floor=100_000, reach=500_000)
    ]


def judge(plan: Plan) -> list[Figure]:
    """Answers that a split is judged by, looked at after each of them."""
    answers = QUICK_JUDGED if plan.quick else JUDGED
    runs = [script("run_core.py", "judge", str(answers)) for _ in range(plan.rounds)]
    seconds = median(run["seconds"] for run in runs) * JUDGED / answers
    note = f"scaled up from {answers:,}" if plan.quick else ""
    what = f"{JUDGED:,} answers, a look after each"
    return [Figure(row="judge", what=what, value=seconds, unit="s", floor=1, at_least=False, note=note)]


def memory(plan: Plan) -> list[Figure]:
    """Resident memory of a server: empty, with many endpoints, after many requests."""
    with servers.made_in_core("base") as base, servers.made_in_core("fast") as fast:
        empty, empty_fast = _resident(base), _resident(fast)
    with servers.made_in_core("base", endpoints=1) as server:
        one = _resident(server)
    with servers.made_in_core("base", endpoints=ADDED_ENDPOINTS) as server:
        many = _resident(server)
        built_in(server, [LIST_ALL], 1, 0.2)
        listed = _resident(server)
    recorded = QUICK_RECORDED if plan.quick else RECORDED
    with servers.made_in_core("base", endpoints=1, requests=recorded) as server:
        after = _resident(server)
    return [
        _most("empty, base", empty, 60, 45),
        _most("empty, fast", empty_fast, 60, 45),
        _most(f"{ADDED_ENDPOINTS:,} endpoints add", many - one, 40, 20),
        _most("the bytes of their LIST add", listed - many),
        _most(f"{recorded:,} recorded requests add", after - one, 60, 30),
    ]


def _resident(server: Process) -> float:
    megabytes = server.memory_mb()
    return float("nan") if megabytes is None else megabytes


def _most(what: str, value: float, floor: float | None = None, reach: float | None = None) -> Figure:
    return Figure(row="memory", what=what, value=value, unit="MB", floor=floor, reach=reach, at_least=False)
