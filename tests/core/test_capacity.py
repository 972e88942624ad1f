"""Slots, queue, replicas, service times and what they add up to."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servesim.core.capacity import Range, accounts, range_of
from servesim.core.commands import Alarm, DeleteEndpoint, Finish, GiveUp, WorkerDied
from servesim.core.deployment import Phase
from servesim.core.errors import Code
from servesim.core.model_commands import AddModel
from servesim.core.profile import FAITHFUL, INSTANT, MINUTE, SECOND
from servesim.core.registry import ModelVersion
from servesim.core.spread import Spread, constant
from servesim.generations.ga import render_endpoint
from servesim.generations.ga_metrics import render

START = replace(FAITHFUL, replica_start_ms=(10 * SECOND, 10 * SECOND), cold_start_ms=(15 * SECOND, 15 * SECOND))


@pytest.fixture
def lab(labs):
    return labs(profile=START)


def taking(lab, spread):
    lab.do(AddModel(ModelVersion("m", "1", "stub", "{}", service_time=spread)))


def states(tickets):
    return [str(ticket.state) for ticket in tickets]


def provisioned(lab, entity="a"):
    return lab.deployment(entity).provisioned


def end(lab, tickets, status=200):
    for ticket in tickets:
        lab.do(Finish(ticket.number, status))


def account(lab, entity="a"):
    return next(one for one in accounts(lab.world) if one.entity == entity)


# --- how far an entity scales ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (4, 4)),
        ({"workload_size": "Small"}, (4, 4)),
        ({"workload_size": "Medium"}, (8, 16)),
        ({"workload_size": "Large", "scale_to_zero": True}, (16, 64)),
        ({"min_concurrency": 8, "max_concurrency": 32}, (8, 32)),
        ({"min_concurrency": 0, "max_concurrency": 32}, (4, 32)),
        ({"min_concurrency": 0, "max_concurrency": 2}, (2, 2)),
        ({"max_concurrency": 8}, (4, 8)),
        ({"min_concurrency": 12}, (12, 12)),
    ],
)
def test_sizes_and_ranges_are_requests_in_flight(lab, changes, expected):
    entity = lab.entity(**changes)
    assert range_of(entity) == Range(*expected)
    lab.serve(entity)
    assert provisioned(lab) == expected[0]


# --- slots and the queue --------------------------------------------------------------------------


def test_one_more_than_provisioned_waits_and_takes_the_slot_that_gets_free(lab):
    lab.serve()
    first = [lab.admit() for _ in range(6)]
    assert states(first) == ["running"] * 4 + ["held"] * 2
    lab.run(2 * SECOND)
    end(lab, [first[2]])
    assert states(first) == ["running"] * 2 + ["done", "running", "running", "held"]
    assert first[4].started - first[4].admitted == 2 * SECOND
    assert list(lab.world.released) == [first[4]]


def test_past_its_bound_the_queue_refuses_and_the_draw_is_used(labs):
    lab = labs(profile=replace(START, queue_limit=3))
    endpoint = lab.serve()
    tickets = [lab.admit() for _ in range(9)]
    assert states(tickets) == ["running"] * 4 + ["held"] * 3 + ["refused"] * 2
    assert {ticket.refusal.code for ticket in tickets[7:]} == {Code.QUEUE_FULL}
    assert endpoint.requests == 9
    assert len(lab.world.tickets) == 7
    window = lab.deployment().traffic.window(lab.now)
    assert (window.requests, window.errors_4xx) == (2, 2)


def test_a_full_queue_is_full_during_a_cold_start_too(labs):
    lab = labs(profile=replace(START, queue_limit=5))
    lab.serve(lab.entity(scale_to_zero=True))
    lab.run(30 * MINUTE)
    tickets = [lab.admit() for _ in range(6)]
    assert states(tickets) == ["held"] * 5 + ["refused"]
    assert tickets[5].refusal.heals_at == lab.now + 15 * SECOND


def test_a_refusal_says_when_a_slot_gets_free(labs):
    lab = labs(profile=replace(START, queue_limit=0))
    taking(lab, constant(300))
    lab.serve()
    tickets = [lab.admit() for _ in range(4)]
    end(lab, tickets)
    assert states(tickets) == ["answered"] * 4
    assert lab.admit().refusal.heals_at == lab.now + 300
    lab.run(300)
    assert str(lab.admit().state) == "running"


def test_without_limits_there_is_always_a_slot(labs):
    lab = labs(profile=INSTANT)
    lab.serve()
    assert states(lab.admit() for _ in range(500)) == ["running"] * 500
    assert provisioned(lab) == 4


def test_who_gives_up_gives_its_slot_to_the_next(lab):
    lab.serve()
    tickets = [lab.admit() for _ in range(5)]
    lab.do(GiveUp(tickets[0].number, "gone"))
    assert states(tickets) == ["refused"] + ["running"] * 4


def test_entities_have_slots_of_their_own(lab):
    lab.serve(lab.entity("a"), lab.entity("b", "2"), a=50, b=50)
    full = [lab.admit("a") for _ in range(5)]
    assert states([*full, lab.admit("b")]) == ["running"] * 4 + ["held", "running"]


def test_a_deployment_that_leaves_answers_its_queue_within_its_slots(lab):
    lab.serve()
    old = lab.deployment()
    tickets = [lab.admit() for _ in range(10)]
    lab.do(DeleteEndpoint("e"))
    assert states(tickets) == ["running"] * 4 + ["refused"] * 6
    assert old.phase is Phase.DRAINING
    end(lab, tickets[:4])
    assert old.phase is Phase.GONE


def test_an_update_lets_the_queue_of_the_old_deployment_go_on(lab):
    lab.serve()
    old = lab.deployment()
    lab.put(lab.entity("a", "2"))
    lab.run(10 * MINUTE - SECOND)
    tickets = [lab.admit() for _ in range(10)]
    lab.run(SECOND)
    assert (old.phase, states(tickets)) == (Phase.DRAINING, ["running"] * 4 + ["held"] * 6)
    for number in range(10):
        assert old.in_flight == min(4, 10 - number)
        end(lab, [tickets[number]])
    assert (old.phase, states(tickets)) == (Phase.GONE, ["done"] * 10)


def test_a_recovery_keeps_the_queue_and_who_ran_ends(lab):
    lab.serve()
    tickets = [lab.admit() for _ in range(6)]
    lab.do(WorkerDied(lab.deployment().id))
    end(lab, tickets[:4], 500)
    assert states(tickets[4:]) == ["held"] * 2
    lab.run(30 * SECOND)
    assert states(tickets[4:]) == ["running"] * 2


def test_what_is_in_flight_when_a_recovery_fails_keeps_its_slot_until_it_ends(lab):
    lab.serve()
    tickets = [lab.admit() for _ in range(3)]
    deployment = lab.deployment()
    lab.load_errors["a"] = "no such file"
    lab.do(WorkerDied(deployment.id))
    lab.run(30 * SECOND)
    assert (deployment.phase, deployment.in_flight, deployment.provisioned) == (Phase.FAILED, 3, 3)
    end(lab, tickets[:2])
    assert (deployment.in_flight, deployment.provisioned) == (1, 1)
    lab.do(GiveUp(tickets[2].number, "gone"))
    assert deployment.provisioned == 0


# --- service times --------------------------------------------------------------------------------


def test_an_answer_is_due_once_its_time_is_over(lab):
    taking(lab, constant(400))
    lab.serve()
    ticket = lab.admit()
    lab.do(Finish(ticket.number, 200))
    assert (states([ticket]), lab.deployment().in_flight) == (["answered"], 1)
    lab.run(399)
    assert states([ticket]) == ["answered"]
    lab.run(1)
    assert (states([ticket]), lab.deployment().in_flight, ticket.ended) == (["done"], 0, lab.now)
    assert list(lab.world.released) == [ticket]
    assert lab.deployment().traffic.window(lab.now).work.total_ms == 400


def test_work_that_took_longer_is_not_held_up(lab):
    taking(lab, constant(400))
    lab.serve()
    ticket = lab.admit(timed=True)
    lab.run(500)
    lab.do(Finish(ticket.number, 200))
    assert states([ticket]) == ["done"]
    assert lab.world.timeline.peek() is None


def test_a_time_past_the_execution_limit_ends_there(lab):
    taking(lab, constant(FAITHFUL.execution_limit_ms + 1))
    lab.serve()
    ticket = lab.admit()
    lab.do(Finish(ticket.number, 200))
    lab.run(FAITHFUL.execution_limit_ms)
    assert ticket.refusal.code is Code.EXECUTION_LIMIT
    assert lab.deployment().in_flight == 0


def test_times_are_drawn_for_each_request_of_a_deployment(lab):
    taking(lab, Spread(300, 900))
    lab.serve()
    drawn = []
    for ordinal in range(1, 30):
        ticket = lab.admit()
        drawn.append(ticket.until - lab.now)
        lab.do(Finish(ticket.number, 200))
        lab.run(MINUTE)
        stream = lab.world.draws.stream("service time", lab.deployment().id)
        assert drawn[-1] == Spread(300, 900).drawn(stream, ordinal)
    assert len(set(drawn)) > 20


def test_a_queue_behind_service_times_is_answered_first_in_first_out(lab):
    taking(lab, constant(1_000))
    lab.serve()
    tickets = [lab.admit() for _ in range(12)]
    for ticket in tickets[:4]:
        lab.do(Finish(ticket.number, 200))
    ended = []
    for _ in range(3):
        lab.run(1_000)
        ended.append([ticket.number for ticket in tickets if ticket.ended == lab.now])
        for ticket in tickets:
            lab.do(Finish(ticket.number, 200))
    assert ended == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]


# --- replicas -------------------------------------------------------------------------------------


def test_demand_orders_replicas_at_once_which_come_after_their_start(lab):
    lab.serve(lab.entity(workload_size="Medium"))
    tickets = [lab.admit() for _ in range(14)]
    assert states(tickets).count("held") == 6
    lab.run(10 * SECOND - 1)
    assert provisioned(lab) == 8
    lab.run(1)
    assert provisioned(lab) == 16
    assert states(tickets) == ["running"] * 14
    assert [line.detail for line in lab.events("scaled")] == ["12 requests in flight", "16 requests in flight"]


def test_no_more_is_ordered_than_its_range_has_or_is_on_its_way(lab):
    lab.serve(lab.entity(min_concurrency=4, max_concurrency=10))
    for _ in range(40):
        lab.admit()
    coming = [timer for timer in lab.deployment().timers if timer.event.what is Alarm.REPLICA_UP]
    assert len(coming) == 2
    lab.run(MINUTE)
    assert provisioned(lab) == 10


def test_what_is_not_needed_goes_at_the_next_look(lab):
    lab.serve(lab.entity(workload_size="Medium"))
    tickets = [lab.admit() for _ in range(14)]
    lab.run(10 * SECOND)
    end(lab, tickets[3:])
    lab.run(5 * MINUTE)
    assert provisioned(lab) == 16  # they were needed in these five minutes
    lab.run(5 * MINUTE)
    assert provisioned(lab) == 8
    assert [str(ticket.state) for ticket in tickets[:3]] == ["running"] * 3
    assert not [timer for timer in lab.deployment().timers if timer.event.what is Alarm.SCALE_DOWN]


def test_what_was_not_needed_goes_after_a_recovery_too(lab):
    lab.serve(lab.entity(workload_size="Medium"))
    tickets = [lab.admit() for _ in range(14)]
    lab.run(10 * SECOND)
    end(lab, tickets)
    lab.do(WorkerDied(lab.deployment().id))
    lab.run(30 * SECOND)
    assert (lab.deployment().phase, provisioned(lab)) == (Phase.READY, 16)
    lab.run(10 * MINUTE)
    assert provisioned(lab) == 8


def test_what_is_in_flight_is_never_taken_away(lab):
    lab.serve(lab.entity(workload_size="Medium"))
    tickets = [lab.admit() for _ in range(14)]
    lab.run(10 * SECOND)
    end(lab, tickets)
    assert states([lab.admit() for _ in range(9)]) == ["running"] * 9
    lab.run(11 * MINUTE)
    assert (lab.deployment().in_flight, provisioned(lab)) == (9, 12)


def test_idle_for_half_an_hour_it_scales_to_zero_with_all_its_replicas(lab):
    lab.serve(lab.entity(workload_size="Large", scale_to_zero=True))
    tickets = [lab.admit() for _ in range(40)]
    lab.run(10 * SECOND)
    end(lab, tickets)
    lab.run(30 * MINUTE)
    assert (lab.deployment().phase, provisioned(lab)) == (Phase.SCALED_TO_ZERO, 0)
    assert lab.world.timeline.peek() is None


def test_a_cold_start_brings_the_least_and_orders_the_rest(lab):
    lab.serve(lab.entity(workload_size="Large", scale_to_zero=True))
    lab.run(30 * MINUTE)
    tickets = [lab.admit() for _ in range(30)]
    lab.run(15 * SECOND)
    assert states(tickets) == ["running"] * 16 + ["held"] * 14
    assert [ticket.number for ticket in lab.world.released] == list(range(1, 17))
    lab.run(10 * SECOND)
    assert states(tickets) == ["running"] * 30


def test_metrics_and_state_messages_show_each_moment(lab):
    endpoint = lab.serve(lab.entity(workload_size="Medium", scale_to_zero=True))

    def shown():
        line = next(one for one in render(lab.world, endpoint).splitlines() if one.startswith("provisioned_"))
        (entity,) = render_endpoint(lab.world, endpoint)["config"]["served_entities"]
        assert entity["state"]["deployment"] == "DEPLOYMENT_READY"
        return float(line.split()[1]), entity["state"]["deployment_state_message"]

    seen = [shown()]
    tickets = [lab.admit() for _ in range(14)]
    for minutes in (1, 6, 5, 31):
        lab.run(minutes * MINUTE)
        seen.append(shown())
        end(lab, tickets)
    assert seen == [(8, ""), (16, ""), (16, ""), (8, ""), (0, "Scaled to zero")]
    lab.admit()
    assert shown() == (0, "Scaled to zero")
    lab.run(15 * SECOND)
    assert shown() == (8, "")


def test_a_recovering_entity_keeps_what_it_has_and_goes_on_using_it(lab):
    endpoint = lab.serve(lab.entity(workload_size="Medium"))
    lab.do(WorkerDied(lab.deployment().id))
    lab.run(20 * SECOND)
    assert 'provisioned_concurrent_requests_total{served_entity="a"} 8 ' in render(lab.world, endpoint)
    assert account(lab).used.slot_ms == 8 * 20 * SECOND


# --- what it adds up to ---------------------------------------------------------------------------


def test_replica_seconds_queue_time_and_cold_starts(lab):
    lab.serve(lab.entity(scale_to_zero=True))
    lab.run(30 * MINUTE)
    assert account(lab).used.replica_ms == 30 * MINUTE
    tickets = [lab.admit() for _ in range(5)]
    lab.run(15 * SECOND)
    end(lab, tickets)
    lab.run(SECOND)
    used = account(lab).used
    assert (used.requests, used.queued, used.queue_ms) == (5, 5, 5 * 15 * SECOND)
    assert (used.cold_starts, used.refused) == (1, 0)
    assert used.replica_ms == 30 * MINUTE + SECOND
    assert used.slot_ms == 4 * used.replica_ms


def test_an_account_outlives_its_deployments_and_adds_them_up(lab):
    lab.serve()
    end(lab, [lab.admit()])
    lab.run(10 * MINUTE)
    lab.put(lab.entity("a", "2"))
    lab.run(20 * MINUTE)
    end(lab, [lab.admit()])
    lab.do(DeleteEndpoint("e"))
    one = account(lab)
    assert (one.used.requests, one.provisioned) == (2, 0)
    assert one.used.replica_ms > 30 * MINUTE - 1
    lab.run(MINUTE)
    assert account(lab) == one


def test_accounts_are_bounded(labs, monkeypatch):
    from servesim.core import capacity

    monkeypatch.setattr(capacity, "ENTITIES_KEPT", 3)
    lab = labs(profile=INSTANT)
    for number in range(6):
        lab.create(name=f"e{number}", serving=True)
        end(lab, [lab.admit(endpoint=f"e{number}")])
        lab.do(DeleteEndpoint(f"e{number}"))
    assert [key[0] for key in lab.world.usage] == ["e3", "e4", "e5"]


# --- whatever comes -------------------------------------------------------------------------------

ARRIVALS = st.lists(st.tuples(st.integers(0, 3_000), st.sampled_from([None, "a", "b"])), max_size=120)


def play(labs, arrivals, seed):
    """Send requests at their instants, answer each as soon as it runs, and return them once all is quiet."""
    lab = labs(seed=seed, profile=replace(START, queue_limit=6))
    taking(lab, Spread(900, 4_000))
    lab.serve(lab.entity("a", scale_to_zero=True), lab.entity("b", workload_size="Medium"), a=60, b=40)
    tickets, most = [], {"a": 0, "b": 0}

    def answer():
        for ticket in tickets:
            if ticket.state == "running":
                lab.do(Finish(ticket.number, 200))
        for name, earlier in most.items():
            deployment = lab.deployment(name)
            assert deployment.in_flight <= deployment.provisioned
            most[name] = max(earlier, deployment.in_flight)

    for pause, entity in arrivals:
        for _ in range(5):
            lab.run(pause // 5)
            answer()
        tickets.append(lab.admit(entity))
        answer()
    while any(ticket.state in {"held", "running", "answered"} for ticket in tickets):
        lab.step()
        answer()
    return tickets, most


@settings(max_examples=60, deadline=None)
@given(arrivals=ARRIVALS, seed=st.integers(0, 3))
def test_no_request_is_lost_answered_twice_or_out_of_turn(labs, arrivals, seed):
    tickets, most = play(labs, arrivals, seed)
    assert most["a"] <= 4
    assert most["b"] <= 16
    assert {str(ticket.state) for ticket in tickets} <= {"done", "refused"}
    for name in ("a", "b"):
        began = [ticket.started for ticket in tickets if ticket.entity == name and ticket.state == "done"]
        assert began == sorted(began)
    again, _ = play(labs, arrivals, seed)
    assert [(one.entity, one.state, one.started, one.ended) for one in again] == [
        (one.entity, one.state, one.started, one.ended) for one in tickets
    ]
