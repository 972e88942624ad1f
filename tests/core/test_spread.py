"""Durations that vary."""

import math
from statistics import NormalDist, median, quantiles

import pytest

from servesim.core.draws import Draws
from servesim.core.spread import LONGEST_MS, Spread, constant

STREAM = Draws(3).stream("service time", "d")


def test_a_constant_is_always_the_same():
    assert {constant(40).drawn(STREAM, ordinal) for ordinal in range(50)} == {40}


def test_the_same_ordinal_gives_the_same_and_another_another():
    spread = Spread(300, 900)
    drawn = [spread.drawn(STREAM, ordinal) for ordinal in range(200)]
    assert drawn == [spread.drawn(Draws(3).stream("service time", "d"), ordinal) for ordinal in range(200)]
    assert len(set(drawn)) > 120


def test_median_and_99th_percentile_are_those_that_were_asked_for():
    drawn = [Spread(30_000, 90_000).drawn(STREAM, ordinal) for ordinal in range(40_000)]
    assert median(drawn) == pytest.approx(30_000, rel=0.02)
    assert quantiles(drawn, n=100)[98] == pytest.approx(90_000, rel=0.04)
    assert min(drawn) > 0


def test_the_logarithms_are_normal():
    sigma = math.log(3) / NormalDist().inv_cdf(0.99)
    drawn = sorted(math.log(Spread(10**6, 3 * 10**6).drawn(STREAM, ordinal) / 10**6) for ordinal in range(5_000))
    expected = NormalDist(0, sigma)
    furthest = max(abs(expected.cdf(value) - (rank + 0.5) / 5_000) for rank, value in enumerate(drawn))
    assert furthest < 1.63 / math.sqrt(5_000)  # Kolmogorov and Smirnov, 1 %


def test_a_tail_ends():
    assert max(Spread(LONGEST_MS // 2, LONGEST_MS * 100).drawn(STREAM, ordinal) for ordinal in range(200)) == LONGEST_MS
