"""What ordered faults do to answers: in place of one, to one that was made, and to the connection that it leaves on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from servesim.core.commands import Strike
from servesim.core.errors import Rejected
from servesim.core.faults import UNHEARD
from servesim.core.model_endpoint import LEGACY, SERVERLESS_PREVIEW, Generation, label
from servesim.generations import ga_texts
from servesim.http.auth import Unauthenticated
from servesim.http.calls import CONTROL_BODY_LIMIT, read_body
from servesim.http.reply import INJECTED, Reply, Trouble, error, refusal
from servesim.payloads.decode import loads
from servesim.payloads.refusal import Refused
from servesim.service import injected
from servesim.service.delays import DelayedTooLong

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from servesim.core.faults import Fault
    from servesim.core.striking import Struck
    from servesim.http.calls import Call
    from servesim.service.hub import HostedWorkspace

    Handler = Callable[[Call], Awaitable[Reply]]

CLIENT_GONE = 499
"""The status on record where none was sent: nobody's, as the connection has ended."""
RESET, NO_ANSWER = -2, -1
"""In place of the number of bytes after which a connection ends: it is reset, or closed without an answer."""
VERSION_NAME = "endpoint_version_name"
_GENERATIONS = {"preview": SERVERLESS_PREVIEW, "legacy": LEGACY}
"""By what the names of their operations begin with."""
GARBLED = b"<garbled by a fault>"


class _Named(NamedTuple):
    endpoint: str
    entity: str


def ends_token(reply: Reply) -> bool:
    """Tell whether the access token that a call came with ends with it."""
    return reply.trouble is not None and "expire_token" in reply.trouble.effects


# --- the control plane ----------------------------------------------------------------------------


async def answer(call: Call, operation: str, handler: Handler) -> Reply:
    """Answer a call of the control plane as the faults that strike it say."""
    workspace, principal = call.session.workspace, call.session.principal
    call, named = await _named(call, operation)
    struck: Struck | None = workspace.clock.execute(Strike(operation, *named, principal))
    if struck is None:
        return await handler(call)
    if struck.wait is not None:
        try:
            await workspace.clock.delays.sit_out(struck.wait)
        except DelayedTooLong as late:
            return _marked(error(504, "DEADLINE_EXCEEDED", str(late), workspace.next_request_id(), INJECTED), struck)
    reply = await _answered(call, operation, handler, struck.fault)
    return _marked(reply, struck)


async def _named(call: Call, operation: str) -> tuple[Call, _Named]:
    """Return which endpoint and entity a call is about, and the call with what was read of it to find out."""
    parameters = call.parameters
    generation = _GENERATIONS.get(operation.partition("_")[0])
    if generation is not None:
        return await _model_named(call, generation)
    entity = parameters.get("entity", "")
    if operation == "create_endpoint":
        body = await read_body(call.request, CONTROL_BODY_LIMIT)
        return call._replace(kept=body), _Named(_text_in(body, "name"), entity)
    if "id" in parameters:
        return call, _Named(_name_of(call.session.workspace, parameters["id"]), entity)
    return call, _Named(parameters.get("name", ""), entity)


async def _model_named(call: Call, generation: Generation) -> tuple[Call, _Named]:
    """Return the same for a call to a retired generation, which names its model in the query or in the body."""
    body = await read_body(call.request, CONTROL_BODY_LIMIT)
    query = call.request.query
    model, version = (query.get(key) or _text_in(body, key) for key in ("registered_model_name", VERSION_NAME))
    return call._replace(kept=body), _Named(label(generation, model) if model else "", version)


def _text_in(body: bytes, key: str) -> str:
    try:
        document = loads(body)
    except Refused:
        return ""
    text = document.get(key) if isinstance(document, dict) else None
    return text if isinstance(text, str) else ""


def _name_of(workspace: HostedWorkspace, endpoint_id: str) -> str:
    found = workspace.world.by_id.get(endpoint_id)
    if found is not None:
        return found.name
    from servesim.service.past import Past  # noqa: PLC0415 - most worlds need no past

    past = workspace.world.recorder
    return past.name_of(endpoint_id) if isinstance(past, Past) else ""


async def _answered(call: Call, operation: str, handler: Handler, fault: Fault | None) -> Reply:
    workspace = call.session.workspace
    if fault is not None and fault.effect == "status":
        return _in_place(workspace, fault)
    if fault is not None and fault.effect in UNHEARD:
        return _unheard(fault, workspace)
    if fault is not None and fault.effect == "stale":
        from servesim.http.stale import stale  # noqa: PLC0415 - most worlds need no past

        return (await stale(call, operation, handler, fault))._replace(grade=INJECTED)
    try:
        reply = await handler(call)
    except Rejected as rejected:
        reply = _refusal(workspace, rejected)
    return reply if fault is None else altered(reply, fault)


def _refusal(workspace: HostedWorkspace, rejected: Rejected) -> Reply:
    return refusal(rejected, workspace.next_request_id(), workspace.settings.texts)


def _in_place(workspace: HostedWorkspace, fault: Fault) -> Reply:
    """Return the answer with an ordered status."""
    if fault.body is None:
        reply = error(fault.status, *injected.wording(fault), workspace.next_request_id(), INJECTED)
    else:
        reply = Reply(fault.status, fault.body.encode(), grade=INJECTED)
    return _with_headers(reply, fault)


# --- the data plane -------------------------------------------------------------------------------


def scored(reply: Reply, struck: Struck, workspace: HostedWorkspace) -> Reply:
    """Return the answer to a scoring request as the faults that struck it say."""
    fault = struck.fault
    if fault is None:
        return _marked(reply, struck)
    if fault.effect in UNHEARD:
        return _marked(_unheard(fault, workspace), struck)
    if fault.effect == "status":
        # Refused before its model was asked, it has the answer of any such request.
        return _marked(_with_headers(reply, fault) if reply.grade == INJECTED else reply, struck)
    return _marked(altered(reply, fault), struck)


# --- both -----------------------------------------------------------------------------------------


def _marked(reply: Reply, struck: Struck) -> Reply:
    ends = None if reply.trouble is None else reply.trouble.ends
    return reply._replace(trouble=Trouble(struck.numbers, struck.effects, ends))


def _with_headers(reply: Reply, fault: Fault) -> Reply:
    headers = dict(fault.headers)
    content_type = headers.pop("Content-Type", reply.content_type)
    replaced = {name.lower() for name in headers}
    kept = {name: text for name, text in reply.headers.items() if name.lower() not in replaced}
    return reply._replace(content_type=content_type, headers={**kept, **headers})


def _unheard(fault: Fault, workspace: HostedWorkspace) -> Reply:
    """Return the answer to a request of which the world has not heard."""
    if fault.effect == "reset":
        return Reply(CLIENT_GONE, b"", grade=INJECTED, trouble=Trouble((), (), RESET))
    expired = Unauthenticated(ga_texts.BAD_TOKEN)
    return expired.reply(workspace.next_request_id())._replace(grade=INJECTED)


def altered(reply: Reply, fault: Fault) -> Reply:
    """Return an answer that was made as it leaves, or does not."""
    reply = reply._replace(grade=INJECTED)
    match fault.effect:
        case "garble":
            return reply._replace(body=reply.body[: len(reply.body) // 2] + GARBLED, file=None)
        case "truncate":
            size = len(reply.body) if reply.file is None else reply.file.length
            most = max(size - 1, 0)
            cut_at = size // 2 if fault.cut_at is None else fault.cut_at
            return reply._replace(trouble=Trouble((), (), min(cut_at, most)))
        case "lose_reply":
            return reply._replace(trouble=Trouble((), (), NO_ANSWER))
    return reply
