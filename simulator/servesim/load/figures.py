"""The pictures of a load run: matplotlib figures of its document."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from servesim.load.document import whole_seconds
from servesim.load.drawing import LIMIT, SERIES, WIDE, Picture, add_legend, draw_line, new_figure, styled, thinned
from servesim.load.figures_share import share
from servesim.load.figures_traffic import capacity, latency, statuses

if TYPE_CHECKING:
    from servesim.load.document import Run

_GREATEST = 300.0
"""Of the decimal exponent that is drawn; a float has 308."""


def pictures(run: Run, width: float = WIDE) -> list[Picture]:
    """Draw what a run's document has data for; ``width`` is in inches.

    Lines that tests and people look for have a group id: ``share:NAME``, ``low:NAME``, ``high:NAME``, ``e-value``.
    """
    made = []
    with styled():
        for draw in (share, _evidence, latency, statuses, capacity):
            picture = draw(run, width)
            if picture is not None:
                made.append(picture)
    return made


def _evidence(run: Run, width: float) -> Picture | None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415 - an extra

    judged = [(one, rows) for one in run["judgements"] if (rows := _looks(run, one))]
    if not judged:
        return None
    figure, (panel,) = new_figure(width, [1.9], run)
    for judgement, rows in judged:
        draw_line(panel, rows, color=SERIES[0], linewidth=1.8, label="e-value", gid="e-value")
        panel.hlines(
            -math.log10(judgement["alpha"]),
            judgement["from_s"],
            judgement["to_s"],
            color=LIMIT,
            linewidth=1.4,
            linestyle=(0, (4, 3)),
            label="limit, 1/alpha",
        )
    greatest = max(e for _, rows in judged for _, e in rows)
    limit = max(-math.log10(judgement["alpha"]) for judgement, _ in judged)
    panel.set_ylim(min(-1, *(e for _, rows in judged for _, e in rows)) - 0.3, max(limit, greatest) * 1.12 + 0.2)
    panel.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda exponent, _: _power_of_ten(exponent)))
    panel.set_ylabel("e-value")
    add_legend(figure, panel, width)
    return Picture(
        "evidence",
        "Evidence against the split",
        "How many times likelier the answers are under other splits than under the configured one. A router that is "
        "right reaches the limit with a chance of at most alpha, however often one looks.",
        figure,
    )


def _looks(run: Run, judgement: dict[str, Any]) -> list[tuple[float, float]]:
    rows = [(row["s"] + 1, row["log_e"]) for row in whole_seconds(run, judgement) if row.get("log_e") is not None]
    return thinned([(at_s, max(-_GREATEST, min(log_e / math.log(10), _GREATEST))) for at_s, log_e in rows])


def _power_of_ten(exponent: float) -> str:
    plain = 5
    if abs(exponent) < plain:
        return f"{10.0**exponent:,.10g}" if exponent >= 0 else f"{10.0**exponent:g}"
    return f"1e{exponent:g}"
