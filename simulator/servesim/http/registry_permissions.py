"""Who may do what with a registered model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.model_access import ModelLevel, require
from servesim.generations import model_permissions
from servesim.http.reply import Reply, encode

if TYPE_CHECKING:
    from servesim.core.registry import RegisteredModel
    from servesim.http.calls import Call


async def permissions(call: Call) -> Reply:
    """Answer with who may do what with a model; reading the model is enough for that: chosen."""
    return _permissions(call, _by_id(call))


async def set_permissions(call: Call) -> Reply:
    """Replace what was granted on a model."""
    return await _grant(call, replace=True)


async def update_permissions(call: Call) -> Reply:
    """Add to what was granted on a model."""
    return await _grant(call, replace=False)


async def permission_levels(call: Call) -> Reply:
    """Answer with the levels that exist."""
    _by_id(call)
    return Reply(200, encode(model_permissions.render_levels()), grade="documented")


async def _grant(call: Call, *, replace: bool) -> Reply:
    body, principal = await call.json(), call.session.principal
    command = model_permissions.read_permissions(call.parameters["model_id"], body, principal, replace=replace)
    return _permissions(call, call.session.workspace.clock.execute(command))


def _permissions(call: Call, model: RegisteredModel) -> Reply:
    document = model_permissions.render_permissions(call.session.workspace.world, model)
    return Reply(200, encode(document), grade="documented")


def _by_id(call: Call) -> RegisteredModel:
    world = call.session.workspace.world
    model = world.registry.by_id(call.parameters["model_id"])
    require(world, call.session.principal, model, ModelLevel.CAN_READ)
    return model
