"""Metrics as Prometheus reads them."""

import pytest

from servesim.core.commands import Admit, Finish, MoveTo, Step
from servesim.core.errors import Code, Rejected
from servesim.core.traffic import BOUNDS_MS
from servesim.generations import ga_metrics

parser = pytest.importorskip("prometheus_client.parser")

PLAIN = {"m": (None, None)}

GAUGES = {
    "cpu_usage_percentage",
    "mem_usage_percentage",
    "provisioned_concurrent_requests_total",
    "request_count_total",
    "request_4xx_count_total",
    "request_5xx_count_total",
}
HISTOGRAMS = {"request_latency_ms", "model_queue_time_ms", "model_prediction_latency_ms"}


def families(made):
    text = ga_metrics.render(made.world, made.endpoint)
    assert text.endswith("\n")
    return {family.name: family for family in parser.text_string_to_metric_families(text)}


def values(made, name, entity="m-1"):
    return [
        sample.value
        for sample in families(made)[name].samples
        if sample.labels["served_entity"] == entity and sample.name == name
    ]


def test_the_families_are_those_that_were_observed(made):
    found = families(made(PLAIN).settle())
    assert {name: family.type for name, family in found.items()} == {
        **dict.fromkeys(GAUGES, "gauge"),
        **dict.fromkeys(HISTOGRAMS, "histogram"),
    }
    assert all(family.documentation for family in found.values())


def test_every_line_carries_the_instant_and_one_label(made):
    one = made({"m": (None, None), "n": (None, None)}).settle()
    for family in families(one).values():
        assert {sample.labels["served_entity"] for sample in family.samples} == {"m-1", "n-1"}
        assert all(sample.labels.keys() <= {"served_entity", "le"} for sample in family.samples)
    now = one.world.timeline.now
    lines = [line for line in ga_metrics.render(one.world, one.endpoint).splitlines() if line[0] != "#"]
    assert all(line.endswith(f" {now}") for line in lines)


def test_requests_of_the_last_minute_are_counted_and_then_forgotten(made):
    one = made(PLAIN).settle()
    for status in (200, 200, 400, 500):
        one.serve(status)
    assert values(one, "request_count_total") == [4]
    assert values(one, "request_4xx_count_total") == [1]
    assert values(one, "request_5xx_count_total") == [1]
    one.world.execute(MoveTo(one.world.timeline.now + 61_000))
    assert values(one, "request_count_total") == [0]


def test_histograms_add_up(made):
    one = made(PLAIN).settle()
    for work in (0, 3, 40, 40, 700):
        one.serve(200, work)
    for name in HISTOGRAMS:
        samples = families(one)[name].samples
        buckets = [(float(s.labels["le"]), s.value) for s in samples if s.name.endswith("_bucket")]
        assert [bound for bound, _ in buckets] == [*BOUNDS_MS, float("inf")]
        counts = [count for _, count in buckets]
        assert counts == sorted(counts)
        (count,) = [s.value for s in samples if s.name.endswith("_count")]
        assert counts[-1] == count == 5
        (total,) = [s.value for s in samples if s.name.endswith("_sum")]
        assert total == (0 if name == "model_queue_time_ms" else 783)
    latency = {s.labels.get("le"): s.value for s in families(one)["request_latency_ms"].samples}
    assert (latency["1"], latency["5"], latency["50"], latency["500"], latency["1000"]) == (1, 2, 4, 4, 5)


def test_a_held_request_waited_in_the_queue(made):
    one = made(PLAIN).settle()
    to_zero(one)
    ticket = one.world.execute(Admit("fraud"))
    while not one.world.released:
        assert one.world.execute(Step(2**60))
    one.world.execute(Finish(ticket.number, 200))
    (queue,) = [s.value for s in families(one)["model_queue_time_ms"].samples if s.name.endswith("_sum")]
    (work,) = [s.value for s in families(one)["model_prediction_latency_ms"].samples if s.name.endswith("_sum")]
    assert (queue >= 10_000, work) == (True, 0)


def to_zero(one):
    while values(one, "provisioned_concurrent_requests_total") != [0]:
        assert one.world.execute(Step(2**60))


def test_what_scaled_to_zero_uses_nothing(made):
    one = made(PLAIN).settle()
    assert values(one, "cpu_usage_percentage") == [2.3]
    assert values(one, "mem_usage_percentage") == [6.8]
    to_zero(one)
    assert values(one, "cpu_usage_percentage") == values(one, "mem_usage_percentage") == [0]


def test_load_shows_in_the_processor(made):
    one = made(PLAIN).settle()
    one.serve(200, 24_000)  # a tenth of four at once for a minute
    assert values(one, "cpu_usage_percentage") == [pytest.approx(2.3 + 97.7 / 10, abs=0.01)]
    for _ in range(3):
        tickets = [one.world.execute(Admit("fraud")) for _ in range(9)]
        one.world.execute(MoveTo(one.world.timeline.now + 19_000))
        for ticket in tickets:
            one.world.execute(Finish(ticket.number, 200))
    assert values(one, "cpu_usage_percentage") == [100]


@pytest.mark.parametrize(
    ("sizes", "concurrency"),
    [
        ({}, 4),
        ({"workload_size": "Medium"}, 8),
        ({"workload_size": "Large"}, 16),
        ({"min_provisioned_concurrency": 12, "max_provisioned_concurrency": 16}, 12),
        ({"min_provisioned_concurrency": 0, "max_provisioned_concurrency": 16}, 4),
        ({"max_provisioned_concurrency": 2}, 2),
    ],
    ids=str,
)
def test_concurrency_follows_the_size(made, sizes, concurrency):
    assert values(made(PLAIN, **sizes).settle(), "provisioned_concurrent_requests_total") == [concurrency]


@pytest.mark.parametrize("kind", ["GPU_SMALL", "MULTIGPU_MEDIUM"])
def test_only_gpus_have_gpu_metrics(made, kind):
    one = made(PLAIN, workload_type=kind).settle()
    assert families(one).keys() - GAUGES - HISTOGRAMS == {"gpu_usage_percentage", "gpu_mem_usage_percentage"}
    assert values(one, "gpu_usage_percentage") == [0]


def test_an_endpoint_that_was_never_active_has_none(made):
    one = made(PLAIN)
    with pytest.raises(Rejected) as refused:
        ga_metrics.render(one.world, one.endpoint)
    assert refused.value.code is Code.METRICS_MISSING


def test_looking_changes_nothing(made):
    one = made(PLAIN).settle()
    one.serve(200, 5)
    assert ga_metrics.render(one.world, one.endpoint) == ga_metrics.render(one.world, one.endpoint)
