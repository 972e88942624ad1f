"""The verifier, verified: how often routers that are right fail, and routers that are off are caught."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from servesim.verification.evidence import concentration
from servesim.verification.search import Cell, hits
from servesim.verification.simulation import alarms_of_the_usual_check, generator, peaks
from servesim.verification.split import WHOLE, deviations

if TYPE_CHECKING:
    from collections.abc import Mapping

POWER = 0.99
RUNS = {0.05: 16_000, 0.01: 16_000, 0.001: 100_000}
"""Routers that are right, by alpha: enough that the bound of what is measured can be below alpha."""
CAUGHT_RUNS = 100_000
USUAL_RUNS = 100_000
SPLITS: dict[tuple[float, ...], float] = {
    (50, 50): 10,
    (90, 10): 5,
    (99, 1): 2,
    (50, 30, 20): 10,
    (10,) * 10: 10,
}
"""What each split is checked to detect, in points: so much that runs are short. With the square of it scales all."""

_ALARMS_SEED, _CAUGHT_SEED, _USUAL_SEED = 2, 3, 4  # none of them the search's


class Measured(NamedTuple):
    """What came of the simulated routers of one split at one alpha."""

    requests: int
    """What the plan says."""
    looks: int
    """Requests of a router that is right: what the strictest alpha needs. It is looked at after each."""
    alarms: int
    """Of ``RUNS[alpha]`` routers that are right, those that reached 1/alpha at any look."""
    caught: int
    """Of ``CAUGHT_RUNS`` that are off, judged once at the planned size; of the deviation that shows least often."""


def measure(
    percentages: tuple[float, ...], alphas: tuple[float, ...], requests: Mapping[tuple[Any, ...], int]
) -> dict[float, Measured]:
    """Simulate a split of ``SPLITS``; ``requests`` is what is planned, by ``Cell``.

    Levels with as many runs are measured on the same ones.
    """
    detect = SPLITS[percentages]
    cells = {alpha: Cell(percentages, detect, alpha, POWER) for alpha in {*alphas, min(RUNS)}}
    looks = requests[cells[min(RUNS)]]
    shares = numpy.asarray(percentages) / WHOLE
    greatest = {
        runs: peaks(shares, concentration(percentages, detect), runs, looks, generator(_ALARMS_SEED, runs))
        for runs in {RUNS[alpha] for alpha in alphas}
    }
    found = {}
    for alpha in alphas:
        planned = requests[cells[alpha]]
        caught = [
            hits(cells[alpha], truth, planned, CAUGHT_RUNS, _CAUGHT_SEED) for truth in deviations(percentages, detect)
        ]
        alarms = int(numpy.sum(greatest[RUNS[alpha]] >= -math.log(alpha)))
        found[alpha] = Measured(planned, looks, alarms, min(caught))
    return found


def measure_the_usual_check() -> dict[int, int]:
    """Count how often 100 requests at 50:50 are more than 5 off, of ``USUAL_RUNS``, by the router's true percentage."""
    draws = generator(_USUAL_SEED)
    return {truth: alarms_of_the_usual_check(truth / WHOLE, USUAL_RUNS, draws) for truth in (50, 55, 60)}


def named(percentages: tuple[float, ...]) -> dict[str, float]:
    """Give routes names."""
    return {f"route-{number}": share for number, share in enumerate(percentages, 1)}
