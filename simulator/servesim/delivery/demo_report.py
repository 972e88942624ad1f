"""How the demo tells what it does: for people as it happens and as a table, for programs as JSON."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from servesim.delivery.demo_words import spoken
from servesim.service.instants import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console

    from servesim.core.eventlog import LogLine

ANSWERED = "answered"

_STYLES = {
    "failed": "red",
    "aborted": "red",
    "ready": "green",
    "serving": "green",
    "building": "yellow",
    "provisioning": "yellow",
    "loading": "yellow",
    "starting": "cyan",
    "zero": "cyan",
}
"""By the last word of what happened."""


@dataclass(frozen=True, slots=True)
class Check:
    """What came of a step; ``instant`` is the simulated one at which it ended."""

    title: str
    expected: str
    came: str
    held: bool
    instant: int


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the timeline; instants are in milliseconds."""

    instant: int
    elapsed: int
    what: str
    endpoint: str
    subject: str
    detail: str

    @property
    def about(self) -> str:
        """Whom or what it concerns, and more; who asked for it is left out."""
        whom = self.subject if self.what.startswith(("deployment", "model")) else self.endpoint
        return self.detail if ANSWERED in self.what else ": ".join(filter(None, (whom, self.detail)))


@dataclass(frozen=True, slots=True)
class Run:
    """What came of all steps; ``seconds`` are real ones, ``skipped`` names the steps that were not reached."""

    checks: tuple[Check, ...]
    skipped: tuple[str, ...]
    events: tuple[Event, ...]
    start: int
    seconds: float

    @property
    def held(self) -> bool:
        """Whether every step was taken and held."""
        return not self.skipped and all(check.held for check in self.checks)

    @property
    def simulated_s(self) -> float:
        """How much simulated time passed."""
        return (self.checks[-1].instant - self.start) / 1000 if self.checks else 0.0


def events(log: Iterable[LogLine], start: int) -> list[Event]:
    """Return the log as rows, a run of answers as one."""
    return list(_folded(log, start))


def _folded(log: Iterable[LogLine], start: int) -> Iterator[Event]:
    for (answered, endpoint, _), run in groupby(log, _alike):
        lines = list(run)
        if not answered:
            for line in lines:
                yield Event(line.instant, line.instant - start, *line[1:])
            continue
        first = lines[0]
        counts = Counter(line.subject for line in lines)
        detail = ", ".join(f"{name} {counts[name]}" for name in sorted(counts))
        what = f"{len(lines)} {'query' if len(lines) == 1 else 'queries'} answered"
        yield Event(first.instant, first.instant - start, what, endpoint, "", detail)


def _alike(line: LogLine) -> tuple[bool, str, int]:
    return (line.what == ANSWERED, line.endpoint, line.instant)


def document(run: Run) -> dict[str, Any]:
    """Return a run as JSON."""
    return {
        "held": run.held,
        "steps": [
            {
                "name": check.title,
                "expected": check.expected,
                "came": check.came,
                "held": check.held,
                "simulated": iso(check.instant),
            }
            for check in run.checks
        ],
        "not_reached": list(run.skipped),
        "timeline": [
            {
                "instant": iso(row.instant),
                "elapsed_ms": row.elapsed,
                "what": row.what,
                "endpoint": row.endpoint,
                "subject": row.subject,
                "detail": row.detail,
            }
            for row in run.events
        ],
        "simulated_seconds": run.simulated_s,
        "real_seconds": round(run.seconds, 1),
    }


class Teller:
    """Tells people what happens."""

    def __init__(self, console: Console) -> None:
        """Write here; a spinner only where it can spin."""
        self._console = console
        self._marks = ("ok", "!!") if console.options.ascii_only else ("✓", "✗")

    def begin(self) -> None:
        """Say what this is about to be."""
        text = Text("Databricks Model Serving, simulated. ", "bold")
        text.append(
            "An unmodified databricks-sdk talks to a server in this process. On the left stands the simulated "
            "time. The SDK's waiters move it: a read of an endpoint in transition is answered with what "
            "comes next (--poll settle).\n",
            "not bold",
        )
        self._console.print(text)

    def doing(self, title: str) -> AbstractContextManager[Any]:
        """Show what is being done while it is."""
        if not self._console.is_interactive:
            return nullcontext()
        return self._console.status(Text(f"{title} …" if self._marks[0] == "✓" else f"{title} ..."))

    def done(self, check: Check) -> None:
        """Tell what came of a step."""
        mark = Text(self._marks[not check.held], "bold green" if check.held else "bold red")
        words = Text(check.title, "bold")
        if check.held:
            words.append(f"\n{check.came}", "not bold dim")
        else:
            words.append(f"\nexpected: {check.expected}\ncame: {check.came}", "not bold red")
        line = Table.grid(padding=(0, 1))
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True)
        line.add_column(overflow="fold")
        line.add_row(Text(_time(check.instant), "cyan"), mark, words)
        self._console.print(line)

    def timeline(self, run: Run) -> None:
        """Show what happened in simulated time."""
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        table.add_column("Time", style="cyan", no_wrap=True)
        table.add_column("Elapsed", justify="right", no_wrap=True)
        table.add_column("What", min_width=12)
        table.add_column("Who, detail", overflow="fold")
        before = ""
        for row in _merged(run.events):
            # A time that is the same as above is not said again: what stands out is where time moved.
            same = before == _time(row.instant)
            times = ("", "") if same else (_time(row.instant), _elapsed(row.elapsed))
            table.add_row(*times, Text(row.what, _style(row.what)), Text(row.about))
            before = _time(row.instant)
        self._console.print(Text(f"\nSimulated timeline, {iso(run.start)[:10]}, UTC\n", "bold"))
        self._console.print(table)
        self._console.print()

    def end(self, run: Run) -> None:
        """Sum it up."""
        failed = [check for check in run.checks if not check.held]
        if failed:
            step = failed[0]
            self._console.print(Text(f"Did not hold: {step.title}", "bold red"))
            self._console.print(Text(f"expected: {step.expected}\ncame: {step.came}"))
            if run.skipped:
                self._console.print(Text(f"Not reached: {'; '.join(run.skipped)}"))
            return
        line = f"All {len(run.checks)} steps held: {spoken(run.simulated_s)} of simulated time in {run.seconds:.1f} s."
        self._console.print(Text(line, "bold green"))

    def farewell(self, registry: str | None, model: str) -> None:
        """Say how to go on, with the models if they were kept."""
        if registry is None:
            lines = ("Your own models:  servesim serve --help", "These models:     servesim demo --keep DIR")
        else:
            kept = f"{model} was kept, in three versions. Serve it yourself:"
            lines = (kept, f"  servesim serve --mlflow-registry {registry}")
        self._console.print()
        for line in lines:
            self._console.print(Text(line), soft_wrap=True)


def _merged(rows: Iterable[Event]) -> Iterator[Event]:
    """Put what happens to several entities at one instant into one row."""
    for (_, deployments), run in groupby(rows, lambda row: (row.instant, row.what.startswith("deployment"))):
        if not deployments:
            yield from run
            continue
        alike: dict[tuple[str, str], list[Event]] = {}
        for row in run:
            alike.setdefault((row.what, row.detail), []).append(row)
        for same in alike.values():
            yield replace(same[0], subject=", ".join(row.subject for row in same))


def _time(instant: int) -> str:
    return iso(instant)[11:19]


def _elapsed(milliseconds: int) -> str:
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"+{hours}:{minutes:02}:{seconds:02}"


def _style(what: str) -> str:
    return _STYLES.get(what.rpartition(" ")[2], "")
