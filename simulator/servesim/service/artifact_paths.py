"""Paths of files below a version: what is let in leads nowhere else on any disk, and fits on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH_CHARACTERS = 1_000
"""Ours: no limit is published for the files of a model."""
PATH_BYTES = 2_000
"""In UTF-8, so that a path fits below any folder for temporary files."""
PART_BYTES = 255
"""What file systems allow in a name."""
DEPTH = 32
"""Folders within each other and the file in them: ours."""

_FIRST_PRINTABLE = 0x20
_DELETE = 0x7F
_LAST_CONTROL = 0x9F


def confined(path: str) -> str:
    """Return a path that stays below its folder, as it is; raise PATH_INVALID for any other.

    Nothing is normalized: whoever means another path shall write it.
    """
    if not path:
        raise invalid(path, "it is empty")
    if len(path) > PATH_CHARACTERS:
        raise invalid(path, f"it has more than {PATH_CHARACTERS:,} characters")
    if not _is_text(path) or len(path.encode()) > PATH_BYTES:
        raise invalid(path, f"it is not UTF-8 of at most {PATH_BYTES:,} bytes")
    parts = path.split("/")
    if len(parts) > DEPTH:
        raise invalid(path, f"it is more than {DEPTH} names deep")
    for part in parts:
        _check(path, part)
    return path


def folders_of(path: str) -> Iterator[str]:
    """Yield the folders that a path lies in, the outermost first."""
    end = path.find("/")
    while end >= 0:
        yield path[:end]
        end = path.find("/", end + 1)


def invalid(path: str, reason: str) -> Rejected:
    """Return the refusal of a path."""
    return Rejected(Code.PATH_INVALID, path=path, reason=reason)


def _check(path: str, part: str) -> None:
    if part in {"", ".", ".."}:
        raise invalid(path, "its parts are names: none is empty, '.' or '..'")
    if "\\" in part or any(_is_control(sign) for sign in part):
        raise invalid(path, "a name in it has a backslash or a control character")
    if len(part.encode()) > PART_BYTES:
        raise invalid(path, f"a name in it has more than {PART_BYTES} bytes")


def _is_control(sign: str) -> bool:
    return ord(sign) < _FIRST_PRINTABLE or _DELETE <= ord(sign) <= _LAST_CONTROL


def _is_text(path: str) -> bool:
    return not any("\ud800" <= sign <= "\udfff" for sign in path)
