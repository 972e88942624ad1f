"""The pictures of a load run that need no split: latency, status, capacity."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from servesim.load.drawing import (
    BROKEN,
    GOOD,
    NONE,
    REFUSED,
    SERIES,
    WAIT,
    Picture,
    add_legend,
    draw_line,
    new_figure,
    short,
    thinned,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.load.document import Run

_MOST_BARS = 120


def latency(run: Run, width: float) -> Picture | None:
    """Draw percentiles over time; None where nothing was answered."""
    rows = [row for row in run["series"] if (row["latency_ms"] or {}).get("p50") is not None]
    if not rows:
        return None
    figure, (panel,) = new_figure(width, [1.9], run)
    drawn = []
    for name, colour, line in (("p99", SERIES[2], 1.2), ("p95", SERIES[1], 1.4), ("p50", SERIES[0], 1.8)):
        some = thinned(
            [(row["s"] + 0.5, row["latency_ms"][name]) for row in rows if row["latency_ms"].get(name) is not None]
        )
        if some:
            draw_line(panel, some, color=colour, linewidth=line, label=name, gid=f"latency:{name}")
        drawn += [ms for _, ms in some]
    _scale_latency(panel, drawn)
    panel.set_ylabel("ms")
    add_legend(figure, panel, width)
    return Picture(
        "latency", "Latency", "Of the requests that were sent in each second, until the end of their answer.", figure
    )


def _scale_latency(panel: Any, drawn: list[float]) -> None:
    """Show orders of magnitude where there are some, and from zero on elsewhere."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator  # noqa: PLC0415 - an extra

    low, high = min(drawn), max(drawn)
    if low <= 0 or high / low < 10:  # noqa: PLR2004 - an order of magnitude
        panel.set_ylim(0, high * 1.1 or 1)
        return
    panel.set_yscale("log")
    panel.set_ylim(low * 0.8, high * 1.25)
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 200 else (1,), numticks=12))  # noqa: PLR2004 - as many labels as there is room for
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:,.10g}"))


_CLASSES: dict[str, tuple[str, Callable[[int], bool]]] = {
    "answered (2xx)": (GOOD, lambda status: status // 100 == 2),  # noqa: PLR2004 - HTTP's classes
    "429": (WAIT, lambda status: status == 429),  # noqa: PLR2004 - as above
    "other 4xx": (REFUSED, lambda status: status // 100 == 4 and status != 429),  # noqa: PLR2004 - as above
    "5xx": (BROKEN, lambda status: status // 100 == 5),  # noqa: PLR2004 - as above
    "no answer": (NONE, lambda status: status // 100 not in {2, 4, 5}),
}


def statuses(run: Run, width: float) -> Picture | None:
    """Draw how many answers of each class came, over time; None without any."""
    rows = [row for row in run["series"] if row["statuses"]]
    if not rows:
        return None
    end = rows[-1]["s"] + 1
    step = max(1, math.ceil(end / _MOST_BARS))
    bins: dict[int, dict[str, float]] = {}
    for row in rows:
        into = bins.setdefault(int(row["s"] // step), dict.fromkeys(_CLASSES, 0.0))
        for status, count in row["statuses"].items():
            into[_class_of(status)] += count
    figure, (panel,) = new_figure(width, [1.9], run)
    at_s = [number * step for number in bins]
    below = [0.0] * len(bins)
    for name, (colour, _) in _CLASSES.items():
        heights = [one[name] / min(step, end - start) for start, one in zip(at_s, bins.values(), strict=True)]
        if any(heights):
            panel.bar(at_s, heights, width=step * 0.96, bottom=below, align="edge", color=colour, label=name)
            below = [low + height for low, height in zip(below, heights, strict=True)]
    panel.yaxis.set_major_formatter("{x:,g}")
    panel.set_ylabel("a second")
    add_legend(figure, panel, width)
    return Picture("statuses", "Answers by status", "By the second in which the request was sent.", figure)


def _class_of(status: str) -> str:
    number = int(status) if status.isdecimal() else 0
    return next(name for name, (_, fits) in _CLASSES.items() if fits(number))


# --- replicas, held requests ----------------------------------------------------------------------


def capacity(run: Run, width: float) -> Picture | None:
    """Draw replicas and held requests over time; None where nobody told them."""
    kinds = [
        (key, title)
        for key, title in (("provisioned", "provisioned concurrency"), ("held", "held requests"))
        if any(row.get(key) for row in run["series"])
    ]
    if not kinds:
        return None
    names = list(dict.fromkeys(name for row in run["series"] for key, _ in kinds for name in row.get(key) or {}))
    colours = dict(zip(names, itertools.cycle(SERIES), strict=False))
    figure, panels = new_figure(width, [1.3] * len(kinds), run)
    for (key, title), panel in zip(kinds, panels, strict=True):
        _draw_states(panel, run, key, colours)
        panel.set_title(title)
    add_legend(figure, panels[0], width)
    return Picture(
        "capacity",
        "Capacity",
        "Provisioned concurrency as the endpoint's metrics tell it: how many requests an entity answers at a time. "
        "Held requests wait for a replica, as in a cold start.",
        figure,
    )


def _draw_states(panel: Any, run: Run, key: str, colours: dict[str, str]) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - an extra

    for number, (name, colour) in enumerate(colours.items()):
        some = _changes([(row["s"], row[key][name]) for row in run["series"] if name in (row.get(key) or {})])
        panel.step(
            [at_s for at_s, _ in some],
            [count for _, count in some],
            where="post",
            color=colour,
            # The same value twice is one line: the later ones leave gaps in which the first is seen.
            linestyle="-" if number == 0 else (0, (4, 2 + number)),
            linewidth=1.8,
            label=short(name),
            gid=f"{key}:{name}",
        )
    panel.set_ylim(0, max(panel.get_ylim()[1] * 1.06, 1))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))


def _changes(states: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the seconds in which a state changed, and the end of the last one."""
    changed = [state for number, state in enumerate(states) if not number or states[number - 1][1] != state[1]]
    return [*thinned(changed), (states[-1][0] + 1, states[-1][1])] if states else []
