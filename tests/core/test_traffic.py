"""The last minute of a deployment: counted by second, forgotten in time, and equal to counting anew."""

from bisect import bisect_left
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servesim.core.commands import Finish, GiveUp
from servesim.core.profile import FAITHFUL, MINUTE, SECOND
from servesim.core.traffic import BOUNDS_MS, WINDOW_S, Traffic

EMPTY = (0,) * (len(BOUNDS_MS) + 1)


def test_nothing_at_all():
    window = Traffic().window(12_345)
    assert window == (0, 0, 0, (EMPTY, 0), (EMPTY, 0), (EMPTY, 0))


def test_the_bounds_rise_and_end_beyond_the_execution_limit():
    assert list(BOUNDS_MS) == sorted(set(BOUNDS_MS))
    assert BOUNDS_MS[-1] >= FAITHFUL.execution_limit_ms


@pytest.mark.parametrize(
    ("status", "counted"),
    [(200, (0, 0)), (399, (0, 0)), (400, (1, 0)), (499, (1, 0)), (500, (0, 1)), (504, (0, 1))],
)
def test_errors_by_whose_fault_they_are(status, counted):
    traffic = Traffic()
    traffic.note(0, status, 0, 0)
    window = traffic.window(0)
    assert (window.requests, window.errors_4xx, window.errors_5xx) == (1, *counted)


@pytest.mark.parametrize(
    ("milliseconds", "bucket"),
    [(0, 0), (1, 0), (2, 1), (3, 2), (5, 2), (300_000, len(BOUNDS_MS) - 1), (300_001, len(BOUNDS_MS))],
)
def test_a_duration_falls_into_the_first_bucket_that_is_not_below_it(milliseconds, bucket):
    traffic = Traffic()
    traffic.note(0, 200, milliseconds, 0)
    latency = traffic.window(0).latency
    assert [at for at, count in enumerate(latency.counts) if count] == [bucket]
    assert latency.total_ms == milliseconds


def test_latency_is_the_queue_and_the_work():
    traffic = Traffic()
    traffic.note(0, 200, 40, 7)
    traffic.note(0, 200, 60, 0)
    window = traffic.window(0)
    assert (window.latency.total_ms, window.queue.total_ms, window.work.total_ms) == (100, 7, 93)
    assert [sum(one.counts) for one in window[3:]] == [window.requests] * 3 == [2] * 3
    assert (window.latency.counts[BOUNDS_MS.index(50)], window.latency.counts[BOUNDS_MS.index(100)]) == (1, 1)
    assert (window.queue.counts[0], window.queue.counts[BOUNDS_MS.index(10)]) == (1, 1)
    assert (window.work.counts[BOUNDS_MS.index(50)], window.work.counts[BOUNDS_MS.index(100)]) == (1, 1)


def test_a_second_is_forgotten_as_a_whole_once_a_minute_has_passed():
    traffic = Traffic()
    traffic.note(1_000, 200, 1, 1)
    traffic.note(1_999, 500, 1, 1)
    traffic.note(2_000, 400, 1, 1)
    assert traffic.window(60_999).requests == 3
    window = traffic.window(61_000)
    assert (window.requests, window.errors_4xx, window.errors_5xx) == (1, 1, 0)
    assert traffic.window(62_000).requests == 0


def test_what_is_kept_is_bounded_though_nobody_reads_it():
    traffic = Traffic()
    for second in range(10_000):
        for _ in range(3):
            traffic.note(second * SECOND, 200, 1, 1)
    assert len(traffic._seconds) == WINDOW_S
    traffic.note(10**9, 200, 1, 1)
    assert len(traffic._seconds) == 1


def naive(noted, now):
    """Count anew what falls into the last minute."""
    last = [one for one in noted if one[0] // SECOND > now // SECOND - WINDOW_S]

    def histogram(durations):
        places = [bisect_left(BOUNDS_MS, duration) for duration in durations]
        return tuple(places.count(at) for at in range(len(BOUNDS_MS) + 1)), sum(durations)

    clients, servers = (sum(status // 100 == head for _, status, _, _ in last) for head in (4, 5))
    durations = [one[2] for one in last], [one[3] for one in last], [one[2] - one[3] for one in last]
    return len(last), clients, servers, *map(histogram, durations)


DURATIONS = st.one_of(st.integers(0, 400_000), st.sampled_from(BOUNDS_MS))
REQUESTS = st.tuples(
    st.sampled_from([0, 1, 400, 999, 1_000, 20_000, 59_000, 60_000, 61_000]),
    st.sampled_from([200, 399, 400, 404, 499, 500, 504, 599]),
    DURATIONS,
    DURATIONS,
    st.booleans(),
)


@given(start=st.integers(0, 5_000), requests=st.lists(REQUESTS, max_size=40))
def test_it_counts_what_counting_anew_gives(start, requests):
    traffic, noted, now = Traffic(), [], start
    for later, status, queue, work, looked_at in requests:
        now += later
        noted.append((now, status, queue + work, queue))
        traffic.note(*noted[-1])
        if looked_at:
            assert traffic.window(now) == naive(noted, now)
    for later in (0, 1, 30_000, 60_000):
        assert traffic.window(now + later) == naive(noted, now + later)


# --- what the world counts ------------------------------------------------------------------------


def counts(lab, deployment=None):
    window = ((deployment or lab.deployment()).traffic or Traffic()).window(lab.now)
    return window.requests, window.errors_4xx, window.errors_5xx, window.latency.total_ms, window.queue.total_ms


def test_an_answer_is_counted_at_its_end_with_the_time_since_its_admission(lab):
    lab.serve()
    ticket = lab.admit()
    lab.run(2 * SECOND)
    assert counts(lab) == (0, 0, 0, 0, 0)
    lab.do(Finish(ticket.number, 400))
    lab.do(Finish(ticket.number, 400))
    assert counts(lab) == (1, 1, 0, 2_000, 0)
    lab.run(MINUTE)
    assert counts(lab) == (0, 0, 0, 0, 0)


def test_the_time_of_a_cold_start_is_waited(lab):
    lab.serve(lab.entity(scale_to_zero=True))
    lab.run(30 * MINUTE)
    ticket, began = lab.admit(), lab.now
    while ticket.state == "held":
        lab.step()
    waited = lab.now - began
    lab.run(SECOND)
    lab.do(Finish(ticket.number, 200))
    assert 10_000 <= waited <= 20_000
    assert counts(lab) == (1, 0, 0, waited + 1_000, waited)
    assert (ticket.admitted, ticket.started, ticket.ended) == (began, began + waited, lab.now)


def test_a_request_past_its_limit_counts_as_an_error_of_the_server(lab):
    lab.serve()
    lab.admit(timed=True)
    lab.run(FAITHFUL.execution_limit_ms)
    assert counts(lab) == (1, 0, 1, FAITHFUL.execution_limit_ms, 0)


def test_a_request_that_never_began_waited_all_the_time(labs):
    lab = labs(profile=replace(FAITHFUL, cold_start_ms=(400 * SECOND, 400 * SECOND)))
    lab.serve(lab.entity(scale_to_zero=True))
    lab.run(30 * MINUTE)
    lab.admit()
    limit = FAITHFUL.execution_limit_ms
    lab.run(limit)
    assert counts(lab) == (1, 0, 1, limit, limit)
    assert lab.deployment().traffic.window(lab.now).work.total_ms == 0


def test_a_request_whose_client_went_away_is_not_counted(lab):
    lab.serve()
    lab.do(GiveUp(lab.admit().number, "the client went away"))
    assert counts(lab) == (0, 0, 0, 0, 0)


def test_one_whose_model_gave_no_answer_is_counted_by_what_its_client_got(lab):
    lab.serve()
    lab.do(GiveUp(lab.admit().number, "its process ended", 500))
    assert counts(lab) == (1, 0, 1, 0, 0)


def test_each_deployment_has_its_own(lab):
    lab.serve(lab.entity("a"), lab.entity("b"), a=100, b=0)
    lab.do(Finish(lab.admit().number, 200))
    lab.do(Finish(lab.admit("b").number, 500))
    assert counts(lab, lab.deployment("a")) == (1, 0, 0, 0, 0)
    assert counts(lab, lab.deployment("b")) == (1, 0, 1, 0, 0)
