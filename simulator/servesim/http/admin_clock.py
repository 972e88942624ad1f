"""Admin operations on time: where it stands, what is ahead, who waits, and moving it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.http.admin_call import IN_WORKSPACE, AdminCall, Operation, answer, invalid
from servesim.service import waiting
from servesim.service.clock import MODES
from servesim.service.instants import instant_of, iso, milliseconds, writable
from servesim.service.settings import settings_from

if TYPE_CHECKING:
    from servesim.core.workspace import Workspace
    from servesim.http.reply import Reply
    from servesim.service.hub import HostedWorkspace

SHOWN = 1_000
"""How many pending timers and held requests one answer lists."""


async def get(call: AdminCall) -> Reply:
    """Answer where time stands, what is pending and which requests wait for what."""
    return answer(clock_of(call.workspace))


async def advance(call: AdminCall) -> Reply:
    """Move time by ``{"by": "31m"}``, or a number of seconds."""
    workspace = call.workspace
    by = (await call.body("by")).get("by")
    if not isinstance(by, str | int | float) or isinstance(by, bool):
        raise invalid('Say by how much: {"by": "31m"}, or a number of seconds.')
    try:
        delta = milliseconds(by)
        if delta < 0:
            raise invalid(f"Time does not run backwards: by={by!r}.")
        to = writable(workspace.clock.now() + delta)
    except (ValueError, OverflowError) as error:
        raise invalid(f"by: {error}.") from error
    return await _moved(workspace, to)


async def run_until(call: AdminCall) -> Reply:
    """Move time to ``{"instant": "2026-01-05T09:31:00Z"}``; a past one is refused."""
    workspace = call.workspace
    instant = (await call.body("instant")).get("instant")
    if not isinstance(instant, str):
        raise invalid('Say until when: {"instant": "2026-01-05T09:31:00Z"}.')
    try:
        to = instant_of(instant)
    except (ValueError, OverflowError) as error:
        raise invalid(f"instant: {error}.") from error
    now = workspace.clock.now()
    if to < now:
        raise invalid(f"Time does not run backwards: it stands at {iso(now)}, after {iso(to)}.")
    return await _moved(workspace, to)


async def mode(call: AdminCall) -> Reply:
    """Let time move another way: ``{"mode": "paced", "rate": 60}``."""
    workspace = call.workspace
    body = await call.body("mode", "rate")
    if body.get("mode") not in MODES:
        raise invalid(f"mode must be one of {', '.join(MODES)}; got {body.get('mode')!r}.")
    rate = body.get("rate")
    if rate is not None:
        if not isinstance(rate, int | float) or isinstance(rate, bool):
            raise invalid(f"rate must be a number of simulated seconds a real second; got {rate!r}.")
        try:
            rate = settings_from({"rate": rate}).rate
        except (ValueError, OverflowError) as error:
            raise invalid(f"{error}.") from error
    await workspace.clock.set_mode(body["mode"], rate)
    return answer(clock_of(workspace))


async def _moved(workspace: HostedWorkspace, to: int) -> Reply:
    left = workspace.clock.now()
    await workspace.clock.advance_to(to)
    document = clock_of(workspace)
    return answer({"from": iso(left), **document})


def clock_of(workspace: HostedWorkspace) -> dict[str, Any]:
    """Return the clock of a workspace with what is ahead."""
    clock, world = workspace.clock, workspace.world
    now = clock.now()
    pending, held = waiting.ahead(world), waiting.held(world)
    return {
        "now": iso(now),
        "mode": clock.mode,
        "rate": clock.rate,
        "poll": clock.poll,
        "pending_count": len(pending),
        "pending": [_pending(timer, now) for timer in pending[:SHOWN]],
        "held_count": len(held),
        "held": [_held(world, one) for one in held[:SHOWN]],
    }


def _pending(timer: waiting.Ahead, now: int) -> dict[str, Any]:
    document: dict[str, Any] = {
        "due": iso(timer.due),
        "in_ms": max(timer.due - now, 0),
        "what": str(timer.what),
        "words": timer.words,
        "endpoint": timer.endpoint,
        "entity": timer.entity,
    }
    return {**document, "request": timer.request} if timer.request else document


def _held(world: Workspace, held: waiting.Held) -> dict[str, Any]:
    ticket, timer = held
    return {
        "request": ticket.number,
        "endpoint": ticket.endpoint,
        "entity": ticket.entity,
        "requester": ticket.principal.name if ticket.principal else None,
        "since": iso(ticket.admitted),
        "for_ms": world.timeline.now - ticket.admitted,
        "waits_for": waiting.WORDS.get(timer.event.what, str(timer.event.what)) if timer else None,
        "due": iso(timer.due) if timer else None,
    }


OPERATIONS = (
    Operation("GET", IN_WORKSPACE + "/clock", get, "where time stands, what is pending, and who waits for what"),
    Operation("POST", IN_WORKSPACE + "/clock/advance", advance, 'move time: {"by": "31m"}'),
    Operation("POST", IN_WORKSPACE + "/clock/run-until", run_until, 'move time: {"instant": "2026-01-05T09:31:00Z"}'),
    Operation("POST", IN_WORKSPACE + "/clock/mode", mode, 'let it move another way: {"mode": "paced", "rate": 60}'),
)
