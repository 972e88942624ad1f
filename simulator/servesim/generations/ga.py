"""GA Model Serving: its JSON to commands, and endpoints to its JSON, field for field as recorded."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from servesim.core.commands import ConfigRequest, CreateEndpoint, EntitySpec, Route, UpdateConfig
from servesim.core.deployment import UP, Cause, Phase
from servesim.core.endpoint import EndpointPhase
from servesim.core.errors import Code, Rejected
from servesim.generations import ga_texts
from servesim.generations.fields import Fields

if TYPE_CHECKING:
    from servesim.core.access import Principal
    from servesim.core.deployment import Deployment
    from servesim.core.endpoint import Config, Endpoint, ServedEntity
    from servesim.core.workspace import Workspace

ENDPOINT_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?")
ENTITY_NAME = re.compile(r"[a-zA-Z0-9_-]{1,63}")
_NOT_IN_ENTITY_NAME = re.compile(r"[^a-zA-Z0-9_-]")
TAG_KEY = re.compile(r"[^.,=/:]{1,255}", re.DOTALL)

WORKLOAD_SIZES = ("Small", "Medium", "Large")
WORKLOAD_TYPES = (
    "CPU",
    "CPU_MEDIUM",
    "CPU_LARGE",
    "GPU_SMALL",
    "GPU_MEDIUM",
    "GPU_LARGE",
    "GPU_XLARGE",
    "GPU_XLARGE_8",
    "MULTIGPU_MEDIUM",
)
NOT_SIMULATED = (
    "external_model",
    "foundation_model",
    "min_provisioned_throughput",
    "max_provisioned_throughput",
    "provisioned_model_units",
)
"""Fields of a served entity that ask for something else than a custom model."""

AI_GATEWAY = ("fallback_config", "guardrails", "inference_table_config", "usage_tracking_config")
"""Objects in ``ai_gateway``, beside its list ``rate_limits``."""

CONSUMED = ("email_notifications", "telemetry_config")
"""Objects of a create that are taken and not echoed; every field that is not read at all is ignored."""

WORDS = {
    **dict.fromkeys(Phase, "DEPLOYMENT_CREATING"),
    **dict.fromkeys(UP, "DEPLOYMENT_READY"),
    Phase.RECOVERING: "DEPLOYMENT_RECOVERING",
    Phase.RELOADING: "DEPLOYMENT_RECOVERING",
    Phase.FAILED: "DEPLOYMENT_FAILED",
    Phase.ABORTED: "DEPLOYMENT_ABORTED",
}
"""``state.deployment`` by phase."""

UPDATE_WORDS = {
    **dict.fromkeys(EndpointPhase, "NOT_UPDATING"),
    EndpointPhase.CREATING: "IN_PROGRESS",
    EndpointPhase.UPDATING: "IN_PROGRESS",
    EndpointPhase.CREATE_FAILED: "UPDATE_FAILED",
    EndpointPhase.UPDATE_FAILED: "UPDATE_FAILED",
    EndpointPhase.CREATE_CANCELED: "UPDATE_CANCELED",
    EndpointPhase.UPDATE_CANCELED: "UPDATE_CANCELED",
}
"""``state.config_update`` by phase."""


# --- requests -------------------------------------------------------------------------------------


def read_create(body: Any, principal: Principal) -> CreateEndpoint:
    """Turn the body of a create into its command; raise Rejected."""
    fields = Fields(body)
    name = fields.text("name", "")
    if not ENDPOINT_NAME.fullmatch(name):
        raise Rejected(Code.NAME_INVALID, endpoint=name)
    if name.startswith("databricks-"):
        raise Rejected(Code.NAME_RESERVED, endpoint=name)
    config = fields.inner("config")
    if config is None:
        for field in ("ai_gateway", "rate_limits"):
            if fields.has(field):
                raise Rejected(Code.NEEDS_CONFIG, field=field)
    for field in CONSUMED:
        fields.inner(field)
    fields.items("rate_limits")
    return CreateEndpoint(
        name,
        principal,
        None if config is None else _read_config(config),
        description=fields.text("description", ""),
        route_optimized=fields.flag("route_optimized"),
        extras=_read_extras(fields, name),
    )


def read_update(name: str, body: Any, principal: Principal) -> UpdateConfig:
    """Turn the body of a config update into its command; raise Rejected."""
    return UpdateConfig(name, principal, _read_config(Fields(body)))


def _read_extras(fields: Fields, endpoint: str) -> str:
    kept: dict[str, Any] = {}
    if tags := [_read_tag(tag) for tag in fields.items("tags")]:
        kept["tags"] = tags
    if gateway := fields.inner("ai_gateway"):
        kept["ai_gateway"] = _read_gateway(gateway, endpoint)
    if policy := fields.text("budget_policy_id", ""):
        kept["budget_policy_id"] = policy
    return json.dumps(kept)


def _read_tag(fields: Fields) -> dict[str, str]:
    key = fields.text("key", "")
    if not TAG_KEY.fullmatch(key):
        raise Rejected(Code.TAG_KEY_INVALID, key=key)
    # A tag without a value comes back without one: chosen, no recording shows it.
    return {"key": key, "value": fields.text("value")} if fields.has("value") else {"key": key}


def _read_gateway(fields: Fields, endpoint: str) -> dict[str, Any]:
    parts = {name: fields.inner(name) for name in AI_GATEWAY}
    kept: dict[str, Any] = {name: dict(part.values) for name, part in parts.items() if part}
    if table := kept.get("inference_table_config"):
        table.setdefault("table_name_prefix", endpoint)
    if limits := fields.items("rate_limits"):
        kept["rate_limits"] = [limit.values for limit in limits]
    return dict(sorted(kept.items()))


def _read_config(fields: Fields) -> ConfigRequest:
    capture = fields.inner("auto_capture_config")
    if capture and capture.flag("enabled"):
        raise Rejected(Code.INFERENCE_TABLE_RETIRED)
    entities, twins = fields.items("served_entities"), fields.items("served_models")
    if entities and twins:
        raise Rejected(Code.MIXED_TWINS)
    traffic = fields.inner("traffic_config")
    routes = traffic.items("routes") if traffic else []
    return ConfigRequest(
        tuple(_read_entity(item, "entity") for item in entities)
        or tuple(_read_entity(item, "model") for item in twins),
        tuple(_read_route(route) for route in routes) or None,
    )


def _read_entity(fields: Fields, kind: str) -> EntitySpec:
    for field in NOT_SIMULATED:
        if fields.has(field):
            advice = "Serve a registered model with 'entity_name' and 'entity_version'."
            raise Rejected(Code.NOT_SIMULATED, what=f"'{fields.path(field)}'", advice=advice)
    model, version = fields.filled(f"{kind}_name"), fields.label(f"{kind}_version")
    name = fields.text("name", "") or _default_name(model, version)
    if not ENTITY_NAME.fullmatch(name):
        raise fields.bad("name", "1 to 63 letters, digits, '-' or '_'")
    least, most = _read_range(fields, name)
    sized = least is None and most is None
    fields.flag("burst_scaling_enabled")
    return EntitySpec(
        name,
        model,
        version,
        workload_type=fields.choice("workload_type", WORKLOAD_TYPES, "CPU"),
        workload_size=fields.choice("workload_size", WORKLOAD_SIZES, "Small") if sized else None,
        min_concurrency=least,
        max_concurrency=most,
        scale_to_zero=fields.flag("scale_to_zero_enabled"),
        environment=fields.environment("environment_vars"),
        instance_profile_arn=fields.text("instance_profile_arn", "") or None,
    )


def _read_range(fields: Fields, entity: str) -> tuple[int | None, int | None]:
    least = fields.whole("min_provisioned_concurrency", least=0)
    most = fields.whole("max_provisioned_concurrency", least=1)
    if fields.has("workload_size") and (least is not None or most is not None):
        raise Rejected(Code.SIZE_TWICE, entity=entity)
    if least is not None and most is not None and least > most:
        raise fields.bad("min_provisioned_concurrency", f"at most max_provisioned_concurrency ({most})")
    return least, most


def _default_name(model: str, version: str) -> str:
    """Name an entity as recorded for Unity Catalog: the last segment and the version."""
    stem = model.rpartition(".")[2] if _in_unity_catalog(model) else model
    return _NOT_IN_ENTITY_NAME.sub("-", f"{stem}-{version}")[-63:]


def _read_route(fields: Fields) -> Route:
    names = {fields.text(key, "") for key in ("served_entity_name", "served_model_name")} - {""}
    if len(names) != 1:
        raise fields.bad("served_entity_name", "the name of a served entity, the same as 'served_model_name' if both")
    percentage = fields.whole("traffic_percentage", least=0, most=100)
    if percentage is None:
        raise fields.bad("traffic_percentage", "an integer from 0 to 100")
    return Route(names.pop(), percentage)


# --- answers --------------------------------------------------------------------------------------


def render_endpoint(world: Workspace, endpoint: Endpoint) -> dict[str, Any]:
    """Return an endpoint as its GET gives it, keys in the order of the recordings."""
    document: dict[str, Any] = {
        "name": endpoint.name,
        "creator": endpoint.creator.name,
        "creation_timestamp": _whole_seconds(endpoint.created),
        "last_updated_timestamp": _whole_seconds(endpoint.updated),
        "state": _state(world, endpoint),
    }
    if endpoint.active:
        document["config"] = _config(world, endpoint.active)
    if endpoint.pending:
        document["pending_config"] = {
            **_config(world, endpoint.pending),
            "start_time": _whole_seconds(endpoint.pending.started),
        }
    return {
        **document,
        "id": endpoint.id,
        "permission_level": "CAN_MANAGE",
        "route_optimized": endpoint.route_optimized,
        "creator_display_name": endpoint.creator.display_name,
        "creator_kind": endpoint.creator.kind,
        "resource_credential_strategy": "EMBEDDED_CREDENTIALS",
        "description": endpoint.description,
        **json.loads(endpoint.extras),
    }


def render_summary(world: Workspace, endpoint: Endpoint) -> dict[str, Any]:
    """Return an endpoint as LIST gives it: names and versions, no shares, nothing pending."""
    document: dict[str, Any] = {
        "name": endpoint.name,
        "creator": endpoint.creator.name,
        "creation_timestamp": _whole_seconds(endpoint.created),
        "last_updated_timestamp": _whole_seconds(endpoint.updated),
        "state": {**_state(world, endpoint), "system_update_failure": False},
    }
    if endpoint.active:
        document["config"] = {
            f"served_{twins}": [{**_named(entity, kind), **_type(entity)} for entity in endpoint.active.entities]
            for twins, kind in (("entities", "entity"), ("models", "model"))
        }
    extras = json.loads(endpoint.extras)
    return {
        **document,
        "id": endpoint.id,
        "permission_level": "CAN_MANAGE",
        "route_optimized": endpoint.route_optimized,
        "creator_display_name": endpoint.creator.display_name,
        "creator_kind": endpoint.creator.kind,
        "description": endpoint.description,
        **({"tags": extras["tags"]} if "tags" in extras else {}),
    }


def _state(world: Workspace, endpoint: Endpoint) -> dict[str, str]:
    return {
        "ready": "READY" if world.is_ready(endpoint) else "NOT_READY",
        "config_update": UPDATE_WORDS[endpoint.phase],
        "suspend": "NOT_SUSPENDED",
    }


def _config(world: Workspace, config: Config) -> dict[str, Any]:
    return {
        "served_entities": [_entity(world, entity, "entity") for entity in config.entities],
        "served_models": [_entity(world, entity, "model") for entity in config.entities],
        "traffic_config": {
            "routes": [
                {
                    "served_model_name": route.entity,
                    "traffic_percentage": route.percentage,
                    "served_entity_name": route.entity,
                }
                for route in config.routes
            ]
        },
        "config_version": config.version,
    }


def _entity(world: Workspace, entity: ServedEntity, kind: str) -> dict[str, Any]:
    spec = entity.spec
    deployment = world.deployments[entity.deployment_id]
    optional = {
        "workload_size": spec.workload_size,
        "min_provisioned_concurrency": spec.min_concurrency,
        "max_provisioned_concurrency": spec.max_concurrency,
        "workload_type": spec.workload_type,
        "scale_to_zero_enabled": spec.scale_to_zero,
        "environment_vars": dict(spec.environment) or None,
        "instance_profile_arn": spec.instance_profile_arn,
    }
    return {
        **_named(entity, kind),
        **{field: value for field, value in optional.items() if value is not None},
        **_type(entity),
        "state": {"deployment": WORDS[deployment.phase], "deployment_state_message": _message(deployment)},
        "creator": entity.creator.name,
        "creation_timestamp": _whole_seconds(entity.created),
    }


def _named(entity: ServedEntity, kind: str) -> dict[str, Any]:
    spec = entity.spec
    return {"name": spec.name, f"{kind}_name": spec.model, f"{kind}_version": spec.version}


def _type(entity: ServedEntity) -> dict[str, Any]:
    # Recordings show a type for models of Unity Catalog only; what others have is unknown.
    return {"type": "UC_MODEL"} if _in_unity_catalog(entity.spec.model) else {}


def _in_unity_catalog(model: str) -> bool:
    return model.count(".") == 2  # noqa: PLR2004 - three levels


def _message(deployment: Deployment) -> str:
    if deployment.phase is Phase.FAILED:
        return ga_texts.FAILED.format(entity=deployment.spec.name, reason=deployment.reason)
    if deployment.phase is Phase.ABORTED:
        return ga_texts.ABORTED[Cause(deployment.reason)]
    return ga_texts.MESSAGES.get(deployment.phase, "")


def _whole_seconds(instant: int) -> int:
    """Every recorded timestamp is in milliseconds and ends in 000."""
    return instant // 1000 * 1000
