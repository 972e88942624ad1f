"""How requests end without an answer of their model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.errors import Code, Rejected
from servesim.core.routing import TicketState
from servesim.core.traffic import Traffic

if TYPE_CHECKING:
    from servesim.core.deployment import Deployment
    from servesim.core.routing import Ticket
    from servesim.core.workspace import Workspace


def count(world: Workspace, ticket: Ticket, status: int) -> None:
    """Count a request that ends now among the last minute's of its deployment."""
    deployment, now = ticket.deployment, world.timeline.now
    if deployment.traffic is None:
        deployment.traffic = Traffic()
    deployment.traffic.note(now, status, now - ticket.admitted, ticket.started - ticket.admitted)
    if world.model_endpoints_by_id and (owner := world.model_endpoints_by_id.get(deployment.endpoint_id)):
        owner.count(deployment, now, status, now - ticket.admitted)


def refuse_held(world: Workspace, deployment: Deployment, refusal: Rejected | None = None) -> None:
    """Refuse every request that a deployment holds, the oldest first; with NOT_SERVED unless told otherwise."""
    while deployment.held:
        ticket = deployment.held.pop(next(iter(deployment.held)))
        why = refusal or Rejected(Code.NOT_SERVED, endpoint=ticket.endpoint)
        refuse(world, ticket, f"deployment {deployment.phase}", why)


def refuse(world: Workspace, ticket: Ticket, why: str, refusal: Rejected) -> None:
    """End an admitted request without an answer of its model."""
    ticket.state = TicketState.REFUSED
    ticket.refusal = refusal
    ticket.ended = world.timeline.now
    if ticket.timer is not None:
        world.timeline.cancel(ticket.timer)
    del world.tickets[ticket.number]
    world.released.append(ticket)
    world.note("not answered", ticket.endpoint, ticket.entity, why)
