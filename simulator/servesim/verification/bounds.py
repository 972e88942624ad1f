"""Exact bounds of a proportion that was counted."""

from __future__ import annotations

import scipy.special

CONFIDENCE = 0.99


def upper_bound(hits: int, runs: int, confidence: float = CONFIDENCE) -> float:
    """Return the one-sided upper bound of Clopper and Pearson (1934)."""
    return 1.0 if hits == runs else float(scipy.special.betaincinv(hits + 1, runs - hits, confidence))


def lower_bound(hits: int, runs: int, confidence: float = CONFIDENCE) -> float:
    """Return the one-sided lower bound of Clopper and Pearson (1934)."""
    return 0.0 if hits == 0 else float(scipy.special.betaincinv(hits, runs - hits + 1, 1 - confidence))
