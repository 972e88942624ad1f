"""What is asked of a burst on an endpoint that sleeps."""

import pytest

from servesim.load.settings import Settings
from servesim.load.tally import Sent, Tally
from servesim.load.waking import SLACK_MS, Woken, checks


class Run:
    """As much of a run as the checks read."""

    def __init__(self, answered, users=3, rounds=1):
        self.settings = Settings(rounds=rounds)
        self.users = users
        self.tally = Tally()
        for _ in range(answered):
            self.tally.count(0, Sent("one", 200, retry=False), 1_500.0)


def woken(*until, due=1_500, entity="one"):
    """Return requests that came a millisecond after each other and were held until then."""
    return [Woken(1, entity, at, f"{at:04}", end, due, 200) for at, end in enumerate(until)]


def outcomes(run, found):
    """Return the outcome of each check by its name."""
    return {check.name: check.outcome for check in checks(run, found)}


def test_all_is_well():
    assert set(outcomes(Run(3), woken(1_500, 1_500, 1_540)).values()) == {"pass"}


def test_a_lost_request_is_seen():
    assert outcomes(Run(2), woken(1_500, 1_500))["all answered"] == "fail"


def test_who_came_later_is_not_let_go_earlier():
    assert outcomes(Run(3), woken(1_500, 1_600, 1_550))["first in, first out"] == "fail"
    both = woken(1_500, 1_700) + woken(1_600, 1_650, entity="two")
    assert outcomes(Run(4, users=4), both)["first in, first out"] == "pass"


@pytest.mark.parametrize(
    ("until", "outcome"), [(1_499, "fail"), (1_500 + SLACK_MS, "pass"), (1_501 + SLACK_MS, "fail")]
)
def test_the_first_goes_on_when_the_start_has_ended(until, outcome):
    assert outcomes(Run(1, users=1), woken(until))["first answer"] == outcome


def test_an_endpoint_that_was_awake_is_no_cold_start():
    found = [Woken(1, "one", 0, "0", None, None, 200)]
    assert outcomes(Run(1, users=1), found) == {
        "all answered": "pass",
        "requests are held": "fail",
        "first in, first out": "pass",
        "first answer": "inconclusive",
    }
