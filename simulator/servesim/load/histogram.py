"""Latencies in fixed buckets whose widths grow by 5 %: percentiles to within that, in bounded memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LEAST_MS = 0.05
GROWTH = 1.05
BUCKETS = 400
"""The last one begins above four hours."""

_PER_BUCKET = math.log(GROWTH)


def bucket_of(milliseconds: float) -> int:
    """Return the number of the bucket that a latency falls into."""
    if not milliseconds > LEAST_MS:
        return 0
    return min(1 + int(math.log(milliseconds / LEAST_MS) / _PER_BUCKET), BUCKETS - 1)


def middle_of(bucket: int) -> float:
    """Return the latency in the middle of a bucket, in milliseconds."""
    return LEAST_MS if bucket == 0 else LEAST_MS * GROWTH ** (bucket - 0.5)


class Histogram:
    """Counts by bucket, and the greatest latency as it was."""

    __slots__ = ("counts", "greatest_ms")

    def __init__(self, counts: Iterable[tuple[int, int]] = (), greatest_ms: float = 0.0) -> None:
        """Take counts by number of bucket."""
        self.counts: dict[int, int] = dict(counts)
        self.greatest_ms = greatest_ms

    @property
    def count(self) -> int:
        """Of all latencies."""
        return sum(self.counts.values())

    def add(self, milliseconds: float) -> None:
        """Count one."""
        bucket = bucket_of(milliseconds)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.greatest_ms = max(self.greatest_ms, milliseconds)

    def merge(self, other: Histogram) -> None:
        """Count all that another one has counted."""
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count
        self.greatest_ms = max(self.greatest_ms, other.greatest_ms)

    def percentile(self, share: float) -> float | None:
        """Return the latency that this share of them, 0 to 1, doesn't pass; None if there are none."""
        wanted = share * self.count
        so_far = 0
        for bucket in sorted(self.counts):
            so_far += self.counts[bucket]
            if so_far >= wanted:
                return round(min(middle_of(bucket), self.greatest_ms), 3)
        return None

    def percentiles(self, names: Mapping[str, float]) -> dict[str, float | None]:
        """Return several by name."""
        return {name: self.percentile(share) for name, share in names.items()}
