"""One run of ``servesim serve``, from its options to its last line."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import shlex
import signal
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from servesim.core.access import ADMINS, Member, Principal
from servesim.core.faults import unused
from servesim.delivery.complaints import complaints
from servesim.delivery.lines import LineLog
from servesim.http.server import Server
from servesim.models.host import ModelHost, Settings
from servesim.service import sources
from servesim.service.fault_rules import words
from servesim.service.hub import Hub
from servesim.service.scenario import DEFAULT_WORKSPACE, Scenario, read_scenarios
from servesim.service.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from contextlib import AbstractContextManager

    from servesim.delivery.tls import Tls
    from servesim.service.hub import HostedWorkspace

_T = TypeVar("_T")

REQUESTS_APART = 50_000
"""New objects between two collections: a request makes some dozens, none of them in a cycle."""

USER = Principal("user@example.com", "User")

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what listens everywhere is called on loopback


class ServeRun:
    """A server and the workspaces that it begins with."""

    def __init__(self, options: dict[str, Any], given: dict[str, Any], chosen: set[str]) -> None:
        """Take every option, those that are settings of a workspace, and the names of these that were chosen."""
        self._options = options
        self._given = given
        self._chosen = chosen
        self._hub = Hub(ModelHost(Settings(workers=options["model_workers"])), options["artifact_quota"])

    async def serve(self) -> bool:
        """Serve until a signal, and return whether every answer was accepted, if they were looked at.

        Raise ValueError, OSError, SourceUnreadable or MissingExtra if it can't begin.
        """
        options = self._options
        lines = LineLog(sys.stdout or io.StringIO())  # without a standard output there is none
        server = Server(
            self._hub,
            log_call=None if options["quiet"] else lines.write,
            grace_s=options["grace"],
            admin_token=options["admin_token"],
            allowed_hosts=(options["host"], *options["allowed_hosts"]),
            validate_responses=options["validate_responses"],
        )
        stopping = _on_signals()
        try:
            if (workspaces := await _unless(stopping, self._open_all())) is None:
                return True
            # Who is in the grace has its connection already: the authority's file goes before it begins.
            with self._tls() as tls:
                await server.start(options["host"], options["port"], tls and tls.context)
                lines.write_now(_exports(server, options, tls))
                # What the server has begun with lives as long as it does; collections need not look at it again.
                gc.collect()
                gc.freeze()
                gc.set_threshold(REQUESTS_APART)
                await stopping.wait()
        finally:
            await server.stop()
        lines.write_now(_not_simulated(workspaces))
        lines.write_now(_unused_faults(workspaces))
        found = [*complaints(self._hub.complaints), *complaints(server.complaints)]
        lines.write_now(f"not accepted: {complaint}" for complaint in found)
        return not found

    def _tls(self) -> AbstractContextManager[Tls | None]:
        folder = self._options["tls_dir"]
        if not self._options["tls"] and folder is None:
            return nullcontext()
        from servesim.delivery.tls import throw_away  # noqa: PLC0415 - a server starts sooner without it

        return throw_away((self._options["host"], *self._options["allowed_hosts"]), folder)

    async def _open_all(self) -> list[HostedWorkspace]:
        scenarios = read_scenarios(self._options["scenarios"])
        scenarios.setdefault(DEFAULT_WORKSPACE, Scenario(DEFAULT_WORKSPACE))
        return [await self._open(scenario) for scenario in scenarios.values()]

    async def _open(self, scenario: Scenario) -> HostedWorkspace:
        settings = settings_from(
            {**self._given, **scenario.options, **{name: self._given[name] for name in self._chosen}}
        )
        principals = dict(scenario.principals)
        if scenario.name == DEFAULT_WORKSPACE:
            principals.setdefault(self._options["token"], Member(USER, (ADMINS,)))
        elif not scenario.members:
            message = f"workspace {scenario.name!r} has no principals, so nobody can call it: add one with a token"
            raise ValueError(message)
        workspace = self._hub.open(settings, principals, scenario.clients)

        async def begin(fresh: HostedWorkspace) -> None:
            if settings.mlflow_registry:
                await sources.import_registry(fresh, settings.mlflow_registry)
            for model in self._options["models"]:
                await model.register(fresh)
            await scenario.begin(fresh, USER)

        workspace.name, workspace.begin, workspace.wants_port = scenario.name, begin, scenario.port
        await begin(workspace)
        return workspace


def _on_signals() -> asyncio.Event:
    """Return what the first SIGINT or SIGTERM sets; a second ends the process at once."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()

    def received(number: int) -> None:
        if stopping.is_set():
            os._exit(128 + number)  # model workers notice by themselves that their server has gone
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, received, number)
    return stopping


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, _T]) -> _T | None:
    """Return what the work makes; None, once it has been given up, if the stop comes first."""
    making, stop = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({making, stop}, return_when=asyncio.FIRST_COMPLETED)
        return await making if making.done() else None
    finally:
        for task in (making, stop):
            task.cancel()
        await asyncio.gather(making, stop, return_exceptions=True)


def _exports(server: Server, options: dict[str, Any], tls: Tls | None) -> Iterator[str]:
    host = _ANYWHERE.get(server.host, server.host)
    url = f"{server.scheme}://{f'[{host}]' if ':' in host else host}:{server.port}"
    for workspace, port in server.ports.items():
        yield f"# workspace {workspace.name!r} has a port of its own: {url.rpartition(':')[0]}:{port}"
    yield f"export DATABRICKS_HOST={url}"
    yield f"export DATABRICKS_TOKEN={shlex.quote(options['token'])}"
    if tls is not None:
        from servesim.delivery.tls import VARIABLES  # noqa: PLC0415 - imported by then

        for variable in VARIABLES:
            yield f"export {variable}={shlex.quote(str(tls.authority))}"
    yield f"export SERVESIM_URL={url}"
    yield f"export SERVESIM_ADMIN_TOKEN={shlex.quote(options['admin_token'])}"
    yield f"export NO_PROXY={','.join(dict.fromkeys(('127.0.0.1', 'localhost', host)))}"


def _unused_faults(workspaces: list[HostedWorkspace]) -> Iterator[str]:
    for workspace in workspaces:
        for order in () if workspace.settings.strict_faults else unused(workspace.world):
            yield f"struck nothing in workspace {workspace.name!r}: {words(order)}"


def _not_simulated(workspaces: list[HostedWorkspace]) -> Iterator[str]:
    for workspace in workspaces:
        for call, count in sorted(workspace.not_simulated.items()):
            yield f"not simulated, answered 501: {count} x {call}"
