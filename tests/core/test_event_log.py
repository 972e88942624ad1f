import pytest

from servesim.core.commands import (
    ChangeTags,
    CreateEndpoint,
    DeleteEndpoint,
    Finish,
    NotSimulated,
    RemoveMember,
    WorkerDied,
)
from servesim.core.endpoint import EVENTS_KEPT
from servesim.core.eventlog import DETAIL_CHARACTERS, LOG_LINES, LogLine
from servesim.core.model_commands import AddModel
from servesim.core.timeline import START_MS


def test_a_life_is_told_in_order(lab):
    lab.create()
    lab.run(10 * 60_000)
    lab.do(Finish(lab.admit().number, 200))
    lab.do(NotSimulated("ana@example.com", "GET /api/2.0/something"))
    minute = 60_000
    told = [((line.instant - START_MS) / minute, *line[1:]) for line in list(lab.world.log)[3:]]
    assert told == [
        (0, "endpoint created", "e", "ana@example.com", ""),
        (0, "config asked for", "e", "ana@example.com", "version 1"),
        (0, "deployment building", "e", "a", ""),
        (8, "deployment provisioning", "e", "a", ""),
        (8, "container built", "e", "a", ""),
        (10, "deployment loading", "e", "a", ""),
        (10, "deployment ready", "e", "a", ""),
        (10, "config serving", "e", "", "version 1"),
        (10, "answered", "e", "a", "200"),
        (10, "not simulated", "", "ana@example.com", "GET /api/2.0/something"),
    ]


def test_the_oldest_lines_go_first(lab):
    lab.serve()
    for status in range(LOG_LINES + 5):
        lab.do(Finish(lab.admit().number, status))
    assert len(lab.world.log) == LOG_LINES
    assert lab.world.log[0] == LogLine(lab.now, "answered", "e", "a", "5")


def test_every_line_has_a_number_that_stays(lab):
    lab.serve()
    assert lab.world.logged == len(lab.world.log)
    seen = lab.world.logged
    for _ in range(LOG_LINES):
        lab.do(NotSimulated("ana@example.com", "GET /x"))
    lab.do(NotSimulated("ana@example.com", "GET /y"))
    assert lab.world.logged == seen + LOG_LINES + 1
    # The newest line has the number ``logged``: who has read up to a number finds what came later.
    assert [line.detail for line in list(lab.world.log)[seen + LOG_LINES - lab.world.logged :]] == ["GET /y"]


def test_a_refused_command_writes_no_line(lab):
    logged = lab.world.logged
    lab.refusal(DeleteEndpoint("x"))
    lab.refusal(RemoveMember("x"))
    assert lab.world.logged == logged


def test_a_detail_without_end_is_cut(lab):
    lab.do(NotSimulated("ana@example.com", "GET /" + "x" * 100_000))
    assert len(lab.world.log[-1].detail) == DETAIL_CHARACTERS


# --- an endpoint's own events ---------------------------------------------------------------------


def told(endpoint):
    return [(line.what, line.subject) for line in endpoint.events]


def test_the_events_of_an_endpoint_are_its_lines_of_the_log_without_its_requests(lab, ana):
    endpoint = lab.create()
    lab.create(name="other")
    lab.run(10 * 60_000)
    lab.do(Finish(lab.admit().number, 200))
    lab.do(ChangeTags("e", ana, (("team", "ml"),), ()))
    lab.stop()
    assert told(endpoint) == [
        ("endpoint created", "ana@example.com"),
        ("config asked for", "ana@example.com"),
        ("deployment building", "a"),
        ("deployment provisioning", "a"),
        ("container built", "a"),
        ("deployment loading", "a"),
        ("deployment ready", "a"),
        ("config serving", ""),
        ("deployment stopped", "a"),
        ("deployment draining", "a"),
        ("deployment gone", "a"),
        ("endpoint stopped", ""),
    ]
    assert [line for line in lab.world.log if line in endpoint.events] == list(endpoint.events)


def test_a_recreated_endpoint_has_its_own_events(lab, ana):
    old = lab.serve()
    lab.admit()
    lab.do(DeleteEndpoint("e"))
    kept = list(old.events)
    new = lab.do(CreateEndpoint("e", ana))
    lab.run(60 * 60_000)
    assert lab.events("deployment gone")  # the old one's, drained after the new endpoint came
    assert told(new) == [("endpoint created", "ana@example.com")]
    assert list(old.events) == kept


def test_the_oldest_events_go_first(lab):
    endpoint = lab.serve()
    for _ in range(EVENTS_KEPT):
        lab.do(WorkerDied(lab.deployment().id))
        lab.run(60_000)
    assert len(endpoint.events) == EVENTS_KEPT
    assert endpoint.events[-1].what == "deployment ready"
    assert "endpoint created" not in {line.what for line in endpoint.events}


@pytest.mark.parametrize("what", ["model added", "principal added", "not simulated"])
def test_what_belongs_to_no_endpoint_is_in_the_log_alone(lab, what):
    endpoint = lab.serve()
    lab.member("bob")
    lab.do(NotSimulated("bob", "GET /x"))
    lab.do(AddModel(next(iter(lab.world.registry))))
    assert lab.events(what)
    assert what not in {line.what for line in endpoint.events}
