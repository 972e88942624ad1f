"""``servesim timeline``: what happened in a workspace, and what is ahead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from servesim.delivery.admin_client import admin_options, columns, inside, show
from servesim.delivery.clock import CLOCK, ahead, standing
from servesim.service.documents import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servesim.delivery.admin_client import AdminClient

WAIT_S = 20
"""Real seconds that one call waits for the next line."""

_HEADS = ("INSTANT", "ENDPOINT", "WHAT", "ABOUT", "")
_FOLLOWED = "{:<24}  {:<12}  {:<23}  {:<14}  {}"


@click.command("timeline", short_help="Print what happened and what is ahead.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@click.option("--endpoint", "-e", metavar="NAME", help="Of this endpoint alone.")
@click.option("--last", default=50, show_default=True, type=click.IntRange(0, 10_000), help="How many lines.")
@admin_options()
def command(
    client: AdminClient, workspace: str, endpoint: str | None, last: int, *, follow: bool, as_json: bool
) -> None:
    """Print the event log with its simulated instants, and below it what is ahead.

    \b
    servesim timeline                     the last 50 lines, then what is pending
    servesim timeline --endpoint fraud    one endpoint
    servesim timeline --follow            as it happens, until Ctrl-C
    servesim timeline --follow --json     the same for a program, a line each

    Exit code 0: printed, 1: refused, 2: wrong usage, 5: no server was reached.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    found = client.get(inside(workspace, "/events"), limit=last, endpoint=endpoint)
    if follow:
        _follow(client, workspace, endpoint, found, as_json=as_json)
        return
    clock = _of(client.get(inside(workspace, CLOCK)), endpoint)
    if as_json:
        show({"events": found["events"], "clock": clock})
        return
    for line in columns(_HEADS, map(_cells, found["events"])) if found["events"] else ["Nothing has happened yet."]:
        click.echo(line)
    click.echo(f"\nNow {clock['now']}: {standing(clock)}.")
    for line in ahead(clock) if clock["pending"] else ():
        click.echo(line)


def _of(clock: dict[str, Any], endpoint: str | None) -> dict[str, Any]:
    """Leave what concerns an endpoint."""
    if endpoint is None:
        return clock
    pending = [one for one in clock["pending"] if one["endpoint"] == endpoint]
    held = [one for one in clock["held"] if one["endpoint"] == endpoint]
    return {**clock, "pending": pending, "pending_count": len(pending), "held": held, "held_count": len(held)}


def _follow(client: AdminClient, workspace: str, endpoint: str | None, found: dict[str, Any], *, as_json: bool) -> None:
    try:
        while True:
            _print(found["events"], as_json=as_json)
            # After a reset the log begins anew, and so does whoever follows it.
            after = min(found["next"], found["logged"])
            found = client.get(inside(workspace, "/events"), after=after, wait=WAIT_S, limit=1_000, endpoint=endpoint)
            if found["logged"] < after:
                found = {**found, "next": 0}
    except KeyboardInterrupt:
        pass


def _print(events: Iterable[dict[str, Any]], *, as_json: bool) -> None:
    for event in events:
        click.echo(json.dumps(event) if as_json else _FOLLOWED.format(*_cells(event)).rstrip())


def _cells(event: dict[str, Any]) -> tuple[str, ...]:
    cells = event["instant"], event["endpoint"] or "-", event["what"], event["subject"], event["detail"]
    return tuple(map(plain, cells))
