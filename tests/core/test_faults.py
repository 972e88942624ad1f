"""Trouble to order: which deployments it meets, what it does to them, and when it is used up."""

import pytest

from servesim.core.commands import AddFault, CancelUpdate, DeleteEndpoint, RemoveFault
from servesim.core.deployment import Cause, Phase
from servesim.core.errors import Code
from servesim.core.faults import FAULT_LIMIT, Fault
from servesim.core.profile import FAITHFUL, MINUTE, SECOND

BUILD, RESOURCES, SWITCH = 8 * MINUTE, 2 * MINUTE, 30 * SECOND
TIMEOUT = 30 * MINUTE


def order(lab, effect="fail", **fields):
    return lab.do(AddFault(Fault(effect, **fields)))


def standing(lab):
    return {number: order.standing() for number, order in lab.world.faults.orders.items()}


def left(lab):
    return {number: fault.times for number, fault in standing(lab).items()}


# --- what it does ---------------------------------------------------------------------------------


def test_fail_fails_with_its_message_where_a_model_would_load(lab):
    order(lab, message="no space left on device")
    endpoint = lab.create()
    lab.run(BUILD + RESOURCES - 1)
    assert endpoint.phase == "creating"
    lab.run(1)
    deployment = lab.deployment(pending=True)
    assert (endpoint.phase, deployment.phase) == ("create failed", Phase.FAILED)
    assert deployment.reason == "no space left on device"
    assert deployment.build_log == "", "nothing was loaded for real"
    assert lab.world.timeline.pending() == []


def test_a_failure_without_a_message_gives_a_reason_all_the_same(lab):
    order(lab)
    lab.create()
    lab.run(BUILD + RESOURCES)
    assert lab.deployment(pending=True).reason == "this failure was ordered"


def test_delay_puts_off_the_end_of_the_build(lab):
    order(lab, "delay", delay_ms=5 * MINUTE)
    endpoint = lab.create()
    lab.run(BUILD + 5 * MINUTE - 1)
    assert lab.deployment(pending=True).phase is Phase.BUILDING
    lab.run(1 + RESOURCES - 1)
    assert endpoint.phase == "creating"
    lab.run(1)
    assert endpoint.phase == "serving"


def test_a_delay_fails_nothing_however_long_it_is(lab):
    order(lab, "delay", delay_ms=10 * TIMEOUT)
    endpoint = lab.create()
    lab.run(BUILD + 10 * TIMEOUT + RESOURCES)
    assert endpoint.phase == "serving"


@pytest.mark.parametrize("delay", [0, 5 * MINUTE])
def test_what_is_started_again_is_delayed_without_a_build(lab, delay):
    endpoint = lab.serve()
    lab.stop()
    order(lab, "delay", delay_ms=delay)
    lab.start()
    lab.run(RESOURCES + delay - 1)
    assert endpoint.phase == "starting"
    lab.run(1)
    assert endpoint.phase == "serving"


def test_a_failure_may_come_late(lab):
    order(lab, delay_ms=MINUTE, message="late")
    endpoint = lab.create()
    lab.run(BUILD + RESOURCES)
    assert endpoint.phase == "creating"
    lab.run(MINUTE)
    assert (endpoint.phase, lab.deployment(pending=True).reason) == ("create failed", "late")


LIMITS = {
    "CPU": FAITHFUL.deploy_timeout_cpu_ms,
    "GPU_SMALL": FAITHFUL.deploy_timeout_gpu_ms,
    "GPU_LARGE": FAITHFUL.deploy_timeout_large_gpu_ms,
}


@pytest.mark.parametrize(("kind", "limit"), LIMITS.items())
def test_what_hangs_ends_at_the_time_limit_of_its_deployment(lab, kind, limit):
    order(lab, "hang")
    endpoint = lab.create(lab.entity(workload_type=kind))
    lab.run(BUILD + limit - 1)
    assert (endpoint.phase, lab.deployment(pending=True).phase) == ("creating", Phase.PROVISIONING)
    lab.run(1)
    deployment = lab.deployment(pending=True)
    assert (endpoint.phase, deployment.phase) == ("create failed", Phase.ABORTED)
    assert deployment.reason == Cause.TIMED_OUT


def test_what_hangs_can_be_canceled_and_deleted(lab):
    order(lab, "hang", times=2)
    lab.create()
    lab.run(BUILD + RESOURCES)
    lab.do(CancelUpdate("e"))
    lab.put()
    lab.do(DeleteEndpoint("e"))
    assert lab.world.deployments == {}
    assert lab.world.timeline.pending() == []


def test_the_old_config_goes_on_serving(lab):
    endpoint = lab.serve()
    order(lab, message="no")
    lab.put(lab.entity(version="2"))
    lab.run(BUILD + RESOURCES)
    assert (endpoint.phase, endpoint.active.version) == ("update failed", 1)
    assert lab.world.is_ready(endpoint)
    assert lab.admit().state == "running"


def test_a_deployment_that_came_through_recovers_as_usual(lab):
    order(lab, "delay", delay_ms=1)
    lab.create()
    lab.run(BUILD + RESOURCES + 1)
    assert lab.deployment().phase is Phase.READY
    lab.stop()
    lab.start()
    lab.run(RESOURCES)
    assert lab.deployment().phase is Phase.READY, "the order was for one deployment"


# --- an update without new deployments ------------------------------------------------------------


def moved_split(lab):
    """Ask for other shares of what serves already."""
    endpoint = lab.world.get("e")
    lab.put(lab.entity("a"), lab.entity("b"), a=10, b=90)
    assert endpoint.settling
    return endpoint


@pytest.fixture
def pair(lab):
    """A world that serves two entities."""
    lab.serve(lab.entity("a"), lab.entity("b"), a=90, b=10)
    return lab


@pytest.mark.parametrize("where", [{}, {"endpoint": "e"}])
def test_a_change_of_shares_fails_at_its_end(pair, where):
    order(pair, message="not today", **where)
    endpoint = moved_split(pair)
    pair.run(SWITCH - 1)
    assert endpoint.phase == "updating"
    pair.run(1)
    assert (endpoint.phase, endpoint.active.version, endpoint.pending.version) == ("update failed", 1, 2)
    assert pair.world.is_ready(endpoint), "what serves goes on serving"
    assert pair.events("fault")[-1].detail == "fail: not today"
    moved_split(pair)
    pair.run(SWITCH)
    assert (endpoint.phase, endpoint.active.version) == ("serving", 3)


def test_a_change_of_shares_is_delayed(pair):
    order(pair, "delay", delay_ms=MINUTE)
    endpoint = moved_split(pair)
    pair.run(SWITCH + MINUTE - 1)
    assert endpoint.phase == "updating"
    pair.run(1)
    assert endpoint.phase == "serving"


def test_a_change_of_shares_hangs_until_the_time_limit(pair):
    order(pair, "hang")
    endpoint = moved_split(pair)
    pair.run(TIMEOUT - 1)
    assert endpoint.phase == "updating"
    pair.run(1)
    assert endpoint.phase == "update failed"


@pytest.mark.parametrize("where", [{"entity": "a"}, {"endpoint": "f"}])
def test_trouble_for_another_place_does_not_meet_it(pair, where):
    order(pair, **where)
    endpoint = moved_split(pair)
    pair.run(SWITCH)
    assert (endpoint.phase, left(pair)) == ("serving", {1: 1})


# --- whom it meets --------------------------------------------------------------------------------

PLACES = {
    "any": ({}, {"a"}),
    "the endpoint": ({"endpoint": "e"}, {"a"}),
    "the entity": ({"entity": "b"}, {"b"}),
    "both": ({"endpoint": "e", "entity": "b"}, {"b"}),
    "another endpoint": ({"endpoint": "f"}, set()),
    "another entity": ({"entity": "x"}, set()),
    "that entity elsewhere": ({"endpoint": "f", "entity": "b"}, set()),
    "any, twice": ({"times": 2}, {"a", "b"}),
    "the entity, twice": ({"entity": "b", "times": 2}, {"b"}),
}


@pytest.mark.parametrize(("where", "met"), PLACES.values(), ids=PLACES)
def test_it_meets_what_fits_as_often_as_ordered(lab, where, met):
    order(lab, **where)
    lab.create(lab.entity("a"), lab.entity("b"), a=50, b=50)
    assert {name for name in "ab" if lab.deployment(name, pending=True).fault} == met
    times = where.get("times", 1) - len(met)
    assert left(lab) == ({1: times} if times else {})
    told = [line[2:] for line in lab.world.log if line.what == "fault"]
    assert told == [("e", name, "fail") for name in sorted(met)]


def test_the_oldest_order_is_used_up_first(lab):
    numbers = [order(lab, message=message) for message in ("first", "second")]
    numbers.append(order(lab, endpoint="f", message="elsewhere"))
    assert numbers == [1, 2, 3]
    for expected in ("first", "second"):
        lab.create()
        assert lab.deployment(pending=True).fault.message == expected
        lab.do(DeleteEndpoint("e"))
    assert left(lab) == {3: 1}
    lab.create()
    assert lab.deployment(pending=True).fault is None


def test_it_meets_the_next_endpoint_of_that_name_too(lab):
    order(lab, endpoint="e", times=3)
    lab.create()
    lab.do(DeleteEndpoint("e"))
    assert left(lab) == {1: 2}
    lab.create()
    assert lab.deployment(pending=True).fault
    assert left(lab) == {1: 1}


def test_what_serves_from_the_start_meets_no_trouble(lab):
    order(lab)
    lab.serve()
    assert lab.deployment().fault is None
    assert left(lab) == {1: 1}


def test_a_put_on_a_stopped_endpoint_leaves_it_for_the_start(lab):
    lab.serve()
    lab.stop()
    order(lab, message="at the start")
    endpoint = lab.put(lab.entity(version="2"))
    assert left(lab) == {1: 1}
    lab.start()
    lab.run(BUILD + RESOURCES)
    assert (endpoint.phase, lab.deployment(pending=True).reason) == ("update failed", "at the start")


def test_a_refused_update_uses_up_nothing(lab):
    order(lab)
    lab.serve()
    with pytest.raises(Exception, match="version missing"):
        lab.put(lab.entity(version="9"))
    assert left(lab) == {1: 1}


# --- orders ---------------------------------------------------------------------------------------


def test_an_order_can_be_taken_back(lab):
    number = order(lab, times=3)
    lab.do(RemoveFault(number))
    lab.create()
    assert lab.deployment(pending=True).fault is None
    refusal = lab.refusal(RemoveFault(number))
    assert (refusal.code, refusal.fields) == (Code.FAULT_MISSING, {"number": number})


def test_what_a_deployment_has_met_cannot_be_taken_back(lab):
    number = order(lab, times=2, message="no")
    lab.create()
    lab.do(RemoveFault(number))
    lab.run(BUILD + RESOURCES)
    assert lab.deployment(pending=True).reason == "no"


def test_a_number_is_given_once(lab):
    lab.do(RemoveFault(order(lab)))
    assert order(lab) == 2


def test_orders_are_bounded(lab):
    for _ in range(FAULT_LIMIT):
        order(lab, endpoint="e")
    refusal = lab.refusal(AddFault(Fault("hang")))
    assert (refusal.code, refusal.fields) == (Code.FAULT_LIMIT, {"limit": FAULT_LIMIT})
    lab.create()
    assert order(lab) == FAULT_LIMIT + 1


def test_an_order_is_told(lab):
    order(lab, "hang", endpoint="e", entity="a")
    assert lab.world.log[-1][1:] == ("fault ordered", "e", "a", "hang")
