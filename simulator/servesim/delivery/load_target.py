"""The server under load, looked at before anything is sent."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import click

from servesim.delivery.admin_client import BASE, plain
from servesim.delivery.extras import MissingExtra, needs

if TYPE_CHECKING:
    from servesim.load.calls import Answer, Server

_PACKAGES = ("locust", "matplotlib", "numpy", "scipy")
_REFUSED = {401, 403}
_UNKNOWN = 404
_SHOWN = 20


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


def endpoint_of(server: Server, name: str | None) -> str:
    """Return the name of the endpoint to load, the only one unless named; raise CouldNotRun."""
    from servesim.load.calls import ENDPOINTS, endpoint_path  # noqa: PLC0415 - the help needs none of it

    if name is None:
        names = _names(_asked(server, ENDPOINTS))
        if len(names) != 1:
            raise CouldNotRun(f"which endpoint of {server.url}? Name one with --endpoint; {_listed(names)}.")
        return names[0]
    answer = _asked(server, endpoint_path(name))
    if answer.status == _UNKNOWN:
        raise CouldNotRun(f"{server.url} has no endpoint {name!r}; {_listed(_names(_asked(server, ENDPOINTS)))}.")
    if not answer.well:
        raise CouldNotRun(f"endpoint {name!r} of {server.url} can't be read ({answer.said}).")
    return name


def is_servesim(server: Server) -> bool:
    """Tell whether it is servesim, by its health check; no token is sent."""
    from servesim.load.calls import CannotRun  # noqa: PLC0415 - as above
    from servesim.load.calls import Server as Anybody  # noqa: PLC0415 - as above

    try:
        return Anybody(server.url, "").get(f"{BASE}/health").well
    except CannotRun:
        return False


def _asked(server: Server, path: str) -> Answer:
    from servesim.load.calls import CannotRun  # noqa: PLC0415 - as above

    try:
        answer = server.get(path)
    except CannotRun as error:
        raise CouldNotRun(f"{error}. Leave --url out, and a servesim is started.") from error
    if answer.status in _REFUSED:
        raise CouldNotRun(
            f"{server.url} refuses the token ({answer.said}). Set DATABRICKS_TOKEN to one of that workspace."
        )
    return answer


def _names(answer: Answer) -> list[str]:
    document = answer.document()
    found = document.get("endpoints") if isinstance(document, dict) else None
    return [str(one["name"]) for one in found or [] if isinstance(one, dict) and "name" in one]


def _listed(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return f"there are {shown}" if names else "there are none"
