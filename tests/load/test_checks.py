"""Thresholds."""

import pytest

from servesim.load.checks import all_answered, thresholds, users_code, worst
from servesim.load.settings import Settings
from servesim.load.tally import Sent, Tally

WELL = Sent("champion", 200, retry=False)


def tallied():
    """Return 99 answers of 10 ms and a refusal after 500."""
    tally = Tally()
    for _ in range(99):
        tally.count(0, WELL, 10.0)
    tally.count(0, Sent(None, 429, retry=False), 500.0)
    return tally


@pytest.mark.parametrize(
    ("asked", "outcome", "value"),
    [
        ({"max_error_rate": 0.01}, "pass", 0.01),
        ({"max_error_rate": 0.0099}, "fail", 0.01),
        ({"p99_ms": 11.0}, "pass", pytest.approx(10, rel=0.05)),
        ({"p99_ms": 5.0}, "fail", pytest.approx(10, rel=0.05)),
        ({"min_rps": 50.0}, "pass", 50.0),
        ({"min_rps": 50.1}, "fail", 50.0),
    ],
)
def test_a_limit_is_kept_or_not(asked, outcome, value):
    (check,) = thresholds(tallied(), Settings(**asked), seconds=2.0)
    assert (check.outcome, check.value) == (outcome, value)
    assert check.limit == next(iter(asked.values()))


def test_a_limit_is_told_as_it_was_asked_for():
    asked = Settings(max_error_rate=0.00005, p99_ms=2500.0, min_rps=100_000.0)
    rate, p99, rps = (check.why for check in thresholds(tallied(), asked, seconds=2.0))
    assert rate == "1 of 100 requests failed, 1 %; at most 0.005 % may"
    assert p99.endswith(" ms; 2,500 ms are allowed")
    assert rps == "50 requests a second; at least 100,000 are asked for"


def test_what_is_not_asked_for_is_not_checked():
    assert thresholds(tallied(), Settings(), 1.0) == []


def test_without_an_answer_nothing_is_known():
    checks = thresholds(Tally(), Settings(max_error_rate=0.0, min_rps=1.0), 1.0)
    assert [(check.name, check.outcome) for check in checks] == [
        ("max error rate", "inconclusive"),
        ("min rps", "inconclusive"),
    ]


def test_users_whose_code_raises_leave_a_run_undecided():
    assert users_code(0) == []
    (check,) = users_code(1_200)
    assert (check.outcome, check.value) == ("inconclusive", 1_200)
    assert "1,200 errors" in check.why


def test_an_error_is_one_too_many_where_nothing_is_asked():
    assert all_answered(tallied()).outcome == "fail"


@pytest.mark.parametrize(
    ("outcomes", "found"),
    [
        ([], "inconclusive"),
        (["pass", "pass"], "pass"),
        (["pass", "inconclusive"], "inconclusive"),
        (["inconclusive", "fail", "pass"], "fail"),
    ],
)
def test_the_worst_of_several_is_the_run_s(outcomes, found):
    assert worst(outcomes) == found
