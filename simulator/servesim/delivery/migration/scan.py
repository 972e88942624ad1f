"""``servesim migrate scan``: what in source, notebooks and configs breaks when a retired generation ends."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from servesim.delivery.admin_client import is_terminal
from servesim.delivery.migration.due import due_options
from servesim.delivery.migration.scan_files import Skipped, Walk, suffix_of
from servesim.delivery.migration.scan_find import find
from servesim.delivery.migration.scan_models import of_files, signature_options
from servesim.delivery.migration.scan_told import Scan, as_json, as_sarif, as_text, explained
from servesim.delivery.migration.scan_words import BY_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from servesim.delivery.migration.due import Due
    from servesim.delivery.migration.scan_find import Finding

BROKEN = 1
MANY_FILES = 100
"""From so many on somebody who looks on sees how far it is."""
MOST_FINDINGS = 10_000


@click.command("scan", short_help="Find what breaks in source, notebooks and configs.")
@click.argument("paths", nargs=-1, metavar="PATH...", type=click.Path(exists=True, path_type=Path))
@due_options
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), help="As what.  [default: text]")
@click.option("--json", "in_json", is_flag=True, help="Print JSON, for programs: short for --format json.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Leave a rule out, e.g. SRV006; repeatable.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out files or folders, e.g. 'tests'; repeatable.")
@signature_options
@click.option("--explain", metavar="RULE", help="Print what a rule looks for, with an example, or `all` of them.")
def command(
    *,
    paths: tuple[Path, ...],
    due: Due,
    signatures: Callable[[], dict[str, bool]],
    form: str | None,
    in_json: bool,
    ignore: tuple[str, ...],
    exclude: tuple[str, ...],
    explain: str | None,
) -> None:
    """Look for calls of retired generations in files: where, when each breaks, and what to write instead.

    \b
    servesim migrate scan src notebooks
    servesim migrate scan . --by 2026-04-01 --date serverless_preview=2026-04-01
    servesim migrate scan . --format sarif > scan.sarif
    servesim migrate scan --explain SRV009

    Reads source, notebooks, YAML and JSON, and runs nothing. Comments and docstrings are no calls, and neither is what
    cells showed. `# servesim: ignore[SRV001]` silences a line. Folders such as .git and virtual environments are passed
    over, with what is too large or no text; the end of the output says so.

    Exit code 0: nothing is broken, 1: something is (today, or before --by), 2: wrong usage, 5: --url was not reached.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    if explain is not None:
        click.echo(explained(list(BY_ID) if explain == "all" else _rules("--explain", [explain])))
        return
    if not paths:
        raise click.UsageError("Name files or folders to scan, e.g. `servesim migrate scan .`.")
    if in_json and form not in {None, "json"}:
        raise click.UsageError(f"--json and --format {form} are two forms: ask for one.")
    left_out = _rules("--ignore", ignore)
    known = signatures()
    walk = Walk(paths, exclude)
    met = (one for one in _findings(walk, {**of_files(walk.models), **known}) if one.rule.id not in left_out)
    scan = Scan(list(islice(met, MOST_FINDINGS)), walk, due)
    if next(met, None) is not None:
        walk.skipped.append(Skipped(scan.everything[-1].path, f"what comes after {MOST_FINDINGS:,} findings"))
    click.echo({"json": as_json, "sarif": as_sarif}.get("json" if in_json else form or "text", as_text)(scan))
    if scan.broken:
        sys.exit(BROKEN)


def _rules(option: str, given: Iterable[str]) -> list[str]:
    wanted = [one.upper() for one in given]
    for one in wanted:
        if one not in BY_ID:
            raise click.BadParameter(f"There is no rule {one[:40]!r}; there are {', '.join(BY_ID)}.", param_hint=option)
    return wanted


def _findings(walk: Walk, signatures: dict[str, bool]) -> Iterator[Finding]:
    """Yield what stands in the files, in their order; somebody who looks on sees how far it is."""
    if len(walk.files) < MANY_FILES or not is_terminal(sys.stderr):
        yield from _in_files(walk, walk.files, signatures)
        return
    with click.progressbar(walk.files, label="scanning", file=sys.stderr, show_pos=True, update_min_steps=20) as files:
        yield from _in_files(walk, files, signatures)


def _in_files(walk: Walk, files: Iterable[Path], signatures: dict[str, bool]) -> Iterator[Finding]:
    for file in files:
        text = walk.read(file)
        if text is not None:
            yield from find(text, str(file), suffix_of(file), signatures)
