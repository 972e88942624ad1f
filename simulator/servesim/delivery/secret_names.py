"""Names of what is secret: fields, headers, variables, parameters.

A name is read liberally, in any spelling: what is taken out without need costs less than what stays.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

LONGEST = 200
"""Characters of a name that are read; the longest known one has fifty."""
LABELS = ("name", "key", "header", "field", "parameter", "variable")
"""Fields that hold the name of what stands in a field beside them."""

_EVIDENT = (
    "plaintext|passw(?:or)?d|pwd|passphrase|secret|credential|apikey|privatekey|signingkey|encryptionkey|accountkey"
    "|subscriptionkey|accesskey|sharedkey|connectionstring|stringvalue|bytesvalue"
)
_SECRET = re.compile(rf"{_EVIDENT}|token|assertion|authorization|cookie|session|bearer|jwt")
_NUMBERED = re.compile(rf"{_EVIDENT}|authorization")
"""Names of which a number is secret too; of tokens and sessions it is how many."""
_WHOLE = frozenset({"auth", "pass", "pat", "passcode", "sig", "signature", "sas", "xamzsignature"})
_LAST = ("auth", "signature", "sig", "key", "hmac")
"""How names of headers and of parameters end that hold a secret, beside those called as such a field is."""
_PARAMETERS = frozenset({"code", "codeverifier", "xamzcredential"})
_HARMLESS = re.compile(
    r"(?:next|prev|previous)?pagetoken|tokeniz\w*|tokenids?\Z|tokentypeids?\Z"
    r"|\w*(?:endpoints?|supported|type|types|count|limit|strategy|scopes?|name|names|expir\w*|lifetime\w*|ttl|policy"
    r"|timeout\w*|details|createdat|updatedat)\Z"
)
"""What is said about a secret, or is called nearly so; a name is judged by what is left of it."""
_VARIABLES = frozenset({"environmentvars", "environmentvariables", "envvars", "envvariables"})


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Return a name as all its spellings have it: small letters and digits, without marks and what divides words."""
    letters = unicodedata.normalize("NFKD", name[:LONGEST]).casefold()
    return "".join(sign for sign in letters if sign.isalnum())


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Tell whether what has this name is secret."""
    whole = plain(name)
    return whole in _WHOLE or whole.endswith("basicauth") or _is_named(_SECRET, name) or "sas" in _words(name)


@lru_cache(maxsize=4096)
def is_secret_number(name: str) -> bool:
    """Tell whether a number that has this name is secret."""
    return _is_named(_NUMBERED, name)


@lru_cache(maxsize=4096)
def is_secret_parameter(name: str) -> bool:
    """Tell whether a parameter of a query or a form with this name is secret."""
    whole = plain(name)
    return whole in _PARAMETERS or whole.endswith(_LAST) or is_secret(name)


@lru_cache(maxsize=4096)
def is_secret_header(name: str) -> bool:
    """Tell whether a header with this name is secret."""
    return plain(name).endswith(_LAST) or _SECRET.search(plain(name)) is not None


def is_variables(name: str, value: object) -> bool:
    """Tell whether a field holds variables of an environment."""
    whole = plain(name)
    return whole in _VARIABLES or (whole == "env" and isinstance(value, dict | list))


def is_labelled(fields: dict[str, object]) -> bool:
    """Tell whether one of some fields names what another holds, with the name of a secret."""
    labels = (value for name, value in fields.items() if plain(name) in LABELS and isinstance(value, str))
    return any(len(label) <= LONGEST and (is_secret(label) or is_secret_header(label)) for label in labels)


def _is_named(pattern: re.Pattern[str], name: str) -> bool:
    return pattern.search(_HARMLESS.sub("", plain(name))) is not None


def _words(name: str) -> list[str]:
    return re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name[:LONGEST]).lower())
