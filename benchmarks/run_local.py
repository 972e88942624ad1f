"""Measures servesim in a thread of its own process. Arguments: ``server``, ``workspace N`` or ``client N``."""

from __future__ import annotations

import http.client
import json
import logging
import sys
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import aiohttp.web  # noqa: F401 - its cost is not the server's

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.delivery.handle import LocalServer

WARM_UP = 10


def server() -> dict[str, float]:
    """Return how long the first server takes to its first 200, and the import before that."""
    began = perf_counter()
    from servesim.delivery.handle import LocalServer  # noqa: PLC0415 - the import is measured

    imported = perf_counter()
    with LocalServer() as local:
        connection = http.client.HTTPConnection(local.server.host, local.server.port)
        connection.request("GET", "/_servesim/v1/health")
        assert connection.getresponse().status == 200  # noqa: PLR2004 - what 200 means is known
        first = perf_counter()
        connection.close()
    return {"import_ms": (imported - began) * 1000, "first_200_ms": (first - imported) * 1000}


def workspace(count: int) -> dict[str, float]:
    """Return how long a fresh workspace takes, opened and closed."""

    def use(local: LocalServer) -> None:
        local.open().close()

    return {"open_close_ms": _median_ms(use, count)}


def client(count: int) -> dict[str, float]:
    """Return the same with a WorkspaceClient, and how many warnings that logged."""
    import databricks.sdk  # noqa: F401, PLC0415 - its import is not the workspace's

    warnings = _Count(logging.WARNING)
    logging.getLogger().addHandler(warnings)

    def use(local: LocalServer) -> None:
        handle = local.open()
        handle.client()
        handle.close()

    return {"open_client_close_ms": _median_ms(use, count), "warnings": warnings.count}


def _median_ms(use: Callable[[LocalServer], None], count: int) -> float:
    from servesim.delivery.handle import LocalServer  # noqa: PLC0415 - as in server()

    found = []
    with LocalServer() as local:
        for _ in range(WARM_UP + count):
            began = perf_counter()
            use(local)
            found.append(perf_counter() - began)
    return median(found[WARM_UP:]) * 1000


class _Count(logging.Handler):
    """Counts records."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - logging calls it so
        """Count one."""
        self.count += 1


if __name__ == "__main__":
    kind, *numbers = sys.argv[1:]
    json.dump({"server": server, "workspace": workspace, "client": client}[kind](*map(int, numbers)), sys.stdout)
