"""``servesim contract``: the contracts, and what holds a server or a recording against them."""

from __future__ import annotations

import click

from servesim.delivery.lazy import LazyGroup

SUBCOMMANDS = {
    "check": "contract_check",
    "export": "contract_export",
    "probe": "contract_probe",
    "record": "contract_record",
    "verify": "contract_verify",
}
"""Modules by the name of their command: most need what the others do not."""


@click.command("contract", cls=LazyGroup, modules=SUBCOMMANDS, short_help="Hold a server against the contracts.")
def command() -> None:
    """Hold a server, or what was recorded of one, against the contracts; write them to files.

    \b
    servesim contract check                                       the running servesim
    servesim contract check --url https://my.workspace.example    a workspace, read-only
    servesim contract check --surface scoring --url http://127.0.0.1:5000
    servesim contract export --out contracts/

    Exit code 0: nothing is wrong, 1: the contracts do not allow something, 2: wrong usage, 5: it could not run.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
