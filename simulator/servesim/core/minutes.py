"""What a served version answered, minute by minute: the source of the metrics of the retired generations."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

MINUTE_MS = 60_000
KEPT = 24 * 60
"""Minutes with traffic that are kept; the oldest go first. Ours."""
DURATIONS_KEPT = 512
"""Different durations of a minute; longer ones count as the longest that was kept before them."""

_CLIENT_ERROR, _SERVER_ERROR = 400, 500


class Minute(NamedTuple):
    """The requests that were answered in one minute."""

    start: int
    requests: int
    errors_4xx: int
    errors_5xx: int
    durations: tuple[tuple[int, int], ...]
    """From admission to answer in milliseconds, the shortest first, and how many requests took that."""
    slots: int
    """How many requests may have been in flight."""

    def percentile(self, share: float) -> int:
        """Return the least duration within which that share of the requests, at least one, was answered."""
        wanted, seen = share * self.requests, 0
        for duration, count in self.durations:
            seen += count
            if seen >= wanted:
                return duration
        return 0


class _Counts:
    __slots__ = ("durations", "errors_4xx", "errors_5xx", "slots")

    def __init__(self) -> None:
        self.durations: Counter[int] = Counter()
        self.errors_4xx = self.errors_5xx = self.slots = 0


class Minutes:
    """The last minutes in which there was traffic."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        """Begin with none."""
        self._counts: dict[int, _Counts] = {}

    def note(self, now: int, status: int, duration: int, slots: int) -> None:
        """Count a request that was answered now; its duration in milliseconds."""
        start = now // MINUTE_MS * MINUTE_MS
        counts = self._counts.get(start)
        if counts is None:
            if len(self._counts) >= KEPT:
                del self._counts[next(iter(self._counts))]
            counts = self._counts[start] = _Counts()
        if duration not in counts.durations and len(counts.durations) >= DURATIONS_KEPT:
            duration = max(counts.durations)
        counts.durations[duration] += 1
        counts.slots = max(counts.slots, slots)
        counts.errors_4xx += _CLIENT_ERROR <= status < _SERVER_ERROR
        counts.errors_5xx += status >= _SERVER_ERROR

    def between(self, first: int, last: int) -> list[Minute]:
        """List the minutes that begin in a span, both ends included, the oldest first."""
        return [_minute(start, counts) for start, counts in self._counts.items() if first <= start <= last]


def _minute(start: int, counts: _Counts) -> Minute:
    durations = tuple(sorted(counts.durations.items()))
    return Minute(start, counts.durations.total(), counts.errors_4xx, counts.errors_5xx, durations, counts.slots)
