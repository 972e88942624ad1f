"""The course of a saturation test: what a config promises, what was refused at each number of users, what that says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.core.capacity import REPLICA, scale
from servesim.load.calls import TOO_MANY
from servesim.load.checks import Check, held
from servesim.load.document import INCONCLUSIVE, PASS
from servesim.service.clock import wall_second

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from servesim.load.conductor import Conductor
    from servesim.load.endpoint import Endpoint

_SPAWN_S = 30.0
_QUIET_S = 2
"""Whole seconds without a refusal after which they have gone."""
APPEAR, GO, NONE = "429s appear", "429s go after scale-up", "no 429 within the concurrency"


class Capacity(NamedTuple):
    """Requests that may be in flight at one entity, and those that may wait beside them."""

    least: int
    most: int
    queue: int | None
    """None where it is not known: the real service doesn't publish it."""


def capacity_of(entity: Mapping[str, Any], queue: int | None) -> Capacity:
    """Return the capacity of a served entity, from its config."""
    least, most = entity.get("min_provisioned_concurrency"), entity.get("max_provisioned_concurrency")
    return Capacity(*scale(entity.get("workload_size"), least, most), queue)


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


class Saturation:
    """Raises the number of users and keeps what was seen."""

    def __init__(self, run: Conductor, found: Endpoint) -> None:
        """Plan the numbers of users for an endpoint."""
        self.run = run
        self.seen: list[Level] = []
        profile = run.admin.profile() if run.admin is not None else None
        queue = profile.queue_limit if profile is not None and "concurrency" in profile.limits else None
        self.capacities: list[Capacity] = [
            capacity_of(one, queue) for one in found.entities if found.split.get(str(one.get("name")))
        ]
        self.expected: Expected | None = expected(self.capacities)
        self.planned = ramp(run.users, run.step_users) if self.expected is None else levels(self.expected, run.users)
        if profile is not None and queue is None:
            run.note(f"profile {profile.name!r} limits no concurrency: nothing is refused")

    @property
    def is_over(self) -> bool:
        """Whether refusals were found where nothing is promised."""
        return self.expected is None and bool(self.seen[-1].refused)

    def level(self, users: int) -> None:
        """Have so many users for a step, and longer while refusals may still go."""
        run = self.run
        run.phase(f"{users} users")
        since = wall_second()
        run.set_users(users)
        run.until(lambda: run.running >= users, _SPAWN_S)
        run.until(lambda: False, run.settings.step_s)
        if self._may_go(users):
            run.until(lambda: not self._refused(wall_second() - _QUIET_S, wall_second()), run.settings.duration_s)
        self.seen.append(self._level(users, since, wall_second()))

    def checks(self) -> list[Check]:
        """Say whether the endpoint did as its config says."""
        if not self.seen:
            return []
        if self.expected is None:
            return [self._found()]
        made = [self._none(self.expected), self._appear(self.expected), self._go(self.expected)]
        return [check for check in made if check is not None]

    # --- what was seen ----------------------------------------------------------------------------

    def _may_go(self, users: int) -> bool:
        if not self._refused(wall_second() - round(self.run.settings.step_s) - 1, wall_second()):
            return False
        return self.expected is None or (self.expected.scales and users <= self.expected.after)

    def _refused(self, since: int, until: int) -> int:
        return self.run.tally.statuses(range(since, until)).get(TOO_MANY, 0)

    def _level(self, users: int, since: int, until: int) -> Level:
        looks = [look for second, look in self.run.looked.items() if since <= second <= until]
        concurrency = [sum(look.provisioned.values()) for look in looks if look.provisioned is not None]
        waiting = [look.waiting for look in looks if look.waiting is not None]
        return Level(
            users,
            sum(self.run.tally.statuses(range(since, until)).values()),
            self._refused(since, until),
            self._refused(until - _QUIET_S, until),
            concurrency[-1] if concurrency else None,
            max(waiting, default=None),
        )

    # --- what it says -----------------------------------------------------------------------------

    def _found(self) -> Check:
        last = self.seen[-1]
        if not last.refused:
            why = f"nothing was refused up to {last.users} users: give more with --users ({told(self.seen)})"
            return Check(APPEAR, INCONCLUSIVE, why)
        went = "they went by themselves" if not last.refused_last else "they had not gone in the end"
        why = f"with {last.users} users requests were refused, and {went} ({told(self.seen)})"
        return Check(APPEAR, PASS, why, value=float(last.users))

    def _none(self, asked: Expected) -> Check | None:
        calm = [level for level in self.seen if level.users <= asked.answered]
        if not calm:
            return None
        refused = sum(level.refused for level in calm)
        why = f"up to {asked.answered} users every request has a slot ({told(calm)})"
        return held(NONE, kept=not refused, why=why, limit=0.0, value=float(refused))

    def _appear(self, asked: Expected) -> Check:
        beyond = [level for level in self.seen if level.users > asked.after]
        rule = f"above {asked.before} users requests may be refused, above {asked.after} some must ({told(self.seen)})"
        early = [level for level in self.seen if level.users <= asked.before and level.refused]
        if early:
            return held(APPEAR, kept=False, why=rule, limit=float(asked.before), value=float(early[0].users))
        if not beyond:
            return Check(APPEAR, INCONCLUSIVE, f"give at least {asked.after + 1} users with --users: {rule}")
        last = beyond[-1]
        if not last.refused and (last.waiting is None or last.waiting < asked.before):
            slow = "answers come so fast that no requests pile up: give the models a service_time"
            return Check(APPEAR, INCONCLUSIVE, f"{slow}; {rule}")
        return held(APPEAR, kept=bool(last.refused), why=rule, limit=float(asked.after), value=float(last.users))

    def _go(self, asked: Expected) -> Check | None:
        room = [level for level in self.seen if asked.before < level.users <= asked.after and level.refused]
        if not room or not asked.scales:
            return None
        level = room[-1]
        kept = level.refused_last == 0
        why = f"{level.users} users fit once all replicas run; refused in the last {_QUIET_S} s: {level.refused_last:,}"
        return held(GO, kept=kept, why=why, limit=0.0, value=float(level.refused_last))
