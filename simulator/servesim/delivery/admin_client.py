"""The admin API as the commands use it, and the options that they share."""

from __future__ import annotations

import functools
import json
import sys
import textwrap
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import click

from servesim.delivery.client import LONGEST_S, Target, Unreachable, call, checked_url, no_answer
from servesim.delivery.defaults import DEFAULT_ADMIN_TOKEN, DEFAULT_URL
from servesim.service.documents import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

BASE = "/_servesim/v1"
WIDTH = 80


class Negative(click.ClickException):
    """The answer is no: refused, unknown, failed."""

    exit_code = 1


class NotReached(click.ClickException):
    """No server answered."""

    exit_code = 5


class AdminClient:
    """Calls the admin API of one server; every failure is one of the two above."""

    def __init__(self, url: str, token: str) -> None:
        """Call this server with this admin token."""
        self.url = checked_url(url)
        self._target = Target(self.url, token)

    def get(self, path: str, **query: str | int | None) -> Any:
        """Return the answer to a GET; a query of None is left out."""
        asked = urlencode({name: value for name, value in query.items() if value is not None})
        return self._call("GET", f"{path}?{asked}" if asked else path)

    def post(self, path: str, document: Any = None) -> Any:
        """Return the answer to a POST."""
        return self._call("POST", path, {} if document is None else document)

    def delete(self, path: str) -> Any:
        """Return the answer to a DELETE."""
        return self._call("DELETE", path)

    def _call(self, method: str, path: str, document: Any = None) -> Any:
        body = None if document is None else json.dumps(document).encode()
        try:
            answered = call(self._target, BASE + path, body, method=method, timeout_s=LONGEST_S)
        except Unreachable as reason:
            raise NotReached(
                f"asked {self.url}; {no_answer(reason)}. Start `servesim serve`, or name another server with --url "
                "or SERVESIM_URL."
            ) from reason
        except ValueError as error:  # a token that no header can hold
            raise click.UsageError(str(error)) from error
        fields = answered.document if isinstance(answered.document, dict) else {}
        if answered.well and fields:
            return fields
        if answered.well and not answered.body.strip(b"{} \n"):
            return {}
        message = fields.get("message") or f"{method} {self.url}{path} was answered {answered.status}; is it servesim?"
        raise Negative(str(message))


def inside(workspace: str, path: str = "") -> str:
    """Return a path in a workspace."""
    return f"/workspaces/{quote(workspace, safe='')}{path}"


def admin_options(*, workspace: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command ``client`` (an AdminClient), ``as_json``, and ``workspace`` unless it needs none."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(url: str, admin_token: str, **options: Any) -> None:
            client = AdminClient(url, admin_token)
            try:
                function(client=client, **options)
            except (KeyError, TypeError, AttributeError) as error:  # an answer without what servesim answers with
                raise Negative(f"{client.url} does not answer as servesim does; is it servesim?") from error

        # Written from the last to the first, as decorators are.
        command = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(run)
        if workspace:
            command = click.option(
                "--workspace",
                "-w",
                envvar="SERVESIM_WORKSPACE",
                show_envvar=True,
                default="default",
                show_default=True,
                metavar="NAME",
                help="Which workspace; `servesim workspace list` names them.",
            )(command)
        command = click.option(
            "--admin-token",
            envvar="SERVESIM_ADMIN_TOKEN",
            show_envvar=True,
            default=DEFAULT_ADMIN_TOKEN,
            show_default="that of `servesim serve`",
            metavar="TOKEN",
        )(command)
        return url_option(command)

    return decorate


def url_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``url``: which server is asked."""
    option = click.option(
        "--url",
        envvar=["SERVESIM_URL", "DATABRICKS_HOST"],
        show_envvar=True,
        default=DEFAULT_URL,
        show_default=True,
        metavar="URL",
        help="Which server.",
    )
    return option(function)


def show(document: Any) -> None:
    """Print JSON: indented on a terminal, in one line elsewhere."""
    click.echo(json.dumps(document, indent=2 if is_terminal(sys.stdout) else None))


def is_terminal(stream: Any) -> bool:
    """Tell whether somebody looks at an output."""
    return stream is not None and bool(stream.isatty())  # none: it was closed


def columns(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Return lines in which the cells of a column stand below each other; the last column is as long as it is."""
    table = [list(heads), *([plain(str(cell)) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def wrapped(text: str, first: str = "", rest: str = "") -> list[str]:
    """Return a text in lines of 80 columns, broken between words alone: a longer one stays whole."""
    return textwrap.wrap(
        plain(text), WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def span(ms: int) -> str:
    """Return a duration as people write it: ``1h30m``, ``8m``, ``12.5s``."""
    if ms < 60_000:  # noqa: PLR2004 - a minute
        return f"{ms / 1000:g}s"
    days, rest = divmod(ms // 1000, 86_400)
    hours, rest = divmod(rest, 3_600)
    parts = ((days, "d"), (hours, "h"), (rest // 60, "m"), (rest % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)
