"""What becomes of a request: admitted, held, running, and then answered or refused.

Rules: a request is admitted under the config that is active and to one deployment of it, for good; it
holds its deployment until it is answered, given up, or past the execution limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core import lifecycle, tickets
from servesim.core.access import Level
from servesim.core.commands import Alarm, Due, Signal
from servesim.core.deployment import UP, WAITING, Phase
from servesim.core.endpoint import EndpointPhase
from servesim.core.errors import Code, Rejected
from servesim.core.routing import Ticket, TicketState, pick

if TYPE_CHECKING:
    from servesim.core.commands import Admit, Finish, GiveUp
    from servesim.core.deployment import Deployment
    from servesim.core.workspace import Workspace

TIMED_OUT = 504
"""The status with which a request past its execution limit is counted."""

_HOLDING = (UP | WAITING) - {Phase.READY}


def admit(world: Workspace, command: Admit) -> Ticket:
    """Let a request in, running or held; raise NOT_SERVED, NOT_PERMITTED, STOPPED or ENTITY_NOT_SERVED.

    A request that the split sends to a broken deployment comes back refused. It has used up its draw:
    otherwise the next request would draw the same, and the entities that work would get none.
    """
    endpoint = world.endpoints.get(command.endpoint)
    if endpoint is None or endpoint.active is None:
        raise Rejected(Code.NOT_SERVED, endpoint=command.endpoint)
    world.require(command.principal, endpoint, Level.CAN_QUERY)
    if endpoint.phase is EndpointPhase.STOPPED:
        raise Rejected(Code.STOPPED, endpoint=endpoint.name)
    config, name, draw = endpoint.active, command.entity, None
    if name is None:
        draw = endpoint.route_stream.fraction(endpoint.requests)
        name = pick(config, draw)
    entity = config.find(name)
    if entity is None:
        raise Rejected(Code.ENTITY_NOT_SERVED, endpoint=endpoint.name, entity=name)
    if draw is not None:
        endpoint.requests += 1
    world.tickets_given += 1
    deployment = world.deployments[entity.deployment_id]
    now = world.timeline.now
    ticket = Ticket(
        world.tickets_given,
        endpoint.name,
        name,
        deployment,
        TicketState.RUNNING,
        principal=command.principal,
        config_version=config.version,
        draw=draw,
        admitted=now,
        started=now,
    )
    _seat(world, ticket, deployment, timed=command.timed)
    return ticket


def _seat(world: Workspace, ticket: Ticket, deployment: Deployment, *, timed: bool) -> None:
    if deployment.phase is Phase.READY:
        deployment.in_flight += 1
    elif deployment.phase in _HOLDING:
        ticket.state = TicketState.HELD
        deployment.held[ticket.number] = ticket
        lifecycle.send(world, deployment, Signal.DEMAND)
    else:
        ticket.state = TicketState.REFUSED
        ticket.refusal = Rejected(Code.NOT_SERVED, endpoint=ticket.endpoint)
        ticket.ended = world.timeline.now
        world.note("not answered", ticket.endpoint, ticket.entity, f"deployment {deployment.phase}")
        return
    world.tickets[ticket.number] = ticket
    deployment.last_active = world.timeline.now
    if timed or ticket.state is TicketState.HELD:
        due = Due(Alarm.EXECUTION_LIMIT, deployment.endpoint_id, deployment.id, ticket.number)
        ticket.timer = world.timeline.schedule(world.profile.execution_limit_ms, due)


def finish(world: Workspace, command: Finish) -> None:
    """Take a running request's answer; one that has ended, or still waits, is left as it is."""
    ticket = world.tickets.get(command.request)
    if ticket is None or ticket.state is not TicketState.RUNNING:
        return
    del world.tickets[ticket.number]
    ticket.state = TicketState.DONE
    ticket.ended = now = world.timeline.now
    ticket.deployment.traffic.note(now, command.status, now - ticket.admitted, ticket.started - ticket.admitted)
    if ticket.timer is not None:
        world.timeline.cancel(ticket.timer)
    world.note("answered", ticket.endpoint, ticket.entity, str(command.status))
    lifecycle.request_ended(world, ticket.deployment)


def give_up(world: Workspace, command: GiveUp) -> None:
    """End a request whose client or model is gone; one that has ended is left as it is."""
    ticket = world.tickets.get(command.request)
    if ticket is not None:
        _drop(world, ticket, command.why, Rejected(Code.NOT_SERVED, endpoint=ticket.endpoint))


def expire(world: Workspace, due: Due) -> None:
    """End a request at its execution limit."""
    _past_limit(world, world.tickets[due.request])


def end_drain(world: Workspace, due: Due) -> None:
    """End what still runs on a deployment that left its config an execution limit ago."""
    for ticket in [ticket for ticket in world.tickets.values() if ticket.deployment.id == due.deployment_id]:
        _past_limit(world, ticket)


def _past_limit(world: Workspace, ticket: Ticket) -> None:
    refusal = Rejected(Code.EXECUTION_LIMIT, limit_ms=world.profile.execution_limit_ms)
    now = world.timeline.now
    began = now if ticket.state is TicketState.HELD else ticket.started
    ticket.deployment.traffic.note(now, TIMED_OUT, now - ticket.admitted, began - ticket.admitted)
    _drop(world, ticket, "execution limit", refusal)


def _drop(world: Workspace, ticket: Ticket, why: str, refusal: Rejected) -> None:
    held = ticket.state is TicketState.HELD
    tickets.refuse(world, ticket, why, refusal)
    if held:
        del ticket.deployment.held[ticket.number]
    else:
        lifecycle.request_ended(world, ticket.deployment)
