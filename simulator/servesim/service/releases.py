"""Which MLflow the environment of a model comes to have, by what its requirement allows.

What an environment asks for decides, not what logged the model: MLflow itself advises clients of before 2.0 to pin an
older version there. Which release a range comes to is chosen: the one that logged the model if it is in the range,
else the latest minor version in it.
"""

from __future__ import annotations

import re

NEWEST = ""
"""No version in particular: the newest."""
_LAST_MINOR = 30
"""Of 1.x."""

_CLAUSE = re.compile(r"(===|==|~=|!=|<=|>=|<|>|=)\s*v?([0-9]{1,6}(?:\.[0-9]{1,6}){0,3})")
_NUMBERS = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6}){0,3}")

_Numbers = tuple[int, ...]
_END: _Numbers = (10**6,)


def chosen(logged_with: str, requirement: str) -> str:
    """Return the version that a requirement such as ``==1.28.0`` or ``<2,>=1.20`` comes to; empty for the newest."""
    least: _Numbers = ()
    end = _END
    for sign, written in _CLAUSE.findall(requirement):
        if sign in {"==", "===", "="}:
            return str(written)
        least = max(least, _numbers(written) if sign in {">=", ">", "~="} else ())
        end = min(end, _end(sign, written))
    if least <= (_numbers(logged_with) or _END) < end:
        return logged_with
    return _latest_before(end)


def _numbers(version: str) -> _Numbers:
    """Return a version without the zeros that end it: 2.0.0 and 2 are the same."""
    found = _NUMBERS.match(version)
    numbers = list(map(int, found[0].split("."))) if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _end(sign: str, written: str) -> _Numbers:
    """Return the first version beyond a clause."""
    if sign == "<":
        return _numbers(written)
    if sign == "<=":
        return (*_numbers(written), 0)
    if sign == "~=" and "." in written:
        *head, last = map(int, written.split(".")[:-1])
        return (*head, last + 1)
    return _END


def _latest_before(end: _Numbers) -> str:
    """Return the latest minor version of 1.x before one; NEWEST for one that lets 2.0 in."""
    if end > (2,):
        return NEWEST
    minor = end[1] - (len(end) == 2) if end[:1] == (1,) and len(end) > 1 else _LAST_MINOR  # noqa: PLR2004 - major and minor
    return f"1.{min(max(minor, 0), _LAST_MINOR)}"
