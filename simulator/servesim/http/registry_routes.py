"""The routes of the workspace registry."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from servesim.http.later import later
from servesim.service.operation_names import PREVIEW, REGISTRY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from servesim.http import registry, registry_permissions
    from servesim.http.calls import Call
    from servesim.http.reply import Reply

    Handler = Callable[[Call], Awaitable[Reply]]
else:
    registry = later(lambda: import_module("servesim.http.registry"))
    registry_permissions = later(lambda: import_module("servesim.http.registry_permissions"))

PERMISSIONS = "/api/2.0/permissions/registered-models/{model_id}"


def routes() -> list[tuple[str, str, Handler]]:
    """List method, path and handler of each operation."""
    calls = [*_models(), *_versions()]
    return [
        *((method, prefix + path, handler) for prefix in (REGISTRY, PREVIEW) for method, path, handler in calls),
        ("GET", PERMISSIONS, registry_permissions.permissions),
        ("PUT", PERMISSIONS, registry_permissions.set_permissions),
        ("PATCH", PERMISSIONS, registry_permissions.update_permissions),
        ("GET", PERMISSIONS + "/permissionLevels", registry_permissions.permission_levels),
    ]


def _models() -> list[tuple[str, str, Handler]]:
    return [
        ("POST", "registered-models/create", registry.create_model),
        ("GET", "registered-models/get", registry.get_model),
        ("GET", "databricks/registered-models/get", registry.get_model_databricks),
        ("GET", "registered-models/search", registry.search_models),
        ("GET", "registered-models/list", registry.list_models),
        ("PATCH", "registered-models/update", registry.update_model),
        ("POST", "registered-models/rename", registry.rename_model),
        ("DELETE", "registered-models/delete", registry.delete_model),
        ("POST", "registered-models/get-latest-versions", registry.latest_versions),
        ("GET", "registered-models/get-latest-versions", registry.latest_versions),
        ("POST", "registered-models/set-tag", registry.set_model_tag),
        ("DELETE", "registered-models/delete-tag", registry.delete_model_tag),
    ]


def _versions() -> list[tuple[str, str, Handler]]:
    return [
        ("POST", "model-versions/create", registry.create_version),
        ("GET", "model-versions/get", registry.get_version),
        ("GET", "model-versions/search", registry.search_versions),
        ("PATCH", "model-versions/update", registry.update_version),
        ("DELETE", "model-versions/delete", registry.delete_version),
        ("GET", "model-versions/get-download-uri", registry.download_uri),
        ("POST", "model-versions/set-tag", registry.set_version_tag),
        ("DELETE", "model-versions/delete-tag", registry.delete_version_tag),
        ("POST", "model-versions/transition-stage", registry.transition),
        ("POST", "databricks/model-versions/transition-stage", registry.transition_databricks),
    ]
