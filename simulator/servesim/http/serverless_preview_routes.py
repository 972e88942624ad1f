"""The routes of the serverless preview's control plane, under every prefix that clients and pages have."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from servesim.http.later import later

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from servesim.http import serverless_preview
    from servesim.http.calls import Call
    from servesim.http.reply import Reply

    Handler = Callable[[Call], Awaitable[Reply]]
else:
    serverless_preview = later(lambda: import_module("servesim.http.serverless_preview"))

PREFIXES = (
    "/api/2.0/mlflow/endpoints-v2/",
    "/api/2.0/preview/mlflow/endpoints-v2/",
    "/preview/mlflow/endpoints-v2/",  # as the page writes it
)
COMPUTE_PREFIXES = (
    *PREFIXES,
    "/api/2.0/preview/model-serving-api/endpoints-v2/",
    "/preview/model-serving-api/endpoints-v2/",  # as the page writes it, for this operation alone
)


def routes() -> list[tuple[str, str, Handler]]:
    """List method, path and handler of each operation."""
    update = serverless_preview.update_compute_config
    return [
        *((method, prefix + path, handler) for prefix in PREFIXES for method, path, handler in _calls()),
        *(("PUT", prefix + "update-compute-config", update) for prefix in COMPUTE_PREFIXES),
    ]


def _calls() -> list[tuple[str, str, Handler]]:
    return [
        ("POST", "enable", serverless_preview.enable),
        ("POST", "disable", serverless_preview.disable),
        ("GET", "list", serverless_preview.list_endpoints),
        ("GET", "get-status", serverless_preview.get_status),
        ("GET", "list-versions", serverless_preview.list_versions),
        ("GET", "get-version-status", serverless_preview.get_version_status),
        ("GET", "list-version-aliases", serverless_preview.list_version_aliases),
        ("POST", "restart-compute-config-update", serverless_preview.restart_compute_config_update),
        ("GET", "get-supported-workload-sizes", serverless_preview.get_supported_workload_sizes),
        ("GET", "get-version-replicas", serverless_preview.get_version_replicas),
        ("POST", "get-version-logs", serverless_preview.get_version_logs),
        ("POST", "get-version-build-logs", serverless_preview.get_version_build_logs),
        ("GET", "get-version-metrics", serverless_preview.get_version_metrics),
        ("GET", "get-event-history", serverless_preview.get_event_history),
    ]
