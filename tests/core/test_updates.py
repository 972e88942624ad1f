"""Config updates: what is kept, what is built, what goes, and what clients meanwhile get."""

from dataclasses import replace

import pytest

from servesim.core.commands import (
    CancelUpdate,
    CreateEndpoint,
    DeleteEndpoint,
    Finish,
    LoadFinished,
    Route,
    WorkerDied,
)
from servesim.core.deployment import Cause
from servesim.core.errors import Code
from servesim.core.lifecycle import BUILD_LOG_CHARACTERS
from servesim.core.model_commands import AddModel
from servesim.core.profile import FAITHFUL, INSTANT, MINUTE, SECOND
from servesim.core.registry import ModelVersion
from servesim.core.routing import TicketState

TO_READY = 10 * MINUTE
SWITCH = 30 * SECOND


def names(config):
    return [entity.spec.name for entity in config.entities]


def ids(config):
    return {entity.spec.name: entity.deployment_id for entity in config.entities}


# --- create ---------------------------------------------------------------------------------------


def test_a_new_endpoint_is_pending_until_its_entities_are_ready(lab):
    endpoint = lab.create(lab.entity("b"), lab.entity("a"), a=50, b=50)
    assert endpoint.active is None
    assert names(endpoint.pending) == ["a", "b"]
    assert endpoint.pending.routes == (Route("a", 50), Route("b", 50))
    lab.run(TO_READY - 1)
    assert not lab.world.is_ready(endpoint)
    lab.run(1)
    assert lab.world.is_ready(endpoint)
    assert (endpoint.pending, endpoint.active.version, endpoint.updated) == (None, 1, endpoint.created)


def test_an_endpoint_can_begin_as_one_that_serves(lab):
    endpoint = lab.serve(lab.entity("a", scale_to_zero=True), lab.entity("b"), a=50, b=50)
    assert lab.world.is_ready(endpoint)
    assert not lab.world.effects
    lab.run(30 * MINUTE)
    assert lab.deployment("a").phase == "scaled to zero"
    assert lab.deployment("b").phase == "ready"


def test_an_endpoint_without_a_config_gets_one_later(lab, ana):
    endpoint = lab.do(CreateEndpoint("e", ana))
    assert (endpoint.active, endpoint.pending, endpoint.versions) == (None, None, 0)
    lab.put()
    lab.run(TO_READY)
    assert lab.world.is_ready(endpoint)


def test_the_instant_profile_takes_no_time(labs):
    lab = labs(profile=INSTANT)
    start = lab.now
    endpoint = lab.create()
    lab.run()
    lab.put(lab.entity(version="2"))
    lab.run()
    lab.put(lab.entity(version="2", scale_to_zero=True))
    lab.run()
    assert (lab.world.is_ready(endpoint), endpoint.active.version, lab.now) == (True, 3, start)


def test_a_failed_create_says_why_and_can_be_tried_again(lab):
    lab.load_errors["a"] = "no such file"
    endpoint = lab.create(lab.entity("a"), lab.entity("b"), a=50, b=50)
    lab.run(TO_READY)
    failed, other = lab.deployment("a", pending=True), lab.deployment("b", pending=True)
    assert endpoint.phase == "create failed"
    assert (failed.phase, failed.reason) == ("failed", "no such file")
    assert other.phase == "aborted"
    assert "another served entity" in other.reason
    lab.load_errors.clear()
    lab.put(lab.entity("a"), lab.entity("b"), a=50, b=50)
    assert {failed.phase, other.phase} == {"gone"}
    lab.run(TO_READY)
    assert lab.world.is_ready(endpoint)
    assert endpoint.active.version == 2


def test_a_load_that_never_reports_is_aborted_at_the_time_limit_with_the_recorded_text(lab):
    lab.hanging.add("a")
    endpoint = lab.create()
    lab.run(8 * MINUTE + 30 * MINUTE - 1)
    deployment = lab.deployment(pending=True)
    assert deployment.phase == "loading"
    lab.run(1)
    assert (endpoint.phase, deployment.phase) == ("create failed", "aborted")
    assert deployment.reason == Cause.TIMED_OUT
    before = lab.snapshot()
    lab.do(LoadFinished(deployment.id, log="too late"))
    lab.do(LoadFinished(deployment.id, "too late"))
    assert lab.snapshot() == before


@pytest.mark.parametrize(
    ("workload_type", "minutes"), [("CPU_LARGE", 30), ("GPU_SMALL", 60), ("MULTIGPU_MEDIUM", 60), ("GPU_XLARGE", 120)]
)
def test_the_time_limit_counts_from_the_build_on_and_depends_on_the_compute(labs, workload_type, minutes):
    lab = labs(profile=replace(FAITHFUL, resources_ms=(2**40, 2**40)))
    lab.create(lab.entity(workload_type=workload_type))
    lab.run((8 + minutes) * MINUTE - 1)
    deployment = lab.deployment(pending=True)
    assert deployment.phase == "provisioning"
    lab.run(1)
    assert (deployment.phase, deployment.reason) == ("aborted", Cause.TIMED_OUT)


# --- what is kept ---------------------------------------------------------------------------------


def test_10_then_50_then_100_percent_then_the_old_one_goes(lab):
    """A canary: shares move in seconds, nothing is built, what scaled to zero stays so."""
    old = lab.entity("old", "1", scale_to_zero=True)
    new = lab.entity("new", "2", scale_to_zero=True)
    endpoint = lab.serve(old, new, old=90, new=10)
    first = ids(endpoint.active)
    lab.run(30 * MINUTE)
    seen = len(lab.world.log)
    for version, share in ((2, 50), (3, 100)):
        lab.put(old, new, old=100 - share, new=share)
        assert ids(endpoint.pending) == first
        lab.run(SWITCH - 1)
        assert endpoint.in_transition
        lab.run(1)
        assert (endpoint.phase, endpoint.active.version) == ("serving", version)
        assert ids(endpoint.active) == first
        assert {lab.deployment(name).phase for name in first} == {"scaled to zero"}
    leaving = lab.deployment("old")
    lab.put(new)
    lab.run(SWITCH)
    assert ids(endpoint.active) == {"new": first["new"]}
    assert leaving.phase == "gone"
    assert lab.deployment("new").phase == "scaled to zero"
    said = {line.what for line in list(lab.world.log)[seen:]}
    assert said == {"config asked for", "config serving", "deployment draining", "deployment gone"}
    assert not lab.world.effects


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2"},
        {"workload_size": "Large"},
        {"workload_type": "GPU_SMALL"},
        {"min_concurrency": 4, "max_concurrency": 8},
        {"environment": (("A", "1"),)},
        {"scale_to_zero": True},
        {"instance_profile_arn": "arn:aws:iam::1:instance-profile/p"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_entity_that_changed_gets_a_new_deployment_and_its_neighbour_does_not(lab, change):
    endpoint = lab.serve(lab.entity("a"), lab.entity("b"), a=50, b=50)
    before = ids(endpoint.active)
    lab.put(replace(lab.entity("a"), **change), lab.entity("b"), a=50, b=50)
    after = ids(endpoint.pending)
    assert after["a"] != before["a"]
    assert after["b"] == before["b"]
    old = lab.deployment("a")
    lab.run(TO_READY)
    assert ids(endpoint.active) == after
    assert old.phase == "gone"


def test_a_kept_entity_keeps_its_creator_and_age(lab):
    endpoint = lab.serve()
    entity = endpoint.active.find("a")
    lab.run(MINUTE)
    lab.put(lab.entity("a"), lab.entity("b"), a=99, b=1)
    assert endpoint.pending.find("a") is entity
    assert endpoint.pending.find("b").created == lab.now


def test_an_entity_whose_deployment_is_broken_is_not_kept(lab):
    lab.serve()
    broken = lab.deployment()
    lab.load_errors["a"] = "no such file"
    lab.do(WorkerDied(broken.id))
    lab.run(MINUTE)
    assert (broken.phase, lab.world.is_ready(lab.world.get("e"))) == ("failed", False)
    lab.load_errors.clear()
    lab.put()
    lab.run(TO_READY)
    assert broken.phase == "gone"
    assert lab.world.is_ready(lab.world.get("e"))


def test_an_update_waits_for_a_kept_entity_that_recovers(lab):
    endpoint = lab.serve()
    lab.put(lab.entity(), lab.entity("b"), a=50, b=50)
    lab.run(TO_READY - 1)
    lab.do(WorkerDied(lab.deployment("a").id))
    lab.run(1)
    assert lab.deployment("b", pending=True).phase == "ready"
    assert endpoint.in_transition
    lab.run(SWITCH)
    assert (endpoint.phase, endpoint.active.version) == ("serving", 2)


def test_an_update_fails_with_a_kept_entity_that_breaks(lab):
    endpoint = lab.serve()
    lab.put(lab.entity(), lab.entity("b"), a=50, b=50)
    lab.load_errors["a"] = "no such file"
    lab.do(WorkerDied(lab.deployment("a").id))
    lab.run(MINUTE)
    assert endpoint.phase == "update failed"
    assert lab.deployment("a").phase == "failed"
    assert lab.deployment("b", pending=True).phase == "aborted"


def test_a_model_version_that_is_registered_again_serves_new_deployments_only(lab):
    lab.serve()
    again = ModelVersion("m", "1", "stub", '{"again": 1}')
    lab.do(AddModel(again))
    lab.put(lab.entity(), lab.entity("b"), a=50, b=50)
    assert lab.deployment("a").model.source == "{}"
    assert lab.deployment("b", pending=True).model is again


# --- while it runs --------------------------------------------------------------------------------


def test_the_old_config_serves_until_the_new_one_is_ready(lab):
    endpoint = lab.serve()
    lab.put(lab.entity(version="2"))
    versions = set()
    for _ in range(12):
        ticket = lab.admit()
        assert ticket.state is TicketState.RUNNING
        assert lab.world.is_ready(endpoint)
        versions.add((endpoint.in_transition, ticket.deployment.spec.version))
        lab.do(Finish(ticket.number, 200))
        lab.run(MINUTE)
    assert versions == {(True, "1"), (False, "2")}


def test_a_request_of_the_old_config_is_answered_by_it_after_the_switch(lab):
    lab.serve()
    lab.put(lab.entity(version="2"))
    lab.run(TO_READY - 1)
    ticket = lab.admit()
    lab.run(1)
    assert (ticket.deployment.phase, ticket.state) == ("draining", "running")
    lab.do(Finish(ticket.number, 200))
    assert (ticket.deployment.phase, ticket.state) == ("gone", "done")


def test_a_failed_update_leaves_the_old_config_serving_and_the_failed_one_visible(lab):
    endpoint = lab.serve()
    lab.put(lab.entity("a"), lab.entity("b", "2"), lab.entity("c", "3"), a=50, b=30, c=20)
    lab.load_errors["b"] = "no such file"
    lab.run(TO_READY)
    assert (endpoint.phase, endpoint.active.version, endpoint.pending.version) == ("update failed", 1, 2)
    assert lab.world.is_ready(endpoint)
    phases = {name: lab.deployment(name, pending=True).phase for name in "abc"}
    assert phases == {"a": "ready", "b": "failed", "c": "aborted"}
    assert lab.admit().deployment is lab.deployment("a")
    lab.run(24 * 60 * MINUTE)
    assert lab.world.is_ready(endpoint)
    lab.load_errors.clear()
    lab.put(lab.entity("a"), lab.entity("b", "2"), a=50, b=50)
    lab.run(TO_READY)
    assert (endpoint.phase, endpoint.active.version, endpoint.pending) == ("serving", 3, None)


def test_a_cancelled_update_leaves_the_old_config_serving(lab):
    endpoint = lab.serve()
    lab.put(lab.entity(version="2"))
    lab.run(9 * MINUTE)
    lab.do(CancelUpdate("e"))
    assert endpoint.phase == "update canceled"
    assert "canceled" in lab.deployment(pending=True).reason
    lab.run(60 * MINUTE)
    assert (endpoint.phase, endpoint.active.version) == ("update canceled", 1)
    assert lab.world.is_ready(endpoint)


def test_a_cancelled_change_of_shares_never_comes(lab):
    endpoint = lab.serve(lab.entity("a"), lab.entity("b"), a=90, b=10)
    lab.put(lab.entity("a"), lab.entity("b"), a=50, b=50)
    lab.do(CancelUpdate("e"))
    assert lab.world.timeline.pending() == []
    lab.run(SWITCH)
    assert endpoint.active.version == 1
    lab.put(lab.entity("a"), lab.entity("b"), a=10, b=90)
    lab.run(SWITCH)
    assert (endpoint.phase, endpoint.active.version) == ("serving", 3)


def test_the_time_that_a_change_of_shares_takes_is_drawn_for_each(labs):
    lab = labs(profile=replace(FAITHFUL, config_switch_ms=(20 * SECOND, 40 * SECOND)))
    endpoint = lab.serve()
    took = []
    for _ in range(6):
        lab.put()
        asked = lab.now
        while endpoint.in_transition:
            lab.step()
        took.append(lab.now - asked)
    assert len(set(took)) == 6
    assert all(20 * SECOND <= time <= 40 * SECOND for time in took)


def test_what_the_build_printed_is_kept_within_bounds(lab):
    lab.create()
    lab.run(TO_READY)
    deployment = lab.deployment()
    assert deployment.build_log == "loading\n"
    for _ in range(3):
        lab.do(WorkerDied(deployment.id))
        while not lab.world.effects:
            lab.step()
        lab.world.effects.clear()
        lab.do(LoadFinished(deployment.id, log="x" * BUILD_LOG_CHARACTERS))
    assert deployment.build_log == "x" * BUILD_LOG_CHARACTERS


def test_the_revision_grows_when_a_reader_would_see_something_else(lab):
    endpoint = lab.serve(lab.entity(scale_to_zero=True))
    seen = [endpoint.revision]
    lab.run(30 * MINUTE)
    seen.append(endpoint.revision)
    lab.admit()
    lab.run(MINUTE)
    seen.append(endpoint.revision)
    lab.do(WorkerDied(lab.deployment().id))
    seen.append(endpoint.revision)
    assert seen == sorted(set(seen))


# --- delete ---------------------------------------------------------------------------------------


def creating(lab, minutes):
    lab.create()
    lab.run(minutes * MINUTE)


def updating(lab, minutes):
    lab.serve()
    lab.put(lab.entity(version="2"))
    lab.run(minutes * MINUTE)


def with_shares_moving(lab, _):
    lab.serve()
    lab.put()


def held(lab, _):
    lab.serve(lab.entity(scale_to_zero=True))
    lab.run(30 * MINUTE)
    lab.admit()


def held_by_a_recovery(lab, _):
    lab.serve()
    lab.do(WorkerDied(lab.deployment().id))
    lab.admit()


def running(lab, _):
    lab.serve()
    lab.admit()
    lab.admit(timed=True)


def after_a_failure(lab, _):
    lab.load_errors["a"] = "no such file"
    updating(lab, 20)


@pytest.mark.parametrize("minutes", [1, 9, 11])
@pytest.mark.parametrize(
    "way", [creating, updating, with_shares_moving, held, held_by_a_recovery, running, after_a_failure]
)
def test_delete_in_any_state_leaves_nothing(lab, way, minutes):
    way(lab, minutes)
    tickets = list(lab.world.tickets.values())
    lab.do(DeleteEndpoint("e"))
    assert (lab.world.endpoints, lab.world.by_id) == ({}, {})
    lab.run(10 * MINUTE)
    assert all(ticket.state is TicketState.REFUSED for ticket in tickets)
    assert (lab.world.deployments, lab.world.tickets, lab.world.timeline.pending()) == ({}, {}, [])


def test_a_held_request_of_a_deleted_endpoint_is_refused_at_once(lab):
    held(lab, 0)
    (ticket,) = lab.world.tickets.values()
    lab.do(DeleteEndpoint("e"))
    assert ticket.refusal.code is Code.NOT_SERVED
    assert lab.world.released.pop() is ticket


def test_a_recreated_endpoint_is_another(lab):
    first = lab.serve()
    lab.do(DeleteEndpoint("e"))
    second = lab.serve()
    assert first.id != second.id
    assert {len(first.id), len(second.id)} == {32}
    draws = [[one.route_stream.fraction(number) for number in range(5)] for one in (first, second)]
    assert draws[0] != draws[1]
