"""``servesim migrate report``: which calls that were made break when a retired generation ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from servesim.delivery.admin_client import columns, show
from servesim.delivery.migration.due import day_of, due_options
from servesim.delivery.migration.report_calls import TOKEN, USER, Callers, read_har, read_journal
from servesim.delivery.migration.report_judge import judge
from servesim.delivery.migration.scan_words import BY_ID
from servesim.delivery.recording import Unreadable
from servesim.service.documents import plain
from servesim.service.instants import iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.delivery.migration.due import Due
    from servesim.delivery.migration.report_calls import Call, Caller
    from servesim.delivery.migration.report_judge import Group, Judged

BROKEN = 1
CALLERS_SHOWN = 5
ADVICE = "Programs should call as a service principal: with OAuth, or with a token of its own."
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True)


@click.command("report", short_help="See which recorded calls break.")
@click.option(
    "--journal", "journals", multiple=True, type=_FILE, metavar="FILE|-", help="What servesim wrote down; repeatable."
)
@click.option("--har", "hars", multiple=True, type=_FILE, metavar="FILE", help="What a browser or a proxy wrote down.")
@due_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def command(*, journals: tuple[Path, ...], hars: tuple[Path, ...], due: Due, as_json: bool) -> None:
    """Look for calls of retired generations among calls that were made: whose, how many, and what to call instead.

    \b
    servesim requests list --last 1000 --json > journal.json
    servesim migrate report --journal journal.json
    servesim migrate report --har browser.har --by 2026-04-01 --date serverless_preview=2026-04-01

    A journal is what `servesim requests list --json` prints, or a file of `servesim contract record`; the latter has no
    callers and no instants, the former no bodies. Who called is read from the tokens of a HAR file where these say so.
    Nothing that was sent is printed: no token, no query, no body.

    Exit code 0: nothing is broken, 1: something is (today, or before --by), 2: wrong usage, or a file cannot be read.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    if not journals and not hars:
        raise click.UsageError("Name what to read: --journal FILE or --har FILE.")
    judged = judge(_calls(journals, hars))
    broken = sum(group.calls for group in judged.groups if due.is_broken(_day(group, due)))
    if as_json:
        show({**due.document(), **_document(judged, due), "broken": broken})
    else:
        click.echo("\n".join(_lines(judged, due, broken)))
    if broken:
        sys.exit(BROKEN)


def _calls(journals: tuple[Path, ...], hars: tuple[Path, ...]) -> list[Call]:
    callers = Callers()
    option = "--journal"
    try:
        calls = [call for path in journals for call in read_journal(path, callers)]
        option = "--har"
        return calls + [call for path in hars for call in read_har(path, callers)]
    except Unreadable as error:
        raise click.BadParameter(f"{plain(str(error))}.", param_hint=option) from error


def _day(group: Group, due: Due) -> int | None:
    return due.breaks_on(group.verdict.ends, is_new=group.verdict.is_new)


# --- for people -----------------------------------------------------------------------------------


def _lines(judged: Judged, due: Due, broken: int) -> Iterator[str]:
    for group in judged.groups:
        yield from _group(group, due)
        yield ""
    users = {one: count for one, count in judged.scoring.items() if one.kind in {USER, TOKEN}}
    if users:
        yield ADVICE
        rows = [(one.name, one.kind, f"{count:,}") for one, count in users.items()]
        yield from (f"  {line}" for line in columns(("CALLER", "WITH", "SCORING CALLS"), rows))
        yield ""
    yield _summary(judged, due, broken)


def _summary(judged: Judged, due: Due, broken: int) -> str:
    changed = sum(group.calls for group in judged.groups)
    if not judged.calls:
        return "There is no call in what was read."
    if not changed:
        return f"{judged.calls:,} call{'s' * (judged.calls != 1)}, and none needs a change."
    return f"{changed:,} of {judged.calls:,} calls need a change: {due.counted(broken)}."


def _group(group: Group, due: Due) -> Iterator[str]:
    verdict = group.verdict
    calls = f"{group.calls:,} call{'s' * (group.calls != 1)}"
    refused = f", {group.refused:,} refused" if group.refused else ""
    yield f"{plain(group.method)} {plain(group.path)}: {calls}{refused}"
    yield f"    {verdict.rule} {BY_ID[verdict.rule].name}" + (
        f": {due.told(verdict.ends, _day(group, due))}" if verdict.ends else ""
    )
    if group.first is not None and group.last is not None:
        yield f"    seen: {iso(group.first)} to {iso(group.last)}"
    yield f"    by: {_callers(group.callers)}"
    yield f"    instead: {plain(verdict.instead)}"
    for body, count in group.bodies.items():
        some = f" ({count:,} of {group.calls:,})" if len(group.bodies) > 1 else ""
        yield f"    body{some}: {body}"


def _callers(callers: dict[Caller, int]) -> str:
    by_count = sorted(callers.items(), key=lambda one: (-one[1], one[0].name))
    more = f" and {len(by_count) - CALLERS_SHOWN:,} more" if len(by_count) > CALLERS_SHOWN else ""
    return ", ".join(f"{plain(one.name)} ({count:,})" for one, count in by_count[:CALLERS_SHOWN]) + more


# --- for programs ---------------------------------------------------------------------------------


def _document(judged: Judged, due: Due) -> dict[str, Any]:
    return {
        "calls": judged.calls,
        "retired": [_group_document(group, due) for group in judged.groups],
        "scoring_callers": [
            {**one._asdict(), "calls": count, "advice": ADVICE if one.kind in {USER, TOKEN} else None}
            for one, count in judged.scoring.items()
        ],
    }


def _group_document(group: Group, due: Due) -> dict[str, Any]:
    day = _day(group, due)
    return {
        "rule": group.verdict.rule,
        "method": group.method,
        "path": group.path,
        "calls": group.calls,
        "refused": group.refused,
        "first": None if group.first is None else iso(group.first),
        "last": None if group.last is None else iso(group.last),
        "ends": group.verdict.ends or None,
        "breaks_on": None if day is None else day_of(day),
        "broken": due.is_broken(day),
        "instead": group.verdict.instead,
        "bodies": [{"change": body, "calls": count} for body, count in group.bodies.items()],
        "callers": [{**one._asdict(), "calls": count} for one, count in group.callers.items()],
    }
