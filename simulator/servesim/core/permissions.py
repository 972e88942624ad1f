"""Who may do what with an endpoint, and whether its creator still may serve its models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.access import Level, granted
from servesim.core.errors import Code, Rejected
from servesim.core.model_access import may_serve

if TYPE_CHECKING:
    from servesim.core.access import Principal
    from servesim.core.commands import ConfigRequest, SetPermissions
    from servesim.core.endpoint import Endpoint
    from servesim.core.workspace import Workspace


def find(world: Workspace, endpoint_id: str) -> Endpoint:
    """Return the endpoint with an id; raise PERMISSIONS_MISSING."""
    endpoint = world.by_id.get(endpoint_id)
    if endpoint is None:
        raise Rejected(Code.PERMISSIONS_MISSING, id=endpoint_id)
    return endpoint


def change(world: Workspace, command: SetPermissions) -> Endpoint:
    """Replace what was granted, or add to it; raise PERMISSIONS_MISSING, NOT_PERMITTED or BAD_FIELD."""
    endpoint = find(world, command.endpoint_id)
    world.require(command.principal, endpoint, Level.CAN_MANAGE)
    endpoint.acl = granted(endpoint.acl, command.grants, replace=command.replace)
    endpoint.levels = None
    endpoint.revision += 1
    world.revision += 1
    given = ", ".join(f"{grantee.name} {level.name}" for grantee, level in command.grants)
    world.note("permissions changed", endpoint.name, command.principal.name if command.principal else "", given)
    return endpoint


def check_creator(world: Workspace, creator: Principal, config: ConfigRequest) -> None:
    """Raise CREATOR_LOST_RIGHTS unless an endpoint's creator is in the workspace and may execute each model."""
    directory = world.directory
    if directory.is_open:
        return
    names = directory.names(creator.name)
    if not names:
        raise Rejected(Code.CREATOR_LOST_RIGHTS, creator=creator.name, lost="is no member of this workspace any more")
    for entity in config.entities:
        if not may_serve(world, names, creator, entity.model):
            raise Rejected(
                Code.CREATOR_LOST_RIGHTS, creator=creator.name, lost=f"may not execute model '{entity.model}'"
            )
