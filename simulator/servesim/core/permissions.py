"""Who may do what with an endpoint, and whether its creator still may serve its models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.access import Level
from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from servesim.core.access import Principal
    from servesim.core.commands import ConfigRequest, SetPermissions
    from servesim.core.endpoint import Endpoint
    from servesim.core.workspace import Workspace


GRANT_LIMIT = 1_000
"""Grantees of an endpoint: ours, no limit is published."""


def find(world: Workspace, endpoint_id: str) -> Endpoint:
    """Return the endpoint with an id; raise PERMISSIONS_MISSING."""
    endpoint = world.by_id.get(endpoint_id)
    if endpoint is None:
        raise Rejected(Code.PERMISSIONS_MISSING, id=endpoint_id)
    return endpoint


def change(world: Workspace, command: SetPermissions) -> Endpoint:
    """Replace what was granted, or add to it; raise PERMISSIONS_MISSING, NOT_PERMITTED or BAD_FIELD.

    Of two grants to one grantee the later counts: chosen.
    """
    endpoint = find(world, command.endpoint_id)
    world.require(command.principal, endpoint, Level.CAN_MANAGE)
    granted = {**({} if command.replace else endpoint.acl), **dict(command.grants)}
    if len(granted) > GRANT_LIMIT:
        expected = f"{GRANT_LIMIT} grantees at most"
        raise Rejected(Code.BAD_FIELD, field="access_control_list", expected=expected, got=len(granted))
    endpoint.acl = granted
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
        if not world.registry.may_execute(entity.model, names):
            raise Rejected(
                Code.CREATOR_LOST_RIGHTS, creator=creator.name, lost=f"may not execute model '{entity.model}'"
            )
