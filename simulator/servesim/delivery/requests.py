"""``servesim requests``: what a running server was asked, and inference tables as files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from servesim.delivery import tables
from servesim.delivery.admin_client import admin_options, columns, inside, show
from servesim.delivery.extras import MissingExtra

if TYPE_CHECKING:
    from servesim.delivery.admin_client import AdminClient

PARQUET = ".parquet"
STDOUT = "-"
MOST_LISTED = 1_000


@click.group("requests", short_help="List requests, export inference tables.")
def command() -> None:
    """See what a running server was asked, and export inference tables.

    \b
    servesim requests list --last 5
    servesim requests export --endpoint fraud --output rows.parquet

    Exit code 0: done, 1: refused, 2: wrong usage, 5: no server was reached.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are


@command.command("list")
@click.option("--last", type=click.IntRange(1, MOST_LISTED), default=20, show_default=True, help="How many.")
@click.option("--endpoint", help="Those to this endpoint alone.")
@click.option("--kind", type=click.Choice(["scoring", "control"]), help="Scoring requests, or all the others.")
@admin_options()
def list_command(
    client: AdminClient, workspace: str, last: int, endpoint: str | None, kind: str | None, *, as_json: bool
) -> None:
    """List the last requests, the newest at the end.

    \b
    servesim requests list --endpoint fraud --kind scoring
    servesim requests list --last 1 --json

    `servesim why REQUEST_ID` tells why one of them went as it did. With --json the newest comes first, and short
    answers stand beside their requests.
    """  # noqa: D301 - as above
    found = client.get(inside(workspace, "/requests"), limit=last, endpoint=endpoint, kind=kind)
    if as_json:
        show(found)
    elif found["requests"]:
        rows = [_cells(one) for one in reversed(found["requests"])]
        click.echo("\n".join(columns(("AT", "STATUS", "CALL", "ENTITY", "REQUEST"), rows)))
    else:
        click.echo("No such request is on record.", err=True)


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    status = f"{one['status']} {one['error_code'] or ''}".rstrip()
    called = f"{one['method']} {one['path']}"
    return one["instant"], status, called, one["entity"], one["request_id"] or str(one["number"])


@command.command("export")
@click.option("--endpoint", required=True, help="Whose inference table.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "parquet"]),
    help=f"JSON lines or Parquet (extra: mlflow). [default: parquet for --output FILE{PARQUET}, else jsonl]",
)
@click.option("--output", default=STDOUT, show_default=True, metavar="FILE|-", help="Where to; - is standard output.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@admin_options()
def export_command(
    client: AdminClient, workspace: str, endpoint: str, form: str | None, output: str, *, force: bool, as_json: bool
) -> None:
    """Export the rows that an endpoint's inference table has now.

    \b
    servesim requests export --endpoint fraud
    servesim requests export --endpoint fraud --output rows.parquet

    Columns and their types are those of Databricks. A request has a row if the endpoint's AI Gateway had
    inference_table_config.enabled when it was answered, if it is in the sample (inference_table_sampling of the
    profile), and once inference_table_delay of simulated time has passed: an hour unless the profile says otherwise.
    With --json a summary goes to standard output, or the table as one document where there is no --output.
    """  # noqa: D301 - as above
    path = None if output == STDOUT else Path(output)
    form = form or ("parquet" if path is not None and path.suffix.lower() == PARQUET else "jsonl")
    _check(path, form, force=force)
    table = client.get(inside(workspace, f"/inference-table/{quote(endpoint, safe='')}"))
    if path is not None:
        _write(path, _content(table, form), force=force)
    if as_json:
        show(table if path is None else {**table, "rows": len(table["rows"]), "output": str(path)})
        return
    if path is None:
        click.echo(_content(table, form), nl=False)
    _tell(table, path)


def _check(path: Path | None, form: str, *, force: bool) -> None:
    """Refuse at once what would fail at the end."""
    if path is None and form == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for a terminal: name a file with --output.")
    if path is not None and path.exists() and not force:
        raise _taken(path)


def _taken(path: Path) -> click.BadParameter:
    return click.BadParameter(f"{path} is there already; --force replaces it.", param_hint="--output")


def _content(table: dict[str, Any], form: str) -> bytes:
    if form == "jsonl":
        return tables.json_lines(table["rows"])
    try:
        return tables.parquet(table["rows"], table["columns"])
    except MissingExtra as missing:
        raise click.ClickException(f"Parquet: {missing}. Or take --format jsonl.") from missing


def _write(path: Path, content: bytes, *, force: bool) -> None:
    try:
        tables.write_whole(path, content, force=force)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be written: {error.strerror}", param_hint="--output") from error


def _tell(table: dict[str, Any], path: Path | None) -> None:
    """Say on standard error what was written, and what to do if it is nothing."""
    count, waiting = len(table["rows"]), table["waiting"]
    told = f"{count:,} row{'' if count == 1 else 's'}{f' in {path}' if path is not None else ''}"
    if waiting:
        told += f"; {waiting:,} more will come: move simulated time by inference_table_delay of the profile"
    elif not count:
        told += "; see `servesim requests export --help` for which requests have one"
    click.echo(f"{told}.", err=True)
