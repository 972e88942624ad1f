"""Each invariant holds of a life as it should be, and fails on the same life with one thing wrong in it."""

from __future__ import annotations

import copy

import pytest

from servesim.strategies import invariants
from servesim.strategies.history import Did, History, Invoked, Look
from servesim.strategies.invariants import INVARIANTS, check

T0 = 1_767_603_600_000
MINUTE = 60_000


def entity(name, version="1", state="DEPLOYMENT_READY", created=T0):
    return {
        "name": name,
        "entity_name": "main.m",
        "entity_version": version,
        "state": {"deployment": state},
        "creation_timestamp": created,
    }


def config(number, *entities, start=None):
    names = [one["name"] for one in entities]
    shares = [100 - 10 * (len(names) - 1), *[10] * (len(names) - 1)]
    routes = [{"served_entity_name": n, "traffic_percentage": share} for n, share in zip(names, shares, strict=True)]
    body = {"served_entities": list(entities), "traffic_config": {"routes": routes}, "config_version": number}
    return body if start is None else {**body, "start_time": start}


def look(minute, *, now=None, pending=None, ready="READY", update="NOT_UPDATING", suspend="NOT_SUSPENDED", **more):
    document = {
        "id": more.get("id", "e1"),
        "creation_timestamp": T0,
        "last_updated_timestamp": more.get("updated", T0),
        "state": {"ready": ready, "config_update": update, "suspend": suspend},
    }
    document |= {name: part for name, part in (("config", now), ("pending_config", pending)) if part}
    return Look(T0 + minute * MINUTE, "e", document)


def did(minute, what, status=200, breaks=None):
    return Did(T0 + minute * MINUTE, "e", what, status, breaks)


def invoked(begun, minute, served_by, status=200, **more):
    at = T0 + minute * MINUTE
    return Invoked(begun, T0 + more.get("asked", minute) * MINUTE, at, "e", status, served_by, None, more.get("model"))


OLD, NEW = config(1, entity("a")), config(2, entity("a", "2", created=T0 + 10 * MINUTE), entity("b"))
WAITS = config(2, *({**one, "state": {"deployment": "DEPLOYMENT_CREATING"}} for one in NEW["served_entities"]))
BUSY = {"pending": {**WAITS, "start_time": T0 + 10 * MINUTE}, "update": "IN_PROGRESS", "updated": T0 + 10 * MINUTE}
LATER = {"updated": T0 + 10 * MINUTE}

NEW_BORN = {"ready": "NOT_READY", "update": "IN_PROGRESS"}

LIFE = [
    Look(T0, "e", None),
    did(0, "create"),
    look(0, pending=config(1, entity("a", state="DEPLOYMENT_CREATING"), start=T0), **NEW_BORN),
    look(10, now=OLD),
    did(10, "update", 400, "traffic sum"),
    look(10, now=OLD),
    did(10, "update"),
    look(10, now=OLD, **BUSY),
    invoked(8, 11, "a", model=("main.m", "1")),
    look(11, now=OLD, **BUSY),
    did(11, "update", 409),
    look(11, now=OLD, **BUSY),
    look(20, now=NEW, **LATER),
    invoked(12, 21, "a", asked=21, model=("main.m", "1")),  # asked before the switch
    look(21, now=NEW, **LATER),
    invoked(15, 40, "b"),
    look(40, now=NEW, **LATER),
    did(40, "stop"),
    look(40, now=NEW, ready="NOT_READY", suspend="STOPPED", updated=T0 + 40 * MINUTE),
    invoked(19, 40, None, status=400),
    did(40, "delete"),
    Look(T0 + 41 * MINUTE, "e", None),
]


def life(**changed):
    """Return the life with some of its observations replaced, or put after others (``after_3=``)."""
    seen = copy.deepcopy(LIFE)
    for place, one in sorted(changed.items(), reverse=True):
        kind, _, number = place.partition("_")
        if kind == "at":
            seen[int(number)] = one
        else:
            seen.insert(int(number) + 1, one)
    return History(seen)


def with_part(place, part, **fields):
    """Return an observation of the life with other fields in a part of its document."""
    one = copy.deepcopy(LIFE[place])
    (one.document[part] if part else one.document).update(fields)
    return one


def all_to(name, share):
    return {"routes": [{"served_entity_name": name, "traffic_percentage": share}]}


DOCTORED = {
    "a ready endpoint does not answer": ("a_ready_endpoint_answers", {"at_15": invoked(15, 40, None, 404)}),
    "a ready endpoint does not answer while it is updated": (
        "a_ready_endpoint_answers",
        {"at_8": invoked(8, 11, "a", 500)},
    ),
    "an update takes the old config down": (
        "the_old_config_serves_until_the_new_one_is_ready",
        {"at_9": look(11, now=OLD, **{**BUSY, "ready": "NOT_READY"})},
    ),
    "the new config is there before it is ready": (
        "the_old_config_serves_until_the_new_one_is_ready",
        {"at_12": look(20, now=WAITS, **LATER)},
    ),
    "the new config answers before it is ready": (
        "the_old_config_serves_until_the_new_one_is_ready",
        {"at_8": invoked(8, 11, "b")},
    ),
    "the new version answers under the old name": (
        "the_old_config_serves_until_the_new_one_is_ready",
        {"at_8": invoked(8, 11, "a", model=("main.m", "2"))},
    ),
    "the old config answers who asked after the switch": (
        "a_request_is_answered_by_a_config_of_its_time",
        {"at_15": invoked(15, 24, "a", asked=24, model=("main.m", "1"))},
    ),
    "a stopped endpoint answers": (
        "a_request_is_answered_by_a_config_of_its_time",
        {"at_19": invoked(19, 40, "b")},
    ),
    "the old config answers after its time": (
        "nothing_is_answered_by_what_was_left_long_ago",
        {"at_15": invoked(15, 40, "a", asked=30, model=("main.m", "1"))},
    ),
    "the number goes back": ("config_version_only_grows", {"at_14": look(21, now=OLD, **LATER)}),
    "an update has no new number": (
        "config_version_only_grows",
        {"at_7": look(10, now=OLD, **{**BUSY, "pending": {**WAITS, "config_version": 1}})},
    ),
    "an update changes nothing": ("config_version_only_grows", {"at_7": look(10, now=OLD)}),
    "the shares are not the whole": (
        "shares_sum_to_100",
        {"at_3": with_part(3, "config", traffic_config=all_to("a", 99))},
    ),
    "a route goes to nobody": (
        "shares_sum_to_100",
        {"at_3": with_part(3, "config", traffic_config=all_to("x", 100))},
    ),
    "an update hides what is pending": (
        "an_update_shows_what_is_pending",
        {"at_9": look(11, now=OLD, update="IN_PROGRESS", **LATER)},
    ),
    "something is pending after the update": (
        "an_update_shows_what_is_pending",
        {"at_9": look(11, now=OLD, **{**BUSY, "update": "NOT_UPDATING"})},
    ),
    "a config changes under its number": (
        "a_config_stays_as_it_was_asked_for",
        {"at_14": with_part(14, "config", served_entities=[entity("a", "9"), entity("b")])},
    ),
    "a refusal changes something": (
        "what_is_refused_changes_nothing",
        {"at_5": with_part(5, None, description="changed")},
    ),
    "a broken rule is accepted": ("a_broken_rule_is_refused", {"at_4": did(10, "update", 200, "traffic sum")}),
    "a broken rule is an error of the server": ("a_broken_rule_is_refused", {"at_4": did(10, "update", 500, "x")}),
    "the clock goes back": ("timestamps_never_run_backwards", {"at_15": invoked(15, 20, "b")}),
    "an endpoint is created anew under its id": (
        "timestamps_never_run_backwards",
        {"at_14": with_part(14, None, creation_timestamp=T0 + 1000)},
    ),
    "an update goes back in time": (
        "timestamps_never_run_backwards",
        {"at_14": with_part(14, None, last_updated_timestamp=T0 + 9 * MINUTE)},
    ),
    "a config is older than its endpoint": (
        "timestamps_never_run_backwards",
        {"at_9": with_part(9, "pending_config", start_time=T0 - 1000)},
    ),
}


def test_a_life_as_it_should_be_breaks_nothing():
    check(life())


@pytest.mark.parametrize("case", DOCTORED)
def test_a_doctored_life_breaks_its_invariant(case):
    name, changed = DOCTORED[case]
    history = life(**changed)
    assert list(getattr(invariants, name)(history))
    with pytest.raises(AssertionError, match=rf"(?m)^{name}: endpoint e at \d+: "):
        check(history)


def test_every_invariant_has_a_doctored_life():
    assert {name for name, _ in DOCTORED.values()} == {one.__name__ for one in INVARIANTS}


def test_an_answer_within_the_execution_limit_is_none_too_late():
    late = invoked(12, 24, "a", asked=24, model=("main.m", "1"))
    assert not list(invariants.nothing_is_answered_by_what_was_left_long_ago(life(after_14=late)))
    short = life(after_14=late)._replace(execution_limit_ms=60_000)
    assert list(invariants.nothing_is_answered_by_what_was_left_long_ago(short)) == []  # asked while it was active
    asked_after = late._replace(begun=15)
    assert list(invariants.nothing_is_answered_by_what_was_left_long_ago(life(after_14=asked_after))) == []
    shorter = life(after_14=asked_after)._replace(execution_limit_ms=60_000)
    assert list(invariants.nothing_is_answered_by_what_was_left_long_ago(shorter))


def test_a_user_chooses_what_is_checked():
    history = life(at_15=invoked(15, 24, "a", asked=24, model=("main.m", "1")))
    check(history, [one for one in INVARIANTS if one is not invariants.a_request_is_answered_by_a_config_of_its_time])
