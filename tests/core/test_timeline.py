import pytest
from hypothesis import given
from hypothesis import strategies as st

from servesim.core.commands import Alarm, Due
from servesim.core.timeline import START_MS, Timeline

FAR = START_MS + 10**9


def due(name):
    return Due(Alarm.IDLE_CHECK, str(name))


def drain(timeline, until=FAR):
    out = []
    while (timer := timeline.pop(until)) is not None:
        out.append(timer)
    return out


def test_it_starts_at_the_fixed_instant():
    from datetime import UTC, datetime

    assert datetime.fromtimestamp(Timeline().now / 1000, UTC).isoformat() == "2026-01-05T09:00:00+00:00"


@given(st.lists(st.integers(0, 1000)))
def test_events_come_out_by_instant_and_then_in_the_order_of_scheduling(delays):
    timeline = Timeline()
    for number, delay in enumerate(delays):
        timeline.schedule(delay, due(number))
    out = drain(timeline)
    expected = sorted(range(len(delays)), key=lambda number: (delays[number], number))
    assert [int(timer.event.endpoint_id) for timer in out] == expected
    assert timeline.now == START_MS + max(delays, default=0)
    assert timeline.peek() is None


@given(st.lists(st.tuples(st.integers(0, 100), st.booleans())))
def test_what_was_cancelled_never_comes_out(timers):
    timeline = Timeline()
    made = [timeline.schedule(delay, due(number)) for number, (delay, _) in enumerate(timers)]
    kept = [timer for timer, (_, cancelled) in zip(made, timers, strict=True) if not cancelled]
    for timer in made:
        if timer not in kept:
            timeline.cancel(timer)
    assert timeline.pending() == sorted(kept)
    assert timeline.peek() == min(kept, default=None)
    assert drain(timeline) == sorted(kept)


@given(st.lists(st.tuples(st.sampled_from(["schedule", "pop", "move", "cancel"]), st.integers(-50, 300))))
def test_time_never_runs_back_and_never_passes_an_event(steps):
    timeline, made, now = Timeline(), [], START_MS
    for what, number in steps:
        head = timeline.peek()
        if what == "schedule":
            made.append(timeline.schedule(number, due(0)))
        elif what == "pop":
            timeline.pop(timeline.now + number)
        elif what == "cancel" and made:
            timeline.cancel(made[number % len(made)])
        elif what == "move":
            to = timeline.now + number
            timeline.move(min(to, head.due) if head else to)
        assert timeline.now >= now
        assert all(timer.due >= timeline.now for timer in timeline.pending())
        now = timeline.now


def test_a_negative_delay_counts_as_none():
    timeline = Timeline(100)
    assert timeline.schedule(-5, due(0)).due == 100


def test_pop_takes_what_is_due_at_the_limit_and_nothing_after_it():
    timeline = Timeline(0)
    at = timeline.schedule(10, due("at"))
    timeline.schedule(11, due("after"))
    assert timeline.pop(9) is None
    assert timeline.now == 0
    assert timeline.pop(10) == at
    assert timeline.pop(10) is None
    assert timeline.now == 10


def test_time_moves_to_the_next_event_and_not_past_it():
    timeline = Timeline(0)
    timer = timeline.schedule(10, due(0))
    timeline.move(10)
    assert timeline.now == 10
    with pytest.raises(ValueError, match="pop it first"):
        timeline.move(11)
    timeline.cancel(timer)
    timeline.move(11)
    assert timeline.now == 11
    timeline.move(5)
    assert timeline.now == 11


def test_cancelling_again_or_after_it_came_out_does_nothing():
    timeline = Timeline(0)
    first, second = timeline.schedule(1, due(1)), timeline.schedule(2, due(2))
    assert timeline.pop(1) == first
    timeline.cancel(first)
    assert timeline.pending() == [second]
    timeline.cancel(second)
    timeline.cancel(second)
    assert timeline.pending() == []


def test_cancelled_timers_do_not_pile_up():
    timeline = Timeline()
    live = [timeline.schedule(1_000_000 - number, due(number)) for number in range(100)]
    for _ in range(10_000):
        timeline.cancel(timeline.schedule(300_000, due("request")))
        assert len(timeline._heap) <= 2 * len(live) + 65
    assert timeline.pending() == sorted(live)
    assert drain(timeline) == sorted(live)


def test_the_soonest_of_those_that_are_wanted():
    timeline = Timeline(0)
    timers = [timeline.schedule(delay, due(name)) for delay, name in ((3, "x"), (1, "y"), (2, "x"))]
    assert timeline.soonest(lambda event: event == due("x")) == timers[2]
    timeline.cancel(timers[2])
    assert timeline.soonest(lambda event: event == due("x")) == timers[0]
    assert timeline.soonest(lambda event: event == due("z")) is None
    assert timeline.pending() == [timers[1], timers[0]]
