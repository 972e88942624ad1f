"""Counts by the second of sending: settled, merged, bounded."""

import json

import pytest

from servesim.load.tally import MOST_NAMES, MOST_SECONDS, NO_ANSWER, OTHERS, Sent, Tally, errors

WELL = Sent("champion", 200, retry=False)


def counted(tally):
    """Return everything that reports are made of."""
    cells = {
        (second, sent): (cell.counts, cell.greatest_ms)
        for second, row in tally.seconds.items()
        for sent, cell in row.items()
    }
    return cells, tally.formats, tally.endpoints


def events(count):
    """Yield as many answers, of several kinds."""
    for index in range(count):
        sent = (
            WELL,
            Sent("challenger", 200, retry=False),
            Sent(None, 429, retry=False),
            Sent("champion", 200, retry=True),
        )
        yield 100 + index // 50, sent[index % 4], 1.0 + index % 37, ("inputs", "csv")[index % 2], "fraud"


def test_a_second_is_told_as_a_judge_takes_it():
    tally = Tally()
    for sent in (
        WELL,
        WELL,
        WELL._replace(entity="challenger"),
        Sent(None, 500, retry=False),
        WELL._replace(retry=True),
    ):
        tally.count(7, sent, 5.0)
    assert tally.of_second(7) == ({"champion": 2, "challenger": 1}, 1, {"champion": 1})
    assert tally.of_second(8) == ({}, 0, {})


def test_a_second_is_settled_when_all_that_was_sent_in_it_has_been_answered():
    tally = Tally()
    assert tally.settled(now=12) == 12
    tally.begin(10)
    tally.begin(10)
    tally.begin(11)
    tally.end(11)
    assert tally.settled(now=12) == 10
    tally.end(10)
    assert tally.settled(now=12) == 10
    tally.end(10)
    assert tally.settled(now=12) == 12


def test_a_worker_that_has_not_reported_a_second_leaves_it_open():
    master, worker = Tally(), Tally()
    master.expect("one", 5)
    assert (master.settled(now=9), master.late(8)) == (5, ["one"])
    worker.begin(7)
    master.take("one", worker.report(now=9))
    assert (master.settled(now=9), master.late(6)) == (7, [])


def test_what_workers_report_adds_up_to_what_one_process_counts():
    alone, master, workers = Tally(), Tally(), [Tally(), Tally()]
    for index, event in enumerate(events(1_000)):
        alone.count(*event)
        workers[index % 2].count(*event)
        if index % 170 == 0:  # reports come at any time
            message = workers[index % 2].report(now=200)
            master.take(str(index % 2), json.loads(json.dumps(message)))
    for name, worker in enumerate(workers):
        master.take(str(name), json.loads(json.dumps(worker.report(now=200))))
        master.take(str(name), worker.report(now=200))  # nothing new
    assert counted(master) == counted(alone)


def test_memory_is_flat_however_many_requests_there_are():
    tally = Tally()
    sizes = []
    for _ in range(3):
        for event in events(2_000):
            tally.count(*event)
        sizes.append(sum(1 + len(cell.counts) for _, cell in tally.cells()))
    assert sizes[0] == sizes[1] == sizes[2]


@pytest.mark.deep
def test_a_million_requests_take_no_more_memory_than_a_thousand():
    import tracemalloc

    tally = Tally()
    for index in range(1_000):
        tally.count(index % 20, WELL, index * 0.5)
    tracemalloc.start()
    for index in range(1_000_000):
        tally.count(index % 20, WELL, index % 500)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 200_000


def test_seconds_and_names_are_bounded():
    tally = Tally()
    for second in range(MOST_SECONDS + 3):
        tally.count(second, WELL, 1.0)
    assert len(tally.seconds) == MOST_SECONDS
    assert tally.of_second(MOST_SECONDS - 1).entities == {"champion": 4}
    for number in range(MOST_NAMES + 50):
        tally.count(0, Sent(f"answer-{number}", 200, retry=False), 1.0)
    assert len(tally.of_second(0).entities) == MOST_NAMES + 1
    assert tally.of_second(0).entities[OTHERS] == 51


def test_odd_statuses_are_no_answer():
    tally = Tally()
    for status in (NO_ANSWER, -7, 12_345):
        tally.count(0, Sent(None, status, retry=False), 1.0)
    assert tally.statuses() == {NO_ANSWER: 3}
    assert errors({200: 5, 204: 1, 301: 1, 429: 2, NO_ANSWER: 3}) == 6
