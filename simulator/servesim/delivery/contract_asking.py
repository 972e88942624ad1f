"""Asking a workspace how it refuses, and what its answers say of servesim's."""

from __future__ import annotations

import contextlib
import json
import re
from string import Formatter
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from servesim.core.errors import Code
from servesim.delivery.client import ENDPOINTS, JSON, Answered, Target, Unreachable, call, endpoint_path
from servesim.delivery.contract_questions import Question, creating, deployed, deploying, reading
from servesim.delivery.contract_talk import MOST_TRIES, TOO_MANY, CouldNotRun, dig
from servesim.delivery.redaction import Redactor
from servesim.generations.ga_texts import BAD_TOKEN, NO_CREDENTIAL, TEXTS, GatewayText
from servesim.generations.text import Text
from servesim.service.answers import RECORDED, literal
from servesim.service.clock import rest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RIGHT, WRONG, APART, UNSETTLED = "right", "wrong", "apart", "unsettled"
"""Whether servesim's answer is the workspace's; ``apart`` where it is another on purpose."""
SOURCE = "an answer of a workspace to `servesim contract probe`"
SOURCE_IS_SERVESIM = "an answer of another servesim to `servesim contract probe`, so of no workspace"
LONGEST = 2_000
"""Characters of a message that is taken for a refusal's."""
WRONG_TOKEN = "dapi-servesim-probe-wrong"  # noqa: S105 - good for nothing
UNKNOWN_ROUTE = "/api/2.0/servesim-probe/unknown"

_REQUEST_ID = re.compile(r"\s*[\[(]\s*(?:req(?:uest)?[ _-]?id)\s*[:=][^\])]{0,80}[\])]", re.IGNORECASE)
_PRIVATE = (
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "<user>"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"https?://[^\s'\"<>]+"), "<url>"),
    (re.compile(r"\b(?:[\w-]{1,63}\.){1,5}(?:databricks|azuredatabricks|databricksapps)\.[a-z]{2,5}\b"), "<workspace>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b"), "<time>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "<address>"),
    (re.compile(r"\b(?:\d{12,}|[0-9a-f]{32})\b"), "<id>"),
)
"""What a message may say of this workspace alone, and what stands for it."""


class Said(NamedTuple):
    """A refusal as an error envelope has it; the message of ours is a template."""

    status: int
    error_code: str | int | None
    message: str | None

    def __str__(self) -> str:
        return " ".join(str(part) for part in self if part is not None)


class Finding(NamedTuple):
    """What was asked, what servesim says and what the workspace said."""

    asks: str
    code: Code | None
    call: str
    verdict: str
    ours: Said
    theirs: Said
    why: str = ""
    text: Text | None = None
    """The refusal as it goes into a file, if that was settled."""


class Asking:
    """One conversation with a workspace; nothing that it made is left behind."""

    def __init__(self, target: Target) -> None:
        """Ask there, as whom the target says."""
        self.target = target
        self.findings: list[Finding] = []
        self.is_servesim = False
        """Whether what answers is servesim, whose answers prove nothing."""
        self._made: list[str] = []
        self._redactor = Redactor()
        for token in (target.token, WRONG_TOKEN):
            self._redactor.learn(token)
        self._host = urlsplit(target.url).netloc

    def run(self, create: str | None, entity: tuple[str, str] | None) -> dict[Code, Text]:
        """Ask everything and return what was settled; raise CouldNotRun.

        ``create`` is the name of an endpoint that may be made for it, ``entity`` a model version that may be deployed.
        """
        try:
            self._knock(create)
            self._ask_gateway()
            for question in reading():
                self._ask(question)
            if create is not None:
                self._ask_of_an_endpoint(create, entity)
        except Unreachable as reason:
            raise CouldNotRun(f"it stopped answering ({reason})" if self.findings else str(reason)) from reason
        finally:
            left = self._tidy()
        if left:
            raise CouldNotRun(f"what was made could not be removed: {', '.join(left)}. Remove it by hand")
        return self._settled()

    def _knock(self, create: str | None) -> None:
        answered = self._send("GET", ENDPOINTS)
        if not answered.well:
            said = self._said(answered, {})
            raise CouldNotRun(f"it answers LIST with {said}; give a token with --token or DATABRICKS_TOKEN")
        if create is not None and self._send("GET", endpoint_path(create)).status != 404:  # noqa: PLR2004 - it is missing
            raise CouldNotRun(f"the name {create!r} is not free; give another with --allow-create")

    # --- questions --------------------------------------------------------------------------------

    def _ask_gateway(self) -> None:
        for asks, token, text in (
            ("a call without a token", "", NO_CREDENTIAL),
            ("a call with a wrong token", WRONG_TOKEN, BAD_TOKEN),
        ):
            answered = self._send("GET", ENDPOINTS, token=token)
            theirs = self._said(answered, {})
            verdict = RIGHT if theirs == _gateway(text) else WRONG
            self.findings.append(Finding(asks, None, f"GET {ENDPOINTS}", verdict, _gateway(text), theirs))
        theirs = self._said(self._send("GET", UNKNOWN_ROUTE), {})
        self.is_servesim = str(theirs.message).startswith("servesim ")
        text_of_ours = TEXTS[Code.NOT_SIMULATED]
        ours = Said(text_of_ours.status, text_of_ours.error_code, text_of_ours.template)
        why = "servesim tells what it does not simulate from what is not there"
        self.findings.append(
            Finding("a path that nobody knows", Code.NOT_SIMULATED, f"GET {UNKNOWN_ROUTE}", APART, ours, theirs, why)
        )

    def _ask_of_an_endpoint(self, name: str, entity: tuple[str, str] | None) -> None:
        made = self._send("POST", ENDPOINTS, {"name": name})
        if not made.well:
            raise CouldNotRun(f"endpoint {name!r} could not be created: {self._said(made, {})}")
        for question in creating(name, str(dig(made.document, "id") or "")):
            self._ask(question)
        if entity is None:
            return
        for question in deploying(name, entity):
            self._ask(question)
        question, config = deployed(name, entity)
        if not any(one.why == _ACCEPTED for one in self.findings):
            self._send("PUT", question.path, config)
        self._ask(question)

    def _ask(self, question: Question) -> None:
        answered = self._send(question.method, question.path, question.body)
        self.findings.append(self._judged(question, answered))

    def _send(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Answered:
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        target = self.target if token is None else Target(self.target.url, token)
        for attempt in range(MOST_TRIES):
            answered = call(target, path, sent, JSON, method=method)
            if answered.status != TOO_MANY or attempt + 1 == MOST_TRIES:
                break
            rest(1.0)
        if method == "POST" and path == ENDPOINTS and answered.well and isinstance(body, dict):
            self._made.append(str(body["name"]))
        return answered

    def _tidy(self) -> list[str]:
        """Delete what was made, the newest first; return what could not be deleted."""
        left = []
        for name in reversed(self._made):
            with contextlib.suppress(Unreachable):
                if self._send("DELETE", endpoint_path(name)).status in {200, 404}:
                    continue
            left.append(name)
        self._made.clear()
        return left

    # --- answers ----------------------------------------------------------------------------------

    def _judged(self, question: Question, answered: Answered) -> Finding:
        text = TEXTS[question.code]
        ours = Said(text.status, text.error_code, text.template)
        theirs = self._said(answered, question.fields)
        asked = f"{question.method} {question.path}"
        if (why := self._unsettled(question, answered, theirs)) is not None:
            return Finding(question.asks, question.code, asked, UNSETTLED, ours, theirs, why)
        message = self._cleaned(str(dig(answered.document, "message")))
        if _fits(text.template, question.fields, message):
            theirs = theirs._replace(message=text.template)
        verdict = RIGHT if theirs == ours else WRONG
        source = SOURCE_IS_SERVESIM if self.is_servesim else SOURCE
        settled = Text(theirs.status, str(theirs.error_code), str(theirs.message), RECORDED, source)
        return Finding(question.asks, question.code, asked, verdict, ours, theirs, text=settled)

    def _unsettled(self, question: Question, answered: Answered, theirs: Said) -> str | None:
        """Return why an answer says nothing of a refusal, None if it does."""
        if (why := _not_of_the_call(question, answered)) is not None:
            return why
        if not isinstance(theirs.error_code, str) or theirs.message is None or not theirs.error_code:
            return "the answer has no error_code and message"
        if len(theirs.message) > LONGEST or not _can_be_written(theirs):
            return "its text cannot be kept"
        before = (one for one in self.findings if one.code is question.behind and one.text is not None)
        if any(_same(one.theirs, theirs) for one in before):
            return f"answered as '{question.behind}', which the workspace looks at first"
        return None

    def _said(self, answered: Answered, fields: Mapping[str, str]) -> Said:
        """Return an error as a template: what was asked about in braces, and nothing of the workspace in it."""
        error_code, message = dig(answered.document, "error_code"), dig(answered.document, "message")
        if not isinstance(error_code, str | int) or isinstance(error_code, bool):
            error_code = None
        if isinstance(error_code, str):
            error_code = self._redactor.text(error_code)
        if not isinstance(message, str):
            return Said(answered.status, error_code, None)
        return Said(answered.status, error_code, _template(self._cleaned(message), fields))

    def _cleaned(self, message: str) -> str:
        """Return a message without tokens, the host and ids of requests."""
        message = self._redactor.text(_REQUEST_ID.sub("", message[: 2 * LONGEST]))
        if self._host:
            message = message.replace(self._host, "<workspace>")
        return message

    def _settled(self) -> dict[Code, Text]:
        settled: dict[Code, Text] = {}
        for one in self.findings:
            if one.code is not None and one.text is not None:
                settled.setdefault(one.code, one.text)
        return settled


_ACCEPTED = "the workspace does not refuse it"


def _not_of_the_call(question: Question, answered: Answered) -> str | None:
    """Return why an answer is none to what was asked, by its status."""
    if answered.well:
        return _ACCEPTED
    if answered.status in {401, 403} and TEXTS[question.code].status != answered.status:
        return "the token's owner may not ask this"
    if answered.status == TOO_MANY or not 400 <= answered.status < 500:  # noqa: PLR2004 - HTTP's classes
        return "no refusal of this call"
    if answered.status == 409 and question.may_begin:  # noqa: PLR2004 - an update is in progress
        return "an update is in progress, which the workspace looks at first"
    return None


def _gateway(text: GatewayText) -> Said:
    return Said(text.status, text.status, text.message)


def _template(message: str, fields: Mapping[str, str]) -> str:
    """Return a message with the values of fields in braces, and with nothing of one workspace alone."""
    parts = [message]
    for field, value in sorted(fields.items(), key=lambda pair: -len(pair[1])):
        if len(value) < 2 or value == "none":  # noqa: PLR2004 - too short to be known again
            continue
        split = re.compile(rf"(?<![\w-]){re.escape(value)}(?![\w-])")
        parts = [
            piece
            for index, part in enumerate(parts)
            for piece in ([part] if index % 2 else _between(split, part, field))
        ]
    return "".join(f"{{{part}}}" if index % 2 else literal(_general(part)) for index, part in enumerate(parts))


def _between(split: re.Pattern[str], part: str, field: str) -> Iterator[str]:
    """Yield what stands between the occurrences of a value, with its field in their place."""
    first, *others = split.split(part)
    yield first
    for other in others:
        yield field
        yield other


def _general(text: str) -> str:
    for pattern, instead in _PRIVATE:
        text = pattern.sub(instead, text)
    return text


def _fits(template: str, fields: Mapping[str, str], message: str) -> bool:
    """Tell whether a message is what a template says, whatever the fields are that are not known."""
    pattern = "".join(
        re.escape(text) + ("" if field is None else re.escape(fields[field]) if field in fields else ".*")
        for text, field, _, _ in Formatter().parse(template)
    )
    return re.fullmatch(pattern, message, re.DOTALL) is not None


def _same(one: Said, other: Said) -> bool:
    """Tell whether two answers are alike but for what they were asked about."""
    start = [said.message.partition("{")[0] if said.message else "" for said in (one, other)]
    return one[:2] == other[:2] and start[1].startswith(start[0])


def _can_be_written(said: Said) -> bool:
    text = f"{said.error_code}{said.message}"
    return all(sign.isprintable() or sign in "\n\t" for sign in text)
