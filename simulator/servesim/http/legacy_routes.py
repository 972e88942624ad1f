"""The routes of legacy serving's control plane."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from servesim.http.later import later
from servesim.service.operation_names import LEGACY, PREVIEW

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from servesim.http import legacy
    from servesim.http.calls import Call
    from servesim.http.reply import Reply

    Handler = Callable[[Call], Awaitable[Reply]]
else:
    legacy = later(lambda: import_module("servesim.http.legacy"))

PREFIXES = (LEGACY, PREVIEW + "endpoints/")


def routes() -> list[tuple[str, str, Handler]]:
    """List method, path and handler of each operation."""
    return [(method, prefix + path, handler) for prefix in PREFIXES for method, path, handler in _calls()]


def _calls() -> list[tuple[str, str, Handler]]:
    return [
        ("POST", "enable", legacy.enable),
        ("POST", "disable", legacy.disable),
        ("GET", "list", legacy.list_endpoints),
        ("GET", "get-status", legacy.get_status),
        ("GET", "list-versions", legacy.list_versions),
        ("GET", "list-version-aliases", legacy.list_version_aliases),
        ("POST", "get-version-logs", legacy.get_version_logs),
        ("GET", "get-event-history", legacy.get_event_history),
        ("GET", "get-metric-history", legacy.get_metric_history),
        ("PUT", "update-cluster-config", legacy.update_cluster_config),
    ]
