"""Rows on long load: whether locust or the server is saturated first, and whether the server's memory stays."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import load
import servers
from calls import ENDPOINT, HOST, ONE_ROW, TOKEN
from figures import Figure
from processes import HERE, SCRIPT_LIMIT_S

if TYPE_CHECKING:
    from load import Plan
    from processes import Process

TEST = HERE.parent / "loadtests" / "traffic_split.py"
USERS = 32
CONNECTIONS = 64


def locust(plan: Plan) -> list[Figure]:
    """One locust process against one server with every limit held: whose processor has less to spare."""
    seconds = 6 if plan.quick else 20
    with (
        servers.command_line("fast", servers.WORLD_LIMITS, "--clock", "paced") as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        before, mine = server.cpu_s(), _children_s()
        run = _run(server.port, Path(folder), seconds)
        served = (server.cpu_s() or 0.0) - (before or 0.0)
        sent = _children_s() - mine
    rate = run["requests"]["rps"]
    return [
        Figure(row="locust", what=f"requests of {USERS} users, one process", value=rate, unit="/s"),
        Figure(
            row="locust",
            what="processor time of locust against the server's",
            value=sent,
            unit="s",
            baseline=served,
            ratio=sent / served,
            floor=1.0,
        ),
    ]


def flat(plan: Plan) -> list[Figure]:
    """Resident memory while a million invocations are answered, with every limit held and a fault waiting."""
    first, whole = (20_000, 60_000) if plan.quick else (100_000, 1_000_000)
    with servers.command_line("fast", servers.WORLD_LIMITS) as server:
        answered = _until(server, 0.0, first, plan)
        before = server.memory_mb() or float("nan")
        answered = _until(server, answered, whole, plan)
        after = server.memory_mb() or float("nan")
    what = f"memory that invocations {first:,} to {answered:,.0f} add"
    return [Figure(row="flat", what=what, value=after - before, unit="MB", floor=5.0, at_least=False)]


def _until(server: Process, answered: float, wanted: int, plan: Plan) -> float:
    while answered < wanted:
        answered += load.sample(server, ONE_ROW, CONNECTIONS, plan).per_second * plan.seconds
    return answered


def _run(port: int, folder: Path, seconds: int) -> dict[str, dict[str, float]]:
    payload, result = folder / "row.json", folder / "run.json"
    payload.write_bytes(ONE_ROW.body)
    asked = {"endpoint": ENDPOINT, "payload": str(payload), "duration_s": seconds, "detect": 0.5, "result": str(result)}
    subprocess.run(  # noqa: S603 - locust with a file of this project
        [
            *(sys.executable, "-m", "locust", "-f", str(TEST), "--headless", "--only-summary"),
            *("-u", str(USERS), "-r", str(USERS), "--host", f"http://{HOST}:{port}"),
        ],
        env={**os.environ, "DATABRICKS_TOKEN": TOKEN, "SERVESIM_LOAD": json.dumps(asked)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,  # it may well end before its plan is reached: that is no verdict here
        timeout=SCRIPT_LIMIT_S,
    )
    document: dict[str, dict[str, float]] = json.loads(result.read_bytes())
    return document


def _children_s() -> float:
    """Return the processor seconds of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
