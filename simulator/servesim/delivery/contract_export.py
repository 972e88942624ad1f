"""``servesim contract export``: the contracts as files, each complete in itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from servesim.contracts.documents import SURFACES, document

STDOUT = "-"


@click.command("export", short_help="Write the contracts to files.")
@click.option("--surface", "surfaces", type=click.Choice(SURFACES), multiple=True, help="Which; [default: all]")
@click.option("--out", default=STDOUT, show_default=True, metavar="DIR|-", help="Where to; - is standard output.")
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def command(surfaces: tuple[str, ...], out: str, form: str) -> None:
    """Write the OpenAPI 3.1 documents, each of which refers to itself alone.

    \b
    servesim contract export --out contracts/                a file for each surface
    servesim contract export --surface data --format json    one document
    servesim contract export                                 all surfaces in one document

    Files that are there are replaced.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    if out == STDOUT:
        click.echo(_written(document(*surfaces), form), nl=False)
        return
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in surfaces or SURFACES:
            path = folder / f"{name}.{form}"
            path.write_text(_written(document(name), form), encoding="utf-8")
            click.echo(path)
    except OSError as error:
        raise click.BadParameter(f"{folder} cannot be written: {error.strerror}", param_hint="--out") from error


def _written(contract: dict[str, Any], form: str) -> str:
    if form == "json":
        return json.dumps(contract, indent=2) + "\n"
    import yaml  # noqa: PLC0415 - JSON needs none

    class Plain(yaml.SafeDumper):
        """What is shared is written twice: an anchor is of no use to whoever reads a contract."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
            """Never refer."""
            return True

    written: str = yaml.dump(contract, Dumper=Plain, sort_keys=False, allow_unicode=True, width=120)
    return written
