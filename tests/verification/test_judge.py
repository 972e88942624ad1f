"""Verdicts of counts."""

import json
from itertools import islice

import pytest

from servesim.core.draws import Draws
from servesim.verification import Judge, Outcome, judge, plan
from servesim.verification.bounds import upper_bound
from servesim.verification.simulation import generator

SPLIT = {"champion": 90, "challenger": 10}
PLANNED = plan(SPLIT, detect=2).requests


def answers(share, seed=1):
    """Draw who answers by the simulator's own index of chance, without end; ``share`` is the challenger's."""
    stream = Draws(seed).stream("route", "endpoint")
    ordinal = 0
    while True:
        yield "challenger" if stream.fraction(ordinal) < share else "champion"
        ordinal += 1


def test_a_router_that_is_right_passes_at_the_planned_size():
    judging = Judge(SPLIT, detect=2)
    judging.add_in_order(islice(answers(0.1), PLANNED - 1))
    assert judging.look().outcome is Outcome.INCONCLUSIVE
    judging.add_in_order(["champion"])
    verdict = judging.look()
    assert (verdict.outcome, verdict.requests) == ("pass", PLANNED)
    assert verdict.why.startswith("the split is kept within ")


def test_a_skewed_router_is_caught_at_the_planned_size():
    counts = {"champion": 0, "challenger": 0}
    for name in islice(answers(0.12), PLANNED):
        counts[name] += 1
    verdict = judge(SPLIT, counts, detect=2)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.why.startswith(f"of {PLANNED:,} requests 'challenger' has 1")
    assert "is to have 10 %" in verdict.why


def test_skewed_routers_are_caught_with_the_promised_power():
    challenger = generator(5).binomial(PLANNED, 0.12, size=2_000)
    verdicts = [judge(SPLIT, {"champion": PLANNED - int(n), "challenger": int(n)}, detect=2) for n in challenger]
    caught = sum(verdict.outcome is Outcome.FAIL for verdict in verdicts)
    assert caught >= 0.99 * len(verdicts)


def test_the_e_value_counts_at_any_look():
    judging = Judge({"a": 50, "b": 50}, detect=5)
    judging.add({"a": 100, "b": 10})
    assert judging.look().outcome is Outcome.FAIL
    judging.add({"a": 10, "b": 99})
    later = judging.look()
    assert later.e_value < 1 / later.plan.alpha < later.greatest_e_value
    assert later.outcome is Outcome.FAIL


def test_an_unseen_moment_counts_for_nothing():
    judging = Judge({"a": 50, "b": 50}, detect=5)
    judging.add({"a": 100, "b": 10})
    judging.add({"a": 10, "b": 99})
    assert not judging.look().crossed


def test_answers_in_order_are_looked_at_one_by_one():
    judging = Judge({"a": 50, "b": 50}, detect=5)
    judging.add_in_order(["a"] * 100 + ["b"] * 99)
    assert judging.look().crossed


def test_parts_make_the_whole():
    order = list(islice(answers(0.1), 3_000))
    whole, parts = Judge(SPLIT), Judge(SPLIT)
    whole.add_in_order(order)
    for start in range(0, 3_000, 700):
        parts.add_in_order(order[start : start + 700])
    assert parts.look().greatest_log_e == pytest.approx(whole.look().greatest_log_e)
    assert parts.look().counts == whole.look().counts
    assert parts.look().regularity == whole.look().regularity


def test_a_difference_below_the_floor_passes():
    counts = {"champion": 902_000, "challenger": 98_000}
    assert judge(SPLIT, counts, detect=2).outcome is Outcome.FAIL
    within = judge(SPLIT, counts, detect=2, floor=0.5)
    assert within.outcome is Outcome.PASS
    assert within.why.endswith("the difference is real, and below the floor of 0.5 points")


def test_a_floor_that_would_cost_power_is_refused():
    with pytest.raises(ValueError, match=r"0 to 1 points, not 1\.5"):
        Judge(SPLIT, detect=2, floor=1.5)


@pytest.mark.parametrize("split", [SPLIT, SPLIT | {"old": 0}], ids=["unnamed", "at 0 %"])
def test_an_answer_of_a_route_without_traffic_fails_at_once(split):
    verdict = judge(split, {"champion": 9, "challenger": 1, "old": 1}, unattributed=5)
    assert (verdict.outcome, verdict.why) == ("fail", "entities at 0 % answered: 'old' (1)")
    judging = Judge(split)
    judging.add_in_order(["champion", None, "old", None])
    assert judging.look().strays == {"old": 1}
    assert judging.look().unattributed == 2


def test_a_route_without_traffic_that_is_silent_is_none_of_it():
    counts = {"champion": 9 * PLANNED, "challenger": PLANNED, "old": 0}
    verdict = judge(SPLIT | {"old": 0}, counts, detect=2)
    assert verdict.outcome is Outcome.PASS
    assert verdict.strays == {}


def test_one_route_with_all_traffic():
    assert judge({"a": 100, "b": 0}, {"a": 458}).outcome is Outcome.INCONCLUSIVE
    assert judge({"a": 100, "b": 0}, {"a": 459}).outcome is Outcome.PASS
    assert judge({"a": 100, "b": 0}, {"a": 459, "b": 1}).outcome is Outcome.FAIL


@pytest.mark.parametrize(("unattributed", "outcome"), [(200, "pass"), (203, "inconclusive")])
def test_too_many_answers_without_an_entity_leave_it_open(unattributed, outcome):
    verdict = judge(SPLIT, {"champion": 18_000, "challenger": 2_000}, detect=2, unattributed=unattributed)
    assert verdict.outcome == outcome


def test_a_deviation_that_unattributed_answers_can_explain_is_no_failure():
    verdict = judge(SPLIT, {"champion": 19_000, "challenger": 1_000}, detect=2, unattributed=1_100)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.why == "5.2 % of the first attempts name no entity; 1 % or less would do to detect 2 points"


def test_retries_are_counted_apart():
    counts = {"champion": 9_604, "challenger": 1_096}
    alone = judge(SPLIT, counts, detect=2)
    with_retries = judge(SPLIT, counts, detect=2, retries={"champion": 5_000, "challenger": 0})
    assert with_retries.log_e == alone.log_e
    assert with_retries.retries == {"champion": 5_000}
    assert with_retries.remarks == ("5,000 answers came on a retry; they are not counted",)


def test_no_answer_is_no_evidence():
    verdict = judge(SPLIT, {})
    assert (verdict.outcome, verdict.e_value, verdict.estimate) == ("inconclusive", 1, {})


def test_negative_counts_are_refused_whole():
    judging = Judge(SPLIT)
    with pytest.raises(ValueError, match="counted from 0 up"):
        judging.add({"champion": 5, "challenger": -1})
    assert judging.look().requests == 0


def test_a_verdict_is_json_however_great_the_e_value():
    verdict = judge({"a": 50, "b": 50}, {"a": 1_000_000, "b": 0})
    written = json.loads(json.dumps(verdict.as_json(), allow_nan=False))
    assert written["outcome"] == "fail"
    assert written["greatest_e_value"] > 1e290


@pytest.mark.parametrize("kind", ["in order", "batches", "one total"])
def test_routes_that_are_dealt_out_in_turn_are_reported(kind):
    judging = Judge(SPLIT, detect=2)
    if kind == "in order":
        judging.add_in_order((["champion"] * 9 + ["challenger"]) * 2_000)
    for _ in range({"batches": 2_000}.get(kind, 0)):
        judging.add({"champion": 9, "challenger": 1})
    if kind == "one total":
        judging = Judge(dict.fromkeys("abcdefghij", 10), detect=2)
        judging.add(dict.fromkeys("abcdefghij", 20_000))
    verdict = judging.look()
    assert verdict.too_regular
    assert verdict.outcome is Outcome.PASS
    assert verdict.remarks[0].startswith("too regular for random draws")


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.1), (0.99, 0.01), (0.1,) * 10], ids=str)
def test_random_draws_are_seldom_called_too_regular(shares):
    draws = generator(7)
    split = {f"route-{number}": 100 * share for number, share in enumerate(shares)}
    called = 0
    for _ in range(200):
        judging = Judge(split, detect=2, alpha=0.05)
        for counts in draws.multinomial(draws.integers(1, 3_000), shares, size=8):
            judging.add(dict(zip(split, counts.tolist(), strict=True)))
        called += judging.look().too_regular
    assert called <= 20


@pytest.mark.parametrize("split", [SPLIT, {"a": 99, "b": 1}], ids=["90-10", "99-1"])
def test_counts_that_hit_the_split_once_are_not_too_regular(split):
    """Whole numbers do: of 1,000 requests at 90:10, one run in 25 has 900 and 100."""
    verdict = judge(split, {name: 30 * share for name, share in split.items()}, detect=2)
    assert verdict.regularity > 0.01
    assert not verdict.too_regular


def test_judges_that_look_after_every_request_keep_alpha():
    draws = generator(9)
    alarms = 0
    for _ in range(2_000):
        judging = Judge({"0": 50, "1": 50}, detect=10, alpha=0.05)
        judging.add_in_order(map(str, draws.integers(0, 2, 740)))
        alarms += judging.look().outcome is Outcome.FAIL
    assert alarms / 2_000 > 0.01
    assert upper_bound(alarms, 2_000) <= 0.05


def test_a_million_answers_are_judged_with_a_look_after_each():
    draws = generator(1)
    names = ("champion", "challenger")
    judging = Judge(SPLIT)
    judging.add_in_order(names[index] for index in (draws.random(1_000_000) < 0.1).tolist())
    verdict = judging.look()
    assert (verdict.requests, verdict.outcome) == (1_000_000, "pass")
    assert not verdict.too_regular
    assert verdict.greatest_log_e >= verdict.log_e
