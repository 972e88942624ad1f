"""Every signal in every phase of a deployment: what the table lists happens, anything else changes nothing."""

import pytest

from servesim.core import lifecycle
from servesim.core.commands import DeleteEndpoint, Due, Signal, WorkerDied
from servesim.core.deployment import BROKEN, CREATING, TABLE, UP, WAITING, Phase
from servesim.core.profile import MINUTE

TO_READY = 10 * MINUTE


def building(lab):
    lab.create(lab.entity(scale_to_zero=True))
    return lab.deployment(pending=True)


def provisioning(lab):
    deployment = building(lab)
    lab.run(8 * MINUTE)
    return deployment


def loading(lab):
    lab.hanging.add("a")
    deployment = building(lab)
    lab.run(TO_READY)
    return deployment


def ready(lab):
    deployment = building(lab)
    lab.run(TO_READY)
    return deployment


def scaled_to_zero(lab):
    deployment = ready(lab)
    lab.run(30 * MINUTE)
    return deployment


def starting(lab):
    deployment = scaled_to_zero(lab)
    assert lab.admit().state == "held"
    return deployment


def recovering(lab):
    deployment = ready(lab)
    lab.do(WorkerDied(deployment.id))
    return deployment


def reloading(lab):
    deployment = recovering(lab)
    lab.hanging.add("a")
    lab.run(MINUTE)
    return deployment


def leaving(lab):
    deployment = scaled_to_zero(lab)
    lab.put(lab.entity(version="2"))
    lab.run(TO_READY - 1)
    lab.admit()
    lab.run(1)
    return deployment


def draining(lab):
    deployment = ready(lab)
    lab.admit()
    lab.do(DeleteEndpoint("e"))
    return deployment


def failed(lab):
    lab.load_errors["a"] = "no such file"
    deployment = building(lab)
    lab.run(TO_READY)
    return deployment


def aborted(lab):
    deployment = loading(lab)
    lab.run(30 * MINUTE)
    return deployment


def stopped(lab):
    building(lab)
    lab.run(TO_READY)
    lab.stop()
    return lab.deployment()


def gone(lab):
    deployment = building(lab)
    lab.do(DeleteEndpoint("e"))
    return deployment


WAYS = {
    Phase.BUILDING: building,
    Phase.PROVISIONING: provisioning,
    Phase.LOADING: loading,
    Phase.READY: ready,
    Phase.SCALED_TO_ZERO: scaled_to_zero,
    Phase.STARTING: starting,
    Phase.RECOVERING: recovering,
    Phase.RELOADING: reloading,
    Phase.LEAVING: leaving,
    Phase.DRAINING: draining,
    Phase.FAILED: failed,
    Phase.ABORTED: aborted,
    Phase.STOPPED: stopped,
    Phase.GONE: gone,
}

PAIRS = [(phase, signal) for phase in Phase for signal in Signal]


def in_phase(lab, phase):
    deployment = WAYS[phase](lab)
    assert deployment.phase is phase
    return deployment


@pytest.mark.parametrize(("phase", "signal"), [pair for pair in PAIRS if pair in TABLE])
def test_what_the_table_lists_happens(lab, phase, signal):
    deployment = in_phase(lab, phase)
    timers = list(deployment.timers)
    # The deployment alone: what its endpoint makes of it is tested with the endpoint.
    lab.world.by_id.clear()
    seen = len(lab.world.log)
    assert lifecycle.send(lab.world, deployment, signal, "a reason")
    entered = list(lab.world.log)[seen]
    assert entered[1:] == (f"deployment {TABLE[phase, signal]}", "e", "a", "a reason")
    left_over = [timer for timer in timers if timer in lab.world.timeline.pending()]
    assert left_over == (timers if TABLE[phase, signal] is Phase.LEAVING else [])


@pytest.mark.parametrize(("phase", "signal"), [pair for pair in PAIRS if pair not in TABLE])
def test_anything_else_changes_nothing(lab, phase, signal):
    deployment = in_phase(lab, phase)
    before = lab.snapshot()
    assert not lifecycle.send(lab.world, deployment, signal, "a reason")
    assert lab.snapshot() == before


def test_every_phase_is_left_in_the_end_and_nothing_leaves_the_last():
    left = {phase for phase, _ in TABLE}
    assert left == set(Phase) - {Phase.GONE}
    # What is stopped is a deployment of its own: it begins so.
    assert set(TABLE.values()) == set(Phase) - {Phase.BUILDING, Phase.STOPPED}


def test_the_groups_of_phases_do_not_overlap():
    alone = {Phase.LEAVING, Phase.DRAINING, Phase.STOPPED, Phase.GONE}
    groups = (CREATING, UP, BROKEN, WAITING - {Phase.STARTING}, alone)
    assert sorted(phase for group in groups for phase in group) == sorted(Phase)


def test_a_timer_knows_whose_it_is(lab):
    deployment = in_phase(lab, Phase.BUILDING)
    assert [timer.event for timer in deployment.timers] == [Due(Signal.BUILT, deployment.endpoint_id, deployment.id)]
