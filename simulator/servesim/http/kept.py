"""Answers that are kept as bytes until a reader would see something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable


class Kept:
    """Bytes about objects, which go with them."""

    def __init__(self) -> None:
        """Start with none."""
        self._kept: WeakKeyDictionary[Any, tuple[int, dict[object, bytes]]] = WeakKeyDictionary()

    def get(self, about: object, revision: int, key: object, make: Callable[[], bytes]) -> bytes:
        """Return what is kept of an object under a key, made anew if its revision is another."""
        found = self._kept.get(about)
        if found is None or found[0] != revision:
            found = self._kept[about] = (revision, {})
        body = found[1].get(key)
        if body is None:
            body = found[1][key] = make()
        return body
