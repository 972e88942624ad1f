"""A load test's result in a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

import click

from servesim.delivery.admin_client import is_terminal, show
from servesim.delivery.load_files import JUNIT, REPORT, RUN
from servesim.load.document import FAIL, INCONCLUSIVE, PASS
from servesim.load.words import place, summary
from servesim.service.documents import plain

if TYPE_CHECKING:
    from pathlib import Path

    from servesim.load.document import Run

_COLOURS = {PASS: "green", FAIL: "red", INCONCLUSIVE: "yellow"}


def tell(run: Run) -> None:
    """Print a verdict and what it rests on, for people."""
    click.echo(f"{_coloured(run['outcome'], run['outcome'].upper())}  {plain(place(run))}")
    parts = [*run["judgements"], *run["checks"]]
    widest = max((len(plain(one["name"])) for one in parts), default=0)
    longest = max((len(one["outcome"]) for one in parts), default=0)
    for one in parts:
        name, outcome = plain(one["name"]).ljust(widest), one["outcome"].ljust(longest)
        head = f"  {name}  {outcome}"
        why = "; ".join([one["why"], *(one.get("remarks") or [])])
        rest = _wrapped(f"{head}  {plain(why)}", " " * (len(head) + 2)).removeprefix(head)
        click.echo(f"  {name}  {_coloured(one['outcome'], outcome)}{rest}")
    click.echo(_wrapped(f"  {plain(summary(run))}", "  "))
    for note in run.get("notes") or []:
        click.echo(_wrapped(f"  note: {plain(note)}", "  "))


def tell_files(run: Run, out: Path, *, as_json: bool) -> None:
    """Say where the files of a run are; for programs print the run as well, as JSON."""
    files = {"report": str(out / REPORT), "run": str(out / RUN), "junit": str(out / JUNIT)}
    if as_json:
        show({**run, "files": files})
    else:
        click.echo(f"report: {plain(files['report'])}")


def tell_server(url: str, world: Path, short: list[str]) -> None:
    """Say on standard error which servesim was started, and what is shorter in it than in the real service."""
    text = f"servesim at {url} with {plain(world.name)}, in real time. "
    text += f"Profile load, beside faithful: {', '.join(short)}."
    if is_terminal(sys.stderr):
        text = textwrap.fill(text, max(shutil.get_terminal_size().columns, 40))
    click.echo(text, err=True)


def _coloured(outcome: str, text: str) -> str:
    return click.style(text, fg=_COLOURS[outcome], bold=True)


def _wrapped(text: str, indent: str) -> str:
    """Break a text where a terminal would, below its own beginning; elsewhere it stays one line."""
    if not is_terminal(sys.stdout):
        return text
    width = shutil.get_terminal_size().columns
    return textwrap.fill(text, max(width, len(indent) + 20), subsequent_indent=indent)
