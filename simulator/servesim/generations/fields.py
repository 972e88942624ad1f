"""Reading JSON fields with errors that name the field, what was expected and what was sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 80
_WHOLE_LIMIT = 2**31


class Fields:
    """A JSON object being read; unknown fields are left alone, null counts as absent.

    ``values`` holds what was sent and is not null.
    """

    __slots__ = ("_path", "values")

    def __init__(self, value: Any, path: str = "") -> None:
        """Take an object; raise BAD_FIELD for anything else."""
        if not isinstance(value, dict):
            raise _bad(path or "the request body", "a JSON object", value)
        self.values: dict[str, Any] = {name: inner for name, inner in value.items() if inner is not None}
        self._path = path

    def has(self, name: str) -> bool:
        """Tell whether a field was sent."""
        return name in self.values

    def path(self, name: str) -> str:
        """Return a field's full name for an error."""
        return f"{self._path}.{name}" if self._path else name

    def bad(self, name: str, expected: str) -> Rejected:
        """Return the error for a field that is not what it must be."""
        return _bad(self.path(name), expected, self.values.get(name))

    def text(self, name: str, default: str | None = None) -> str:
        """Read a string; without a default it is required."""
        value = self.values.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.bad(name, "a string")
        return value

    def text_or_none(self, name: str) -> str | None:
        """Read a string that need not be sent."""
        return self.text(name) if self.has(name) else None

    def label(self, name: str) -> str:
        """Read a required string that some clients send as a number, such as a model version."""
        value = self.values.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # JSON has one kind of number
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _WHOLE_LIMIT:
            return str(value)
        return self.filled(name)

    def filled(self, name: str) -> str:
        """Read a required string that is not empty."""
        text = self.text(name)
        if not text:
            raise self.bad(name, "a string that is not empty")
        return text

    def choice(self, name: str, choices: Iterable[str], default: str) -> str:
        """Read one of some words."""
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, str) or value not in choices:
            raise self.bad(name, f"one of {', '.join(choices)}")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Read a boolean, as JSON or as the string that published examples send."""
        value = self.values.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        raise self.bad(name, "true or false")

    def whole(self, name: str, *, least: int, most: int = _WHOLE_LIMIT) -> int | None:
        """Read an integer, as JSON or as the string that published examples send."""
        value = self.values.get(name)
        if value is None:
            return None
        number = _whole(value)
        if number is None or not least <= number <= most:
            upper = "" if most == _WHOLE_LIMIT else f" to {most}"
            raise self.bad(name, f"an integer from {least}{upper or ' on'}")
        return number

    def items(self, name: str) -> list[Fields]:
        """Read a list of objects."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.bad(name, "a list")
        return [Fields(item, f"{self.path(name)}[{index}]") for index, item in enumerate(value)]

    def texts(self, name: str) -> list[str]:
        """Read a list of strings."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.bad(name, "a list of strings")
        return value

    def inner(self, name: str) -> Fields | None:
        """Read an object."""
        value = self.values.get(name)
        return None if value is None else Fields(value, self.path(name))

    def environment(self, name: str) -> tuple[tuple[str, str], ...]:
        """Read variables that a process can have, by name; no error shows a value, it may be secret."""
        fields = self.inner(name)
        pairs = sorted(fields.values.items()) if fields else []
        for key, value in pairs:
            if not key or "=" in key or not _fits_process(key):
                raise _bad(self.path(name), "an object whose keys are names of variables", key)
            if not isinstance(value, str) or not _fits_process(value):
                path = f"{self.path(name)}.{key}"
                raise _bad(path, "a string without NUL and lone surrogates", type(value).__name__)
        return tuple(pairs)


def _fits_process(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:  # noqa: PLR2004 - a percentage
        return int(value)
    return None


def _bad(field: str, expected: str, got: Any) -> Rejected:
    shown = "nothing" if got is None else json.dumps(got, skipkeys=True)
    if len(shown) > _SHOWN:
        shown = shown[: _SHOWN - 3] + "..."
    return Rejected(Code.BAD_FIELD, field=field, expected=expected, got=shown)
