"""Time as a heap of what is due. It moves only by popping the heap or up to an instant before its head.

Rules: an event is due at or after the instant at which it was scheduled; events due at one instant come
out in the order in which they were scheduled; a cancelled event never comes out.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.core.commands import Due

START_MS = 1_767_603_600_000
"""2026-01-05T09:00:00Z: where every clock starts unless told otherwise (milliseconds since 1970)."""


class Timer(NamedTuple):
    """One pending event. A plain tuple, because comparing tuples is what a heap does all day."""

    due: int
    sequence: int
    event: Due


class Timeline:
    """The pending events of one workspace and its present instant, in milliseconds since 1970."""

    __slots__ = ("_heap", "_live", "_sequence", "now")

    def __init__(self, now: int = START_MS) -> None:
        """Start at an instant with nothing pending."""
        self.now = now
        self._heap: list[Timer] = []
        self._live: set[int] = set()
        self._sequence = 0

    def schedule(self, delay: int, event: Due) -> Timer:
        """Make an event due ``delay`` milliseconds from now; a negative delay counts as none."""
        self._sequence += 1
        timer = Timer(self.now + max(delay, 0), self._sequence, event)
        self._live.add(timer.sequence)
        heappush(self._heap, timer)
        return timer

    def cancel(self, timer: Timer) -> None:
        """Forget a timer; one that has come out already is left as it is."""
        self._live.discard(timer.sequence)
        # Requests cancel their time-out when they end; without this the heap would keep one per request.
        if len(self._heap) > 2 * len(self._live) + 64:
            self._heap = [kept for kept in self._heap if kept.sequence in self._live]
            heapify(self._heap)

    def peek(self) -> Timer | None:
        """Return the timer that comes out next."""
        while self._heap and self._heap[0].sequence not in self._live:
            heappop(self._heap)
        return self._heap[0] if self._heap else None

    def pop(self, until: int) -> Timer | None:
        """Take the next timer due at or before ``until`` and move time to its instant."""
        head = self.peek()
        if head is None or head.due > until:
            return None
        heappop(self._heap)
        self._live.discard(head.sequence)
        self.now = max(self.now, head.due)
        return head

    def move(self, to: int) -> None:
        """Move time forward to an instant before which nothing is due; never back."""
        head = self.peek()
        if head is not None and head.due < to:
            message = f"a timer is due at {head.due}, before {to}: pop it first"
            raise ValueError(message)
        self.now = max(self.now, to)

    def soonest(self, wanted: Callable[[Due], bool]) -> Timer | None:
        """Return the first of the pending timers whose event is wanted."""
        live = self._live
        return min((timer for timer in self._heap if timer.sequence in live and wanted(timer.event)), default=None)

    def pending(self) -> list[Timer]:
        """List what is pending, soonest first."""
        return sorted(timer for timer in self._heap if timer.sequence in self._live)
