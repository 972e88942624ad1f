"""The data plane: scoring requests, on the shortest path there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.commands import Alarm, Signal
from servesim.http.calls import BodyTooLarge, read_body
from servesim.http.reply import REQUEST_ID_HEADER, Reply, error, scoring_error
from servesim.models import pool_types
from servesim.service.clock import HeldTooLong
from servesim.service.gateway import ModelFailure
from servesim.service.instants import iso

if TYPE_CHECKING:
    from aiohttp import web

    from servesim.service.hub import Session

SERVED_MODEL_HEADER = "Served-Model-Name"
"""Read by the SDKs."""

_WAITS_FOR: dict[Signal | Alarm, str] = {
    Signal.STARTED: "its cold start, due",
    Signal.RECOVERED: "the recovery of its server process, due",
}


async def invoke(request: web.BaseRequest, session: Session, endpoint: str, entity: str | None) -> Reply:
    """Answer a scoring request; raise Rejected for what the world refuses."""
    workspace = session.workspace
    body = await read_body(request, workspace.world.profile.payload_limit_bytes)
    request_id = workspace.next_request_id()
    try:
        served = await workspace.gateway.invoke(endpoint, entity, body, request.headers.get("Content-Type"))
    except HeldTooLong as held:
        return scoring_error(504, "DEADLINE_EXCEEDED", _held(held), request_id, "chosen")
    except ModelFailure as failure:
        return _failed(failure, request_id)
    headers = {SERVED_MODEL_HEADER: served.entity, REQUEST_ID_HEADER: request_id}
    answer = served.answer
    return Reply(answer.status, answer.body, answer.content_type, headers, answer.grade)


def too_large(excess: BodyTooLarge, request_id: str) -> Reply:
    """Answer a body that is larger than it may be; the limit is documented, code and text are not."""
    message = (
        f"The request body is larger than {excess.limit:,} bytes, the limit for this call. Send fewer rows at once."
    )
    return error(400, "INVALID_PARAMETER_VALUE", message, request_id, "chosen")


def _held(held: HeldTooLong) -> str:
    who = f"The request to '{held.ticket.entity}' of endpoint '{held.ticket.endpoint}' was held for"
    if held.timer is None:
        return f"{who} {held.waited_s:g} s of real time and nothing is pending that would release it."
    what = _WAITS_FOR.get(held.timer.event.what, f"'{held.timer.event.what}', due")
    due = iso(held.timer.due)
    return (
        f"{who} {held.waited_s:g} s of real time. It waits for {what} at {due}; "
        f"simulated time stands at {iso(held.now)}. Move it, e.g. servesim.clock.run_until('{due}')."
    )


def _failed(failure: ModelFailure, request_id: str) -> Reply:
    outcome = failure.outcome
    if isinstance(outcome, pool_types.QueueFull):
        message = "Too many concurrent requests. Consider increasing the provisioned concurrency of the served entity."
        return scoring_error(429, "RESOURCE_EXHAUSTED", message, request_id, "documented")
    if isinstance(outcome, pool_types.LoadFailed):
        message = f"Served entity '{failure.entity}' could not load its model again: {outcome.reason}"
    else:
        message = f"The server process of served entity '{failure.entity}' ended while it had this request."
    return scoring_error(500, "INTERNAL_ERROR", message, request_id, "chosen")
