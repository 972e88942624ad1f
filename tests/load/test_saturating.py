"""When requests may and must be refused."""

import pytest

from servesim.load.saturating import Capacity, Expected, Level, capacity_of, expected, levels, ramp, told


@pytest.mark.parametrize(
    ("entity", "least", "most"),
    [
        ({}, 4, 4),
        ({"workload_size": "Small"}, 4, 4),
        ({"workload_size": "Large"}, 16, 64),
        ({"min_provisioned_concurrency": 8, "max_provisioned_concurrency": 32}, 8, 32),
        ({"min_provisioned_concurrency": 0, "max_provisioned_concurrency": 12}, 4, 12),
        ({"min_provisioned_concurrency": 8}, 8, 8),
    ],
)
def test_a_config_says_how_many_run_at_once(entity, least, most):
    assert capacity_of(entity, 64) == Capacity(least, most, 64)


def test_two_entities_may_refuse_when_one_is_full_and_must_when_both_are():
    assert expected([Capacity(8, 16, 64), Capacity(4, 4, 64)]) == Expected(4, 68, 148, scales=True)
    assert expected([Capacity(4, 4, 64)]) == Expected(4, 68, 68, scales=False)


@pytest.mark.parametrize("capacities", [[], [Capacity(4, 4, 64), Capacity(4, 4, None)]])
def test_nothing_is_promised_where_a_queue_is_not_known(capacities):
    assert expected(capacities) is None


def test_users_are_tried_below_in_and_above_the_room():
    asked = Expected(8, 72, 80, scales=True)
    assert levels(asked, 200) == [8, 80, 100]
    assert levels(asked, 90) == [8, 80, 90]
    assert levels(asked, 20) == [8, 20]


def test_a_ramp_ends_with_all_users():
    assert ramp(25, 10) == [10, 20, 25]
    assert ramp(1, 1) == [1]


def test_levels_are_told():
    seen = [Level(8, 100, 0, 0, None, None), Level(80, 900, 40, 0, 16.0, 70.0)]
    assert told(seen) == "8 users: 0 of 100 refused, 80 users: 40 of 900 refused at a concurrency of 16"
