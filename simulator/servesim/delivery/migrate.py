"""``servesim migrate``: the way from legacy serving and the serverless preview to Model Serving."""

from __future__ import annotations

import click

from servesim.delivery.lazy import LazyGroup

SUBCOMMANDS = {
    "inventory": "migration.inventory",
    "plan": "migration.plan",
    "report": "migration.report",
    "scan": "migration.scan",
}
"""Modules by the name of their command: none needs what the others do."""


@click.command("migrate", cls=LazyGroup, modules=SUBCOMMANDS, short_help="Move off the retired serving generations.")
def command() -> None:
    """Move off legacy MLflow Model Serving and the Serverless Real-Time Inference preview.

    \b
    servesim migrate inventory           what is still served there, by whom, until when
    servesim migrate plan                the way to Model Serving, step by step
    servesim migrate plan --script       the same as a script to read, rehearse here, and run
    servesim migrate scan src/           where code and configuration use what has ended
    servesim migrate report --har FILE   which calls were made that break

    Legacy serving ended on 2025-09-15, the preview is retired without a published day. `inventory` asks servesim or a
    workspace, `plan` a workspace as its clients do, servesim's or a real one; `scan` and `report` read files.

    Exit code 0: nothing breaks, 1: something does, or the server refused, 2: wrong usage, 5: no server was reached.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
