"""Secrets, taken out of a text: known ones, and what looks like one or is called so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from servesim.delivery import secret_names as names
from servesim.delivery.secret_forms import is_read, readings

if TYPE_CHECKING:
    from servesim.delivery.secret_forms import Form

REDACTED = "REDACTED"
"""What stands in place of a secret; base64 too, since some fields are."""
SHORTEST_INSIDE = 8
"""Characters of a secret that is taken out of the middle of a word, and of a variable's value that is remembered."""

_ALWAYS = (
    r"plaintext|passw(?:or)?d|pwd|passphrase|secret|credentials?|string_value"
    r"|(?:private|api|access|account|signing)[_-]?key"
)
REFERENCE = re.compile(r"\{\{\s*secrets/[^{}/]+/[^{}/]+\s*\}\}")
_SHAPES = re.compile(
    r"d(?:api|kea|ose|sapi|oau)[0-9a-f]{8,}(?:-\d+)?"
    r"|(?<![\w-])eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_\w{20,}|(?<![A-Za-z0-9])sk-(?:[A-Za-z0-9]{20,}|(?:proj|ant)-[\w-]{16,})"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
"""What tokens and keys look like."""
_SPOKEN = re.compile(r"(?i)\b(bearer|basic)(\s{1,8})[\w.~+/=-]{8,}")
_ASSIGNED = re.compile(
    rf"""(?ix) (?:{_ALWAYS}|bytes_value|assertion|tokens?|authorization) \\?["']? \s{{0,8}} [:=] \s{{0,8}}
    (?P<value> \\?"(?:[^"\\]|\\.)*"? | '(?:[^'\\]|\\.)*'? | [^\s,;&}}\]]+ )"""
)
"""``name = value`` in a text, where the name is one of a secret."""
PARAMETER = re.compile(r"(?P<before>[?&;#](?P<name>[\w.%~-]{1,200})=)(?P<value>[^&;#\s\"'<>\\]+)")
"""A parameter of an address."""
_USER = re.compile(r"(?<=://)[^/\s@?#\"'<>]{1,500}@")
"""Who asks, in an address."""


def without(text: str, forms: list[Form], *, is_whole: bool = True) -> str:
    """Return a text without secrets, and nothing of it where one stands in its coding alone, if it is whole."""
    text = _taken_out(text, forms)
    if is_whole and not (is_read(text) and all(_taken_out(one, forms) == one for one in readings(text))):
        return REDACTED
    return text


def _taken_out(text: str, forms: list[Form]) -> str:
    for form, is_coded in forms:
        if form not in text:
            continue
        if len(form) < SHORTEST_INSIDE:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])", REDACTED, text)
        elif is_coded:  # the three or four signs beside it hold the rest
            text = re.sub(rf"[\w+-]{{0,4}}{re.escape(form)}[\w+/-]{{0,4}}={{0,2}}", REDACTED, text)
        else:
            text = text.replace(form, REDACTED)
    text = _SHAPES.sub(REDACTED, text)
    text = _SPOKEN.sub(rf"\1\2{REDACTED}", text)
    text = _USER.sub(f"{REDACTED}@", text)
    return _ASSIGNED.sub(_unassigned, PARAMETER.sub(_unset, text))


def _unset(found: re.Match[str]) -> str:
    is_secret = names.is_secret_parameter(unquote_plus(found["name"]))
    is_reference = REFERENCE.fullmatch(found["value"]) is not None
    return f"{found['before']}{REDACTED}" if is_secret and not is_reference else found[0]


def _unassigned(found: re.Match[str]) -> str:
    value = found["value"]
    bare = value.strip("\\\"'")
    if bare in {"", REDACTED} or REFERENCE.fullmatch(bare):
        return found[0]
    return found[0].removesuffix(value) + value.replace(bare, REDACTED)
