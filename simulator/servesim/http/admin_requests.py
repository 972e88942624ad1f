"""Admin operations on what happened: the event log, requests with their answers, and why each went as it did."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from servesim.http.admin_call import IN_WORKSPACE, AdminCall, Operation, answer, invalid, missing
from servesim.http.admin_why import explain, faults_of
from servesim.service import clock, export
from servesim.service.instants import iso
from servesim.service.usage import usage_rows

if TYPE_CHECKING:
    from servesim.core.workspace import Workspace
    from servesim.http.reply import Reply
    from servesim.service.hub import HostedWorkspace
    from servesim.service.recorded import RequestRecord

LISTED = 20
MOST_LISTED = 1_000
SHOWN_BYTES = 2_000
"""A longer answer is shown only with its own request."""
MOST_EVENTS = 10_000
LONGEST_WAIT_S = 30
LOOK_EVERY_S = 0.05
"""Real seconds between two looks for new lines while somebody waits for them."""


# --- the event log --------------------------------------------------------------------------------


async def events(call: AdminCall) -> Reply:
    """Answer lines of the event log: the last ones, or those after ``?after=SEQUENCE``.

    ``limit`` bounds them, ``endpoint`` chooses, and ``wait`` holds the answer until a line comes, for at most so
    many real seconds. Go on with ``after`` = ``next``.
    """
    workspace = call.workspace
    limit = call.number("limit", 100, MOST_EVENTS)
    wait_s = call.number("wait", 0, LONGEST_WAIT_S)
    endpoint = call.request.query.get("endpoint")
    workspace.clock.now()
    world = workspace.world
    after = call.number("after", 10**15, 10**15) if "after" in call.request.query else None
    if after is None:
        lines = _lines(world, 0, endpoint)
        return answer(_page(world, lines[len(lines) - min(limit, len(lines)) :], world.logged))
    # What is asked for may have been written by a world that is gone: then there is nothing to wait for.
    for _ in range(round(wait_s / LOOK_EVERY_S)):
        if workspace.world is not world or after > world.logged or _lines(world, after, endpoint):
            break
        if workspace.clock.stopping:
            break  # a stop waits for nobody who waits for it
        await clock.pause(LOOK_EVERY_S)
        workspace.clock.now()
    world = workspace.world
    lines = _lines(world, after, endpoint)
    reached = lines[limit - 1]["sequence"] if 0 < limit < len(lines) else world.logged
    return answer(_page(world, lines[:limit], reached))


def _lines(world: Workspace, after: int, endpoint: str | None) -> list[dict[str, Any]]:
    first = world.logged - len(world.log)
    newer = islice(world.log, max(after - first, 0), None)
    return [
        {
            "sequence": sequence,
            "instant": iso(line.instant),
            "what": line.what,
            "endpoint": line.endpoint,
            "subject": line.subject,
            "detail": line.detail,
        }
        for sequence, line in enumerate(newer, max(after, first) + 1)
        if endpoint in {None, line.endpoint}
    ]


def _page(world: Workspace, lines: list[dict[str, Any]], reached: int) -> dict[str, Any]:
    return {"events": lines, "next": reached, "logged": world.logged, "oldest": world.logged - len(world.log) + 1}


# --- requests -------------------------------------------------------------------------------------


async def list_requests(call: AdminCall) -> Reply:
    """Answer the last requests, the newest first: ``limit``, ``endpoint``, ``kind`` (scoring, control)."""
    record = call.workspace.record
    limit = call.number("limit", LISTED, MOST_LISTED)
    endpoint, kind = call.request.query.get("endpoint"), call.request.query.get("kind")
    if kind not in {None, "scoring", "control"}:
        raise invalid(f"kind={kind[:40]!r} in the query must be scoring or control.")
    wanted = (
        one for one in reversed(record) if kind in {None, one.kind} and (endpoint is None or endpoint == one.endpoint)
    )
    shown = [_brief(one) for one in islice(wanted, limit)]
    return answer({"requests": shown, "kept": len(record), "count": record.count})


async def get_request(call: AdminCall) -> Reply:
    """Answer one request with its body and its whole answer, by its id or its number."""
    found = _find(call)
    body = {"body": _readable(found.body), "body_bytes": found.body_bytes} if found.kind == "scoring" else {}
    return answer({**_brief(found), "answer": _readable(found.answer), **body})


async def why(call: AdminCall) -> Reply:
    """Answer why a request went as it did, as facts and in words."""
    return answer(explain(_find(call), call.workspace.settings.texts))


def _find(call: AdminCall) -> RequestRecord:
    workspace: HostedWorkspace = call.workspace
    wanted = call.parameters["request"]
    found = workspace.record.find(wanted)
    if found is None:
        raise missing(
            f"Workspace {workspace.name!r} has no request {wanted[:100]!r} on record; it keeps the last "
            f"{len(workspace.record):,} of {workspace.record.count:,}. The id of a scoring request is in the header "
            "X-Request-Id of its answer, that of a refused control-plane call in details[0].request_id."
        )
    return found


def _brief(one: RequestRecord) -> dict[str, Any]:
    short = one.answer is not None and len(one.answer) <= SHOWN_BYTES
    return {
        "number": one.number,
        "request_id": one.request_id,
        "kind": one.kind,
        "instant": iso(one.instant),
        "method": one.method,
        "path": one.path,
        "status": one.status,
        "error_code": one.error.get("error_code"),
        "requester": one.requester,
        "endpoint": one.endpoint,
        "entity": one.entity,
        "answer_bytes": one.answer_bytes,
        "answer": _readable(one.answer) if short else None,
        "faults": faults_of(one),
    }


def _readable(content: bytes | None) -> Any:
    """Return bytes as the JSON that they are, else as text; None for what was not kept."""
    if content is None:
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace")


async def inference_table(call: AdminCall) -> Reply:
    """Answer the rows that an endpoint's inference table has now."""
    return answer(export.inference_table(call.workspace, call.parameters["endpoint"]))


async def usage(call: AdminCall) -> Reply:
    """Answer what each served entity has used and has now."""
    call.workspace.clock.now()
    return answer({"usage": usage_rows(call.workspace.world)})


OPERATIONS = (
    Operation("GET", IN_WORKSPACE + "/events", events, "the event log: ?after=SEQUENCE&limit=&endpoint=&wait=SECONDS"),
    Operation("GET", IN_WORKSPACE + "/requests", list_requests, "the last requests: ?limit=&endpoint=&kind="),
    Operation("GET", IN_WORKSPACE + "/requests/{request}", get_request, "one request with body and answer"),
    Operation("GET", IN_WORKSPACE + "/requests/{request}/why", why, "why it went as it did, in words"),
    Operation("GET", IN_WORKSPACE + "/usage", usage, "what each served entity has used and has now"),
    Operation("GET", IN_WORKSPACE + "/inference-table/{endpoint}", inference_table, "rows of an inference table"),
)
