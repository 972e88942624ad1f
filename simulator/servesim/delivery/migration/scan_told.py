"""What ``servesim migrate scan`` found, told to people, to programs, and as SARIF."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.delivery.admin_client import wrapped
from servesim.delivery.migration import sarif
from servesim.delivery.migration.due import day_of
from servesim.delivery.migration.scan_words import BY_ID, RULES
from servesim.service.documents import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from servesim.delivery.migration.due import Due
    from servesim.delivery.migration.scan_files import Walk
    from servesim.delivery.migration.scan_find import Finding
    from servesim.delivery.migration.scan_words import Rule

SHOWN_SKIPPED = 10


class Scan(NamedTuple):
    """What was found, where it was looked for, and which day counts."""

    everything: list[Finding]
    """With what comments silence."""
    walk: Walk
    due: Due

    @property
    def findings(self) -> list[Finding]:
        """What no comment silences."""
        return [one for one in self.everything if not one.is_silenced]

    @property
    def broken(self) -> list[Finding]:
        """What fails the run."""
        return [one for one in self.findings if self.due.is_broken(self.day(one))]

    def day(self, finding: Finding) -> int | None:
        """Return when something breaks; None if no day is known."""
        return self.due.breaks_on(finding.ends, is_new=finding.is_new)


def as_text(scan: Scan) -> str:
    """Tell it to people."""
    lines = [line for finding in scan.findings for line in _finding(scan, finding)]
    used = [rule for rule in RULES if any(one.rule is rule for one in scan.findings)]
    if used:
        lines += ["", "What to write instead:", *(line for rule in used for line in ("", *_rule(rule)))]
    return "\n".join([*lines, *([""] if lines else []), *_summary(scan), *_skipped(scan.walk)])


def _finding(scan: Scan, finding: Finding) -> Iterator[str]:
    cell = f" ({finding.cell})" if finding.cell else ""
    place = f"{plain(finding.path)}:{finding.line}:{finding.column}"
    yield f"{place}: {finding.rule.id} {finding.severity}: {_shown(finding.found)}{cell}"
    if finding.ends:
        yield f"    {scan.due.told(finding.ends, scan.day(finding))}"
    yield from wrapped(finding.instead, "    instead: ", "    ")


def _rule(rule: Rule) -> Iterator[str]:
    yield from wrapped(f"{rule.id} {rule.name}: {rule.what} {rule.instead}", "", "  ")
    yield from (f"  - {line}" for line in rule.before.splitlines())
    yield from (f"  + {line}" for line in rule.after.splitlines())


def explained(ids: Sequence[str]) -> str:
    """Tell what rules look for."""
    return "\n\n".join("\n".join(_rule(BY_ID[one])) for one in ids)


def _summary(scan: Scan) -> Iterator[str]:
    files = len(scan.walk.files)
    read = f"{files:,} file{'s' * (files != 1)}"
    silenced = len(scan.everything) - len(scan.findings)
    quiet = f"; {silenced} silenced" if silenced else ""
    if not scan.findings:
        yield f"Nothing of the retired generations in {read}{quiet}."
        return
    paths = len({one.path for one in scan.findings})
    count = len(scan.findings)
    broken = scan.due.counted(len(scan.broken))
    yield f"{count:,} finding{'s' * (count != 1)} in {paths:,} of {read}: {broken}{quiet}."


def _skipped(walk: Walk) -> Iterator[str]:
    reasons = Counter(one.why for one in walk.skipped)
    if walk.others:
        yield f"Not read: {walk.others:,} of other kinds."
    for why, count in reasons.items():
        paths = [plain(one.path) for one in walk.skipped if one.why == why]
        more = f" and {count - SHOWN_SKIPPED:,} more" if count > SHOWN_SKIPPED else ""
        yield f"Not read, {why}: {', '.join(paths[:SHOWN_SKIPPED])}{more}."


def _shown(found: str) -> str:
    return plain(" ".join(found.split()))


# --- programs -------------------------------------------------------------------------------------


def as_json(scan: Scan) -> str:
    """Tell it to programs."""
    document = {
        **scan.due.document(),
        "files": len(scan.walk.files),
        "findings": [_document(scan, one) for one in scan.findings],
        "broken": len(scan.broken),
        "silenced": len(scan.everything) - len(scan.findings),
        "skipped": [one._asdict() for one in scan.walk.skipped],
        "other_kinds": scan.walk.others,
    }
    return json.dumps(document, indent=2)


def _document(scan: Scan, finding: Finding) -> dict[str, Any]:
    rule, day = finding.rule, scan.day(finding)
    return {
        "rule": rule.id,
        "name": rule.name,
        "severity": finding.severity,
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "end_column": finding.end_column,
        "cell": finding.cell or None,
        "found": finding.found,
        "what": rule.what,
        "ends": finding.ends or None,
        "breaks_on": None if day is None else day_of(day),
        "broken": scan.due.is_broken(day),
        "instead": finding.instead,
        "before": rule.before,
        "after": rule.after,
    }


def as_sarif(scan: Scan) -> str:
    """Tell it to code hosts; what comments silence is there as suppressed."""
    rules = [
        sarif.SarifRule(
            rule.id,
            rule.name,
            rule.what,
            f"{rule.instead}\n\nBefore:\n{rule.before}\n\nAfter:\n{rule.after}",
            rule.severity,
        )
        for rule in RULES
    ]
    results = [_result(scan, one) for one in scan.everything]
    notes = [(one.path, one.why) for one in scan.walk.skipped]
    return sarif.written(sarif.log("servesim migrate scan", rules, results, notes))


def _result(scan: Scan, finding: Finding) -> sarif.SarifResult:
    day = scan.day(finding)
    told = scan.due.told(finding.ends, day)
    when = f" {told[0].upper()}{told[1:]}." if finding.ends else ""
    return sarif.SarifResult(
        finding.rule.id,
        finding.severity,
        f"{finding.rule.what}{when} Instead: {finding.instead}",
        finding.path,
        finding.line,
        finding.column,
        finding.end_column,
        finding.is_silenced,
        {"breaks_on": None if day is None else day_of(day), "found": finding.found},
    )
