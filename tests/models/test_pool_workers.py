"""Workers that die, hang, queue and make room for each other."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from servesim.models.answer import Answer
from servesim.models.pool import (
    LoadFailed,
    Outcome,
    QueueFull,
    TimedOut,
    WorkerDied,
    WorkerKey,
    WorkerPool,
)

pytestmark = pytest.mark.mlflow

WithPool = Callable[..., Any]

_PATIENCE_MS = 10_000

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


def do(pool: WorkerPool, key: WorkerKey, deed: str) -> Awaitable[Outcome]:
    """Have the probe do something."""
    body = json.dumps({"inputs": [deed]}).encode()
    return pool.score(key, body, "application/json")


def said(outcome: Outcome) -> Any:
    """The prediction for the one row."""
    assert isinstance(outcome, Answer), outcome
    assert outcome.status == 200, outcome
    return json.loads(outcome.body)["predictions"][0]


def running(process: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped doesn't."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def gone(process: int) -> bool:
    """Wait for a stranger's end; whether it came within a few seconds."""
    poll = select.poll()
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    poll.register(descriptor, select.POLLIN)
    ended = bool(poll.poll(_PATIENCE_MS))
    os.close(descriptor)
    return ended


@pytest.mark.parametrize(
    ("deed", "how"),
    [("kill", "was killed by SIGKILL"), ("exit 7", "ended with exit status 7")],
)
def test_a_worker_that_dies_is_told_and_the_next_call_works(
    with_pool: WithPool, probe: WorkerKey, deed: str, how: str
) -> None:
    async def act(pool: WorkerPool) -> list[Outcome]:
        return [await do(pool, probe, deed), await do(pool, probe, "echo back")]

    died, answer = with_pool(act)
    assert died == WorkerDied(how)
    assert said(answer) == "back"


@needs_linux
def test_a_worker_killed_while_idle_is_told_once(with_pool: WithPool, probe: WorkerKey) -> None:
    async def act(pool: WorkerPool) -> list[Outcome]:
        process = said(await do(pool, probe, "pid"))
        os.kill(process, signal.SIGKILL)
        assert gone(process)
        return [await do(pool, probe, "echo 1"), await do(pool, probe, "echo 2")]

    died, answer = with_pool(act)
    assert died == WorkerDied("was killed by SIGKILL")
    assert said(answer) == "2"


def test_system_exit_answers_and_ends_as_mlflows_server_does(with_pool: WithPool, probe: WorkerKey) -> None:
    async def act(pool: WorkerPool) -> list[Outcome]:
        return [await do(pool, probe, deed) for deed in ("sysexit 3", "echo 1", "echo 2")]

    answer, died, after = with_pool(act)
    assert answer == Answer(500, "text/plain; charset=utf-8", b"Internal Server Error")
    assert died == WorkerDied("ended with exit status 3")
    assert said(after) == "2"


def test_others_in_the_queue_survive_a_death(with_pool: WithPool, probe: WorkerKey) -> None:
    async def act(pool: WorkerPool) -> list[Outcome]:
        await pool.load(probe)
        deeds = ("echo 0", "kill", "echo 1", "echo 2")
        return await asyncio.gather(*(do(pool, probe, deed) for deed in deeds))

    first, died, *rest = with_pool(act)
    assert said(first) == "0"
    assert died == WorkerDied("was killed by SIGKILL")
    assert [said(outcome) for outcome in rest] == ["1", "2"]


def test_concurrent_calls_are_answered_in_order(with_pool: WithPool, probe: WorkerKey) -> None:
    async def act(pool: WorkerPool) -> list[Outcome]:
        return await asyncio.gather(*(do(pool, probe, f"echo {number}") for number in range(50)))

    assert [said(outcome) for outcome in with_pool(act)] == [str(number) for number in range(50)]


@needs_linux
@pytest.mark.parametrize("deed", ["spin", "spin_in_c"])
def test_a_request_past_its_cap_ends_the_worker(with_pool: WithPool, probe: WorkerKey, deed: str) -> None:
    async def act(pool: WorkerPool) -> tuple[list[Outcome], bool]:
        await pool.load(probe)
        [process] = pool.workers().values()
        late, waiting = await asyncio.gather(do(pool, probe, deed), do(pool, probe, "echo on"))
        return [late, waiting], running(process)

    (late, waiting), runs = with_pool(act, score_cap_s=0.5)
    assert late == TimedOut(0.5)
    assert said(waiting) == "on"
    assert not runs


def test_a_caller_that_goes_away_leaves_the_answers_in_step(
    with_pool: WithPool, probe: WorkerKey, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    os.mkfifo(f"{gate}.busy")

    async def act(pool: WorkerPool) -> list[Any]:
        held = asyncio.ensure_future(do(pool, probe, f"wait_for {gate}"))
        sent = asyncio.ensure_future(do(pool, probe, "echo sent"))
        waiting = asyncio.ensure_future(do(pool, probe, "echo waiting"))
        last = asyncio.ensure_future(do(pool, probe, "echo last"))
        await asyncio.to_thread(Path(f"{gate}.busy").read_text)
        for task in (held, waiting):
            task.cancel()
        await asyncio.to_thread(gate.write_text, "open")
        return [said(await sent), said(await last)]

    assert with_pool(act) == ["sent", "last"]


def test_a_full_queue_refuses(with_pool: WithPool, probe: WorkerKey, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    os.mkfifo(f"{gate}.busy")

    async def act(pool: WorkerPool) -> Outcome:
        held = asyncio.ensure_future(do(pool, probe, f"wait_for {gate}"))
        queued = asyncio.ensure_future(do(pool, probe, "echo queued"))
        await asyncio.to_thread(Path(f"{gate}.busy").read_text)
        refused = await do(pool, probe, "echo refused")
        await asyncio.to_thread(gate.write_text, "open")
        assert (said(await held), said(await queued)) == ("open", "queued")
        return refused

    assert with_pool(act, queue_limit=2) == QueueFull(2)


@needs_linux
def test_the_worker_unused_longest_makes_room(with_pool: WithPool, probe: WorkerKey) -> None:
    keys = [WorkerKey(probe.source, environment=(("N", str(number)),)) for number in range(3)]

    async def act(pool: WorkerPool) -> tuple[list[WorkerKey], bool, Any]:
        processes = [said(await do(pool, key, "pid")) for key in keys[:2]]
        await do(pool, keys[0], "echo used again")
        await do(pool, keys[2], "echo third")
        live = list(pool.workers())
        return live, running(processes[1]), said(await do(pool, keys[1], "environment N"))

    live, runs, answer = with_pool(act, limit=2)
    assert live == [keys[0], keys[2]]
    assert not runs
    assert answer == "1"


def test_a_busy_worker_finishes_before_it_makes_room(with_pool: WithPool, probe: WorkerKey, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    os.mkfifo(f"{gate}.busy")
    other = WorkerKey(probe.source, environment=(("A", "1"),))

    async def act(pool: WorkerPool) -> list[Any]:
        await do(pool, probe, "echo first")
        held = asyncio.ensure_future(do(pool, probe, f"wait_for {gate}"))
        await asyncio.to_thread(Path(f"{gate}.busy").read_text)
        wanting = asyncio.ensure_future(do(pool, other, "environment A"))
        queued = [asyncio.ensure_future(do(pool, probe, f"echo {number}")) for number in range(3)]
        await asyncio.to_thread(gate.write_text, "open")
        return [said(outcome) for outcome in await asyncio.gather(held, wanting, *queued)]

    assert with_pool(act, limit=1) == ["open", "1", "0", "1", "2"]


def test_many_keys_share_few_places(with_pool: WithPool, probe: WorkerKey) -> None:
    keys = [WorkerKey(probe.source, environment=(("N", str(number)),)) for number in range(4)]

    async def act(pool: WorkerPool) -> list[Any]:
        calls = [do(pool, key, "environment N") for _ in range(3) for key in keys]
        return [said(outcome) for outcome in await asyncio.gather(*calls)]

    assert with_pool(act, limit=2) == ["0", "1", "2", "3"] * 3


@needs_linux
def test_close_ends_every_process(probe: WorkerKey) -> None:
    async def act() -> tuple[list[int], Outcome]:
        pool = WorkerPool()
        child = said(await do(pool, probe, "child"))
        [worker] = pool.workers().values()
        spinning = asyncio.ensure_future(do(pool, probe, "spin"))
        await asyncio.wait([spinning], timeout=0.05)
        await pool.close()
        return [child, worker], await spinning

    processes, outcome = asyncio.run(act())
    assert outcome == WorkerDied("was killed by SIGKILL")
    assert not any(running(process) for process in processes)


def test_a_closed_pool_starts_nothing(probe: WorkerKey) -> None:
    async def act() -> list[Any]:
        pool = WorkerPool()
        await pool.close()
        calls = pool.load(probe), do(pool, probe, "pid"), pool.find("sqlite:///x.db", "fraud", "1")
        return [(await call).reason for call in calls]

    assert asyncio.run(act()) == ["the pool is closed"] * 3


def test_close_answers_those_who_wait_for_a_start(with_pool: WithPool, probe: WorkerKey) -> None:
    async def act(pool: WorkerPool) -> list[Any]:
        begun = [asyncio.ensure_future(pool.load(probe)), asyncio.ensure_future(do(pool, probe, "pid"))]
        await asyncio.wait(begun, timeout=0)
        await pool.close()
        return [await call for call in begun]

    assert with_pool(act) == [LoadFailed("the pool is closed")] * 2
