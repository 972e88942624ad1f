"""Reads that are answered with what was so before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.access import Level
from servesim.core.errors import Code, Rejected
from servesim.http.reply import Reply, encode, refusal
from servesim.service.past import watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from servesim.core.faults import Fault
    from servesim.http.calls import Call
    from servesim.service.past import Moment, Seen


async def stale(call: Call, operation: str, handler: Callable[[Call], Awaitable[Reply]], fault: Fault) -> Reply:
    """Answer a read with what was so; time moves as for any other."""
    workspace, past = call.session.workspace, watch(call.session.workspace.world)
    part, answer = _PARTS[operation]
    workspace.clock.now()
    found = past.find(fault.lag_ms, lambda moment: part(moment, call.parameters))
    try:
        reply = await handler(call)
    except Rejected as rejected:
        if rejected.code not in {Code.ENDPOINT_MISSING, Code.PERMISSIONS_MISSING}:
            raise
        reply = Reply(200, b"")
    try:
        return Reply(200, encode(answer(call, found)), reply.content_type)
    except Rejected as rejected:
        return refusal(rejected, workspace.next_request_id(), workspace.settings.texts)


def _level(call: Call, seen: Seen) -> Level | None:
    """Return what a caller may do with an endpoint by the grants that it had."""
    directory = call.session.workspace.world.directory
    return Level.CAN_MANAGE if directory.is_open else directory.level(call.session.principal, seen.acl)


def _visible(call: Call, seen: Seen | None, missing: Rejected) -> tuple[Seen, Level]:
    if seen is None:
        raise missing
    level = _level(call, seen)
    if level is None:
        raise Rejected(Code.NOT_PERMITTED, endpoint=seen.name, needed=Level.CAN_VIEW)
    return seen, level


def _endpoint(call: Call, seen: Seen | None) -> dict[str, Any]:
    found, level = _visible(call, seen, Rejected(Code.ENDPOINT_MISSING, endpoint=call.parameters["name"]))
    return {**found.document, "permission_level": level.name}


def _permissions(call: Call, seen: Seen | None) -> dict[str, Any]:
    found, _ = _visible(call, seen, Rejected(Code.PERMISSIONS_MISSING, id=call.parameters["id"]))
    return found.permissions


def _list(call: Call, found: dict[str, Seen]) -> dict[str, Any]:
    levels = ((seen, _level(call, seen)) for seen in found.values())
    return {"endpoints": [{**seen.summary, "permission_level": level.name} for seen, level in levels if level]}


_Part = tuple["Callable[[Moment, dict[str, str]], Any]", "Callable[[Call, Any], dict[str, Any]]"]

_PARTS: dict[str, _Part] = {
    "get_endpoint": (lambda moment, parameters: moment.named(parameters["name"]), _endpoint),
    "get_permissions": (lambda moment, parameters: moment.endpoints.get(parameters["id"]), _permissions),
    "list_endpoints": (lambda moment, _: moment.endpoints, _list),
}
"""What is looked at in the past, and how it is answered."""
