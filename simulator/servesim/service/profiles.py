"""Profiles as people write them: durations as text, ranges as lists."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servesim.core.profile import PROFILES, Profile, override
from servesim.service.calendar import Entry, amended, read_entry
from servesim.service.documents import Document, DocumentError, read_document
from servesim.service.instants import milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from servesim.core.calendar import Ending

_SUFFIX = "_ms"


def profile_named(name: str, folder: Path | None = None) -> Profile:
    """Return a profile of servesim, or read a file of one; raise DocumentError (a ValueError)."""
    if name in PROFILES:
        return PROFILES[name]
    path = (folder or Path()) / name
    if not path.is_file():
        raise DocumentError(f"there is no profile {name!r}: give {', '.join(PROFILES)}, or a YAML file of one")
    document = read_document(path, "profile")
    return profile_from(document.path.stem, document.content or {}, document, ())


def profile_from(name: str, values: Mapping[str, Any], document: Document, at: Sequence[str | int]) -> Profile:
    """Return a profile that differs from its base in some values; ``at`` is where they stand.

    A dot in a name stands for what is an underscore in Python: ``preview.state_words``.
    """
    settings = {key.replace(".", "_"): value for key, value in values.items()}
    base = PROFILES[settings.pop("base", "faithful")]
    known = {field.name.removesuffix(_SUFFIX): field for field in fields(Profile)}
    changed: dict[str, Any] = {}
    if "calendar" in settings:
        changed["calendar"] = _calendar(base, settings.pop("calendar"), document, [*at, "calendar"])
    for key, value in settings.items():
        field = known[key]
        if not field.name.endswith(_SUFFIX):
            changed[field.name] = tuple(value) if isinstance(value, list) else value
            continue
        changed[field.name] = _value(value, getattr(base, field.name))
        if isinstance(value, list) and changed[field.name][0] > changed[field.name][1]:
            raise document.error([*at, key], "the least comes first: [least, most]")
    return override(base, name, changed)


def _calendar(
    base: Profile, written: Sequence[Mapping[str, Any]], document: Document, at: Sequence[str | int]
) -> tuple[Ending, ...]:
    entries: dict[str, Entry] = {}
    for index, entry in enumerate(written):
        try:
            read = read_entry(entry)
        except ValueError as error:
            raise document.error([*at, index], str(error)) from error
        if read.what in entries:
            raise document.error([*at, index], f"{read.what} stands twice")
        entries[read.what] = read
    return amended(base.calendar, entries.values())


def _value(value: Any, base: Any) -> Any:
    if isinstance(value, list):
        return milliseconds(value[0]), milliseconds(value[1])
    duration = milliseconds(value)
    return (duration, duration) if isinstance(base, tuple) else duration
