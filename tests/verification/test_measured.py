"""The verifier is verified: false alarms while peeking after every request, and power at the planned size."""

import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from servesim.verification.bounds import lower_bound, upper_bound
from servesim.verification.measured import (
    CAUGHT_RUNS,
    POWER,
    RUNS,
    SPLITS,
    USUAL_RUNS,
    measure,
    measure_the_usual_check,
)
from servesim.verification.page import page
from servesim.verification.simulation import generator, peaks
from servesim.verification.stored import MEASURED, REQUESTS, USUAL_CHECK

PAGE = Path(__file__).parents[2] / "docs" / "verification.md"
LEVELS = [
    pytest.param((0.05, 0.01), id="0.05 and 0.01"),
    pytest.param((0.001,), id="0.001", marks=pytest.mark.deep),
]


@pytest.mark.parametrize("alphas", LEVELS)
@pytest.mark.parametrize("percentages", SPLITS, ids=lambda one: "-".join(map(str, one)))
def test_promises_are_kept(percentages, alphas):
    for alpha, found in measure(percentages, alphas, REQUESTS).items():
        assert upper_bound(found.alarms, RUNS[alpha]) <= alpha
        assert lower_bound(found.caught, CAUGHT_RUNS) >= POWER
        # What the page shows. Another release of numpy may draw otherwise from the same seed; chance is 5 deviations.
        requests, looks, alarms, caught = MEASURED[percentages, alpha]
        assert (found.requests, found.looks) == (requests, looks)
        assert found.alarms == pytest.approx(alarms, abs=7 * alarms**0.5)
        assert found.caught == pytest.approx(caught, abs=7 * (CAUGHT_RUNS - caught) ** 0.5)


def test_every_promise_that_is_shown_is_kept():
    assert MEASURED.keys() == {(percentages, alpha) for percentages in SPLITS for alpha in RUNS}
    for (_, alpha), (_, _, alarms, caught) in MEASURED.items():
        assert upper_bound(alarms, RUNS[alpha]) <= alpha
        assert lower_bound(caught, CAUGHT_RUNS) >= POWER


def test_an_ordinary_test_with_a_look_after_every_request_breaks_its_promise():
    """The simulation sees false alarms where there are some: Pearson's statistic, looked at after each of 500."""
    draws = generator(6).random((500, 500)) < 0.5
    sizes = numpy.arange(1, 501)
    statistic = (numpy.cumsum(draws, axis=1) - sizes / 2) ** 2 / (sizes / 4)
    assert (statistic[:, 30:] > 6.635).any(axis=1).mean() > 0.03  # the limit of level 0.01


def test_a_mixture_that_is_no_martingale_would_be_found():
    """Shares that are not those of the router: the simulation alarms."""
    wrong = peaks(numpy.array([0.5, 0.5]), 40.0, 500, 740, SkewedDraws())
    assert (wrong >= -numpy.log(0.05)).mean() > 0.05


class SkewedDraws:
    """Draws that fall too often into the first half."""

    def __init__(self):
        self.draws = generator(8)

    def random(self, shape):
        return self.draws.random(shape) ** 1.1


def test_the_usual_check_fails_right_routers():
    assert measure_the_usual_check() == {truth: pytest.approx(count, rel=0.03) for truth, count in USUAL_CHECK.items()}
    assert USUAL_CHECK[50] / USUAL_RUNS == pytest.approx(0.27, abs=0.01)


def test_the_page_is_as_new_as_what_was_measured():
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(), "run: python -m servesim.verification.page > docs/verification.md"


def test_the_module_writes_the_page():
    command = [sys.executable, "-m", "servesim.verification.page"]
    written = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert written.replace("\r\n", "\n") == page()


def test_the_example_of_the_page_passes(pytester, guests):
    (source,) = (block.split("```")[0] for block in page().split("```python\n")[1:])
    pytester.makepyfile(source)
    guests("-W", "error").assert_outcomes(passed=1)
