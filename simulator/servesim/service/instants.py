"""Instants and durations as people write them: ISO 8601 in UTC, ``31m``; inside they are milliseconds."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from servesim.core import calendar

FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999
"""The first instant of the year 1 and the last of the year 9999: what can be written."""


def iso(instant: int) -> str:
    """Write an instant as ISO 8601 in UTC, with milliseconds only where there are some; what is later as the last."""
    return calendar.iso(max(FIRST_MS, min(instant, LAST_MS)))


def instant_of(text: str) -> int:
    """Read an ISO 8601 instant; one without an offset is UTC. Raise ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{text!r} is not an instant in ISO 8601 such as 2026-01-05T09:00:00Z ({error})"
        raise ValueError(message) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return writable(round(moment.timestamp() * 1000))


def writable(instant: int) -> int:
    """Return an instant that time may be moved to; raise ValueError."""
    if not FIRST_MS <= instant <= LAST_MS:
        raise ValueError("simulated time ends with the year 9999")
    return instant


LONGEST_MS = 10_000 * 366 * 86_400_000
"""Beyond this no duration has a use."""

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")


def milliseconds(duration: str | float) -> int:
    """Read a duration: seconds as a number, or text such as ``90s``, ``31m``, ``1h30m``. Raise ValueError."""
    if not isinstance(duration, str):
        return _rounded(duration * 1000, duration)
    text = duration.replace(" ", "")
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        message = f"{duration!r} is not a duration: write 500ms, 90s, 31m, 1h30m or 2d"
        raise ValueError(message)
    return _rounded(sum(float(number) * _UNITS_MS[unit] for number, unit in parts), duration)


def _rounded(number: float, duration: str | float) -> int:
    if not abs(number) < LONGEST_MS:
        message = f"{duration!r} is no duration within simulated time, which ends with the year 9999"
        raise ValueError(message)
    return round(number) if number >= 0 else math.floor(number)  # what is below 0 stays so, and is refused as such
