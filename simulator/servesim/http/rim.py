"""Where connections come in: as many at once as the process has room for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    import asyncio

    from aiohttp.web_protocol import RequestHandler

MOST_CONNECTIONS = 10_000


class Rim(web.Server):
    """aiohttp's server with a bound: one connection more than ``most`` lets the oldest go.

    It goes at once if it is idle, else after the answer that it waits for; who needs it connects anew.
    """

    def __init__(self, *arguments: Any, most: int, **options: Any) -> None:
        """Take what ``web.Server`` takes."""
        super().__init__(*arguments, **options)
        self._most = most
        self._by_age: dict[RequestHandler, None] = {}

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Let one in, and perhaps another one go."""
        super().connection_made(handler, transport)
        self._by_age[handler] = None
        if len(self._by_age) > self._most:
            oldest = next(iter(self._by_age))
            del self._by_age[oldest]
            if oldest._current_request is None:  # noqa: SLF001 - aiohttp says nowhere else whether one is idle
                oldest.force_close()
            else:
                oldest.close()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Forget one that has ended."""
        self._by_age.pop(handler, None)
        super().connection_lost(handler, exc)


def room_for_connections() -> int:
    """Return how many connections may be open at once: three quarters of the files that this process may open."""
    try:
        resource = importlib.import_module("resource")
    except ImportError:  # not on Windows
        return MOST_CONNECTIONS
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_CONNECTIONS if files < 0 else max(1, min(files * 3 // 4, MOST_CONNECTIONS))
