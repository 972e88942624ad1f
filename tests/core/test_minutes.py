"""Traffic by minute."""

from servesim.core.minutes import DURATIONS_KEPT, KEPT, MINUTE_MS, Minutes


def test_requests_are_counted_in_the_minute_of_their_answer():
    minutes = Minutes()
    for status, duration in ((200, 5), (200, 5), (404, 1), (500, 100)):
        minutes.note(MINUTE_MS + 59_999, status, duration, 4)
    minutes.note(2 * MINUTE_MS, 200, 7, 8)
    first, second = minutes.between(0, 10 * MINUTE_MS)
    assert (first.start, first.requests, first.errors_4xx, first.errors_5xx, first.slots) == (MINUTE_MS, 4, 1, 1, 4)
    assert first.durations == ((1, 1), (5, 2), (100, 1))
    assert [first.percentile(share) for share in (0, 0.25, 0.5, 0.75, 0.99, 1)] == [1, 1, 5, 5, 100, 100]
    assert (second.start, second.requests, second.slots) == (2 * MINUTE_MS, 1, 8)
    assert minutes.between(2 * MINUTE_MS, 2 * MINUTE_MS) == [second]
    assert minutes.between(0, MINUTE_MS - 1) == []


def test_the_oldest_minutes_go_first():
    minutes = Minutes()
    for minute in range(KEPT + 5):
        minutes.note(minute * MINUTE_MS, 200, 0, 4)
    kept = minutes.between(0, 10**12)
    assert (len(kept), kept[0].start) == (KEPT, 5 * MINUTE_MS)


def test_so_many_different_durations_are_kept():
    minutes = Minutes()
    for duration in range(DURATIONS_KEPT + 10):
        minutes.note(0, 200, duration, 4)
    (minute,) = minutes.between(0, 0)
    assert (minute.requests, len(minute.durations), minute.durations[-1]) == (
        DURATIONS_KEPT + 10,
        DURATIONS_KEPT,
        (DURATIONS_KEPT - 1, 11),
    )
