"""GA Model Serving: who may do what with an endpoint, to its JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.access import ADMINS, Grantee, Level
from servesim.generations import ga_words
from servesim.generations.ga_requests import GRANTEES

if TYPE_CHECKING:
    from servesim.core.endpoint import Endpoint
    from servesim.core.workspace import Workspace


def render_permissions(world: Workspace, endpoint: Endpoint) -> dict[str, Any]:
    """Return who may do what with an endpoint: groups, service principals, users, and the admins last.

    Chosen: this order (the real one is not the same from call to call), one entry for admins who were granted
    something as well, and where their own right comes from, which is that of other objects.
    """
    acl = dict(endpoint.acl)
    direct = acl.pop(Grantee("group", ADMINS), None)
    return {
        "object_id": f"/serving-endpoints/{endpoint.id}",
        "object_type": "serving-endpoint",
        "access_control_list": [
            *(_granted(world, grantee, level) for grantee, level in sorted(acl.items())),
            {
                "group_name": ADMINS,
                "all_permissions": [
                    *([] if direct is None else [_permission(direct)]),
                    {
                        "permission_level": Level.CAN_MANAGE.name,
                        "inherited": True,
                        "inherited_from_object": ["/serving-endpoints/"],
                    },
                ],
            },
        ],
    }


def _permission(level: Level) -> dict[str, Any]:
    return {"permission_level": level.name, "inherited": False}


def render_levels() -> dict[str, Any]:
    """Return the permission levels of an endpoint and what they mean."""
    levels = [{"permission_level": level.name, "description": text} for level, text in ga_words.LEVELS.items()]
    return {"permission_levels": levels}


def _granted(world: Workspace, grantee: Grantee, level: Level) -> dict[str, Any]:
    field = next(field for field, kind in GRANTEES.items() if kind == grantee.kind)
    member = world.directory.find(grantee.name) if grantee.kind != "group" else None
    return {
        field: grantee.name,
        **({"display_name": member.principal.display_name} if member else {}),
        "all_permissions": [_permission(level)],
    }
