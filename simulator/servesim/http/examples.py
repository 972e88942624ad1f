"""A version's own input example as a scoring request: a call that the real service does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.http.reply import Reply, encode, error
from servesim.payloads.example import as_request

if TYPE_CHECKING:
    from servesim.core.endpoint import Config, Endpoint
    from servesim.core.registry import ModelVersion
    from servesim.http.calls import Call


async def get(call: Call) -> Reply:
    """Answer with the example of one entity: of the largest share unless ``?entity=`` names another."""
    workspace = call.session.workspace
    workspace.clock.now()
    endpoint = workspace.world.get(call.parameters["endpoint"])
    config = endpoint.active or endpoint.pending
    if config is None:
        return _missing(call, f"Endpoint '{endpoint.name}' has no served entities, so it has no example.")
    name = call.request.query.get("entity") or _largest(config)
    entity = config.find(name)
    if entity is None:
        return _missing(call, _unknown(endpoint, name, config))
    model = workspace.world.registry.get(entity.spec.model, entity.spec.version)
    if model.example is None:
        return _missing(call, _without(model, name))
    return Reply(200, encode({"entity": name, "example": as_request(model.example)}))


def _largest(config: Config) -> str:
    """Return the entity with the largest share, the first of equals."""
    return max(config.routes, key=lambda route: route.percentage).entity


def _unknown(endpoint: Endpoint, name: str, config: Config) -> str:
    names = ", ".join(f"'{entity.spec.name}'" for entity in config.entities)
    return f"Endpoint '{endpoint.name}' has no served entity '{name}'; it has {names}."


def _without(model: ModelVersion, entity: str) -> str:
    return (
        f"Version {model.version} of '{model.name}' has no input example, and served entity '{entity}' serves it. "
        "Log the model with input_example=..., or send a request of your own."
    )


def _missing(call: Call, message: str) -> Reply:
    request_id = call.session.workspace.next_request_id()
    return error(404, "RESOURCE_DOES_NOT_EXIST", message, request_id, "chosen")
