"""What is counted of a load test's requests: by the second in which each was *sent*, entity and status.

A second is settled when everything that was sent in it has been answered. Only settled seconds are evidence on a
split: while a slow entity still works, its answers are missing, and those of a fast one are not.

Memory grows with seconds, entities and statuses, never with requests.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.load.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NO_ANSWER = 0
"""The status of a request that got none: refused, reset, timed out."""
MOST_SECONDS = 7_200
"""What is sent later is counted in the last of them."""
MOST_NAMES = 100
OTHERS = "(others)"
"""Stands for the names past the hundredth: a header that names no entities may have as many as there are requests."""

GOOD = range(200, 300)

Message = dict[str, Any]
"""What a worker reports: its counts since the last report."""


class Sent(NamedTuple):
    """How an answer is counted."""

    entity: str | None
    """None if the request failed, or the answer names nobody."""
    status: int
    retry: bool


class Counts(NamedTuple):
    """What a split's judge takes of a second."""

    entities: dict[str, int]
    unattributed: int
    retries: dict[str, int]


class Tally:
    """Counts of one process, or of several merged."""

    def __init__(self) -> None:
        """Start with none."""
        self.seconds: dict[int, dict[Sent, Histogram]] = {}
        self.formats: Counter[str] = Counter()
        self.endpoints: Counter[str] = Counter()
        self._open: Counter[int] = Counter()
        self._changes: Tally | None = None
        self._names: set[str] = set()
        self._reported: dict[str, int] = {}

    # --- in the process that sends ----------------------------------------------------------------

    def begin(self, second: int) -> None:
        """Know of a request that is being sent now."""
        self._open[second] += 1

    def end(self, second: int) -> None:
        """Know that it has ended, counted or not."""
        self._open[second] -= 1
        if not self._open[second]:
            del self._open[second]

    def count(self, second: int, sent: Sent, milliseconds: float, form: str = "", endpoint: str = "") -> None:
        """Count an answer, or that there was none."""
        sent = sent._replace(entity=self._known(sent.entity), status=sent.status if 0 <= sent.status < 1000 else 0)  # noqa: PLR2004 - three digits
        endpoint = self._known(endpoint) or ""
        for tally in (self, self._changes) if self._changes is not None else (self,):
            tally.cell(second, sent).add(milliseconds)
            if form:
                tally.formats[form] += 1
            if endpoint:
                tally.endpoints[endpoint] += 1

    def until(self, now: int) -> int:
        """Return the first second of which a request is still under way; now if none is."""
        return min(self._open, default=now)

    def report(self, now: int) -> Message:
        """Return what was counted since the last report; the first one has all of it."""
        changes, self._changes = (self if self._changes is None else self._changes), Tally()
        cells = [
            [second, *sent, cell.greatest_ms, [[bucket, count] for bucket, count in cell.counts.items()]]
            for second, row in changes.seconds.items()
            for sent, cell in row.items()
        ]
        return {
            "cells": cells,
            "formats": dict(changes.formats),
            "endpoints": dict(changes.endpoints),
            "until": self.until(now),
        }

    # --- in the one that judges -------------------------------------------------------------------

    def take(self, sender: str, message: Message) -> None:
        """Add what a worker reported."""
        for second, entity, status, retry, greatest_ms, counts in message["cells"]:
            cell = Histogram(((bucket, count) for bucket, count in counts), greatest_ms)
            self.cell(second, Sent(self._known(entity), status, retry)).merge(cell)
        self.formats.update(message["formats"])
        self.endpoints.update(message["endpoints"])
        self._reported[sender] = message["until"]

    def expect(self, sender: str, second: int) -> None:
        """Know of a worker that has not reported yet."""
        self._reported.setdefault(sender, second)

    def settled(self, now: int) -> int:
        """Return the first second that is not settled, in this process or at any worker."""
        return min([self.until(now), *self._reported.values()])

    def late(self, second: int) -> list[str]:
        """Name the workers of which the last report left this second, or an earlier one, unsettled."""
        return sorted(name for name, until in self._reported.items() if until <= second)

    # --- what was counted -------------------------------------------------------------------------

    def of_second(self, second: int) -> Counts:
        """Return what was sent in a second, as a split's judge takes it."""
        entities: Counter[str] = Counter()
        retries: Counter[str] = Counter()
        unattributed = 0
        for sent, cell in self.seconds.get(second, {}).items():
            if sent.retry:
                retries[sent.entity or ""] += cell.count
            elif sent.entity is None:
                unattributed += cell.count
            else:
                entities[sent.entity] += cell.count
        return Counts(dict(entities), unattributed, dict(retries))

    def cells(self, seconds: Iterable[int] | None = None) -> Iterator[tuple[Sent, Histogram]]:
        """Yield the counts of some seconds, or of all."""
        for second in self.seconds if seconds is None else seconds:
            yield from self.seconds.get(second, {}).items()

    def latency(self, seconds: Iterable[int] | None = None) -> Histogram:
        """Return the latencies of some seconds, or of all."""
        whole = Histogram()
        for _, cell in self.cells(seconds):
            whole.merge(cell)
        return whole

    def statuses(self, seconds: Iterable[int] | None = None) -> dict[int, int]:
        """Count by status."""
        found: Counter[int] = Counter()
        for sent, cell in self.cells(seconds):
            found[sent.status] += cell.count
        return dict(sorted(found.items()))

    def retried(self) -> int:
        """Count the answers that came on a retry."""
        return sum(cell.count for sent, cell in self.cells() if sent.retry)

    def cell(self, second: int, sent: Sent) -> Histogram:
        """Return where answers of a kind are counted."""
        row = self.seconds.get(second)
        if row is None:
            if len(self.seconds) >= MOST_SECONDS:
                return self.cell(max(self.seconds), sent)
            row = self.seconds[second] = {}
        cell = row.get(sent)
        if cell is None:
            cell = row[sent] = Histogram()
        return cell

    def _known(self, name: str | None) -> str | None:
        if not name or name in self._names:
            return name or None
        if len(self._names) >= MOST_NAMES:
            return OTHERS
        self._names.add(name)
        return name


def errors(statuses: dict[int, int]) -> int:
    """Count the answers that are none of success."""
    return sum(count for status, count in statuses.items() if status not in GOOD)
