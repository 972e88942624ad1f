"""A traffic split as the statistics need it: the routes that take part, and those that must never answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

WHOLE = 100


class Split(NamedTuple):
    """Routes with traffic, and the names of those at 0 %."""

    names: tuple[str, ...]
    percentages: tuple[float, ...]
    """In the order of the names; each above 0, together 100."""
    closed: tuple[str, ...]


def read_split(split: Mapping[str, float]) -> Split:
    """Check percentages by served entity; raise ValueError unless each is at least 0 and they add up to 100."""
    wrong = {name: share for name, share in split.items() if not 0 <= share <= WHOLE}
    if wrong:
        message = f"a route takes 0 to 100 percent of the traffic, and these don't: {wrong}"
        raise ValueError(message)
    total = math.fsum(split.values())
    if not math.isclose(total, WHOLE):
        message = f"the routes of a split add up to 100 percent, and {dict(split)} to {total:g}"
        raise ValueError(message)
    open_ = {name: share for name, share in split.items() if share}
    return Split(tuple(open_), tuple(open_.values()), tuple(name for name in split if name not in open_))


def moves(percentages: tuple[float, ...], detect: float) -> list[tuple[int, float]]:
    """List the routes that can be off by ``detect`` points with their share then, up and down as far as there is room.

    Routes of equal share give equal power, so the first of them stands for all.
    """
    firsts = [percentages.index(share) for share in dict.fromkeys(percentages)] if len(percentages) > 1 else []
    shares = [(index, percentages[index] + sign * detect) for index in firsts for sign in (-1, 1)]
    return [(index, share) for index, share in shares if 0 <= share <= WHOLE]


def deviations(percentages: tuple[float, ...], detect: float) -> list[tuple[float, ...]]:
    """List the splits in which one route is off by ``detect`` points.

    The other routes keep their proportions: of all splits with that route off by so much, this one is the
    hardest to tell from the configured one (least Kullback-Leibler divergence).
    """
    found: dict[tuple[float, ...], None] = {}
    for index, moved in moves(percentages, detect):
        scale = (WHOLE - moved) / (WHOLE - percentages[index])
        scaled = [share * scale for share in percentages]
        found[*scaled[:index], moved, *scaled[index + 1 :]] = None
    return list(found)
