"""Who waits for what: the pending timers that an endpoint or a held request waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from servesim.core.commands import Alarm, Due, Signal
from servesim.core.deployment import SERVES
from servesim.core.model_endpoint import ModelEndpoint
from servesim.core.routing import TicketState

if TYPE_CHECKING:
    from servesim.core.endpoint import Endpoint
    from servesim.core.routing import Ticket
    from servesim.core.timeline import Timer
    from servesim.core.workspace import Workspace

WORDS: dict[Signal | Alarm, str] = {
    Signal.BUILT: "its container is built",
    Signal.BUILD_FAILED: "its container build fails",
    Signal.PROVISIONED: "its resources are there",
    Signal.LOAD_FAILED: "its model fails to load",
    Signal.STARTED: "its cold start",
    Signal.RECOVERED: "the recovery of its server process",
    Signal.TIMED_OUT: "its deployment times out",
    Alarm.CONFIG_SETTLED: "its new config serves",
    Alarm.IDLE_CHECK: "a look whether it is idle",
    Alarm.DRAIN_LIMIT: "what it still answers is ended",
    Alarm.EXECUTION_LIMIT: "the execution limit of a request",
    Alarm.ANSWER_DUE: "the end of a request's service time",
    Alarm.REPLICA_UP: "one more replica",
    Alarm.SCALE_DOWN: "a look whether it needs fewer replicas",
    Alarm.CALL_DELAY: "the end of an ordered delay",
    Alarm.REGISTERED: "a model version is registered",
    Alarm.MODEL_ENDPOINT_UP: "the endpoint of a model is ready",
    Alarm.SURFACE_ENDS: "the end of its generation",
}
"""What a timer means to people; others go by their own name."""


_SLOTS = frozenset({Alarm.ANSWER_DUE, Alarm.EXECUTION_LIMIT, Alarm.REPLICA_UP})
"""What gives a slot to a request that waits for one."""


class Ahead(NamedTuple):
    """A pending timer in terms of names."""

    due: int
    what: Signal | Alarm
    endpoint: str
    entity: str
    request: int

    @property
    def words(self) -> str:
        """What happens then."""
        return WORDS.get(self.what, str(self.what))


class Held(NamedTuple):
    """A request that waits for simulated time, and the timer that it waits for."""

    ticket: Ticket
    timer: Timer | None


def ahead(world: Workspace) -> list[Ahead]:
    """List what is pending, the soonest first."""
    return [_named(world, timer) for timer in world.timeline.pending()]


def held(world: Workspace) -> list[Held]:
    """List the requests that wait for time, the oldest first."""
    slots: dict[str, Timer | None] = {}
    listed = []
    for ticket in world.tickets.values():
        if ticket.state is TicketState.ANSWERED:
            listed.append(Held(ticket, ticket.timer))
        elif ticket.state is TicketState.HELD:
            deployment = ticket.deployment.id
            if deployment not in slots:  # all who wait for one wait for the same
                slots[deployment] = timer_of(world, ticket)
            listed.append(Held(ticket, slots[deployment]))
    return listed


def _named(world: Workspace, timer: Timer) -> Ahead:
    event = timer.event
    deployment = world.deployments.get(event.deployment_id)
    endpoint = world.by_id.get(event.endpoint_id) or world.model_endpoints_by_id.get(event.endpoint_id)
    name = endpoint.name if endpoint else deployment.endpoint if deployment else ""
    return Ahead(timer.due, event.what, name, deployment.spec.name if deployment else "", event.request)


def next_for(world: Workspace, endpoint: Endpoint | ModelEndpoint) -> int | None:
    """Return when the next event of an endpoint's update in progress is due; None if none is."""
    if isinstance(endpoint, ModelEndpoint):
        return _next_for_model(world, endpoint)
    if endpoint.pending is None or endpoint.id not in world.by_id:
        return None
    awaited = {entity.deployment_id for entity in endpoint.pending.entities}
    timer = world.timeline.soonest(lambda event: _moves_update(event, endpoint.id, awaited))
    return timer.due if timer else None


def _next_for_model(world: Workspace, endpoint: ModelEndpoint) -> int | None:
    awaited = endpoint.awaited()
    timer = world.timeline.soonest(
        lambda event: (
            event.endpoint_id == endpoint.id
            and (
                event.what is Alarm.MODEL_ENDPOINT_UP
                or (isinstance(event.what, Signal) and event.deployment_id in awaited)
            )
        )
    )
    return timer.due if timer else None


def next_of(world: Workspace, ticket: Ticket) -> int | None:
    """Return when the timer that a held request waits for is due."""
    timer = timer_of(world, ticket)
    return timer.due if timer else None


def timer_of(world: Workspace, ticket: Ticket) -> Timer | None:
    """Return the timer that a request waits for: its work's end, a slot, or a step of its deployment's life."""
    if ticket.state is TicketState.ANSWERED:
        return ticket.timer
    if is_behind_work(world, ticket):
        return None
    deployment = ticket.deployment.id
    awaited = _SLOTS if ticket.deployment.phase in SERVES else frozenset[Alarm]()
    return world.timeline.soonest(
        lambda event: event.deployment_id == deployment and (isinstance(event.what, Signal) or event.what in awaited)
    )


def is_behind_work(world: Workspace, ticket: Ticket) -> bool:
    """Tell whether a held request waits for real work, which takes no simulated time: for a slot of one that runs."""
    if ticket.state is not TicketState.HELD or ticket.deployment.phase not in SERVES:
        return False
    return any(
        other.deployment is ticket.deployment and other.state is TicketState.RUNNING for other in world.tickets.values()
    )


def _moves_update(event: Due, endpoint_id: str, deployments: set[str]) -> bool:
    if event.what is Alarm.CONFIG_SETTLED:
        return event.endpoint_id == endpoint_id
    return isinstance(event.what, Signal) and event.deployment_id in deployments
