"""``servesim serve``: a server of its own, until it is told to stop."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from servesim.core.enrolment import Enrolment
from servesim.core.profile import PROFILES
from servesim.delivery.defaults import DEFAULT_ADMIN_TOKEN, DEFAULT_TOKEN
from servesim.delivery.extras import MissingExtra
from servesim.delivery.options import GIB, option, parse_hosts, parse_model, parse_seconds, parse_size, parse_token
from servesim.delivery.serve_run import ServeRun
from servesim.service import sources
from servesim.service.artifact_store import QUOTA
from servesim.service.clock import MODES, POLLS
from servesim.service.hub import WorkspaceSettings
from servesim.service.instants import iso
from servesim.service.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULTS = WorkspaceSettings()


@click.command("serve", short_help="Serve until Ctrl-C, and point clients here.")
@option("--host", default="127.0.0.1", help="Address to listen on.")
@option("--allow-remote", is_flag=True, help="Permit a --host that other machines reach.")
@option("--port", default=8765, type=click.IntRange(0, 65535), help="Port to listen on; 0 picks a free one.")
@option("--token", default=DEFAULT_TOKEN, callback=parse_token, help="Token that clients send.")
@option(
    "--admin-token",
    default=DEFAULT_ADMIN_TOKEN,
    callback=parse_token,
    help="Token of the admin API, which `servesim clock` and its like use.",
)
@option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME[:PORT]",
    callback=parse_hosts,
    help="Further name by which clients may address the admin API (its Host header), e.g. that of a container. "
    "Loopback and --host are allowed anyway; a web page under another name is refused.",
)
@option("--tls", is_flag=True, help="Serve HTTPS with a throw-away certificate authority (extra: tls).")
@option(
    "--tls-dir",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Serve HTTPS and keep the authority's file as DIR/ca.pem, e.g. for other containers.",
)
@option(
    "--clock",
    default=DEFAULTS.mode,
    type=click.Choice(MODES),
    help="How simulated time moves: by itself to what somebody waits for (autojump), when told "
    "(frozen: `servesim clock`, the admin API), or with the wall clock (paced).",
)
@option("--rate", default=DEFAULTS.rate, help="Simulated seconds a real second, with --clock paced.")
@option(
    "--poll",
    default=DEFAULTS.poll,
    type=click.Choice(POLLS),
    help="With autojump, a status read of an endpoint in transition answers and then moves to the next change "
    "(step), or moves to the end of the update and then answers (settle).",
)
@option("--start-time", "start", metavar="ISO", help=f"Simulated instant to begin at [{iso(DEFAULTS.start)}].")
@option("--seed", default=DEFAULTS.seed, help="Seed of every draw: the split, cold starts, ids.")
@option(
    "--profile",
    default=DEFAULTS.profile.name,
    metavar="NAME|FILE",
    help=f"Durations and limits: {', '.join(PROFILES)}, or a YAML file.",
)
@option(
    "--limits",
    default=DEFAULTS.limits,
    type=click.Choice(["profile", "all", "none"]),
    help="What is limited: what the profile says, everything (also 200 requests a second, and 50 creates and updates "
    "in 5 minutes), or nothing.",
)
@option(
    "--scenario",
    "scenarios",
    multiple=True,
    metavar="FILE|NAME",
    help="World to begin with (YAML), or a shipped one, e.g. canary-rolls-back: models, principals, endpoints that "
    "already serve. Options given here win.",
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
    "--model-root",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Folder below which clients may register a model by its path, on loopback  [working directory].",
)
@option(
    "--private-library",
    "private_libraries",
    multiple=True,
    metavar="NAME",
    help="A library that no public index has, or a pattern such as acme-*: the container build of a model that "
    "requires it fails.",
)
@option(
    "--internet/--no-internet",
    default=DEFAULTS.internet,
    help="Whether what runs in the workspace reaches the internet: without it pip in a notebook finds no index.",
)
@option(
    "--unknown-models",
    default=DEFAULTS.unknown_models,
    type=click.Choice(["reject", "stub"]),
    help="What a create with an unknown model gets: a 404, or a stub that answers for it.",
)
@option(
    "--hold-timeout",
    default=f"{DEFAULTS.hold_timeout_s:g}s",
    help="Real time that a held request waits, unless --clock is paced.",
)
@option(
    "--model-serving",
    default=DEFAULTS.model_serving,
    type=click.Choice(["enabled", "disabled"]),
    help="With disabled, every serving call is refused as in a workspace without model serving.",
)
@option(
    "--date",
    "dates",
    multiple=True,
    metavar="WHAT=DATE",
    help="When something ends, e.g. legacy=2026-04-01, or legacy=2026-03-01/2026-04-01 for no new ones from the first "
    "day on, or legacy=never. WHAT is legacy, serverless_preview, operation:NAME, field:OPERATION:PATH or "
    "value:OPERATION:PATH=JSON: docs/dates.md.",
)
@option(
    "--sunset-headers/--no-sunset-headers",
    default=DEFAULTS.sunset_headers,
    help="Whether answers announce the end of what they rest on (Deprecation, Sunset, Link).",
)
@option(
    "--serverless-preview",
    default=str(DEFAULTS.serverless_preview),
    type=click.Choice([str(state) for state in Enrolment]),
    help="How far the workspace has come towards the serverless preview (endpoints-v2); further on by the admin API.",
)
@option(
    "--token-lifetime",
    default=f"{DEFAULTS.token_lifetime_s:g}s",
    help="How long an OAuth access token lives, in real time; in simulated time with --clock paced.",
)
@option(
    "--validate-responses",
    is_flag=True,
    help="Check every answer against the contracts; the exit lines name what broke them, and the exit code is 1.",
)
@option(
    "--strict-evidence",
    is_flag=True,
    help="Fail the run (exit code 1) if an answer rested on what servesim chose because nobody knows it: "
    "docs/fidelity.md.",
)
@option(
    "--strict-faults",
    is_flag=True,
    help="Fail the run (exit code 1) if a fault that was ordered struck nothing: docs/faults.md.",
)
@option(
    "--answers",
    metavar="FILE",
    help="Refusals as a real workspace words them (YAML), in place of those that servesim chose: "
    "`servesim contract probe` writes such a file.",
)
@option(
    "--artifact-quota",
    default=f"{QUOTA // GIB}GiB",
    metavar="SIZE",
    callback=parse_size,
    help="Disk space that the files of registered models may take, of all workspaces together: 500MB, 10GiB.",
)
@option("--model-workers", default=4, type=click.IntRange(1), help="MLflow worker processes alive at once.")
@option(
    "--grace",
    default="5s",
    callback=parse_seconds,
    help="Real time that running requests get when the server stops; a second signal ends it at once.",
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
    servesim serve --tls                               HTTPS with a certificate of its own
    SERVESIM_SEED=7 servesim serve                     options are variables too

    Is a client going elsewhere all the same? `servesim doctor` says why. Exit code 0: stopped by a signal, 1: it
    could not begin, or gave answers that the run does not accept, 2: wrong usage, 130 or 143: a second Ctrl-C or
    SIGTERM cut short what was running.
    """  # noqa: D301 - click reads the control character itself
    _check_host(options["host"], allowed=options["allow_remote"])
    _open_standard_streams()
    given = {name: options[name] for name in SETTINGS}
    chosen = {name for name in given if context.get_parameter_source(name) is not ParameterSource.DEFAULT}
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            accepted = runner.run(ServeRun(options, given, chosen).serve())
    except (ValueError, OSError, sources.SourceUnreadable, MissingExtra) as error:
        raise click.ClickException(str(error)) from error
    if not accepted:
        context.exit(1)


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
