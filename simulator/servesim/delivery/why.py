"""``servesim why``: why one request went as it did."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from servesim.delivery.admin_client import admin_options, inside, show
from servesim.service.documents import plain

if TYPE_CHECKING:
    from servesim.delivery.admin_client import AdminClient


@click.command("why", short_help="Tell why a request went as it did.")
@click.argument("request_id")
@admin_options()
def command(client: AdminClient, workspace: str, request_id: str, *, as_json: bool) -> None:
    """Tell why a request went as it did: who asked, where the split sent it, what it waited for, who answered.

    REQUEST_ID is in the X-Request-Id header of a scoring answer (`servesim invoke` prints it), in
    details[0].request_id of a refused control-plane call, or the number that `servesim requests list` shows.

    \b
    servesim why 1c1e0d0e-5b2f-4c7a-9d1e-000000000007
    servesim why 7 --json

    The evidence for the text of a refusal is told as well. Exit code 0: told, 1: no such request is on record,
    2: wrong usage, 5: no server was reached.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    told = client.get(inside(workspace, f"/requests/{quote(request_id, safe='')}/why"))
    if as_json:
        show(told)
        return
    for line in "\n".join(told["story"]).splitlines():  # what a model raised has lines of its own
        click.echo(plain(line))
