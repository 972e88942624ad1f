"""What a row of the benchmarks measured, held against its floor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isnan
from statistics import median
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

NOTHING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the result; what is judged is the ratio where there is a baseline, else the value."""

    row: str
    what: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    """Median of the rounds' ratios; each round measures both sides within seconds of each other."""
    floor: float | None = None
    reach: float | None = None
    """Worth reaching for."""
    at_least: bool = True
    """Whether the floor is the least that it should be, or the most."""
    cpu_us: float | None = None
    """Processor time of the server for each request, in microseconds."""
    baseline_cpu_us: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the floor holds; None where there is none."""
        if self.floor is None:
            return None
        judged = self.value if self.ratio is None else self.ratio
        return judged >= self.floor if self.at_least else judged <= self.floor

    def as_json(self) -> dict[str, Any]:
        """Return the figure with its verdict."""
        value = None if isnan(self.value) else self.value
        return {**asdict(self), "value": value, "met": self.met}


def paired(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median over rounds of our figure divided by theirs."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def show(figures: Iterable[Figure], console: Console) -> None:
    """Print a table with a ratio beside its floor; a miss is marked."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("row", "measured"):
        table.add_column(heading)
    for heading in ("value", "baseline", "ratio", "floor", "reach", "CPU us", "by CPU"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for figure in figures:
        table.add_row(*_cells(figure))
    console.print(table)


def _cells(figure: Figure) -> list[str]:
    bound = ">=" if figure.at_least else "<="
    verdict = {None: "", True: "[green]ok[/]", False: "[bold red]MISS[/]"}[figure.met]
    return [
        figure.row,
        figure.what + (f" [dim]({figure.note})[/]" if figure.note else ""),
        f"{_number(figure.value)} {figure.unit}",
        _number(figure.baseline),
        _number(figure.ratio),
        NOTHING if figure.floor is None else f"{bound} {figure.floor:,g}",
        NOTHING if figure.reach is None else f"{figure.reach:,g}",
        _both(figure.cpu_us, figure.baseline_cpu_us),
        _by_cpu(figure),
        verdict,
    ]


def _both(ours: float | None, theirs: float | None) -> str:
    if ours is None:
        return NOTHING
    return f"{ours:.0f}" if theirs is None else f"{ours:.0f} / {theirs:.0f}"


def _by_cpu(figure: Figure) -> str:
    if not figure.cpu_us or not figure.baseline_cpu_us:
        return NOTHING
    return f"{figure.baseline_cpu_us / figure.cpu_us:.2f}"


def _number(value: float | None) -> str:
    if value is None:
        return NOTHING
    if abs(value) >= 100:  # noqa: PLR2004 - three digits say enough
        return f"{value:,.0f}"
    return f"{value:.3g}"
