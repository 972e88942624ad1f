"""The words of GA Model Serving that are not errors: messages of entities, events, permission levels."""

from __future__ import annotations

from typing import NamedTuple

from servesim.core.access import Level
from servesim.core.deployment import CREATING, Cause, Phase

MESSAGES = {
    **dict.fromkeys(CREATING, "Creating resources for served entity."),
    Phase.SCALED_TO_ZERO: "Scaled to zero",
    # Chosen: nothing is known about the message while the first replica starts.
    Phase.STARTING: "Scaled to zero",
    # Chosen: no recording shows a recovering entity.
    Phase.RECOVERING: "Recovering the served entity after its server process ended.",
    Phase.RELOADING: "Recovering the served entity after its server process ended.",
    # Chosen: no recording shows the entities of a stopped endpoint.
    Phase.STOPPED: "The endpoint is stopped.",
}
"""``state.deployment_state_message`` by phase: recorded, unless a comment says otherwise; a ready one has none."""

FAILED = "Failed to deploy {entity}: {reason}"
"""Observed: the shape of a knowledge base headline; the reason is the real one."""

NOT_BUILT = "Container image creation aborted - {reason}"
"""Observed with ``unsupported model: Environment file conda.yaml does not specify mlflow as a dependency.``"""

ABORTED = {
    # Recorded, 2024.
    Cause.TIMED_OUT: "Served model creation aborted because the endpoint update timed out. Please see service logs for more information.",
    # Chosen, after the one above.
    Cause.ANOTHER_FAILED: "Served entity creation aborted because another served entity of this update failed.",
    Cause.CANCELED: "Served entity creation aborted because the update was canceled.",
}
"""``state.deployment_state_message`` of an aborted entity."""


class Event(NamedTuple):
    """How a line of the event log is told as an event of its endpoint."""

    kind: str
    status: str
    message: str


_CONTAINER = "SERVED_ENTITY_CONTAINER_EVENT"
_SERVICE = "SERVED_ENTITY_SERVICE_EVENT"
_ENDPOINT = "ENDPOINT_UPDATE_EVENT"

EVENTS = {
    # Type and message recorded.
    "container built": Event(_CONTAINER, "SUCCEEDED", "Container image creation finished successfully"),
    # Chosen: the other types, every status and every other message.
    "deployment building": Event(_CONTAINER, "IN_PROGRESS", "Container image creation started"),
    "deployment loading": Event(_SERVICE, "IN_PROGRESS", "Served entity {subject} is loading its model"),
    "deployment ready": Event(_SERVICE, "SUCCEEDED", "Served entity {subject} is ready"),
    "deployment failed": Event(_SERVICE, "FAILED", "Served entity {subject} failed: {detail}"),
    "deployment aborted": Event(_SERVICE, "FAILED", "Served entity {subject} was aborted: {detail}"),
    "deployment scaled to zero": Event(_SERVICE, "SUCCEEDED", "Served entity {subject} scaled to zero"),
    "deployment starting": Event(_SERVICE, "IN_PROGRESS", "Served entity {subject} is starting a replica"),
    "deployment recovering": Event(_SERVICE, "FAILED", "The server process of served entity {subject} ended"),
    "config asked for": Event(_ENDPOINT, "IN_PROGRESS", "Update to config {detail} started by {subject}"),
    "config serving": Event(_ENDPOINT, "SUCCEEDED", "Update to config {detail} finished successfully"),
    "create failed": Event(_ENDPOINT, "FAILED", "Update to config {detail} failed"),
    "update failed": Event(_ENDPOINT, "FAILED", "Update to config {detail} failed"),
    "create canceled": Event(_ENDPOINT, "CANCELED", "Update to config {detail} was canceled"),
    "update canceled": Event(_ENDPOINT, "CANCELED", "Update to config {detail} was canceled"),
    "endpoint stopped": Event(_ENDPOINT, "SUCCEEDED", "Endpoint stopped"),
    "endpoint started": Event(_ENDPOINT, "IN_PROGRESS", "Endpoint started"),
}
"""By ``what`` of the event log; what does not stand here is no event of the service."""

LEVELS = {
    # Chosen: the words of the descriptions are not known.
    Level.CAN_MANAGE: "Can view, query, update and delete the endpoint, and change its permissions",
    Level.CAN_QUERY: "Can view and query the endpoint",
    Level.CAN_VIEW: "Can view the endpoint",
}
"""What each permission level means."""
