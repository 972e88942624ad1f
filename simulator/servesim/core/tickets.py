"""How the requests that a deployment holds go on or end when its phase changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.errors import Code, Rejected
from servesim.core.routing import TicketState

if TYPE_CHECKING:
    from servesim.core.deployment import Deployment
    from servesim.core.routing import Ticket
    from servesim.core.workspace import Workspace


def release_held(world: Workspace, deployment: Deployment) -> None:
    """Let every request that a deployment holds run, the oldest first."""
    while deployment.held:
        ticket = deployment.held.pop(next(iter(deployment.held)))
        ticket.state = TicketState.RUNNING
        ticket.started = world.timeline.now
        deployment.in_flight += 1
        world.released.append(ticket)


def refuse_held(world: Workspace, deployment: Deployment) -> None:
    """Refuse every request that a deployment holds, the oldest first."""
    while deployment.held:
        ticket = deployment.held.pop(next(iter(deployment.held)))
        refusal = Rejected(Code.NOT_SERVED, endpoint=ticket.endpoint)
        refuse(world, ticket, f"deployment {deployment.phase}", refusal)


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
