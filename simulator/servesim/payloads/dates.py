"""Dates as pandas reads them in dataframes, and as NumPy reads them in `instances`, `inputs` and parameters.

Instants are naive `datetime.datetime` in microseconds; MLflow's are in nanoseconds, so the last three digits of a
finer time are dropped. A missing date is None.
"""

import datetime
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_EPOCH: Final = datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - the values are naive by MLflow's definition
_NS_LIMIT: Final = 2**63
_MISSING: Final = frozenset(("", "NaT", "nat", "NAT", "NaN", "nan", "NA", "None", "<NA>", "null"))
_NUMPY_MISSING: Final = frozenset(("", "nat"))

_ISO: Final = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)(?:-(?P<day>\d\d)(?:(?P<sep>[T ])(?P<hour>\d\d)(?::(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:(?P<mark>[.,])(?P<fraction>\d{0,9}))?)?)?(?P<zone>Z|[+-]\d\d?(?::?\d\d?)?)?\s*)?)?"
)
_COMPACT: Final = re.compile(r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)")
_SLASHED: Final = re.compile(
    r"(?P<first>\d\d?)(?P<sep>[/-])(?P<other>\d\d?)(?P=sep)(?P<year>\d{4})"
    r"(?: (?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d))?)?"
)
_YEAR_FIRST: Final = re.compile(r"(?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d)")
_NUMPY: Final = re.compile(
    r"\s*(?P<year>[+-]?\d+)(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)(?:[T ](?P<hour>\d\d)(?::(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:\.(?P<fraction>\d*))?)?)?(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?\s*)?)?)?"
)
_LATE: Final = re.compile(r":\d\d(?:\.\d*)?[+-](?:2[4-9]|[3-9]\d)")
"""A time zone more than a day away, whatever follows it."""


class OutOfBoundsError(ValueError):
    """A date that has no 64 bit count of nanoseconds."""


def is_missing(text: str) -> bool:
    """Return whether pandas reads a text as no date."""
    return text in _MISSING


def pandas_datetimes(cells: list[Any]) -> tuple[list[datetime.datetime | None], bool]:
    """Return the dates of a column, and whether they carry a time zone.

    Texts must all have the format of the first, integers are nanoseconds. Raises TypeError or ValueError.
    """
    formats: set[tuple[Any, ...]] = set()
    values = [_pandas_date(cell, formats) for cell in cells]
    first = next((cell for cell in cells if isinstance(cell, str) and cell not in _MISSING), "")
    one_form = len(formats) <= 1 or "," in first  # pandas knows no format with a comma, and reads each by itself
    if not one_form or (formats and _starts_as_text(cells) and not all(map(_is_text, cells))):
        message = "time data doesn't match format of the first value"
        raise ValueError(message)
    if first and any(isinstance(cell, float) and abs(cell) >= _NS_LIMIT for cell in cells):
        message = "cannot convert input with the unit 'ns'"  # beside other numbers it would be a missing date
        raise OutOfBoundsError(message)
    return values, any(form[-1] for form in formats)


def numpy_datetime(value: Any) -> datetime.datetime | None:
    """Return the instant that `numpy.datetime64(value, "ns")` holds; far years wrap, as they do there."""
    if value is None:
        return None
    if isinstance(value, int):
        if not -_NS_LIMIT <= value < _NS_LIMIT:
            message = "int too big to convert"
            raise OverflowError(message)
        return _from_ns(value)
    if not isinstance(value, str):
        message = "Could not convert object to NumPy datetime"
        raise ValueError(message)  # noqa: TRY004 - NumPy's choice
    if value.lower() in _NUMPY_MISSING:
        return None
    nanoseconds = _nanoseconds(_numpy_match(value), value)
    return _from_ns((nanoseconds + _NS_LIMIT) % (2 * _NS_LIMIT) - _NS_LIMIT)


def numpy_date(value: Any) -> datetime.date | None:
    """Return what `numpy.datetime64(value).item()` gives: a date, a datetime, or ValueError for what is neither."""
    if not isinstance(value, str):
        message = "Could not convert object to NumPy datetime"
        raise ValueError(message)  # noqa: TRY004 - NumPy's choice
    if value.lower() in _NUMPY_MISSING:
        return None
    match = _numpy_match(value)
    instant = _EPOCH + datetime.timedelta(microseconds=_nanoseconds(match, value) // 1000)
    if len(match["fraction"] or "") > 6:  # noqa: PLR2004 - finer than a Python datetime
        message = f"Failed to convert {value!r}"
        raise ValueError(message)
    return instant.date() if match["hour"] is None else instant


def _pandas_date(cell: Any, formats: set[tuple[Any, ...]]) -> datetime.datetime | None:
    if cell is None or cell != cell:  # noqa: PLR0124 - NaN
        return None
    if isinstance(cell, bool) or not isinstance(cell, int | float | str):
        message = f"{type(cell)} is not convertible to datetime"
        raise TypeError(message)
    if isinstance(cell, str):
        return None if cell in _MISSING else _pandas_text(cell, formats)
    if isinstance(cell, float) and abs(cell) >= _NS_LIMIT:
        return None
    if abs(cell) >= _NS_LIMIT:
        message = f"cannot convert input {cell} with the unit 'ns'"
        raise OutOfBoundsError(message)
    return _from_ns(int(cell))


def _is_text(cell: Any) -> bool:
    return cell is None or isinstance(cell, str)


def _starts_as_text(cells: list[Any]) -> bool:
    return isinstance(next(cell for cell in cells if cell is not None), str)


def _pandas_text(text: str, formats: set[tuple[Any, ...]]) -> datetime.datetime:
    for pattern in (_ISO, _COMPACT, _SLASHED, _YEAR_FIRST):
        if match := pattern.fullmatch(text):
            break
    else:
        message = f"Unknown datetime string format, unable to parse: {text}"
        raise ValueError(message)
    found = match.groupdict()
    zone = found.get("zone")
    missing = (found.get(part) is None for part in ("day", "hour", "minute", "second"))
    formats.add((pattern, *missing, found.get("sep"), found.get("mark"), zone))
    if pattern is _SLASHED:
        found = _month_first(found)
    nanoseconds = _nanoseconds(found, text)
    if not -_NS_LIMIT < nanoseconds < _NS_LIMIT:
        message = f"Out of bounds nanosecond timestamp: {text}"
        raise OutOfBoundsError(message)
    return _from_ns(nanoseconds)


def _month_first(found: dict[str, Any]) -> dict[str, Any]:
    first, other = found["first"], found["other"]
    month, day = (first, other) if int(first) <= 12 else (other, first)  # noqa: PLR2004 - months
    return found | {"month": month, "day": day}


def _numpy_match(text: str) -> re.Match[str]:
    match = _NUMPY.fullmatch(text)
    if match is None:
        message = f'Error parsing datetime string "{text}" at position 0'
        if _LATE.search(text):
            message = f'Timezone hours offset out of range in datetime string "{text}"'
        raise ValueError(message)
    return match


def _nanoseconds(found: Any, text: str) -> int:
    get: Callable[[str], Any] = found.get if isinstance(found, dict) else found.groupdict().get
    year = int(get("year"))
    hour, minute, second = (int(get(name) or 0) for name in ("hour", "minute", "second"))
    month, day = int(get("month") or 1), int(get("day") or 1)
    try:
        # Years outside of Python's calendar move in whole periods of 400 years, which have 146097 days.
        periods, inside = divmod(year - 2000, 400)
        start = datetime.datetime(2000 + inside, month, day, hour, minute, second)  # noqa: DTZ001 - naive by definition
    except ValueError as error:
        message = f'{str(error).split(" ")[0].capitalize()} out of range in datetime string "{text}"'
        raise ValueError(message) from error
    seconds = (start - _EPOCH) // datetime.timedelta(seconds=1) + periods * 146097 * 86400 - _offset(get("zone"), text)
    return seconds * 10**9 + int((get("fraction") or "0")[:9].ljust(9, "0"))


def _offset(zone: str | None, text: str) -> int:
    if zone in (None, "Z"):
        return 0
    digits = zone[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if hours > 23 or minutes > 59:  # noqa: PLR2004 - a clock
        part = "minutes" if hours <= 23 else "hours"  # noqa: PLR2004 - as above
        raise ValueError(f'Timezone {part} offset out of range in datetime string "{text}"')
    seconds = hours * 3600 + minutes * 60
    return -seconds if zone[0] == "-" else seconds


def _from_ns(nanoseconds: int) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(microseconds=nanoseconds // 1000)
