"""The command line."""

from __future__ import annotations

import click

import servesim
from servesim.delivery import demo, invoke, serve

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=CONTEXT)
@click.version_option(servesim.__version__, prog_name="servesim")
def main() -> None:
    """Databricks Model Serving, simulated on your own machine.

    Start with `servesim demo` to see it work, or `servesim serve` and the export lines that it prints.
    """


main.add_command(demo.command)
main.add_command(invoke.command)
main.add_command(serve.command)
