"""Who may do what with something, from and to JSON: the same for everything that permissions are granted on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from servesim.core.access import ADMINS, Grantee
from servesim.generations.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import IntEnum

    from servesim.core.errors import Rejected
    from servesim.core.workspace import Workspace

    _L = TypeVar("_L", bound=IntEnum)

GRANTEES = {"user_name": "user", "group_name": "group", "service_principal_name": "service_principal"}
"""The kinds of grantee by the field that names one."""


def read_grants(body: Any, levels: type[_L], unknown: Callable[[str], Rejected]) -> tuple[tuple[Grantee, _L], ...]:
    """Read an access control list; raise BAD_FIELD, or ``unknown`` for a level that there is not.

    Whoever is named need not be known here: chosen. The real service knows its account's directory, of which a
    workspace here has only the part that a test gave it.
    """
    return tuple(_read_grant(entry, levels, unknown) for entry in Fields(body).items("access_control_list"))


def _read_grant(fields: Fields, levels: type[_L], unknown: Callable[[str], Rejected]) -> tuple[Grantee, _L]:
    named = [field for field in GRANTEES if fields.has(field)]
    if len(named) != 1:
        raise fields.bad(named[0] if named else "user_name", f"exactly one of {', '.join(GRANTEES)}")
    word = fields.text("permission_level", "")
    if word not in levels.__members__:
        raise unknown(word)
    return Grantee(GRANTEES[named[0]], fields.filled(named[0])), levels[word]


def render_access(world: Workspace, acl: Mapping[Grantee, IntEnum], inherited_from: str) -> list[dict[str, Any]]:
    """Return an access control list: groups, service principals, users, and the admins last.

    Chosen: this order (the real one is not the same from call to call), one entry for admins who were granted
    something as well, and where their own right comes from, which is that of other objects.
    """
    direct = acl.get(Grantee("group", ADMINS))
    inherited = {"permission_level": "CAN_MANAGE", "inherited": True, "inherited_from_object": [inherited_from]}
    return [
        *(_granted(world, grantee, level) for grantee, level in sorted(acl.items()) if grantee != ("group", ADMINS)),
        {"group_name": ADMINS, "all_permissions": [*([] if direct is None else [_permission(direct)]), inherited]},
    ]


def render_levels(descriptions: Mapping[_L, str]) -> dict[str, Any]:
    """Return permission levels and what they mean."""
    levels = [{"permission_level": level.name, "description": text} for level, text in descriptions.items()]
    return {"permission_levels": levels}


def _granted(world: Workspace, grantee: Grantee, level: IntEnum) -> dict[str, Any]:
    field = next(field for field, kind in GRANTEES.items() if kind == grantee.kind)
    member = world.directory.find(grantee.name) if grantee.kind != "group" else None
    return {
        field: grantee.name,
        **({"display_name": member.principal.display_name} if member else {}),
        "all_permissions": [_permission(level)],
    }


def _permission(level: IntEnum) -> dict[str, Any]:
    return {"permission_level": level.name, "inherited": False}
