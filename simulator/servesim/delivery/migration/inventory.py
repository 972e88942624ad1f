"""``servesim migrate inventory``: what is still served on the retired generations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from servesim.delivery.admin_client import admin_options, columns, inside, show, wrapped
from servesim.delivery.defaults import DEFAULT_TOKEN
from servesim.delivery.migration.ask import Workspace, inventory_of
from servesim.delivery.migration.due import parse_day
from servesim.delivery.migration.served import (
    NO_STAGE,
    SURFACES,
    End,
    Inventory,
    ServedCompute,
    ServedModel,
    ServedVersion,
    describe,
    published_ends,
)
from servesim.service.instants import instant_of, iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.delivery.admin_client import AdminClient

NOT_TOLD = "The API does not tell who enabled a model and when, nor who called it last."
HEADS = ("MODEL", "GENERATION", "STATE", "CALLS", "LAST CALL", "ENDS")
DAY = 10
"""Characters of a date."""


@click.command("inventory", short_help="Print what is still served on the retired generations.")
@click.option("--by", metavar="DATE", callback=parse_day, help="End with 1 if something breaks before this day.")
@click.option("--public", is_flag=True, help="Ask the public API alone, as one does of a real workspace.")
@click.option("--host", metavar="URL", help="The workspace to ask so; implies --public.  [env: DATABRICKS_HOST]")
@click.option(
    "--token", envvar="DATABRICKS_TOKEN", show_envvar=True, default=DEFAULT_TOKEN, metavar="TOKEN", help="Its token."
)
@click.option("--today", metavar="DATE", callback=parse_day, help="From which day days are counted.  [default: today]")
@admin_options()
def command(
    client: AdminClient,
    workspace: str,
    *,
    by: int | None,
    host: str | None,
    token: str,
    today: int | None,
    public: bool,
    as_json: bool,
) -> None:
    """Print which models legacy serving and the serverless preview serve: by whom, until when, who called last.

    \b
    servesim migrate inventory                     all that a running servesim knows
    servesim migrate inventory --by 2025-10-01     and end with 1 if something breaks before
    servesim migrate inventory --host https://...  what the public API of a workspace tells
    servesim migrate inventory --json              the same for a program

    The days left are counted from the simulated now; with --public from today, or from --today. The public API does
    not tell who enabled a model or called it.

    Exit code 0: printed, 1: something breaks before --by, or refused, 2: wrong usage, 5: no server was reached.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    if public or host:
        asked = Workspace(host or client.url, token)
        found = inventory_of(asked, today)
        found = replace(found, notes=(*found.notes, *([NOT_TOLD] if found.models else [])))
    else:
        found = _told(client, workspace, today)
    if as_json:
        show(describe(found, by))
    else:
        for line in _lines(found, by):
            click.echo(line)
    if found.breaking(by):
        raise SystemExit(1)


def _told(client: AdminClient, workspace: str, today: int | None) -> Inventory:
    """Ask the admin API of servesim."""
    calendar = client.get(inside(workspace, "/calendar"))
    told = {row["what"]: row for row in calendar["endings"]}
    ends = {name: _read_end(told.get(name), end) for name, end in published_ends().items()}
    rows = client.get(inside(workspace, "/model-endpoints"))["model_endpoints"]
    models = sorted(map(_model, rows), key=lambda one: (one.model, one.generation))
    return Inventory(instant_of(calendar["now"]) if today is None else today, tuple(models), ends)


def _read_end(row: dict[str, Any] | None, published: End) -> End:
    """Return an end as a workspace has it; one that its calendar does not name has no day."""
    if row is None:
        return published._replace(no_new_from=None, retired_on=None)
    days = [None if row[step] is None else instant_of(row[step]) for step in ("no_new_from", "retired_on")]
    return End(days[0], days[1], row["instead"], row["link"])


def _model(row: dict[str, Any]) -> ServedModel:
    return ServedModel(
        row["model"],
        row["generation"],
        row["state"].upper(),
        tuple(ServedVersion(one["version"], one["stage"] or NO_STAGE, one["state"].upper()) for one in row["versions"]),
        tuple(sorted(row["aliases"].items())),
        tuple(_compute(one) for one in row["compute"]),
        row["enabled_by"],
        row["enabled_at"],
        row["calls"],
        row["last_called"] or "",
        row["last_caller"],
    )


def _compute(row: dict[str, Any]) -> ServedCompute:
    if row["stage"] is None:
        return ServedCompute(node_type=row["node_type"])
    return ServedCompute(row["stage"], row["workload_size"], row["scale_to_zero"])


def _lines(found: Inventory, by: int | None) -> Iterator[str]:
    """Yield a table whose rows have what no column has room for below them."""
    if not found.models:
        yield "Nothing is served by legacy serving or the serverless preview."
    else:
        heads, *rows = columns(HEADS, [_cells(found, one) for one in found.models])
        yield heads
        for row, one in zip(rows, found.models, strict=True):
            yield row
            for line in _below(one):
                yield from wrapped(line, "  ", "    ")
        yield ""
        for generation in sorted({one.generation for one in found.models}):
            yield from _end(generation, found.ends[generation])
    for note in found.notes:
        yield from wrapped(note, rest="  ")
    if broken := found.breaking(by):
        names = ", ".join(dict.fromkeys(one.model for one in broken))
        yield from wrapped(f"Breaks before {iso(by or 0)[:DAY]}: {names}.", rest="  ")


def _cells(found: Inventory, one: ServedModel) -> tuple[str, ...]:
    calls = "?" if one.calls is None else f"{one.calls:,}"
    called = "?" if one.last_called is None else one.last_called[:DAY] or "never"
    return one.model, one.generation, one.state, calls, called, _ends(found, one.generation)


def _ends(found: Inventory, generation: str) -> str:
    day, left = found.ends[generation].retired_on, found.days_left(generation)
    if day is None:
        return "no day is known"
    if day <= found.now:
        return f"{iso(day)[:DAY]}, the day is past"
    return f"{iso(day)[:DAY]}, {left} day{'' if left == 1 else 's'} left"


def _below(one: ServedModel) -> Iterator[str]:
    if one.enabled_at is not None:
        yield f"on since {one.enabled_at[:DAY]}" + (f", by {one.enabled_by}" if one.enabled_by else "")
    if one.last_caller:
        yield f"last called by {one.last_caller}"
    called = {number: stage for stage, number in one.aliases}
    for version in one.versions:
        stage = "" if version.stage == NO_STAGE else f" in {version.stage}"
        path = SURFACES[one.generation].scoring(one.model, called.get(version.number, version.number))
        message = f" ({version.message})" if version.message else ""
        yield f"version {version.number}{stage} {version.state}{message}  {path}"
    if not one.versions:
        yield "no version is served"
    yield from map(str, one.compute)


def _end(generation: str, end: End) -> Iterator[str]:
    """Yield what takes the place of a generation."""
    title = SURFACES[generation].title
    yield from wrapped(f"{title[0].upper()}{title[1:]}: {end.instead}", rest="  ")
    yield from wrapped(end.link, "  ", "  ")
