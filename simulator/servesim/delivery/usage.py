"""``servesim usage``: what the served entities of a workspace have used, and what they have now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from servesim.delivery.admin_client import admin_options, columns, inside, show

if TYPE_CHECKING:
    from servesim.delivery.admin_client import AdminClient

_HEADS = (
    "ENDPOINT",
    "ENTITY",
    "REPLICA-SECONDS",
    "REQUESTS",
    "QUEUED",
    "QUEUE TIME",
    "REFUSED",
    "COLD STARTS",
    "PROVISIONED",
    "IN FLIGHT",
    "HELD",
)


@click.command("usage", short_help="Print what served entities used: replica-seconds, queue time, cold starts.")
@click.option("--endpoint", "-e", metavar="NAME", help="Of this endpoint alone.")
@admin_options()
def command(client: AdminClient, workspace: str, endpoint: str | None, *, as_json: bool) -> None:
    """Print what each served entity has used since the workspace began, and what it has at this moment.

    \b
    servesim usage                     every entity that runs or ran
    servesim usage --endpoint fraud    one endpoint
    servesim usage --json              the same for a program

    Times are simulated. PROVISIONED is how many requests may be in flight, a replica for every four; QUEUED is how many
    waited for such a slot, QUEUE TIME how long they did together, REFUSED how many found the queue full and got 429.

    Exit code 0: printed, 1: refused, 2: wrong usage, 5: no server was reached.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    found = client.get(inside(workspace, "/usage"))
    rows = [row for row in found["usage"] if endpoint in {None, row["endpoint"]}]
    if as_json:
        show({"usage": rows})
        return
    for line in columns(_HEADS, map(_cells, rows)) if rows else ["Nothing has run yet."]:
        click.echo(line)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["endpoint"],
        row["entity"],
        f"{row['replica_seconds']:,.0f}",
        f"{row['requests']:,}",
        f"{row['queued']:,}",
        f"{row['queue_seconds']:,.1f} s",
        f"{row['refused']:,}",
        f"{row['cold_starts']:,}",
        str(row["provisioned"]),
        str(row["in_flight"]),
        str(row["held"]),
    )
