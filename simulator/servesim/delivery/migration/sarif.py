"""SARIF 2.1.0, the form in which code hosts take what a check has found (OASIS standard, 27 March 2020)."""

from __future__ import annotations

import json
import os
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import servesim

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
VERSION = "2.1.0"
ROOT = "SRCROOT"


class SarifRule(NamedTuple):
    """A rule; ``level`` is error, warning or note."""

    id: str
    name: str
    short: str
    help: str
    level: str


class SarifResult(NamedTuple):
    """Something that a rule found; columns count characters from 1, the last is the one behind it."""

    rule: str
    level: str
    message: str
    path: str
    line: int
    column: int
    end_column: int
    is_silenced: bool
    properties: dict[str, Any]


def log(
    name: str, rules: Sequence[SarifRule], results: Iterable[SarifResult], notes: Iterable[tuple[str, str]]
) -> dict[str, Any]:
    """Return a log of one run; ``notes`` are paths that were passed over, each with the reason."""
    index = {rule.id: number for number, rule in enumerate(rules)}
    driver = {
        "name": name,
        "semanticVersion": servesim.__version__,
        "rules": [_rule(rule) for rule in rules],
    }
    told = [
        {"level": "note", "message": {"text": f"{path}: {why}"}, "descriptor": {"id": "skipped"}} for path, why in notes
    ]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": told}],
        "results": [_result(result, index[result.rule]) for result in results],
    }
    return {"$schema": SCHEMA, "version": VERSION, "runs": [run]}


def _rule(rule: SarifRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.short},
        "help": {"text": rule.help},
        "defaultConfiguration": {"level": rule.level},
    }


def _result(result: SarifResult, index: int) -> dict[str, Any]:
    region = {"startLine": result.line, "startColumn": result.column, "endColumn": result.end_column}
    document: dict[str, Any] = {
        "ruleId": result.rule,
        "ruleIndex": index,
        "level": result.level,
        "message": {"text": result.message},
        "locations": [{"physicalLocation": {"artifactLocation": _artifact(result.path), "region": region}}],
        "properties": result.properties,
    }
    if result.is_silenced:
        document["suppressions"] = [{"kind": "inSource"}]
    return document


def _artifact(path: str) -> dict[str, str]:
    """Return where a file is: below the root that whoever reads the log knows, or as an address by itself."""
    pure = PurePath(path)
    if pure.is_absolute():
        return {"uri": pure.as_uri()}
    return {"uri": quote(os.fsencode(pure.as_posix())), "uriBaseId": ROOT}


def written(document: dict[str, Any]) -> str:
    """Return a log as text."""
    return json.dumps(document, indent=2)
