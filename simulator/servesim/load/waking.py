"""The course of a cold start: to zero by servesim's clock, a burst, and what became of its requests."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.load import endpoint, messages
from servesim.load.calls import CannotRun
from servesim.load.checks import Check, held
from servesim.load.document import INCONCLUSIVE
from servesim.service.instants import instant_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servesim.load.conductor import Conductor

ASLEEP = "Scaled to zero"
SLACK_MS = 2_000.0
"""How late the first answer may be on a machine that has other things to do."""
_IDLE_S = 1_800.0
"""Where the profile is a file's: as long as the real service waits."""
_SPAWN_S = 30.0
MOST_TOLD = 1_000
"""Requests that servesim lists at once."""


class Woken(NamedTuple):
    """One request of a burst, as servesim tells it; times are milliseconds of its clock."""

    round: int
    entity: str
    asked_ms: int
    request_id: str
    """Those of one workspace rise."""
    held_until_ms: int | None
    """None if it was not held."""
    due_ms: int | None
    """When the start that it waited for was to end."""
    status: int | None


def sleep(run: Conductor, number: int) -> None:
    """Let time pass until nothing runs any more; raise CannotRun for what doesn't scale to zero."""
    run.phase(f"to zero, round {number}")
    run.until(lambda: run.running >= run.users, _SPAWN_S)
    if run.admin is None:
        raise CannotRun("cold_start moves servesim's clock: set SERVESIM_ADMIN_TOKEN")
    profile = run.admin.profile()
    run.admin.advance(_IDLE_S if profile is None else profile.idle_to_zero_ms / 1000 + 1)
    if not run.until(lambda: not awake(run), _SPAWN_S):
        names = ", ".join(awake(run))
        raise CannotRun(f"{names} didn't scale to zero: set scale_to_zero_enabled, and send no other requests")


def awake(run: Conductor) -> list[str]:
    """Name the entities with traffic that have not scaled to zero."""
    found = endpoint.read(run.server, run.settings.endpoint)
    return [name for name, share in found.split.items() if share and found.message(name) != ASLEEP]


def burst(run: Conductor, number: int) -> list[Woken]:
    """Send one request of each user at once, wait for the answers, and return what became of them."""
    run.phase(f"burst, round {number}", endpoint.read(run.server, run.settings.endpoint).split)
    messages.tell(run.environment, messages.ROUND, number)
    wanted = number * run.users
    run.until(lambda: run.counted >= wanted, run.settings.duration_s)
    run.look()  # what woke may be asleep again by the next second
    if run.admin is None:
        return []
    stories = run.admin.stories(run.settings.endpoint, min(run.users, MOST_TOLD))
    return sorted(_woken(number, story) for story in stories)


def checks(run: Conductor, woken: list[Woken]) -> list[Check]:
    """Check that all are answered, in order, and the first when its start has ended."""
    wanted = run.settings.rounds * run.users
    statuses = run.tally.statuses()
    well = sum(count for status, count in statuses.items() if status == 200)  # noqa: PLR2004 - as HTTP has it
    listed = ", ".join(f"{status or 'no answer'} x {count:,}" for status, count in statuses.items())
    why = f"of {wanted:,} requests {well:,} were answered well ({listed or 'no answer at all'})"
    return [
        held("all answered", kept=well == wanted, why=why, limit=float(wanted), value=float(well)),
        _held(woken),
        _in_order(woken),
        *_first(woken),
    ]


def _held(woken: list[Woken]) -> Check:
    early = [one for one in woken if one.held_until_ms is None]
    why = f"{len(woken) - len(early):,} of {len(woken):,} requests were held while the endpoint started"
    firsts = {(one.round, one.entity) for one in woken if one.held_until_ms is not None}
    wakened = {(one.round, one.entity) for one in woken}
    return held("requests are held", kept=bool(woken) and firsts == wakened, why=why)


def _in_order(woken: list[Woken]) -> Check:
    """Compare the instants at which requests were let go with the order in which they came, entity by entity."""
    wrong = 0
    for group in _groups(woken).values():
        until = [one.held_until_ms if one.held_until_ms is not None else one.asked_ms for one in group]
        wrong += sum(later < earlier for earlier, later in pairwise(until))
    why = f"{wrong:,} requests were let go before one that had come earlier"
    return held("first in, first out", kept=not wrong, why=why, limit=0.0, value=float(wrong))


def _first(woken: list[Woken]) -> list[Check]:
    lates = [
        float(group[0].held_until_ms - group[0].due_ms)
        for group in _groups(woken).values()
        if group[0].held_until_ms is not None and group[0].due_ms is not None
    ]
    if not lates:
        return [Check("first answer", INCONCLUSIVE, "no request waited for a cold start")]
    starts = [group[0].due_ms - group[0].asked_ms for group in _groups(woken).values() if group[0].due_ms is not None]
    why = (
        f"cold starts took {min(starts) / 1000:.3g} to {max(starts) / 1000:.3g} s, and the first requests went on at "
        f"most {max(lates):.0f} ms after their end"
    )
    kept = min(lates) >= 0 and max(lates) <= SLACK_MS
    return [held("first answer", kept=kept, why=why, limit=SLACK_MS, value=max(lates))]


def _groups(woken: Iterable[Woken]) -> dict[tuple[int, str], list[Woken]]:
    """Return the requests by round and entity, in the order in which they came."""
    found: dict[tuple[int, str], list[Woken]] = {}
    for one in woken:
        found.setdefault((one.round, one.entity), []).append(one)
    return found


def _woken(number: int, story: dict[str, Any]) -> Woken:
    waited, answered = story.get("held") or {}, story.get("answered") or {}
    return Woken(
        number,
        str((story.get("routed") or {}).get("entity")),
        _ms(story["asked"]["at"]) or 0,
        str(story.get("request_id")),
        _ms(waited.get("to")),
        _ms(waited.get("due")) if "cold start" in str(waited.get("waited_for", "")) else None,
        answered.get("status"),
    )


def _ms(instant: str | None) -> int | None:
    return None if instant is None else instant_of(instant)
