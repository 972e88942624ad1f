"""The server under load, looked at before anything is sent."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from servesim.delivery.admin_client import BASE
from servesim.delivery.extras import MissingExtra, needs
from servesim.service.documents import plain

if TYPE_CHECKING:
    from servesim.load.calls import Server

_PACKAGES = ("locust", "matplotlib", "numpy", "scipy")


class CouldNotRun(click.ClickException):
    """The test could not be run, or its result not be read."""

    exit_code = 5

    def __init__(self, message: str) -> None:
        """Take the reason; signs that change a terminal are written out."""
        super().__init__("\n".join(plain(line) for line in message.splitlines()))


def require_extra() -> None:
    """Raise CouldNotRun, which says what to install, unless all of the extra is there."""
    try:
        with needs("load"):
            for name in _PACKAGES:
                if importlib.util.find_spec(name) is None:
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    except MissingExtra as missing:
        raise CouldNotRun(str(missing)) from missing


def is_servesim(server: Server) -> bool:
    """Tell whether it is servesim, by its health check; no token is sent. Raise CouldNotRun if nobody answers."""
    from servesim.load.calls import CannotRun  # noqa: PLC0415 - the help needs none of it

    try:
        return replace(server, token="").get(f"{BASE}/health").well
    except CannotRun as error:
        raise CouldNotRun(f"{error}. Leave --url out, and a servesim is started.") from error
