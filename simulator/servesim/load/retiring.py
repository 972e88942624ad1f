"""The course of a surface's end: traffic before it and after it, and what became of every request."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.load.calls import CannotRun, scoring_path
from servesim.load.checks import Check, held
from servesim.load.document import INCONCLUSIVE
from servesim.load.tally import NO_ANSWER
from servesim.service.instants import instant_of, iso

if TYPE_CHECKING:
    from collections.abc import Collection

    from servesim.load.admin import Admin
    from servesim.load.conductor import Conductor

_LOOK_S = 0.25
"""Between two looks at the record, of which one tells a thousand requests."""
_SLACK = 4.0
"""Times a step that its end is waited for: the machine may have other things to do."""
_LOOKED_UP = 100
"""Requests of which it is asked when they came; more are not there unless everything is wrong."""
_WELL = 200
_CONTROL = {"model": "/api/2.0/mlflow/endpoints", "model-endpoint": "/api/2.0/mlflow/endpoints-v2"}
"""Of each surface, by what its scoring paths begin with."""


class Asked(NamedTuple):
    """One request as servesim's record tells it."""

    number: int
    answered_ms: int
    path: str
    status: int
    code: str
    came_ms: int | None = None
    """When it came, if that was looked up."""


def scored(path: str) -> str:
    """Return the scoring path of what retires, e.g. ``model/churn/Production``."""
    return f"/{path}/invocations"


def end_of(run: Conductor) -> int:
    """Return the instant at which the surface ends, as its answers announce it; raise CannotRun."""
    kind, model, _ = run.settings.retiring.split("/")
    answer = run.server.get(f"{_CONTROL[kind]}/get-status?registered_model_name={model}")
    told = next((text for name, text in answer.headers.items() if name.lower() == "sunset"), None)
    if told is None:
        raise CannotRun(
            f"/{run.settings.retiring} announces no end (an answer without Sunset: {answer.said}). It needs a surface "
            "with a date, and a server that was started without --no-sunset-headers"
        )
    return round(parsedate_to_datetime(told).timestamp() * 1000)


def approach(run: Conductor, end: int) -> int:
    """Go to a step before the end, on a clock that goes by itself, and return that instant; raise CannotRun."""
    admin = _admin(run)
    clock = admin.clock()
    if clock["mode"] != "paced":
        raise CannotRun(f"the clock of {run.server.url} is {clock['mode']}: traffic across an instant needs `paced`")
    ahead_s = (end - instant_of(clock["now"])) / 1000 - run.settings.step_s * float(clock["rate"])
    if ahead_s < 0:
        raise CannotRun(f"/{run.settings.retiring} ends at {iso(end)}, and it is {clock['now']} already")
    admin.advance(ahead_s)
    return end - round(run.settings.step_s * float(clock["rate"]) * 1000)


def traffic(run: Conductor, end: int) -> list[Asked]:
    """Let users ask for a step before the end and one after it, and return every request that was on record."""
    admin = _admin(run)
    seen: dict[int, Asked] = {}
    run.phase("before its end")
    _watch(run, seen, lambda: _now(admin) >= end)
    run.phase("from its end on")
    step_ms = run.settings.step_s * float(admin.clock()["rate"]) * 1000
    _watch(run, seen, lambda: _now(admin) >= end + step_ms)
    run.drain()
    _look(admin, seen)
    asked = [seen[number] for number in sorted(seen)]
    odd = [one for one in asked if _is_odd(one, end, scored(run.settings.retiring))][:_LOOKED_UP]
    came = {one.number: instant_of(admin.story(one.number)["asked"]["at"]) for one in odd}
    return [one._replace(came_ms=came.get(one.number)) for one in asked]


def checks(run: Conductor, since: int, end: int, asked: Collection[Asked]) -> list[Check]:
    """Check that what retires answers up to its end and refuses from then on, and that nothing else is touched.

    What failed and came before ``since`` is not judged: the clock was moved by minutes while it waited.
    """
    path = scored(run.settings.retiring)
    own = [one for one in asked if one.path == path]
    before = [one for one in own if one.answered_ms < end and not _was_moved(one, since)]
    completed = [one for one in own if one.answered_ms >= end and one.came_ms is not None and one.came_ms < end]
    after = [one for one in own if one.answered_ms >= end and one not in completed]
    first = min((one.number for one in own), default=0)  # what was tried before there were users is not judged
    beside = scoring_path(run.settings.endpoint)
    others = [one for one in asked if one.path == beside and one.number >= first and not _was_moved(one, since)]
    return [
        _all_well("answered until its end", [*before, *completed], f"that ended, or ran already, before {iso(end)}"),
        _all_refused(after, end),
        _all_well("the endpoint beside it", others, "to the endpoint that stays"),
        _none_lost(run, own, asked, sum(_was_moved(one, since) for one in asked)),
    ]


def _was_moved(one: Asked, since: int) -> bool:
    return one.status != _WELL and one.came_ms is not None and one.came_ms < since


def _all_well(name: str, asked: Collection[Asked], which: str) -> Check:
    if not asked:
        return Check(name, INCONCLUSIVE, f"there was no request {which}")
    well = sum(one.status == _WELL for one in asked)
    return held(name, kept=well == len(asked), why=f"of {len(asked):,} requests {which} {well:,} were answered well")


def _all_refused(asked: Collection[Asked], end: int) -> Check:
    name = "refused from its end on"
    if not asked:
        return Check(name, INCONCLUSIVE, f"no request ended from {iso(end)} on")
    answers = sorted({f"{one.status} {one.code}".strip() for one in asked})
    kept = len(answers) == 1 and all(400 <= one.status < 500 for one in asked)  # noqa: PLR2004 - the class of HTTP statuses
    return held(name, kept=kept, why=f"{len(asked):,} requests from {iso(end)} on got {', '.join(answers)}")


def _none_lost(run: Conductor, own: Collection[Asked], asked: Collection[Asked], moved: int) -> Check:
    """Compare what users count with what the server has on record: neither has a request that the other has not."""
    name = "nothing is lost"
    numbers = [one.number for one in asked]
    if len(numbers) != max(numbers, default=0) - min(numbers, default=1) + 1:
        return Check(name, INCONCLUSIVE, "there were more requests than the record tells at once; have fewer --users")
    sent = run.tally.endpoints["/".join(run.settings.retiring.split("/")[:-1])]
    unanswered = run.tally.statuses().get(NO_ANSWER, 0)
    why = f"users sent {sent:,} requests, {len(own):,} are on record, and {unanswered:,} of all had no answer"
    if moved:
        why += f"; {moved:,} that failed while the clock was moved to before the end were not judged"
    return held(name, kept=sent == len(own) and not unanswered, why=why, limit=0.0, value=float(unanswered))


def _is_odd(one: Asked, end: int, path: str) -> bool:
    """Tell whether it matters when a request came: it failed before the end, or was answered after it."""
    if one.answered_ms < end:
        return one.status != _WELL and one.path.endswith("/invocations")
    return one.status == _WELL and one.path == path


def _watch(run: Conductor, seen: dict[int, Asked], done: Any) -> None:
    """Read the record again and again until something is so; raise CannotRun if it takes too long."""
    admin = _admin(run)
    for _ in range(round(run.settings.step_s * _SLACK / _LOOK_S)):
        _look(admin, seen)
        if done():
            return
        run.until(lambda: False, _LOOK_S)
    raise CannotRun("the clock does not come to the instant that is waited for: is it still paced?")


def _look(admin: Admin, seen: dict[int, Asked]) -> None:
    seen.update((one.number, one) for one in map(_asked, admin.requests()))


def _asked(row: dict[str, Any]) -> Asked:
    return Asked(
        int(row["number"]), instant_of(row["instant"]), str(row["path"]), int(row["status"]), row["error_code"] or ""
    )


def _now(admin: Admin) -> int:
    return instant_of(admin.clock()["now"])


def _admin(run: Conductor) -> Admin:
    if run.admin is None:
        raise CannotRun(f"{run.settings.test} moves servesim's clock: set SERVESIM_ADMIN_TOKEN")
    return run.admin
