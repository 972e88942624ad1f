"""Paths of calls, written with names for what varies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

ANY = "*"
"""Every method; at the end of a path, whatever follows."""
PATH_LIMIT = 2_000

_SEGMENT = re.compile(r"\{([A-Za-z_]\w*)\}")


class Pattern:
    """A path of literal segments, ``{names}`` that stand for one segment, and perhaps ``/*`` at its end."""

    __slots__ = ("_parts", "_rest", "path")

    def __init__(self, path: str) -> None:
        """Read a pattern; raise ValueError."""
        if not path.startswith("/") or "?" in path or "#" in path or len(path) > PATH_LIMIT:
            raise ValueError(
                f"path: {path[:200]!r} is not a path: it starts with / and has no query, e.g. /api/2.1/jobs/{{job_id}}"
            )
        self.path = path
        parts = path[1:].removesuffix("/").split("/")
        self._rest = len(parts) > 0 and parts[-1] == ANY
        self._parts = [_part(path, part) for part in (parts[:-1] if self._rest else parts)]
        names = [part[1] for part in self._parts if part[0]]
        if len(set(names)) != len(names):
            raise ValueError(f"path: {path!r} has a name twice")

    def match(self, path: str) -> dict[str, str] | None:
        """Return what the names stand for in a path as it was sent, ``*`` for the rest; None if it does not fit."""
        sent = path[1:].removesuffix("/").split("/")
        if len(sent) < len(self._parts) + self._rest or (not self._rest and len(sent) > len(self._parts)):
            return None
        found: dict[str, str] = {}
        for (named, text), segment in zip(self._parts, sent, strict=False):
            value = unquote(segment)
            if named and value:
                found[text] = value
            elif named or value != text:
                return None
        if self._rest:
            found[ANY] = "/".join(unquote(segment) for segment in sent[len(self._parts) :])
        return found

    def sample(self) -> str:
        """Return a path that fits."""
        parts = [f"servesim-{text}" if named else text for named, text in self._parts]
        return "/" + "/".join([*parts, *(["servesim", "rest"] if self._rest else [])])


def _part(path: str, part: str) -> tuple[bool, str]:
    """Return a segment of a pattern: whether it is a name, and the name or the text."""
    if (name := _SEGMENT.fullmatch(part)) is not None:
        return True, name[1]
    if "{" in part or "}" in part or "*" in part:
        raise ValueError(f"path: {part!r} in {path!r}: a whole segment is text or a {{name}}, and * stands at the end")
    return False, unquote(part)


def simulated(known: Iterable[tuple[str, Pattern]], path: str) -> set[str]:
    """Return the methods of the known paths that a path fits."""
    return {method for method, pattern in known if pattern.match(path) is not None}
