"""One call of the record, as it is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from servesim.core.errors import Code
from servesim.service.record import Managed, Scored

if TYPE_CHECKING:
    from servesim.core.commands import Route
    from servesim.core.endpoint import Config
    from servesim.core.routing import Ticket
    from servesim.core.timeline import Timer
    from servesim.service.record import Answered, Kept, ScoredFields, Trouble

_BEFORE_MODEL = frozenset({Code.NOT_SERVED, Code.HELD_TOO_LONG})
"""Refusals of requests that were let in and never reached a model."""


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
    faults: tuple[tuple[int, str], ...] = ()
    """Number and effect of the ordered faults that struck it."""
    table: bool = False
    """Whether the endpoint had an inference table when it was answered."""

    @property
    def error(self) -> dict[str, Any]:
        """The error as it was answered; empty if it was none, or not kept."""
        return _document(self.answer) if self.status >= HTTPStatus.BAD_REQUEST else {}


def request_id(call: ScoredFields | Managed) -> str:
    """Return the id that the client was told; the control plane tells one with an error only."""
    if not isinstance(call, Managed):
        return call[0]
    if call.sent.status < HTTPStatus.BAD_REQUEST:
        return ""
    details = _document(call.sent.body).get("details")
    first = details[0] if isinstance(details, list) and details else None
    return str(first.get("request_id", "")) if isinstance(first, dict) else ""


def record(number: int, kept: Kept) -> RequestRecord:
    """Read a call that was kept."""
    if isinstance(kept.call, Managed):
        call = kept.call
        own: dict[str, Any] = {"kind": "control", "method": call.method, "path": call.path, "requester": call.requester}
        return RequestRecord(**_common(number, kept, call.sent), **own, faults=_faults(call.trouble))
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
        faults=_faults(scored.ticket.struck if scored.ticket else None),
        table=kept.gateway is not None and _has_table(kept.gateway),
        **_common(number, kept, scored.sent),
        **routed,
    )


def _faults(struck: Trouble | None) -> tuple[tuple[int, str], ...]:
    return () if struck is None else tuple(zip(struck.numbers, struck.effects, strict=True))


def _common(number: int, kept: Kept, sent: Answered) -> dict[str, Any]:
    answer, answer_bytes = _content(sent.body, kept.lengths and kept.lengths[1])
    return {
        "number": number,
        "request_id": request_id(kept.call),
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
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


@lru_cache(maxsize=256)
def _has_table(gateway: str) -> bool:
    settings = json.loads(gateway)
    config = settings.get("inference_table_config") if isinstance(settings, dict) else None
    return isinstance(config, dict) and config.get("enabled") is True
