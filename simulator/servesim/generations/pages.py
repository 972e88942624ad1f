"""Page tokens: opaque, bounded, the same for the same page, and good for the search that they were given for alone."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKEN_CHARACTERS = 8_192
"""More than any token has."""


def fingerprint(*asked: str) -> str:
    """Return what stands for a search: who asked what."""
    return hashlib.sha256(json.dumps(asked).encode("ascii")).hexdigest()[:16]


def token(asked: str, values: Sequence[str | int]) -> str:
    """Return the token of the page that goes on behind an object with these values."""
    written = json.dumps([asked, *values], separators=(",", ":"))
    return base64.urlsafe_b64encode(written.encode("ascii")).decode("ascii").rstrip("=")


def read_token(given: str, asked: str, kinds: Sequence[type]) -> list[Any]:
    """Return the values in a token, one of each kind; raise PAGE_TOKEN_INVALID if it is another search's."""
    try:
        values = _read(given)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or [type(value) for value in values] != [str, *kinds] or values[0] != asked:
        raise Rejected(Code.PAGE_TOKEN_INVALID, token=given)
    return values[1:]


def _read(given: str) -> Any:
    if len(given) > TOKEN_CHARACTERS:
        raise ValueError
    padded = given.encode("ascii") + b"=" * (-len(given) % 4)
    return json.loads(base64.b64decode(padded, b"-_", validate=True))
