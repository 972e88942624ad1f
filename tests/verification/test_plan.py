"""Planned sizes: stored, simulated, refused."""

import math

import numpy
import pytest
import scipy.stats

from servesim.verification import plan
from servesim.verification.anew import cells
from servesim.verification.evidence import log_e
from servesim.verification.search import Cell, requests_needed, rule_of
from servesim.verification.split import deviations
from servesim.verification.stored import REQUESTS


def test_every_cell_is_stored():
    assert list(REQUESTS) == cells()


@pytest.mark.parametrize(
    "cell",
    [Cell((90, 10), 2.0, 0.001, 0.99), Cell((99, 1), 10.0, 0.05, 0.99), Cell((50, 30, 20), 5.0, 0.01, 0.99)],
    ids=str,
)
def test_a_stored_cell_is_what_the_simulation_gives(cell):
    # Another release of numpy may draw otherwise from the same seed.
    assert REQUESTS[cell] == pytest.approx(requests_needed(cell), rel=0.05)


def exact_power(cell, truth, requests):
    """Sum the binomial chances of all counts of two routes that fail."""
    rule = rule_of(cell)

    def is_caught(second):
        off = abs(second / requests - rule.shares[1]) * 100 > rule.floor
        return off and log_e(rule.shares, rule.concentration, numpy.array([requests - second, second])) >= rule.limit

    def edge(inside, outside):
        while abs(outside - inside) > 1:
            middle = (inside + outside) // 2
            inside, outside = (inside, middle) if is_caught(middle) else (middle, outside)
        return outside

    configured, share = round(requests * rule.shares[1]), truth[1] / 100
    below = scipy.stats.binom.cdf(edge(configured, 0), requests, share) if is_caught(0) else 0
    return below + scipy.stats.binom.sf(edge(configured, requests) - 1, requests, share)


@pytest.mark.parametrize("cell", [cell for cell in cells() if len(cell.percentages) == 2], ids=str)
def test_two_routes_have_the_promised_power_exactly_worked_out(cell):
    requests = REQUESTS[cell]
    for truth in deviations(cell.percentages, cell.detect):
        for size in [requests + 3, *range(requests, math.ceil(1.1 * requests), math.ceil(requests / 80))]:
            assert exact_power(cell, truth, size) >= cell.power, (truth, size)


def test_a_tenth_fewer_requests_would_not_do():
    cell = Cell((90, 10), 2.0, 0.001, 0.99)
    assert min(exact_power(cell, truth, 9_500) for truth in deviations((90, 10), 2)) < cell.power


def test_order_and_names_of_routes_make_no_difference():
    given, other = plan({"a": 90, "b": 10}, 2), plan({"x": 10, "y": 90}, 2.0)
    assert (given.requests, given.fixed_requests) == (other.requests, other.fixed_requests)
    assert given.concentration == pytest.approx(other.concentration)


def test_what_is_not_stored_is_simulated():
    planned = plan({"a": 60, "b": 40}, detect=20, alpha=0.02, power=0.9)
    assert Cell((60, 40), 20.0, 0.02, 0.9) not in REQUESTS
    assert planned.fixed_requests < planned.requests < 2 * planned.fixed_requests


def test_more_is_needed_for_less():
    def needed(**changes):
        return plan({"a": 90, "b": 10}, **{"detect": 10, "alpha": 0.01, **changes}).requests

    assert needed() < needed(detect=5)
    assert needed() < needed(alpha=0.001)
    assert needed() > needed(power=0.9)


def test_deviations_go_where_there_is_room():
    assert deviations((99, 1), 2) == [(97, 3)]
    assert deviations((99, 1), 1) == [(98, 2), (100, 0)]
    assert (50, 50, 0) in deviations((45, 45, 10), 10)
    assert deviations((60, 20, 20), 10) == [
        (50, 25, 25), (70, 15, 15), (67.5, 10, 22.5), (52.5, 30, 17.5),
    ]  # fmt: skip


def test_one_route_needs_enough_requests_to_see_another():
    planned = plan({"a": 100, "b": 0}, detect=1)
    assert (1 - 0.01) ** planned.requests <= 0.01 < (1 - 0.01) ** (planned.requests - 1)
    assert plan({"a": 100}, detect=1).requests == planned.fixed_requests == planned.requests


def test_a_route_at_zero_may_need_more_than_the_others():
    levels = {"detect": 50, "alpha": 0.5}
    without = plan({"a": 50, "b": 50}, **levels)
    planned = plan({"a": 50, "b": 50, "c": 0}, **levels)
    assert without.requests < planned.requests == plan({"c": 0, "a": 100}, **levels).requests == 7


@pytest.mark.parametrize(
    ("split", "levels", "said"),
    [
        ({"a": 90, "b": 20}, {}, "add up to 100 percent"),
        ({}, {}, "add up to 100 percent"),
        ({"a": 110, "b": -10}, {}, "0 to 100 percent"),
        ({"a": float("nan"), "b": 50}, {}, "0 to 100 percent"),
        ({"a": 100}, {"detect": 0}, "detect lies between 0 and 100"),
        ({"a": 100}, {"detect": 100}, "detect lies between 0 and 100"),
        ({"a": 100}, {"alpha": 1}, "alpha lies between 0 and 1"),
        ({"a": 100}, {"power": -1}, "power lies between 0 and 1"),
        ({"a": 50, "b": 50}, {"detect": 60}, "no route of .* can be 60 points off"),
    ],
)
def test_what_makes_no_sense_is_refused(split, levels, said):
    with pytest.raises(ValueError, match=said):
        plan(split, **levels)
