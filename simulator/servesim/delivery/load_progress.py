"""How far a load test is, told while it runs: one line that changes on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any, Self

import click

from servesim.delivery.admin_client import is_terminal
from servesim.load.words import number
from servesim.service.documents import plain

if TYPE_CHECKING:
    from pathlib import Path

_EVERY_S = 5
"""Between two lines where nobody looks at one that changes."""
_LINE = 64 * 1024
_PHASE_SIGNS = 20


class Tail:
    """The lines that a file of JSON lines has got since the last look."""

    def __init__(self, path: Path) -> None:
        """Begin at its start, once it is there."""
        self._path = path
        self._at = 0

    def new(self) -> list[dict[str, Any]]:
        """Return the documents of the lines that have ended; one that is cut short comes with the next look."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._at)
                read = stream.read(16 * _LINE)
        except OSError:
            return []
        whole, _, _ = read.rpartition(b"\n")
        self._at += len(whole) + bool(whole)
        return [found for line in whole.splitlines() if isinstance(found := _document(line), dict)]


def teller(alpha: float) -> Lines | Bar:
    """Return who tells it on standard error; 1/alpha is the e-value's limit."""
    return Bar(alpha) if is_terminal(sys.stderr) else Lines(alpha)


class Lines:
    """A line every five seconds, at each new phase, and the last."""

    def __init__(self, alpha: float) -> None:
        """Begin."""
        self._alpha = alpha
        self._told: tuple[Any, int] | None = None
        self._last: dict[str, Any] | None = None

    def __enter__(self) -> Self:
        """Tell nothing yet."""
        return self

    def show(self, progress: dict[str, Any]) -> None:
        """Tell how far it is."""
        now = (progress.get("phase"), int(progress.get("s") or 0) // _EVERY_S)
        self._last = progress
        if now != self._told:
            self._told, self._last = now, None
            click.echo(line(progress, self._alpha), err=True)

    def __exit__(self, *_: object) -> None:
        """Tell the last, if it was not told."""
        if self._last is not None:
            click.echo(line(self._last, self._alpha), err=True)


class Bar:
    """A bar of the requests that the verdict needs, and the figures below it; both go when the run ends."""

    def __init__(self, alpha: float) -> None:
        """Begin."""
        from rich.console import Console, Group  # noqa: PLC0415 - only where somebody looks at it
        from rich.live import Live  # noqa: PLC0415 - as above
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn  # noqa: PLC0415 - as above
        from rich.text import Text  # noqa: PLC0415 - as above

        self._alpha = alpha
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=None))
        self._progress = Progress(*columns, TextColumn("{task.fields[counted]}"), expand=True)
        self._task = self._progress.add_task("starting locust", total=None, counted="")
        self._text = Text("", no_wrap=True, overflow="ellipsis")
        self._live = Live(
            Group(self._progress, self._text), console=Console(stderr=True), transient=True, refresh_per_second=8
        )

    def __enter__(self) -> Self:
        """Show it."""
        self._live.start()
        return self

    def show(self, progress: dict[str, Any]) -> None:
        """Tell how far it is."""
        needed, done = progress.get("needed"), _done(progress)
        phase = plain(str(progress.get("phase") or "load"))[:_PHASE_SIGNS]
        self._progress.update(
            self._task, description=phase, total=needed or None, completed=min(done, needed or done),
            counted=counted(progress),
        )  # fmt: skip
        self._text.plain = "  " + figures(progress, self._alpha)

    def __exit__(self, *_: object) -> None:
        """Take it away."""
        self._live.stop()


def counted(progress: dict[str, Any]) -> str:
    """Say how many requests there are, or how many of those that the verdict needs."""
    needed = progress.get("needed")
    return f"{_done(progress):,} of {int(needed):,}" if needed else f"{_done(progress):,}"


def _done(progress: dict[str, Any]) -> int:
    """Return how many are judged, where something is; what is sent while a split changes is not."""
    judged = progress.get("judged") if progress.get("needed") else None
    return int((progress.get("requests") if judged is None else judged) or 0)


def figures(progress: dict[str, Any], alpha: float) -> str:
    """Say how fast it goes, what failed, and how strong the evidence is."""
    errors = int(progress.get("errors") or 0)
    told = [f"{number(float(progress.get('s') or 0))} s", f"{number(float(progress.get('rps') or 0))}/s"]
    told += [f"{errors:,} error{'s' * (errors != 1)}"]
    if (log_e := progress.get("log_e")) is not None:
        told.append(f"e-value {number(math.exp(min(float(log_e), 690.0)))}, limit {1 / alpha:,.0f}")
    return ", ".join(told)


def line(progress: dict[str, Any], alpha: float) -> str:
    """Say all of it in one line."""
    phase = plain(str(progress.get("phase") or "load"))
    return f"{phase}: {counted(progress)} requests, {figures(progress, alpha)}"


def _document(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
