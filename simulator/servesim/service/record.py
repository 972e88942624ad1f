"""What was asked of a workspace and what it answered: the last calls, bounded in number and in bytes.

Rules: keeping a call copies nothing and works nothing out, because every scoring request pays for it; who reads
the record pays. No body of a control-plane call is kept, and no answer that may hold a secret.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from servesim.core.errors import Code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.core.access import Principal
    from servesim.core.commands import Route
    from servesim.core.endpoint import Config
    from servesim.core.routing import Ticket
    from servesim.core.timeline import Timer
    from servesim.core.workspace import Workspace

COUNT_LIMIT = 10_000
"""How many calls are kept; the oldest go first."""
BYTES_LIMIT = 64 * 1024 * 1024
"""Bytes of bodies and answers that are kept together."""
BODY_LIMIT = 1_000_000
"""Of a longer body or answer of a scoring request only the length is kept."""
ANSWER_LIMIT = 16 * 1024
"""The same for answers of the control plane."""

_SECRET = ("/oidc", "/api/2.0/secrets", "/api/2.0/token")
"""Answers below these paths may hold what nobody else should read."""

_BEFORE_MODEL = frozenset({Code.NOT_SERVED, Code.HELD_TOO_LONG})
"""Refusals of requests that were let in and never reached a model."""


class Answered(Protocol):
    """An answer as it left."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def body(self) -> bytes:
        """Bytes of the body."""

    @property
    def content_type(self) -> str:
        """As in the header."""

    @property
    def grade(self) -> str:
        """How its text is known; may be empty."""


class Sent(NamedTuple):
    """An answer that is kept without all that it held."""

    status: int
    body: bytes
    content_type: str
    grade: str


class Scored(NamedTuple):
    """A scoring request with what is at hand once it has been answered."""

    request_id: str
    target: str
    """Path and query."""
    principal: Principal
    endpoint: str
    entity: str | None
    """The entity that it named."""
    body: bytes
    sent: Answered
    ticket: Ticket | None
    timer: Timer | None
    """What it waited for when it came, if it was held."""
    code: Code | None
    """Why it was refused, if the world did that."""


ScoredFields = tuple[
    str, str, "Principal", str, str | None, bytes, Answered, "Ticket | None", "Timer | None", "Code | None"
]
"""The fields of Scored as a plain tuple, which is made in a tenth of the time."""


class Managed(NamedTuple):
    """A control-plane call that was answered."""

    method: str
    path: str
    requester: str
    sent: Sent


class _Kept(NamedTuple):
    size: int
    """Bytes that count."""
    instant: int
    gateway: str | None
    """The endpoint's AI Gateway settings as JSON, as they were."""
    config: Config | None
    """The endpoint's active config when it was answered."""
    call: ScoredFields | Managed
    lengths: tuple[int, int] | None
    """Of body and answer, where they were too long to keep, or secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One call that was answered. Instants are simulated, in milliseconds since 1970."""

    number: int
    """Counted from 1 since the workspace began."""
    kind: str
    """``scoring`` or ``control``."""
    request_id: str
    """Empty for a control-plane call that succeeded: such an answer carries none."""
    instant: int
    """When it was answered."""
    method: str
    path: str
    """Without its query."""
    requester: str
    status: int
    grade: str
    content_type: str
    answer: bytes | None
    """None if it was too long to keep, or may hold a secret."""
    answer_bytes: int
    body: bytes | None = None
    """None if it was too long to keep; a control-plane body never is kept."""
    body_bytes: int = 0
    code: Code | None = None
    """Why the world refused a scoring request."""
    endpoint: str = ""
    endpoint_id: str = ""
    entity: str = ""
    deployment_id: str = ""
    model: str = ""
    version: str = ""
    config_version: int = 0
    """The config that was active when it was admitted; 0 if it never was."""
    admitted: int | None = None
    started: int | None = None
    """When its model began; None if it never did."""
    ended: int | None = None
    draw: float | None = None
    """Where in [0, 1) the split's draw fell; None if the entity was named."""
    routes: tuple[Route, ...] | None = None
    """The shares that the split drew from; None if another config has replaced them while it was held."""
    held_for: Timer | None = None
    """The timer that it waited for when it came, if it was held."""
    table: bool = False
    """Whether the endpoint had an inference table when it was answered."""

    @property
    def error(self) -> dict[str, Any]:
        """The error as it was answered; empty if it was none, or not kept."""
        return _document(self.answer) if self.status >= HTTPStatus.BAD_REQUEST else {}


class Requests:
    """The last calls of one workspace, the oldest first."""

    __slots__ = ("_bytes", "_kept", "count")

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: deque[tuple[Any, ...]] = deque()
        self._bytes = 0
        self.count = 0
        """How many there ever were."""

    def scored(self, world: Workspace, call: ScoredFields) -> None:
        """Keep a scoring request; plain tuples, because this is paid for by every one."""
        size, lengths = len(call[5]) + len(call[6].body), None
        if size > BODY_LIMIT:
            lengths = len(call[5]), len(call[6].body)
            call = _shortened(Scored(*call))
            size = len(call[5]) + len(call[6].body)
        endpoint = world.endpoints.get(call[3])
        self.count += 1
        self._bytes += size
        if endpoint is None:
            self._kept.append((size, world.timeline.now, None, None, call, lengths))
        else:
            gateway = endpoint.settings.get("ai_gateway")
            self._kept.append((size, world.timeline.now, gateway, endpoint.active, call, lengths))
        if len(self._kept) > COUNT_LIMIT or self._bytes > BYTES_LIMIT:
            self._forget()

    def managed(self, world: Workspace, call: Managed) -> None:
        """Keep a control-plane call."""
        size, lengths = len(call.sent.body), None
        if size > ANSWER_LIMIT or call.path.startswith(_SECRET):
            lengths = 0, size
            size, call = 0, call._replace(sent=call.sent._replace(body=b""))
        self.count += 1
        self._bytes += size
        self._kept.append((size, world.timeline.now, None, None, call, lengths))
        if len(self._kept) > COUNT_LIMIT or self._bytes > BYTES_LIMIT:
            self._forget()

    def _forget(self) -> None:
        while len(self._kept) > COUNT_LIMIT or self._bytes > BYTES_LIMIT:
            self._bytes -= self._kept.popleft()[0]

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[RequestRecord]:
        """Yield what is kept, the oldest first."""
        return (_record(number, kept) for number, kept in self._numbered())

    def __reversed__(self) -> Iterator[RequestRecord]:
        """Yield what is kept, the newest first."""
        return (_record(number, kept) for number, kept in self._numbered()[::-1])

    def find(self, wanted: str) -> RequestRecord | None:
        """Return a call by its request id, or by its number."""
        for number, kept in self._numbered()[::-1]:
            if str(number) == wanted or _request_id(kept.call) == wanted:
                return _record(number, kept)
        return None

    def _numbered(self) -> list[tuple[int, _Kept]]:
        return list(enumerate(map(_Kept._make, self._kept), self.count - len(self._kept) + 1))


def _shortened(call: Scored) -> Scored:
    """Leave out what is too long to keep."""
    sent = call.sent
    body = call.body if len(call.body) <= BODY_LIMIT else b""
    answer = sent.body if len(sent.body) <= BODY_LIMIT else b""
    return call._replace(body=body, sent=Sent(sent.status, answer, sent.content_type, sent.grade))


def _request_id(call: ScoredFields | Managed) -> str:
    """Return the id that the client was told; the control plane tells one with an error only."""
    if not isinstance(call, Managed):
        return call[0]
    if call.sent.status < HTTPStatus.BAD_REQUEST:
        return ""
    details = _document(call.sent.body).get("details")
    first = details[0] if isinstance(details, list) and details else None
    return str(first.get("request_id", "")) if isinstance(first, dict) else ""


def _record(number: int, kept: _Kept) -> RequestRecord:
    if isinstance(kept.call, Managed):
        call = kept.call
        own: dict[str, Any] = {"kind": "control", "method": call.method, "path": call.path, "requester": call.requester}
        return RequestRecord(**_common(number, kept, call.sent), **own)
    scored = Scored(*kept.call)
    body, body_bytes = _content(scored.body, kept.lengths and kept.lengths[0])
    routed = _routed(scored, scored.ticket, kept.config) if scored.ticket else {"entity": scored.entity or ""}
    return RequestRecord(
        kind="scoring",
        method="POST",
        path=scored.target.partition("?")[0],
        requester=scored.principal.name,
        body=body,
        body_bytes=body_bytes,
        code=scored.code,
        endpoint=scored.endpoint,
        held_for=scored.timer,
        table=kept.gateway is not None and _has_table(kept.gateway),
        **_common(number, kept, scored.sent),
        **routed,
    )


def _common(number: int, kept: _Kept, sent: Answered) -> dict[str, Any]:
    answer, answer_bytes = _content(sent.body, kept.lengths and kept.lengths[1])
    return {
        "number": number,
        "request_id": _request_id(kept.call),
        "instant": kept.instant,
        "status": sent.status,
        "grade": sent.grade,
        "content_type": sent.content_type,
        "answer": answer,
        "answer_bytes": answer_bytes,
    }


def _content(kept: bytes, length: int | None) -> tuple[bytes | None, int]:
    """Return what was kept and how long it was; None for what was left out."""
    return (kept, len(kept)) if length in {None, len(kept)} else (None, length or 0)


def _routed(call: Scored, ticket: Ticket, config: Config | None) -> dict[str, Any]:
    deployment = ticket.deployment
    # A ticket that was held begins where it was let go on; until then it stands at its admission.
    waited = call.timer is not None and ticket.started == ticket.admitted
    never = call.code in _BEFORE_MODEL or (call.code is Code.EXECUTION_LIMIT and waited)
    return {
        "endpoint_id": deployment.endpoint_id,
        "entity": ticket.entity,
        "deployment_id": deployment.id,
        "model": deployment.spec.model,
        "version": deployment.spec.version,
        "config_version": ticket.config_version,
        "admitted": ticket.admitted,
        "started": None if never else ticket.started,
        "ended": ticket.ended,
        "draw": ticket.draw,
        "routes": config.routes if config and config.version == ticket.config_version else None,
    }


def _document(content: bytes | None) -> dict[str, Any]:
    try:
        document = json.loads(content or b"")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


@lru_cache(maxsize=256)
def _has_table(gateway: str) -> bool:
    settings = json.loads(gateway)
    config = settings.get("inference_table_config") if isinstance(settings, dict) else None
    return isinstance(config, dict) and config.get("enabled") is True
