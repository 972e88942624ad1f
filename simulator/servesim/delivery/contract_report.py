"""What the contract suite found: a table, lines, JSON, JUnit."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import click

from servesim.delivery.admin_client import columns, is_terminal
from servesim.delivery.contract_run import FAILED, PASSED, SKIPPED
from servesim.service.documents import plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from servesim.delivery.contract_run import Result
    from servesim.delivery.contract_talk import Plan

HEADS = ("CASE", "SURFACE", "VERDICT", "EVIDENCE", "WHAT WAS WRONG")
_STYLE = {PASSED: "green", FAILED: "bold red", SKIPPED: "yellow"}


def counts(results: list[Result]) -> dict[str, int]:
    """Return how many cases have each verdict."""
    return {verdict: sum(one.verdict == verdict for one in results) for verdict in (PASSED, FAILED, SKIPPED)}


def as_document(results: list[Result], url: str, plan: Plan) -> dict[str, Any]:
    """Return a run as JSON has it."""
    return {
        "url": url,
        "surfaces": list(plan.surfaces),
        "read_only": plan.read_only,
        **cases_document(results),
    }


def cases_document(results: list[Result]) -> dict[str, Any]:
    """Return the results alone as JSON has them."""
    return {
        **counts(results),
        "cases": [
            {
                "name": one.case.name,
                "surface": one.case.surface,
                "shows": one.case.shows,
                "verdict": one.verdict,
                "why": one.why,
                "evidence": dict(one.evidence),
                "wrong": [wrong._asdict() for wrong in one.wrong],
            }
            for one in results
        ],
    }


def write_junit(path: Path, results: list[Result], name: str) -> None:
    """Write a run as JUnit's XML, a suite for each surface; raise OSError."""
    root = ET.Element("testsuites", name=plain(f"servesim contract {name}"))
    for surface in dict.fromkeys(one.case.surface for one in results):
        of_it = [one for one in results if one.case.surface == surface]
        numbers = counts(of_it)
        suite = ET.SubElement(root, "testsuite", name=surface, tests=str(len(of_it)))
        suite.set("failures", str(numbers[FAILED]))
        suite.set("skipped", str(numbers[SKIPPED]))
        for one in of_it:
            case = ET.SubElement(
                suite, "testcase", classname=surface, name=plain(one.case.name), time=f"{one.seconds:.3f}"
            )
            if one.verdict == FAILED:
                failure = ET.SubElement(case, "failure", message=plain(str(one.wrong[0])))
                failure.text = "\n".join(plain(str(wrong)) for wrong in one.wrong)
            elif one.verdict == SKIPPED:
                ET.SubElement(case, "skipped", message=plain(one.why))
    path.write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def show_table(results: list[Result], url: str) -> None:
    """Print a run for people: a table on a terminal and below it what was wrong, lines elsewhere."""
    cells = [(one.case.name, one.case.surface, one.verdict, one.grades, _told(one)) for one in results]
    if is_terminal(sys.stdout):
        _print_table(cells)
    else:
        lines = [
            (*first, line) if number == 0 else ("", "", "", "", line)
            for *first, told in cells
            for number, line in enumerate(told or [""])
        ]
        click.echo("\n".join(columns(HEADS, lines)))
    numbers = counts(results)
    skipped = f", {numbers[SKIPPED]} skipped" if numbers[SKIPPED] else ""
    click.echo(f"\n{url}: {numbers[PASSED]} cases passed, {numbers[FAILED]} failed{skipped}.")


def progress(total: int) -> AbstractContextManager[Callable[[Result], None]]:
    """Show on standard error how far a run is, if it is a terminal."""
    return _Bar(total) if is_terminal(sys.stderr) else _Silence()


class _Silence:
    """No bar."""

    def __enter__(self) -> Callable[[Result], None]:
        return lambda _result: None

    def __exit__(self, *_: object) -> None:
        return


class _Bar:
    """A bar that goes when the run ends."""

    def __init__(self, total: int) -> None:
        from rich.console import Console  # noqa: PLC0415 - only where somebody looks at it
        from rich.progress import Progress  # noqa: PLC0415 - as above

        self._progress = Progress(console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("contract", total=total)

    def __enter__(self) -> Callable[[Result], None]:
        self._progress.start()
        return lambda result: self._progress.update(self._task, advance=1, description=result.case.name)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def _told(result: Result) -> list[str]:
    return [plain(str(wrong)) for wrong in result.wrong] or ([plain(result.why)] if result.why else [])


def _print_table(cells: list[tuple[str, str, str, str, list[str]]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    table = Table()
    for head in HEADS[:-1]:  # what was wrong is too long for a cell
        table.add_column(head.lower(), overflow="fold")
    for name, surface, verdict, grades, _ in cells:
        table.add_row(Text(plain(name)), surface, Text(verdict, _STYLE[verdict]), grades)
    console = Console(file=sys.stdout)
    console.print(table)
    for name, _, verdict, _, told in cells:
        if told:
            console.print(
                Text(f"\n{plain(name)} {verdict}", _STYLE[verdict]), *map(Text, told), sep="\n", soft_wrap=True
            )
