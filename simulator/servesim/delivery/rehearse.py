"""``servesim rehearse``: takes the steps of a scenario and compares what comes with the timeline in its file."""

from __future__ import annotations

import re
import shutil
import sys
from difflib import unified_diff
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from servesim.delivery.admin_client import columns, is_terminal, show
from servesim.delivery.complaints import BadAnswers
from servesim.delivery.tables import write_whole
from servesim.service.documents import read_document
from servesim.service.shipped import scenario_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from servesim.delivery.rehearsal import Came, Line

HEADS = ("INSTANT", "WHO OR WHERE", "WHAT", "ABOUT", "")
_TIMELINE = re.compile(r"^timeline:.*", re.MULTILINE | re.DOTALL)
_KEY = re.compile(r"^[^\s#]", re.MULTILINE)


@click.command("rehearse", short_help="Take the steps of a scenario and compare its timeline.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Write what came into the file, as its timeline.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def command(file: Path, *, write: bool, as_json: bool) -> None:
    """Rehearse a move: begin with the world of FILE and take the steps of its `rehearsal:`, one after the other.

    \b
    servesim rehearse legacy-to-ga            a shipped scenario, by name
    servesim rehearse mine.yaml               yours; 1 if it goes otherwise than its file says
    servesim rehearse mine.yaml --write       what came is from now on what is expected

    Prints the timeline: each call with who made it and its status, and what happened in the world. It is compared with
    `timeline:` of the file, and each answer with what its step expects.

    Shipped are legacy-to-preview, legacy-to-ga, preview-to-ga, promotion-legacy, promotion-preview and promotion-ga.
    How to write one stands in docs/retired.md.

    Exit code 0: it went as the file says, 1: it went otherwise, 2: wrong usage.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    from servesim.delivery.rehearsal import rehearse  # noqa: PLC0415 - the help needs no server

    path = scenario_file(file)
    try:
        document = read_document(path, "scenario")
        if "rehearsal" not in document.content:
            without = f"{path} has no rehearsal: it is a world without steps; --help names those that have some"
            raise click.BadParameter(without, param_hint="FILE")
        came = rehearse(document)
        if write:
            _write(path, came)
    except ValueError as error:  # a DocumentError, or a setting of the file that is none
        raise click.BadParameter(str(error), param_hint="FILE") from error
    except BadAnswers as error:
        raise click.ClickException(str(error)) from error
    expected = None if write else document.content.get("timeline")
    changes = [] if expected is None else changed(expected, came)
    _tell(came, changes, as_json=as_json)
    sys.exit(1 if changes or came.missed else 0)


def changed(expected: str, came: Came) -> list[str]:
    """Return the lines that were expected and did not come (-), and those that came in place of them (+)."""
    wanted = ["  ".join(re.split(r"\s{2,}", line.strip())) for line in expected.splitlines() if line.strip()]
    found = ["  ".join(line).rstrip() for line in came.lines]
    return [line for line in unified_diff(wanted, found, n=0, lineterm="") if line[:3] not in {"---", "+++"}]


def _tell(came: Came, changes: list[str], *, as_json: bool) -> None:
    if as_json:
        show(as_document(came, changes))
        return
    table = columns(HEADS, came.lines)
    width = shutil.get_terminal_size().columns
    fits = not is_terminal(sys.stdout) or max(map(len, table)) <= width
    for line in table if fits else folded(came.lines, width):
        click.echo(line)
    for missed in came.missed:
        click.echo(f"Error: {missed}", err=True)
    if changes:
        click.echo("Error: it went otherwise than the file says (- what is expected, + what came):", err=True)
    for line in changes:
        click.echo(line, err=True)


def folded(lines: Iterable[Line], width: int) -> Iterator[str]:
    """Yield a timeline for a terminal that is narrower than its table: what happened, below its instant."""
    for instant, here in groupby(lines, key=lambda line: line.instant):
        yield instant
        for line in here:
            text = "  ".join(line[1:]).rstrip()
            yield from wrap(
                text,
                width,
                initial_indent="  ",
                subsequent_indent="      ",
                break_long_words=False,
                break_on_hyphens=False,
            )


def as_document(came: Came, changes: list[str]) -> dict[str, Any]:
    """Return what came as JSON."""
    return {
        "timeline": [line._asdict() for line in came.lines],
        "missed": list(came.missed),
        "changes": changes,
        "as_expected": not (changes or came.missed),
    }


def _write(path: Path, came: Came) -> None:
    """Put the timeline at the end of a file, in place of the one there; raise ClickException."""
    text = path.read_text(encoding="utf-8")
    old = _TIMELINE.search(text)
    if old and len(_KEY.findall(old[0])) > 1:
        raise click.BadParameter(f"{path}: `timeline:` has to be its last key to be written", param_hint="FILE")
    kept = text[: old.start()] if old else text.rstrip("\n") + "\n"
    try:
        write_whole(path, (kept + written(came.lines)).encode(), force=True)
    except OSError as error:
        raise click.ClickException(f"{path} can't be written: {error.strerror}") from error


def written(lines: Iterable[Line]) -> str:
    """Return a timeline as the key of a scenario."""
    table = columns(("",) * len(HEADS), lines)[1:]
    return "".join(f"{line}\n" for line in ("timeline: |", *(f"  {line}" for line in table)))
