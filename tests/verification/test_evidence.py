"""The e-value against other ways to work it out."""

import math
from itertools import product

import numpy
import pytest
import scipy.special
import scipy.stats

from servesim.verification.band import band
from servesim.verification.bounds import lower_bound, upper_bound
from servesim.verification.evidence import concentration, fixed_requests, log_e, log_e_path
from servesim.verification.plan import plan
from servesim.verification.simulation import generator

SPLITS = {"even": [0.5, 0.5], "rare": [0.99, 0.01], "three": [0.5, 0.3, 0.2]}


@pytest.mark.parametrize("shares", SPLITS.values(), ids=SPLITS)
def test_it_is_the_ratio_of_two_likelihoods(shares):
    counts = numpy.array([7, 3, 5])[: len(shares)]
    mixture = scipy.stats.dirichlet_multinomial.logpmf(counts, 4.0 * numpy.array(shares), counts.sum())
    configured = scipy.stats.multinomial.logpmf(counts, counts.sum(), shares)
    assert log_e(numpy.array(shares), 4.0, counts) == pytest.approx(mixture - configured)


@pytest.mark.parametrize("shares", SPLITS.values(), ids=SPLITS)
def test_its_expectation_stays_one(shares):
    shares = numpy.array(shares)
    for size in (1, 2, 9):
        splits = [counts for counts in product(range(size + 1), repeat=len(shares)) if sum(counts) == size]
        chances = scipy.stats.multinomial.pmf(splits, size, shares)
        assert numpy.sum(chances * numpy.exp(log_e(shares, 3.0, numpy.array(splits)))) == pytest.approx(1)


@pytest.mark.parametrize("shares", SPLITS.values(), ids=SPLITS)
def test_a_path_goes_through_the_value_after_each_answer(shares):
    shares = numpy.array(shares)
    order = numpy.array([0, 1, 1, 0, len(shares) - 1, 0, 0, 1])
    before = numpy.array([3, 1, 2])[: len(shares)]
    counts = before + numpy.cumsum(order[:, None] == numpy.arange(len(shares)), axis=0)
    assert log_e_path(shares, 5.0, order, before) == pytest.approx(log_e(shares, 5.0, counts))


def test_paths_of_many_runs_are_those_of_each():
    shares, draws = numpy.array([0.5, 0.3, 0.2]), generator(1)
    orders = draws.integers(0, 3, (4, 30))
    before = numpy.zeros((4, 3))
    together = log_e_path(shares, 5.0, orders, before)
    assert together == pytest.approx(
        numpy.stack([log_e_path(shares, 5.0, order, none) for order, none in zip(orders, before, strict=True)])
    )


def test_the_fixed_size_is_the_textbook_s():
    level, beyond = 3.2905, 2.3263
    expected = ((level * 30 + beyond * math.sqrt(12 * 88)) / 2) ** 2
    assert fixed_requests((90, 10), 2, 0.001, 0.99) == pytest.approx(expected, abs=2)


def test_the_fixed_size_keeps_its_power():
    requests, rejects = fixed_requests((90, 10), 2, 0.001, 0.99), 0.0
    counts = numpy.arange(requests + 1)
    statistic = (counts - 0.1 * requests) ** 2 / (requests * 0.09)
    rejects = scipy.stats.binom.pmf(counts, requests, 0.12)[statistic > scipy.special.chdtri(1, 0.001)].sum()
    assert rejects == pytest.approx(0.99, abs=0.003)


def test_a_smaller_deviation_asks_for_a_narrower_mixture():
    assert concentration((90, 10), 1) > concentration((90, 10), 2) > concentration((90, 10), 5) > 0


def test_bounds_are_clopper_and_pearson_s():
    exact = scipy.stats.binomtest(7, 300, alternative="less").proportion_ci(0.99, method="exact").high
    assert upper_bound(7, 300) == pytest.approx(exact)
    exact = scipy.stats.binomtest(290, 300, alternative="greater").proportion_ci(0.99, method="exact").low
    assert lower_bound(290, 300) == pytest.approx(exact)
    assert (upper_bound(5, 5), lower_bound(0, 5)) == (1, 0)


def test_the_e_value_is_one_over_alpha_at_the_edges_of_a_band():
    planned = plan({"a": 90, "b": 10}, detect=2)
    ((low, high),) = band(planned, [2_000])["b"]
    assert low < 10 < high
    for share in (low, high):
        counts = 2_000 * numpy.array([1 - share / 100, share / 100])
        assert log_e(numpy.array([0.9, 0.1]), planned.concentration, counts) == pytest.approx(math.log(1_000), abs=1e-3)


def test_a_band_narrows_and_is_the_whole_range_at_first():
    edges = band(plan({"a": 50, "b": 30, "c": 20, "d": 0}, detect=2), [1, 1_000, 100_000])
    assert edges.keys() == {"a", "b", "c"}
    for share, pairs in zip((50, 30, 20), edges.values(), strict=True):
        assert pairs[0] == (0, 100)
        assert pairs[1][0] < pairs[2][0] < share < pairs[2][1] < pairs[1][1]


def test_one_route_has_no_band():
    assert band(plan({"a": 100}), [5]) == {"a": [(100, 100)]}
