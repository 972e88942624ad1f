"""Who may do what with a registered model."""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from servesim.core.access import given, granted
from servesim.core.errors import Code, Rejected
from servesim.core.registry import Stage, in_unity_catalog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servesim.core.access import Member, Principal
    from servesim.core.model_commands import SetModelPermissions
    from servesim.core.registry import RegisteredModel
    from servesim.core.workspace import Workspace


class ModelLevel(IntEnum):
    """What somebody may do with a model of the workspace registry; each level includes the ones below it."""

    CAN_READ = 1
    CAN_EDIT = 2
    CAN_MANAGE_STAGING_VERSIONS = 3
    CAN_MANAGE_PRODUCTION_VERSIONS = 4
    CAN_MANAGE = 5


TRANSITIONS: Mapping[Stage, ModelLevel] = MappingProxyType(
    {
        Stage.NONE: ModelLevel.CAN_MANAGE_STAGING_VERSIONS,
        Stage.STAGING: ModelLevel.CAN_MANAGE_STAGING_VERSIONS,
        Stage.ARCHIVED: ModelLevel.CAN_MANAGE_STAGING_VERSIONS,
        Stage.PRODUCTION: ModelLevel.CAN_MANAGE_PRODUCTION_VERSIONS,
    }
)
"""The level that is needed to move a version into a stage, and out of it."""


def level_of(world: Workspace, principal: Principal | None, model: RegisteredModel) -> ModelLevel | None:
    """Return what somebody may do with a model; None for nothing. Without a principal servesim itself asks.

    A model that no client made is everybody's. In Unity Catalog its owner may do everything, and whoever may execute
    it may read it.
    """
    if principal is None or world.directory.is_open:
        return ModelLevel.CAN_MANAGE
    member = world.directory.find(principal.name)
    if member is None:
        return None
    if member.is_admin:
        return ModelLevel.CAN_MANAGE
    return _given(world, member, model)


def _given(world: Workspace, member: Member, model: RegisteredModel) -> ModelLevel | None:
    """Return what a member who is no admin may do with a model."""
    may_execute = world.registry.may_execute(model.name, world.directory.names(member.principal.name))
    if model.creator is None:
        return ModelLevel.CAN_MANAGE if may_execute else None
    if not in_unity_catalog(model.name):
        return given(member, model.acl.items())
    if model.creator.name == member.principal.name:
        return ModelLevel.CAN_MANAGE
    return ModelLevel.CAN_READ if may_execute else None


def require(world: Workspace, principal: Principal | None, model: RegisteredModel, needed: ModelLevel) -> None:
    """Raise MODEL_NOT_PERMITTED unless somebody has a level on a model."""
    level = level_of(world, principal, model)
    if level is None or level < needed:
        raise Rejected(Code.MODEL_NOT_PERMITTED, model=model.name, needed=needed)


def may_serve(world: Workspace, names: set[str], principal: Principal, name: str) -> bool:
    """Tell whether an endpoint's creator, known by some names, may serve a model: reading it is enough (chosen)."""
    model = world.registry.model(name)
    if not world.registry.may_execute(name, names):
        return False
    return model.creator is None or level_of(world, principal, model) is not None


def change(world: Workspace, command: SetModelPermissions) -> RegisteredModel:
    """Replace what was granted on a model, or add to it.

    Raise MODEL_PERMISSIONS_MISSING, MODEL_NOT_PERMITTED or BAD_FIELD. A model that was everybody's is from then on the
    grantees' alone: chosen.
    """
    model = world.registry.by_id(command.model_id)
    require(world, command.principal, model, ModelLevel.CAN_MANAGE)
    model.acl = granted(model.acl, command.grants, replace=command.replace)
    if model.creator is None:
        model.creator = command.principal
    world.registry.touch(model, model.updated)
    told = ", ".join(f"{grantee.name} {level.name}" for grantee, level in command.grants)
    world.note("model permissions changed", "", model.name, told)
    return model
