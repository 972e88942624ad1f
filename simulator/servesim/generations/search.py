"""Searching a registry: filters, orders and pages, over whatever objects are searched."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from servesim.core.errors import Code, Rejected
from servesim.generations import pages
from servesim.generations.filters import KEPT, bare, read_filter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servesim.generations.filters import Kind

_T = TypeVar("_T")

ORDERS = 20
"""Orders of one search: ours."""


class Query(NamedTuple):
    """One search as it was asked for."""

    asker: str
    """Whose search it is: nobody else's page token goes on with it."""
    filter: str = ""
    order_by: tuple[str, ...] = ()
    most: int = 100
    page_token: str = ""


def search(kind: Kind[_T], objects: Iterable[_T], query: Query) -> tuple[list[_T], str]:
    """Return a page and the token of the next one, empty after the last.

    Raise FILTER_INVALID, ORDER_INVALID or PAGE_TOKEN_INVALID. A page goes on behind the last object of the one before,
    wherever that stands by now, so that what comes and goes in between shifts nothing.
    """
    conditions = read_filter(kind, query.filter)
    order = read_order(kind, query.order_by)
    reads = [(kind.attributes[name], ascends) for name, ascends in order]

    def values(item: _T) -> list[Any]:
        return [attribute.read(item) for attribute, _ in reads]

    def key(read: list[Any]) -> tuple[Any, ...]:
        return tuple(value if ascends else _Descending(value) for value, (_, ascends) in zip(read, reads, strict=True))

    found = [(key(values(item)), item) for item in objects if all(holds(item) for holds in conditions)]
    found.sort(key=lambda pair: pair[0])
    if query.page_token:
        kinds = [str if attribute.is_text else int for attribute, _ in reads]
        last = key(pages.read_token(query.page_token, _asked(kind, query), kinds))
        found = [pair for pair in found if last < pair[0]]
    page = [item for _, item in found[: query.most]]
    return page, pages.token(_asked(kind, query), values(page[-1])) if len(found) > len(page) else ""


def _asked(kind: Kind[Any], query: Query) -> str:
    return pages.fingerprint(kind.name, query.asker, query.filter, *query.order_by)


class _Descending:
    """A value that stands before the smaller ones."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __lt__(self, other: _Descending) -> bool:
        return bool(other.value < self.value)


# --- orders ---------------------------------------------------------------------------------------

_ORDER = re.compile(r"\s*(?P<key>[^\s`\"]+|`[^`]*`|\"[^\"]*\")(?:\s+(?P<word>\S+))?\s*")


@lru_cache(maxsize=KEPT)
def read_order(kind: Kind[Any], order_by: tuple[str, ...]) -> list[tuple[str, bool]]:
    """Return the attributes to sort by and whether they ascend, ties included; raise ORDER_INVALID."""
    if len(order_by) > ORDERS:
        raise Rejected(Code.ORDER_INVALID, order=order_by[0], reason=f"at most {ORDERS} can be given")
    order = [_read_order(kind, text) for text in order_by] or list(kind.order)
    named = [name for name, _ in order]
    for index, name in enumerate(named):
        if name in named[:index]:
            raise Rejected(Code.ORDER_INVALID, order=order_by[index], reason=f"'{name}' was given before")
    return [*order, *(tie for tie in kind.ties if tie[0] not in named)]


def _read_order(kind: Kind[Any], text: str) -> tuple[str, bool]:
    known = [name for name, attribute in kind.attributes.items() if attribute.orders]
    found = _ORDER.fullmatch(text)
    name = bare(found["key"]).removeprefix("attribute.") if found else ""
    if found is None or name not in known:
        raise Rejected(Code.ORDER_INVALID, order=text, reason=f"it must name one of {', '.join(known)}")
    word = (found["word"] or "ASC").upper()
    if word not in {"ASC", "DESC"}:
        raise Rejected(Code.ORDER_INVALID, order=text, reason="behind the attribute stands ASC, DESC or nothing")
    return name, word == "ASC"
