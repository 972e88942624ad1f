"""servesim in a thread of your own process, and the handle on one of its workspaces."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from typing import TYPE_CHECKING, Any, Self, TypeVar

from servesim.core.access import ADMINS, Member, Principal
from servesim.delivery.complaints import checks_from_environment, complaints_after, refuse_complaints
from servesim.delivery.facade import AsyncServesim, Servesim
from servesim.http.server import Server
from servesim.models.host import ModelHost, Settings
from servesim.service.artifact_store import QUOTA
from servesim.service.hub import Hub
from servesim.service.scenario import Scenario, single_scenario
from servesim.service.settings import flag, settings_from

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from concurrent.futures import Future
    from pathlib import Path
    from types import TracebackType

    from servesim.service.hub import HostedWorkspace, WorkspaceSettings

__all__ = ["AsyncServesim", "LocalServer", "Servesim"]

T = TypeVar("T")
USER = Principal("tester@example.com", "Tester")
"""Who a handle's token stands for: an administrator of its workspace."""


_DEFAULTS = {"model_root": (".", tempfile.gettempdir())}
"""Tests write their models where the system keeps what is temporary: the working directory is not all of it."""


class LocalServer:
    """A servesim server on a loopback port, in a thread of this process; a context manager."""

    def __init__(self, models: Settings | None = None, *, port: int = 0, artifact_quota: int = QUOTA) -> None:
        """Prepare; ``start`` or ``with`` opens the port, a free one unless told which.

        ``artifact_quota`` is how many bytes the files of registered models may have.
        """
        self._models = models
        self._artifact_quota = artifact_quota
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="servesim", daemon=True)
        self._opened = 0
        self._gate = threading.Lock()
        self._stopped = False
        self.server: Server

    def start(self) -> Self:
        """Open the port on loopback; raise OSError if it is taken."""
        self._thread.start()
        try:
            self.run(self._start())
        except BaseException:
            self._stop()
            raise
        return self

    async def _start(self) -> None:
        validates = flag(checks_from_environment().get("validate_responses", False))
        self.server = Server(Hub(ModelHost(self._models), self._artifact_quota), validate_responses=validates)
        await self.server.start(port=self._port)

    def stop(self) -> None:
        """Close the port, end workers and the thread; who still waits for the server is cancelled.

        Raise BadAnswers if a workspace that was not closed has complaints.
        """
        left = [workspace.complaints for workspace in self.server.hub.workspaces()]
        self._stop()
        refuse_complaints(*left, self.server.complaints)

    def _stop(self) -> None:
        self.run(self.server.stop())
        with self._gate:
            self._stopped = True
        # On the loop itself: the thread that stops it may be running a loop of its own.
        asyncio.run_coroutine_threadsafe(_cancel_the_rest(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop; complaints about answers do not take the place of an error that is on its way."""
        with complaints_after(error):
            self.stop()

    @property
    def url(self) -> str:
        """The base URL: what ``DATABRICKS_HOST`` is set to."""
        return f"http://{self.server.host}:{self.server.port}"

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Have a coroutine run on the server's loop; RuntimeError once the server has stopped."""
        with self._gate:
            if self._stopped:
                coroutine.close()
                message = "this servesim server has stopped"
                raise RuntimeError(message)
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's loop and wait for it; RuntimeError once the server has stopped."""
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # whoever waited has been interrupted: nothing goes on for nobody
            raise

    def open(self, *, scenario: str | Path | None = None, **options: Any) -> Servesim:
        """Make a fresh workspace with a token of its own; see ``settings_from`` for the options.

        ``scenario`` is a file of the world to begin with; a token of a principal in it stays valid as long as
        the workspace is open. Raise ValueError for an option or file that is not what it should be.
        """
        with self._gate:  # handles are opened from several threads
            self._opened += 1
            token = f"dapi-servesim-{self._opened}"
        begin = single_scenario(scenario)
        options = {**_DEFAULTS, **checks_from_environment(), **begin.options, **options}
        settings = settings_from(options)
        return Servesim(self, self.run(self._open(begin, settings, token)), token)

    async def _open(self, scenario: Scenario, settings: WorkspaceSettings, token: str) -> HostedWorkspace:
        hub = self.server.hub
        workspace = hub.open(settings, {**scenario.principals, token: Member(USER, (ADMINS,))}, scenario.clients)
        workspace.name = f"test-{self._opened}"
        workspace.begin = lambda fresh: scenario.begin(fresh, USER)
        try:
            await workspace.begin(workspace)
            if scenario.port is not None:
                await self.server.open_port(workspace, scenario.port)
        except BaseException:
            await hub.drop(workspace)
            raise
        return workspace


async def _cancel_the_rest() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
