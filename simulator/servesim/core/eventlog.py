"""The event log: what happened in a workspace, a line each, and no secret in any."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

_T = TypeVar("_T")

LOG_LINES = 10_000
"""How much of the event log is kept; the oldest lines go first."""
DETAIL_CHARACTERS = 4_000
"""How long a line's detail may be: clients choose some of it."""


class LogLine(NamedTuple):
    """One line of the event log."""

    instant: int
    what: str
    endpoint: str
    subject: str
    detail: str


def keep(kept: tuple[_T, ...], item: _T, most: int) -> tuple[_T, ...]:
    """Return what is kept with one item more, the oldest gone: a tuple takes a tenth of the memory of a deque."""
    return (*kept[-(most - 1) :], item)
