"""Latencies in buckets: percentiles within 5 %, bounded, mergeable."""

import pytest

from servesim.load.histogram import BUCKETS, GROWTH, Histogram, bucket_of, middle_of


@pytest.mark.parametrize("latency", [0.06, 0.3, 1, 12.5, 480, 297_000])
def test_a_bucket_is_as_wide_as_five_percent(latency):
    assert middle_of(bucket_of(latency)) == pytest.approx(latency, rel=GROWTH - 1)


@pytest.mark.parametrize(("latency", "bucket"), [(0, 0), (-1, 0), (float("nan"), 0), (1e30, BUCKETS - 1)])
def test_what_is_beyond_the_buckets_is_in_the_outermost(latency, bucket):
    assert bucket_of(latency) == bucket


def test_percentiles_are_near_those_of_the_values():
    values = [1 + index / 10 for index in range(10_000)]
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    for share in (0.5, 0.95, 0.99):
        assert histogram.percentile(share) == pytest.approx(values[int(share * len(values))], rel=0.05)
    assert (histogram.greatest_ms, histogram.count) == (values[-1], len(values))


def test_no_percentile_is_above_the_greatest_value():
    histogram = Histogram()
    histogram.add(100.001)
    assert histogram.percentile(0.99) <= 100.001


def test_half_of_two_values_do_not_pass_the_lower_one():
    histogram = Histogram()
    for value in (1.0, 100.0):
        histogram.add(value)
    assert histogram.percentile(0.5) == pytest.approx(1.0, rel=0.05)


def test_of_nothing_there_is_no_percentile():
    assert Histogram().percentiles({"p50": 0.5}) == {"p50": None}


def test_merged_ones_say_what_one_would():
    whole, parts = Histogram(), [Histogram(), Histogram()]
    for index in range(1_000):
        for one in (whole, parts[index % 2]):
            one.add(index * 0.7)
    parts[0].merge(parts[1])
    assert (parts[0].counts, parts[0].greatest_ms) == (whole.counts, whole.greatest_ms)
