"""The words of the serverless preview that are not errors: states, messages, replicas, events."""

from __future__ import annotations

from typing import NamedTuple

from servesim.core.deployment import CREATING, Phase
from servesim.core.model_endpoint import EndpointState

STATE_MESSAGES = {
    **dict.fromkeys(EndpointState, ""),
    EndpointState.PENDING: "Creating namespace.",
    # Observed.
    EndpointState.READY: "Namespace created.",
}

PHASES = {
    **dict.fromkeys(CREATING, "Creating resources for the version."),
    Phase.SCALED_TO_ZERO: "Scaled to zero.",
    Phase.STARTING: "Scaled to zero.",
    Phase.RECOVERING: "Recovering after the server process ended.",
    Phase.RELOADING: "Recovering after the server process ended.",
}
"""``service_status.message``; why one failed stands there as it is."""

UPDATE_MESSAGES = {
    "PENDING": "Launching the new compute config; the current one serves on.",
    "RETRY_REQUESTED": "Launching the new compute config again; the current one serves on.",
}
"""``config_update_status.message``; why one failed stands there as it is."""

REPLICAS = {
    Phase.PROVISIONING: "PENDING",
    Phase.LOADING: "CONTAINERCREATING",
    Phase.STARTING: "CONTAINERCREATING",
    Phase.RELOADING: "CONTAINERCREATING",
    Phase.READY: "RUNNING",
    Phase.RECOVERING: "FAILED",
    Phase.FAILED: "FAILED",
    Phase.ABORTED: "FAILED",
    Phase.LEAVING: "TERMINATING",
    Phase.DRAINING: "TERMINATING",
}
"""``last_known_status``: the words are observed, what each stands for is chosen. Other phases have no replica."""


class Event(NamedTuple):
    """How a line of the event log is told."""

    kind: str
    message: str
    of_stage: str = ""
    """Which part of the line names a stage: ``subject`` or ``detail``."""


ENDPOINT = "MODEL_SERVING_EVENT"
_VERSION = "MODEL_VERSION_SERVING_EVENT"
_SERVICE = "MODEL_SERVICE_EVENT"
_CONTAINER = "CONTAINER_EVENT"

EVENTS = {
    "model endpoint enabled": Event(ENDPOINT, "Serving enabled by {subject}"),
    "model endpoint ready": Event(ENDPOINT, "Namespace created."),
    "model endpoint failed": Event(ENDPOINT, "Serving could not be enabled: {detail}"),
    "compute asked for": Event(ENDPOINT, "Compute config of {subject} updated to {detail}", "subject"),
    "stage points to": Event(_VERSION, "{detail} is served by version {subject}", "detail"),
    "compute updated": Event(_VERSION, "Version {subject} runs on compute config {detail}"),
    "compute update failed": Event(_VERSION, "The compute config of version {subject} could not be updated: {detail}"),
    "update restarted": Event(_VERSION, "Another try to update the compute config of version {subject}"),
    "deployment provisioning": Event(_SERVICE, "Launching resources for version {subject}"),
    "deployment loading": Event(_SERVICE, "Version {subject} is loading its model"),
    "deployment ready": Event(_SERVICE, "Version {subject} is ready"),
    "deployment failed": Event(_SERVICE, "Version {subject} failed: {detail}"),
    "deployment aborted": Event(_SERVICE, "Version {subject} failed: {detail}"),
    "deployment scaled to zero": Event(_SERVICE, "Version {subject} scaled to zero"),
    "deployment starting": Event(_SERVICE, "Version {subject} is starting from zero"),
    "deployment recovering": Event(_SERVICE, "The server process of version {subject} ended"),
    "deployment building": Event(_CONTAINER, "Container image creation for version {subject} started"),
    "container built": Event(_CONTAINER, "Container image creation for version {subject} finished"),
}
"""By ``what`` of the event log: the types are observed, which event has which, and the messages, are chosen."""
