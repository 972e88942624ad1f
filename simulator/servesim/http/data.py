"""The data plane: scoring requests, on the shortest path there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.errors import Code, Rejected
from servesim.core.routing import Ticket, TicketState
from servesim.http.calls import body_at_hand, read_on
from servesim.http.reply import REQUEST_ID_HEADER, SERVED_MODEL_HEADER, Reply, refusal
from servesim.service import waiting
from servesim.service.holds import HeldTooLong
from servesim.service.instants import iso

if TYPE_CHECKING:
    from aiohttp import web

    from servesim.core.timeline import Timer
    from servesim.service.hub import Session


async def invoke(request: web.BaseRequest, session: Session, endpoint: str, entity: str | None) -> Reply:
    """Answer a scoring request and keep it on record.

    What is at hand at once (a body that came with its head, a stub's answer) waits for nothing.
    """
    workspace, principal = session.workspace, session.principal
    world, gateway, record = workspace.world, workspace.gateway, workspace.record
    body = b""
    request_id = workspace.next_request_id()
    ticket: Ticket | None = None
    timer: Timer | None = None
    refused: Rejected | None = None
    try:
        limit = world.profile.payload_limit_bytes
        body, is_whole = body_at_hand(request, limit)
        if not is_whole:
            body = await read_on(request, body, limit)
        ticket = gateway.admit(endpoint, entity, principal)
        if ticket.state is TicketState.HELD:
            timer = waiting.timer_of(world, ticket)
        content_type = request.headers.get("Content-Type")
        answer = gateway.answer_now(ticket, body, content_type) or await gateway.answer(ticket, body, content_type)
    except HeldTooLong as held:
        refused = _held(held)
        reply = refusal(refused, request_id)
    except Rejected as rejected:
        # The record outlives the call: without its traceback the refusal keeps nothing else alive.
        refused = rejected.with_traceback(None)
        reply = refusal(refused, request_id)
    else:
        headers = {SERVED_MODEL_HEADER: ticket.entity, REQUEST_ID_HEADER: request_id}
        reply = Reply(answer.status, answer.body, answer.content_type, headers, answer.grade)
    code = refused.code if refused else None
    asked = request.raw_path
    record.scored(world, (request_id, asked, principal, endpoint, entity, body, reply, ticket, timer, code))
    return reply


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
