"""What holds of every endpoint at all times, as plain functions of what was seen from outside.

Each invariant yields a sentence for every place of a history that breaks it. What happens between two looks is not
known, so an invariant only says what no order of events between them could explain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from servesim.strategies.history import (
    Did,
    History,
    Invoked,
    Look,
    configs_left,
    entities_of,
    invocations,
    is_ok,
    looks_around,
    looks_found,
    names_in,
    newest_of,
    place_of,
    serves,
    state_of,
    substance_of,
    successive,
    version_of,
    who_answered,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

WHOLE = 100
"""The shares of a config add up to this, in percent."""

Invariant = Callable[[History], Iterable[str]]
"""Yields a sentence for each place that breaks it."""


def check(history: History, invariants: Iterable[Invariant] | None = None) -> None:
    """Raise AssertionError that names every invariant that a history breaks, and where."""
    broken = [
        f"{getattr(invariant, '__name__', invariant)}: {where}"
        for invariant in (INVARIANTS if invariants is None else invariants)
        for where in invariant(history)
    ]
    if broken:
        raise AssertionError("\n".join(broken))


# --- the invariants -------------------------------------------------------------------------------


def a_ready_endpoint_answers(history: History) -> Iterator[str]:
    """An invocation of an endpoint that is READY, and that nobody changes meanwhile, is answered well."""
    for place, asked in invocations(history):
        around = looks_around(history, place, asked)
        if around is None or is_ok(asked.status):
            continue
        gone = any(
            isinstance(one, Did) and one.endpoint == asked.endpoint and one.what in {"stop", "delete"}
            for one in history.seen[asked.begun : place]
        )
        named = {entity["name"] for entity in entities_of(around[0], "config")}
        there = asked.asked_for is None or asked.asked_for in named.intersection(
            *({entity["name"] for entity in entities_of(look, "config")} for look in around)
        )
        if there and not gone and state_of(around[0], "ready") == "READY":
            yield f"{place_of(asked)} it was READY and an invocation got {asked.status}"


def the_old_config_serves_until_the_new_one_is_ready(history: History) -> Iterator[str]:
    """An update takes nothing away: what was READY stays so, and who comes next is deployed when it takes over."""
    for before, after in successive(history):
        if "STOPPED" in {state_of(before, "suspend"), state_of(after, "suspend")}:
            continue
        if version_of(before) == version_of(after):
            if (state_of(before, "ready"), state_of(after, "ready")) == ("READY", "NOT_READY"):
                yield f"{place_of(after)} config {version_of(after)} was READY, and is not any more"
            continue
        for entity in entities_of(after, "config"):
            if (deployment := entity["state"]["deployment"]) not in {"DEPLOYMENT_READY", "DEPLOYMENT_RECOVERING"}:
                yield f"{place_of(after)} config {version_of(after)} serves, and its {entity['name']} is {deployment}"
    for place, asked in invocations(history):
        around = looks_around(history, place, asked)
        if around is None or not is_ok(asked.status):
            continue
        left = (config for _, config in configs_left(history, asked.endpoint, around[-1]))
        if not any(serves(look, asked) for look in (*around, *left)):
            yield f"{place_of(asked)} {who_answered(asked)} answered, which no config that has been active names"


def a_request_is_answered_by_a_config_of_its_time(history: History) -> Iterator[str]:
    """Who answers stands in a config that was active, and not stopped, between the question and the answer."""
    for place, asked in invocations(history):
        around = looks_around(history, place, asked)
        if around is None or not is_ok(asked.status):
            continue
        if not any(serves(look, asked) and state_of(look, "suspend") != "STOPPED" for look in around):
            active = ", ".join(sorted({entity["name"] for look in around for entity in entities_of(look, "config")}))
            yield f"{place_of(asked)} {who_answered(asked)} answered, while those who served were {active or 'nobody'}"


def nothing_is_answered_by_what_was_left_long_ago(history: History) -> Iterator[str]:
    """An entity of a config that was left answers for no longer than the execution limit."""
    for place, asked in invocations(history):
        around = looks_around(history, place, asked)
        if around is None or not is_ok(asked.status) or any(serves(look, asked) for look in around):
            continue
        for left, config in configs_left(history, asked.endpoint, around[-1]):
            if serves(config, asked) and asked.unanswered_at - left <= history.execution_limit_ms:
                break
        else:
            limit = history.execution_limit_ms
            yield f"{place_of(asked)} {who_answered(asked)} answered, whose config was left over {limit} ms ago"


def config_version_only_grows(history: History) -> Iterator[str]:
    """Configs of an endpoint are numbered in the order in which they were asked for, and none comes back."""
    for before, after in successive(history):
        if version_of(after) < version_of(before):
            yield f"{place_of(after)} config_version went from {version_of(before)} to {version_of(after)}"
    for look in looks_found(history):
        pending = version_of(look, "pending_config")
        if pending and pending <= version_of(look):
            yield f"{place_of(look)} pending config {pending} is no later than config {version_of(look)}, which serves"
    for name in names_in(history):
        yield from _updates_without_a_new_number(history, name)


def _updates_without_a_new_number(history: History, name: str) -> Iterator[str]:
    highest: dict[str, int] = {}
    updated = False
    for one in history.seen:
        if one.endpoint != name or isinstance(one, Invoked):
            continue
        if isinstance(one, Did):
            updated |= one.what == "update" and is_ok(one.status)
        elif one.document is not None:
            newest = newest_of(one)
            if updated and one.document["id"] in highest and newest <= highest[one.document["id"]]:
                yield f"{place_of(one)} an update was taken, and the newest config is still {newest}"
            highest[one.document["id"]] = max(newest, highest.get(one.document["id"], 0))
            updated = False


def shares_sum_to_100(history: History) -> Iterator[str]:
    """The routes of a config name its entities, each once, and their shares add up to 100."""
    for look in looks_found(history):
        for part in ("config", "pending_config"):
            routes = ((look.document or {}).get(part) or {}).get("traffic_config", {}).get("routes")
            if routes is None:
                continue
            names = [route["served_entity_name"] for route in routes]
            total = sum(route["traffic_percentage"] for route in routes)
            if total != WHOLE:
                yield f"{place_of(look)} the shares of its {part} add up to {total}"
            if len(set(names)) < len(names) or not {one["name"] for one in entities_of(look, part)}.issuperset(names):
                yield f"{place_of(look)} the routes of its {part} go to {', '.join(names)}"


def an_update_shows_what_is_pending(history: History) -> Iterator[str]:
    """While an update is in progress its config is there to be read; an update that nobody makes shows none."""
    for look in looks_found(history):
        in_progress = state_of(look, "config_update") == "IN_PROGRESS"
        pending = bool((look.document or {}).get("pending_config"))
        if in_progress and not pending:
            yield f"{place_of(look)} an update is IN_PROGRESS and there is no pending_config"
        if pending and state_of(look, "config_update") == "NOT_UPDATING":
            yield f"{place_of(look)} there is a pending_config and nothing is updating"


def a_config_stays_as_it_was_asked_for(history: History) -> Iterator[str]:
    """What a number stands for never changes: its entities, their models, their shares."""
    asked: dict[tuple[str, int], Any] = {}
    for look in looks_found(history):
        for part in ("config", "pending_config"):
            if number := version_of(look, part):
                said = substance_of(look, part)
                if asked.setdefault((look.document["id"], number), said) != said:  # type: ignore[index]  # has a number
                    yield f"{place_of(look)} config {number} is another than it was"


def what_is_refused_changes_nothing(history: History) -> Iterator[str]:
    """An endpoint looks the same before and after a refusal, if no time has passed between.

    One that is being updated may have gone on by itself, but has no newer config.
    """
    for name in names_in(history):
        before: Look | None = None
        done: list[Did] = []
        for one in history.seen:
            if one.endpoint != name or isinstance(one, Invoked):
                continue
            if isinstance(one, Did):
                done.append(one)
                continue
            if before and done and not any(is_ok(did.status) for did in done):
                moving = state_of(before, "config_update") == "IN_PROGRESS"
                changed = newest_of(before) < newest_of(one) if moving else before.document != one.document
                if before.instant == one.instant and changed:
                    yield f"{place_of(one)} {done[-1].what} was refused with {done[-1].status} and changed the endpoint"
            before, done = one, []


def a_broken_rule_is_refused(history: History) -> Iterator[str]:
    """A request that breaks a rule is answered with 4xx."""
    for one in history.seen:
        if isinstance(one, Did) and one.breaks and not 400 <= one.status < 500:  # noqa: PLR2004 - the class of statuses
            yield f"{place_of(one)} {one.what} broke a rule ({one.breaks}) and got {one.status}"


def timestamps_never_run_backwards(history: History) -> Iterator[str]:
    """Neither the clock nor what an endpoint says of its times goes back; what was created stays created then."""
    for before, after in pairwise(history.seen):
        if after.instant < before.instant:
            yield f"{place_of(after)} the clock had been at {before.instant}"
    for before, after in successive(history):
        old, new = before.document or {}, after.document or {}
        if new["creation_timestamp"] != old["creation_timestamp"]:
            yield f"{place_of(after)} its creation_timestamp was {old['creation_timestamp']}"
        if new["last_updated_timestamp"] < old["last_updated_timestamp"]:
            yield f"{place_of(after)} its last_updated_timestamp went back to {new['last_updated_timestamp']}"
    for look in looks_found(history):
        document = look.document or {}
        entities = [*entities_of(look, "config"), *entities_of(look, "pending_config")]
        later = [document["last_updated_timestamp"], *(entity["creation_timestamp"] for entity in entities)]
        if "pending_config" in document:
            later.append(document["pending_config"].get("start_time", later[0]))
        if min(later) < document["creation_timestamp"]:
            yield f"{place_of(look)} something of it is older than itself: {min(later)}"


INVARIANTS: tuple[Invariant, ...] = (
    a_ready_endpoint_answers,
    the_old_config_serves_until_the_new_one_is_ready,
    a_request_is_answered_by_a_config_of_its_time,
    nothing_is_answered_by_what_was_left_long_ago,
    config_version_only_grows,
    shares_sum_to_100,
    an_update_shows_what_is_pending,
    a_config_stays_as_it_was_asked_for,
    what_is_refused_changes_nothing,
    a_broken_rule_is_refused,
    timestamps_never_run_backwards,
)
"""All of them; a real service's routers may lag behind ``a_request_is_answered_by_a_config_of_its_time``."""
