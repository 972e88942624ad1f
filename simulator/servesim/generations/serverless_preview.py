"""The serverless preview (``endpoints-v2``): the JSON that clients send, to commands, and model endpoints to JSON.

Names and values of fields are documented or observed. Lists that are empty are there, which clients bear as well as
their absence: chosen. What stands in a message is chosen, unless a comment says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.capacity import SIZES, replicas
from servesim.core.commands import Alarm
from servesim.core.deployment import BROKEN, UP
from servesim.core.model_compute import Compute
from servesim.core.model_endpoint import EndpointState
from servesim.core.registry import ACTIVE, Stage
from servesim.generations import serverless_preview_words as words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.core.deployment import Deployment
    from servesim.core.model_endpoint import ModelEndpoint, ServedVersion
    from servesim.generations.fields import Fields

BUCKET_MS = 60_000
"""Observed: what one point of the metrics stands for."""
METRICS_MS = 60 * BUCKET_MS
"""How far metrics go back for who names no beginning: chosen."""
TAG_DIGITS = 5
"""Of a deployment's id: replicas, and lines of its log, are named after it."""
LATEST_MS = 253_402_300_799_000
"""The end of the year 9999."""

_SIZES = {size.lower(): size for size in SIZES}
_STAGES = {stage.lower(): stage for stage in ACTIVE}


# --- what clients send ----------------------------------------------------------------------------


def read_model(fields: Fields) -> str:
    """Return the name of a registered model; raise BAD_FIELD, as everything below."""
    return fields.filled("registered_model_name")


def read_stage(fields: Fields) -> Stage:
    """Return a stage that has compute of its own; its case does not matter (chosen)."""
    stage = _STAGES.get(fields.text("stage").lower())
    if stage is None:
        raise fields.bad("stage", f"one of {', '.join(ACTIVE)}")
    return stage


def read_compute(fields: Fields, present: Compute) -> Compute:
    """Return the compute that is asked for: what is left out stays as it is (chosen)."""
    spec = fields.inner("desired_workload_config_spec")
    if spec is None or not (spec.has("workload_size_id") or spec.has("scale_to_zero_enabled")):
        raise fields.bad("desired_workload_config_spec", "an object with workload_size_id and scale_to_zero_enabled")
    size = _SIZES.get(spec.text("workload_size_id", present.size).lower())
    if size is None:
        raise spec.bad("workload_size_id", f"one of {', '.join(SIZES)}")
    return Compute(size, spec.flag("scale_to_zero_enabled", default=present.scale_to_zero))


def read_span(fields: Fields, now: int) -> tuple[int, int]:
    """Return the first and the last instant of metrics that are asked for, by default of the last hour (chosen)."""
    last = _instant(fields, "end_timestamp", now)
    first = _instant(fields, "start_timestamp", max(0, last - METRICS_MS))
    if last < first:
        raise fields.bad("end_timestamp", f"no earlier than start_timestamp, {first}")
    return first, last


def _instant(fields: Fields, name: str, default: int) -> int:
    """Read milliseconds since 1970, as JSON or as the text that a query has."""
    value = fields.values.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= len(str(LATEST_MS)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LATEST_MS:
        raise fields.bad(name, "an instant in milliseconds since 1970")
    return value


# --- what they are answered -----------------------------------------------------------------------


def render_endpoint(endpoint: ModelEndpoint, state_words: str) -> dict[str, Any]:
    """Return an EndpointStatus; ``compute_config`` is missing at first (observed).

    ``state_words`` is ``observed`` for the words on the wire, ``documented`` for the page's shorter ones.
    """
    state = endpoint.state.name
    document: dict[str, Any] = {
        "registered_model_name": endpoint.model.name,
        "state": state if state_words == "documented" else f"ENDPOINT_STATE_{state}",
        "state_message": endpoint.reason or words.STATE_MESSAGES[endpoint.state],
    }
    if endpoint.state is not EndpointState.PENDING:
        document["compute_config"] = [_compute(endpoint.compute[stage], stage) for stage in ACTIVE]
    return document


def render_version(endpoint: ModelEndpoint, served: ServedVersion) -> dict[str, Any]:
    """Return an EndpointVersionStatus; ``config_update_status`` is there while an update is not over."""
    deployment = served.deployment
    document: dict[str, Any] = {
        "registered_model_name": endpoint.model.name,
        "endpoint_version_name": served.number,
        "service_status": {
            "state": f"SERVICE_STATE_{_service_state(deployment)}",
            "message": _message(deployment),
            "config": _compute(served.compute, stage_of(endpoint, served, served.compute)),
        },
    }
    wanted = served.next_compute
    if wanted is not None:
        state = "FAILED" if served.failure else "RETRY_REQUESTED" if served.retried else "PENDING"
        document["config_update_status"] = {
            "state": f"SERVICE_STATE_{state}",
            "message": served.failure or words.UPDATE_MESSAGES[state],
            "config": _compute(wanted, stage_of(endpoint, served, wanted)),
        }
    return document


def render_sizes() -> list[dict[str, Any]]:
    """Return the workload sizes with how many requests they have in flight at least and at most."""
    return [{"key": size, "min_concurrency": least, "max_concurrency": most} for size, (least, most) in SIZES.items()]


def stage_of(endpoint: ModelEndpoint, served: ServedVersion, compute: Compute) -> Stage:
    """Return the stage whose compute a version has: that of its compute now, or the one that the version is in."""
    for stage, present in endpoint.compute.items():
        if present is compute and stage is not None:
            return stage
    version = endpoint.model.versions.get(served.number)
    if version is not None and version.stage in ACTIVE:
        return version.stage
    named = (stage for stage, number in endpoint.aliases.items() if number == served.number)
    return next(named, Stage.STAGING)


def _compute(compute: Compute, stage: Stage) -> dict[str, Any]:
    return {
        "stage": str(stage),
        "version": compute.version,
        "creation_timestamp": compute.created,
        **({"user_id": compute.by.name} if compute.by and compute.by.name else {}),
        "workload_spec": {"workload_size_id": compute.size, "scale_to_zero_enabled": compute.scale_to_zero},
    }


def _service_state(deployment: Deployment) -> str:
    if deployment.phase in UP:
        return "READY"
    return "FAILED" if deployment.phase in BROKEN else "PENDING"


def _message(deployment: Deployment) -> str:
    if deployment.phase in BROKEN:
        return deployment.reason
    return words.PHASES.get(deployment.phase, "")


# --- replicas -------------------------------------------------------------------------------------


def replicas_of(served: ServedVersion) -> Iterator[tuple[str, str, Deployment]]:
    """Yield id, last known status and deployment of each replica: during an update those of both (documented)."""
    for deployment in served.deployments:
        tag, status = deployment.id[:TAG_DIGITS], words.REPLICAS.get(deployment.phase, "")
        running = replicas(deployment.provisioned)
        coming = sum(timer.event.what is Alarm.REPLICA_UP for timer in deployment.timers)
        if not running and status != "RUNNING":
            running = 1  # the first one, as far as it has come
        for number in range(1, running + coming + 1 if status else 1):
            yield f"{tag}-{number}", status if number <= running else "PENDING", deployment


def render_replicas(endpoint: ModelEndpoint, served: ServedVersion) -> list[dict[str, str]]:
    """Return the replicas of a version; one that has scaled to zero has none."""
    head = f"{endpoint.model.name}-{served.number}-"
    return [
        {"replica_id": replica, "replica_name": head + replica, "last_known_status": status}
        for replica, status, _ in replicas_of(served)
    ]
