"""Measures servesim beside its baselines in one run and holds the ratios against their floors.

    python benchmarks/run.py                       every row: about fifteen minutes
    python benchmarks/run.py --quick               every row, roughly: about four minutes
    python benchmarks/run.py --only get-base list  these rows
    python benchmarks/run.py --json                for a program to read

A miss is marked; the exit code stays 0 unless --strict is given. docs/performance.md explains the rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from time import perf_counter
from typing import TYPE_CHECKING

import rows_core
import rows_http
import rows_load
import rows_model
import rows_registry
import rows_retired
import rows_start
from figures import Figure, show
from load import Plan
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS: dict[str, Callable[[Plan], list[Figure]]] = {
    "invocation-base": rows_http.invocation_base,
    "invocation-fast": rows_http.invocation_fast,
    "invocation-limits": rows_http.invocation_limits,
    "invocation-signature": rows_http.invocation_signature,
    "answers": rows_http.answers,
    "locust": rows_load.locust,
    "flat": rows_load.flat,
    "get-base": rows_http.get_base,
    "get-fast": rows_http.get_fast,
    "get-many": rows_http.get_many,
    "list": rows_http.list_all,
    "registry": rows_registry.registry,
    "retired": rows_retired.retired,
    "real-model": rows_model.real_model,
    "start": rows_start.start,
    "local-server": rows_start.local_server,
    "workspace": rows_start.workspace,
    "workspace-client": rows_start.workspace_client,
    "plugin": rows_start.plugin,
    "import": rows_start.imported,
    "month": rows_core.month,
    "virtual": rows_core.virtual,
    "memory": rows_core.memory,
    "judge": rows_core.judge,
}


def main() -> int:
    """Measure the rows that were asked for; return the exit code."""
    options = _options()
    plan = Plan.of(quick=options.quick, rounds=options.rounds, builtin=options.builtin)
    console = Console(stderr=options.json, width=None if sys.stdout.isatty() else 160)
    figures: list[Figure] = []
    for name in options.only or ROWS:
        began = perf_counter()
        found = _measure(name, plan)
        figures += found
        console.print(f"[dim]{name}: {perf_counter() - began:.1f} s[/]", highlight=False)
    about = _about(plan)
    if options.json:
        json.dump({"about": about, "figures": [figure.as_json() for figure in figures]}, sys.stdout, indent=2)
        print()
    else:
        show(figures, console)
        console.print(", ".join(f"{key} {value}" for key, value in about.items()), highlight=False)
    return int(options.strict and any(figure.met is False for figure in figures))


def _options() -> argparse.Namespace:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--quick", action="store_true", help="shorter loads and smaller worlds; ratios are rough")
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--rounds", type=int, metavar="N", help="alternating rounds (5, quick 3)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--builtin", action="store_true", help="use the built-in client even where wrk is installed")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a floor is missed")
    return parser.parse_args()


def _measure(name: str, plan: Plan) -> list[Figure]:
    try:
        return ROWS[name](plan)
    except Exception as error:  # noqa: BLE001 - the other rows are still worth having
        note = f"{type(error).__name__}: {error}"
        return [Figure(row=name, what="not measured", value=float("nan"), unit="", floor=0, note=note)]


def _about(plan: Plan) -> dict[str, str]:
    return {
        "cores": str(os.cpu_count()),
        "Python": platform.python_version(),
        "client": "wrk" if plan.wrk else "built-in",
        "rounds": str(plan.rounds),
        "load average": f"{os.getloadavg()[0]:.1f}",
    }


if __name__ == "__main__":
    sys.exit(main())
