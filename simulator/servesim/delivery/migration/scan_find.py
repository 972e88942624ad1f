"""What ``servesim migrate scan`` finds in a file: rules over its lines, and over its syntax where that tells more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from servesim.delivery.migration.scan_patterns import Hit, context, hits, models_in
from servesim.delivery.migration.scan_python import SCORING, python_hits
from servesim.delivery.migration.scan_source import EVERYTHING, Line, Source, sources
from servesim.delivery.migration.scan_words import BY_ID, NOTE, WARNING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from servesim.delivery.migration.scan_words import Rule

RECORDS = "SRV012"
LONGEST_FOUND = 100
_SENT = re.compile(
    r"(?:\s-d|--data(?:-raw|-binary)?)[\s=]\s{0,9}\$?[\"'](?:(\[)|\{\s{0,9}\\?[\"'](?:columns|index|data)\\?[\"']\s{0,9}:)"
    r"|JSON\.stringify\(\s{0,9}(?:(\[)|\{\s{0,9}[\"']?(?:columns|index)[\"']?\s{0,9}:)"
)
"""A body of MLflow 1.x that curl or JavaScript sends."""


class Finding(NamedTuple):
    """Something that a rule looks for, and where it stands in a file."""

    rule: Rule
    path: str
    line: int
    column: int
    end_column: int
    cell: str
    found: str
    severity: str
    ends: str
    """What of the calendar takes it away; empty where no date does."""
    instead: str
    is_new: bool
    """Whether it fails from the day on which nothing new begins."""
    is_silenced: bool


def find(text: str, path: str, suffix: str, signatures: Mapping[str, bool]) -> list[Finding]:
    """Return what stands in a file, in order; ``signatures`` tells of models whether they have one."""
    found = [finding for source in sources(text, suffix) for finding in _in_source(source, path, signatures)]
    return sorted(found, key=lambda one: (one.line, one.column, one.rule.id))


def _in_source(source: Source, path: str, signatures: Mapping[str, bool]) -> Iterator[Finding]:
    text = source.text
    unsigned = _unsigned(text, signatures)
    is_told = False
    for line, hit in _hits(source, text):
        severity, added = "", ""
        if hit.rule == RECORDS:
            if unsigned is None or (is_told and unsigned[0] == NOTE):
                continue  # what is not known is said once
            severity, added = unsigned
            is_told = True
        yield _finding(path, line, hit, severity, added)


def _finding(path: str, line: Line, hit: Hit, severity: str, added: str) -> Finding:
    rule = BY_ID[hit.rule]
    return Finding(
        rule,
        path,
        line.number,
        line.column(hit.start),
        line.column(hit.end),
        line.cell,
        (hit.found if len(hit.found) <= LONGEST_FOUND else f"{hit.found[: LONGEST_FOUND - 1]}…") + added,
        severity or rule.severity,
        rule.ends if hit.ends is None else hit.ends,
        hit.instead or rule.instead,
        hit.is_new,
        line.silenced == EVERYTHING or hit.rule in line.silenced,
    )


def _hits(source: Source, text: str) -> Iterator[tuple[Line, Hit]]:
    """Yield what is found by lines, then what only the syntax shows."""
    around = context(text)
    is_scoring = SCORING.search(text) is not None
    seen: set[tuple[str, int]] = set()
    told: set[tuple[str, str]] = set()
    for index, line in enumerate(source.lines):
        if not line.code:
            continue
        for hit in [*hits(line.code, around), *(_sent(line.code) if is_scoring else ())]:
            if hit.rule == RECORDS and (hit.rule, index) in seen:
                continue  # of one line
            seen.add((hit.rule, index))
            told.add((hit.rule, hit.found))
            yield line, hit
    for index, hit in python_hits(text) if source.is_python else ():
        if (hit.rule, index) not in seen and (hit.rule, hit.found) not in told:
            seen.add((hit.rule, index))
            yield source.lines[index], hit


def _sent(line: str) -> Iterator[Hit]:
    for match in _SENT.finditer(line):
        yield Hit("SRV011" if match[1] or match[2] else "SRV009", match.start(), match.end(), match[0].strip())


def _unsigned(text: str, signatures: Mapping[str, bool]) -> tuple[str, str] | None:
    """Return how bad records are for the models that a text names, and what to add; None if all have a signature."""
    models = sorted(models_in(text))
    without = [name for name in models if signatures.get(name) is False]
    if without:
        return WARNING, f" for {', '.join(without)}, which has no signature"
    if models and all(name in signatures for name in models):
        return None
    return NOTE, "; it is not known whether the model has a signature"
