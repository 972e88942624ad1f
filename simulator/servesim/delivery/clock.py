"""``servesim clock``: where simulated time stands, what is ahead, and moving it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from servesim.delivery.admin_client import admin_options, columns, inside, show, span
from servesim.service.clock import MODES
from servesim.service.documents import plain

if TYPE_CHECKING:
    from servesim.delivery.admin_client import AdminClient

CLOCK = "/clock"


@click.group("clock", no_args_is_help=True)
def command() -> None:
    """Look at simulated time and move it.

    \b
    servesim clock now                             where it stands
    servesim clock pending                         what is ahead, who waits for what
    servesim clock advance 31m                     by 90s, 31m, 1h30m or 2d
    servesim clock run-until 2026-01-05T10:00:00Z  to an instant
    servesim clock mode paced --rate 60            a simulated minute a second

    The instant goes to standard output, remarks go to standard error. Exit code 0: done, 1: refused, 2: wrong usage,
    5: no server was reached.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are


@command.command("now")
@admin_options()
def now(client: AdminClient, workspace: str, *, as_json: bool) -> None:
    """Print the simulated instant."""
    _tell(client.get(inside(workspace, CLOCK)), as_json=as_json)


@command.command(
    "advance", short_help="Move time by 90s, 31m, 1h30m or 2d.", context_settings={"ignore_unknown_options": True}
)
@click.argument("by")
@admin_options()
def advance(client: AdminClient, workspace: str, by: str, *, as_json: bool) -> None:
    """Move time by BY, e.g. 90s, 31m, 1h30m or 2d, and print the instant reached."""
    _tell(client.post(inside(workspace, CLOCK + "/advance"), {"by": by}), as_json=as_json)


@command.command("run-until", short_help="Move time to an instant.")
@click.argument("instant")
@admin_options()
def run_until(client: AdminClient, workspace: str, instant: str, *, as_json: bool) -> None:
    """Move time to INSTANT, in ISO 8601 (UTC unless it says otherwise), and print the instant reached."""
    _tell(client.post(inside(workspace, CLOCK + "/run-until"), {"instant": instant}), as_json=as_json)


@command.command("mode")
@click.argument("mode", type=click.Choice(MODES))
@click.option("--rate", type=float, help="Simulated seconds a real second, paced.  [default: as it was]")
@admin_options()
def mode(client: AdminClient, workspace: str, mode: str, rate: float | None, *, as_json: bool) -> None:
    """Let time move another way from now on.

    \b
    autojump  it moves by itself to what somebody waits for
    frozen    it moves by `servesim clock advance` and `run-until` alone
    paced     it follows the wall clock, --rate times as fast
    """  # noqa: D301 - as above
    wanted = {"mode": mode} if rate is None else {"mode": mode, "rate": rate}
    _tell(client.post(inside(workspace, CLOCK + "/mode"), wanted), as_json=as_json)


@command.command("pending", short_help="List what is ahead and who waits for it.")
@admin_options()
def pending(client: AdminClient, workspace: str, *, as_json: bool) -> None:
    """List what is ahead, the soonest first, and the requests that are held for it."""
    clock = client.get(inside(workspace, CLOCK))
    if as_json:
        show(clock)
        return
    for line in (*ahead(clock), *_held(clock)):
        click.echo(line)


def ahead(clock: dict[str, Any]) -> list[str]:
    """Return what is pending as lines, the soonest first."""
    if not clock["pending"]:
        return ["Nothing is pending."]
    rows = [(one["due"], f"in {span(one['in_ms'])}", place(one), one["words"]) for one in clock["pending"]]
    lines = columns(("DUE", "", "WHERE", "WHAT"), rows)
    left = clock["pending_count"] - len(rows)
    return [*lines, f"... and {left:,} more"] if left else lines


def _held(clock: dict[str, Any]) -> list[str]:
    lines = []
    for one in clock["held"]:
        waits = f"waits for {one['waits_for']}, due {one['due']}" if one["due"] else "waits, and nothing is pending"
        lines.append(plain(f"Request {one['request']} of {one['requester'] or 'nobody'} to {place(one)} {waits}."))
    left = clock["held_count"] - len(lines)
    return [*lines, f"... and {left:,} more requests are held."] if left else lines


def place(one: dict[str, Any]) -> str:
    """Return endpoint and entity as one word."""
    return "/".join(part for part in (one["endpoint"], one["entity"]) if part) or "-"


def standing(clock: dict[str, Any]) -> str:
    """Return in a sentence how time moves and what comes next."""
    how = f"{clock['mode']} at {clock['rate']:g} x" if clock["mode"] == "paced" else clock["mode"]
    if not clock["pending"]:
        coming = "nothing is pending"
    else:
        first = clock["pending"][0]
        coming = f"next in {span(first['in_ms'])}: {first['words']} ({place(first)})"
    held = clock["held_count"]
    waiting = f"; {held:,} {'request is' if held == 1 else 'requests are'} held" if held else ""
    return f"{how}; {coming}{waiting}"


def _tell(clock: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show(clock)
        return
    click.echo(clock["now"])
    click.echo(standing(clock), err=True)
