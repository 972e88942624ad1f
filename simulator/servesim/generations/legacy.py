"""Legacy MLflow Model Serving (``endpoints``): the JSON that clients send, to values, and model endpoints to JSON.

Names and values of fields are observed. What stands in a message is chosen, unless a comment says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.deployment import BROKEN, CREATING, Phase
from servesim.core.model_compute import Compute
from servesim.core.model_endpoint import EndpointState
from servesim.core.model_rollout import wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.core.deployment import Deployment
    from servesim.core.model_endpoint import ModelEndpoint, ServedVersion
    from servesim.generations.fields import Fields

NODE_TYPE = "i3.xlarge"
"""Of a cluster for which nobody chose one: chosen."""
TAGS = 45
"""Of a cluster at most: chosen."""

_STATE_MESSAGES = {EndpointState.PENDING: "The cluster {cluster} is starting.", EndpointState.READY: ""}
_LAUNCHING = (CREATING - {Phase.BUILDING}) | {Phase.STARTING, Phase.RECOVERING, Phase.RELOADING}
"""A server process that ended is started again on the cluster: documented; that it is LAUNCHING then is chosen."""
_VERSION_MESSAGES = {
    "PENDING": "Waiting for the cluster, or for the version's environment.",
    "LAUNCHING": "Launching the version's server process.",
    "READY": "",
}


# --- what clients send ----------------------------------------------------------------------------


def read_model(fields: Fields) -> str:
    """Return the name of a registered model; raise BAD_FIELD, as everything below."""
    if fields.has("experiment_id") and not fields.has("registered_model_name"):
        # The other key of these calls, which nobody was seen to send. What it would mean here is not known.
        raise fields.bad("experiment_id", "left out, and the model named by registered_model_name")
    return fields.filled("registered_model_name")


def read_cluster(fields: Fields, present: Compute) -> Compute:
    """Return the cluster that is asked for: what is left out stays as it is (chosen)."""
    config = fields.inner("desired_cluster_config")
    if config is None or not (config.has("node_type_id") or config.has("tags")):
        raise fields.bad("desired_cluster_config", "an object with node_type_id and tags")
    node_type = config.filled("node_type_id") if config.has("node_type_id") else present.node_type
    return Compute(node_type=node_type, tags=_tags(config) if config.has("tags") else present.tags)


def _tags(config: Fields) -> tuple[tuple[str, str], ...]:
    tags = tuple((tag.filled("key"), tag.text("value", "")) for tag in config.items("tags"))
    if len(tags) > TAGS or len(dict(tags)) < len(tags):
        raise config.bad("tags", f"a list of at most {TAGS} tags, each with a key of its own")
    return tags


# --- what they are answered -----------------------------------------------------------------------


def cluster_name(endpoint: ModelEndpoint) -> str:
    """Return the name of a model's cluster (observed)."""
    return f"mlflow-model-{endpoint.model.name}"


def render_endpoint(endpoint: ModelEndpoint) -> dict[str, Any]:
    """Return an EndpointV1; the cluster's config is there once the cluster is (chosen)."""
    message = _STATE_MESSAGES.get(endpoint.state, "").format(cluster=cluster_name(endpoint))
    document: dict[str, Any] = {
        "registered_model_name": endpoint.model.name,
        "state": f"ENDPOINT_STATE_{endpoint.state.name}",
        "state_message": endpoint.reason or message,
    }
    if endpoint.state is EndpointState.READY:
        document["actual_cluster_config"] = _cluster(endpoint.compute[None])
    return document


def render_versions(endpoint: ModelEndpoint) -> list[dict[str, str]]:
    """Return the versions, the lowest number first; without a cluster those that it would serve (chosen)."""
    return [
        {
            "registered_model_name": endpoint.model.name,
            "endpoint_version_name": number,
            "state": f"VERSION_STATE_{state}",
            "state_message": message,
        }
        for number, state, message in _versions(endpoint)
    ]


def render_metrics(endpoint: ModelEndpoint) -> list[dict[str, Any]]:
    """Return how many requests succeeded and failed in each minute with traffic, the oldest first.

    The key ``successes`` is observed; ``failures`` is chosen, and that it counts answers from 400 on.
    """
    counts: dict[int, tuple[int, int]] = {}
    for served in endpoint.served.values():
        for minute in served.minutes.between(0, 2**53) if served.minutes else ():
            failed = minute.errors_4xx + minute.errors_5xx
            before = counts.get(minute.start, (0, 0))
            counts[minute.start] = (before[0] + minute.requests - failed, before[1] + failed)
    return [
        {"key": key, "value": value, "timestamp": start}
        for start, values in sorted(counts.items())
        for key, value in zip(("successes", "failures"), values, strict=True)
    ]


def pending(endpoint: ModelEndpoint) -> list[str]:
    """Return the numbers of the versions that wait for a cluster, the lowest first."""
    return [] if endpoint.state is EndpointState.READY else list(wanted(endpoint))


def _versions(endpoint: ModelEndpoint) -> Iterator[tuple[str, str, str]]:
    for number in pending(endpoint):
        state = endpoint.state.name
        yield number, state, endpoint.reason or _VERSION_MESSAGES[state]
    for served in endpoint.served.values():
        state = _state(served.deployment)
        yield served.number, state, _why(served) if state == "FAILED" else _VERSION_MESSAGES[state]


def _state(deployment: Deployment) -> str:
    if deployment.phase is Phase.BUILDING:
        return "PENDING"
    if deployment.phase in BROKEN:
        return "FAILED"
    return "LAUNCHING" if deployment.phase in _LAUNCHING else "READY"


def _why(served: ServedVersion) -> str:
    return served.deployment.reason or str(served.deployment.phase)


def _cluster(compute: Compute) -> dict[str, Any]:
    return {
        "node_type_id": compute.node_type or NODE_TYPE,
        "tags": [{"key": key, "value": value} for key, value in compute.tags],
    }
