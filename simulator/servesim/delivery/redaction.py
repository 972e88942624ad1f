"""Tokens and secrets, taken out of calls before anything of them is written.

What is secret is known by where it stands: a field, a header, a variable. Once seen there, it is taken out wherever
else it occurs, in each of the forms in which it could come back.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, quote_plus, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REDACTED = "REDACTED"
"""What stands in place of a secret; base64 too, since some fields are."""
SHORTEST = 4
"""Characters of a secret that is looked for elsewhere; a shorter one is part of anything."""
SHORTEST_INSIDE = 8
"""Characters of a secret that is taken out of the middle of a word, and of a variable's value that is remembered."""
KEPT = 1_000
"""Secrets that are remembered."""
DEEPEST = 200
"""Levels of a document; one that nests deeper cannot be looked through."""

_ALWAYS = r"plaintext|password|passwd|secret|credentials?|private[_-]?key|api[_-]?key|access[_-]?key|string_value"
SECRET_FIELDS = re.compile(
    rf"(?i)[\w.-]*(?:{_ALWAYS}|bytes_value|assertion|(?<!page_)(?<!page)token)|authorization|cookie|jwt"
)
"""Fields whose value is secret."""
SECRET_PARAMETERS = frozenset({"code", "code_verifier", "sig", "x-amz-signature", "x-amz-credential"})
"""Parameters of a query or a form whose value is secret, beside those called as such a field is."""
SECRET_HEADERS = re.compile(r"(?i).*(?:authorization|cookie|token|secret|api-?key|password|credential).*")
SECRETS_API = re.compile(r"/+api/+[0-9.]+/+secrets/")
"""Where ``value`` is one of a secret."""

_REFERENCE = re.compile(r"\{\{\s*secrets/[^{}/]+/[^{}/]+\s*\}\}")
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
_WORDS = frozenset({"true", "false", "null", "none", "cookie", "bearer", "basic", "token", "secret", "redacted"})
"""What is no secret, wherever it stands."""


class Form(NamedTuple):
    """A text that a secret could come back as; ``is_coded`` if more of it may stand on both sides, in base64."""

    text: str
    is_coded: bool = False


class Redactor:
    """What has been seen to be secret."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._forms: dict[str, tuple[Form, ...]] = {}

    @property
    def is_full(self) -> bool:
        """Whether no further secret can be remembered, so that nothing more may be written."""
        return len(self._forms) >= KEPT

    # --- learning ---------------------------------------------------------------------------------

    def learn(self, secret: str) -> None:
        """Remember a secret with the forms in which it could come back."""
        secret = secret.strip()
        is_plain = len(secret) < SHORTEST or secret.lower() in _WORDS or _REFERENCE.fullmatch(secret)
        if not is_plain and not self.is_full:
            self._forms.setdefault(secret, _forms(secret))

    def learn_headers(self, headers: Iterable[tuple[str, str]]) -> None:
        """Remember what headers hold that are there for secrets."""
        for name, value in headers:
            if SECRET_HEADERS.fullmatch(name):
                for secret in _in_header(name, value):
                    self.learn(secret)

    def learn_pairs(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Remember the secret values of a query or a form."""
        for name, value in pairs:
            if _is_secret_parameter(name):
                self.learn(value)

    def learn_document(self, path: str, document: Any) -> None:
        """Remember the secrets of a JSON body that was sent to a path, or came from it."""
        for secret in _secrets_in(document, in_secrets=is_of_secrets(path)):
            self.learn(secret)

    # --- taking out -------------------------------------------------------------------------------

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        return _without(text, self._met(text))

    def pairs(self, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return a query or a form without secrets."""
        return [
            (self.text(name), REDACTED if value and _is_secret_parameter(name) else self.text(value))
            for name, value in pairs
        ]

    def document(self, path: str, document: Any) -> Any:
        """Return a JSON body without secrets."""
        met = self._met(json.dumps(document), json.dumps(document, ensure_ascii=False))
        return _Document(met).cleaned(document, in_secrets=is_of_secrets(path))

    def _met(self, *texts: str) -> list[Form]:
        """Return every form of the secrets that occur in one of some texts, the longest first."""
        met = (forms for forms in self._forms.values() if any(form.text in text for text in texts for form in forms))
        return sorted({form for forms in met for form in forms}, key=lambda form: (-len(form.text), form))


class _Document:
    """One document, with the forms of the secrets that occur in it."""

    def __init__(self, met: list[Form]) -> None:
        self._met = met

    def cleaned(self, value: Any, *, in_secrets: bool) -> Any:
        """Return a part of the document without secrets."""
        if isinstance(value, dict):
            return {
                _without(name, self._met): self._field(name, inner, in_secrets=in_secrets)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self.cleaned(inner, in_secrets=in_secrets) for inner in value]
        if isinstance(value, str):
            return _without(value, self._met)
        is_met = bool(self._met) and not isinstance(value, bool) and value is not None
        return blank(value) if is_met and any(form.text in json.dumps(value) for form in self._met) else value

    def _field(self, name: str, value: Any, *, in_secrets: bool) -> Any:
        if name == "environment_vars" and isinstance(value, dict):
            return {_without(key, self._met): _variable(inner) for key, inner in value.items()}
        if _is_secret(name, in_secrets=in_secrets):
            return _variable(value)
        return self.cleaned(value, in_secrets=in_secrets)


def is_of_secrets(path: str) -> bool:
    """Tell whether a path is one of the Secrets API."""
    return SECRETS_API.match(path) is not None


def is_too_deep(document: Any) -> bool:
    """Tell whether a document nests deeper than can be looked through."""
    level = [document]
    for _ in range(DEEPEST):
        level = [inner for value in level if isinstance(value, dict | list) for inner in _inner(value)]
        if not level:
            return False
    return True


def blank(value: Any) -> Any:
    """Return what says nothing of a value but its type."""
    if isinstance(value, dict):
        return {REDACTED: REDACTED} if value else {}
    if isinstance(value, list):
        return [blank(inner) for inner in value[:1]]
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float):
        return 0
    return value and REDACTED


def _variable(value: Any) -> Any:
    return value if isinstance(value, str) and _REFERENCE.fullmatch(value) else blank(value)


def _inner(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _is_secret(name: str, *, in_secrets: bool) -> bool:
    return (in_secrets and name == "value") or SECRET_FIELDS.fullmatch(name) is not None


def _is_secret_parameter(name: str) -> bool:
    return name.lower() in SECRET_PARAMETERS or SECRET_FIELDS.fullmatch(name) is not None


def _secrets_in(value: Any, *, in_secrets: bool) -> Iterator[str]:
    if isinstance(value, list):
        for inner in value:
            yield from _secrets_in(inner, in_secrets=in_secrets)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name == "environment_vars" and isinstance(inner, dict):
                # Most are settings such as `true` or `prod`, which stand elsewhere by themselves.
                yield from (leaf for leaf in _leaves(inner) if len(leaf) >= SHORTEST_INSIDE)
            elif _is_secret(name, in_secrets=in_secrets):
                for leaf in _leaves(inner):
                    yield leaf
                    yield from _decoded(leaf)
            else:
                yield from _secrets_in(inner, in_secrets=in_secrets)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in _inner(value):
            yield from _leaves(inner)
    elif isinstance(value, str):
        yield value
    elif value is not None and not isinstance(value, bool):
        yield json.dumps(value)


def _in_header(name: str, value: str) -> Iterator[str]:
    if "cookie" in name.lower():
        first, *rest = value.split(";")
        for part in [first] if name.lower().startswith("set-") else [first, *rest]:
            yield part.partition("=")[2].strip().strip('"')
        return
    scheme, _, credential = value.partition(" ")
    yield credential or scheme
    if scheme.lower() == "basic":
        for pair in _decoded(credential):
            user, _, password = pair.partition(":")
            yield password or user


def _decoded(text: str) -> Iterator[str]:
    try:
        yield base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return


def _forms(secret: str) -> tuple[Form, ...]:
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


def _without(text: str, forms: list[Form]) -> str:
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
    return _ASSIGNED.sub(_unassigned, text)


def _unassigned(found: re.Match[str]) -> str:
    value = found["value"]
    bare = value.strip("\\\"'")
    if bare in {"", REDACTED} or _REFERENCE.fullmatch(bare):
        return found[0]
    return found[0].removesuffix(value) + value.replace(bare, REDACTED)
