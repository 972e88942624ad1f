"""Values of secrets, and the only place that has them: no command, log line, event or answer holds one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn

from servesim.core import secrets
from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

Environment = tuple[tuple[str, str], ...]

REDACTED = "[REDACTED]"

VALUE_LIMIT = 128 * 1024
"""Bytes of one secret: documented."""
TOTAL_LIMIT = 16 * 1024 * 1024
"""Bytes of all secrets of a workspace: ours, so that nobody can fill the memory."""
KEPT_GONE = 256
"""Deployments that are gone and whose environments are kept."""
_LINE_LENGTH = 8
"""A line of a secret of several lines is redacted by itself from this length on: a bracket is no secret."""


class Unresolved(Exception):  # noqa: N818 - why a deployment fails, not a failure of ours
    """An environment refers to a secret that it cannot have."""


class Vault:
    """The secret values of one workspace, and the environments that were resolved with them."""

    def __init__(self) -> None:
        """Begin empty."""
        self._values: dict[tuple[str, str], bytes] = {}
        self._resolved: dict[str, Environment] = {}
        self._in_use: dict[str, frozenset[str]] = {}
        self._forms = _Forms()
        self._stale = False

    def __repr__(self) -> str:
        return f"<Vault of {len(self._values)} secrets>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be written down."""
        message = "a vault holds secret values and is not written down"
        raise TypeError(message)

    def check(self, scope: str, key: str, value: bytes) -> None:
        """Raise BAD_FIELD for a value that is too large, SECRET_LIMIT if there is no room for it."""
        if len(value) > VALUE_LIMIT:
            expected = f"at most {VALUE_LIMIT:,} bytes"
            raise Rejected(Code.BAD_FIELD, field="string_value", expected=expected, got=f"{len(value):,}")
        kept = sum(len(other) for name, other in self._values.items() if name != (scope, key))
        if kept + len(value) > TOTAL_LIMIT:
            raise Rejected(Code.SECRET_LIMIT, scope=scope, limit=f"{TOTAL_LIMIT:,} bytes in all scopes")

    def put(self, scope: str, key: str, value: bytes) -> None:
        """Keep a value, in place of an older one; deployments that run keep the older one."""
        self._values[scope, key] = value
        self._stale = True

    def delete(self, scope: str, key: str | None = None) -> None:
        """Forget the value of a key, or of every key of a scope."""
        gone = [name for name in self._values if name[0] == scope and key in {None, name[1]}]
        for name in gone:
            del self._values[name]
        self._stale = True

    # --- environments -----------------------------------------------------------------------------

    def environment(self, deployment_id: str, environment: Environment) -> Environment:
        """Return a deployment's environment with its secrets as they were at its first use; raise Unresolved."""
        if all(secrets.reference(value) is None for _, value in environment):
            return environment
        found = self._resolved.get(deployment_id)
        if found is None:
            found = tuple((name, self._value(name, value)) for name, value in environment)
            pairs = zip(environment, found, strict=True)
            self._in_use[deployment_id] = frozenset(new[1] for old, new in pairs if old != new)
            self._resolved[deployment_id] = found
            self._stale = True
        return found

    def has_secrets(self, deployment_id: str) -> bool:
        """Tell whether a deployment was given a secret."""
        return deployment_id in self._in_use

    def known(self, deployment_id: str, environment: Environment) -> Environment | None:
        """Return a deployment's environment if it has no secrets, or has been resolved."""
        if all(secrets.reference(value) is None for _, value in environment):
            return environment
        return self._resolved.get(deployment_id)

    def keep_only(self, deployments: Collection[str]) -> None:
        """Forget the environments of deployments that are gone, but for the last: what they printed is still shown."""
        gone = [known for known in self._resolved if known not in deployments]
        for deployment_id in gone[: max(0, len(gone) - KEPT_GONE)]:
            del self._resolved[deployment_id], self._in_use[deployment_id]
            self._stale = True

    def _value(self, variable: str, value: str) -> str:
        named = secrets.reference(value)
        if named is None:
            return value
        head = f"environment variable '{variable}' needs secret '{named.key}' of scope '{named.scope}'"
        kept = self._values.get(named)
        if kept is None:
            message = f"{head}: there is no such secret"
            raise Unresolved(message)
        try:
            text = kept.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            message = f"{head}: its value is no text that a variable can hold"
            raise Unresolved(message)
        return text

    # --- redaction --------------------------------------------------------------------------------

    def scrub(self, text: str) -> str:
        """Return a text without the values of secrets, those that running deployments still have included."""
        if self._stale:
            known = {value.decode(errors="replace") for value in self._values.values()}
            known.update(*self._in_use.values())
            self._forms = _Forms(form for value in known for form in _forms(value) if form.strip())
            self._stale = False
        return self._forms.redacted(text)


class _Forms:
    """What is looked for in a text; however much that is, a text is gone through once."""

    def __init__(self, forms: Iterable[str] = ()) -> None:
        """Keep the short ones as they are, the others by how they begin, the longest first."""
        self._short: set[str] = set()
        self._long: dict[str, list[str]] = {}
        for form in sorted(set(forms), key=len, reverse=True):
            if len(form) < _LINE_LENGTH:
                self._short.add(form)
            else:
                self._long.setdefault(form[:_LINE_LENGTH], []).append(form)

    def redacted(self, text: str) -> str:
        """Return a text without any of them; of two that overlap, neither may leave its end behind."""
        parts: list[str] = []
        shown = 0
        for start, end in sorted(self._places(text)):
            if start >= shown:
                parts += text[shown:start], REDACTED
            shown = max(shown, end)
        return "".join((*parts, text[shown:])) if parts else text

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        for form in self._short:
            start = text.find(form)
            while start >= 0:
                yield start, start + len(form)
                start = text.find(form, start + len(form))
        if not self._long:
            return
        for start in range(len(text) - _LINE_LENGTH + 1):
            for form in self._long.get(text[start : start + _LINE_LENGTH], ()):
                if text.startswith(form, start):
                    yield start, start + len(form)
                    break


def _forms(value: str) -> Iterator[str]:
    """Give a value as programs print it: as it is, as a literal, as JSON, and line by line."""
    yield value
    yield repr(value)[1:-1]
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield value.encode("unicode_escape").decode("ascii")
    yield from (line for line in value.splitlines() if len(line) >= _LINE_LENGTH)
