"""Handlers that are imported and made at their first call: a server starts sooner without them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.http.calls import Call
    from servesim.http.reply import Reply

_T = TypeVar("_T")


def later(make: Callable[[], _T]) -> _T:
    """Return what stands in for what ``make`` returns: its attributes are handlers, which make it once."""
    return cast("_T", _Later(make))


class _Later:
    def __init__(self, make: Callable[[], Any]) -> None:
        self._made = cache(make)

    def __getattr__(self, name: str) -> Any:
        async def handle(call: Call) -> Reply:
            reply: Reply = await getattr(self._made(), name)(call)
            return reply

        handle.__name__ = name
        return handle
