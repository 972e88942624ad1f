"""``servesim serve``: a server of its own, until it is told to stop."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from servesim.core.access import Principal
from servesim.core.profile import PROFILES
from servesim.delivery.settings import settings_from
from servesim.http.server import Server
from servesim.models.host import ModelHost, Settings
from servesim.service import sources
from servesim.service.clock import MODES, POLLS
from servesim.service.hub import Hub

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.service.hub import HostedWorkspace

DEFAULT_TOKEN = "dapi-servesim"  # noqa: S105 - a published default for a server on loopback
USER = Principal("user@example.com", "User")


def option(*names: str, **settings: Any) -> Callable[[Any], Any]:
    """Declare an option that can also be given as ``SERVESIM_…``."""
    variable = "SERVESIM_" + names[0].removeprefix("--").partition("/")[0].upper().replace("-", "_")
    return click.option(*names, envvar=variable, show_envvar=True, show_default=True, **settings)


@click.command("serve")
@option("--host", default="127.0.0.1", help="Address to listen on.")
@option("--allow-remote", is_flag=True, help="Permit a --host that other machines reach.")
@option("--port", default=8765, type=click.IntRange(0, 65535), help="Port to listen on; 0 picks a free one.")
@option("--token", default=DEFAULT_TOKEN, help="Token that clients send.")
@option(
    "--clock",
    default="autojump",
    type=click.Choice(MODES),
    help="How simulated time moves: by itself to what somebody waits for, only when told, or with the wall clock.",
)
@option("--rate", default=1.0, help="Simulated seconds a real second, with --clock paced.")
@option(
    "--poll",
    default="step",
    type=click.Choice(POLLS),
    help="A status read in autojump: answers, then moves to the next change (step); or moves to the end of the update, then answers (settle).",
)
@option(
    "--start-time",
    "start",
    metavar="ISO",
    help="Simulated instant to begin at.  [default: 2026-01-05T09:00:00Z]",
)
@option("--seed", default=0, help="Seed of every draw: the split, cold starts, ids.")
@option(
    "--profile",
    default="faithful",
    metavar="NAME|FILE",
    help=f"Durations and limits: {', '.join(PROFILES)}, or a YAML file.",
)
@option(
    "--mlflow-registry", metavar="URI", help="MLflow registry to take models from, e.g. sqlite:///mlflow.db."
)
@option(
    "--unknown-models",
    default="reject",
    type=click.Choice(["reject", "stub"]),
    help="What a create with an unknown model gets: a 404, or a stub that answers for it.",
)
@option("--hold-timeout", default="5s", help="Real time that a held request waits, unless --clock is paced.")
@option("--model-workers", default=4, type=click.IntRange(1), help="MLflow worker processes alive at once.")
@option(
    "--grace", default=5.0, help="Real seconds that running requests have to end in when the server stops."
)
@option("--quiet", is_flag=True, help="Print no line for each request.")
def command(**options: Any) -> None:
    """Serve one workspace until Ctrl-C or SIGTERM.

    \b
    servesim serve                          a server on 127.0.0.1:8765
    servesim serve --port 0 --clock frozen  a free port, time moves only when told
    SERVESIM_SEED=7 servesim serve          every option is a variable too
    """
    _check_host(options["host"], allowed=options["allow_remote"])
    names = (
        "clock",
        "rate",
        "poll",
        "start",
        "seed",
        "profile",
        "mlflow_registry",
        "unknown_models",
        "hold_timeout",
    )
    try:
        settings = settings_from({name: options[name] for name in names})
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    asyncio.run(_serve(settings, options))


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


async def _serve(settings: Any, options: dict[str, Any]) -> None:
    hub = Hub(ModelHost(Settings(workers=options["model_workers"])))
    workspace = hub.open(settings, {options["token"]: USER})
    log_call = None if options["quiet"] else _print_call
    server = Server(hub, log_call=log_call, grace_s=options["grace"])
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    try:
        if settings.mlflow_registry:
            await sources.import_registry(workspace, settings.mlflow_registry)
        await server.start(options["host"], options["port"])
        _print_exports(server, options["token"])
        await stopping.wait()
    except (OSError, sources.SourceUnreadable) as error:
        raise click.ClickException(str(error)) from error
    finally:
        await server.stop()
        _print_end(hub.workspaces() or [workspace])


def _print_exports(server: Server, token: str) -> None:
    click.echo(f"export DATABRICKS_HOST=http://{server.host}:{server.port}")
    click.echo(f"export DATABRICKS_TOKEN={token}")
    click.echo("export NO_PROXY=127.0.0.1,localhost")
    sys.stdout.flush()


def _print_call(line: str) -> None:
    click.echo(line)


def _print_end(workspaces: list[HostedWorkspace]) -> None:
    for workspace in workspaces:
        for call, count in sorted(workspace.not_simulated.items()):
            click.echo(f"not simulated, answered 501: {count:5}  {call}")
