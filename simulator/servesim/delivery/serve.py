"""``servesim serve``: a server of its own, until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import io
import ipaddress
import os
import shlex
import signal
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from servesim.core.access import Principal
from servesim.core.profile import PROFILES
from servesim.delivery.lines import LineLog
from servesim.delivery.options import option, parse_model, parse_token
from servesim.delivery.settings import SETTINGS, settings_from
from servesim.http.server import Server
from servesim.models.host import ModelHost, Settings
from servesim.service import sources
from servesim.service.clock import MODES, POLLS
from servesim.service.hub import Hub
from servesim.service.scenario import DEFAULT_WORKSPACE, Scenario, read_scenarios

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from servesim.service.hub import HostedWorkspace

_T = TypeVar("_T")

REQUESTS_APART = 50_000
"""New objects between two collections: a request makes some dozens, none of them in a cycle."""

DEFAULT_TOKEN = "dapi-servesim"  # noqa: S105 - a published default for a server on loopback
USER = Principal("user@example.com", "User")


@click.command("serve")
@option("--host", default="127.0.0.1", help="Address to listen on.")
@option("--allow-remote", is_flag=True, help="Permit a --host that other machines reach.")
@option("--port", default=8765, type=click.IntRange(0, 65535), help="Port to listen on; 0 picks a free one.")
@option("--token", default=DEFAULT_TOKEN, callback=parse_token, help="Token that clients send.")
@option(
    "--clock",
    default="autojump",
    type=click.Choice(MODES),
    help="How simulated time moves: by itself to what somebody waits for (autojump), not at all (frozen: a test's "
    "handle moves it), or with the wall clock (paced).",
)
@option("--rate", default=1.0, help="Simulated seconds a real second, with --clock paced.")
@option(
    "--poll",
    default="step",
    type=click.Choice(POLLS),
    help="With autojump, a status read of an endpoint in transition answers and then moves to the next change "
    "(step), or moves to the end of the update and then answers (settle).",
)
@option("--start-time", "start", metavar="ISO", help="Simulated instant to begin at [2026-01-05T09:00:00Z].")
@option("--seed", default=0, help="Seed of every draw: the split, cold starts, ids.")
@option(
    "--profile",
    default="faithful",
    metavar="NAME|FILE",
    help=f"Durations and limits: {', '.join(PROFILES)}, or a YAML file.",
)
@option(
    "--scenario",
    "scenarios",
    multiple=True,
    metavar="FILE",
    help="World to begin with (YAML): models, principals, endpoints that already serve. Options given here win.",
)
@option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME[@VERSION]=WHAT",
    callback=parse_model,
    help="Register a model. WHAT is echo, hash, constant:JSON, fail, module:function (a Python callable), or the "
    "folder of an MLflow model.",
)
@option("--mlflow-registry", metavar="URI", help="MLflow registry to take models from, e.g. sqlite:///mlflow.db.")
@option(
    "--unknown-models",
    default="reject",
    type=click.Choice(["reject", "stub"]),
    help="What a create with an unknown model gets: a 404, or a stub that answers for it.",
)
@option("--hold-timeout", default="5s", help="Real time that a held request waits, unless --clock is paced.")
@option("--model-workers", default=4, type=click.IntRange(1), help="MLflow worker processes alive at once.")
@option(
    "--grace",
    default=5.0,
    type=click.FloatRange(0),
    help="Real seconds that running requests get when the server stops.",
)
@option("--quiet", is_flag=True, help="Print no line for each request.")
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Serve until Ctrl-C or SIGTERM, and print the lines that point clients here.

    \b
    servesim serve                                     127.0.0.1:8765
    servesim serve --unknown-models stub               any model name is served
    servesim serve --model main.ml.fraud=constant:0.5  one that you know
    servesim serve --mlflow-registry sqlite:///mlflow.db
    servesim serve --clock paced --rate 60             a simulated minute a second
    SERVESIM_SEED=7 servesim serve                     options are variables too
    """  # noqa: D301 - click reads the control character itself
    _check_host(options["host"], allowed=options["allow_remote"])
    _open_standard_streams()
    given = {name: options[name] for name in SETTINGS}
    chosen = {name for name in given if context.get_parameter_source(name) is not ParameterSource.DEFAULT}
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_Run(options, given, chosen).serve())
    except (ValueError, OSError, sources.SourceUnreadable) as error:
        raise click.ClickException(str(error)) from error


def _open_standard_streams() -> None:
    """Open what the caller closed: a socket that got such a number would be printed to, and uvloop gives up."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's where the ``fast`` extra is installed, else asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return uvloop.new_event_loop


def _check_host(host: str, *, allowed: bool) -> None:
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback and not allowed:
        message = (
            f"{host} can be reached from other machines, and whoever has the token can use this server. "
            "Add --allow-remote if that is what you want."
        )
        raise click.UsageError(message)


class _Run:
    """One run of the server, from its options to its last line."""

    def __init__(self, options: dict[str, Any], given: dict[str, Any], chosen: set[str]) -> None:
        self._options = options
        self._given = given
        self._chosen = chosen
        self._hub = Hub(ModelHost(Settings(workers=options["model_workers"])))

    async def serve(self) -> None:
        """Serve until a signal; raise ValueError, OSError or SourceUnreadable if it can't begin."""
        options = self._options
        lines = LineLog(sys.stdout or io.StringIO())  # without a standard output there is none
        server = Server(self._hub, log_call=None if options["quiet"] else lines.write, grace_s=options["grace"])
        stopping = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        try:
            if (workspaces := await _unless(stopping, self._open_all())) is None:
                return
            await server.start(options["host"], options["port"])
            lines.write_now(_exports(server, options["token"]))
            # What the server has begun with lives as long as it does; collections need not look at it again.
            gc.collect()
            gc.freeze()
            gc.set_threshold(REQUESTS_APART)
            await stopping.wait()
        finally:
            await server.stop()
        lines.write_now(_not_simulated(workspaces))

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
            principals.setdefault(self._options["token"], USER)
        elif not principals:
            message = f"workspace {scenario.name!r} has no principals, so nobody can call it: add one with a token"
            raise ValueError(message)
        workspace = self._hub.open(settings, principals)
        if settings.mlflow_registry:
            await sources.import_registry(workspace, settings.mlflow_registry)
        for model in self._options["models"]:
            await model.register(workspace)
        await scenario.begin(workspace, next(iter(principals.values())))
        return workspace


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


def _exports(server: Server, token: str) -> Iterator[str]:
    host = f"[{server.host}]" if ":" in server.host else server.host
    yield f"export DATABRICKS_HOST=http://{host}:{server.port}"
    yield f"export DATABRICKS_TOKEN={shlex.quote(token)}"
    yield f"export NO_PROXY={','.join(dict.fromkeys(('127.0.0.1', 'localhost', server.host)))}"


def _not_simulated(workspaces: list[HostedWorkspace]) -> Iterator[str]:
    for workspace in workspaces:
        for call, count in sorted(workspace.not_simulated.items()):
            yield f"not simulated, answered 501: {count} x {call}"
