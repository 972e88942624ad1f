"""Whether counts are too regular for answers that are drawn one by one.

A router that deals its routes out in turn keeps every share, better than chance would. No count is against it, so this
is reported and makes no verdict.
"""

from __future__ import annotations

import math
from typing import Any

import numpy
import scipy.special

_LEAST_EXPECTED = 25
"""Answers of the smallest route in a block; with fewer, the grid of whole numbers hides how regular they are."""
_LEAST_BLOCK = 1_000


class Regularity:
    """Pearson's statistic, summed over blocks of answers."""

    __slots__ = ("_free", "_open", "_shares", "_size", "_total")

    def __init__(self, shares: Any) -> None:
        """Take the shares, of shape (k,)."""
        self._shares = shares
        self._size = max(_LEAST_BLOCK, math.ceil(_LEAST_EXPECTED / shares.min()))
        self._open: Any = numpy.zeros(len(shares))
        self._free = 0
        self._total = 0.0

    def add(self, counts: Any) -> None:
        """Add counts of shape (k,) whose order isn't known."""
        self._open += counts
        size = self._open.sum()
        if size < self._size:
            return
        expected = size * self._shares
        statistic = float(numpy.sum((self._open - expected) ** 2 / expected))
        # Counts are whole: all splits that would be rounded to these are taken for as far off as the farthest.
        cell = float(numpy.sum(1 / expected)) / 4
        self._total += (math.sqrt(statistic) + math.sqrt(cell)) ** 2
        self._free += len(self._shares) - 1
        self._open = numpy.zeros(len(self._shares))

    def add_in_order(self, order: Any) -> None:
        """Add answers as indices of routes, of shape (m,)."""
        first = self._size - int(self._open.sum())
        for part in numpy.split(order, range(first, len(order), self._size)):
            self.add(numpy.bincount(part, minlength=len(self._shares)))

    def chance(self) -> float | None:
        """Return the chance, at most, that draws are as regular as this; None while no block is full."""
        return float(scipy.special.gammainc(self._free / 2, self._total / 2)) if self._free else None
