"""The command line."""

from __future__ import annotations

import errno
from importlib import import_module

import click

import servesim

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
COMMANDS = ("clock", "demo", "doctor", "invoke", "requests", "serve", "timeline", "wait", "why", "workspace")


class _Commands(click.Group):
    """Commands by the name of their module, imported when used: a server starts sooner without the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """List the names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Return a command; None for a name that is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"servesim.delivery.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a full disk behind its output is no failure of ours."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise click.ClickException(f"what was to be written has no room: {error.strerror}") from error


@click.command(cls=_Commands, context_settings=CONTEXT)
@click.version_option(servesim.__version__, prog_name="servesim")
def main() -> None:
    """Databricks Model Serving, simulated on your own machine.

    Start with `servesim demo` to see it work, or `servesim serve` and the export lines that it prints. The commands
    beside these two ask a running server: that of the lines, or of --url.
    """
