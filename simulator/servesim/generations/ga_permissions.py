"""GA Model Serving: who may do what with an endpoint, to its JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.generations import access_list, ga_words

if TYPE_CHECKING:
    from servesim.core.endpoint import Endpoint
    from servesim.core.workspace import Workspace


def render_permissions(world: Workspace, endpoint: Endpoint) -> dict[str, Any]:
    """Return who may do what with an endpoint."""
    return {
        "object_id": f"/serving-endpoints/{endpoint.id}",
        "object_type": "serving-endpoint",
        "access_control_list": access_list.render_access(world, endpoint.acl, "/serving-endpoints/"),
    }


def render_levels() -> dict[str, Any]:
    """Return the permission levels of an endpoint and what they mean."""
    return access_list.render_levels(ga_words.LEVELS)
