"""What the demo reads out of the SDK's objects, puts into them, and says in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.delivery.demo_models import MODEL, VERSIONS

if TYPE_CHECKING:
    from collections import Counter

    from databricks.sdk.service.serving import ServedEntityInput, ServingEndpointDetailed, TrafficConfig


def entity_input(name: str) -> ServedEntityInput:
    """Return what the SDK is told of a served entity."""
    from databricks.sdk.service.serving import ServedEntityInput  # noqa: PLC0415 - an extra

    return ServedEntityInput(
        name=name,
        entity_name=MODEL,
        entity_version=VERSIONS[name],
        workload_size="Small",
        scale_to_zero_enabled=True,
    )


def traffic_input(shares: dict[str, int]) -> TrafficConfig:
    """Return what the SDK is told of the split, in percent."""
    from databricks.sdk.service.serving import Route, TrafficConfig  # noqa: PLC0415 - an extra

    routes = [Route(served_model_name=name, traffic_percentage=share) for name, share in shares.items()]
    return TrafficConfig(routes=routes)


def state_of(endpoint: ServingEndpointDetailed) -> str:
    """Return both words of an endpoint's state: ``READY and NOT_UPDATING``."""
    state = endpoint.state
    if state is None or state.ready is None or state.config_update is None:
        return "no state"
    return f"{state.ready.value} and {state.config_update.value}"


def shares_of(endpoint: ServingEndpointDetailed) -> str:
    """Return the split that serves: ``forest 10%, logistic 90%``."""
    traffic = endpoint.config.traffic_config if endpoint.config else None
    routes = (traffic.routes if traffic else None) or []
    return ", ".join(sorted(f"{route.served_model_name} {route.traffic_percentage}%" for route in routes))


def messages_of(config: Any) -> dict[str, str]:
    """Return what the state of each served entity of a config says."""
    entities = (config.served_entities if config else None) or ()
    return {entity.name: entity.state.deployment_state_message or "" for entity in entities}


def counted(counts: Counter[str]) -> str:
    """Return who answered how often: ``forest 29 (9.7%), logistic 271 (90.3%)``."""
    total = counts.total()
    return ", ".join(f"{name} {counts[name]} ({counts[name] / total:.1%})" for name in sorted(counts))


def spoken(seconds: float) -> str:
    """Return a duration: ``10 min``, ``1 h 12 min 43 s``."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{number} {unit}" for number, unit in ((hours, "h"), (minutes, "min"), (rest, "s")) if number]
    return " ".join(parts) or "0 s"
