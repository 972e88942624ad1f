"""Every signal in every phase of an endpoint."""

import pytest

from servesim.core.commands import (
    CancelUpdate,
    CreateEndpoint,
    DeleteEndpoint,
    StartEndpoint,
    StopEndpoint,
    UpdateConfig,
)
from servesim.core.endpoint import IN_TRANSITION, TABLE, EndpointPhase, EndpointSignal
from servesim.core.errors import Code
from servesim.core.profile import MINUTE

HOUR = 60 * MINUTE


def empty(lab, ana):
    return lab.do(CreateEndpoint("e", ana))


def creating(lab, _ana):
    return lab.create()


def create_failed(lab, ana):
    lab.load_errors["a"] = "no such file"
    endpoint = creating(lab, ana)
    lab.run(HOUR)
    lab.load_errors.clear()
    return endpoint


def create_canceled(lab, ana):
    creating(lab, ana)
    return lab.do(CancelUpdate("e"))


def serving(lab, _ana):
    return lab.serve()


def updating(lab, ana):
    serving(lab, ana)
    return lab.put(lab.entity(version="2"))


def update_failed(lab, ana):
    endpoint = updating(lab, ana)
    lab.load_errors["a"] = "no such file"
    lab.run(HOUR)
    lab.load_errors.clear()
    return endpoint


def update_canceled(lab, ana):
    updating(lab, ana)
    return lab.do(CancelUpdate("e"))


def stopped(lab, ana):
    serving(lab, ana)
    return lab.stop()


def starting(lab, ana):
    stopped(lab, ana)
    return lab.start()


def deleted(lab, ana):
    endpoint = serving(lab, ana)
    lab.do(DeleteEndpoint("e"))
    return endpoint


WAYS = {
    EndpointPhase.EMPTY: empty,
    EndpointPhase.CREATING: creating,
    EndpointPhase.CREATE_FAILED: create_failed,
    EndpointPhase.CREATE_CANCELED: create_canceled,
    EndpointPhase.SERVING: serving,
    EndpointPhase.UPDATING: updating,
    EndpointPhase.UPDATE_FAILED: update_failed,
    EndpointPhase.UPDATE_CANCELED: update_canceled,
    EndpointPhase.STOPPED: stopped,
    EndpointPhase.STARTING: starting,
    EndpointPhase.DELETED: deleted,
}

REFUSED = {
    EndpointSignal.PUT_CONFIG: Code.UPDATING,
    EndpointSignal.CANCEL: Code.NO_UPDATE,
    EndpointSignal.STOP: Code.NOTHING_TO_STOP,
    EndpointSignal.START: Code.NOT_STOPPED,
    EndpointSignal.DELETE: Code.ENDPOINT_MISSING,
}
"""How a command is refused in a phase whose entry the table lacks, unless the next table says otherwise."""

REFUSED_SO = {
    **{(phase, EndpointSignal.STOP): Code.STOP_WHILE_UPDATING for phase in IN_TRANSITION},
    (EndpointPhase.STOPPED, EndpointSignal.STOP): Code.ALREADY_STOPPED,
    **{(EndpointPhase.DELETED, signal): Code.ENDPOINT_MISSING for signal in REFUSED},
}

COMMANDED = [(phase, signal) for phase in EndpointPhase for signal in REFUSED]


def in_phase(lab, ana, phase):
    endpoint = WAYS[phase](lab, ana)
    assert endpoint.phase is phase
    assert endpoint.in_transition == (phase in IN_TRANSITION)
    return endpoint


def command(lab, ana, signal):
    match signal:
        case EndpointSignal.PUT_CONFIG:
            return UpdateConfig("e", ana, lab.config(lab.entity(version="3")))
        case EndpointSignal.CANCEL:
            return CancelUpdate("e")
        case EndpointSignal.STOP:
            return StopEndpoint("e", ana)
        case EndpointSignal.START:
            return StartEndpoint("e", ana)
    return DeleteEndpoint("e")


@pytest.mark.parametrize(("phase", "signal"), [pair for pair in COMMANDED if pair in TABLE])
def test_a_command_does_what_the_table_lists(lab, ana, phase, signal):
    endpoint = in_phase(lab, ana, phase)
    revision = endpoint.revision
    lab.run(1_000)
    lab.do(command(lab, ana, signal))
    assert endpoint.phase is TABLE[phase, signal]
    assert endpoint.revision > revision
    assert endpoint.updated == lab.now


@pytest.mark.parametrize(("phase", "signal"), [pair for pair in COMMANDED if pair not in TABLE])
def test_any_other_command_is_refused_and_changes_nothing(lab, ana, phase, signal):
    in_phase(lab, ana, phase)
    code = REFUSED_SO.get((phase, signal), REFUSED[signal])
    refusal = lab.refusal(command(lab, ana, signal))
    assert (refusal.code, refusal.fields) == (code, {"endpoint": "e"})


@pytest.mark.parametrize("phase", EndpointPhase)
@pytest.mark.parametrize("signal", [EndpointSignal.SWITCH, EndpointSignal.FAIL])
def test_time_does_what_the_table_lists_and_nothing_else(lab, ana, phase, signal):
    endpoint = in_phase(lab, ana, phase)
    if signal is EndpointSignal.FAIL:
        lab.load_errors["a"] = "no such file"
    lab.run(HOUR)
    assert endpoint.phase is TABLE.get((phase, signal), phase)


def test_the_table_is_complete():
    assert {signal for _, signal in TABLE} == set(EndpointSignal)
    assert set(TABLE.values()) == set(EndpointPhase) - {EndpointPhase.EMPTY}
    assert EndpointPhase.DELETED not in {phase for phase, _ in TABLE}
