"""The handles on a workspace: Servesim for plain code, AsyncServesim for coroutines."""

from __future__ import annotations

import asyncio
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from servesim.delivery import parts
from servesim.delivery.complaints import complaints_after
from servesim.delivery.extras import needs
from servesim.delivery.notebook import Environment
from servesim.delivery.operations import Part, WorkspaceOperations, awaiting, blocking
from servesim.delivery.pending import (
    AsyncPending,
    Pending,
    Started,
    call_in_task,
    call_in_thread,
    is_coroutine_function,
    name_of,
    refuse_start,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    from databricks.sdk import WorkspaceClient

    from servesim.core.eventlog import LogLine
    from servesim.delivery.handle import LocalServer
    from servesim.service.hub import HostedWorkspace

P = ParamSpec("P")
T = TypeVar("T")


class Whereabouts(Part[WorkspaceOperations]):
    """Where a workspace is and what can be read of it at once."""

    def __init__(self, server: LocalServer, workspace: HostedWorkspace, token: str, does: parts.Operations) -> None:
        """Hold on to a workspace of a server."""
        super().__init__(server, does.here)
        self._local = server
        self._does = does
        self.workspace = workspace
        self.host = server.server.url_of(workspace)
        self.token = token

    @property
    def env(self) -> Environment:
        """The environment variables that point clients of this machine here.

        ``env(serverless_environment=4)`` has those of a serverless notebook too; ``with`` sets either for a while.
        """
        here = {
            "DATABRICKS_HOST": self.host,
            "DATABRICKS_TOKEN": self.token,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        return Environment(self.workspace, here)

    @property
    def log(self) -> list[LogLine]:
        """The workspace's event log so far, the oldest kept line first."""
        return list(self.workspace.world.log)

    @property
    def not_simulated(self) -> dict[str, int]:
        """Calls that were answered 501 because servesim does not simulate them, with their counts."""
        return dict(self.workspace.not_simulated)

    def _client(self) -> WorkspaceClient:
        with needs("clients"):
            from databricks.sdk import WorkspaceClient  # noqa: PLC0415 - an extra, imported by whoever asks for it

        return WorkspaceClient(host=self.host, token=self.token, auth_type="pat")


class Servesim(Whereabouts):
    """One simulated workspace: where it is, its clock, its models and its routes."""

    printed = blocking(WorkspaceOperations.printed)
    cancel_update = blocking(WorkspaceOperations.cancel_update)
    requests = blocking(WorkspaceOperations.requests)
    usage = blocking(WorkspaceOperations.usage)
    expire_tokens = blocking(WorkspaceOperations.expire_tokens)
    close = blocking(WorkspaceOperations.close)

    def __init__(self, server: LocalServer, workspace: HostedWorkspace, token: str) -> None:
        """Hold on to a workspace of a server."""
        super().__init__(server, workspace, token, parts.Operations(server, workspace))
        self.clock = parts.ClockHandle(server, self._does.clock)
        self.models = parts.ModelsHandle(server, self._does.models)
        self.routes = parts.RoutesHandle(server, self._does.routes)
        self.secrets = parts.SecretsHandle(server, self._does.secrets)
        self.principals = parts.PrincipalsHandle(server, self._does.principals)
        self.faults = parts.FaultsHandle(server, self._does.faults)
        self.serverless_preview = parts.ServerlessPreviewHandle(server, self._does.serverless_preview)
        self.model_endpoints = parts.ModelEndpointsHandle(server, self._does.model_endpoints)

    @cached_property
    def aio(self) -> AsyncServesim:
        """The same workspace for coroutines."""
        return AsyncServesim(self._local, self.workspace, self.token, self._does)

    def client(self) -> WorkspaceClient:
        """Return an unmodified ``databricks.sdk.WorkspaceClient`` for this workspace."""
        return self._client()

    def start(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Pending[T]:
        """Make a call in a thread, and return once a request of it is admitted, held or answered, or it has ended.

        Any client will do. A request that waits for simulated time is ``held``: look, move the clock, ask for the
        ``result``. Starts of one workspace follow each other.
        """
        refuse_start(call)
        if is_coroutine_function(call):
            message = f"{name_of(call)} makes a coroutine: start it from coroutines, await sim.aio.start(...)"
            raise TypeError(message)
        started: Started[T] = Started(name_of(call))
        starts = self._does.start
        go = partial(call_in_thread, starts.senders, started, partial(call, *args, **kwargs))
        self._server.run(starts.launch(started, go))
        return Pending(self._server, starts, started)

    def __enter__(self) -> Self:
        """Use the workspace for a while; ``close`` follows."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close; complaints about answers do not take the place of an error that is on its way."""
        with complaints_after(error):
            self.close()


class AsyncServesim(Whereabouts):
    """One simulated workspace for coroutines: whatever may wait is one, and runs beside the caller's event loop."""

    printed = awaiting(WorkspaceOperations.printed)
    cancel_update = awaiting(WorkspaceOperations.cancel_update)
    requests = awaiting(WorkspaceOperations.requests)
    usage = awaiting(WorkspaceOperations.usage)
    expire_tokens = awaiting(WorkspaceOperations.expire_tokens)
    close = awaiting(WorkspaceOperations.close)

    def __init__(self, server: LocalServer, workspace: HostedWorkspace, token: str, does: parts.Operations) -> None:
        """Hold on to a workspace of a server."""
        super().__init__(server, workspace, token, does)
        self.clock = parts.AsyncClockHandle(server, does.clock)
        self.models = parts.AsyncModelsHandle(server, does.models)
        self.routes = parts.AsyncRoutesHandle(server, does.routes)
        self.secrets = parts.AsyncSecretsHandle(server, does.secrets)
        self.principals = parts.AsyncPrincipalsHandle(server, does.principals)
        self.faults = parts.AsyncFaultsHandle(server, does.faults)
        self.serverless_preview = parts.AsyncServerlessPreviewHandle(server, does.serverless_preview)
        self.model_endpoints = parts.AsyncModelEndpointsHandle(server, does.model_endpoints)
        self._tasks: set[asyncio.Task[None]] = set()

    async def client(self) -> WorkspaceClient:
        """Return an unmodified ``databricks.sdk.WorkspaceClient``; making one calls the server, and its calls block."""
        return await asyncio.to_thread(self._client)

    async def start(self, call: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> AsyncPending[Any]:
        """Make a call, and return once a request of it is admitted, held or answered, or it has ended.

        A coroutine function becomes a task of the running event loop, anything else a call in a thread.
        """
        refuse_start(call)
        started: Started[Any] = Started(name_of(call))
        starts = self._does.start
        work = partial(call, *args, **kwargs)
        if is_coroutine_function(call):
            loop = asyncio.get_running_loop()
            go: Callable[[], Any] = partial(loop.call_soon_threadsafe, self._begin, started, work)
        else:
            go = partial(call_in_thread, starts.senders, started, work)
        await asyncio.wrap_future(self._server.submit(starts.launch(started, go)))
        return AsyncPending(self._server, starts, started)

    def _begin(self, started: Started[Any], work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        task = asyncio.get_running_loop().create_task(call_in_task(self._does.start.senders, started, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def __aenter__(self) -> Self:
        """Use the workspace for a while; ``close`` follows."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close, as ``with`` does."""
        with complaints_after(error):
            await self.close()
