"""What was: the events and the metrics of a model's endpoint in the serverless preview, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.generations.model_endpoints import told
from servesim.generations.replica_usage import IDLE_MEMORY, WHOLE, processor
from servesim.generations.serverless_preview import BUCKET_MS
from servesim.generations.serverless_preview_words import ENDPOINT, EVENTS

if TYPE_CHECKING:
    from servesim.core.eventlog import LogLine
    from servesim.core.minutes import Minute
    from servesim.core.model_endpoint import ModelEndpoint, ServedVersion

_SECONDS = BUCKET_MS / 1000
_PERCENTILES = {
    "minLatency": 0.0,
    "p50Latency": 0.5,
    "p75Latency": 0.75,
    "p90Latency": 0.9,
    "p95Latency": 0.95,
    "p99Latency": 0.99,
    "maxLatency": 1.0,
}


def render_events(endpoint: ModelEndpoint) -> list[dict[str, Any]]:
    """Return the events of an endpoint, the newest first: chosen."""
    return [event for line in reversed(endpoint.events) if (event := _event(line))]


def _event(line: LogLine) -> dict[str, Any] | None:
    event = EVENTS.get(line.what)
    if event is None:
        return None
    document: dict[str, Any] = {"timestamp": line.instant, "type": event.kind}
    if event.kind != ENDPOINT and line.subject:
        document["endpoint_version_name"] = line.subject
    if event.of_stage:
        document["stage"] = line.subject if event.of_stage == "subject" else line.detail
    return {**document, "message": told(line, event.message)}


def render_metrics(served: ServedVersion, first: int, last: int) -> list[dict[str, Any]]:
    """Return a point for each minute of a span in which the version was asked, the oldest first: chosen.

    Refused are not counted: observed of what is limited or has no token.
    """
    return [_point(minute) for minute in served.minutes.between(first, last)] if served.minutes else []


def _point(minute: Minute) -> dict[str, Any]:
    """Return a point: latencies in milliseconds, rates by second, usage in percent."""
    worked = sum(duration * count for duration, count in minute.durations)
    able = minute.slots * BUCKET_MS
    busy = min(WHOLE, WHOLE * worked / able) if able else 0.0
    return {
        "timestamp": minute.start,
        **{name: minute.percentile(share) for name, share in _PERCENTILES.items()},
        "requestRate": round(minute.requests / _SECONDS, 4),
        "errorRate4XX": round(minute.errors_4xx / _SECONDS, 4),
        "errorRate5XX": round(minute.errors_5xx / _SECONDS, 4),
        "avgCpuUsage": round(processor(busy), 2),
        "avgMemUsage": IDLE_MEMORY,
        "numConcurrency": minute.slots,
    }
