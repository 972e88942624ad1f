"""What a deployment answered in the last minute, by simulated second: the source of its metrics."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import NamedTuple

SECOND = 1_000
WINDOW_S = 60
"""Metrics speak of the last minute."""

BOUNDS_MS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000)
"""Upper ends of the buckets of a histogram, in milliseconds: chosen, no recording shows them."""

_CLIENT_ERROR, _SERVER_ERROR = 400, 500


class Histogram(NamedTuple):
    """How many durations fell into each bucket (the last one is for all beyond), and their sum."""

    counts: tuple[int, ...]
    total_ms: int


class Window(NamedTuple):
    """The requests of the last minute."""

    requests: int
    errors_4xx: int
    errors_5xx: int
    latency: Histogram
    """From admission to answer."""
    queue: Histogram
    """From admission until the model began."""
    work: Histogram
    """From then to the answer."""


def _no_counts() -> list[int]:
    return [0] * (len(BOUNDS_MS) + 1)


@dataclass(slots=True)
class _Second:
    at: int
    requests: int = 0
    errors_4xx: int = 0
    errors_5xx: int = 0
    latency: list[int] = field(default_factory=_no_counts)
    queue: list[int] = field(default_factory=_no_counts)
    work: list[int] = field(default_factory=_no_counts)
    latency_ms: int = 0
    queue_ms: int = 0
    slow: int = 0
    """How many took any time; the others stand in no bucket."""


class Traffic:
    """One deployment's requests by second, no older than a minute."""

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        """Start with none."""
        self._seconds: tuple[_Second, ...] = ()

    def note(self, now: int, status: int, latency: int, queue: int) -> None:
        """Count a request that was answered now; durations in milliseconds."""
        at = now // SECOND
        seconds = self._seconds
        if not seconds or seconds[-1].at != at:
            self._forget(at)
            seconds = self._seconds = (*self._seconds, _Second(at))
        second = seconds[-1]
        second.requests += 1
        if status >= _SERVER_ERROR:
            second.errors_5xx += 1
        elif status >= _CLIENT_ERROR:
            second.errors_4xx += 1
        if not latency:
            return  # answered at once, as most are: `window` counts it in the first bucket of each
        second.slow += 1
        second.latency[bisect_left(BOUNDS_MS, latency)] += 1
        second.queue[bisect_left(BOUNDS_MS, queue)] += 1
        second.work[bisect_left(BOUNDS_MS, latency - queue)] += 1
        second.latency_ms += latency
        second.queue_ms += queue

    def window(self, now: int) -> Window:
        """Return the last minute's requests."""
        self._forget(now // SECOND)
        seconds = self._seconds
        requests = sum(second.requests for second in seconds)
        at_once = requests - sum(second.slow for second in seconds)
        return Window(
            requests,
            sum(second.errors_4xx for second in seconds),
            sum(second.errors_5xx for second in seconds),
            _histogram(at_once, [second.latency for second in seconds], sum(second.latency_ms for second in seconds)),
            _histogram(at_once, [second.queue for second in seconds], sum(second.queue_ms for second in seconds)),
            _histogram(at_once, [second.work for second in seconds], sum(s.latency_ms - s.queue_ms for s in seconds)),
        )

    def _forget(self, at: int) -> None:
        while self._seconds and self._seconds[0].at <= at - WINDOW_S:
            self._seconds = self._seconds[1:]


def _histogram(at_once: int, counts: list[list[int]], total_ms: int) -> Histogram:
    first, *rest = map(sum, zip(_no_counts(), *counts, strict=True))
    return Histogram((first + at_once, *rest), total_ms)
