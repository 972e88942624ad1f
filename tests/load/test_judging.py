"""Splits judged by whole seconds of sending, while requests are still under way."""

from collections import Counter

import pytest

from servesim.core.draws import Draws
from servesim.load.judging import Judging, is_stored, name_of, planned
from servesim.load.settings import Settings
from servesim.load.tally import Sent, Tally

SPLIT = {"champion": 90.0, "challenger": 10.0}
DETECT_5 = Settings(detect=5.0)
RATE = 400


def tallied(share, seconds, *, seed=1, rate=RATE):
    """Return a tally of seconds from 0 on in which a router draws the challenger with a probability."""
    stream, tally = Draws(seed).stream("routes"), Tally()
    for index in range(rate * seconds):
        name = "challenger" if stream.fraction(index) < share else "champion"
        tally.count(index // rate, Sent(name, 200, retry=False), 5.0)
    return tally


def test_a_split_that_is_kept_passes_when_enough_is_counted():
    tally = tallied(0.1, 6)
    judging = Judging("90/10", SPLIT, 0, DETECT_5)
    outcomes = [str(judging.advance(tally, second).outcome) for second in range(1, 7)]
    assert outcomes == ["inconclusive"] * 4 + ["pass"] * 2
    assert judging.is_decided
    assert judging.is_passed
    assert sorted(judging.log_e) == list(range(6))


def test_a_fail_is_sure_at_once_without_a_floor_and_at_the_planned_size_with_one():
    tally = tallied(0.2, 6)
    judging = Judging("90/10", SPLIT, 0, DETECT_5)
    assert judging.advance(tally, 2).outcome == "fail"
    assert judging.is_decided
    floored = Judging("90/10", SPLIT, 0, Settings(detect=5.0, floor=1.0))
    assert floored.advance(tally, 2).outcome == "fail"
    assert not floored.is_decided
    floored.advance(tally, 5)
    assert floored.is_decided


def test_a_route_at_nothing_that_answers_is_sure_whatever_the_floor():
    judging = Judging("100/0", {"champion": 100.0, "challenger": 0.0}, 0, Settings(detect=5.0, floor=2.0))
    judging.advance(tallied(0.1, 1, rate=30), 1)
    assert judging.is_decided
    assert not judging.is_passed


def test_only_the_seconds_of_a_phase_count():
    tally = tallied(0.1, 6)
    judging = Judging("90/10", SPLIT, 2, DETECT_5)
    judging.until = 4
    assert judging.advance(tally, 6).requests == 2 * RATE
    document = judging.as_json(origin=0)
    assert (document["from_s"], document["to_s"], document["requests"]) == (2.0, 4.0, 2 * RATE)


def test_a_slow_entity_is_waited_for():
    """Its answers are the last; judged before they are there, the router that is right would have failed."""
    tally = Tally()
    for _ in range(20):
        tally.begin(0)
    for _ in range(180):
        tally.count(0, Sent("champion", 200, retry=False), 5.0)
    judging = Judging("90/10", SPLIT, 0, DETECT_5)
    assert judging.advance(tally, tally.settled(now=1)).requests == 0
    hasty = Judging("90/10", SPLIT, 0, DETECT_5)
    assert hasty.advance(tally, 1).outcome == "fail"
    for _ in range(20):
        tally.count(0, Sent("challenger", 200, retry=False), 900.0)
        tally.end(0)
    assert judging.advance(tally, tally.settled(now=1)).counts == {"champion": 180, "challenger": 20}
    assert judging.verdict.log_e < 0


def test_what_is_counted_late_is_judged_in_the_end():
    tally = tallied(0.1, 5)
    judging = Judging("90/10", SPLIT, 0, DETECT_5)
    judging.advance(tally, 5)
    tally.count(1, Sent("champion", 200, retry=False), 5.0)
    assert judging.advance(tally, 5).requests == 5 * RATE
    assert judging.anew(tally, 5).requests == 5 * RATE + 1


def test_retries_and_failures_are_no_evidence():
    tally = tallied(0.1, 1)
    tally.count(0, Sent("challenger", 200, retry=True), 5.0)
    tally.count(0, Sent(None, 503, retry=False), 5.0)
    verdict = Judging("90/10", SPLIT, 0, DETECT_5).advance(tally, 1)
    assert (verdict.requests, verdict.unattributed, verdict.retries) == (RATE, 1, {"challenger": 1})


def test_plans_that_are_stored_are_known():
    assert name_of(SPLIT) == "90/10"
    assert is_stored(SPLIT, DETECT_5)
    assert is_stored({"champion": 100.0, "challenger": 0.0}, DETECT_5)
    assert not is_stored({"champion": 87.0, "challenger": 13.0}, DETECT_5)
    assert planned(SPLIT, DETECT_5).requests == 1_880
    with pytest.raises(ValueError, match="add up"):
        is_stored({"champion": 90.0}, DETECT_5)


@pytest.mark.deep
def test_a_skewed_router_is_caught_at_the_planned_size_with_the_promised_power():
    from servesim.core.commands import Route
    from servesim.core.endpoint import Config
    from servesim.core.routing import pick
    from servesim.verification.bounds import upper_bound

    config = Config(1, (), tuple(Route(name, int(share)) for name, share in SPLIT.items()), 0)
    skew = (("champion", 85), ("challenger", 15))
    size, runs = planned(SPLIT, DETECT_5).requests, 400
    caught = alarms = 0
    for seed in range(runs):
        stream = Draws(seed).stream("routes")
        for split in (skew, ()):
            tally = Tally()
            counts = Counter(pick(config, stream.fraction(index), split) for index in range(size))
            for name, count in counts.items():
                for _ in range(count):
                    tally.count(0, Sent(name, 200, retry=False), 1.0)
            outcome = Judging("90/10", SPLIT, 0, DETECT_5).advance(tally, 1).outcome
            caught += bool(split) and outcome == "fail"
            alarms += not split and outcome == "fail"
    assert upper_bound(caught, runs) >= 0.99  # what was seen doesn't contradict the promise
    assert caught / runs > 0.975
    assert alarms <= 2
