"""Filter strings of registry searches: what an object must be, as conditions joined by AND."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_T = TypeVar("_T")

FILTER_CHARACTERS = 4_000
"""Of a filter: ours, no limit is published."""
KEPT = 100
"""How many filters are kept as they were read: clients ask the same again and again."""


class Attribute(NamedTuple):
    """What can be asked of an object, by filters, orders or both."""

    read: Callable[[Any], Any]
    """Returns a string, or an integer if ``is_text`` is false."""
    is_text: bool = True
    filters: bool = True
    orders: bool = True
    holds_within: bool = False
    """Whether a LIKE without ``%`` looks for what it says anywhere in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind(Generic[_T]):
    """A kind of object that is searched; there is one of each, so that what was read for it can be kept."""

    name: str
    attributes: Mapping[str, Attribute]
    tags: Callable[[_T], Mapping[str, str]]
    order: tuple[tuple[str, bool], ...]
    """The order where none is asked for, as attributes and whether they ascend."""
    ties: tuple[tuple[str, bool], ...]
    """What decides between equals; no two objects are equal in all of it."""


_KEY = re.compile(r"\s*(?:(?P<entity>\w+)\.)?(?P<key>`[^`]+`|\"[^\"]+\"|[\w./:-]+)")
_COMPARATOR = re.compile(r"\s*(?P<word>!=|<=|>=|=|<|>|(?:I?LIKE|NOT\s+IN|IN)(?!\w))", re.IGNORECASE)
_VALUE = re.compile(r"\s*(?:'(?P<single>(?:[^']|'')*)'|\"(?P<double>[^\"]*)\"|(?P<number>\d{1,18})(?![\w.]))")
_OPENING, _COMMA, _CLOSING = re.compile(r"\s*\("), re.compile(r"\s*,"), re.compile(r"\s*\)")
_AND = re.compile(r"\s+AND(?!\w)", re.IGNORECASE)
_END = re.compile(r"\s*$")

_TEXT_COMPARATORS = ("=", "!=", "LIKE", "ILIKE", "IN", "NOT IN")
_NUMBER_COMPARATORS = ("=", "!=", "<", "<=", ">", ">=")
_ENTITIES = {None: False, "attribute": False, "attributes": False, "tag": True, "tags": True}
"""Whether what stands before the dot of a key says that it is a tag's."""


@lru_cache(maxsize=KEPT)
def read_filter(kind: Kind[_T], text: str) -> list[Callable[[_T], bool]]:
    """Return the conditions of a filter, all of which must hold; raise FILTER_INVALID."""
    if len(text) > FILTER_CHARACTERS:
        raise Rejected(Code.FILTER_INVALID, filter=text, reason=f"it is longer than {FILTER_CHARACTERS:,} characters")
    reader = _Reader(text)
    conditions: list[Callable[[_T], bool]] = []
    if _END.match(text):
        return conditions
    while True:
        conditions.append(_condition(kind, reader))
        if reader.take(_END):
            return conditions
        reader.need(_AND, "AND and another condition, or nothing more")


class _Reader:
    """A filter being read from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Go over what a pattern matches here."""
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def need(self, pattern: re.Pattern[str], expected: str) -> re.Match[str]:
        """Go over what must stand here."""
        found = self.take(pattern)
        if found is None:
            rest = self.text[self.at : self.at + 40].strip()
            where = f"at '{rest}'" if rest else "at its end"
            raise self.bad(f"{where} it must have {expected}")
        return found

    def bad(self, reason: str) -> Rejected:
        """Return the refusal of the filter."""
        return Rejected(Code.FILTER_INVALID, filter=self.text, reason=reason)


def _condition(kind: Kind[_T], reader: _Reader) -> Callable[[_T], bool]:
    found = reader.need(_KEY, "the name of an attribute or a tag, e.g. name or tags.`key`")
    key, entity = bare(found["key"]), found["entity"]
    if entity not in _ENTITIES:
        raise reader.bad(f"'{entity}.{key}' is neither an attribute nor tags.`key`")
    left = _left(kind, reader, key, is_tag=_ENTITIES[entity])
    comparators = _TEXT_COMPARATORS if left.is_text else _NUMBER_COMPARATORS
    expected = f"one of {', '.join(comparators)}"
    word = " ".join(reader.need(_COMPARATOR, expected)["word"].upper().split())
    if word not in comparators:
        raise reader.bad(f"'{key}' cannot be compared by {word}, but by {expected}")
    holds = _right(reader, word, left)

    def condition(item: _T) -> bool:
        value = left.read(item)
        return value is not None and holds(value)

    return condition


def _left(kind: Kind[Any], reader: _Reader, key: str, *, is_tag: bool) -> Attribute:
    """Return what a condition is about; a tag that is not there is like nothing."""
    if is_tag:
        return Attribute(lambda item: kind.tags(item).get(key))
    attribute = kind.attributes.get(key)
    if attribute is None or not attribute.filters:
        known = ", ".join(name for name, one in kind.attributes.items() if one.filters)
        raise reader.bad(f"'{key}' is no attribute to search by; those are {known}, and tags.`key`")
    return attribute


def _right(reader: _Reader, word: str, left: Attribute) -> Callable[[Any], bool]:
    """Return whether a value is what a comparator and what stands behind it say."""
    if word in {"IN", "NOT IN"}:
        texts = _texts(reader)
        return (lambda value: value in texts) if word == "IN" else (lambda value: value not in texts)
    if word in {"LIKE", "ILIKE"}:
        pattern = _text(reader)
        if left.holds_within and "%" not in pattern:
            pattern = f"%{pattern}%"
        fits = like(pattern if word == "LIKE" else pattern.lower())
        return fits if word == "LIKE" else lambda value: fits(value.lower())
    expected = _text(reader) if left.is_text else _number(reader)
    compare = _COMPARE[word]
    return lambda value: compare(value, expected)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def _text(reader: _Reader) -> str:
    found = reader.need(_VALUE, "a value in single quotes, e.g. 'fraud'")
    if found["number"] is not None:
        raise reader.bad(f"the value {found['number']} must stand in single quotes")
    return found["double"] if found["single"] is None else found["single"].replace("''", "'")


def _number(reader: _Reader) -> int:
    found = reader.need(_VALUE, "a whole number")
    digits = found["number"] or found["single"] or found["double"] or ""
    if not (digits.isascii() and digits.isdigit()):
        raise reader.bad(f"'{digits}' must be a whole number")
    return int(digits)


def _texts(reader: _Reader) -> frozenset[str]:
    reader.need(_OPENING, "a list of values, e.g. ('a', 'b')")
    texts = {_text(reader)}
    while reader.take(_COMMA):
        texts.add(_text(reader))
    reader.need(_CLOSING, "a comma and another value, or the ) of the list")
    return frozenset(texts)


def bare(key: str) -> str:
    """Return a name without the signs that it may stand between."""
    return key[1:-1] if key[:1] in {"`", '"'} else key


def like(pattern: str) -> Callable[[str], bool]:
    """Return whether a text is like an SQL pattern: ``%`` stands for any characters, ``_`` for one.

    Each part between two ``%`` is looked for from the left, which never goes back: a pattern of many cannot take long.
    """
    parts = [re.compile(re.escape(part).replace("_", "."), re.DOTALL) for part in pattern.split("%")]
    if len(parts) == 1:
        return lambda text: parts[0].fullmatch(text) is not None
    first, *middle, last = parts
    width = len(pattern) - pattern.rfind("%") - 1

    def matches(text: str) -> bool:
        found = first.match(text)
        for part in middle:
            found = found and part.search(text, found.end())
        return (
            found is not None and found.end() <= len(text) - width and last.match(text, len(text) - width) is not None
        )

    return matches
