"""The metrics of a GA endpoint in Prometheus' text format.

Observed are the names, that counts are of the last minute (gauges, although their names end in ``_total``), and the
instant on every line. Chosen are the one label, ``served_entity``, the bounds of the buckets and the help texts.

Simulated replicas have no processor to look at. ``cpu_usage_percentage`` and its like are therefore made of what is
known: nothing while no replica runs, what an idle endpoint was observed to use while one does, and above that the
share of the provisioned concurrency that worked in the last minute. In the modes in which work takes no simulated
time they stay at idle.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from servesim.core.deployment import Phase
from servesim.core.errors import Code, Rejected
from servesim.core.traffic import BOUNDS_MS, WINDOW_S, Traffic
from servesim.generations.replica_usage import IDLE_MEMORY, WHOLE, processor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.core.deployment import Deployment
    from servesim.core.endpoint import Endpoint
    from servesim.core.traffic import Histogram, Window
    from servesim.core.workspace import Workspace

_GPU = ("GPU", "MULTIGPU")
_WINDOW_MS = WINDOW_S * 1000


class _Entity(NamedTuple):
    """What is known of one served entity now."""

    name: str
    gpu: bool
    up: bool
    concurrency: int
    window: Window

    @property
    def busy(self) -> float:
        """Percent of the provisioned concurrency that worked in the last minute."""
        able = self.concurrency * _WINDOW_MS
        return min(WHOLE, WHOLE * self.window.work.total_ms / able) if able else 0.0

    @property
    def processor(self) -> float:
        """Percent in use: idle, and the rest as far as it is busy."""
        return processor(self.busy) if self.up else 0.0

    @property
    def memory(self) -> float:
        """Percent in use."""
        return IDLE_MEMORY if self.up else 0.0


def render(world: Workspace, endpoint: Endpoint) -> str:
    """Return the metrics of the active config's entities; raise METRICS_MISSING while there is none."""
    if endpoint.active is None:
        raise Rejected(Code.METRICS_MISSING, endpoint=endpoint.name)
    now = world.timeline.now
    entities = [_entity(world.deployments[served.deployment_id], now) for served in endpoint.active.entities]
    return "".join(f"{line}\n" for line in _lines(entities, now))


def _entity(deployment: Deployment, now: int) -> _Entity:
    spec, up = deployment.spec, deployment.phase is Phase.READY
    window = (deployment.traffic or Traffic()).window(now)
    return _Entity(spec.name, spec.workload_type.startswith(_GPU), up, deployment.provisioned, window)


def _lines(entities: list[_Entity], now: int) -> Iterator[str]:
    yield from _gauge("cpu_usage_percentage", "CPU in use, percent", [(e, e.processor) for e in entities], now)
    yield from _gauge("mem_usage_percentage", "Memory in use, percent", [(e, e.memory) for e in entities], now)
    gpus = [entity for entity in entities if entity.gpu]
    if gpus:
        yield from _gauge("gpu_usage_percentage", "GPU in use, percent", [(e, e.busy) for e in gpus], now)
        yield from _gauge("gpu_mem_usage_percentage", "GPU memory in use, percent", [(e, e.memory) for e in gpus], now)
    for name, text, values in (
        ("provisioned_concurrent_requests_total", "Provisioned concurrency", [e.concurrency for e in entities]),
        ("request_count_total", "Requests in the last minute", [e.window.requests for e in entities]),
        ("request_4xx_count_total", "4xx errors in the last minute", [e.window.errors_4xx for e in entities]),
        ("request_5xx_count_total", "5xx errors in the last minute", [e.window.errors_5xx for e in entities]),
    ):
        yield from _gauge(name, text, list(zip(entities, values, strict=True)), now)
    for name, text, histograms in (
        ("request_latency_ms", "From request to answer, ms", [e.window.latency for e in entities]),
        ("model_queue_time_ms", "From request until the model began, ms", [e.window.queue for e in entities]),
        ("model_prediction_latency_ms", "The model's own time, ms", [e.window.work for e in entities]),
    ):
        yield from _histograms(name, text, list(zip(entities, histograms, strict=True)), now)


def _gauge(name: str, text: str, values: list[tuple[_Entity, float]], now: int) -> Iterator[str]:
    yield from _head(name, text, "gauge")
    for entity, value in values:
        yield f'{name}{{served_entity="{entity.name}"}} {round(value, 2)} {now}'


def _histograms(name: str, text: str, values: list[tuple[_Entity, Histogram]], now: int) -> Iterator[str]:
    yield from _head(name, text, "histogram")
    bounds = [*map(str, BOUNDS_MS), "+Inf"]
    for entity, histogram in values:
        label = f'served_entity="{entity.name}"'
        sums = list(accumulate(histogram.counts))
        for bound, count in zip(bounds, sums, strict=True):
            yield f'{name}_bucket{{{label},le="{bound}"}} {count} {now}'
        yield f"{name}_sum{{{label}}} {histogram.total_ms} {now}"
        yield f"{name}_count{{{label}}} {sums[-1]} {now}"


def _head(name: str, text: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {text}."
    yield f"# TYPE {name} {kind}"
