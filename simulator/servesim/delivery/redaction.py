"""Tokens and secrets, taken out of calls before anything of them is written.

What is secret is known by where it stands: a field, a header, a variable. Once seen there, it is taken out wherever
else it occurs, in each of the forms in which it could come back.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from servesim.delivery import secret_names as names
from servesim.delivery.secret_forms import SHORTEST, Form, embedded, forms_of, has_twice, pairs_of, readings
from servesim.delivery.secret_texts import PARAMETER, REDACTED, REFERENCE, SHORTEST_INSIDE, without

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEPT = 1_000
"""Secrets that are remembered."""
DEEPEST = 200
"""Levels of a document; one that nests deeper cannot be looked through."""

SECRETS_API = re.compile(r"/+api/+[0-9.]+/+secrets/")
"""Where ``value`` is one of a secret."""

_SCHEMES = frozenset({"bearer", "basic", "digest", "negotiate", "token", "apikey"})
_WORDS = frozenset({"true", "false", "null", "none", "cookie", "bearer", "basic", "token", "secret", "redacted"})
"""What is no secret, wherever it stands."""


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
        is_plain = len(secret) < SHORTEST or secret.lower() in _WORDS or REFERENCE.fullmatch(secret)
        if not is_plain and not self.is_full:
            self._forms.setdefault(secret, forms_of(secret))

    def learn_headers(self, headers: Iterable[tuple[str, str]]) -> None:
        """Remember what headers hold that are there for secrets."""
        for name, value in headers:
            if names.is_secret_header(name):
                for secret in _in_header(name, value):
                    self.learn(secret)

    def learn_pairs(self, pairs: Iterable[tuple[str, str]], *, in_secrets: bool = False) -> None:
        """Remember the secret values of a query or a form."""
        for name, value in pairs:
            if _is_parameter(name, in_secrets=in_secrets):
                self.learn(value)
            else:
                self.learn_address(f"?{value}")

    def learn_address(self, text: str) -> None:
        """Remember the secret parameters of an address, or of its parts, however they are coded."""
        for reading in (text, *readings(text)):
            for found in PARAMETER.finditer(reading):
                if names.is_secret_parameter(unquote_plus(found["name"])):
                    self.learn(unquote_plus(found["value"]))

    def learn_document(self, path: str, document: Any) -> None:
        """Remember the secrets of a JSON body that was sent to a path, or came from it."""
        for secret in _secrets_in(document, in_secrets=is_of_secrets(path)):
            self.learn(secret)

    # --- taking out -------------------------------------------------------------------------------

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        return without(text, self._met(text))

    def path(self, path: str) -> str:
        """Return a path without secrets, and without the parts of it that may hide one."""
        parts = "/".join(self.text(part) for part in without(path, self._met(path), is_whole=False).split("/"))
        return parts if self.text(parts) != REDACTED else f"/{REDACTED}"

    def pairs(self, pairs: Iterable[tuple[str, str]], *, in_secrets: bool = False) -> list[tuple[str, str]]:
        """Return a query or a form without secrets."""
        return [
            (
                self.text(name),
                REDACTED if value and _is_parameter(name, in_secrets=in_secrets) else self._parameter(value),
            )
            for name, value in pairs
        ]

    def _parameter(self, value: str) -> str:
        if (inner := embedded(value)) is not None:
            return json.dumps(self.document("", inner))
        return self.text(f"?{value}").removeprefix("?")

    def document(self, path: str, document: Any) -> Any:
        """Return a JSON body without secrets."""
        met = self._met(json.dumps(document), json.dumps(document, ensure_ascii=False), "\n".join(_texts(document)))
        return _Document(met).cleaned(document, in_secrets=is_of_secrets(path))

    def _met(self, *texts: str) -> list[Form]:
        """Return every form of the secrets that occur in one of some texts, the longest first."""
        all_texts = [*texts, *(reading for text in texts for reading in readings(text))]
        met = (
            forms for forms in self._forms.values() if any(form.text in text for text in all_texts for form in forms)
        )
        return sorted({form for forms in met for form in forms}, key=lambda form: (-len(form.text), form))


class _Document:
    """One document, with the forms of the secrets that occur in it."""

    def __init__(self, met: list[Form]) -> None:
        self._met = met

    def cleaned(self, value: Any, *, in_secrets: bool) -> Any:
        """Return a part of the document without secrets."""
        if isinstance(value, dict):
            is_labelled = names.is_labelled(value)
            return {
                without(name, self._met): self._field(
                    name, inner, in_secrets=in_secrets or (is_labelled and _is_value(name))
                )
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self.cleaned(inner, in_secrets=in_secrets) for inner in value]
        if isinstance(value, str):
            return self._text(value, in_secrets=in_secrets)
        is_met = bool(self._met) and not isinstance(value, bool) and value is not None
        return blank(value) if is_met and any(form.text in json.dumps(value) for form in self._met) else value

    def _text(self, value: str, *, in_secrets: bool) -> str:
        if (inner := embedded(value)) is not None:
            cleaned = self.cleaned(inner, in_secrets=in_secrets)
            if cleaned != inner or has_twice(inner):
                return json.dumps(cleaned)
        return without(value, self._met)

    def _field(self, name: str, value: Any, *, in_secrets: bool) -> Any:
        if names.is_variables(name, value):
            if not isinstance(value, dict):
                return _variable(value)
            return {without(key, self._met): _variable(inner) for key, inner in value.items()}
        if _is_secret(name, value, in_secrets=in_secrets):
            return _variable(value)
        return self.cleaned(value, in_secrets=in_secrets)


def is_of_secrets(path: str) -> bool:
    """Tell whether a path is one of the Secrets API."""
    return SECRETS_API.match(path) is not None


def is_too_deep(document: Any) -> bool:
    """Tell whether a document nests deeper than can be looked through."""
    level = [document]
    for _ in range(DEEPEST):
        level = [inner for value in level for inner in _inner(value)]
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
    return value if isinstance(value, str) and REFERENCE.fullmatch(value) else blank(value)


def _inner(value: Any) -> Iterator[Any]:
    """Yield what stands in a value, also in the JSON that a text holds."""
    if isinstance(value, dict):
        yield from (inner for _, inner in pairs_of(value))
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, str) and (inner := embedded(value)) is not None:
        yield inner


def _is_value(name: str) -> bool:
    return names.plain(name) in {"value", "values"}


def _is_secret(name: str, value: Any, *, in_secrets: bool) -> bool:
    if isinstance(value, bool) or value is None:
        return False
    if in_secrets and (_is_value(name) or names.plain(name) == "secrets"):
        return _is_value(name)  # the other lists secrets by their keys
    return names.is_secret_number(name) if isinstance(value, int | float) else names.is_secret(name)


def _is_parameter(name: str, *, in_secrets: bool) -> bool:
    if in_secrets and name == "key":
        return False  # there it is a secret's name
    return names.is_secret_parameter(name)


def _secrets_in(value: Any, *, in_secrets: bool) -> Iterator[str]:
    if not isinstance(value, dict):
        for inner in _inner(value):
            yield from _secrets_in(inner, in_secrets=in_secrets)
        return
    is_labelled, is_of_text = names.is_labelled(value), "logprob" in value or "token_logprobs" in value
    for name, inner in pairs_of(value):
        is_secret = _is_secret(name, inner, in_secrets=in_secrets or (is_labelled and _is_value(name)))
        if names.is_variables(name, inner):
            # Most are settings such as `true` or `prod`, which stand elsewhere by themselves.
            yield from (leaf for leaf in _leaves(inner) if len(leaf) >= SHORTEST_INSIDE)
        elif not is_secret:
            yield from _secrets_in(inner, in_secrets=in_secrets)
        elif not is_of_text:  # such tokens are words
            for leaf in _leaves(inner):
                yield leaf
                yield from _decoded(leaf)


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a value, also names and those within the JSON of another text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
    for inner in _inner(value):
        yield from _texts(inner)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in _inner(value):
            yield from _leaves(inner)
    elif isinstance(value, str):
        yield value
        for inner in _inner(value):
            yield from _leaves(inner)
    elif value is not None and not isinstance(value, bool):
        yield json.dumps(value)


def _in_header(name: str, value: str) -> Iterator[str]:
    if "cookie" in name.lower():
        first, *rest = value.split(";")
        for part in [first] if name.lower().startswith("set-") else [first, *rest]:
            yield (part.partition("=")[2] or part).strip().strip('"')
        return
    scheme, _, credential = value.partition(" ")
    if scheme.lower() in _SCHEMES or "authorization" in name.lower():
        yield credential or scheme
    if scheme.lower() not in _SCHEMES:
        yield value
    if scheme.lower() == "basic":
        for pair in _decoded(credential):
            user, _, password = pair.partition(":")
            yield password or user


def _decoded(text: str) -> Iterator[str]:
    try:
        yield base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return
