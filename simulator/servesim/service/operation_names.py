"""What the operations of the simulated service are called: as in the contracts, which stand above this layer."""

from __future__ import annotations

import re

from servesim.core.faults import QUERIES

ENDPOINTS = "/api/2.0/serving-endpoints"
_ONE = ENDPOINTS + "/{name}"
_ENTITY = _ONE + "/served-models/{entity}"
_PERMISSIONS = "/api/2.0/permissions/serving-endpoints/{id}"
_SECRETS = "/api/2.0/secrets/"

_CALLS = {
    "list_endpoints": ("GET", ENDPOINTS),
    "create_endpoint": ("POST", ENDPOINTS),
    "get_model_optimization_info": ("GET", ENDPOINTS + "/get-model-optimization-info/{model}/{version}"),
    "get_endpoint": ("GET", _ONE),
    "delete_endpoint": ("DELETE", _ONE),
    "update_config": ("PUT", _ONE + "/config"),
    "stop_endpoint": ("POST", _ONE + "/config:stop"),
    "start_endpoint": ("POST", _ONE + "/config:start"),
    "update_tags": ("PATCH", _ONE + "/tags"),
    "update_rate_limits": ("PUT", _ONE + "/rate-limits"),
    "update_ai_gateway": ("PUT", _ONE + "/ai-gateway"),
    "update_notifications": ("PATCH", _ONE + "/notifications"),
    "update_telemetry_config": ("PATCH", _ONE + "/telemetry-config"),
    "list_events": ("GET", _ONE + "/events"),
    "export_metrics": ("GET", _ONE + "/metrics"),
    "get_open_api": ("GET", _ONE + "/openapi"),
    "get_build_logs": ("GET", _ENTITY + "/build-logs"),
    "get_logs": ("GET", _ENTITY + "/logs"),
    "get_permissions": ("GET", _PERMISSIONS),
    "set_permissions": ("PUT", _PERMISSIONS),
    "update_permissions": ("PATCH", _PERMISSIONS),
    "get_permission_levels": ("GET", _PERMISSIONS + "/permissionLevels"),
    "get_me": ("GET", "/api/2.0/preview/scim/v2/Me"),
    "get_token": ("POST", "/oidc/v1/token"),
    "create_scope": ("POST", _SECRETS + "scopes/create"),
    "delete_scope": ("POST", _SECRETS + "scopes/delete"),
    "list_scopes": ("GET", _SECRETS + "scopes/list"),
    "put_secret": ("POST", _SECRETS + "put"),
    "delete_secret": ("POST", _SECRETS + "delete"),
    "list_secrets": ("GET", _SECRETS + "list"),
    "get_secret": ("GET", _SECRETS + "get"),
    "put_secret_acl": ("POST", _SECRETS + "acls/put"),
    "delete_secret_acl": ("POST", _SECRETS + "acls/delete"),
    "get_secret_acl": ("GET", _SECRETS + "acls/get"),
    "list_secret_acls": ("GET", _SECRETS + "acls/list"),
}
"""Method and path of each call of the control plane that is somebody's: host discovery is nobody's."""

NAMES = (*_CALLS, *QUERIES)

_NAMED = re.compile(r"\{\w+\}")


def _shape(method: str, path: str) -> tuple[str, str]:
    return method, _NAMED.sub("{}", path)


_BY_SHAPE = {_shape(*call): name for name, call in _CALLS.items()}


def operation_of(method: str, path: str) -> str | None:
    """Return the operation of a method and a path as a routing table writes it; None for one that is no contract's."""
    return _BY_SHAPE.get(_shape(method, path))
