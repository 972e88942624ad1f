"""Dates on the wire: they are announced in headers beforehand, and refused from their day on.

``Deprecation`` is RFC 9745's, or ``true`` where no day was ever published; ``Sunset`` is RFC 8594's. A refusal because
of a date of the user's own is graded ``injected``: somebody ordered it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aiohttp import web

from servesim.core.calendar import AUTO_CAPTURE, LEGACY, SERVERLESS_PREVIEW, Ending, ending_of, iso
from servesim.core.errors import Code, Rejected
from servesim.http import legacy_routes, serverless_preview_routes
from servesim.http.reply import INJECTED, Reply
from servesim.service.calendar import is_own

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servesim.generations.dated import Rule
    from servesim.http.calls import Call
    from servesim.service.hub import HostedWorkspace

ENDED_HEADER = "X-Servesim-Ended"
"""Of a refusal because of the date of an operation, a field or a value: since when, and what time it is."""
EARLIER = "to see it as it was, begin earlier, with --start-time or start="

_OF_GENERATION = {
    SERVERLESS_PREVIEW: ("/model-endpoint/", *serverless_preview_routes.COMPUTE_PREFIXES),
    LEGACY: ("/model/", *legacy_routes.PREFIXES),
}
_HEADS = tuple(head for heads in _OF_GENERATION.values() for head in heads)
"""What the paths of generations begin with that have ended or will."""
_CONCERNED: Any = web.RequestKey("servesim.endings", list) if hasattr(web, "RequestKey") else "servesim.endings"
"""Where a request keeps the dates that concern it."""


def announced(reply: Reply, workspace: HostedWorkspace, generation: str) -> Reply:
    """Return an answer of a generation with the headers that announce its end, if it has one."""
    ending = ending_of(workspace.world.profile, generation)
    if ending is None or not workspace.settings.sunset_headers:
        return reply
    return reply._replace(headers={**reply.headers, **headers_of(ending)})


@lru_cache(maxsize=256)
def _generation_of(path: str) -> str:
    return next(name for name, heads in _OF_GENERATION.items() if path.startswith(heads))


@lru_cache(maxsize=256)
def headers_of(ending: Ending) -> Mapping[str, str]:
    """Return the headers that announce an end."""
    since = ending.retired_on if ending.no_new_from is None else ending.no_new_from
    relations = ["deprecation"] if ending.retired_on is None else ["deprecation", "sunset"]
    headers = {"Deprecation": "true" if since is None else f"@{since // 1000}"}
    if ending.retired_on is not None:
        headers["Sunset"] = format_datetime(datetime.fromtimestamp(ending.retired_on // 1000, UTC), usegmt=True)
    if ending.link:
        headers["Link"] = ", ".join(f'<{ending.link}>; rel="{one}"; type="text/html"' for one in relations)
    return headers


# --- operations, fields and values ----------------------------------------------------------------


def check_operation(call: Call) -> None:
    """Raise OPERATION_RETIRED once a call's operation has ended; before that its answer will announce it."""
    ending = call.session.workspace.dates.operations.get(call.operation)
    if ending is not None and _has_ended(call, ending):
        since, now, instead = _because(call, ending)
        raise Rejected(Code.OPERATION_RETIRED, operation=call.operation, since=since, now=now, instead=instead)


def check_body(call: Call, body: bytes, document: Any) -> None:
    """Raise FIELD_RETIRED, VALUE_RETIRED or what is known in their place once something in a body has ended."""
    for rule in call.session.workspace.dates.used(call.operation, body, document):
        if _has_ended(call, rule.ending):
            raise _refused(call, rule)


def _refused(call: Call, rule: Rule) -> Rejected:
    if rule.ending.what == AUTO_CAPTURE and not is_own(rule.ending):
        return Rejected(Code.INFERENCE_TABLE_RETIRED)  # what the service says is known
    field, (since, now, instead) = rule.name, _because(call, rule.ending)
    if rule.of_value:
        value = rule.written
        return Rejected(Code.VALUE_RETIRED, field=field, value=value, since=since, now=now, instead=instead)
    return Rejected(Code.FIELD_RETIRED, field=field, since=since, now=now, instead=instead)


def _has_ended(call: Call, ending: Ending) -> bool:
    """Tell whether something has ended by now, and note that it concerns the call."""
    call.request.setdefault(_CONCERNED, []).append(ending)
    return ending.retired_on is not None and call.session.workspace.clock.now() >= ending.retired_on


def _because(call: Call, ending: Ending) -> tuple[str, str, str]:
    """Return what a refusal because of a date names: since when, what time it is, and what to use instead."""
    now = iso(call.session.workspace.clock.now())
    instead = f"{ending.instead} See {ending.link}." if ending.link else ending.instead
    return iso(ending.retired_on or 0), now, instead


def told(reply: Reply, workspace: HostedWorkspace, request: web.BaseRequest, path: str) -> Reply:
    """Return the answer to a call with the headers of the dates that concern it: of several, of the first to come."""
    if path.startswith(_HEADS):
        reply = announced(reply, workspace, _generation_of(path))
    concerned: list[Ending] | None = request.get(_CONCERNED)
    if not concerned:
        return reply
    first = min(concerned, key=lambda ending: (ending.retired_on is None, ending.retired_on))
    if workspace.settings.sunset_headers:
        reply = reply._replace(headers={**reply.headers, **headers_of(first)})
    if first.retired_on is None or workspace.world.timeline.now < first.retired_on:
        return reply
    # The text of a refusal that is known says nothing of dates.
    ended = f"{iso(first.retired_on)}; simulated now {iso(workspace.world.timeline.now)}; {EARLIER}"
    reply = reply._replace(headers={**reply.headers, ENDED_HEADER: ended})
    return reply._replace(grade=INJECTED) if is_own(first) else reply
