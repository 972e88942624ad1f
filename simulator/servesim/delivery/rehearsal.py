"""A rehearsal: the steps that a scenario has people take, and what comes of them, instant by instant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.delivery.client import JSON, Answered, Target, Unreachable, call
from servesim.delivery.handle import USER, LocalServer
from servesim.http.server import ADMIN
from servesim.service.documents import plain
from servesim.service.instants import instant_of, iso
from servesim.service.scenario import DEFAULT_WORKSPACE, single_scenario

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from servesim.core.eventlog import LogLine
    from servesim.delivery.handle import Servesim
    from servesim.service.documents import Document

OPERATOR = "servesim"
"""Who makes the calls of the admin API, in the timeline."""
_ADMIN_TOKEN = "admin-of-the-rehearsal"  # noqa: S105 - of a server of this process, for as long as the rehearsal takes
NO_ANSWER = 0
_WELL = 200
_DETAIL = 200
_SHOWN = 1000
"""Characters of an answer that is not as expected."""


class Line(NamedTuple):
    """What happened at an instant: an event of the world, or a call with its status."""

    instant: str
    who: str
    """The person who called, or the endpoint that the event is of."""
    what: str
    about: str
    detail: str = ""
    """Of a call, what its step is for."""


class Step(NamedTuple):
    """A step as it is written, with its number from 1 on."""

    number: int
    written: Mapping[str, Any]

    @property
    def method(self) -> str:
        """The method of its call; empty if only time passes."""
        return str(self.written.get("call", "")).partition(" ")[0]

    @property
    def path(self) -> str:
        """The path of its call, with the query."""
        return str(self.written.get("call", "")).partition(" ")[2]

    @property
    def is_of_the_operator(self) -> bool:
        """Whether it calls the admin API."""
        return self.path.startswith(ADMIN)

    @property
    def status(self) -> int:
        """The status that is expected."""
        expected = self.written.get("expect", _WELL)
        return int(expected if isinstance(expected, int) else expected.get("status", _WELL))

    @property
    def content(self) -> Any:
        """What the answer has to hold; None for anything."""
        expected = self.written.get("expect")
        return expected.get("body") if isinstance(expected, dict) else None

    def sent(self) -> bytes | None:
        """Return the body of its call."""
        body = self.written.get("body")
        if body is None:
            return None if self.method == "GET" else b"{}"
        return body.encode() if isinstance(body, str) else json.dumps(body).encode()


class Came(NamedTuple):
    """What came of a rehearsal."""

    lines: tuple[Line, ...]
    missed: tuple[str, ...]
    """The steps that were answered otherwise than expected, in words."""


def rehearse(document: Document) -> Came:
    """Take the steps of a scenario in a world of their own; raise DocumentError, ValueError.

    Time stands still between steps unless the scenario has a ``clock``.
    """
    begin = single_scenario(document.path)
    clock = {} if "clock" in begin.options else {"clock": "frozen"}
    with LocalServer() as server:
        server.server.admin_token = _ADMIN_TOKEN
        with server.open(scenario=document.path, **clock) as here:
            here.workspace.name = document.content.get("workspace", DEFAULT_WORKSPACE)
            named = {member.principal.name: token for token, member in begin.principals.items()}
            default = begin.members[0].principal.name if begin.members else USER.name
            return _Run(here, document, {USER.name: here.token, **named}, default).take()


class _Run:
    def __init__(self, here: Servesim, document: Document, tokens: dict[str, str], default: str) -> None:
        self._here = here
        self._document = document
        self._tokens = tokens
        self._default = default
        self._read = here.workspace.world.logged
        self._lines: list[Line] = []
        self._missed: list[str] = []

    def take(self) -> Came:
        for number, written in enumerate(self._document.content["rehearsal"], 1):
            step = Step(number, written)
            self._wait(step)
            if step.path:
                self._call(step)
        return Came(tuple(self._lines), tuple(self._missed))

    def _wait(self, step: Step) -> None:
        """Let time pass; what is due at the instant itself has happened too."""
        clock = self._here.clock
        if "at" in step.written:
            try:
                at = instant_of(step.written["at"])
            except ValueError as error:
                raise self._error(step, "at", str(error)) from error
            if at < instant_of(clock.now()):
                raise self._error(step, "at", f"it is {clock.now()} by then, and time does not run backwards")
            clock.run_until(iso(at))
        else:
            clock.advance(step.written.get("after", 0))
        self._see()

    def _call(self, step: Step) -> None:
        who, token = self._caller(step)
        before = self._here.clock.now()
        content_type = step.written.get("content_type", JSON)
        target = Target(self._here.host, token)
        try:
            answered = call(target, step.path, step.sent(), content_type, method=step.method)
        except Unreachable as reason:  # a fault of the scenario took the answer away
            answered = Answered(NO_ANSWER, str(reason).encode(), {})
        said = _short(step.written.get("say", ""))
        self._lines.append(Line(before, who, f"{step.method} {step.path}", _told(answered), said))
        self._here.clock.advance(0)
        self._see()
        missed = _missed(step, answered)
        if missed:
            self._missed.append(f"step {step.number}, {step.method} {step.path}: {missed}")

    def _caller(self, step: Step) -> tuple[str, str]:
        if step.is_of_the_operator:
            return OPERATOR, _ADMIN_TOKEN
        name = step.written.get("as", self._default)
        if name not in self._tokens:
            raise self._error(step, "as", f"{name!r} is no principal of this world with a token")
        return name, self._tokens[name]

    def _see(self) -> None:
        """Take over what the event log has got since the last look."""
        log, logged = self._here.log, self._here.workspace.world.logged
        fresh = logged - self._read
        self._lines += map(_line, log[len(log) - fresh :] if fresh else ())
        self._read = logged

    def _error(self, step: Step, key: str, message: str) -> Exception:
        return self._document.error(("rehearsal", step.number - 1, key), message)


def _line(line: LogLine) -> Line:
    return Line(iso(line.instant), line.endpoint or "-", line.what, line.subject or "-", _short(line.detail))


def _short(text: str) -> str:
    """Return a text as one cell of a table: one line, no two spaces beside each other."""
    return plain(" ".join(text.split()))[:_DETAIL]


def _told(answered: Answered) -> str:
    """Return the status of an answer, with its code if it is a refusal."""
    if answered.status == NO_ANSWER:
        return "no answer"
    document = answered.document
    code = document.get("error_code") if isinstance(document, dict) else None
    return f"{answered.status} {code}" if code else str(answered.status)


def _missed(step: Step, answered: Answered) -> str:
    """Say in what an answer is not as expected; empty if it is."""
    shown = plain(answered.body.decode("utf-8", "replace"))[:_SHOWN]
    if answered.status != step.status:
        return f"{answered.status or 'no answer'} came in place of {step.status or 'no answer'}: {shown}"
    found = next(differences(step.content, answered.document), None) if step.content is not None else None
    return f"{found}: {shown}" if found else ""


def differences(wanted: Any, found: Any, at: str = "") -> Iterator[str]:
    """Yield where an answer does not hold what is wanted; an object may have more keys, a list no more values."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            yield from differences(value, found.get(key), f"{at}.{key}".removeprefix("."))
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, f"{at}[{index}]")
    elif wanted != found:
        yield f"{at or 'the answer'} is {json.dumps(found)} and not {json.dumps(wanted)}"
