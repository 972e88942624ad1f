"""The picture of who answered: the share of each entity over time, with the band in which it may be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.load.document import points
from servesim.load.drawing import BAND, INK, SERIES, Picture, add_legend, draw_line, new_figure, short, thinned

if TYPE_CHECKING:
    from servesim.load.document import Point, Run

_MOST_ENTITIES = 4
_WHOLE = 100


class _Judged(NamedTuple):
    """A judgement with what is drawn of it."""

    judgement: dict[str, Any]
    grown: list[Point]
    """Those with answers."""
    at_s: list[float]
    """The instants of the edges."""
    edges: dict[str, list[tuple[float, float]]]
    """Lowest and highest percentage by entity."""

    def configured(self, name: str) -> float:
        """Return the percentage that an entity is to have."""
        return float(self.judgement["split"].get(name, 0))


def share(run: Run, width: float) -> Picture | None:
    """Draw the entities that are furthest off; None where no split is judged.

    Where the split changes, the points by which a share is off are drawn in place of the share.
    """
    names = _most_off(run)
    if not names:
        return None
    judged = [_judged(run, judgement) for judgement in run["judgements"]]
    off = any(one.configured(name) != judged[0].configured(name) for one in judged for name in names)
    figure, panels = new_figure(width, [1.55] * len(names), run)
    for name, panel in zip(names, panels, strict=True):
        for one in judged:
            _draw(panel, one, name, one.configured(name) if off else 0)
        _limit(panel, judged, name, off=off)
        panel.set_title(short(name))
        panel.set_ylabel("points off" if off else "%")
    add_legend(figure, panels[0], width)
    return Picture("share", "Share of each entity", _caption(run, len(names), off=off), figure)


def _caption(run: Run, shown: int, *, off: bool) -> str:
    measured = "the share of all answers of a phase so far"
    line = f"how far {measured} is from the configured one" if off else measured
    entities = len({name for judgement in run["judgements"] for name in judgement["counts"]})
    rest = f" Shown are the {shown} of {entities} entities that are furthest off." if entities > shown else ""
    return (
        f"The line is {line}, the dots that of each second. A line that leaves its band is evidence against the split; "
        f"the verdict is the e-value's, which looks at all entities together.{rest}"
    )


def _most_off(run: Run) -> list[str]:
    off: dict[str, float] = {}
    for judgement in run["judgements"]:
        for name in {**judgement["split"], **judgement["counts"]}:
            deviation = abs(judgement["estimate"].get(name, 0) - judgement["split"].get(name, 0))
            off[name] = max(off.get(name, 0), deviation)
    most = sorted(off, key=lambda name: -off[name])[:_MOST_ENTITIES]
    return [name for name in off if name in most]


def _judged(run: Run, judgement: dict[str, Any]) -> _Judged:
    from servesim.verification import Plan, band  # noqa: PLC0415 - numpy and scipy, an extra
    from servesim.verification.evidence import concentration  # noqa: PLC0415 - as above

    grown = [point for point in points(run, judgement) if sum(point.counts.values())]
    split, levels = judgement["split"], {name: judgement[name] for name in ("detect", "alpha", "power")}
    shares = tuple(sorted((share for share in split.values() if share), reverse=True))
    # The band needs no number of requests, which may take seconds to simulate.
    plan = Plan(split, **levels, requests=0, fixed_requests=0, concentration=concentration(shares, judgement["detect"]))
    sizes = [(point.at_s, sum(point.counts.get(name, 0) for name in split if split[name])) for point in thinned(grown)]
    some = [(at_s, size) for at_s, size in sizes if size]
    return _Judged(judgement, grown, [at_s for at_s, _ in some], band(plan, [size for _, size in some]) if some else {})


def _draw(panel: Any, one: _Judged, name: str, base: float) -> None:
    """Draw one judgement of an entity; ``base`` is the percentage at which the panel's zero lies."""
    if edges := one.edges.get(name):
        low, high = zip(*((low - base, high - base) for low, high in edges), strict=True)
        panel.fill_between(one.at_s, low, high, color=BAND, alpha=0.35, linewidth=0, label="band")
        for gid, edge in (("low", low), ("high", high)):
            panel.plot(one.at_s, edge, color=BAND, linewidth=0.8, gid=f"{gid}:{name}")
    time = (one.judgement["from_s"], one.judgement["to_s"])
    dashed = {"color": INK, "linewidth": 1, "linestyle": (0, (4, 3)), "label": "configured"}
    panel.hlines(one.configured(name) - base, *time, **dashed)
    each = thinned(point for point in one.grown if sum(point.last.values()))
    panel.plot(
        [point.at_s - 0.5 for point in each],
        [_percent(point.last, name) - base for point in each],
        color=SERIES[0],
        alpha=0.7,
        linestyle="none",
        marker=".",
        markersize=5,
        markeredgewidth=0,
        label="each second",
        gid=f"second:{name}",
    )
    if far := [(point.at_s, _percent(point.counts, name) - base) for point in thinned(one.grown)]:
        draw_line(panel, far, color=SERIES[0], linewidth=1.8, label="share so far", gid=f"share:{name}")


def _limit(panel: Any, judged: list[_Judged], name: str, *, off: bool) -> None:
    """Show what lies near the configured share: the band is as wide as everything at first."""
    asked = [0.0] if off else [one.configured(name) for one in judged]
    lines = [line for line in panel.get_lines() if (line.get_gid() or "").startswith("share:")]
    seen = [value for line in lines for value in line.get_ydata()[len(line.get_ydata()) // 4 :]]
    low, high = min([*asked, *seen]), max([*asked, *seen])
    room = max(2 * max(one.judgement["detect"] for one in judged), 0.25 * (high - low))
    panel.set_ylim(*((low - room, high + room) if off else (max(low - room, -2), min(high + room, _WHOLE + 2))))


def _percent(counts: dict[str, int], name: str) -> float:
    return _WHOLE * counts.get(name, 0) / sum(counts.values())
