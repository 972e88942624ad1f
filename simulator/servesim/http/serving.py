"""The routes of GA Model Serving's control plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.http.control import ControlPlane, Rendered
from servesim.http.operations import Operations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from servesim.http.calls import Call
    from servesim.http.reply import Reply

    Handler = Callable[[Call], Awaitable[Reply]]

ENDPOINTS = "/api/2.0/serving-endpoints"
PERMISSIONS = "/api/2.0/permissions/serving-endpoints/{id}"


def routes() -> list[tuple[str, str, Handler]]:
    """List method, path and handler of each operation; a fixed path comes before one with a name in its place."""
    rendered = Rendered()
    control, more = ControlPlane(rendered), Operations(rendered)
    one = ENDPOINTS + "/{name}"
    entity = one + "/served-models/{entity}"
    return [
        ("POST", ENDPOINTS, control.create),
        ("GET", ENDPOINTS, control.list),
        ("GET", ENDPOINTS + "/get-model-optimization-info/{model}/{version}", more.optimization),
        ("GET", one, control.get),
        ("DELETE", one, control.delete),
        ("PUT", one + "/config", control.update_config),
        ("POST", one + "/config:stop", more.stop),
        ("POST", one + "/config:start", more.start),
        ("PATCH", one + "/tags", more.tags),
        ("PUT", one + "/rate-limits", more.rate_limits),
        ("PUT", one + "/ai-gateway", more.gateway),
        ("PATCH", one + "/notifications", more.notifications),
        ("PATCH", one + "/telemetry-config", more.telemetry),
        ("GET", one + "/events", more.events),
        ("GET", one + "/metrics", more.metrics),
        ("GET", one + "/openapi", more.openapi),
        ("GET", entity + "/build-logs", more.build_logs),
        ("GET", entity + "/logs", more.logs),
        ("GET", PERMISSIONS, more.permissions),
        ("PUT", PERMISSIONS, more.set_permissions),
        ("PATCH", PERMISSIONS, more.update_permissions),
        ("GET", PERMISSIONS + "/permissionLevels", more.permission_levels),
    ]
