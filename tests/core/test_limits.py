"""What a workspace and an endpoint's owner allow."""

import json
from dataclasses import replace

import pytest

from servesim.core.commands import Admit, ChangeSetting, CreateEndpoint, Finish
from servesim.core.errors import Code, Rejected
from servesim.core.limits import WINDOWS_KEPT
from servesim.core.profile import FAITHFUL, INSTANT, LIMITS, LOAD, MINUTE, PROFILES, SECOND

ALL = FAITHFUL.with_limits("all")


def limit(lab, *limits, setting="rate_limits", name="e"):
    kept = list(limits) if setting == "rate_limits" else {"rate_limits": list(limits)}
    lab.do(ChangeSetting(name, None, setting, json.dumps(kept)))


def ask(lab, principal=None, endpoint="e"):
    ticket = lab.do(Admit(endpoint, principal=principal))
    lab.do(Finish(ticket.number, 200))
    return ticket


def asks(lab, principal=None, *, until=500):
    """Ask until it is refused; return how often it was let in, and the refusal."""
    for count in range(until):
        try:
            ask(lab, principal)
        except Rejected as refusal:
            return count, refusal
    return until, None


def test_which_limits_are_on_is_the_profiles():
    assert {name: profile.limits for name, profile in PROFILES.items() if "@" not in name} == {
        "faithful": ("concurrency", "parallel", "rates"),
        "instant": (),
        "load": ("concurrency", "parallel", "rates"),
    }
    assert [FAITHFUL.with_limits(which).limits for which in ("all", "none", "profile")] == [LIMITS, (), FAITHFUL.limits]
    assert LOAD.queue_limit == FAITHFUL.queue_limit


def test_two_hundred_a_second_in_a_workspace(labs):
    lab = labs(profile=ALL)
    lab.serve()
    lab.create(name="f", serving=True)
    for number in range(200):
        ask(lab, endpoint="ef"[number % 2])
    count, refusal = asks(lab)
    assert (count, refusal.code, refusal.heals_at) == (0, Code.QPS_LIMIT, lab.now + SECOND)
    lab.run(SECOND)
    assert asks(lab)[0] == 200


def test_route_optimized_endpoints_are_not_counted(labs):
    lab = labs(profile=replace(ALL, parallel_limit=3))
    lab.do(CreateEndpoint("e", lab.member("ana"), lab.config(), route_optimized=True, serving=True))
    assert asks(lab) == (500, None)
    assert [str(lab.admit().state) for _ in range(4)] == ["running"] * 4


def test_the_workspaces_parallel_requests(labs):
    lab = labs(profile=replace(FAITHFUL, parallel_limit=6))
    lab.serve()
    tickets = [lab.admit() for _ in range(6)]
    refusal = lab.refusal(Admit("e"))
    assert refusal.code is Code.PARALLEL_LIMIT
    assert refusal.heals_at == lab.now + FAITHFUL.execution_limit_ms
    lab.do(Finish(tickets[0].number, 200))
    assert lab.admit()


def test_an_endpoints_limit_counts_everybodys_requests_for_a_minute(lab):
    lab.serve()
    limit(lab, {"calls": 3, "renewal_period": "minute"})
    lab.run(5 * SECOND)
    bob = lab.member("bob", "admins")
    ask(lab, bob)
    lab.run(20 * SECOND)
    assert asks(lab, bob)[0] == 2
    refusal = asks(lab, bob)[1]
    assert (refusal.code, refusal.fields) == (Code.RATE_LIMIT, {"endpoint": "e", "key": "endpoint", "calls": 3})
    assert refusal.heals_at == lab.now + 40 * SECOND
    lab.run(40 * SECOND)
    assert asks(lab, bob)[0] == 3


def test_a_users_limit_counts_each_by_itself(lab):
    lab.serve()
    ana, bob = lab.member("ana", "admins"), lab.member("bob", "admins")
    limit(lab, {"calls": 2, "key": "user"}, setting="ai_gateway")
    assert [asks(lab, who)[0] for who in (ana, bob, ana)] == [2, 2, 0]
    assert asks(lab)[1] is None  # servesim itself is no user


def test_limits_of_a_group_and_a_principal_are_theirs_alone(lab):
    lab.serve()
    ana, bob = lab.member("ana", "admins", "ops"), lab.member("bob", "admins")
    limit(
        lab,
        {"calls": 1, "key": "user_group", "principal": "ops"},
        {"calls": 3, "key": "service_principal", "principal": "bob"},
    )
    assert [asks(lab, who)[0] for who in (ana, bob)] == [1, 3]


def test_both_kinds_of_settings_limit_and_a_refusal_counts_for_none(lab):
    lab.serve()
    limit(lab, {"calls": 5})
    limit(lab, {"calls": 2, "key": "endpoint"}, {"tokens": 1}, setting="ai_gateway")
    assert asks(lab)[0] == 2
    limit(lab, {"calls": 9}, setting="ai_gateway")
    assert asks(lab)[0] == 3  # of five, two were let in before, and the refusal was not counted


def test_no_calls_at_all_is_a_limit_that_no_time_heals(lab):
    lab.serve()
    limit(lab, {"calls": 0})
    count, refusal = asks(lab)
    assert (count, refusal.heals_at) == (0, None)


def test_where_rates_are_off_settings_are_only_kept(labs):
    lab = labs(profile=INSTANT)
    lab.serve()
    limit(lab, {"calls": 1})
    assert asks(lab)[1] is None


def test_fifty_creates_and_updates_in_five_minutes(labs):
    lab = labs(profile=ALL)
    for number in range(25):
        lab.create(name=f"e{number}")
    lab.run(MINUTE)
    for number in range(25, 50):
        lab.create(name=f"e{number}")
    ana = lab.world.endpoints["e0"].creator
    refusal = lab.refusal(CreateEndpoint("more", ana, lab.config()))
    assert (refusal.code, refusal.heals_at) == (Code.OPERATION_LIMIT, lab.now + 4 * MINUTE)
    lab.run(4 * MINUTE)
    for number in range(25):
        lab.create(name=f"more{number}")
    assert lab.refusal(CreateEndpoint("again", ana, lab.config())).code is Code.OPERATION_LIMIT


def test_an_update_is_an_operation_and_what_a_world_begins_with_is_none(labs):
    lab = labs(profile=replace(ALL, operation_limit=1))
    for number in range(9):
        lab.create(name=f"e{number}", serving=True)
    lab.put(lab.entity("a", "2"), name="e0")
    with pytest.raises(Rejected, match="operation limit"):
        lab.put(lab.entity("a", "2"), name="e1")


def test_windows_are_bounded(lab):
    lab.serve(lab.entity(workload_size="Large"))
    limit(lab, {"calls": 1, "key": "user"})
    people = [lab.member(f"p{number}", "admins") for number in range(3)]
    lab.world.limits._windows.update({("x", str(number)): None for number in range(WINDOWS_KEPT)})
    for person in people:
        ask(lab, person)
    assert len(lab.world.limits._windows) == WINDOWS_KEPT
    assert asks(lab, people[0])[0] == 0


def test_of_many_windows_the_one_that_began_longest_ago_is_forgotten(lab, monkeypatch):
    monkeypatch.setattr("servesim.core.limits.WINDOWS_KEPT", 3)
    lab.serve(lab.entity(workload_size="Large"))
    limit(lab, {"calls": 1, "key": "user"})
    first, second, *others = [lab.member(f"p{number}", "admins") for number in range(4)]
    ask(lab, first)
    ask(lab, second)
    lab.run(MINUTE)
    for person in (first, *others):  # the first one's window begins anew, so the second one's is the oldest
        ask(lab, person)
    assert asks(lab, first)[0] == 0
