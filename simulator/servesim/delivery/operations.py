"""What a handle does, as coroutines on the server's event loop: the one implementation of both handles.

``blocking`` makes a method of the sync handle of a coroutine, ``awaiting`` one of the async handle; neither changes
what it takes or returns.
"""

from __future__ import annotations

import asyncio
import functools
from itertools import islice
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from servesim.core.commands import CancelUpdate, SetModelAccess
from servesim.core.errors import Rejected
from servesim.core.model_commands import AddModel
from servesim.core.registry import Details, Stage, in_unity_catalog
from servesim.delivery.complaints import refuse_complaints
from servesim.generations import ga_texts
from servesim.models.stubs import Behaviour, Stub
from servesim.models.threads import inside_model
from servesim.service import sources
from servesim.service.instants import instant_of, iso, milliseconds, writable
from servesim.service.model_rows import model_rows
from servesim.service.routes import RouteReply, fixed_route, function_route
from servesim.service.settings import settings_from
from servesim.service.spreads import taking
from servesim.service.usage import usage_rows
from servesim.service.versions import function_version, stub_version

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from concurrent.futures import Future

    from servesim.core.registry import ModelVersion
    from servesim.payloads.signature import Signature
    from servesim.service.clock import Mode
    from servesim.service.hub import HostedWorkspace, Hub
    from servesim.service.recorded import RequestRecord

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Loop(Protocol):
    """The event loop of a server, which runs in another thread."""

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Have a coroutine run."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Have a coroutine run and wait for it."""


O = TypeVar("O")  # noqa: E741 - operations


class Part(Generic[O]):
    """A part of a handle: operations, and the event loop that they run on."""

    def __init__(self, server: Loop, operations: O) -> None:
        """Hold on to both."""
        self._server = server
        self._operations = operations


def waits_for_time(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark an operation that may wait until time has moved; ``name`` is what users call."""

    def mark(operation: Callable[P, R]) -> Callable[P, R]:
        operation.waits = name  # type: ignore[attr-defined]  # functions take attributes
        return operation

    return mark


def refuse_inside_model(name: str) -> None:
    """Raise RuntimeError if a model calls this: what it waits for would wait for the model."""
    if inside_model():
        message = (
            f"{name}() was called from inside a model: the clock waits for this request, so the call would wait for "
            "ever. Call it from the test, e.g. between sim.start(...) and .result()."
        )
        raise RuntimeError(message)


def blocking(
    operation: Callable[Concatenate[O, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Part[O], P], R]:
    """Return the method that waits for an operation."""
    waits = getattr(operation, "waits", None)

    @functools.wraps(operation)
    def method(self: Part[O], /, *args: P.args, **kwargs: P.kwargs) -> R:
        if waits is not None:
            refuse_inside_model(waits)
        return self._server.run(_in_words(operation, self._operations, *args, **kwargs))

    return method


def awaiting(
    operation: Callable[Concatenate[O, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Part[O], P], Coroutine[Any, Any, R]]:
    """Return the coroutine function that has an operation run and leaves the caller's event loop free."""
    waits = getattr(operation, "waits", None)

    @functools.wraps(operation)
    async def method(self: Part[O], /, *args: P.args, **kwargs: P.kwargs) -> R:
        if waits is not None:
            refuse_inside_model(waits)
        return await asyncio.wrap_future(self._server.submit(_in_words(operation, self._operations, *args, **kwargs)))

    return method


async def _in_words(
    operation: Callable[Concatenate[O, P], Coroutine[Any, Any, R]], on: O, /, *args: P.args, **kwargs: P.kwargs
) -> R:
    """Await an operation; a refusal gets the text that the wire would have, as a note for the traceback."""
    try:
        return await operation(on, *args, **kwargs)
    except Rejected as rejected:
        rejected.add_note(ga_texts.describe(rejected)[1])
        raise


class WorkspaceOperations:
    """What concerns a workspace as a whole."""

    def __init__(self, hub: Hub, workspace: HostedWorkspace) -> None:
        """Hold on to a workspace of a hub."""
        self._hub = hub
        self._workspace = workspace

    async def printed(self, endpoint: str, entity: str) -> str:
        """Return the last that a served entity's MLflow worker printed; empty for other models."""
        world = self._workspace.world
        config = world.get(endpoint).active
        served = config.find(entity) if config else None
        return self._workspace.printed(world.deployments[served.deployment_id]) if served else ""

    @waits_for_time("servesim.cancel_update")
    async def cancel_update(self, endpoint: str) -> None:
        """Cancel an update in progress, which the real service offers in its UI only; raise Rejected."""
        self._workspace.clock.execute(CancelUpdate(endpoint))
        await self._workspace.clock.settle()

    async def usage(self) -> list[dict[str, Any]]:
        """Return what each served entity has used: replica-seconds, requests, queue time, cold starts, refusals."""
        self._workspace.clock.now()
        return usage_rows(self._workspace.world)

    async def requests(self, last: int = 100) -> list[RequestRecord]:
        """Return the last calls with their answers, the oldest first."""
        return list(islice(reversed(self._workspace.record), last))[::-1]

    async def expire_tokens(self, principal: str | None = None) -> int:
        """End the OAuth access tokens of everybody, or of one principal; return how many there were."""
        return self._hub.expire_tokens(self._workspace, principal)

    @waits_for_time("servesim.close")
    async def close(self) -> None:
        """Forget the workspace and its token; who still waits is told so.

        Raise BadAnswers if its answers were looked at and there are complaints about them.
        """
        await self._hub.drop(self._workspace)
        refuse_complaints(self._workspace.complaints)


class ClockOperations:
    """The simulated clock of a workspace."""

    def __init__(self, workspace: HostedWorkspace) -> None:
        """Hold on to a workspace's clock."""
        self._workspace = workspace
        self._advancing = asyncio.Lock()

    @property
    def mode(self) -> str:
        """``autojump``, ``frozen`` or ``paced``."""
        return self._workspace.clock.mode

    async def now(self) -> str:
        """Return the simulated instant as ISO 8601 in UTC."""
        return iso(self._workspace.clock.now())

    @waits_for_time("servesim.clock.advance")
    async def advance(self, by: str | float) -> str:
        """Move time by ``"31m"`` or by a number of seconds and return the instant reached."""
        delta = milliseconds(by)
        if delta < 0:
            message = f"time does not run backwards: advance({by!r})"
            raise ValueError(message)
        async with self._advancing:  # two that advance by ten minutes each move time by twenty
            return await self.run_until(iso(writable(self._workspace.clock.now() + delta)))

    @waits_for_time("servesim.clock.run_until")
    async def run_until(self, instant: str) -> str:
        """Move time to an ISO 8601 instant and return the instant reached; a past one moves nothing."""
        await self._workspace.clock.advance_to(instant_of(instant))
        return iso(self._workspace.clock.now())

    @waits_for_time("servesim.clock.set_mode")
    async def set_mode(self, mode: Mode, rate: float | None = None) -> None:
        """Let time move another way from now on: ``autojump``, ``frozen`` or ``paced`` at a rate; raise ValueError."""
        settings = settings_from({"clock": mode, "rate": rate})
        await self._workspace.clock.set_mode(settings.mode, None if rate is None else settings.rate)


class ModelOperations:
    """The registered models of a workspace."""

    def __init__(self, workspace: HostedWorkspace) -> None:
        """Hold on to a workspace's registry."""
        self._workspace = workspace

    async def stub(  # noqa: PLR0913 - what can be said of a version, each by its name
        self,
        name: str,
        behaviour: Behaviour = "echo",
        *,
        version: str | int | None = None,
        value: Any = None,
        message: str | None = None,
        signature: dict[str, str] | Signature | None = None,
        example: Any = None,
        service_time: Any = None,
        mlflow_version: str = "",
        stage: str | None = None,
    ) -> str:
        """Register a version that answers by rule and return its number; raise ValueError.

        ``behaviour``: ``constant`` gives ``value`` for every row, ``echo`` the row, ``hash`` a number from the
        row's content, ``fail`` the 400 of a model that raised ``message``. ``service_time`` is the simulated time that
        a request takes: ``"40ms"``, or ``{"median": "40ms", "p99": "200ms"}``. ``mlflow_version`` is that of its
        environment, by which legacy serving tells its requests. ``stage`` is ``Staging``, ``Production`` or
        ``Archived``, in the workspace registry.
        """
        stub = Stub(behaviour, value) if message is None else Stub(behaviour, value, message)
        number = self._number(name, version)
        model = stub_version(name, number, stub, signature, example, mlflow=mlflow_version)
        return self._add(taking(model, service_time), stage)

    async def function(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        version: str | int | None = None,
        signature: dict[str, str] | Signature | None = None,
        example: Any = None,
        service_time: Any = None,
        mlflow_version: str = "",
        stage: str | None = None,
    ) -> str:
        """Register a version that a Python callable answers for and return its number; raise ValueError.

        It is called as ``function(rows)`` or ``function(rows, params)``, in a thread, never on the server's loop.
        What it raises is the 400 of a model that raised. ``service_time``, ``mlflow_version`` and ``stage`` are as for
        ``stub``.
        """
        key = self._workspace.models.keep(function)
        number = self._number(name, version)
        model = function_version(name, number, key, signature, example, mlflow=mlflow_version)
        return self._add(taking(model, service_time), stage)

    async def mlflow(self, name: str, path: str, *, version: str | int | None = None, python: str | None = None) -> str:
        """Register a version that a real MLflow model answers for, in a worker process; return its number.

        ``path`` is the model's folder; ``python`` another interpreter to load it with.
        """
        number = self._number(name, version)
        return self._add(await sources.model_at(name, number, str(path), python))

    async def allow(self, name: str, principals: Iterable[str] | None) -> None:
        """Let these users and groups alone serve a model, None for everybody; raise Rejected for no model."""
        allowed = None if principals is None else tuple(principals)
        self._workspace.clock.execute(SetModelAccess(name, allowed))

    async def list(self, name: str | None = None) -> list[dict[str, Any]]:
        """Return every registered version, or those of one model, with status, stage, aliases and tags."""
        self._workspace.clock.now()
        return [row for row in model_rows(self._workspace.world) if name in {None, row["name"]}]

    def _add(self, model: ModelVersion, stage: str | None = None) -> str:
        if stage is not None and in_unity_catalog(model.name):
            message = f"{model.name} is in Unity Catalog, whose versions have no stage: use aliases"
            raise ValueError(message)
        self._workspace.clock.execute(AddModel(model, Details(stage=Stage(stage or Stage.NONE))))
        return model.version

    def _number(self, name: str, version: str | int | None) -> str:
        return self._workspace.world.registry.next_version(name) if version is None else str(version)


class RouteOperations:
    """The routes of a workspace: answers to paths that servesim does not simulate."""

    def __init__(self, workspace: HostedWorkspace) -> None:
        """Hold on to a workspace's routes."""
        self._workspace = workspace

    async def add(
        self,
        method: str,
        path: str,
        answer: Any = None,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        text: str | None = None,
    ) -> int:
        """Answer a path that is not simulated and return the route's number; raise ValueError.

        ``path`` may have ``{name}`` segments and end with ``/*``; ``method`` may be ``"*"``. ``answer`` is JSON, or a
        callable that is called with a RouteRequest, in a thread, and returns JSON, ``(status, JSON)`` or a RouteReply.
        """
        if callable(answer):
            return self._workspace.routes.add(function_route(method, path, answer))
        return self._workspace.routes.add(fixed_route(method, path, RouteReply(answer, status, headers or {}, text)))

    async def remove(self, number: int) -> None:
        """Remove a route; raise KeyError if there is none of that number."""
        self._workspace.routes.remove(number)

    async def list(self) -> list[dict[str, Any]]:
        """Return every route with its number and how many calls it has answered."""
        return self._workspace.routes.list()
