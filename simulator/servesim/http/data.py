"""The data plane: scoring requests, on the shortest path there is."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from servesim.core.errors import Code, Rejected
from servesim.core.rollout import shows_fault
from servesim.core.routing import Ticket, TicketState
from servesim.http import trouble
from servesim.http.auth import SCORING
from servesim.http.calls import read_body
from servesim.http.reply import INJECTED, REQUEST_ID_HEADER, SERVED_MODEL_HEADER, Reply, refusal
from servesim.service import waiting
from servesim.service.holds import HeldTooLong
from servesim.service.instants import iso

if TYPE_CHECKING:
    from aiohttp import web

    from servesim.core.access import Principal
    from servesim.core.timeline import Timer
    from servesim.http.model_scoring import AskedVersion
    from servesim.models.answer import Answer
    from servesim.service.gateway import Gateway
    from servesim.service.hub import HostedWorkspace, Session


PATHS_KEPT = 256
"""How many different requests, without their bodies, are kept as they were read."""


class Asked(NamedTuple):
    """A scoring request without its body."""

    target: str
    """Path and query."""
    endpoint: str
    entity: str | None
    """The served entity that it names."""
    content_type: str | None

    def admit(self, gateway: Gateway, principal: Principal, *, at_once: bool = False) -> Ticket:
        """Let it in; raise Rejected."""
        return gateway.admit(self.endpoint, self.entity, principal, at_once=at_once)

    def waits_for_nothing(self, gateway: Gateway, size: int, principal: Principal) -> bool:
        """Tell whether it may be answered at once; ``size`` is the body's, in bytes."""
        return gateway.waits_for_nothing(self.endpoint, size, principal)

    @property
    def place(self) -> str:
        """What the next try of a refused one is known by."""
        return self.endpoint

    def protocol(self, _ticket: Ticket) -> None:
        """Speak the newest protocol."""


@lru_cache(maxsize=PATHS_KEPT)
def asked_for(target: str, path: str, content_type: str | None) -> Asked | None:
    """Return what a path asks to be scored; None for a path that asks for anything else."""
    if not path.startswith(SCORING):
        return None
    match path[len(SCORING) :].removesuffix("/").split("/"):
        case [endpoint, "invocations"]:
            return Asked(target, unquote(endpoint), None, content_type)
        case [endpoint, "served-models", entity, "invocations"]:
            return Asked(target, unquote(endpoint), unquote(entity), content_type)
    return None


def invoke_now(session: Session, asked: Asked | AskedVersion, body: bytes) -> Reply:
    """Answer a scoring request that waits for nothing, and keep it on record."""
    workspace, principal = session.workspace, session.principal
    gateway = workspace.gateway
    request_id = workspace.next_request_id()
    ticket: Ticket | None = None
    code: Code | None = None
    try:
        ticket = asked.admit(gateway, principal, at_once=True)
        answer = gateway.answer_now(ticket, body, asked.content_type)
    except Rejected as rejected:
        code, reply = rejected.code, _refused(workspace, asked.endpoint, rejected, request_id)
    else:
        assert answer is not None  # noqa: S101 - that is what waiting for nothing means
        reply = _reply(answer, ticket, request_id)
    target, endpoint, entity = asked[:3]
    fields = (request_id, target, principal, endpoint, entity, body, reply, ticket, None, code)
    workspace.record.scored(workspace.world, fields)
    return reply


async def invoke(request: web.BaseRequest, session: Session, asked: Asked | AskedVersion) -> Reply:
    """Answer a scoring request, once its body has come and its model has answered, and keep it on record."""
    workspace, principal = session.workspace, session.principal
    world, gateway, record = workspace.world, workspace.gateway, workspace.record
    target, endpoint, entity, content_type = asked[:4]
    body = b""
    request_id = workspace.next_request_id()
    ticket: Ticket | None = None
    timer: Timer | None = None
    refused: Rejected | None = None
    try:
        body = await read_body(request, world.profile.payload_limit_bytes)
        await gateway.heal(asked.place, principal)
        ticket = asked.admit(gateway, principal)
        if ticket.state is TicketState.HELD:
            timer = waiting.timer_of(world, ticket)
        answer = await gateway.answer(ticket, body, content_type, asked.protocol(ticket))
        reply = _reply(answer, ticket, request_id)
    except HeldTooLong as held:
        refused = _held(held)
        reply = _refused(workspace, endpoint, refused, request_id)
    except Rejected as rejected:
        # The record outlives the call: without its traceback the refusal keeps nothing else alive.
        refused = rejected.with_traceback(None)
        reply = _refused(workspace, endpoint, refused, request_id)
    if ticket is not None and ticket.struck is not None:
        reply = trouble.scored(reply, ticket.struck, workspace)
        refused = refused if ticket.struck.lets_in else None
    code = refused.code if refused else None
    record.scored(world, (request_id, target, principal, endpoint, entity, body, reply, ticket, timer, code))
    return reply


def _refused(workspace: HostedWorkspace, endpoint: str, refused: Rejected, request_id: str) -> Reply:
    reply = refusal(refused, request_id, workspace.settings.texts)
    found = workspace.world.endpoints.get(endpoint)
    if found is not None and found.active is None and shows_fault(workspace.world, found):
        return reply._replace(grade=INJECTED)
    return reply


def _reply(answer: Answer, ticket: Ticket, request_id: str) -> Reply:
    headers = {SERVED_MODEL_HEADER: ticket.entity, REQUEST_ID_HEADER: request_id}
    return Reply(answer.status, answer.body, answer.content_type, headers, answer.grade)


def _held(held: HeldTooLong) -> Rejected:
    if held.timer is None:
        advice = "Nothing is pending that would release it."
    else:
        due = iso(held.timer.due)
        advice = (
            f"It waits for {waiting.WORDS.get(held.timer.event.what, held.timer.event.what)}, due at {due}; "
            f"simulated time stands at {iso(held.now)}. Move it: `servesim clock run-until {due}`, or in Python "
            f"servesim.clock.run_until('{due}')."
        )
    ticket = held.ticket
    waited = f"{held.waited_s:g}"
    return Rejected(Code.HELD_TOO_LONG, entity=ticket.entity, endpoint=ticket.endpoint, waited=waited, advice=advice)
