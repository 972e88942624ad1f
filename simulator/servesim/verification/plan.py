"""How many requests a verdict needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from servesim.verification.evidence import concentration, fixed_requests
from servesim.verification.search import Cell, requests_needed
from servesim.verification.split import WHOLE, read_split
from servesim.verification.stored import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Plan:
    """What a verdict promises, and after how many requests.

    A router that is right fails with a chance of at most ``alpha``, however often it is looked at. One with a route
    that is ``detect`` percentage points off fails with a chance of at least ``power`` once ``requests`` answers are
    counted, even if they are looked at once only.
    """

    split: dict[str, float]
    detect: float
    alpha: float
    power: float
    requests: int
    fixed_requests: int
    """What a chi-squared test would need for the same, which may be looked at once only, after the last request."""
    concentration: float
    """Of the mixture in the e-value (see ``evidence``)."""


def plan(split: Mapping[str, float], detect: float = 1.0, alpha: float = 0.001, power: float = 0.99) -> Plan:
    """Plan a verdict on a split, percentages by served entity.

    ``detect`` is in percentage points, for each route, in whichever direction there is room. The requests of common
    cases are stored (``stored.py``); another case is simulated the same way, from the same seed, in some seconds.
    Raises ValueError for a split that is none, for levels outside of (0, 1) and where no route can be so far off.
    """
    names, percentages, closed = read_split(split)
    _check(detect, alpha, power)
    cell = Cell(tuple(sorted(percentages, reverse=True)), float(detect), alpha, power)
    # Of a route at 0 %, one answer is enough to see that it has `detect` points.
    first_stray = math.ceil(math.log1p(-power) / math.log1p(-detect / WHOLE))
    requests, fixed = (_requests(cell), fixed_requests(*cell)) if len(names) > 1 else (0, 0)
    if closed or len(names) == 1:
        requests, fixed = max(requests, first_stray), max(fixed, first_stray)
    return Plan(dict(split), detect, alpha, power, requests, fixed, concentration(cell.percentages, detect))


def _check(detect: float, alpha: float, power: float) -> None:
    for name, level, whole in (("detect", detect, WHOLE), ("alpha", alpha, 1), ("power", power, 1)):
        if not 0 < level < whole:
            message = f"{name} lies between 0 and {whole}, and {level} doesn't"
            raise ValueError(message)


@lru_cache(maxsize=256)
def _requests(cell: Cell) -> int:
    return REQUESTS.get(cell) or requests_needed(cell)
