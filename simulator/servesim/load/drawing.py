"""How the pictures of a load run are drawn: one style, colours that a page sets, SVG that is the same every time."""

from __future__ import annotations

import io
import math
import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.service.documents import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from servesim.load.document import Run

WIDE, NARROW = 8.4, 4.0
"""Inches: for a page as wide as a desk's, and for a telephone's."""

INK, FAINT, BAND, LIMIT = "#010101", "#010102", "#010103", "#010104"
SERIES = tuple(f"#0201{number:02x}" for number in range(1, 7))
GOOD, WAIT, REFUSED, BROKEN, NONE = (f"#0301{number:02x}" for number in range(1, 6))
COLOURS = {
    INK: "ink",
    FAINT: "faint",
    BAND: "band",
    LIMIT: "limit",
    **{colour: f"series-{number}" for number, colour in enumerate(SERIES, 1)},
    GOOD: "good",
    WAIT: "wait",
    REFUSED: "refused",
    BROKEN: "broken",
    NONE: "none",
}
"""The variable of the page's style by the colour that stands for it in a figure; none of them is seen."""

_MOST_POINTS = 400
_NAME_SIGNS = 24
_SIGNS_AN_INCH = 13
_STRIP = 0.2
"""Inches for the names of phases."""

_STYLE = {
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.titlesize": 9.5,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.facecolor": "none",
    "font.size": 9,
    "grid.alpha": 0.25,
    "grid.color": FAINT,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,  # a name may have dollars in it
    "xtick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.color": INK,
    "ytick.labelsize": 8.5,
}


class Picture(NamedTuple):
    """One figure, with what a page writes above and below it."""

    name: str
    title: str
    caption: str
    figure: Any


def svg(picture: Picture, kind: str) -> str:
    """Return a figure as an SVG element for a page, the same bytes for the same figure.

    ``kind`` keeps the ids of two drawings of one picture apart. Colours are variables of the page's style.
    """
    prefix = f"{picture.name}-{kind}-"
    with styled({"svg.hashsalt": prefix}), warnings.catch_warnings():
        buffer = io.StringIO()
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # the page's own letters have it
        picture.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue()
    text = re.sub(r"(?s)<metadata>.*?</metadata>|<!--.*?-->", "", text[text.index("<svg") :])
    text = re.sub(r""" id=("[^"]*"|'[^']*')""", lambda one: f' id="{prefix}{_identifier(one[1][1:-1])}"', text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{prefix}", text.replace("xlink:href", "href"))
    text = re.sub("#0[123]01[0-9a-f]{2}", lambda colour: f"var(--{COLOURS[colour[0]]})", text)
    text = re.sub(r"font: ([^;\"]*?)'DejaVu Sans'[^;\"]*", r"font: \1var(--letters)", text)
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
    label = f'class="{kind}" role="img" aria-label="{picture.title}"'
    assert size is not None  # noqa: S101 - matplotlib writes one
    opening = f'<svg {label} viewBox="{size[0][9:-1]}" xmlns="http://www.w3.org/2000/svg">'
    return re.sub(r"<svg [^>]*>", opening, text, count=1).strip()


def _identifier(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9:.-]", "_", text)


@contextmanager
def styled(more: dict[str, Any] | None = None) -> Iterator[None]:
    """Draw as here is said, whatever somebody's matplotlibrc says."""
    import matplotlib  # noqa: PLC0415 - an extra

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_STYLE, **(more or {})})
        yield


def new_figure(width: float, heights: Sequence[float], run: Run) -> tuple[Any, list[Any]]:
    """Return a figure with panels of these heights in inches above each other, seconds from left to right."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - an extra

    named = [_STRIP] if len(run.get("phases") or []) > 1 else []
    rows = [*named, *heights]
    figure = Figure(figsize=(width, sum(rows) + 0.75), layout="constrained")
    panels = list(figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=rows)[:, 0])
    panels[-1].set_xlabel("seconds")
    panels[-1].set_xlim(0, max(run["seconds"], *(row["s"] + 1 for row in run["series"]), 1))
    panels[-1].xaxis.set_major_locator(MaxNLocator(nbins="auto" if width > NARROW else 5, integer=True))
    if named:
        _name_phases(panels.pop(0), run, width)
    for panel in panels:
        for phase in (run.get("phases") or [])[1:]:
            panel.axvline(phase["from_s"], color=FAINT, linewidth=0.8, linestyle=(0, (1, 2)), gid="phase")
    return figure, panels


def _name_phases(panel: Any, run: Run, width: float) -> None:
    """Write into a strip of its own what each phase is called, where its time is long enough for it."""
    panel.set_axis_off()
    for phase in run["phases"]:
        name = short(phase["name"])
        room = (phase["to_s"] - phase["from_s"]) / panel.get_xlim()[1] * (width - 0.8) * _SIGNS_AN_INCH
        if len(name) <= room:
            panel.text(phase["from_s"], 0.5, name, va="center", fontsize=8.5, color=FAINT, gid="phase name")


def draw_line(panel: Any, points: Sequence[tuple[float, float]], **style: Any) -> None:
    """Draw a line through points; one alone, of which a line shows nothing, as a dot."""
    alone = len(points) == 1
    panel.plot(*zip(*points, strict=True), marker="o" if alone else None, markersize=4, clip_on=not alone, **style)


def add_legend(figure: Any, panel: Any, width: float) -> None:
    """Put one legend above everything, in as many columns as fit."""
    handles, labels = panel.get_legend_handles_labels()
    kept = dict(zip(reversed(labels), reversed(handles), strict=True))  # of those with one name the first
    kept = {label: kept[label] for label in labels}
    longest = max((len(label) for label in kept), default=0)
    columns = max(1, min(len(kept), int(width * 11 / (longest + 5))))
    figure.legend(
        kept.values(), kept.keys(), loc="outside upper left", ncols=columns, columnspacing=1.4, handlelength=1.6
    )


def short(name: str) -> str:
    """Return a name as long as a legend has room for: its beginning and its end."""
    name = plain(name)
    return name if len(name) <= _NAME_SIGNS else f"{name[: _NAME_SIGNS - 9]}…{name[-8:]}"


def thinned(items: Iterable[Any]) -> list[Any]:
    """Return at most so many as a picture shows, evenly chosen, the last among them."""
    found = list(items)
    step = math.ceil(len(found) / _MOST_POINTS) or 1
    return [item for number, item in enumerate(found) if (len(found) - 1 - number) % step == 0]
