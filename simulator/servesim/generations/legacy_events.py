"""The events of a model's endpoint in legacy serving: the types are observed, which event has which is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.generations.legacy import cluster_name
from servesim.generations.model_endpoints import told

if TYPE_CHECKING:
    from servesim.core.eventlog import LogLine
    from servesim.core.model_endpoint import ModelEndpoint

_MODEL = "MODEL_UPDATE"
_ENDPOINT = "ENDPOINT_UPDATED"
_VERSION = "VERSION_UPDATE"


class Event(NamedTuple):
    """How a line of the event log is told."""

    kind: str
    message: str
    internal: bool = False
    """Whether the workspace's own pages hide it."""


EVENTS = {
    "model endpoint enabled": Event(_MODEL, "Serving enabled by {subject}. Creating cluster {cluster}"),
    "model endpoint ready": Event(_ENDPOINT, "Cluster {cluster} is ready"),
    "model endpoint pending": Event(_ENDPOINT, "Cluster {cluster} is replaced by a new one"),
    "model endpoint failed": Event(_ENDPOINT, "Cluster {cluster} failed: {detail}"),
    "compute asked for": Event(_MODEL, "Cluster settings changed", internal=True),
    "stage points to": Event(_MODEL, "{detail} is served by version {subject}"),
    "deployment building": Event(_VERSION, "Building the environment of version {subject}"),
    "container built": Event(_VERSION, "The environment of version {subject} is built", internal=True),
    "deployment provisioning": Event(_VERSION, "Launching version {subject}", internal=True),
    "deployment loading": Event(_VERSION, "Version {subject} is loading its model"),
    "deployment ready": Event(_VERSION, "Version {subject} is ready"),
    "deployment failed": Event(_VERSION, "Version {subject} failed: {detail}"),
    "deployment aborted": Event(_VERSION, "Version {subject} failed: {detail}"),
    "deployment recovering": Event(_VERSION, "The server process of version {subject} ended and is started again"),
}
"""By ``what`` of the event log; other lines are told to nobody."""


def render_events(endpoint: ModelEndpoint) -> list[dict[str, Any]]:
    """Return the events of an endpoint, the newest first: chosen."""
    cluster = cluster_name(endpoint)
    return [_event(line, EVENTS[line.what], cluster) for line in reversed(endpoint.events) if line.what in EVENTS]


def _event(line: LogLine, event: Event, cluster: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "timestamp": line.instant,
        "event_type": event.kind,
        "message": told(line, event.message, cluster=cluster),
    }
    if event.kind == _VERSION:
        document["endpoint_version_name"] = line.subject
    return {**document, "internal": True} if event.internal else document
