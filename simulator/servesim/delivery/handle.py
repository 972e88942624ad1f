"""servesim in a thread of your own process, and the handle on one of its workspaces."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self

from servesim.core.access import Principal
from servesim.core.commands import AddModel, CancelUpdate
from servesim.delivery.extras import needs
from servesim.delivery.settings import settings_from
from servesim.http.server import Server
from servesim.models.host import ModelHost, Settings
from servesim.models.stubs import Behaviour, Stub
from servesim.service import sources
from servesim.service.hub import Hub
from servesim.service.instants import instant_of, iso, milliseconds
from servesim.service.scenario import Scenario, single_scenario
from servesim.service.versions import function_version, stub_version

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path
    from types import TracebackType

    from databricks.sdk import WorkspaceClient

    from servesim.core.registry import ModelVersion
    from servesim.core.workspace import LogLine
    from servesim.payloads.signature import Signature
    from servesim.service.hub import HostedWorkspace, WorkspaceSettings

USER = Principal("tester@example.com", "Tester")
"""Who a handle's token stands for."""


class LocalServer:
    """A servesim server on a loopback port, in a thread of this process; a context manager."""

    def __init__(self, models: Settings | None = None) -> None:
        """Prepare; ``start`` or ``with`` opens the port."""
        self._models = models
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="servesim", daemon=True)
        self._opened = 0
        self._gate = threading.Lock()
        self._stopped = False
        self.server: Server

    def start(self) -> Self:
        """Open a free port on loopback."""
        self._thread.start()
        self.run(self._start())
        return self

    async def _start(self) -> None:
        self.server = Server(Hub(ModelHost(self._models)))
        await self.server.start()

    def stop(self) -> None:
        """Close the port, end workers and the thread; who still waits for the server is cancelled."""
        self.run(self.server.stop())
        with self._gate:
            self._stopped = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(_cancel_the_rest())
        self._loop.close()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def url(self) -> str:
        """The base URL: what ``DATABRICKS_HOST`` is set to."""
        return f"http://{self.server.host}:{self.server.port}"

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the server's loop and wait for it; RuntimeError once the server has stopped."""
        with self._gate:
            if self._stopped:
                coroutine.close()
                message = "this servesim server has stopped"
                raise RuntimeError(message)
            running = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return running.result()

    def open(self, *, scenario: str | Path | None = None, **options: Any) -> Servesim:
        """Make a fresh workspace with a token of its own; see ``settings_from`` for the options.

        ``scenario`` is a file of the world to begin with; a token of a principal in it stays valid as long as
        the workspace is open. Raise ValueError for an option or file that is not what it should be.
        """
        self._opened += 1
        token = f"dapi-servesim-{self._opened}"
        begin = single_scenario(scenario)
        settings = settings_from({**begin.options, **options})
        return Servesim(self, self.run(self._open(begin, settings, token)), token)

    async def _open(self, scenario: Scenario, settings: WorkspaceSettings, token: str) -> HostedWorkspace:
        hub = self.server.hub
        workspace = hub.open(settings, {**scenario.principals, token: USER})
        try:
            await scenario.begin(workspace, USER)
        except BaseException:
            await hub.drop(workspace)
            raise
        return workspace


async def _cancel_the_rest() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


class Servesim:
    """One simulated workspace: where it is, its clock and its models."""

    def __init__(self, server: LocalServer, workspace: HostedWorkspace, token: str) -> None:
        """Hold on to a workspace of a server."""
        self._server = server
        self.workspace = workspace
        self.host = server.url
        self.token = token
        self.clock = ClockHandle(server, workspace)
        self.models = ModelsHandle(server, workspace)

    def client(self) -> WorkspaceClient:
        """Return an unmodified ``databricks.sdk.WorkspaceClient`` for this workspace."""
        with needs("clients"):
            from databricks.sdk import WorkspaceClient  # noqa: PLC0415 - an extra, imported by whoever asks for it

        return WorkspaceClient(host=self.host, token=self.token, auth_type="pat")

    @property
    def env(self) -> dict[str, str]:
        """The environment variables that point clients of this machine here."""
        return {
            "DATABRICKS_HOST": self.host,
            "DATABRICKS_TOKEN": self.token,
            "NO_PROXY": "127.0.0.1,localhost",
        }

    @property
    def log(self) -> list[LogLine]:
        """The workspace's event log so far, the oldest kept line first."""
        return list(self.workspace.world.log)

    @property
    def not_simulated(self) -> dict[str, int]:
        """Calls that were answered 501 because servesim does not simulate them, with their counts."""
        return dict(self.workspace.not_simulated)

    def printed(self, endpoint: str, entity: str) -> str:
        """Return the last that a served entity's MLflow worker printed; empty for other models."""

        async def printed() -> str:
            world = self.workspace.world
            config = world.get(endpoint).active
            served = config.find(entity) if config else None
            return self.workspace.models.printed(world.deployments[served.deployment_id]) if served else ""

        return str(self._server.run(printed()))

    def cancel_update(self, endpoint: str) -> None:
        """Cancel an update in progress, which the real service offers in its UI only; raise Rejected."""

        async def cancel() -> None:
            self.workspace.clock.execute(CancelUpdate(endpoint))
            await self.workspace.clock.settle()

        self._server.run(cancel())

    def __enter__(self) -> Self:
        """Use the workspace for a while; ``close`` follows."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Forget the workspace and its token."""
        self._server.run(self._server.server.hub.drop(self.workspace))


class ClockHandle:
    """The simulated clock of a workspace."""

    def __init__(self, server: LocalServer, workspace: HostedWorkspace) -> None:
        """Hold on to a workspace's clock."""
        self._server = server
        self._clock = workspace.clock
        self._advancing = threading.Lock()

    @property
    def mode(self) -> str:
        """``autojump``, ``frozen`` or ``paced``."""
        return self._clock.mode

    def now(self) -> str:
        """Return the simulated instant as ISO 8601 in UTC."""

        async def now() -> int:
            return self._clock.now()

        return iso(self._server.run(now()))

    def advance(self, by: str | float) -> str:
        """Move time by ``"31m"`` or by a number of seconds and return the instant reached."""
        delta = milliseconds(by)
        if delta < 0:
            message = f"time does not run backwards: advance({by!r})"
            raise ValueError(message)
        with self._advancing:  # two threads that advance by ten minutes each move time by twenty
            return self.run_until(iso(instant_of(self.now()) + delta))

    def run_until(self, instant: str) -> str:
        """Move time to an ISO 8601 instant and return the instant reached; a past one moves nothing."""
        self._server.run(self._clock.advance_to(instant_of(instant)))
        return self.now()


class ModelsHandle:
    """The registered models of a workspace."""

    def __init__(self, server: LocalServer, workspace: HostedWorkspace) -> None:
        """Hold on to a workspace's registry."""
        self._server = server
        self._workspace = workspace

    def stub(
        self,
        name: str,
        behaviour: Behaviour = "echo",
        *,
        version: str | int | None = None,
        value: Any = None,
        message: str | None = None,
        signature: dict[str, str] | Signature | None = None,
        example: Any = None,
    ) -> str:
        """Register a version that answers by rule and return its number.

        ``behaviour``: ``constant`` gives ``value`` for every row, ``echo`` the row, ``hash`` a number from the
        row's content, ``fail`` the 400 of a model that raised ``message``.
        """
        stub = Stub(behaviour, value) if message is None else Stub(behaviour, value, message)

        def make(number: str) -> ModelVersion:
            return stub_version(name, number, stub, signature, example)

        return self._add(name, version, make)

    def function(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        version: str | int | None = None,
        signature: dict[str, str] | Signature | None = None,
        example: Any = None,
    ) -> str:
        """Register a version that a Python callable answers for and return its number.

        It is called as ``function(rows)`` or ``function(rows, params)``, in a thread, never on the server's loop.
        What it raises is the 400 of a model that raised.
        """
        key = self._workspace.models.keep(function)

        def make(number: str) -> ModelVersion:
            return function_version(name, number, key, signature, example)

        return self._add(name, version, make)

    def mlflow(self, name: str, path: str, *, version: str | int | None = None, python: str | None = None) -> str:
        """Register a version that a real MLflow model answers for, in a worker process; return its number.

        ``path`` is the model's folder; ``python`` another interpreter to load it with.
        """

        async def add() -> str:
            number = self._number(name, version)
            model = await sources.model_at(self._workspace, name, number, str(path), python)
            self._workspace.clock.execute(AddModel(model))
            return number

        return str(self._server.run(add()))

    def _add(self, name: str, version: str | int | None, make: Callable[[str], ModelVersion]) -> str:
        async def add() -> str:
            number = self._number(name, version)
            self._workspace.clock.execute(AddModel(make(number)))
            return number

        return str(self._server.run(add()))

    def _number(self, name: str, version: str | int | None) -> str:
        return self._workspace.world.registry.next_version(name) if version is None else str(version)
