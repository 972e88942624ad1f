"""The command line."""

from __future__ import annotations

import errno

import click

import servesim
from servesim.delivery.lazy import LazyGroup

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
COMMANDS = (
    "clock",
    "contract",
    "demo",
    "doctor",
    "invoke",
    "load",
    "migrate",
    "models",
    "payloads",
    "rehearse",
    "requests",
    "serve",
    "timeline",
    "usage",
    "wait",
    "why",
    "workspace",
)


class _Commands(LazyGroup):
    """The commands that the program has."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a full disk behind its output is no failure of ours."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise click.ClickException(f"what was to be written has no room: {error.strerror}") from error


@click.command(cls=_Commands, modules={name: name for name in COMMANDS}, context_settings=CONTEXT)
@click.version_option(servesim.__version__, prog_name="servesim")
def main() -> None:
    """Databricks Model Serving, simulated on your own machine.

    Start with `servesim demo` to see it work, or `servesim serve` and the export lines that it prints. The commands
    beside these two ask a running server: that of the lines, or of --url.
    """
