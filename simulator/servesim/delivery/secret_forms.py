"""Forms in which a secret could come back, and readings of a text in which it could be hidden."""

from __future__ import annotations

import base64
import html
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, quote_plus, unquote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHORTEST = 4
"""Characters of a secret that is looked for elsewhere; a shorter one is part of anything."""
MOST_CODINGS = 5
"""Times that a text is decoded; what is still encoded then cannot be looked through."""
_CODED = re.compile(r"%[0-9A-Fa-f]{2}|&#?\w{1,32};|\\(?:/|u(?P<unit>[0-9A-Fa-f]{4}))")


class Form(NamedTuple):
    """A text that a secret could come back as; ``is_coded`` if more of it may stand on both sides, in base64."""

    text: str
    is_coded: bool = False


class Object(dict[str, Any]):
    """An object of a JSON text in which a name stands twice; the last one counts, and each is looked through."""

    pairs: list[tuple[str, Any]]


def forms_of(secret: str) -> tuple[Form, ...]:
    """Return a secret as it is, in JSON, in a URL, in hexadecimal and in base64."""
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], unquote_plus(secret)}
    for quoted in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        forms |= {quoted, re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)}
    forms |= {raw.hex(), raw.hex().upper()}
    coded = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        coded |= {encode(raw).decode().rstrip("="), *(_inside(encode(bytes(shift) + raw), shift) for shift in range(3))}
    return (
        *(Form(form) for form in sorted(forms) if len(form) >= SHORTEST),
        *(Form(form, is_coded=True) for form in sorted(coded - forms) if len(form) >= SHORTEST),
    )


def _inside(coded: bytes, shift: int) -> str:
    """Return the part of a base64 text that is the same whatever stands before, and after, what was encoded."""
    text = coded.decode()
    end = -4 if text.endswith("=") else len(text)
    return text[(0, 4, 4)[shift] : end]


def readings(text: str) -> Iterator[str]:
    """Yield what a text says once its URL coding, its HTML and its JSON are undone, each as often as it can be."""
    seen = {text}
    for unquoted in (unquote, unquote_plus):
        reading = text
        for _ in range(MOST_CODINGS):
            if not _CODED.search(reading) and (unquoted is unquote or "+" not in reading):
                break
            reading = html.unescape(unquoted(_CODED.sub(_unescaped, reading)))
            if reading not in seen:
                seen.add(reading)
                yield reading


def is_read(text: str) -> bool:
    """Tell whether a text is decoded after as many times as it is looked through."""
    for _ in range(MOST_CODINGS):
        if not _CODED.search(text):
            return True
        before, text = text, html.unescape(unquote(_CODED.sub(_unescaped, text)))
        if text == before:
            return True
    return not _CODED.search(text)


def _unescaped(found: re.Match[str]) -> str:
    sign = found[0]
    if sign == "\\/":
        return "/"
    return chr(int(found["unit"], 16)) if found["unit"] else sign


def loaded(text: str) -> Any:
    """Return what a JSON text holds; raise ValueError or RecursionError."""
    return json.loads(text, object_pairs_hook=_object)


def embedded(text: str) -> Any:
    """Return the object, list or text that a text holds as JSON, else None."""
    if not text.lstrip("\ufeff \t\r\n").startswith(("{", "[", '"')):
        return None
    try:
        inner = loaded(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return None
    return inner if isinstance(inner, dict | list | str) else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    twice = Object(plain)
    twice.pairs = pairs
    return twice


def pairs_of(value: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """Return an object's names and values, also those that another of the same name replaced."""
    return value.pairs if isinstance(value, Object) else value.items()


def has_twice(value: Any) -> bool:
    """Tell whether a name stands twice in a JSON value."""
    if isinstance(value, dict):
        return isinstance(value, Object) or any(has_twice(inner) for inner in value.values())
    return isinstance(value, list) and any(has_twice(inner) for inner in value)
