"""Who waits for what: the pending timers that an endpoint or a held request waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.commands import Alarm, Due, Signal

if TYPE_CHECKING:
    from servesim.core.endpoint import Endpoint
    from servesim.core.routing import Ticket
    from servesim.core.timeline import Timer
    from servesim.core.workspace import Workspace


def next_for(world: Workspace, endpoint: Endpoint) -> int | None:
    """Return when the next event of an endpoint's update in progress is due; None if none is."""
    if endpoint.pending is None or endpoint.id not in world.by_id:
        return None
    awaited = {entity.deployment_id for entity in endpoint.pending.entities}
    timer = world.timeline.soonest(lambda event: _moves_update(event, endpoint.id, awaited))
    return timer.due if timer else None


def next_of(world: Workspace, ticket: Ticket) -> int | None:
    """Return when the timer that a held request waits for is due."""
    timer = timer_of(world, ticket)
    return timer.due if timer else None


def timer_of(world: Workspace, ticket: Ticket) -> Timer | None:
    """Return the timer that a held request waits for: the next step of its deployment's life."""
    deployment = ticket.deployment.id
    return world.timeline.soonest(lambda event: event.deployment_id == deployment and isinstance(event.what, Signal))


def _moves_update(event: Due, endpoint_id: str, deployments: set[str]) -> bool:
    if event.what is Alarm.CONFIG_SETTLED:
        return event.endpoint_id == endpoint_id
    return isinstance(event.what, Signal) and event.deployment_id in deployments
