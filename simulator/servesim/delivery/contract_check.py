"""``servesim contract check``: the contract suite against any server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from servesim.contracts.documents import SURFACES
from servesim.delivery.admin_client import show
from servesim.delivery.client import Target, checked_url, host_option, is_header_text, is_loopback, token_option
from servesim.delivery.contract_payloads import sample_from, sample_of
from servesim.delivery.contract_talk import CouldNotRun, NotThere, Plan, Talk
from servesim.delivery.defaults import DEFAULT_ADMIN_TOKEN
from servesim.service.documents import plain
from servesim.service.settings import seconds

if TYPE_CHECKING:
    from servesim.delivery.contract_payloads import Sample
    from servesim.delivery.contract_run import Result

VIOLATION = 1
COULD_NOT_RUN = 5
USUAL = ("control", "data", "workspace")


@click.command("check", short_help="Run the contract suite against a server.")
@host_option
@token_option
@click.option(
    "--admin-token",
    envvar="SERVESIM_ADMIN_TOKEN",
    show_envvar=True,
    default=DEFAULT_ADMIN_TOKEN,
    show_default="that of `servesim serve`",
    help="For --surface admin.",
)
@click.option(
    "--surface",
    "surfaces",
    type=click.Choice(SURFACES),
    multiple=True,
    help=f"What to check. [default: {', '.join(USUAL)}]",
)
@click.option(
    "--read-only/--no-read-only",
    default=None,
    help="Whether to create, change and delete nothing. [default: read-only unless the host is loopback]",
)
@click.option("--endpoint", metavar="NAME", help="Look at this endpoint alone, and ask it for predictions.")
@click.option("--entity", metavar="NAME/VERSION", help="The model version to create an endpoint of.")
@click.option(
    "--payload",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A request in JSON that the model accepts.",
)
@click.option(
    "--signature",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The model's signature in JSON: a payload is made for it.",
)
@click.option(
    "--timeout", metavar="SPAN", help="Real time that a deployment may take. [default: 60s on loopback, 45m elsewhere]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write JUnit's XML as well."
)
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Hold the answers of a server against the contracts: servesim, a real workspace, `mlflow models serve`.

    \b
    servesim contract check
    servesim contract check --url https://my.workspace.example --endpoint fraud
    servesim contract check --url http://127.0.0.1:5000 --surface scoring --payload row.json

    Unless it is read-only it creates an endpoint, a secret scope and, with --surface admin, a workspace, whose names
    begin with servesim-contract, and removes them. Of other endpoints it asks for predictions only on loopback, or of
    --endpoint.

    Exit code 0: every answer is as the contracts say, 1: one is not, 2: wrong usage, 5: it could not run.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    talk = _talk(context, options)
    try:
        results = _run(talk)
    except NotThere as reason:
        click.echo(f"Error: {plain(str(reason))} at {talk.target.url}.", err=True)
        sys.exit(COULD_NOT_RUN)
    except CouldNotRun as reason:
        click.echo(f"Error: the suite could not run against {talk.target.url}: {reason}.", err=True)
        sys.exit(COULD_NOT_RUN)
    _report(results, talk, options)
    if any(one.wrong for one in results):
        sys.exit(VIOLATION)


def _run(talk: Talk) -> list[Result]:
    from servesim.delivery.contract_cases import chosen  # noqa: PLC0415 - wrong usage is told without them
    from servesim.delivery.contract_report import progress  # noqa: PLC0415 - as above
    from servesim.delivery.contract_run import run  # noqa: PLC0415 - as above

    cases = chosen(talk.plan)
    with progress(len(cases)) as tell:
        return run(talk, cases, tell)


def _report(results: list[Result], talk: Talk, options: dict[str, Any]) -> None:
    from servesim.delivery.contract_report import as_document, show_table, write_junit  # noqa: PLC0415 - as above

    if options["as_json"]:
        show(as_document(results, talk.target.url, talk.plan))
    else:
        show_table(results, talk.target.url)
    if (path := options["junit"]) is not None:
        try:
            write_junit(path, results, f"check {talk.target.url}")
        except OSError as error:
            raise click.BadParameter(f"{path} cannot be written: {error.strerror}", param_hint="--junit") from error


def _talk(context: click.Context, options: dict[str, Any]) -> Talk:
    url = checked_url(options["url"])
    surfaces = options["surfaces"] or USUAL
    token = options["token"]
    if set(surfaces) == {"scoring"} and context.get_parameter_source("token") is not ParameterSource.COMMANDLINE:
        token = ""  # a scoring server asks for none, and that of a workspace is not for it
    for option, given in (("--token", token), ("--admin-token", options["admin_token"])):
        if not is_header_text(given):
            raise click.BadParameter("it has a character that no header can hold", param_hint=option)
    local = is_loopback(urlsplit(url).hostname or "")
    plan = Plan(
        surfaces=tuple(name for name in SURFACES if name in surfaces),
        read_only=not local if options["read_only"] is None else options["read_only"],
        may_score=local,
        endpoint=options["endpoint"],
        entity=_entity(options["entity"]),
        sample=_sample(options),
        patience_s=_span(options["timeout"] or ("60s" if local else "45m")),
    )
    return Talk(Target(url, token), plan, options["admin_token"])


def _entity(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    name, _, version = text.rpartition("/")
    if not name or not version:
        raise click.BadParameter(f"{text!r} is not NAME/VERSION; write e.g. main.ml.fraud/1", param_hint="--entity")
    return name, version


def _sample(options: dict[str, Any]) -> Sample | None:
    for option, read in (("payload", sample_from), ("signature", sample_of)):
        if (path := options[option]) is None:
            continue
        try:
            return read(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise click.BadParameter(plain(f"{path} cannot be used: {error}"), param_hint=f"--{option}") from error
    return None


def _span(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--timeout") from error
