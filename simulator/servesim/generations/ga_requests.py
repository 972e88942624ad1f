"""GA Model Serving: the JSON that clients send, to commands."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from servesim.core.access import Level
from servesim.core.commands import (
    ChangeTags,
    ConfigRequest,
    CreateEndpoint,
    EntitySpec,
    Route,
    SetPermissions,
    UpdateConfig,
)
from servesim.core.errors import Code, Rejected
from servesim.core.registry import in_unity_catalog
from servesim.generations.access_list import read_grants
from servesim.generations.fields import Fields
from servesim.generations.ga_settings import read_settings

if TYPE_CHECKING:
    from servesim.core.access import Principal

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
    fields.inner("email_notifications")  # taken and, as observed, forgotten; unknown fields are ignored as well
    return CreateEndpoint(
        name,
        principal,
        None if config is None else _read_config(config),
        description=fields.text("description", ""),
        route_optimized=fields.flag("route_optimized"),
        tags=_read_tags(fields, "tags"),
        settings=tuple(read_settings(fields, name, with_config=config is not None)),
    )


def read_update(name: str, body: Any, principal: Principal) -> UpdateConfig:
    """Turn the body of a config update into its command; raise Rejected."""
    return UpdateConfig(name, principal, _read_config(Fields(body)))


def read_tags(name: str, body: Any, principal: Principal) -> ChangeTags:
    """Turn the body of a change of tags into its command; raise Rejected."""
    fields = Fields(body)
    return ChangeTags(name, principal, _read_tags(fields, "add_tags"), tuple(fields.texts("delete_tags")))


def read_permissions(endpoint_id: str, body: Any, principal: Principal, *, replace: bool) -> SetPermissions:
    """Turn an access control list into its command; raise LEVEL_UNKNOWN or BAD_FIELD."""
    grants = read_grants(body, Level, lambda word: Rejected(Code.LEVEL_UNKNOWN, level=word))
    return SetPermissions(endpoint_id, principal, grants, replace)


def _read_tags(fields: Fields, name: str) -> tuple[tuple[str, str | None], ...]:
    return tuple(_read_tag(tag) for tag in fields.items(name))


def _read_tag(fields: Fields) -> tuple[str, str | None]:
    key = fields.text("key", "")
    if not TAG_KEY.fullmatch(key):
        raise Rejected(Code.TAG_KEY_INVALID, key=key)
    return key, fields.text_or_none("value")


def _read_config(fields: Fields) -> ConfigRequest:
    entities, twins = fields.items("served_entities"), fields.items("served_models")
    if entities and twins:
        raise Rejected(Code.MIXED_TWINS)
    traffic = fields.inner("traffic_config")
    routes = traffic.items("routes") if traffic else []
    return ConfigRequest(
        tuple(_read_entity(item, "entity") for item in entities)
        or tuple(_read_entity(item, "model") for item in twins),
        tuple(_read_route(route) for route in routes) or None,
        _read_capture(fields),
    )


def _read_capture(fields: Fields) -> str:
    """Return the older inference table as JSON; one that is off is none, whatever else it says."""
    capture = fields.inner("auto_capture_config")
    if capture is None or not capture.flag("enabled"):
        return ""
    names = {name: capture.filled(name) for name in ("catalog_name", "schema_name")}
    return json.dumps({**names, "table_name_prefix": capture.text("table_name_prefix", ""), "enabled": True})


def _read_entity(fields: Fields, kind: str) -> EntitySpec:
    for field in NOT_SIMULATED:
        if fields.has(field):
            advice = "Serve a registered model with 'entity_name' and 'entity_version'."
            raise Rejected(Code.NOT_SIMULATED, what=f"'{fields.path(field)}'", advice=advice)
    model, version = fields.filled(f"{kind}_name"), fields.label(f"{kind}_version")
    name = fields.text("name", "") or default_name(model, version)
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
        # Left out it is false: chosen; what is known is that some workspaces refuse to guess.
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


def default_name(model: str, version: str) -> str:
    """Name an entity as recorded for Unity Catalog: the last segment and the version."""
    stem = model.rpartition(".")[2] if in_unity_catalog(model) else model
    return _NOT_IN_ENTITY_NAME.sub("-", f"{stem}-{version}")[-63:]


def _read_route(fields: Fields) -> Route:
    names = {fields.text(key, "") for key in ("served_entity_name", "served_model_name")} - {""}
    if len(names) != 1:
        raise fields.bad("served_entity_name", "the name of a served entity, the same as 'served_model_name' if both")
    percentage = fields.whole("traffic_percentage", least=0, most=100)
    if percentage is None:
        raise fields.bad("traffic_percentage", "an integer from 0 to 100")
    return Route(names.pop(), percentage)
