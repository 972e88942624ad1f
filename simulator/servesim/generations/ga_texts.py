"""Every error of GA Model Serving that a client sees: status, code and text, beside the evidence for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from servesim.core.access import Level
from servesim.core.errors import Code, Rejected
from servesim.generations import date_texts, legacy_texts, registry_texts, scoring_texts, serverless_preview_texts
from servesim.generations.text import INVALID, MISSING, Text

if TYPE_CHECKING:
    from collections.abc import Mapping


TEXTS: dict[Code, Text] = {
    **registry_texts.TEXTS,
    **scoring_texts.TEXTS,
    **date_texts.TEXTS,
    **serverless_preview_texts.TEXTS,
    **legacy_texts.TEXTS,
    Code.NAME_INVALID: Text(
        *INVALID,
        "Endpoint name must be maximum 63 characters, and alphanumeric with hyphens and underscores allowed in between.",
        "recorded",
        "refusals of real workspaces, and the CLI's test server",
    ),
    Code.NAME_RESERVED: Text(
        *INVALID,
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
        *MISSING,
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
    Code.OPERATION_LIMIT: Text(
        429,
        "REQUEST_LIMIT_EXCEEDED",
        "Exceeded {limit} creates and updates of serving endpoints in 5 minutes in this workspace. Try again later.",
        "chosen",
        "the limit is documented, its refusal is not",
    ),
    Code.UPDATING: Text(
        409,
        "RESOURCE_CONFLICT",
        "Endpoint served entities are currently being updated. Wait until the update of '{endpoint}' has ended.",
        "chosen",
        "status and code are recorded; the text begins as recorded, what follows its first sentence is not known",
    ),
    Code.NOT_PERMITTED: Text(
        403,
        "PERMISSION_DENIED",
        "User does not have permission '{needed}' on Endpoint {endpoint}",
        "recorded",
        "quotes of real workspaces; 'View' is the only recorded word of the three",
    ),
    Code.CREATOR_LOST_RIGHTS: Text(
        403,
        "PERMISSION_DENIED",
        "The creator of this endpoint, {creator}, {lost}. The creator's rights are checked at every create and "
        "config update: restore them, or have somebody who has them create the endpoint anew.",
        "chosen",
        "that it is refused is documented on the create page, the text is not",
    ),
    Code.MEMBER_MISSING: Text(
        *MISSING, "'{name}' is no principal of this workspace.", "chosen", "servesim's own: its directory is its own"
    ),
    Code.PERMISSIONS_MISSING: Text(
        *MISSING,
        "Serving endpoint with id '{id}' does not exist. Permissions are kept by the endpoint's id, not by its name.",
        "chosen",
        "of an endpoint that was deleted the service goes on answering for a while, which is observed; here it is "
        "missing at once, since nobody says for how long",
    ),
    Code.LEVEL_UNKNOWN: Text(
        *INVALID,
        "'{level}' is no permission level of a serving endpoint; those are CAN_VIEW, CAN_QUERY and CAN_MANAGE.",
        "chosen",
        "that other levels are refused with 400 is recorded, the text is not",
    ),
    Code.STOP_WHILE_UPDATING: Text(
        409,
        "RESOURCE_CONFLICT",
        "Endpoint '{endpoint}' is being updated, so it cannot be stopped. Wait until the update has ended.",
        "chosen",
        "the rule is documented on the manage page, status and text are not",
    ),
    Code.ALREADY_STOPPED: Text(400, "INVALID_STATE", "Endpoint '{endpoint}' is stopped already.", "chosen"),
    Code.NOTHING_TO_STOP: Text(
        400, "INVALID_STATE", "Endpoint '{endpoint}' serves no config, so there is nothing to stop.", "chosen"
    ),
    Code.NOT_STOPPED: Text(
        400, "INVALID_STATE", "Endpoint '{endpoint}' is not stopped, so it cannot be started.", "chosen"
    ),
    Code.ENTITY_MISSING: Text(
        *MISSING, "Endpoint '{endpoint}' has no served entity '{entity}'; it has {entities}.", "chosen"
    ),
    Code.CONFIG_VERSION_MISSING: Text(
        *MISSING,
        "Nothing is kept of served entity '{entity}' in config version {version} of endpoint '{endpoint}'; there is "
        "something of {versions}.",
        "chosen",
    ),
    Code.TELEMETRY_UNSUPPORTED: Text(
        *INVALID,
        "Telemetry configuration is not supported for endpoint type 'NO_CONFIG'. This API only supports endpoints "
        "with custom served models.",
        "observed",
        "the CLI's test server, which mirrors the service here",
    ),
    Code.TELEMETRY_WHILE_UPDATING: Text(
        409,
        "RESOURCE_CONFLICT",
        "Endpoint {endpoint} is currently updating. Wait for the update to complete before updating its telemetry "
        "configuration.",
        "observed",
        "the CLI's test server, which mirrors the service here",
    ),
    Code.FAULT_LIMIT: Text(
        429, "RESOURCE_EXHAUSTED", "{limit} faults wait already; remove some first.", "chosen", "servesim's own"
    ),
    Code.FAULT_MISSING: Text(
        *MISSING, "There is no fault {number}: it was used up, removed, or never ordered.", "chosen", "servesim's own"
    ),
    Code.NO_UPDATE: Text(
        400,
        "INVALID_STATE",
        "No update of endpoint '{endpoint}' is in progress, so none can be canceled.",
        "chosen",
        "canceling is offered in the UI only",
    ),
    Code.METRICS_MISSING: Text(
        *MISSING,
        "Endpoint '{endpoint}' has no metrics yet: none of its configs has ever been active. Wait until it is ready.",
        "chosen",
        "that a new endpoint answers 404 is observed; code and text are unknown",
    ),
    Code.OPENAPI_NOT_READY: Text(
        *INVALID,
        "Endpoint '{endpoint}' is not ready, so it has no OpenAPI document. Ask again once state.ready is READY.",
        "chosen",
        "that the endpoint must be ready is documented; status, code and text are not",
    ),
    Code.OPENAPI_NO_SIGNATURE: Text(
        *INVALID,
        "No served entity of endpoint '{endpoint}' has a model signature, so there is nothing to describe. "
        "Log the model with signature=... or input_example=...",
        "chosen",
        "that a signature is needed is documented; status, code and text are not",
    ),
    Code.NEEDS_CONFIG: Text(
        *INVALID,
        "Cannot specify {field} when creating endpoints without a config.",
        "observed",
        "the CLI's test server, which mirrors the service here",
    ),
    Code.INFERENCE_TABLE_RETIRED: Text(
        *INVALID,
        "Legacy inference tables have been deprecated. The 'auto_capture_config' field can only be used with "
        "'enabled=false'. Please use AI Gateway inference tables instead.",
        "recorded",
        "a refusal of a real workspace, 2026",
    ),
    Code.TAG_KEY_INVALID: Text(
        *INVALID,
        "Endpoint tag key {key} is either not between 1-255 characters long or contains one or more of the "
        "reserved characters: . , = / or :",
        "recorded",
        "a refusal of a real workspace; its code is not known",
    ),
    Code.REGISTRY_UNREADABLE: Text(
        500,
        "INTERNAL_ERROR",
        "The MLflow registry '{uri}' that servesim takes models from cannot be read: {reason}",
        "chosen",
        "servesim's own: the real service has its registry at hand",
    ),
    Code.ENTITIES_MISSING: Text(
        *INVALID,
        "A config needs at least one served entity: 'served_entities' is missing or empty.",
        "chosen",
        "whether an update that names no entities keeps the ones there are is not known",
    ),
    Code.ENTITY_LIMIT: Text(
        *INVALID,
        "The config has {count} served entities; an endpoint can have {limit}.",
        "chosen",
        "15 are accepted by the service, the pages say 10",
    ),
    Code.ENVIRONMENT_LIMIT: Text(
        *INVALID,
        "Served entity '{entity}' has {count} environment variables; it can have {limit}.",
        "chosen",
        "the limit is documented, the text is not",
    ),
    Code.DUPLICATE_ENTITY: Text(
        *INVALID,
        "Served entity name '{entity}' is used more than once; names in a config must differ.",
        "chosen",
        "the rule stands in the SDK's field documentation",
    ),
    Code.ROUTES_MISSING: Text(
        *INVALID,
        "'traffic_config' is required with more than one served entity: give a share to each of {entities}.",
        "chosen",
        "the CLI's test server has the rule",
    ),
    Code.ROUTE_UNKNOWN: Text(
        *INVALID,
        "Traffic route '{route}' names no served entity of this config; it has {entities}.",
        "chosen",
        "the rule stands in the SDK's field documentation",
    ),
    Code.DUPLICATE_ROUTE: Text(*INVALID, "Served entity '{route}' has more than one traffic route.", "chosen"),
    Code.TRAFFIC_SUM: Text(
        *INVALID,
        "The traffic percentages must add up to 100; these add up to {total}.",
        "chosen",
        "the rule stands in the SDK's field documentation",
    ),
    Code.MIXED_TWINS: Text(
        *INVALID,
        "Give 'served_entities' or 'served_models' (its deprecated twin), not both.",
        "chosen",
        "the rule stands in the SDK's field documentation",
    ),
    Code.SIZE_TWICE: Text(
        *INVALID,
        "Served entity '{entity}' has both 'workload_size' and a range of provisioned concurrency; give one.",
        "chosen",
        "the rule stands in the SDK's field documentation",
    ),
    Code.BAD_FIELD: Text(*INVALID, "'{field}' must be {expected}; got {got}.", "chosen"),
    Code.SCOPE_EXISTS: Text(
        400,
        "RESOURCE_ALREADY_EXISTS",
        "Scope {scope} already exists!",
        "recorded",
        "a refusal of a real workspace, 2020; its status is not known",
    ),
    Code.SCOPE_MISSING: Text(
        *MISSING,
        "Scope {scope} does not exist!",
        "chosen",
        "the code is documented; the text follows the one of a scope that exists",
    ),
    Code.SCOPE_LIMIT: Text(
        400,
        "RESOURCE_LIMIT_EXCEEDED",
        "This workspace has {limit} secret scopes, which is as many as it may have. Delete one first.",
        "chosen",
        "limit and code are documented, status and text are not",
    ),
    Code.SCOPE_DENIED: Text(
        403,
        "PERMISSION_DENIED",
        "User {principal} does not have {access} permission on scope {scope}. Whoever manages the scope can grant it.",
        "chosen",
        "the code is documented, the text is not",
    ),
    Code.SECRET_MISSING: Text(
        *MISSING,
        "Secret does not exist with scope: {scope} and key: {key}",
        "recorded",
        "what notebooks of real workspaces print where they read a secret; the code is documented",
    ),
    Code.SECRET_LIMIT: Text(
        400,
        "RESOURCE_LIMIT_EXCEEDED",
        "Scope {scope} can hold no further secret: {limit} is as much as it may have. Delete one first.",
        "chosen",
        "limit and code are documented, status and text are not",
    ),
    Code.SECRET_ACL_MISSING: Text(
        *MISSING,
        "Scope {scope} has no ACL for principal {grantee}.",
        "chosen",
        "the code is documented, the text is not",
    ),
    Code.SERVING_DISABLED: Text(
        500,
        "INTERNAL_ERROR",
        "Model serving is not enabled for your shard. Please contact your organization admin or Databricks support.",
        "recorded",
        "a refusal of a real workspace; that it is of the 500 class is observed, status and code are chosen",
    ),
    Code.SLOW_BODY: Text(
        408,
        "DEADLINE_EXCEEDED",
        "The request's body had not arrived after {limit} s, {size} bytes of it. Send it again, faster.",
        "chosen",
        "servesim's own",
    ),
    Code.MALFORMED_BODY: Text(400, "MALFORMED_REQUEST", "The request body cannot be read: {reason}", "chosen"),
    Code.NOT_SIMULATED: Text(
        501, "NOT_IMPLEMENTED", "servesim does not simulate {what}. {advice}", "chosen", "servesim's own"
    ),
    Code.BODY_TOO_LARGE: Text(
        *INVALID,
        "The request body is larger than {limit} bytes, the limit for this call. Send fewer rows at once.",
        "chosen",
        "16 MB for scoring is documented, code and text are not; the limit of other calls is ours",
    ),
}


SCORING = frozenset(scoring_texts.TEXTS)
"""Refusals of scoring requests, which the data plane answers in an envelope of its own."""

_PERMISSIONS: dict[object, str] = {Level.CAN_VIEW: "View", Level.CAN_QUERY: "Query", Level.CAN_MANAGE: "Manage"}


class GatewayText(NamedTuple):
    """What the gateway in front of every API answers, with the status once more as an integer ``error_code``."""

    status: int
    message: str
    grade: str
    has_request_id: bool = True
    """Whether the id of the request stands behind it in brackets."""


NO_CREDENTIAL = GatewayText(401, "Credential was not sent or was of an unsupported type for this API.", "recorded")
BAD_TOKEN = GatewayText(403, "Invalid access token.", "recorded")
OTHER_WORKSPACE = GatewayText(403, "Unauthorized access to workspace", "observed", has_request_id=False)
OTHER_OBJECT = GatewayText(403, "This access token is good for scoring the endpoints that it was asked for.", "chosen")

STOPPING = "servesim is stopping; this request was held and will not be answered."
BROKEN = "servesim failed to answer this call; its log has the reason under request {request_id}."

LISTED = 20
"""How many names a message lists at most."""
QUOTED = 300
"""How much of a string that a client sent a message quotes at most."""


def describe(rejected: Rejected, texts: Mapping[Code, Text] = TEXTS) -> tuple[Text, str]:
    """Return the text of a refusal and the message with its fields filled in."""
    text = texts[rejected.code]
    return text, text.template.format(**{name: _spoken(value) for name, value in _fields(rejected).items()})


def _fields(rejected: Rejected) -> dict[str, object]:
    if rejected.code is Code.NOT_PERMITTED:
        return {**rejected.fields, "needed": _PERMISSIONS[rejected.fields["needed"]]}
    if rejected.code is Code.MODEL_NOT_PERMITTED:
        return {**rejected.fields, "needed": rejected.fields["needed"].name}  # type: ignore[attr-defined]  # a level
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
