"""When requests are refused because too many are in flight, as far as an endpoint's config says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SIZES = {"Small": (4, 4), "Medium": (8, 16), "Large": (16, 64)}
"""Provisioned concurrency by workload size, least and most while anything runs: documented."""
REPLICA = 4


class Capacity(NamedTuple):
    """Requests that may be in flight at one entity, and those that may wait beside them."""

    least: int
    most: int
    queue: int | None
    """None where it is not known: the real service doesn't publish it."""


def capacity_of(entity: Mapping[str, Any], queue: int | None) -> Capacity:
    """Return the capacity of a served entity, from its config."""
    least, most = entity.get("min_provisioned_concurrency"), entity.get("max_provisioned_concurrency")
    if least is None and most is None:
        return Capacity(*SIZES.get(str(entity.get("workload_size")), SIZES["Small"]), queue)
    highest = int(most or max(int(least or 0), REPLICA))
    return Capacity(int(least or 0) or min(REPLICA, highest), highest, queue)


class Expected(NamedTuple):
    """How many users, each with one request in flight, it takes until requests are refused."""

    answered: int
    """Up to so many, each gets a slot at once."""
    before: int
    """Above so many, some can be refused before replicas have been added."""
    after: int
    """Above so many, some must be refused however many replicas there are."""
    scales: bool


def expected(capacities: Sequence[Capacity]) -> Expected | None:
    """Return what a config promises; None if a queue is not known. All users can be at one entity, or spread."""
    queues = [one.queue for one in capacities]
    if not capacities or None in queues:
        return None
    return Expected(
        min(one.least for one in capacities),
        min(one.least + (one.queue or 0) for one in capacities),
        sum(one.most + (one.queue or 0) for one in capacities),
        any(one.most > one.least for one in capacities),
    )


def levels(asked: Expected, users: int) -> list[int]:
    """Return the numbers of users to try, at most ``users``: below what is provisioned, in the room, above all."""
    tried = [asked.answered, asked.after, asked.after + max(asked.after // 4, REPLICA)]
    return sorted({min(one, users) for one in tried})


def ramp(users: int, step: int) -> list[int]:
    """Return the numbers of users to try one after the other where nothing is promised."""
    return [*range(step, users, step), users]


class Level(NamedTuple):
    """What was seen with so many users."""

    users: int
    answers: int
    refused: int
    refused_last: int
    """In the last seconds of it."""
    provisioned: float | None
    waiting: float | None
    """The most that were in flight or queued at once, where servesim tells it."""


def told(tried: Iterable[Level]) -> str:
    """Say what was seen at each level."""
    return ", ".join(
        f"{level.users} users: {level.refused:,} of {level.answers:,} refused"
        + (f" at a concurrency of {level.provisioned:g}" if level.provisioned is not None else "")
        for level in tried
    )
