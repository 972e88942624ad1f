"""The routes of GA Model Serving's control plane, of the registries that it serves from, and of secrets."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from servesim.http import (
    files_routes,
    legacy_routes,
    registry_routes,
    serverless_preview_routes,
    unity_catalog_routes,
)
from servesim.http.later import later

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from servesim.http import express, secrets
    from servesim.http.calls import Call
    from servesim.http.control import ControlPlane, Rendered
    from servesim.http.operations import Operations
    from servesim.http.reply import Reply

    Handler = Callable[[Call], Awaitable[Reply]]
else:
    express = later(lambda: import_module("servesim.http.express"))
    secrets = later(lambda: import_module("servesim.http.secrets"))

ENDPOINTS = "/api/2.0/serving-endpoints"
PERMISSIONS = "/api/2.0/permissions/serving-endpoints/{id}"
SECRETS = "/api/2.0/secrets/"


def routes() -> list[tuple[str, str, Handler]]:
    """List method, path and handler of each operation; a fixed path comes before one with a name in its place."""
    return [
        *_serving_routes(),
        *registry_routes.routes(),
        *unity_catalog_routes.routes(),
        *files_routes.routes(),
        *serverless_preview_routes.routes(),
        *legacy_routes.routes(),
        *_secrets_routes(),
    ]


def _serving_routes() -> list[tuple[str, str, Handler]]:
    @cache
    def rendered() -> Rendered:
        from servesim.http.control import Rendered  # noqa: PLC0415 - see later.py

        return Rendered()

    def make_control() -> ControlPlane:
        from servesim.http.control import ControlPlane  # noqa: PLC0415 - see later.py

        return ControlPlane(rendered())

    def make_operations() -> Operations:
        from servesim.http.operations import Operations  # noqa: PLC0415 - see later.py

        return Operations(rendered())

    control, more = later(make_control), later(make_operations)
    one = ENDPOINTS + "/{name}"
    entity = one + "/served-models/{entity}"
    return [
        ("POST", ENDPOINTS, control.create),
        ("GET", ENDPOINTS, control.list),
        ("POST", ENDPOINTS + ":stageDeployment", express.stage_deployment),
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


def _secrets_routes() -> list[tuple[str, str, Handler]]:
    return [
        ("POST", SECRETS + "scopes/create", secrets.create_scope),
        ("POST", SECRETS + "scopes/delete", secrets.delete_scope),
        ("GET", SECRETS + "scopes/list", secrets.list_scopes),
        ("POST", SECRETS + "put", secrets.put),
        ("POST", SECRETS + "delete", secrets.delete),
        ("GET", SECRETS + "list", secrets.list_secrets),
        ("GET", SECRETS + "get", secrets.get),
        ("POST", SECRETS + "acls/put", secrets.put_acl),
        ("POST", SECRETS + "acls/delete", secrets.delete_acl),
        ("GET", SECRETS + "acls/get", secrets.get_acl),
        ("GET", SECRETS + "acls/list", secrets.list_acls),
    ]
