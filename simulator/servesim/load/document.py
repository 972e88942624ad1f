"""The document of a load run, ``run.json``: its form, and what reports read out of it."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import jsonschema_rs

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1

_ROUNDED = 0.001
"""Seconds by which a span may be off for being written in decimals."""

PASS, FAIL, INCONCLUSIVE = OUTCOMES = ("pass", "fail", "inconclusive")

Run: TypeAlias = dict[str, Any]
"""A document that was read; its keys are those of the schema."""


class NoRun(ValueError):  # noqa: N818 - named for what is so
    """What was to be a run's document is none."""


_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_NUMBER = {"type": "number"}
_SPAN = {"type": "number", "minimum": 0}
_MEASURED = {"type": ["number", "null"]}
_COUNTS = {"type": "object", "additionalProperties": _COUNT}
_SHARES = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0, "maximum": 100}}
_STATES = {"type": ["object", "null"], "additionalProperties": _NUMBER}
_OUTCOME = {"enum": list(OUTCOMES)}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "required": [*required], "properties": {**required, **(optional or {})}}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _latency(*names: str) -> dict[str, Any]:
    return {"type": ["object", "null"], "properties": dict.fromkeys(names, _MEASURED)}


_JUDGEMENT = _object(
    {
        "name": _TEXT,
        "from_s": _SPAN,
        "to_s": _SPAN,
        "outcome": _OUTCOME,
        "why": _TEXT,
        "split": _SHARES,
        "detect": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100},
        "alpha": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "power": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "floor": _SPAN,
        "requests": _COUNT,
        "requests_planned": _COUNT,
        "counts": _COUNTS,
        "estimate": _SHARES,
        "unattributed": _COUNT,
        "greatest_e_value": _NUMBER,
    },
    {"remarks": _list(_TEXT), "retries": _COUNTS},
)
_SECOND = _object(
    {
        "s": _SPAN,
        "entities": _COUNTS,
        "unattributed": _COUNT,
        "statuses": _COUNTS,
        "latency_ms": _latency("p50", "p95", "p99"),
    },
    {"users": _MEASURED, "log_e": _MEASURED, "split": {**_SHARES, "type": ["object", "null"]}}
    | {"provisioned": _STATES, "held": _STATES},
)
SCHEMA: dict[str, Any] = _object(
    {
        "format": {"const": FORMAT},
        "test": _TEXT,
        "outcome": _OUTCOME,
        "seconds": _SPAN,
        "judgements": _list(_JUDGEMENT),
        "checks": _list(
            _object({"name": _TEXT, "outcome": _OUTCOME, "why": _TEXT}, {"limit": _MEASURED, "value": _MEASURED})
        ),
        "requests": _object(
            {"count": _COUNT, "errors": _COUNT, "rps": _SPAN},
            {
                "seconds": _SPAN,
                "retries": _COUNT,
                "latency_ms": _latency("p50", "p95", "p99", "max"),
                "by_status": _COUNTS,
                "by_format": _COUNTS,
            },
        ),
        "series": _list(_SECOND),
    },
    {
        "endpoint": {"type": ["string", "null"]},
        "url": {"type": ["string", "null"]},
        "simulated": {"type": "boolean"},
        "users": _COUNT,
        "processes": _COUNT,
        "phases": _list(
            _object({"name": _TEXT, "from_s": _SPAN, "to_s": _SPAN}, {"split": {**_SHARES, "type": ["object", "null"]}})
        ),
        "capacity": {"type": ["array", "null"], "items": {"type": "object"}},
        "notes": _list(_TEXT),
    },
)
"""Keys that are not named are kept and not read."""


def read_run(path: Path) -> Run:
    """Read a document from a file; raise NoRun, OSError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise NoRun(f"{path} is no JSON: {error}") from error
    try:
        return checked(found)
    except NoRun as error:
        raise NoRun(f"{path}: {error}") from error


def checked(document: Any) -> Run:
    """Return a document that has the form of a run; raise NoRun."""
    stated = document.get("format") if isinstance(document, dict) else None
    if stated != FORMAT:
        raise NoRun(f"a run of `servesim load` says format {FORMAT}, and this says {stated!r}")
    try:
        _validator().validate(document)
    except jsonschema_rs.ValidationError as error:
        place = "/".join(map(str, error.instance_path)) or "the document"
        raise NoRun(f"at {place}: {error.message[:300]}") from error
    run: Run = document
    return run


def write_run(path: Path, run: Run) -> None:
    """Write a document to a file, the same bytes for the same run; raise OSError."""
    path.write_text(json.dumps(run, indent=1, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


class Point(NamedTuple):
    """How far a judgement was at an instant: the answers by entity until then, and those of the second before it."""

    at_s: float
    counts: dict[str, int]
    last: dict[str, int]


def points(run: Run, judgement: dict[str, Any]) -> list[Point]:
    """Return how a judgement's answers grew, second by second; the last point is what it counted in the end.

    Seconds that lie in it in part only hold answers that it doesn't count, and are left out.
    """
    counts: dict[str, int] = {}
    made = []
    for row in whole_seconds(run, judgement):
        counts = {name: counts.get(name, 0) + row["entities"].get(name, 0) for name in {**counts, **row["entities"]}}
        made.append(Point(row["s"] + 1, counts, row["entities"]))
    if sum(judgement["counts"].values()) > sum(counts.values()):
        made.append(Point(judgement["to_s"], judgement["counts"], {}))
    return made


def whole_seconds(run: Run, judgement: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the series that lie in a judgement's time."""
    first, last = judgement["from_s"] - _ROUNDED, judgement["to_s"] + _ROUNDED
    return [row for row in run["series"] if first <= row["s"] and row["s"] + 1 <= last]


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


@lru_cache(maxsize=1)
def _validator() -> Any:
    return jsonschema_rs.validator_for(SCHEMA)
