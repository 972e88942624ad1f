"""Who may do what with a registered model, from and to JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.errors import Code, Rejected
from servesim.core.model_access import ModelLevel
from servesim.core.model_commands import SetModelPermissions
from servesim.generations import access_list

if TYPE_CHECKING:
    from servesim.core.access import Principal
    from servesim.core.registry import RegisteredModel
    from servesim.core.workspace import Workspace

DESCRIPTIONS = {
    ModelLevel.CAN_READ: "Can view the registered model, its versions and their artifacts",
    ModelLevel.CAN_EDIT: "Can register versions and change descriptions and tags",
    ModelLevel.CAN_MANAGE_STAGING_VERSIONS: "Can move versions between the stages None, Staging and Archived",
    ModelLevel.CAN_MANAGE_PRODUCTION_VERSIONS: "Can move versions between all stages",
    ModelLevel.CAN_MANAGE: "Can rename and delete the registered model, delete versions and change permissions",
}
"""Chosen: what the service says of its levels is not known, what they allow is."""


def read_permissions(model_id: str, body: Any, principal: Principal, *, replace: bool) -> SetModelPermissions:
    """Turn an access control list into its command; raise MODEL_LEVEL_UNKNOWN or BAD_FIELD."""
    grants = access_list.read_grants(body, ModelLevel, lambda word: Rejected(Code.MODEL_LEVEL_UNKNOWN, level=word))
    return SetModelPermissions(model_id, principal, grants, replace)


def render_permissions(world: Workspace, model: RegisteredModel) -> dict[str, Any]:
    """Return who may do what with a model; that the admins' right comes from above all models is chosen."""
    return {
        "object_id": f"/registered-models/{world.registry.id_of(model)}",
        "object_type": "registered-model",
        "access_control_list": access_list.render_access(world, model.acl, "/registered-models/root"),
    }


def render_levels() -> dict[str, Any]:
    """Return the permission levels of a registered model and what they mean."""
    return access_list.render_levels(DESCRIPTIONS)
