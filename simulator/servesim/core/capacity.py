"""How much of a served entity runs: slots for requests, the queue before them, and replicas that come and go.

Rules: a request in flight has a slot, and there are never more of them than are provisioned; who finds none waits in
the entity's queue, first in, first out, and past its bound is refused; demand orders replicas at once, and they come
after their start; every few minutes what was not needed since the last look goes. Where the profile does not limit
concurrency there is always a slot.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from servesim.core.commands import Alarm, Due, EntitySpec
from servesim.core.deployment import Phase
from servesim.core.errors import Code, Rejected
from servesim.core.routing import TicketState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.core.deployment import Deployment
    from servesim.core.routing import Ticket
    from servesim.core.workspace import Workspace

SIZES = {"Small": (4, 4), "Medium": (8, 16), "Large": (16, 64)}
"""Least and most requests in flight by workload size: documented, and that with scale to zero the least is 0.

Chosen is that a start from zero brings the least at once, and that no less runs until all of it goes.
"""
REPLICA = 4
"""Requests that one replica has in flight: documented for GPUs, chosen for the others."""
ENTITIES_KEPT = 10_000
"""Of how many served entities that are gone it is remembered what they used."""


class Range(NamedTuple):
    """How many requests an entity may have in flight: least and most, while anything runs."""

    least: int
    most: int


@lru_cache(maxsize=1024)
def range_of(spec: EntitySpec) -> Range:
    """Return how far an entity scales."""
    return scale(spec.workload_size, spec.min_concurrency, spec.max_concurrency)


def scale(size: str | None, least: int | None, most: int | None) -> Range:
    """Return how far an entity of a workload size, or of a range, scales; without either it is Small."""
    if least is None and most is None:
        return Range(*SIZES.get(size or "Small", SIZES["Small"]))
    highest = most or max(least or 0, REPLICA)
    return Range(least or min(REPLICA, highest), highest)


@dataclass(slots=True)
class Usage:
    """What a served entity has used; times in milliseconds."""

    requests: int = 0
    queued: int = 0
    """How many of them waited for a slot."""
    queue_ms: int = 0
    refused: int = 0
    """How many more were refused, for the queue was full."""
    cold_starts: int = 0
    slot_ms: int = 0
    """Provisioned concurrency by time."""
    replica_ms: int = 0

    def add(self, other: Usage) -> None:
        """Add another's."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


# --- slots ----------------------------------------------------------------------------------------


def is_limited(world: Workspace) -> bool:
    """Tell whether slots are counted at all."""
    return "concurrency" in world.profile.limits


def has_slot(world: Workspace, deployment: Deployment) -> bool:
    """Tell whether one more request could be in flight."""
    return deployment.in_flight < deployment.provisioned or not is_limited(world)


def start(world: Workspace, deployment: Deployment, ticket: Ticket) -> None:
    """Give a request its slot; its work begins."""
    ticket.state = TicketState.RUNNING
    ticket.started = world.timeline.now
    deployment.in_flight += 1
    deployment.peak = max(deployment.peak, deployment.in_flight)
    used = deployment.used or usage_of(world, deployment)
    used.requests += 1
    if ticket.delay_ms or deployment.model.service_time is not None:
        ticket.until = ticket.started + _work_ms(world, ticket, used.requests)


def queue(world: Workspace, deployment: Deployment, ticket: Ticket) -> bool:
    """Let a request wait for a slot; False if the queue is full."""
    if deployment.held is None:
        deployment.held = {}
    if is_limited(world) and len(deployment.held) >= world.profile.queue_limit:
        return False
    ticket.state = TicketState.HELD
    deployment.held[ticket.number] = ticket
    scale_up(world, deployment)
    return True


def full(world: Workspace, deployment: Deployment) -> Rejected:
    """Return the refusal of a request for which the queue has no place."""
    usage_of(world, deployment).refused += 1
    refusal = Rejected(Code.QUEUE_FULL, entity=deployment.spec.name, endpoint=deployment.endpoint)
    return refusal.healing_at(_next_slot(world, deployment))


def _next_slot(world: Workspace, deployment: Deployment) -> int | None:
    timer = world.timeline.soonest(
        lambda event: event.deployment_id == deployment.id and event.what not in {Alarm.IDLE_CHECK, Alarm.SCALE_DOWN}
    )
    return timer.due if timer else None


def let_in(world: Workspace, deployment: Deployment) -> None:
    """Give slots that are free to who waits, the oldest first."""
    while deployment.held and has_slot(world, deployment):
        ticket = deployment.held.pop(next(iter(deployment.held)))
        start(world, deployment, ticket)
        used = usage_of(world, deployment)
        used.queued += 1
        used.queue_ms += ticket.started - ticket.admitted
        world.released.append(ticket)


def _work_ms(world: Workspace, ticket: Ticket, ordinal: int) -> int:
    """Draw the simulated time that a request's work takes."""
    spread = ticket.deployment.model.service_time
    if spread is None:
        return ticket.delay_ms
    return ticket.delay_ms + spread.drawn(world.draws.stream("service time", ticket.deployment.id), ordinal)


# --- replicas -------------------------------------------------------------------------------------


def provision(world: Workspace, deployment: Deployment, slots: int) -> None:
    """Change how many slots run, and account for those that did."""
    if slots == deployment.provisioned:
        return
    _account(world, deployment)
    deployment.provisioned = slots


def begin(world: Workspace, deployment: Deployment) -> None:
    """Start with the least that runs, unless something runs."""
    if not deployment.provisioned:
        provision(world, deployment, range_of(deployment.spec).least)
        deployment.peak = deployment.in_flight
    let_in(world, deployment)
    scale_up(world, deployment)
    if deployment.phase is Phase.READY:
        _look_again(world, deployment)  # what recovers has lost its timers


def end(world: Workspace, deployment: Deployment) -> None:
    """Let everything go that runs, but for what is in flight."""
    provision(world, deployment, deployment.in_flight)


def scale_up(world: Workspace, deployment: Deployment) -> None:
    """Order the replicas that the present demand needs beyond what runs and what is on its way."""
    deployment.peak = max(deployment.peak, deployment.in_flight + len(deployment.held or ()))
    if deployment.phase is not Phase.READY or not is_limited(world):
        return
    coming = sum(timer.event.what is Alarm.REPLICA_UP for timer in deployment.timers)
    on_the_way = deployment.provisioned + REPLICA * coming
    wanted = min(deployment.peak, range_of(deployment.spec).most)
    while on_the_way < wanted:
        deployment.replicas_ordered += 1
        draws = world.draws.stream("replica", deployment.id)
        delay = draws.between(deployment.replicas_ordered, *world.profile.replica_start_ms)
        _after(world, deployment, delay, Alarm.REPLICA_UP)
        on_the_way += REPLICA


def replica_up(world: Workspace, due: Due) -> None:
    """Take a replica that has started into service."""
    deployment = world.deployments[due.deployment_id]
    _drop_timer(deployment, Alarm.REPLICA_UP, due_by=world.timeline.now)
    slots = min(deployment.provisioned + REPLICA, range_of(deployment.spec).most)
    _scale(world, deployment, slots)
    let_in(world, deployment)
    _look_again(world, deployment)


def scale_down(world: Workspace, due: Due) -> None:
    """Let the replicas go that were not needed since the last look."""
    deployment = world.deployments[due.deployment_id]
    _drop_timer(deployment, Alarm.SCALE_DOWN, due_by=world.timeline.now)
    needed = max(range_of(deployment.spec).least, -(-deployment.peak // REPLICA) * REPLICA)
    if needed < deployment.provisioned:
        _scale(world, deployment, needed)
    deployment.peak = deployment.in_flight + len(deployment.held or ())
    _look_again(world, deployment)


def _look_again(world: Workspace, deployment: Deployment) -> None:
    if deployment.provisioned <= range_of(deployment.spec).least:
        return
    if not any(timer.event.what is Alarm.SCALE_DOWN for timer in deployment.timers):
        _after(world, deployment, world.profile.scale_down_ms, Alarm.SCALE_DOWN)


def _scale(world: Workspace, deployment: Deployment, slots: int) -> None:
    provision(world, deployment, slots)
    world.note("scaled", deployment.endpoint, deployment.spec.name, f"{slots} requests in flight")


def _after(world: Workspace, deployment: Deployment, delay: int, what: Alarm) -> None:
    due = Due(what, deployment.endpoint_id, deployment.id)
    deployment.timers.append(world.timeline.schedule(delay, due))


def _drop_timer(deployment: Deployment, what: Alarm, *, due_by: int) -> None:
    """Forget the timer that came out just now: the first of its kind that was due."""
    for timer in sorted(deployment.timers):
        if timer.event.what is what and timer.due <= due_by:
            deployment.timers.remove(timer)
            return


# --- what was used --------------------------------------------------------------------------------


def usage_of(world: Workspace, deployment: Deployment) -> Usage:
    """Return the account of a deployment's served entity, which outlives the deployment."""
    used = deployment.used
    if used is None:
        key = (deployment.endpoint, deployment.spec.name)
        used = world.usage.get(key)
        if used is None:
            if len(world.usage) >= ENTITIES_KEPT:
                del world.usage[next(iter(world.usage))]
            used = world.usage[key] = Usage()
        deployment.used = used
    return used


def _account(world: Workspace, deployment: Deployment) -> None:
    now, slots = world.timeline.now, deployment.provisioned
    if slots and now > deployment.provisioned_since:
        passed = now - deployment.provisioned_since
        used = usage_of(world, deployment)
        used.slot_ms += slots * passed
        used.replica_ms += replicas(slots) * passed
    deployment.provisioned_since = now


def replicas(slots: int) -> int:
    """Return how many replicas so many slots take."""
    return -(-slots // REPLICA)


class Account(NamedTuple):
    """What a served entity has used, and what it has at this moment."""

    endpoint: str
    entity: str
    used: Usage
    provisioned: int
    in_flight: int
    held: int


def accounts(world: Workspace) -> Iterator[Account]:
    """Yield the accounts of the entities that run or ran, by name; those of several deployments are one."""
    running: dict[tuple[str, str], list[Deployment]] = {}
    for deployment in world.deployments.values():
        _account(world, deployment)
        running.setdefault((deployment.endpoint, deployment.spec.name), []).append(deployment)
    for key in sorted(world.usage.keys() | running.keys()):
        found = running.get(key, [])
        yield Account(
            *key,
            world.usage.get(key) or Usage(),
            sum(one.provisioned for one in found),
            sum(one.in_flight for one in found),
            sum(len(one.held or ()) for one in found),
        )
