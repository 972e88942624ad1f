"""The smallest size at which simulated routers that are off are caught with the promised power."""

from __future__ import annotations

import math
from itertools import takewhile
from typing import NamedTuple

import numpy

from servesim.verification.bounds import lower_bound
from servesim.verification.evidence import concentration, fixed_requests
from servesim.verification.simulation import Rule, caught, generator
from servesim.verification.split import WHOLE, deviations

SEED = 1
RUNS = 50_000
_CONFIDENCE = 0.9999
"""That the power is as promised at a size. It makes plans about 2 % larger than they would have to be."""


class Cell(NamedTuple):
    """What the number of requests depends on."""

    percentages: tuple[float, ...]
    """Of the routes with traffic, the greatest first."""
    detect: float
    alpha: float
    power: float


def requests_needed(cell: Cell) -> int:
    """Return the first round size from which on the power is kept, whichever route is off.

    Counts are whole numbers, so the power falls a little wherever the count that just suffices rises by one; twenty
    sizes up to a tenth above are looked at as well. Raises ValueError if no route can be so far off.
    """
    truths = deviations(cell.percentages, cell.detect)
    if not truths:
        message = f"no route of {cell.percentages} can be {cell.detect:g} points off: ask for less"
        raise ValueError(message)
    size = _round_up(fixed_requests(*cell))
    hardest = min(truths, key=lambda truth: hits(cell, truth, size))
    others = [truth for truth in truths if truth != hardest]
    size = _first(cell, hardest, size)
    while not all(_is_enough(cell, truth, size) for truth in others):
        size = _first(cell, hardest, _round_up(size + 1))
    return size


def rule_of(cell: Cell) -> Rule:
    """Return the rule that the promise is made for: the largest floor that a verdict takes."""
    shares = numpy.asarray(cell.percentages) / WHOLE
    return Rule(shares, concentration(cell.percentages, cell.detect), -math.log(cell.alpha), cell.detect / 2)


def hits(cell: Cell, truth: tuple[float, ...], requests: int, runs: int = RUNS, seed: int = SEED) -> int:
    """Count the simulated routers with the percentages ``truth`` that are caught."""
    draws = generator(seed, requests, *(round(1_000 * share) for share in truth))
    return caught(numpy.asarray(truth) / WHOLE, runs, requests, rule_of(cell), draws)


def _first(cell: Cell, truth: tuple[float, ...], size: int) -> int:
    """Return the first size, from this one on, that is enough together with those a tenth above."""
    while True:
        above = list(dict.fromkeys(size + size * step // 200 for step in range(20)))
        kept = list(takewhile(lambda one: _is_enough(cell, truth, one), above))
        if kept == above:
            return size
        size = _round_up(above[len(kept)] + 1)


def _is_enough(cell: Cell, truth: tuple[float, ...], size: int) -> bool:
    return lower_bound(hits(cell, truth, size), RUNS, _CONFIDENCE) >= cell.power


def _round_up(size: int) -> int:
    """Round to a size that is easily said: steps of one to two percent, of 1 below 100."""
    digits = 10 ** max(0, len(str(size)) - 3)
    first = size / digits
    step = digits * (10 if first > 500 else 5 if first > 200 else 2) if size > 100 else 1  # noqa: PLR2004 - as above
    return math.ceil(size / step) * step
