"""When orders strike: exactly as often as they say, by draws that no other order changes, and changing nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servesim.core.commands import AddFault, Admit, EndWait, RemoveFault, Strike
from servesim.core.draws import Stream
from servesim.core.faults import FAULT_LIMIT, Fault
from servesim.core.profile import MINUTE, SECOND
from servesim.core.striking import could_strike

STATUS = Fault("status", times=None, operation=None, status=500)
QUERY = replace(STATUS, operation="query")


def order(lab, fault, **changes):
    return lab.do(AddFault(replace(fault, **changes)))


def numbers(struck):
    return () if struck is None else struck.numbers


def call(lab, operation="get_endpoint", endpoint="e", entity="", principal=None):
    return lab.do(Strike(operation, endpoint, entity, principal))


def hits(lab, count):
    """Return which of so many calls were struck at all."""
    return [bool(numbers(call(lab))) for _ in range(count)]


# --- when -----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 6), st.one_of(st.none(), st.integers(1, 6)), st.integers(0, 15))
def test_skip_and_times_are_exact(labs, skip, times, calls):
    lab = labs()
    order(lab, STATUS, skip=skip, times=times)
    last = calls if times is None else skip + times
    assert hits(lab, calls) == [skip <= index < last for index in range(calls)]


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(0, 50), st.lists(st.integers(0, 20), max_size=12))
def test_after_and_before_are_exact(labs, after, before, steps):
    lab = labs()
    begin = lab.now
    order(lab, STATUS, after=begin + after, before=begin + before)
    for step in steps:
        lab.run(step)
        assert hits(lab, 1) == [after <= lab.now - begin < before]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 1), st.integers(0, 3))
def test_a_share_is_drawn_by_how_many_it_matched(labs, seed, share, others):
    lab = labs(seed=seed)
    for _ in range(others):
        order(lab, STATUS, endpoint="nobody")
    number = order(lab, STATUS, share=share)
    stream = Stream(seed, "fault", str(number))
    assert hits(lab, 30) == [stream.fraction(index) < share for index in range(1, 31)]


RULES = st.builds(
    Fault,
    st.sampled_from(["status", "delay", "reset", "garble"]),
    endpoint=st.sampled_from([None, "e", "f"]),
    times=st.one_of(st.none(), st.integers(1, 4)),
    operation=st.sampled_from([None, "get_endpoint", "list_endpoints"]),
    skip=st.integers(0, 3),
    share=st.one_of(st.none(), st.floats(0, 1)),
    delay_ms=st.integers(1, 500),
    delay_p99_ms=st.integers(500, 900),
)


@settings(deadline=None)
@given(st.lists(RULES, max_size=5), st.integers(0, 5), st.lists(st.sampled_from("ef"), max_size=20))
def test_an_order_that_never_matches_changes_no_other_draw(labs, rules, at, calls):
    """Every number from its place on is one higher, so what is drawn by number differs: it goes to the end of them."""
    outcomes = []
    for with_stranger in (False, True):
        lab = labs()
        for rule in rules:
            order(lab, rule)
        if with_stranger:
            order(lab, STATUS, operation="query", endpoint="nobody")
        outcomes.append([call(lab, endpoint=endpoint) for endpoint in calls])
    told = [[(one and (one.numbers, one.delay_ms, one.fault)) for one in outcome] for outcome in outcomes]
    assert told[0] == told[1]


@settings(deadline=None)
@given(st.lists(RULES, max_size=4), RULES)
def test_a_younger_order_changes_nothing_of_what_older_ones_strike(labs, rules, younger):
    struck = []
    for more in ((), (younger,)):
        lab = labs()
        for rule in (*rules, *more):
            order(lab, rule)
        found = [numbers(call(lab)) for _ in range(15)]
        struck.append([tuple(number for number in one if number <= len(rules)) for one in found])
    assert struck[0] == struck[1]


# --- which ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "struck"),
    [
        ({}, True),
        ({"operation": "get_endpoint"}, True),
        ({"operation": "delete_endpoint"}, False),
        ({"operation": "query"}, False),
        ({"operation": "deployment"}, False),
        ({"endpoint": "e"}, True),
        ({"endpoint": "f"}, False),
        ({"entity": "a"}, False),
        ({"principal": "ana@example.com"}, True),
        ({"principal": "bob"}, False),
    ],
    ids=str,
)
def test_a_call_is_struck_by_what_matches_it(lab, ana, where, struck):
    order(lab, STATUS, **where)
    assert bool(numbers(call(lab, principal=ana))) == struck


@pytest.mark.parametrize(
    ("where", "struck"),
    [
        ({}, "ab"),
        ({"operation": "query_endpoint"}, "ab"),
        ({"operation": "query_served_entity"}, ""),
        ({"entity": "a"}, "a"),
        ({"entity": "c"}, ""),
        ({"endpoint": "f"}, ""),
    ],
    ids=str,
)
def test_a_scoring_request_is_struck_by_what_answers_it(lab, where, struck):
    lab.serve(lab.entity("a"), lab.entity("b"), a=50, b=50)
    order(lab, QUERY, **where)
    tickets = [lab.admit() for _ in range(40)]
    assert {one.entity for one in tickets} == {"a", "b"}
    assert {one.entity for one in tickets if one.struck} == set(struck)


def test_a_request_for_one_entity_is_an_operation_of_its_own(lab):
    lab.serve()
    order(lab, QUERY, operation="query_served_entity")
    assert (lab.admit().struck, lab.admit("a").struck.numbers) == (None, (1,))


def test_of_one_kind_the_oldest_strikes_and_of_others_one_more_each(lab):
    delay = Fault("delay", operation=None, times=None, delay_ms=SECOND)
    for fault in (STATUS, delay, STATUS, delay, Fault("garble", operation=None, times=None)):
        order(lab, fault)
    struck = call(lab)
    assert (struck.numbers, struck.effects, struck.fault.status, struck.delay_ms) == (
        (1, 2),
        ("status", "delay"),
        500,
        SECOND,
    )
    assert [(one.matched, one.struck) for one in lab.world.faults.orders.values()] == [
        (1, 1),
        (1, 1),
        (1, 0),
        (1, 0),
        (1, 0),
    ]


def test_what_was_passed_over_is_not_used_up(lab):
    order(lab, STATUS, times=1)
    order(lab, STATUS, times=1)
    assert [numbers(call(lab)) for _ in range(3)] == [(1,), (2,), ()]
    assert [one.number for one in lab.world.faults.used] == [1, 2]
    assert lab.world.faults.orders == {}


def test_what_is_used_up_is_remembered_for_a_while(lab):
    for _ in range(FAULT_LIMIT + 5):
        order(lab, STATUS, times=1)
        call(lab)
    assert len(lab.world.faults.used) == FAULT_LIMIT
    assert lab.world.faults.used[0].number == 6


# --- what it does to the world --------------------------------------------------------------------


def without_faults(lab):
    return {name: part for name, part in lab.snapshot().items() if name not in {"faults", "log", "logged"}}


@pytest.mark.parametrize("effect", ["status", "reset", "expire_token", "garble", "truncate", "lose_reply", "stale"])
def test_a_call_that_is_struck_has_changed_nothing(lab, effect):
    lab.serve()
    order(lab, STATUS, effect=effect)
    before = without_faults(lab)
    assert numbers(call(lab)) == (1,)
    assert without_faults(lab) == before


@pytest.mark.parametrize("effect", ["reset", "expire_token"])
def test_a_request_that_nobody_hears_of_takes_no_slot_and_wakes_nothing(lab, effect):
    lab.serve(lab.entity(scale_to_zero=True))
    lab.run(40 * MINUTE)
    order(lab, QUERY, effect=effect, times=1)
    ticket = lab.admit()
    assert (ticket.state, lab.deployment().phase, lab.world.tickets) == ("refused", "scaled to zero", {})
    assert lab.admit().state == "held"


@pytest.mark.parametrize("effect", ["status", "crash", "garble", "lose_reply"])
def test_any_other_request_goes_its_way(lab, effect):
    lab.serve()
    order(lab, QUERY, effect=effect)
    ticket = lab.admit()
    assert (ticket.state, ticket.struck.effects, lab.deployment().in_flight) == ("running", (effect,), 1)


def test_a_request_that_is_refused_counts_for_no_order(lab):
    lab.serve()
    order(lab, QUERY, effect="skew", split=(("a", 100),))
    lab.do(AddFault(QUERY))
    lab.stop()
    assert lab.refusal(Admit("e")).code == "stopped"
    assert [one.matched for one in lab.world.faults.orders.values()] == [0, 0]


def test_a_skewed_router_deals_by_its_split_and_the_draws_stay(lab, labs):
    def world():
        lab = labs()
        lab.serve(lab.entity("a"), lab.entity("b"), a=90, b=10)
        return lab

    sound, skewed = world(), world()
    order(skewed, QUERY, effect="skew", split=(("a", 10), ("b", 90)), entity=None)
    usual, others = [sound.admit() for _ in range(100)], [skewed.admit() for _ in range(100)]
    assert [one.draw for one in usual] == [one.draw for one in others]
    for ticket in others:
        assert ticket.entity == ("a" if ticket.draw < 0.1 else "b")
    assert [one.struck.effects for one in others] == [("skew",)] * 100


def test_a_split_with_strangers_waits_for_a_config_that_has_them(lab):
    lab.serve(lab.entity("a"))
    order(lab, QUERY, effect="skew", split=(("a", 0), ("b", 100)))
    assert (lab.admit().entity, lab.world.faults.orders[1].matched) == ("a", 0)
    assert lab.admit("a").struck is None


# --- delays ---------------------------------------------------------------------------------------


def test_a_delayed_call_waits_for_its_timer(lab):
    order(lab, Fault("delay", operation="get_endpoint", delay_ms=MINUTE))
    wait = call(lab).wait
    lab.run(MINUTE - 1)
    assert not wait.over
    lab.run(1)
    assert wait.over
    assert lab.world.faults.waits == {}


def test_who_gives_up_leaves_nothing_pending(lab):
    order(lab, Fault("delay", operation="get_endpoint", delay_ms=MINUTE))
    wait = call(lab).wait
    for _ in range(2):
        lab.do(EndWait(wait.number))
    assert (lab.world.faults.waits, lab.world.timeline.pending()) == ({}, [])


def test_a_delay_is_drawn_by_how_often_it_struck(lab):
    order(lab, Fault("delay", operation="query", times=None, delay_ms=300, delay_p99_ms=900))
    lab.serve()
    drawn = [lab.admit().delay_ms for _ in range(200)]
    assert len(set(drawn)) > 100
    assert 250 < sorted(drawn)[100] < 350
    assert 600 < sorted(drawn)[197] < 1_500


# --- what could strike ----------------------------------------------------------------------------


def test_whether_a_scoring_request_could_be_struck(lab):
    order(lab, QUERY, endpoint="e", before=lab.now + MINUTE)
    order(lab, STATUS, operation="get_endpoint")
    assert (could_strike(lab.world, "e"), could_strike(lab.world, "f")) == (True, False)
    lab.run(MINUTE)
    assert not could_strike(lab.world, "e")
    lab.do(RemoveFault(1))
    assert lab.world.faults.queries == []
