"""``servesim.run()``: a server and one workspace of it for a while, for plain code and for coroutines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from servesim.delivery.handle import AsyncServesim, LocalServer, Servesim

if TYPE_CHECKING:
    from types import TracebackType


class Run:
    """A context manager: ``with`` gives a Servesim, ``async with`` an AsyncServesim; used once."""

    def __init__(self, port: int, options: dict[str, Any]) -> None:
        """Prepare; the block opens the port (0: a free one) and makes the workspace."""
        self._server = LocalServer(port=port)
        self._options = options

    def __enter__(self) -> Servesim:
        """Begin; raise ValueError for an option or file that is not what it should be, OSError for a port."""
        self._server.start()
        try:
            return self._server.open(**self._options)
        except BaseException:
            self._server.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the workspace and the server; raise BadAnswers if it has complaints."""
        self._server.__exit__(kind, error, traceback)

    async def __aenter__(self) -> AsyncServesim:
        """Begin, as ``with`` does, beside the caller's event loop."""
        return (await asyncio.to_thread(self.__enter__)).aio

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the workspace and the server, as ``with`` does."""
        await asyncio.to_thread(self._server.__exit__, kind, error, traceback)
