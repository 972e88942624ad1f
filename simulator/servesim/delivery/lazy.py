"""Commands that are imported when used: a server starts sooner without the others."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType


class LazyGroup(click.Group):
    """Commands by name, each the ``command`` of a module of this package."""

    def __init__(self, *given: Any, modules: Mapping[str, str], **options: Any) -> None:
        """Take the modules' names by the commands'; the rest is click's."""
        super().__init__(*given, **options)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """List the names."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Return a command; None for a name that is none."""
        if cmd_name not in self._modules:
            return None
        command: click.Command = _imported(f"servesim.delivery.{self._modules[cmd_name]}").command
        return command


def _imported(name: str) -> ModuleType:
    """Import a module; nothing is collected meanwhile, for nearly all that imports make stays."""
    if name in sys.modules or not gc.isenabled():
        return import_module(name)
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()  # or the first collection would look at all of it after all
        gc.enable()
