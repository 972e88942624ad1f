"""Rows on what it costs to begin: a server, a workspace, the pytest plugin, an import."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import servers
from figures import Figure, paired
from load import alternate
from processes import script, with_bytecode

if TYPE_CHECKING:
    from load import Plan
    from processes import Process

PLUGIN_RUNS, QUICK_PLUGIN_RUNS = 30, 8
EMPTY_TEST = "def test_nothing():\n    pass\n"
HEAVY = "asyncio aiohttp pandas mlflow databricks"


def start(plan: Plan) -> list[Figure]:
    """From the start of a process to its first 200."""
    runs = plan.rounds if plan.quick else 2 * plan.rounds
    for make in _STARTS.values():
        _start_s(make())  # leaves the compiled modules behind
    bare, *ours = alternate(runs, *(lambda make=make: _start_s(make()) for make in _STARTS.values()))
    return [
        Figure(
            row="start",
            what=f"servesim serve to its first 200, {install}",
            value=median(found) * 1000,
            unit="ms",
            baseline=median(bare) * 1000,
            ratio=paired(found, bare),
            floor=1.8,
            reach=1.2,
            at_least=False,
        )
        for install, found in zip(("base", "fast"), ours, strict=True)
    ]


_STARTS = {
    "bare": servers.bare,
    "base": lambda: servers.command_line("base"),
    "fast": lambda: servers.command_line("fast"),
}


def _start_s(server: Process) -> float:
    with server:
        return server.start_s


def local_server(plan: Plan) -> list[Figure]:
    """A server in a thread of the test process, aiohttp and servesim imported."""
    runs = [script("run_local.py", "server") for _ in range(plan.rounds)]
    first = median(run["first_200_ms"] for run in runs)
    return [
        _most("local-server", "LocalServer to its first 200", first, 10, 3),
        _most("local-server", "importing servesim where aiohttp is", median(run["import_ms"] for run in runs)),
    ]


def workspace(plan: Plan) -> list[Figure]:
    """A fresh workspace for each test."""
    found = script("run_local.py", "workspace", str(50 if plan.quick else 500))
    return [_most("workspace", "opened and closed", found["open_close_ms"], 0.3, 0.1)]


def workspace_client(plan: Plan) -> list[Figure]:
    """The same with a Databricks WorkspaceClient."""
    found = script("run_local.py", "client", str(20 if plan.quick else 200))
    figure = _most("workspace-client", "opened, client made, closed", found["open_client_close_ms"], 3, 1.5)
    warned = Figure(
        row="workspace-client", what="warnings logged", value=found["warnings"], unit="", floor=0, at_least=False
    )
    return [figure, warned]


def plugin(plan: Plan) -> list[Figure]:
    """Pytest with the plugin that nobody uses."""
    runs = QUICK_PLUGIN_RUNS if plan.quick else PLUGIN_RUNS
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_nothing.py").write_text(EMPTY_TEST)
        _pytest(folder, "-p", "pytest_servesim")  # leaves the compiled modules behind
        sides = (lambda: _pytest(folder), lambda: _pytest(folder, "-p", "pytest_servesim"))
        bare, ours = alternate(runs, *sides)
    added = median(one[0] - other[0] for one, other in zip(ours, bare, strict=True))
    cpu = median(one[1] - other[1] for one, other in zip(ours, bare, strict=True))
    heavy = _heavy_modules()
    return [
        _most("plugin", f"added to bare pytest, {runs} alternating runs", added * 1000, 10, 5),
        _most("plugin", "the same, processor time", cpu * 1000),
        Figure(
            row="plugin",
            what="asyncio, aiohttp, pandas, mlflow, databricks imported",
            value=len(heavy),
            unit="",
            floor=0,
            at_least=False,
            note=" ".join(heavy),
        ),
    ]


def imported(plan: Plan) -> list[Figure]:
    """Import of the package."""
    code = "from time import perf_counter as now; since = now(); import servesim; print((now() - since) * 1000)"
    found = [float(_python(code)) for _ in range(plan.rounds)]
    return [_most("import", "import servesim", median(found), 50)]


def _pytest(folder: str, *options: str) -> tuple[float, float]:
    """Run the empty test; return real seconds and processor seconds."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, folder]
    began, before = perf_counter(), os.times()
    subprocess.run(  # noqa: S603 - spelled out above
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        env=with_bytecode({**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}),
        timeout=60,
    )
    took, after = perf_counter() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return took, cpu


def _heavy_modules() -> list[str]:
    code = f"import sys, pytest_servesim; print(*(name for name in '{HEAVY}'.split() if name in sys.modules))"
    return _python(code).split()


def _python(code: str) -> str:
    return subprocess.run(  # noqa: S603 - code of this module
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    ).stdout


def _most(row: str, what: str, value: float, floor: float | None = None, reach: float | None = None) -> Figure:
    return Figure(row=row, what=what, value=value, unit="ms", floor=floor, reach=reach, at_least=False)
