"""Routers that draw as they should, and routers that don't, judged by the thousand.

The one module that draws by numpy's generators: every one is made from a seed here or was passed in.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy

from servesim.verification.evidence import log_e, log_e_path
from servesim.verification.split import WHOLE


class Rule(NamedTuple):
    """What makes a verdict of counts."""

    shares: Any
    """Of shape (k,), sum 1."""
    concentration: float
    limit: float
    """The log e-value from which on a router fails."""
    floor: float
    """In percentage points; an estimate that is off by no more doesn't fail."""


_CELLS = 100_000
"""Answers of all runs that are looked at together: as many as a processor's cache holds."""


def generator(*seed: int) -> Any:
    """Make a generator; equal seeds draw alike."""
    return numpy.random.Generator(numpy.random.PCG64(seed))


def peaks(shares: Any, concentration: float, runs: int, requests: int, draws: Any) -> Any:
    """Return each run's greatest log e-value when a router that is right is looked at after every request.

    The result has shape (runs,).
    """
    edges = numpy.cumsum(shares)[:-1]
    group = max(1, _CELLS // requests)
    found = []
    for start in range(0, runs, group):
        order: Any = numpy.searchsorted(edges, draws.random((min(group, runs - start), requests)), side="right")
        path = log_e_path(shares, concentration, order, numpy.zeros((len(order), len(shares))))
        found.append(path.max(axis=1))
    return numpy.concatenate(found)


def caught(truth: Any, runs: int, requests: int, rule: Rule, draws: Any) -> int:
    """Count the runs in which a router with the shares ``truth`` fails at its one look, after the last request."""
    counts = draws.multinomial(requests, truth, size=runs)
    seen = log_e(rule.shares, rule.concentration, counts) >= rule.limit
    off = numpy.abs(counts / requests - rule.shares).max(axis=1) * WHOLE > rule.floor
    return int(numpy.sum(seen & off))


def alarms_of_the_usual_check(truth: float, runs: int, draws: Any) -> int:
    """Count the runs in which 100 requests at 50:50 are more than 5 off, as many a test checks it."""
    counts = draws.binomial(100, truth, size=runs)
    return int(numpy.sum(numpy.abs(counts - 50) > 5))  # noqa: PLR2004 - as the docstring says
