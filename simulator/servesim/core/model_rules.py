"""What registered models and their versions may be called, and how long what is said of them may be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from servesim.core.errors import Code, Rejected
from servesim.core.registry import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servesim.core.model_commands import ModelTags

NAME_CHARACTERS = 256
TAG_LIMIT = 1_000
"""Tags of a model or a version: ours, no limit is published."""
KEY_CHARACTERS = 250
VALUE_CHARACTERS = 5_000
TEXT_CHARACTERS = 16_384
"""Of a description, a source, a link: ours."""
ALIAS_LIMIT = 1_000
"""Aliases of a model: ours."""

_ALIAS = re.compile(r"[A-Za-z0-9_\-]{1,255}")
_VERSION_LIKE = re.compile(r"v\d+", re.IGNORECASE)


def check_name(name: str) -> None:
    """Raise MODEL_NAME_EMPTY or MODEL_NAME_INVALID unless a model may have a name."""
    if not name.strip():
        raise Rejected(Code.MODEL_NAME_EMPTY, model=name)
    why = ""
    if "/" in name or ":" in name:
        why = "names cannot contain '/' or ':'"
    elif any(ord(sign) < ord(" ") or sign == "\x7f" or "\ud800" <= sign <= "\udfff" for sign in name):
        why = "names cannot contain control characters"
    elif len(name) > NAME_CHARACTERS:
        why = f"names have {NAME_CHARACTERS} characters at most"
    elif name in {".", ".."}:
        why = "a name is not a path"
    if why:
        raise Rejected(Code.MODEL_NAME_INVALID, model=name, why=why)


def check_text(field: str, text: str | None) -> None:
    """Raise BAD_FIELD for a description, a source or a link that is too long."""
    _check_most(field, len(text or ""), TEXT_CHARACTERS, "characters")


def checked_tags(tags: ModelTags) -> Mapping[str, str]:
    """Return tags by key; raise MODEL_TAG_INVALID or BAD_FIELD."""
    for key, value in tags:
        if not key.strip() or len(key) > KEY_CHARACTERS or any(ord(sign) < ord(" ") for sign in key):
            raise Rejected(Code.MODEL_TAG_INVALID, key=key, most=KEY_CHARACTERS)
        _check_most(f"tags.{key}", len(value), VALUE_CHARACTERS, "characters")
    check_tag_count("tags", len(tags))
    return dict(tags) or NOTHING


def check_tag_count(field: str, count: int) -> None:
    """Raise BAD_FIELD for too many tags."""
    _check_most(field, count, TAG_LIMIT, "tags")


def check_alias(alias: str) -> None:
    """Raise ALIAS_INVALID unless a version may have an alias: none that reads like a version."""
    if not _ALIAS.fullmatch(alias) or _VERSION_LIKE.fullmatch(alias) or alias.lower() == "latest" or alias.isdecimal():
        raise Rejected(Code.ALIAS_INVALID, alias=alias)


def check_alias_count(count: int) -> None:
    """Raise BAD_FIELD for too many aliases."""
    _check_most("alias", count, ALIAS_LIMIT, "aliases")


def _check_most(field: str, got: int, most: int, what: str) -> None:
    if got > most:
        raise Rejected(Code.BAD_FIELD, field=field, expected=f"{most:,} {what} at most", got=got)
