"""Every error of GA Model Serving that a client sees: status, code and text, beside the evidence for it."""

from __future__ import annotations

from typing import NamedTuple

from servesim.core.deployment import CREATING, Cause, Phase
from servesim.core.errors import Code, Rejected


class Text(NamedTuple):
    """An error as the service gives it.

    ``grade`` speaks of the text as a whole (``recorded``, ``documented``, ``observed`` or ``chosen``), ``source``
    of what is known about it and about the status and code.
    """

    status: int
    error_code: str
    template: str
    grade: str
    source: str = "nothing is known about this refusal"


_INVALID = (400, "INVALID_PARAMETER_VALUE")
_MISSING = (404, "RESOURCE_DOES_NOT_EXIST")

TEXTS: dict[Code, Text] = {
    Code.NAME_INVALID: Text(
        *_INVALID,
        "Endpoint name must be maximum 63 characters, and alphanumeric with hyphens and underscores allowed in between.",
        "recorded",
        "refusals of real workspaces, and the CLI's test server",
    ),
    Code.NAME_RESERVED: Text(
        *_INVALID,
        "Endpoint name '{endpoint}' starts with 'databricks-', which is reserved for endpoints of Databricks. "
        "Choose another name.",
        "chosen",
        "the rule is documented on the create page; code and text are not",
    ),
    Code.ENDPOINT_EXISTS: Text(
        400,
        "RESOURCE_ALREADY_EXISTS",
        "Serving endpoint with name {endpoint} already exists",
        "chosen",
        "wording of the CLI's test server; the real text and status are unknown",
    ),
    Code.ENDPOINT_MISSING: Text(
        *_MISSING,
        "Endpoint with name '{endpoint}' does not exist.",
        "recorded",
        "quotes of real workspaces",
    ),
    Code.ENDPOINT_LIMIT: Text(
        429,
        "RESOURCE_EXHAUSTED",
        "This workspace has {limit} serving endpoints, which is as many as it may have. Delete one first.",
        "chosen",
        "the limit is documented, the text is not",
    ),
    Code.UPDATING: Text(
        409,
        "RESOURCE_CONFLICT",
        "Endpoint served entities are currently being updated. Wait until the update of '{endpoint}' has ended.",
        "chosen",
        "status and code are recorded; the text begins as recorded, what follows its first sentence is not known",
    ),
    Code.NO_UPDATE: Text(
        400,
        "INVALID_STATE",
        "No update of endpoint '{endpoint}' is in progress, so none can be canceled.",
        "chosen",
        "canceling is offered in the UI only",
    ),
    Code.NEEDS_CONFIG: Text(
        *_INVALID,
        "Cannot specify {field} when creating endpoints without a config.",
        "observed",
        "the CLI's test server, which mirrors the service here",
    ),
    Code.INFERENCE_TABLE_RETIRED: Text(
        *_INVALID,
        "Legacy inference tables have been deprecated. The 'auto_capture_config' field can only be used with "
        "'enabled=false'. Please use AI Gateway inference tables instead.",
        "recorded",
        "a refusal of a real workspace, 2026",
    ),
    Code.TAG_KEY_INVALID: Text(
        *_INVALID,
        "Endpoint tag key {key} is either not between 1-255 characters long or contains one or more of the "
        "reserved characters: . , = / or :",
        "recorded",
        "a refusal of a real workspace; its code is not known",
    ),
    Code.MODEL_MISSING: Text(
        *_MISSING,
        "Registered model '{model}' does not exist.{hint}",
        "chosen",
        "that it fails at once is observed, the text is not known",
    ),
    Code.VERSION_MISSING: Text(
        *_MISSING,
        "Version {version} of registered model '{model}' does not exist; it has {known}.",
        "chosen",
        "that it fails at once is observed, the text is not known",
    ),
    Code.REGISTRY_UNREADABLE: Text(
        500,
        "INTERNAL_ERROR",
        "The MLflow registry '{uri}' that servesim takes models from cannot be read: {reason}",
        "chosen",
        "servesim's own: the real service has its registry at hand",
    ),
    Code.ENTITIES_MISSING: Text(
        *_INVALID,
        "A config needs at least one served entity: 'served_entities' is missing or empty.",
        "chosen",
    ),
    Code.ENTITY_LIMIT: Text(
        *_INVALID,
        "The config has {count} served entities; an endpoint can have {limit}.",
        "chosen",
        "15 are accepted by the service, the pages say 10",
    ),
    Code.ENVIRONMENT_LIMIT: Text(
        *_INVALID,
        "Served entity '{entity}' has {count} environment variables; it can have {limit}.",
        "chosen",
        "the limit is documented, the text is not",
    ),
    Code.DUPLICATE_ENTITY: Text(
        *_INVALID,
        "Served entity name '{entity}' is used more than once; names in a config must differ.",
        "chosen",
        "the rule stands in the SDK's field documentation",
    ),
    Code.ROUTES_MISSING: Text(
        *_INVALID,
        "'traffic_config' is required with more than one served entity: give a share to each of {entities}.",
        "chosen",
        "the CLI's test server has the rule",
    ),
    Code.ROUTE_UNKNOWN: Text(
        *_INVALID,
        "Traffic route '{route}' names no served entity of this config; it has {entities}.",
        "chosen",
    ),
    Code.DUPLICATE_ROUTE: Text(*_INVALID, "Served entity '{route}' has more than one traffic route.", "chosen"),
    Code.TRAFFIC_SUM: Text(
        *_INVALID,
        "The traffic percentages must add up to 100; these add up to {total}.",
        "chosen",
        "the rule stands in the SDK's field documentation",
    ),
    Code.MIXED_TWINS: Text(
        *_INVALID,
        "Give 'served_entities' or 'served_models' (its deprecated twin), not both.",
        "chosen",
    ),
    Code.SIZE_TWICE: Text(
        *_INVALID,
        "Served entity '{entity}' has both 'workload_size' and a range of provisioned concurrency; give one.",
        "chosen",
        "the rule stands in the SDK's field documentation",
    ),
    Code.BAD_FIELD: Text(*_INVALID, "'{field}' must be {expected}; got {got}.", "chosen"),
    Code.MALFORMED_BODY: Text(400, "MALFORMED_REQUEST", "The request body cannot be read: {reason}", "chosen"),
    Code.NOT_SIMULATED: Text(501, "NOT_IMPLEMENTED", "servesim does not simulate {what}. {advice}", "chosen"),
    Code.NOT_SERVED: Text(
        404,
        "ENDPOINT_NOT_FOUND",
        "The given endpoint does not exist, please retry after checking the specified model and version deployment "
        "exists.",
        "recorded",
        "an answer of a real workspace",
    ),
    Code.ENTITY_NOT_SERVED: Text(
        404,
        "ENDPOINT_NOT_FOUND",
        "The given endpoint does not exist, please retry after checking the specified model and version deployment "
        "exists.",
        "chosen",
        "the sentence that is recorded for an unknown endpoint",
    ),
    Code.BODY_TOO_LARGE: Text(
        *_INVALID,
        "The request body is larger than {limit} bytes, the limit for this call. Send fewer rows at once.",
        "chosen",
        "16 MB for scoring is documented, code and text are not; the limit of other calls is ours",
    ),
    Code.HELD_TOO_LONG: Text(
        504,
        "DEADLINE_EXCEEDED",
        "The request to '{entity}' of endpoint '{endpoint}' was held for {waited} s of real time. {advice}",
        "chosen",
        "servesim's own: simulated time did not come",
    ),
    Code.QUEUE_FULL: Text(
        429,
        "RESOURCE_EXHAUSTED",
        "Too many concurrent requests. Consider increasing the provisioned concurrency of the served entity.",
        "documented",
        "the sentence stands on the debugging page, the error_code is chosen",
    ),
    Code.RELOAD_FAILED: Text(
        500,
        "INTERNAL_ERROR",
        "Served entity '{entity}' could not load its model again: {reason}",
        "chosen",
        "nothing is known about the answer of a replica that lost its model",
    ),
    Code.WORKER_ENDED: Text(
        500,
        "INTERNAL_ERROR",
        "The server process of served entity '{entity}' ended while it had this request.",
        "chosen",
        "nothing is known about the answer of a replica that crashes",
    ),
    Code.EXECUTION_LIMIT: Text(
        504,
        "DEADLINE_EXCEEDED",
        "Timed out while evaluating the model. Verify that the model evaluates within the timeout.",
        "recorded",
        "the sentence is recorded, the error_code is chosen",
    ),
}


SCORING = frozenset(
    {
        Code.NOT_SERVED,
        Code.ENTITY_NOT_SERVED,
        Code.EXECUTION_LIMIT,
        Code.HELD_TOO_LONG,
        Code.QUEUE_FULL,
        Code.RELOAD_FAILED,
        Code.WORKER_ENDED,
    }
)
"""Refusals of scoring requests, which the data plane answers in an envelope of its own."""

LISTED = 20
"""How many names a message lists at most."""
QUOTED = 300
"""How much of a string that a client sent a message quotes at most."""


MESSAGES = {
    **dict.fromkeys(CREATING, "Creating resources for served entity."),
    Phase.SCALED_TO_ZERO: "Scaled to zero",
    # Chosen: nothing is known about the message while the first replica starts.
    Phase.STARTING: "Scaled to zero",
    # Chosen: no recording shows a recovering entity.
    Phase.RECOVERING: "Recovering the served entity after its server process ended.",
    Phase.RELOADING: "Recovering the served entity after its server process ended.",
}
"""``state.deployment_state_message`` by phase: recorded, unless a comment says otherwise; a ready one has none."""

FAILED = "Failed to deploy {entity}: {reason}"
"""Observed: the shape of a knowledge base headline; the reason is the real one."""

ABORTED = {
    # Recorded, 2024.
    Cause.TIMED_OUT: "Served model creation aborted because the endpoint update timed out. Please see service logs for more information.",
    # Chosen, after the one above.
    Cause.ANOTHER_FAILED: "Served entity creation aborted because another served entity of this update failed.",
    Cause.CANCELED: "Served entity creation aborted because the update was canceled.",
}
"""``state.deployment_state_message`` of an aborted entity."""


def describe(rejected: Rejected) -> tuple[Text, str]:
    """Return the text of a refusal and the message with its fields filled in."""
    text = TEXTS[rejected.code]
    return text, text.template.format(**{name: _spoken(value) for name, value in _fields(rejected).items()})


def _fields(rejected: Rejected) -> dict[str, object]:
    if rejected.code is not Code.MODEL_MISSING:
        return rejected.fields
    near, known = rejected.fields.get("near"), rejected.fields.get("known")
    hint = f" Did you mean '{near}'?" if near else ""
    if not known:
        hint = " No model is registered in this workspace; register one with servesim first."
    return {**rejected.fields, "hint": hint}


def _spoken(value: object) -> object:
    if isinstance(value, list):
        named = ", ".join(f"'{_spoken(item)}'" for item in value[:LISTED]) or "none"
        return named if len(value) <= LISTED else f"{named} and {len(value) - LISTED} more"
    if isinstance(value, str) and len(value) > QUOTED:
        return f"{value[:QUOTED]}..."
    return value
