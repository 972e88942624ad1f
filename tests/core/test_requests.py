"""Requests: admitted, held, running, answered, refused, and the limit on each."""

from dataclasses import replace

import pytest

from servesim.core.commands import DeleteEndpoint, Finish, GiveUp, LoadFinished, WorkerDied
from servesim.core.errors import Code
from servesim.core.profile import FAITHFUL, MINUTE, SECOND

LIMIT = 297 * SECOND
IDLE = 30 * MINUTE


def asleep(lab):
    """Serve with one entity that has scaled to zero."""
    lab.serve(lab.entity(scale_to_zero=True))
    lab.run(IDLE)
    deployment = lab.deployment()
    assert deployment.phase == "scaled to zero"
    return deployment


def swapped(lab):
    """Replace what serves and stop one millisecond before the switch."""
    lab.serve(lab.entity(scale_to_zero=True))
    lab.put(lab.entity(version="2"))
    lab.run(10 * MINUTE - 1)


# --- scale to zero --------------------------------------------------------------------------------


def test_thirty_idle_minutes_scale_to_zero_and_the_endpoint_stays_ready(lab):
    endpoint = lab.serve(lab.entity(scale_to_zero=True))
    lab.run(IDLE - 1)
    assert lab.deployment().phase == "ready"
    lab.run(1)
    assert lab.deployment().phase == "scaled to zero"
    assert lab.world.is_ready(endpoint)
    assert lab.world.timeline.pending() == []


def test_an_entity_that_may_not_scale_to_zero_never_does(lab):
    lab.serve()
    lab.do(Finish(lab.admit().number, 200))
    lab.run(100 * IDLE)
    assert lab.deployment().phase == "ready"


def test_a_request_postpones_it(lab):
    lab.serve(lab.entity(scale_to_zero=True))
    lab.run(20 * MINUTE)
    lab.do(Finish(lab.admit().number, 200))
    lab.run(IDLE - 1)
    assert lab.deployment().phase == "ready"
    lab.run(1)
    assert lab.deployment().phase == "scaled to zero"


def test_a_request_that_runs_postpones_it_until_thirty_minutes_after_its_end(lab):
    lab.serve(lab.entity(scale_to_zero=True))
    lab.run(29 * MINUTE)
    ticket = lab.admit()
    lab.run(100 * MINUTE)
    assert lab.deployment().phase == "ready"
    lab.do(Finish(ticket.number, 200))
    lab.run(IDLE - 1)
    assert lab.deployment().phase == "ready"
    lab.run(1)
    assert lab.deployment().phase == "scaled to zero"


def test_of_two_requests_the_last_to_end_counts(lab):
    lab.serve(lab.entity(scale_to_zero=True))
    one, other = lab.admit(), lab.admit()
    lab.run(IDLE)
    lab.do(Finish(one.number, 200))
    lab.run(MINUTE)
    lab.do(GiveUp(other.number, "gone"))
    lab.run(IDLE - 1)
    assert lab.deployment().phase == "ready"
    lab.run(1)
    assert lab.deployment().phase == "scaled to zero"


def test_no_idle_time_at_all_makes_no_endless_loop(labs):
    lab = labs(profile=replace(FAITHFUL, idle_to_zero_ms=0))
    lab.serve(lab.entity(scale_to_zero=True))
    lab.run()
    ticket = lab.admit()
    lab.run(MINUTE)
    assert (lab.deployment().phase, ticket.state) == ("ready", "running")
    lab.do(Finish(ticket.number, 200))
    lab.run()
    assert lab.deployment().phase == "scaled to zero"


# --- cold starts ----------------------------------------------------------------------------------


def test_a_cold_start_takes_10_to_20_seconds_by_draw_and_each_its_own(lab):
    deployment = asleep(lab)
    took = []
    for _ in range(12):
        ticket = lab.admit()
        asked = lab.now
        assert (ticket.state, deployment.phase) == ("held", "starting")
        while ticket.state == "held":
            lab.step()
        took.append(lab.now - asked)
        lab.do(Finish(ticket.number, 200))
        lab.run(IDLE)
    drawn = lab.world.draws.stream("cold start", deployment.id)
    assert took == [drawn.between(number, 10_000, 20_000) for number in range(1, 13)]
    assert len(set(took)) > 6


def test_who_came_first_goes_on_first(lab):
    deployment = asleep(lab)
    tickets = [lab.admit() for _ in range(5)]
    lab.run(5 * SECOND)
    tickets += [lab.admit("a") for _ in range(5)]
    assert (len(deployment.held), deployment.in_flight) == (10, 0)
    assert len(lab.events("deployment starting")) == 1
    lab.run(15 * SECOND)
    assert list(lab.world.released) == tickets[:4]
    for ticket in tickets[:6]:
        lab.do(Finish(ticket.number, 200))
    assert list(lab.world.released) == tickets
    assert {ticket.state for ticket in tickets[6:]} == {"running"}
    assert (len(deployment.held), deployment.in_flight) == (0, 4)


def test_a_held_request_can_give_up_and_the_others_go_on(lab):
    deployment = asleep(lab)
    tickets = [lab.admit() for _ in range(3)]
    lab.do(GiveUp(tickets[1].number, "the client went away"))
    assert tickets[1].refusal.code is Code.NOT_SERVED
    lab.run(20 * SECOND)
    assert list(lab.world.released) == [tickets[1], tickets[0], tickets[2]]
    assert deployment.in_flight == 2


def test_a_cold_start_whose_only_request_gave_up_still_ends(lab):
    deployment = asleep(lab)
    lab.do(GiveUp(lab.admit().number, "the client went away"))
    lab.run(20 * SECOND)
    assert deployment.phase == "ready"
    lab.run(IDLE)
    assert deployment.phase == "scaled to zero"


def test_a_swap_does_not_lose_a_request_that_a_cold_start_holds(lab):
    """Its deployment leaves the config, starts all the same, answers, and goes."""
    lab.serve(lab.entity(scale_to_zero=True))
    lab.run(25 * MINUTE)
    lab.put(lab.entity(version="2"))
    lab.run(10 * MINUTE - 1)
    ticket = lab.admit()
    lab.run(1)
    assert (ticket.state, ticket.deployment.phase) == ("held", "leaving")
    assert lab.admit().deployment.spec.version == "2"
    lab.run(20 * SECOND)
    assert (ticket.state, ticket.deployment.phase) == ("running", "draining")
    lab.do(Finish(ticket.number, 200))
    assert ticket.deployment.phase == "gone"


@pytest.mark.parametrize(("phase", "died_before"), [("recovering", SECOND), ("reloading", 40 * SECOND)])
@pytest.mark.parametrize("error", [None, "no such file"])
def test_a_swap_does_not_lose_a_request_that_a_recovery_holds(lab, phase, died_before, error):
    lab.serve()
    lab.put(lab.entity("b"))
    old = lab.deployment()
    lab.run(10 * MINUTE - died_before)
    lab.do(WorkerDied(old.id))
    ticket = lab.admit()
    lab.hanging.add("a")
    lab.run(died_before - 1)
    assert old.phase == phase
    lab.run(1)
    assert (old.phase, ticket.state) == ("leaving", "held")
    lab.do(LoadFinished(old.id, error))
    lab.run(30 * SECOND)
    assert (old.phase, ticket.state) == ("draining", "running")
    lab.do(Finish(ticket.number, 200))
    assert old.phase == "gone"


# --- a worker's death -----------------------------------------------------------------------------


def test_a_worker_that_dies_recovers_and_holds_requests_meanwhile(lab):
    endpoint = lab.serve(lab.entity(scale_to_zero=True))
    deployment = lab.deployment()
    running = lab.admit()
    lab.do(GiveUp(running.number, "the process ended"))
    lab.do(WorkerDied(deployment.id))
    assert (deployment.phase, lab.world.is_ready(endpoint)) == ("recovering", False)
    held = lab.admit()
    assert held.state == "held"
    lab.hanging.add("a")
    lab.run(30 * SECOND)
    assert deployment.phase == "reloading"
    late = lab.admit()
    lab.do(LoadFinished(deployment.id))
    assert (deployment.phase, lab.world.is_ready(endpoint)) == ("ready", True)
    assert [ticket.state for ticket in (running, held, late)] == ["refused", "running", "running"]
    for ticket in (held, late):
        lab.do(Finish(ticket.number, 200))
    lab.run(IDLE)
    assert deployment.phase == "scaled to zero"


def test_a_worker_that_cannot_come_back_fails_its_deployment_and_refuses_who_waits(lab):
    lab.serve()
    deployment = lab.deployment()
    lab.load_errors["a"] = "no such file"
    lab.do(WorkerDied(deployment.id))
    held = lab.admit()
    lab.run(MINUTE)
    assert (deployment.phase, deployment.reason) == ("failed", "no such file")
    assert (held.state, held.refusal.code) == ("refused", Code.NOT_SERVED)
    assert lab.events("not answered")[-1].detail == "deployment failed"


def test_deaths_and_loads_of_nobody_change_nothing(lab):
    asleep(lab)
    before = lab.snapshot()
    lab.do(WorkerDied(lab.deployment().id))
    lab.do(WorkerDied("nobody"))
    lab.do(LoadFinished("nobody"))
    lab.do(LoadFinished(lab.deployment().id, "late", "late"))
    assert lab.snapshot() == before


# --- the execution limit --------------------------------------------------------------------------


def test_a_held_request_ends_at_the_execution_limit(labs):
    lab = labs(profile=replace(FAITHFUL, cold_start_ms=(LIMIT + 1, LIMIT + 1)))
    deployment = asleep(lab)
    ticket = lab.admit()
    lab.run(LIMIT - 1)
    assert ticket.state == "held"
    lab.run(1)
    assert (ticket.state, len(deployment.held)) == ("refused", 0)
    assert (ticket.refusal.code, ticket.refusal.fields) == (Code.EXECUTION_LIMIT, {"limit_ms": LIMIT})


def test_a_timed_request_ends_at_the_execution_limit_while_it_runs(lab):
    lab.serve()
    ticket = lab.admit(timed=True)
    lab.run(LIMIT - 1)
    assert ticket.state == "running"
    lab.run(1)
    assert (ticket.state, ticket.refusal.code) == ("refused", Code.EXECUTION_LIMIT)
    assert (lab.deployment().in_flight, lab.world.tickets) == (0, {})
    assert list(lab.world.released) == [ticket]


def test_the_limit_of_a_held_request_counts_from_its_admission(lab):
    asleep(lab)
    ticket = lab.admit()
    lab.run(LIMIT - 1)
    assert ticket.state == "running"
    lab.run(1)
    assert ticket.refusal.code is Code.EXECUTION_LIMIT


def test_an_answer_stops_the_limit(lab):
    lab.serve()
    lab.do(Finish(lab.admit(timed=True).number, 200))
    assert lab.world.timeline.pending() == []


def test_work_that_takes_no_simulated_time_has_no_limit(lab):
    lab.serve()
    ticket = lab.admit()
    lab.run(10 * LIMIT)
    assert ticket.state == "running"


# --- draining -------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["swap", "delete"])
@pytest.mark.parametrize("timed", [False, True])
def test_a_config_that_was_left_answers_until_the_execution_limit_and_then_nothing_does(lab, how, timed):
    swapped(lab)
    ticket = lab.admit(timed=timed)
    other = lab.admit(timed=timed)
    if how == "swap":
        lab.run(1)
    else:
        lab.do(DeleteEndpoint("e"))
    left = lab.now
    lab.run(LIMIT - 1 - timed * (how == "swap"))
    assert {ticket.state, other.state} == {"running"}
    lab.do(Finish(other.number, 200))
    assert (other.state, ticket.deployment.phase) == ("done", "draining")
    lab.run(1)
    assert (ticket.state, ticket.deployment.phase) == ("refused", "gone")
    assert ticket.refusal.code is Code.EXECUTION_LIMIT
    assert lab.now <= left + LIMIT
    before = lab.snapshot()
    lab.do(Finish(ticket.number, 200))
    assert lab.snapshot() == before


def test_a_deployment_without_requests_goes_at_the_switch(lab):
    swapped(lab)
    old = lab.deployment()
    lab.run(1)
    assert old.phase == "gone"


# --- ends that come late or twice -----------------------------------------------------------------


def test_the_end_of_a_request_counts_once(lab):
    lab.serve()
    ticket = lab.admit()
    lab.do(Finish(ticket.number, 200))
    before = lab.snapshot()
    for command in (Finish(ticket.number, 200), GiveUp(ticket.number, "late"), Finish(99, 200), GiveUp(99, "")):
        lab.do(command)
    assert lab.snapshot() == before


def test_a_request_that_is_held_cannot_have_been_answered(lab):
    asleep(lab)
    ticket = lab.admit()
    before = lab.snapshot()
    lab.do(Finish(ticket.number, 200))
    assert lab.snapshot() == before
