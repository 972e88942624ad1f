"""How long something takes: always the same, or drawn from a log-normal distribution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from servesim.core.draws import Stream

_P99_SIGMAS = 2.3263478740408408
"""How many standard deviations the 99th percentile of a normal distribution lies above its middle."""
LONGEST_MS = 7 * 86_400_000
"""Nothing drawn is longer: a tail has no end."""


class Spread(NamedTuple):
    """A duration by its median and 99th percentile, in milliseconds; constant where they are equal."""

    median_ms: int
    p99_ms: int

    def drawn(self, stream: Stream, ordinal: int) -> int:
        """Draw a duration in milliseconds; the same ordinal gives the same."""
        if self.p99_ms <= self.median_ms:
            return self.median_ms
        sigma = math.log(self.p99_ms / self.median_ms) / _P99_SIGMAS
        drawn = self.median_ms * math.exp(sigma * _normal(stream, ordinal))
        return min(round(drawn), LONGEST_MS)


def constant(duration_ms: int) -> Spread:
    """Return the spread of what always takes the same."""
    return Spread(duration_ms, duration_ms)


def _normal(stream: Stream, ordinal: int) -> float:
    """Draw from a normal distribution, by Box and Muller, from the two draws that belong to an ordinal."""
    radius = math.sqrt(-2 * math.log1p(-stream.fraction(2 * ordinal)))
    return radius * math.cos(2 * math.pi * stream.fraction(2 * ordinal + 1))
