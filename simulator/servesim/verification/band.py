"""Where a share may be seen while nothing is against the split; for pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from servesim.verification.evidence import log_e
from servesim.verification.split import WHOLE, read_split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from servesim.verification.plan import Plan

_HALVINGS = 40


def band(plan: Plan, requests: Sequence[int]) -> dict[str, list[tuple[float, float]]]:
    """Return, for each route with traffic, lowest and highest percentage after each of these numbers of requests.

    At the edges the e-value is 1/alpha, if the others keep their proportions. More than one route off can cross
    it inside of all bands, so the verdict is the e-value's.
    """
    names, percentages, _ = read_split(plan.split)
    shares = numpy.asarray(percentages) / WHOLE
    sizes = numpy.asarray(requests, dtype=float)
    return {
        name: [
            (float(low), float(high))
            for low, high in zip(*(_edge(plan, shares, index, sizes, end) for end in (0.0, 1.0)), strict=True)
        ]
        for index, name in enumerate(names)
    }


def _edge(plan: Plan, shares: Any, index: int, sizes: Any, end: float) -> Any:
    """Halve the way from the route's share to one end until the e-value crosses; the log e-value is convex."""
    inside, outside = numpy.full(sizes.shape, shares[index]), numpy.full(sizes.shape, end)
    if len(shares) == 1:
        return inside * WHOLE
    others = numpy.where(numpy.arange(len(shares)) == index, 0, shares) / (1 - shares[index])
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        split = (1 - middle)[:, None] * others
        split[:, index] = middle
        crossed = log_e(shares, plan.concentration, split * sizes[:, None]) >= -numpy.log(plan.alpha)
        inside, outside = numpy.where(crossed, inside, middle), numpy.where(crossed, middle, outside)
    return numpy.round(WHOLE * outside, 6)
