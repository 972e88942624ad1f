"""What becomes of a request: admitted, held, running, and then answered or refused.

Rules: a request is admitted under the config that is active and to one deployment of it, for good; it
holds its deployment until it is answered, given up, or past the execution limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core import capacity, lifecycle, striking, tickets
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

TOO_MANY = 429
"""The status with which a request that a full queue refused is counted."""
TIMED_OUT = 504
"""The status with which a request past its execution limit is counted."""

_HOLDING = (UP | WAITING) - {Phase.READY}


def admit(world: Workspace, command: Admit) -> Ticket:
    """Let a request in, running or held; raise NOT_SERVED, NOT_PERMITTED, STOPPED, ENTITY_NOT_SERVED or a limit.

    A request that the split sends to a broken deployment, or to one whose queue is full, comes back refused. It has
    used up its draw: otherwise the next request would draw the same, and the entities that work would get none.
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
        split = striking.split_of(world, endpoint.name, config, command.principal) if world.faults.skews else ()
        name = pick(config, draw, split)
    entity = config.find(name)
    if entity is None:
        raise Rejected(Code.ENTITY_NOT_SERVED, endpoint=endpoint.name, entity=name)
    if world.profile.limits:
        world.limits.admit_request(world, endpoint, command.principal)
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
    if world.faults.queries and not striking.strike_request(world, ticket, config):
        turn_away(world, ticket, Rejected(Code.NOT_SERVED, endpoint=endpoint.name), "by a fault")
        return ticket
    seat(world, ticket, deployment, timed=command.timed)
    return ticket


def seat(world: Workspace, ticket: Ticket, deployment: Deployment, *, timed: bool) -> None:
    """Give a request its slot, let it wait for one, or refuse it."""
    if deployment.phase is Phase.READY and not deployment.held and capacity.has_slot(world, deployment):
        capacity.start(world, deployment, ticket)
    elif deployment.phase is not Phase.READY and deployment.phase not in _HOLDING:
        refusal = Rejected(Code.NOT_SERVED, endpoint=ticket.endpoint)
        turn_away(world, ticket, refusal, f"deployment {deployment.phase}")
        return
    elif not capacity.queue(world, deployment, ticket):
        turn_away(world, ticket, capacity.full(world, deployment), "queue full")
        tickets.count(world, ticket, TOO_MANY)
        return
    else:
        lifecycle.send(world, deployment, Signal.DEMAND)
    world.tickets[ticket.number] = ticket
    deployment.last_active = world.timeline.now
    if timed or ticket.state is TicketState.HELD:
        due = Due(Alarm.EXECUTION_LIMIT, deployment.endpoint_id, deployment.id, ticket.number)
        ticket.timer = world.timeline.schedule(world.profile.execution_limit_ms, due)


def turn_away(world: Workspace, ticket: Ticket, refusal: Rejected, why: str) -> None:
    """Refuse a request that has never held a deployment."""
    ticket.state = TicketState.REFUSED
    ticket.refusal = refusal
    ticket.ended = world.timeline.now
    world.note("not answered", ticket.endpoint, ticket.entity, why)


def finish(world: Workspace, command: Finish) -> None:
    """Take a running request's answer, which is due once its work's time is over.

    One that has ended, or still waits, is left as it is.
    """
    ticket = world.tickets.get(command.request)
    if ticket is None or ticket.state is not TicketState.RUNNING:
        return
    ticket.status = command.status
    if ticket.until > world.timeline.now:
        _answer_later(world, ticket)
    else:
        _answer(world, ticket)


def _answer_later(world: Workspace, ticket: Ticket) -> None:
    ticket.state = TicketState.ANSWERED
    limit = ticket.admitted + world.profile.execution_limit_ms
    if ticket.timer is not None:
        world.timeline.cancel(ticket.timer)
    what, due = (Alarm.EXECUTION_LIMIT, limit) if limit < ticket.until else (Alarm.ANSWER_DUE, ticket.until)
    event = Due(what, ticket.deployment.endpoint_id, ticket.deployment.id, ticket.number)
    ticket.timer = world.timeline.schedule(due - world.timeline.now, event)


def answer_due(world: Workspace, due: Due) -> None:
    """Answer a request whose work's time is over."""
    ticket = world.tickets[due.request]
    ticket.timer = None
    _answer(world, ticket)
    world.released.append(ticket)


def _answer(world: Workspace, ticket: Ticket) -> None:
    del world.tickets[ticket.number]
    ticket.state = TicketState.DONE
    ticket.ended = world.timeline.now
    tickets.count(world, ticket, ticket.status)
    if ticket.timer is not None:
        world.timeline.cancel(ticket.timer)
    world.note("answered", ticket.endpoint, ticket.entity, str(ticket.status))
    lifecycle.request_ended(world, ticket.deployment)


def give_up(world: Workspace, command: GiveUp) -> None:
    """End a request whose client or model is gone; one that has ended is left as it is."""
    ticket = world.tickets.get(command.request)
    if ticket is not None:
        if command.status is not None:
            tickets.count(world, ticket, command.status)
        _drop(world, ticket, command.why, Rejected(Code.NOT_SERVED, endpoint=ticket.endpoint))


def expire(world: Workspace, due: Due) -> None:
    """End a request at its execution limit."""
    _past_limit(world, world.tickets[due.request])


def end_drain(world: Workspace, due: Due) -> None:
    """End what still runs on a deployment that left its config an execution limit ago."""
    left = [ticket for ticket in world.tickets.values() if ticket.deployment.id == due.deployment_id]
    # Who waits goes first, or the slots of the others would be given to them.
    for ticket in sorted(left, key=lambda ticket: ticket.state is not TicketState.HELD):
        _past_limit(world, ticket)


def _past_limit(world: Workspace, ticket: Ticket) -> None:
    refusal = Rejected(Code.EXECUTION_LIMIT, limit_ms=world.profile.execution_limit_ms)
    if ticket.state is TicketState.HELD:
        ticket.started = world.timeline.now
    tickets.count(world, ticket, TIMED_OUT)
    _drop(world, ticket, "execution limit", refusal)


def _drop(world: Workspace, ticket: Ticket, why: str, refusal: Rejected) -> None:
    held = ticket.deployment.held if ticket.state is TicketState.HELD else None
    tickets.refuse(world, ticket, why, refusal)
    if held is not None:
        del held[ticket.number]
    else:
        lifecycle.request_ended(world, ticket.deployment)
