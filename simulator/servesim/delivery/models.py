"""``servesim models``: which versions are registered, how far each has come, and who answers for it."""

from __future__ import annotations

import textwrap
from fnmatch import fnmatchcase
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import click

from servesim.delivery.admin_client import Negative, admin_options, columns, inside, show
from servesim.service.documents import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.delivery.admin_client import AdminClient

WIDTH = 80
HEADS = ("VERSION", "STATUS", "STAGE", "ALIASES", "ANSWERS", "CREATOR")
ALIASES_WIDTH = 16
NOTE = "    "


@click.command("models", short_help="Print the registered models and how far they are.")
@click.argument("name", required=False)
@admin_options()
def command(client: AdminClient, workspace: str, name: str | None, *, as_json: bool) -> None:
    """Print the registered models with their versions, the one that was registered first on top.

    \b
    servesim models                 every version
    servesim models main.ml.fraud   those of one model
    servesim models 'main.ml.*'     those of all models whose names fit
    servesim models --json          the same for a program

    STATUS is READY once an endpoint can serve the version. PENDING waits for its upload, or to be staged for an express
    deployment; below FAILED stands why. STAGE is one of the workspace registry, Unity Catalog has none. ANSWERS tells
    who answers: a stub, a Python function, or a real MLflow model. Without a CREATOR it was declared or imported.

    Exit code 0: printed, 1: refused, or there is no such model, 2: wrong usage, 5: no server was reached.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    found = client.get(inside(workspace, "/models"))
    rows = [row for row in found["models"] if _fits(row["name"], name)]
    empty = [one for one in found["without_versions"] if _fits(one, name)]
    if name is not None and not rows and not empty:
        raise Negative(
            f"Workspace '{workspace}' has no model '{plain(name)}'; `servesim models` names those there are."
        )
    if as_json:
        show({"models": rows, "without_versions": empty})
        return
    for line in _lines(rows, empty) if rows or empty else ["No model is registered."]:
        click.echo(line)


def _fits(model: str, name: str | None) -> bool:
    return name is None or model == name or fnmatchcase(model, name)


def _lines(rows: list[dict[str, Any]], empty: list[str]) -> Iterator[str]:
    """Yield a table whose rows stand below the names of their models, so that long names need no room beside them."""
    heads, *cells = columns(HEADS, map(_cells, rows)) if rows else [""]
    yield "MODEL"
    if heads:
        yield _within(heads)
    below = iter(cells)
    for model, versions in groupby(rows, itemgetter("name")):
        yield plain(model)
        for row in versions:
            yield _within(next(below))
            yield from _notes(row)
    for model in empty:
        yield plain(model)
        yield "  no version"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["version"],
        row["status"].removesuffix("_REGISTRATION"),
        "-" if row["stage"] in {None, "None"} else row["stage"],
        _aliases(row["aliases"]),
        row["kind"] or "-",
        row["creator"] or "-",
    )


def _aliases(aliases: list[str]) -> str:
    """Return aliases as a cell of the table: the first, and how many more there are."""
    if not aliases:
        return "-"
    text = ", ".join(aliases)
    if len(text) <= ALIASES_WIDTH:
        return text
    more = f" +{len(aliases) - 1}" if len(aliases) > 1 else ""
    return textwrap.shorten(aliases[0], ALIASES_WIDTH - len(more), placeholder="…") + more


def _notes(row: dict[str, Any]) -> Iterator[str]:
    """Yield what no column has room for."""
    notes = [row["status_message"]] if row["status_message"] else []
    notes += ["staged for an express deployment"] if row["staged"] else []
    for note in notes:
        yield from textwrap.wrap(
            plain(note), WIDTH, break_on_hyphens=False, initial_indent=NOTE, subsequent_indent=NOTE
        )


def _within(line: str) -> str:
    """Return a line of the table, cut where the screen ends."""
    indented = f"  {line}"
    return indented if len(indented) <= WIDTH else f"{indented[: WIDTH - 1]}…"
