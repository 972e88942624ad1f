"""GA Model Serving: endpoints to its JSON, field for field as recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from servesim.core.access import Level
from servesim.core.deployment import UP, Cause, Phase
from servesim.core.endpoint import EndpointPhase
from servesim.core.registry import in_unity_catalog
from servesim.generations import ga_words

if TYPE_CHECKING:
    from servesim.core.deployment import Deployment
    from servesim.core.endpoint import Config, Endpoint, ServedEntity
    from servesim.core.eventlog import LogLine
    from servesim.core.workspace import Workspace

WORDS = {
    **dict.fromkeys(Phase, "DEPLOYMENT_CREATING"),
    **dict.fromkeys(UP, "DEPLOYMENT_READY"),
    Phase.RECOVERING: "DEPLOYMENT_RECOVERING",
    Phase.RELOADING: "DEPLOYMENT_RECOVERING",
    Phase.FAILED: "DEPLOYMENT_FAILED",
    Phase.ABORTED: "DEPLOYMENT_ABORTED",
    # Chosen: no recording shows the entities of a stopped endpoint.
    Phase.STOPPED: "DEPLOYMENT_ABORTED",
}
"""``state.deployment`` by phase."""

UPDATE_WORDS = {
    **dict.fromkeys(EndpointPhase, "NOT_UPDATING"),
    EndpointPhase.CREATING: "IN_PROGRESS",
    EndpointPhase.UPDATING: "IN_PROGRESS",
    EndpointPhase.STARTING: "IN_PROGRESS",
    EndpointPhase.CREATE_FAILED: "UPDATE_FAILED",
    EndpointPhase.UPDATE_FAILED: "UPDATE_FAILED",
    EndpointPhase.CREATE_CANCELED: "UPDATE_CANCELED",
    EndpointPhase.UPDATE_CANCELED: "UPDATE_CANCELED",
}
"""``state.config_update`` by phase."""

LISTED_SETTINGS = ("ai_gateway", "budget_policy_id", "telemetry_config")
"""What LIST tells of an endpoint's settings; GET tells its notifications as well, and neither its rate limits."""


def render_endpoint(
    world: Workspace, endpoint: Endpoint, level: Level = Level.CAN_MANAGE, base_url: str = ""
) -> dict[str, Any]:
    """Return an endpoint as its GET gives it to somebody with a level, keys in the order of the recordings.

    ``base_url`` is scheme and host of this server as that reader knows it: a route-optimized endpoint tells its URL.
    """
    document: dict[str, Any] = {
        "name": endpoint.name,
        "creator": endpoint.creator.name,
        "creation_timestamp": _whole_seconds(endpoint.created),
        "last_updated_timestamp": _whole_seconds(endpoint.updated),
        "state": _state(world, endpoint),
    }
    if endpoint.active:
        document["config"] = _config(world, endpoint, endpoint.active)
    if endpoint.pending:
        document["pending_config"] = {
            **_config(world, endpoint, endpoint.pending),
            "start_time": _whole_seconds(endpoint.pending.started),
        }
    return {
        **document,
        "id": endpoint.id,
        "permission_level": level.name,
        "route_optimized": endpoint.route_optimized,
        "creator_display_name": endpoint.creator.display_name,
        "creator_kind": endpoint.creator.kind,
        "resource_credential_strategy": "EMBEDDED_CREDENTIALS",
        "description": endpoint.description,
        **_tags(endpoint),
        **_settings(world, endpoint, (*LISTED_SETTINGS, "email_notifications")),
        **_data_plane(endpoint, base_url),
    }


def render_summary(world: Workspace, endpoint: Endpoint, level: Level = Level.CAN_MANAGE) -> dict[str, Any]:
    """Return an endpoint as LIST gives it: names and versions, no shares, nothing pending.

    Recorded are the keys up to the description and their order, which is not that of GET; the others are documented.
    """
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
    return {
        **document,
        "id": endpoint.id,
        "route_optimized": endpoint.route_optimized,
        "permission_level": level.name,
        "creator_display_name": endpoint.creator.display_name,
        "creator_kind": endpoint.creator.kind,
        "description": endpoint.description,
        **_tags(endpoint),
        **_settings(world, endpoint, LISTED_SETTINGS),
    }


def render_tags(endpoint: Endpoint) -> dict[str, Any]:
    """Return an endpoint's tags as the call that changes them gives them."""
    return {"tags": _tags(endpoint).get("tags", [])}


def render_setting(endpoint: Endpoint, setting: str) -> Any:
    """Return one of the settings that are kept as they were sent."""
    return json.loads(endpoint.settings.get(setting, "{}"))


def render_events(endpoint: Endpoint, limit: int) -> dict[str, Any]:
    """Return the last events of an endpoint, the newest first: chosen, the sources disagree about the order."""
    told = [event for line in reversed(endpoint.events) if (event := _event(line))]
    return {"events": told[:limit]}


def _event(line: LogLine) -> dict[str, Any] | None:
    words = ga_words.EVENTS.get(line.what)
    if words is None:
        return None
    message = words.message.format(subject=line.subject, detail=line.detail)
    return {"event_type": words.kind, "status": words.status, "message": message, "timestamp": line.instant}


def _tags(endpoint: Endpoint) -> dict[str, Any]:
    # A tag without a value comes back without one: chosen, no recording shows it.
    tags = [{"key": key} if value is None else {"key": key, "value": value} for key, value in endpoint.tags.items()]
    return {"tags": tags} if tags else {}


def _settings(world: Workspace, endpoint: Endpoint, told: tuple[str, ...]) -> dict[str, Any]:
    """Return those of an endpoint's settings that are told, in alphabetical order."""
    return {
        name: _telemetry(world, endpoint) if name == "telemetry_config" else json.loads(endpoint.settings[name])
        for name in sorted(told)
        if name in endpoint.settings
    }


def _data_plane(endpoint: Endpoint, base_url: str) -> dict[str, Any]:
    """Return where and with which rights a route-optimized endpoint is queried.

    Documented are the fields and the details. Chosen are that they come with the first config that serves, and the
    URL: the real one has a host of its own, and a path that begins with the workspace's id.
    """
    if not endpoint.route_optimized or endpoint.active is None:
        return {}
    url = f"{base_url}/serving-endpoints/{endpoint.name}/invocations"
    details = {
        "type": "workspace_permission",
        "object_type": "serving-endpoints",
        "object_path": f"/serving-endpoints/{endpoint.id}",
        "actions": ["query_inference_endpoint"],
    }
    query_info = {"endpoint_url": url, "authorization_details": json.dumps([details])}
    return {"data_plane_info": {"query_info": query_info}, "endpoint_url": url}


def _telemetry(world: Workspace, endpoint: Endpoint) -> dict[str, Any]:
    """Return a telemetry config: the names of its tables are taken, and a profile's id comes back."""
    asked = json.loads(endpoint.settings["telemetry_config"])
    table = asked["inference_table"]
    if table is not None and "logs_table" in asked["tables"]:
        # Observed: the payload table is named after the logs table, whatever name was asked for.
        table = {**table, "name": f"{asked['tables']['logs_table']}_payload"}
    drawn = world.draws.stream("id", "telemetry", endpoint.id).hexadecimal(0)
    return {
        "telemetry_profile_id": asked["profile"] or drawn,
        **({"inference_table_config": table} if table is not None else {}),
        **({"enabled_telemetry_features": asked["features"]} if asked["features"] else {}),
    }


def _state(world: Workspace, endpoint: Endpoint) -> dict[str, str]:
    return {
        "ready": "READY" if world.is_ready(endpoint) else "NOT_READY",
        "config_update": UPDATE_WORDS[endpoint.phase],
        "suspend": "STOPPED" if endpoint.phase is EndpointPhase.STOPPED else "NOT_SUSPENDED",
    }


def _config(world: Workspace, endpoint: Endpoint, config: Config) -> dict[str, Any]:
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
        **({"auto_capture_config": _capture(endpoint, config.auto_capture)} if config.auto_capture else {}),
    }


def _capture(endpoint: Endpoint, auto_capture: str) -> dict[str, Any]:
    """Return the older inference table with its state, as documented; its table's name and status are chosen."""
    asked = json.loads(auto_capture)
    prefix = asked["table_name_prefix"] or endpoint.name
    table = f"{asked['catalog_name']}.{asked['schema_name']}.{prefix}_payload"
    state = {"payload_table": {"name": table, "status": "READY", "status_message": ""}}
    return {**asked, "table_name_prefix": prefix, "state": state}


def _entity(world: Workspace, entity: ServedEntity, kind: str) -> dict[str, Any]:
    spec = entity.spec
    deployment = world.deployments[entity.deployment_id]
    model = {f"{kind}_name": spec.model, f"{kind}_version": spec.version}
    optional = {
        "workload_size": spec.workload_size,
        "min_provisioned_concurrency": spec.min_concurrency,
        "max_provisioned_concurrency": spec.max_concurrency,
        "workload_type": spec.workload_type,
        "scale_to_zero_enabled": spec.scale_to_zero,
        "environment_vars": dict(spec.environment) or None,
        "instance_profile_arn": spec.instance_profile_arn,
    }
    sent = {field: value for field, value in optional.items() if value is not None}
    return {
        "name": spec.name,
        # As recorded: the older twin tells its sizes first.
        **(model | sent if kind == "entity" else sent | model),
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
    return {"type": "UC_MODEL"} if in_unity_catalog(entity.spec.model) else {}


def _message(deployment: Deployment) -> str:
    if deployment.phase is Phase.FAILED:
        if not deployment.built:
            return ga_words.NOT_BUILT.format(reason=deployment.reason)
        return ga_words.FAILED.format(entity=deployment.spec.name, reason=deployment.reason)
    if deployment.phase is Phase.ABORTED:
        return ga_words.ABORTED[Cause(deployment.reason)]
    return ga_words.MESSAGES.get(deployment.phase, "")


def _whole_seconds(instant: int) -> int:
    """Every recorded timestamp is in milliseconds and ends in 000."""
    return instant // 1000 * 1000
