"""``servesim contract verify``: what in a recording the contracts do not allow."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from servesim.contracts.conformity import request_violations, response_violations
from servesim.contracts.documents import OF_A_WORKSPACE, SURFACES
from servesim.contracts.operations import evidence, find, responses
from servesim.delivery.admin_client import show
from servesim.delivery.contract_report import cases_document, show_table, write_junit
from servesim.delivery.contract_run import FAILED, PASSED, SKIPPED, Result
from servesim.delivery.contract_talk import Wrong
from servesim.delivery.recording import Unreadable, read_recording
from servesim.service.documents import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from servesim.contracts.conformity import Violation
    from servesim.contracts.operations import Operation
    from servesim.delivery.recording import Recorded

VIOLATION = 1
NOTHING = 5
MOST_WRONG = 50
"""Faults that are told of one operation."""
PLACES_SHOWN = 3
MOST_OTHERS = 1_000
"""Calls that no operation covers, of which each is a line."""


class Verified(NamedTuple):
    """An operation that was called, as the report names it."""

    name: str
    surface: str
    shows: str


class Fault(NamedTuple):
    """What was wrong, the first exchange that had it, and where all stand."""

    wrong: Wrong
    exchange: Recorded
    places: list[str]
    paths: set[str]


Faults = dict[tuple[int, str, str], Fault]
"""By status, grade and message: the same fault of an operation is told once."""


@click.command("verify", short_help="Hold a recording against the contracts.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option(
    "--surface",
    "surfaces",
    type=click.Choice(SURFACES),
    multiple=True,
    help=f"Whose operations to look for. [default: {', '.join(OF_A_WORKSPACE)}]",
)
@click.option("--strict", is_flag=True, help="A call that no operation covers is a violation too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write JUnit's XML as well."
)
def command(
    files: tuple[Path, ...], surfaces: tuple[str, ...], junit: Path | None, *, strict: bool, as_json: bool
) -> None:
    """Look for what the contracts do not allow in files of `servesim contract record`, or in HAR files.

    \b
    servesim contract verify recording.jsonl
    servesim contract verify browser.har --surface control

    Every answer is checked, and every request that was answered well. Calls that no operation covers are listed, those
    of other surfaces left out.

    Exit code 0: the contracts allow it all, 1: they do not, 2: wrong usage, or a file cannot be read, 5: nothing in
    the files could be checked.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    among = tuple(name for name in SURFACES if name in (surfaces or OF_A_WORKSPACE))
    try:
        exchanges = [exchange for file in files for exchange in read_recording(file)]
    except Unreadable as error:
        raise click.BadParameter(plain(str(error)), param_hint="FILE") from error
    results = verify(exchanges, among, strict=strict)
    name = ", ".join(map(str, files))
    if as_json:
        show({"files": [str(file) for file in files], "exchanges": len(exchanges), **cases_document(results)})
    else:
        show_table(results, f"{plain(name)}, {len(exchanges)} exchanges")
    if junit is not None:
        try:
            write_junit(junit, results, f"verify {name}")
        except OSError as error:
            raise click.BadParameter(
                f"{plain(str(junit))} cannot be written: {error.strerror}", param_hint="--junit"
            ) from error
    if any(one.verdict == FAILED for one in results):
        sys.exit(VIOLATION)
    if all(one.verdict == SKIPPED for one in results):
        told = f"no exchange is a call of {', '.join(among)}" if exchanges else "there is no exchange"
        click.echo(f"Error: nothing was checked: {told} in {plain(name)}.", err=True)
        sys.exit(NOTHING)


def verify(exchanges: Iterable[Recorded], surfaces: tuple[str, ...], *, strict: bool = False) -> list[Result]:
    """Return a result for each operation that was called, as they were met, then one for each call that none covers."""
    covered: dict[str, tuple[Operation, Faults]] = {}
    others: dict[str, Result] = {}
    for exchange in exchanges:
        operation = find(exchange.method, exchange.path, surfaces)
        if operation is not None:
            _, faults = covered.setdefault(operation.id, (operation, {}))
            _count(faults, exchange, _wrong(exchange, operation, surfaces))
            continue
        if find(exchange.method, exchange.path) is not None:  # of a surface that was not asked for
            continue
        name = f"{exchange.method} {exchange.path}"
        if name not in others and len(others) < MOST_OTHERS:
            others[name] = _not_covered(exchange, name, strict=strict)
    return [*(_verified(operation, faults) for operation, faults in covered.values()), *others.values()]


def _count(faults: Faults, exchange: Recorded, wrong: Iterable[Wrong]) -> None:
    """Note what is wrong with an exchange, with the exchanges that had the same fault."""
    for one in wrong:
        key = (exchange.status, one.evidence, one.message)
        if key not in faults and len(faults) == MOST_WRONG:
            continue
        fault = faults.setdefault(key, Fault(one, exchange, [], set()))
        fault.places.append(exchange.where)
        fault.paths.add(exchange.path)


def _told(operation: Operation, fault: Fault) -> Wrong:
    """Return a fault with where it stands, ``r.jsonl, lines 1, 2, 3 and 11 more``."""
    places = list(dict.fromkeys(fault.places))
    if len(places) == 1:
        return fault.wrong
    numbers: dict[str, list[str]] = {}
    for place in places[:PLACES_SHOWN]:
        file, _, number = place.rpartition(" ")
        numbers.setdefault(file, []).append(number)
    shown = "; ".join(
        f"{file if len(of_it) == 1 else _several(file)} {', '.join(of_it)}" for file, of_it in numbers.items()
    )
    more = f" and {len(places) - PLACES_SHOWN:,} more" if len(places) > PLACES_SHOWN else ""
    path = fault.exchange.path if len(fault.paths) == 1 else operation.path
    call = f"{shown}{more}: {fault.exchange.method} {path} -> {fault.exchange.status}"
    return fault.wrong._replace(call=call)


def _several(unit: str) -> str:
    """Return the plural of what a place ends in: a line of a recording, or an entry of a HAR file."""
    return f"{unit[:-1]}ies" if unit.endswith("entry") else f"{unit}s"


def _verified(operation: Operation, faults: Faults) -> Result:
    wrong = [_told(operation, fault) for fault in faults.values()]
    case = Verified(operation.id, operation.surface, str(operation.spec.get("summary", "")))
    verdict = FAILED if wrong else PASSED
    return Result(case, verdict, tuple(wrong), evidence=((operation.id, operation.evidence.grade),))


def _not_covered(exchange: Recorded, name: str, *, strict: bool) -> Result:
    case = Verified(name, "-", "A call that no operation of the contracts covers.")
    if strict:
        return Result(case, FAILED, (Wrong(_call(exchange), "", "", "no operation of the contracts covers it"),))
    return Result(case, SKIPPED, why="not covered by the contracts")


def _wrong(exchange: Recorded, operation: Operation, surfaces: tuple[str, ...]) -> Iterator[Wrong]:
    """Yield what the contracts do not allow; of a body that was left out nothing is said."""
    known = responses(operation).get(str(exchange.status))
    grade = operation.evidence.grade if known is None else evidence(known[1]).grade
    for violation in _of_response(exchange, surfaces):
        yield Wrong(_call(exchange), operation.id, grade, f"{violation.where}: {violation.message}")
    if 200 <= exchange.status < 300:  # noqa: PLR2004 - what the service refused need not be allowed
        for violation in _of_request(exchange, surfaces):
            told = f"{violation.where}: {violation.message}, and was answered {exchange.status}"
            yield Wrong(_call(exchange), operation.id, operation.evidence.grade, told)


def _of_response(exchange: Recorded, surfaces: tuple[str, ...]) -> list[Violation]:
    content_type, body = exchange.response
    found = response_violations(
        exchange.method,
        exchange.path,
        exchange.status,
        content_type,
        body or b"",
        headers=dict.fromkeys(exchange.headers, ""),
        surfaces=surfaces,
    )
    return [one for one in found if body is not None or not one.where.startswith("response body")]


def _of_request(exchange: Recorded, surfaces: tuple[str, ...]) -> list[Violation]:
    content_type, body = exchange.request
    found = request_violations(
        exchange.method, exchange.path, exchange.query, content_type, body or b"", surfaces=surfaces
    )
    return [one for one in found if body is not None or not one.where.startswith("request body")]


def _call(exchange: Recorded) -> str:
    return f"{exchange.where}: {exchange.method} {exchange.path} -> {exchange.status}"
