"""The data plane: scoring requests, on the shortest path there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.commands import Alarm, Signal
from servesim.core.errors import Code, Rejected
from servesim.http.calls import read_body
from servesim.http.reply import REQUEST_ID_HEADER, Reply, refusal
from servesim.service.clock import HeldTooLong
from servesim.service.instants import iso

if TYPE_CHECKING:
    from aiohttp import web

    from servesim.service.hub import Session

SERVED_MODEL_HEADER = "Served-Model-Name"
"""Read by the SDKs."""

_WAITS_FOR: dict[Signal | Alarm, str] = {
    Signal.STARTED: "its cold start",
    Signal.RECOVERED: "the recovery of its server process",
}


async def invoke(request: web.BaseRequest, session: Session, endpoint: str, entity: str | None) -> Reply:
    """Answer a scoring request; raise BODY_TOO_LARGE."""
    workspace = session.workspace
    body = await read_body(request, workspace.world.profile.payload_limit_bytes)
    request_id = workspace.next_request_id()
    try:
        served = await workspace.gateway.invoke(endpoint, entity, body, request.headers.get("Content-Type"))
    except HeldTooLong as held:
        return refusal(_held(held), request_id)
    except Rejected as rejected:
        return refusal(rejected, request_id)
    headers = {SERVED_MODEL_HEADER: served.entity, REQUEST_ID_HEADER: request_id}
    answer = served.answer
    return Reply(answer.status, answer.body, answer.content_type, headers, answer.grade)


def _held(held: HeldTooLong) -> Rejected:
    if held.timer is None:
        advice = "Nothing is pending that would release it."
    else:
        due = iso(held.timer.due)
        advice = (
            f"It waits for {_WAITS_FOR.get(held.timer.event.what, held.timer.event.what)}, due at {due}; "
            f"simulated time stands at {iso(held.now)}. Move it, e.g. servesim.clock.run_until('{due}')."
        )
    ticket = held.ticket
    waited = f"{held.waited_s:g}"
    return Rejected(Code.HELD_TOO_LONG, entity=ticket.entity, endpoint=ticket.endpoint, waited=waited, advice=advice)
