"""Stop and start: what a stopped endpoint keeps, what it refuses, and how it comes back."""

from dataclasses import replace

import pytest

from servesim.core.access import Principal
from servesim.core.commands import (
    AddFault,
    CancelUpdate,
    CreateEndpoint,
    DeleteEndpoint,
    Finish,
    StartEndpoint,
    StopEndpoint,
    UpdateConfig,
    WorkerDied,
)
from servesim.core.deployment import BROKEN, UP, Phase
from servesim.core.endpoint import EndpointPhase
from servesim.core.errors import Code
from servesim.core.faults import Fault
from servesim.core.profile import FAITHFUL, INSTANT, MINUTE, SECOND

BUILD, RESOURCES = 8 * MINUTE, 2 * MINUTE
TIMEOUT = 30 * MINUTE
IDLE = 30 * MINUTE


def phases(lab, config):
    return [lab.world.deployments[found].phase for found in config.deployment_ids()]


def equal_in_all_but_number(config, other):
    assert [entity.spec for entity in config.entities] == [entity.spec for entity in other.entities]
    assert config.routes == other.routes


def failing_start(lab):
    """Start a stopped endpoint in vain."""
    lab.serve()
    lab.stop()
    lab.load_errors["a"] = "no such file"
    endpoint = lab.start()
    lab.run(RESOURCES)
    lab.load_errors.clear()
    assert endpoint.phase == "update failed"
    return endpoint


# --- stop -----------------------------------------------------------------------------------------


def test_what_is_stopped_keeps_its_config_and_has_no_compute(lab):
    endpoint = lab.serve(lab.entity("a"), lab.entity("b", scale_to_zero=True), a=90, b=10)
    before, revision = endpoint.active, endpoint.revision
    lab.run(1_000)
    assert lab.stop() is endpoint
    assert endpoint.phase is EndpointPhase.STOPPED
    assert (endpoint.active.version, endpoint.active.started, endpoint.versions) == (1, before.started, 1)
    equal_in_all_but_number(endpoint.active, before)
    assert [entity.creator for entity in endpoint.active.entities] == [entity.creator for entity in before.entities]
    assert endpoint.pending is None
    assert phases(lab, endpoint.active) == [Phase.STOPPED] * 2
    assert not lab.world.is_ready(endpoint)
    assert len(lab.world.deployments) == 2
    assert endpoint.revision > revision
    assert endpoint.updated == lab.now


@pytest.mark.parametrize("way", ["ready", "scaled to zero", "starting", "recovering"])
def test_no_timer_is_left_whatever_its_deployment_did(lab, way):
    lab.serve(lab.entity(scale_to_zero=True))
    if way in {"scaled to zero", "starting"}:
        lab.run(IDLE)
    if way == "starting":
        lab.admit()
    if way == "recovering":
        lab.do(WorkerDied(lab.deployment().id))
    assert lab.deployment().phase == way
    lab.stop()
    lab.run(MINUTE)  # a start or recovery that was under way ends
    assert lab.world.timeline.pending() == []
    assert phases(lab, lab.world.get("e").active) == [Phase.STOPPED]
    assert len(lab.world.deployments) == 1
    lab.run(100 * IDLE)
    assert not lab.events("deployment scaled to zero")[way in {"scaled to zero", "starting"} :]


def test_running_requests_are_answered_and_their_deployment_goes_then(lab):
    lab.serve()
    ticket, old = lab.admit(), lab.deployment()
    lab.stop()
    assert (ticket.state, old.phase) == ("running", "draining")
    lab.run(MINUTE)
    lab.do(Finish(ticket.number, 200))
    assert (ticket.state, old.phase) == ("done", "gone")
    assert lab.deployment().phase is Phase.STOPPED


def test_a_running_request_has_until_the_execution_limit(lab):
    lab.serve()
    ticket, old = lab.admit(), lab.deployment()
    lab.stop()
    lab.run(FAITHFUL.execution_limit_ms - 1)
    assert ticket.state == "running"
    lab.run(1)
    assert (ticket.state, ticket.refusal.code, old.phase) == ("refused", Code.EXECUTION_LIMIT, "gone")


def test_held_requests_are_refused_at_once(lab):
    lab.serve(lab.entity(scale_to_zero=True))
    lab.run(IDLE)
    tickets = [lab.admit(), lab.admit()]
    lab.stop()
    assert [(ticket.state, ticket.refusal.code) for ticket in tickets] == [("refused", Code.NOT_SERVED)] * 2
    assert list(lab.world.released) == tickets
    assert lab.world.tickets == {}


@pytest.mark.parametrize("entity", [None, "a", "x"])
def test_a_stopped_endpoint_answers_nothing_and_uses_up_no_draw(lab, entity):
    endpoint = lab.serve()
    lab.stop()
    with pytest.raises(Exception, match="stopped") as caught:
        lab.admit(entity)
    assert (caught.value.code, caught.value.fields) == (Code.STOPPED, {"endpoint": "e"})
    assert (endpoint.requests, lab.world.tickets_given) == (0, 0)


def test_only_what_serves_and_is_not_being_updated_can_be_stopped(lab, ana):
    lab.do(CreateEndpoint("e", ana))
    assert lab.refusal(StopEndpoint("e", ana)).code is Code.NOTHING_TO_STOP
    lab.put()
    assert lab.refusal(StopEndpoint("e", ana)).code is Code.STOP_WHILE_UPDATING
    lab.do(CancelUpdate("e"))
    assert lab.refusal(StopEndpoint("e", ana)).code is Code.NOTHING_TO_STOP
    lab.put()
    lab.run(BUILD + RESOURCES)
    lab.put(lab.entity(version="2"))
    assert lab.refusal(StopEndpoint("e", ana)).code is Code.STOP_WHILE_UPDATING
    lab.run(BUILD + RESOURCES)
    lab.stop()
    refusal = lab.refusal(StopEndpoint("e", ana))
    assert (refusal.code, refusal.fields) == (Code.ALREADY_STOPPED, {"endpoint": "e"})
    lab.start()
    assert lab.refusal(StopEndpoint("e", ana)).code is Code.STOP_WHILE_UPDATING
    for command in (StopEndpoint("x", ana), StartEndpoint("x", ana)):
        assert lab.refusal(command).code is Code.ENDPOINT_MISSING


@pytest.mark.parametrize("how", ["failed", "canceled"])
def test_the_leftovers_of_an_update_go_when_the_endpoint_stops(lab, how):
    endpoint = lab.serve(lab.entity("a"), lab.entity("b"), a=50, b=50)
    lab.load_errors["c"] = "no such file"
    lab.put(lab.entity("a"), lab.entity("b", version="2"), lab.entity("c"), a=50, b=25, c=25)
    if how == "canceled":
        lab.do(CancelUpdate("e"))
    else:
        lab.run(BUILD + RESOURCES)
    assert endpoint.phase == f"update {how}"
    assert len(lab.world.deployments) == 4
    lab.stop()
    assert endpoint.pending is None
    assert (endpoint.active.version, endpoint.versions) == (1, 2)
    assert [entity.spec.version for entity in endpoint.active.entities] == ["1", "1"]
    assert list(lab.world.deployments) == endpoint.active.deployment_ids()
    endpoint = lab.start()
    assert endpoint.pending.version == 3
    equal_in_all_but_number(endpoint.pending, endpoint.active)


def test_a_broken_entity_can_be_stopped_and_comes_back(lab):
    endpoint = lab.serve()
    lab.load_errors["a"] = "no such file"
    lab.do(WorkerDied(lab.deployment().id))
    lab.run(MINUTE)
    assert lab.deployment().phase in BROKEN
    lab.load_errors.clear()
    lab.stop()
    lab.start()
    lab.run(RESOURCES)
    assert lab.world.is_ready(endpoint)


# --- start ----------------------------------------------------------------------------------------


def test_a_start_is_an_update_to_an_equal_config_with_the_next_number(lab):
    endpoint = lab.serve(lab.entity("a"), lab.entity("b"), a=90, b=10)
    lab.stop()
    stopped = endpoint.active
    lab.run(MINUTE)
    assert lab.start() is endpoint
    assert (endpoint.phase, endpoint.in_transition) == (EndpointPhase.STARTING, True)
    assert endpoint.active is stopped
    assert (endpoint.pending.version, endpoint.pending.started) == (2, lab.now)
    equal_in_all_but_number(endpoint.pending, stopped)
    assert not lab.world.is_ready(endpoint)
    assert set(endpoint.pending.deployment_ids()).isdisjoint(stopped.deployment_ids())
    pending = endpoint.pending
    lab.run(BUILD + RESOURCES)
    assert (endpoint.phase, endpoint.active, endpoint.pending) == (EndpointPhase.SERVING, pending, None)
    assert lab.world.is_ready(endpoint)
    assert list(lab.world.deployments) == pending.deployment_ids(), "the stopped ones are gone"
    lab.do(Finish(lab.admit().number, 200))


@pytest.mark.parametrize("serving", [True, False])
def test_what_was_built_is_not_built_again(lab, serving):
    endpoint = lab.create(lab.entity("a"), lab.entity("b"), a=50, b=50, serving=serving)
    lab.run(BUILD + RESOURCES)
    lab.stop()
    lab.start()
    assert phases(lab, endpoint.pending) == [Phase.PROVISIONING] * 2
    lab.run(RESOURCES - 1)
    assert endpoint.phase is EndpointPhase.STARTING
    lab.run(1)
    assert endpoint.phase is EndpointPhase.SERVING


def test_what_was_put_while_stopped_is_built_unless_it_is_equal(lab):
    endpoint = lab.serve(lab.entity("a"), lab.entity("b"), a=50, b=50)
    lab.stop()
    lab.put(lab.entity("a"), lab.entity("b", version="2"), lab.entity("c"), a=50, b=25, c=25)
    lab.put(lab.entity("a"), lab.entity("b", version="2"), lab.entity("c"), a=50, b=0, c=50)
    lab.start()
    assert phases(lab, endpoint.pending) == [Phase.PROVISIONING, Phase.BUILDING, Phase.BUILDING]
    lab.run(BUILD + RESOURCES)
    lab.stop()
    lab.start()
    assert phases(lab, endpoint.pending) == [Phase.PROVISIONING] * 3


def test_a_container_that_was_never_built_is_built_after_the_second_start(lab):
    endpoint = lab.serve()
    lab.stop()
    lab.put(lab.entity(version="2"))
    lab.start()
    lab.run(BUILD - 1)
    lab.do(CancelUpdate("e"))
    lab.stop()
    lab.start()
    assert phases(lab, endpoint.pending) == [Phase.BUILDING]


def test_requests_while_it_starts_are_not_served(lab):
    endpoint = lab.serve()
    lab.stop()
    lab.start()
    ticket = lab.admit()
    assert (ticket.state, ticket.refusal.code) == ("refused", Code.NOT_SERVED)
    lab.run(RESOURCES)
    assert endpoint.phase is EndpointPhase.SERVING
    assert lab.admit().state == "running"


def test_scale_to_zero_begins_anew(lab):
    lab.serve(lab.entity(scale_to_zero=True))
    lab.run(IDLE - 1)
    lab.stop()
    lab.start()
    lab.run(RESOURCES + IDLE - 1)
    assert lab.deployment().phase == "ready"
    lab.run(1)
    assert lab.deployment().phase == "scaled to zero"


def test_only_what_is_stopped_can_be_started(lab, ana):
    lab.do(CreateEndpoint("e", ana))
    assert lab.refusal(StartEndpoint("e", ana)).code is Code.NOT_STOPPED
    lab.put()
    assert lab.refusal(StartEndpoint("e", ana)).code is Code.NOT_STOPPED
    lab.run(BUILD + RESOURCES)
    refusal = lab.refusal(StartEndpoint("e", ana))
    assert (refusal.code, refusal.fields) == (Code.NOT_STOPPED, {"endpoint": "e"})


def test_who_starts_is_named_with_what_starts(lab, ana):
    bob = Principal("bob@example.com")
    endpoint = lab.serve()
    lab.stop()
    lab.start(principal=bob)
    assert [entity.creator for entity in endpoint.pending.entities] == [bob]
    assert lab.deployment(pending=True).creator == bob
    assert endpoint.creator == ana
    lab.run(RESOURCES)
    lab.stop()
    lab.start()
    assert lab.deployment(pending=True).creator == ana, "servesim itself starts it for its creator"


def test_who_asked_for_what_is_stopped_stays_named(lab, ana):
    bob = Principal("bob@example.com")
    endpoint = lab.serve(lab.entity("a"), lab.entity("b"), a=50, b=50)
    lab.do(UpdateConfig("e", bob, lab.config(lab.entity("a"), lab.entity("b", "2"), a=50, b=50)))
    lab.run(BUILD + RESOURCES)
    lab.stop()
    assert [entity.creator for entity in endpoint.active.entities] == [ana, bob]
    assert [lab.deployment(name).creator for name in "ab"] == [ana, bob]


def test_at_once_where_deployments_take_no_time(labs):
    lab = labs(profile=INSTANT)
    endpoint = lab.create()
    lab.run()
    for number in (2, 3):
        lab.stop()
        lab.start()
        lab.run()
        assert (endpoint.phase, endpoint.active.version) == (EndpointPhase.SERVING, number)


# --- a start that fails ---------------------------------------------------------------------------


def test_a_start_that_fails_leaves_the_stopped_config_and_says_why(lab):
    endpoint = failing_start(lab)
    assert endpoint.phase is EndpointPhase.UPDATE_FAILED
    assert (endpoint.active.version, endpoint.pending.version) == (1, 2)
    assert phases(lab, endpoint.active) == [Phase.STOPPED]
    assert [lab.deployment(pending=True).phase, lab.deployment(pending=True).reason] == [Phase.FAILED, "no such file"]
    assert not lab.world.is_ready(endpoint)
    ticket = lab.admit()
    assert (ticket.state, ticket.refusal.code) == ("refused", Code.NOT_SERVED)
    assert lab.refusal(StartEndpoint("e")).code is Code.NOT_STOPPED


def test_it_can_be_stopped_and_started_again(lab):
    endpoint = failing_start(lab)
    lab.stop()
    assert (endpoint.phase, endpoint.active.version, endpoint.pending) == (EndpointPhase.STOPPED, 1, None)
    lab.start()
    lab.run(RESOURCES)
    assert (endpoint.phase, endpoint.active.version) == (EndpointPhase.SERVING, 3)
    assert len(lab.world.deployments) == 1


@pytest.mark.parametrize("version", ["1", "2"])
def test_another_config_can_be_put_and_takes_its_place(lab, version):
    endpoint = failing_start(lab)
    lab.put(lab.entity(version=version))
    assert endpoint.phase is EndpointPhase.UPDATING
    assert phases(lab, endpoint.active) == [Phase.STOPPED]
    lab.run(BUILD + RESOURCES)
    assert (endpoint.phase, endpoint.active.version) == (EndpointPhase.SERVING, 3)
    assert len(lab.world.deployments) == 1


def test_a_start_can_be_canceled(lab):
    endpoint = lab.serve()
    lab.stop()
    lab.start()
    lab.do(CancelUpdate("e"))
    lab.run(100 * MINUTE)
    assert endpoint.phase is EndpointPhase.UPDATE_CANCELED
    assert lab.world.timeline.pending() == []
    lab.stop()
    lab.start()
    lab.run(RESOURCES)
    assert endpoint.phase is EndpointPhase.SERVING


def test_a_start_that_hangs_times_out(lab):
    endpoint = lab.serve()
    lab.stop()
    lab.do(AddFault(Fault("hang", "e")))
    lab.start()
    lab.run(TIMEOUT - 1)
    assert endpoint.phase is EndpointPhase.STARTING
    lab.run(1)
    assert (endpoint.phase, lab.deployment(pending=True).phase) == (EndpointPhase.UPDATE_FAILED, Phase.ABORTED)


# --- other commands -------------------------------------------------------------------------------


def test_a_config_that_is_put_while_stopped_takes_effect_at_once_and_stays_stopped(lab, ana):
    endpoint = lab.serve()
    lab.stop()
    lab.run(MINUTE)
    bob = Principal("bob@example.com")
    revision = endpoint.revision
    lab.do(UpdateConfig("e", bob, lab.config(lab.entity("c", "3"), lab.entity("b"), c=25, b=75)))
    assert (endpoint.phase, endpoint.in_transition, endpoint.pending) == (EndpointPhase.STOPPED, False, None)
    assert (endpoint.active.version, endpoint.versions, endpoint.active.started) == (2, 2, lab.now)
    assert [(entity.spec.name, entity.creator) for entity in endpoint.active.entities] == [("b", bob), ("c", bob)]
    assert phases(lab, endpoint.active) == [Phase.STOPPED] * 2
    assert list(lab.world.deployments) == endpoint.active.deployment_ids()
    assert lab.world.timeline.pending() == []
    assert endpoint.revision > revision
    assert endpoint.updated == lab.now
    lab.run(100 * MINUTE)
    assert endpoint.phase is EndpointPhase.STOPPED
    lab.start(principal=ana)
    lab.run(BUILD + RESOURCES)
    assert endpoint.active.version == 3
    assert [entity.spec.version for entity in endpoint.active.entities] == ["1", "3"]


def test_an_unsound_config_is_refused_while_stopped(lab, ana):
    lab.serve()
    lab.stop()
    assert lab.refusal(UpdateConfig("e", ana, lab.config(lab.entity(version="9")))).code is Code.VERSION_MISSING
    assert lab.refusal(UpdateConfig("e", ana, lab.config(lab.entity(), a=99))).code is Code.TRAFFIC_SUM


@pytest.mark.parametrize("way", [[], ["start"]], ids=["stopped", "starting"])
def test_it_can_be_deleted(lab, way):
    lab.serve()
    ticket, old = lab.admit(), lab.deployment()
    lab.stop()
    if way:
        lab.start()
    lab.do(DeleteEndpoint("e"))
    assert list(lab.world.deployments) == [old.id], "what it still runs is let end"
    lab.do(Finish(ticket.number, 200))
    assert (lab.world.deployments, lab.world.endpoints) == ({}, {})
    assert lab.world.timeline.pending() == []
    lab.run(100 * MINUTE)
    assert not lab.world.effects


def test_a_worker_that_dies_after_the_stop_wakes_nothing(lab):
    lab.serve()
    lab.admit()
    old = lab.deployment()
    lab.stop()
    lab.do(WorkerDied(old.id))
    lab.do(WorkerDied(lab.deployment().id))
    lab.run(MINUTE)
    assert (old.phase, lab.deployment().phase) == (Phase.DRAINING, Phase.STOPPED)


def test_stop_and_start_are_told(lab, ana):
    endpoint = lab.serve()
    lab.stop()
    lab.start(principal=ana)
    lab.run(RESOURCES)
    told = [(line.what, line.detail) for line in endpoint.events if not line.what.startswith("deployment")]
    assert told == [
        ("endpoint created", ""),
        ("config asked for", "version 1"),
        ("config serving", "version 1"),
        ("endpoint stopped", ""),
        ("endpoint started", ""),
        ("config asked for", "version 2"),
        ("config serving", "version 2"),
    ]


# --- what is kept for logs ------------------------------------------------------------------------


def logs(endpoint):
    return {(one.version, one.entity): one.deployment.build_log for one in endpoint.deployed}


def test_the_logs_of_every_config_stay_across_a_stop(lab):
    endpoint = lab.create()
    lab.run(BUILD + RESOURCES)
    assert logs(endpoint) == {(1, "a"): "loading\n"}
    lab.stop()
    assert logs(endpoint) == {(1, "a"): "loading\n"}, "the stopped stand-in printed nothing, and hides nothing"
    lab.put(lab.entity(), lab.entity("b"), a=50, b=50)
    assert logs(endpoint) == {(1, "a"): "loading\n", (2, "a"): "", (2, "b"): ""}
    lab.start()
    lab.run(BUILD + RESOURCES)
    assert logs(endpoint)[3, "a"] == logs(endpoint)[3, "b"] == "loading\n"


def test_an_entity_that_is_kept_has_its_logs_under_the_next_config_as_well(lab):
    endpoint = lab.create(lab.entity("a"), lab.entity("b"), a=50, b=50)
    lab.run(BUILD + RESOURCES)
    lab.put(lab.entity("a"), lab.entity("b", version="2"), a=50, b=50)
    lab.run(BUILD + RESOURCES)
    served = {(one.version, one.entity): one.deployment for one in endpoint.deployed}
    assert served[1, "a"] is served[2, "a"] is lab.deployment("a")
    assert served[1, "b"] is not served[2, "b"]
    assert served[1, "b"].phase is Phase.GONE
    assert served[1, "b"].build_log == "loading\n"


def test_what_is_kept_of_deployments_that_are_gone_is_bounded(lab):
    endpoint = lab.serve()
    for _ in range(100):
        lab.do(Finish(lab.admit().number, 200))
        assert list(lab.deployment().traffic._seconds)
        lab.stop()
        lab.start()
        lab.run(RESOURCES)
    assert len(endpoint.deployed) == 64
    assert len(lab.world.deployments) == 1
    gone = [one.deployment for one in endpoint.deployed if one.deployment.phase is Phase.GONE]
    assert len(gone) == 63
    assert all((one.held, one.timers, one.traffic) == (None, [], None) for one in gone)


def test_a_delay_longer_than_the_time_limit_makes_no_start_fail(lab):
    endpoint = lab.serve()
    lab.stop()
    lab.do(AddFault(Fault("delay", delay_ms=2 * TIMEOUT)))
    lab.start()
    lab.run(2 * TIMEOUT + RESOURCES - 1)
    assert endpoint.phase is EndpointPhase.STARTING
    lab.run(1)
    assert endpoint.phase is EndpointPhase.SERVING


def test_stop_and_start_of_many_entities_in_one_instant(labs):
    lab = labs(profile=replace(FAITHFUL, container_build_ms=(0, 10 * SECOND), resources_ms=(0, 0)))
    names = [f"e{number}" for number in range(15)]
    endpoint = lab.serve(*map(lab.entity, names), e0=100)
    for _ in range(3):
        lab.stop()
        lab.start()
        lab.run(0)
        assert all(phase in UP for phase in phases(lab, endpoint.active))
    assert endpoint.active.version == 4
