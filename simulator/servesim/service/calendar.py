"""Dates of a calendar as people write them: what ends, from when on nothing new begins, and when it answers no more."""

from __future__ import annotations

import difflib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.core.calendar import CALENDAR, LEGACY, SERVERLESS_PREVIEW, Ending, iso
from servesim.core.faults import QUERIES, QUERY
from servesim.generations.dated import ANY_OPERATION
from servesim.service.instants import instant_of
from servesim.service.operation_names import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from servesim.core.profile import Profile

SURFACES = (LEGACY, SERVERLESS_PREVIEW)
NEVER = "never"
LIMIT = 100
"""Dates of a workspace."""
_FORMS = (
    f"{', '.join(SURFACES)}, operation:OPERATION, field:OPERATION:PATH or value:OPERATION:PATH=JSON (* for every "
    "operation)"
)
_INSTEAD = "Nothing is named that replaces it."


class Entry(NamedTuple):
    """One date as it was written; it replaces what a calendar says of the same thing."""

    what: str
    no_new_from: int | None = None
    retired_on: int | None = None
    instead: str | None = None
    """None: as the calendar has it."""
    link: str | None = None
    taken_away: bool = False
    """Whether it says that this never ends."""


def read_dates(written: Any) -> tuple[Entry, ...]:
    """Read dates as options have them: ``WHAT=DATES`` texts, or DATES by WHAT; raise ValueError.

    DATES are the day of the end, ``NO_NEW_FROM/RETIRED_ON``, or ``never``.
    """
    if isinstance(written, str):
        written = [written]
    if not isinstance(written, dict):
        written = list(written)
        if all(isinstance(one, Entry) for one in written):
            return tuple(written)  # read already
        written = dict(_parted(one) for one in written)
    if len(written) > LIMIT:
        message = f"{len(written)} dates: a workspace has {LIMIT} at most"
        raise ValueError(message)
    return tuple(_read_short(str(what), str(dates)) for what, dates in written.items())


def _parted(text: Any) -> tuple[str, str]:
    what, equals, dates = str(text).rpartition("=")
    if not equals:
        message = f"{text!r} is no date: write WHAT=2026-04-01, WHAT=2026-03-01/2026-04-01 or WHAT=never"
        raise ValueError(message)
    return what, dates


def _read_short(what: str, dates: str) -> Entry:
    first, slash, last = dates.partition("/")
    entry = {"what": what, "retired_on": last if slash else first}
    return read_entry({**entry, "no_new_from": first} if slash else entry)


def read_entry(written: Mapping[str, Any]) -> Entry:
    """Read an entry of a profile's ``calendar:``; raise ValueError."""
    what = written["what"]
    check_what(what)
    begins, ends = _day(what, written.get("no_new_from")), _day(what, written.get("retired_on"))
    if begins is not None and ends is not None and begins > ends:
        message = f"{what}: it cannot close at {iso(begins)}, after its end at {iso(ends)}: no_new_from comes first"
        raise ValueError(message)
    taken_away = begins is None and written.get("retired_on") == NEVER
    return Entry(what, begins, ends, written.get("instead"), written.get("link"), taken_away)


def _day(what: str, written: Any) -> int | None:
    if written is None or written == NEVER:
        return None
    try:
        return instant_of(str(written))
    except ValueError as error:
        message = f"{what}: {written!r} is no day such as 2026-04-01, no instant such as 2026-04-01T12:00:00Z: {error}"
        raise ValueError(message) from error


def amended(calendar: tuple[Ending, ...], entries: Iterable[Entry]) -> tuple[Ending, ...]:
    """Return a calendar with entries in place of what it says of the same things."""
    endings = {ending.what: ending for ending in calendar}
    known = {ending.what: ending for ending in CALENDAR}
    for entry in entries:
        before = endings.pop(entry.what, known.get(entry.what))
        if not entry.taken_away:
            instead = entry.instead or (before.instead if before else _INSTEAD)
            link = entry.link or (before.link if before else "")
            endings[entry.what] = Ending(entry.what, entry.no_new_from, entry.retired_on, instead, link)
    return tuple(endings.values())


def row(ending: Ending) -> dict[str, Any]:
    """Return an ending as JSON tells it."""
    return {
        "what": ending.what,
        "no_new_from": None if ending.no_new_from is None else iso(ending.no_new_from),
        "retired_on": None if ending.retired_on is None else iso(ending.retired_on),
        "instead": ending.instead,
        "link": ending.link,
        "grade": ending.grade,
        "source": ending.source,
    }


def is_own(ending: Ending) -> bool:
    """Tell whether an ending is a date of the user's own, not one that servesim knows."""
    return ending not in CALENDAR


def on_dates(profile: Profile, entries: tuple[Entry, ...]) -> Profile:
    """Return a profile with dates of a workspace's own."""
    return replace(profile, calendar=amended(profile.calendar, entries)) if entries else profile


# --- what ends ------------------------------------------------------------------------------------


def check_what(what: str) -> None:
    """Raise ValueError for what is no surface, operation, field or value that could end."""
    kind, _, rest = what.partition(":")
    if what in SURFACES or what in {ending.what for ending in CALENDAR}:
        return
    if kind == "operation" and rest:
        _check_operation(what, rest)
    elif kind in {"field", "value"} and rest:
        operation, _, path = rest.partition(":")
        if operation != ANY_OPERATION:
            _check_operation(what, operation)
        _check_path(what, operation, _without_value(what, path) if kind == "value" else path)
    else:
        message = f"nothing that ends is called {what!r}{_near(what, SURFACES)}; it is {_FORMS}"
        raise ValueError(message)


def _check_operation(what: str, operation: str) -> None:
    if operation in {QUERY, *QUERIES}:
        message = f"{what}: a scoring request has no date of its own; give one to {' or '.join(SURFACES)}"
        raise ValueError(message)
    if operation not in NAMES:
        message = f"{what}: there is no operation {operation!r}{_near(operation, NAMES)}; docs/fidelity.md lists them"
        raise ValueError(message)


def _without_value(what: str, path: str) -> str:
    field, equals, value = path.partition("=")
    try:
        json.loads(value)
    except (ValueError, RecursionError) as error:
        expected = f"{what}=true" if not equals else f"={json.dumps(value)}"
        message = f"{what}: the value that ends is JSON, e.g. {expected}"
        raise ValueError(message) from error
    return field


def _check_path(what: str, operation: str, path: str) -> None:
    from servesim.service.request_fields import fits, names  # noqa: PLC0415 - reads the contracts, which few dates need

    if not fits(operation, path):
        where = "no request" if operation == ANY_OPERATION else f"the request of {operation}"
        has = "has" if operation == ANY_OPERATION else "does not have"
        message = f"{what}: {where} {has} a field {path!r}{_near(path, names(operation))}"
        raise ValueError(message)


def _near(written: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(written, list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""
