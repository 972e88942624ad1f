from servesim.core.commands import Finish, NotSimulated
from servesim.core.timeline import START_MS
from servesim.core.workspace import LOG_LINES, LogLine


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
