"""Which dates of a calendar concern a call: by its operation, and by fields and values of its body."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.core.calendar import Ending

ANY_OPERATION = "*"
_UNREAD = (b"\\", b"\x00")
"""Signs of a body whose keys may be written otherwise: escapes, and encodings other than UTF-8."""


class Rule(NamedTuple):
    """A field that ends, or one value of it."""

    ending: Ending
    operation: str
    """``*`` for every one."""
    path: tuple[str, ...]
    """Keys from the body down, or, for every operation, from anywhere in it; lists are looked through."""
    value: Any = None
    of_value: bool = False
    """Whether ``value`` alone ends."""

    @property
    def name(self) -> str:
        """The field as people write it."""
        return ".".join(self.path)

    @property
    def written(self) -> str:
        """The value as JSON."""
        return json.dumps(self.value)

    def concerns(self, value: Any) -> bool:
        """Tell whether a value that was sent is what ends; null counts as absent, text as what it spells."""
        if value is None:
            return False
        if not self.of_value or value == self.value:
            return not self.of_value or isinstance(value, bool) is isinstance(self.value, bool)
        return isinstance(value, str) and value.lower() == json.dumps(self.value).lower()


class Dated:
    """The dates of a calendar, sorted for calls."""

    def __init__(self, calendar: tuple[Ending, ...]) -> None:
        """Sort them; what they are of has been checked."""
        self.operations: dict[str, Ending] = {}
        """By operation of the contracts."""
        self.rules: tuple[Rule, ...] = ()
        for ending in calendar:
            kind, _, rest = ending.what.partition(":")
            if kind == "operation":
                self.operations[rest] = ending
            elif rest:
                self.rules += (_rule(ending, kind, rest),)
        self.name_operations = bool(self.operations) or any(rule.operation != ANY_OPERATION for rule in self.rules)
        """Whether it matters what a call's operation is called."""
        self.concern_parameters = any(len(rule.path) == 1 for rule in self.rules)
        """Whether a parameter of a query or a form, which nests nothing, can be what ends."""

    def used(self, operation: str, body: bytes, document: Any) -> Iterator[Rule]:
        """Yield each rule that a body uses; ``document`` is what ``body`` says."""
        for rule in self.rules:
            if rule.operation not in {ANY_OPERATION, operation}:
                continue
            if rule.path[-1].encode() not in body and not any(sign in body for sign in _UNREAD):
                continue
            starts = _everywhere(document) if rule.operation == ANY_OPERATION else (document,)
            if any(rule.concerns(found) for start in starts for found in _at(start, rule.path)):
                yield rule


@lru_cache(maxsize=16)
def dated(calendar: tuple[Ending, ...]) -> Dated:
    """Return the dates of a calendar, sorted once for all workspaces that have it."""
    return Dated(calendar)


def _rule(ending: Ending, kind: str, rest: str) -> Rule:
    operation, _, path = rest.partition(":")
    if kind == "field":
        return Rule(ending, operation, tuple(path.split(".")))
    path, _, value = path.partition("=")
    return Rule(ending, operation, tuple(path.split(".")), json.loads(value), of_value=True)


def _at(start: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Yield what stands at a path below a value."""
    found = [start]
    for key in path:
        found = [one[key] for one in _looked_through(found) if isinstance(one, dict) and key in one]
    yield from _looked_through(found)


def _looked_through(values: list[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _looked_through(value)
        else:
            yield value


def _everywhere(document: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a document, which nests no deeper than bodies may."""
    if isinstance(document, dict):
        yield document
        for value in document.values():
            yield from _everywhere(value)
    elif isinstance(document, list):
        for value in document:
            yield from _everywhere(value)
