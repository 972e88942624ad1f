"""One conversation of the contract suite with a server: every answer is held against the contracts."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.contracts.conformity import response_violations
from servesim.contracts.documents import OF_A_WORKSPACE
from servesim.contracts.operations import anywhere, evidence, find, responses
from servesim.delivery.client import JSON, Answered, Target, Unreachable, call
from servesim.service.clock import Stopwatch, rest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from servesim.contracts.operations import Operation
    from servesim.delivery.contract_payloads import Sample

HIDDEN = "***"
SHORTEST_HIDDEN = 8
"""Characters of a token that is looked for in answers: a shorter one may be part of anything."""
TOO_MANY = 429
MOST_TRIES = 4
LONGEST_PAUSE_S = 10.0
QUOTED = 200


class NotRun(Exception):  # noqa: N818 - named for what is so
    """What a case needs is not there; says what, and how to give it."""


class CouldNotRun(Exception):  # noqa: N818 - as above
    """The suite as a whole could not run."""


class NotThere(CouldNotRun):
    """What was named for the suite is not there."""


class Wrong(NamedTuple):
    """What was wrong with an answer: to which call, in which operation (empty for none), and how."""

    call: str
    operation: str
    evidence: str
    """Grade of what the contracts say of this answer; that of the operation for a status that they do not know."""
    message: str

    def __str__(self) -> str:
        grade = f" [{self.evidence}]" if self.evidence else ""
        return f"{self.call}: {self.message}{grade}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to check, and with what."""

    surfaces: tuple[str, ...]
    read_only: bool = True
    may_score: bool = False
    """Whether any endpoint that is there may be asked for predictions, not the named one alone."""
    endpoint: str | None = None
    entity: tuple[str, str] | None = None
    sample: Sample | None = None
    """A payload that the model is known to accept."""
    most_endpoints: int = 5
    patience_s: float = 60.0


@dataclass
class Talk:
    """Makes calls and notes what is wrong with the answers; ``begin`` empties the notes for the next case."""

    target: Target
    plan: Plan
    admin_token: str = ""
    wrong: list[Wrong] = field(default_factory=list)
    met: dict[str, str] = field(default_factory=dict)
    """Grade of evidence by operation of this case, in the order of the calls."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What later cases need of earlier ones."""
    undo: dict[str, Callable[[], Answered]] = field(default_factory=dict)
    """How to remove what the suite has made and not removed, by what it is."""

    def __post_init__(self) -> None:
        """Look for the tokens in every answer."""
        self._hidden: list[tuple[str, re.Pattern[str]]] = []
        self._called = ("", "", "")
        for token in (self.target.token, self.admin_token):
            self.hide(token)

    def hide(self, secret: str) -> None:
        """Take a text for one that stands in no answer."""
        if len(secret) >= SHORTEST_HIDDEN:
            self._hidden.append((secret, re.compile(rf"(?<![\w-]){re.escape(secret)}(?![\w-])")))

    def begin(self) -> None:
        """Begin the next case."""
        self.wrong, self.met = [], {}

    # --- calls ------------------------------------------------------------------------------------

    def get(self, path: str, **how: Any) -> Answered:
        """Send a GET; see ``send``."""
        return self.send("GET", path, **how)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = JSON,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        surfaces: tuple[str, ...] = (*OF_A_WORKSPACE, "admin"),
    ) -> Answered:
        """Make a call and check its answer; a ``body`` that is neither bytes nor None goes as JSON."""
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        target = self.target if token is None else Target(self.target.url, token)
        bare = path.partition("?")[0]
        operation = find(method, bare, surfaces)
        known = (operation.id, operation.evidence.grade) if operation else ("", "")
        self._called = (f"{method} {path}", *known)
        answered = self._answer(partial(call, target, path, sent, content_type, method=method, headers=headers))
        if operation is not None:
            self._meet(operation, answered.status)
        if operation is not None or str(answered.status) in anywhere(bare):
            self._hold(method, bare, answered, surfaces)
        self._look_for_secrets(answered)
        return answered

    def _answer(self, ask: Callable[[], Answered]) -> Answered:
        """Ask, and ask again a few times where it was too often; raise Unreachable."""
        try:
            for _ in range(MOST_TRIES - 1):
                answered = ask()
                if answered.status != TOO_MANY:
                    return answered
                rest(_seconds_to_wait(answered))
            return ask()
        except Unreachable as reason:
            self.note(f"no answer: {reason}")
            raise

    def _meet(self, operation: Operation, status: int) -> None:
        """Note what is known of an operation, and of its answers with this status."""
        self.met[operation.id] = operation.evidence.grade
        known = responses(operation).get(str(status))
        if known is not None:
            self._called = (*self._called[:2], evidence(known[1]).grade)

    def _hold(self, method: str, path: str, answered: Answered, surfaces: tuple[str, ...]) -> None:
        for violation in response_violations(
            method,
            path,
            answered.status,
            answered.headers.get("Content-Type", ""),
            answered.body,
            headers=answered.headers,
            surfaces=surfaces,
        ):
            self.note(f"{violation.where}: {violation.message}")

    def _look_for_secrets(self, answered: Answered) -> None:
        text = answered.body.decode("utf-8", "replace") + "\n".join(map(str, answered.headers.values()))
        for secret, pattern in self._hidden:
            if secret in text and pattern.search(text):
                self.note("the answer shows a token or secret that was sent")

    # --- expectations -----------------------------------------------------------------------------

    def note(self, message: str) -> None:
        """Note what is wrong with the last answer."""
        wrong = Wrong(*self._called, self.redacted(message))
        if wrong not in self.wrong:
            self.wrong.append(wrong)

    def redacted(self, text: str) -> str:
        """Return a text of the server without what it must not show."""
        for secret, _ in self._hidden:
            text = text.replace(secret, HIDDEN)
        return text

    def same(self, what: str, got: Any, expected: Any) -> bool:
        """Expect a part of the last answer to be this."""
        is_so: bool = got == expected and type(got) is type(expected)
        if not is_so:
            self.note(f"{what} is {_quoted(got)}, expected {_quoted(expected)}")
        return is_so

    def that(self, is_so: object, expected: str) -> bool:
        """Expect something of the last answer."""
        if not is_so:
            self.note(f"expected {expected}")
        return bool(is_so)

    def status(self, answered: Answered, *allowed: int) -> bool:
        """Expect one of these statuses, 200 for none."""
        expected = allowed or (200,)
        if answered.status not in expected:
            told = [dig(answered.document, part) for part in ("error_code", "message")]
            said = ": ".join(part[:QUOTED] for part in told if isinstance(part, str) and part)
            said = f" ({said})" if said else ""
            self.note(f"status is {answered.status}{said}, expected {' or '.join(map(str, expected))}")
        return answered.status in expected

    def refused(self, answered: Answered, status: int, code: str | int) -> bool:
        """Expect an error with this status and code, and a message."""
        document = answered.document
        if not self.status(answered, status):
            return False
        self.that(isinstance(dig(document, "message"), str), "a message in the error")
        return self.same("error_code", dig(document, "error_code"), code)

    def predicts(self, answered: Answered) -> None:
        """Expect predictions in an answer, under their name."""
        document = answered.document
        self.that(isinstance(document, dict) and "predictions" in document, "predictions")

    # --- waiting and tidying ----------------------------------------------------------------------

    def looks(self) -> Iterator[None]:
        """Yield as often as one may look again, with longer and longer pauses, while patience lasts."""
        watch, pause_s = Stopwatch(), 0.1
        for _ in range(3):  # a servesim on autojump moves time with every look
            yield
        while watch.seconds() < self.plan.patience_s:
            rest(pause_s)
            yield
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def tidy(self) -> list[str]:
        """Remove what the suite has made, the newest first; return what could not be removed."""
        left = []
        for what in reversed(list(self.undo)):
            with contextlib.suppress(Unreachable):
                if self.undo[what]().status in {200, 404}:
                    continue
            left.append(what)
        self.undo.clear()
        return left


def dig(document: Any, *keys: str | int) -> Any:
    """Return a part of a document, None where there is none."""
    for key in keys:
        if isinstance(key, int):
            document = document[key] if isinstance(document, list) and -len(document) <= key < len(document) else None
        else:
            document = document.get(key) if isinstance(document, dict) else None
    return document


def rows(document: Any, *keys: str | int) -> list[dict[str, Any]]:
    """Return the objects of a list in a document; none where there is no list."""
    found = dig(document, *keys)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def named(found: list[dict[str, Any]], field: str = "name") -> list[str]:
    """Return the names of objects, without those that have none: they can stand in no path."""
    return [one[field] for one in found if isinstance(one.get(field), str) and one[field]]


def _quoted(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}..."


def _seconds_to_wait(answered: Answered) -> float:
    told = answered.headers.get("Retry-After", "1")
    return min(float(told), LONGEST_PAUSE_S) if told.isdecimal() else 1.0
