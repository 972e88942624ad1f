"""Shows where the microseconds of a request go, function by function.

    python benchmarks/profile_invocation.py                     an invocation, base install
    python benchmarks/profile_invocation.py --install fast --call get --connections 64

The server's stack is sampled by its own processor time, which slows it down far less than tracing would. Time in
C code (sockets, JSON) counts for the Python function that called it; what an event loop in C does itself counts
for the callback that it calls next.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
from collections import Counter
from json import loads
from pathlib import Path

import load
import servers
from calls import GET_ONE, LIST_ALL, ONE_ROW
from figures import paired
from rich import box
from rich.console import Console
from rich.table import Table

ALWAYS = 0.97
CALLS = {"invocation": ONE_ROW, "get": GET_ONE, "list": LIST_ALL}


def main() -> None:
    """Load a server twice, with and without the sampler, and print the profile in microseconds a request."""
    options = _options()
    plan = load.Plan(rounds=1, seconds=options.seconds)
    call = CALLS[options.call]
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "profile.json"
        with servers.command_line(options.install) as plain:
            cpu_us = load.sample(plain, call, options.connections, plan).cpu_us
        with servers.command_line(options.install, profile=written) as server:
            load.built_in(server, [call], options.connections, load.WARM_UP_S)
            os.kill(server.pid, signal.SIGUSR1)
            sampled = load.sample(server, call, options.connections, plan).cpu_us
        counts = loads(written.read_text())
    assert cpu_us is not None, "this needs /proc"
    console = Console(width=110)
    slower = f"sampling made it {paired([sampled or cpu_us], [cpu_us]):.2f} times that"
    console.print(f"{options.call}, {options.install}: {cpu_us:.0f} us of processor time a request ({slower})")
    own, samples = counts["own"], sum(counts["own"].values())
    # What every stack has in common says nothing.
    within = {name: count for name, count in counts["within"].items() if count < ALWAYS * samples}
    tables = {"by layer": _layers(own), "function: own time": own, "function: with what it calls": within}
    for heading, counted in tables.items():
        _show(console, heading, counted, cpu_us / samples, options.lines)


def _options() -> argparse.Namespace:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--install", choices=servers.INSTALLS, default="base")
    parser.add_argument("--call", choices=CALLS, default="invocation")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--lines", type=int, default=40)
    return parser.parse_args()


def _layers(own: dict[str, int]) -> dict[str, int]:
    layers: Counter[str] = Counter()
    for name, count in own.items():
        layers[name.rpartition(":")[0].partition("/")[0]] += count
    return dict(layers)


def _show(console: Console, heading: str, counts: dict[str, int], us_each: float, lines: int) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("us", justify="right")
    table.add_column(heading)
    for name, count in sorted(counts.items(), key=lambda entry: -entry[1])[:lines]:
        table.add_row(f"{count * us_each:.1f}", name)
    console.print(table)


if __name__ == "__main__":
    main()
