"""What calls belong to: a retired generation, something that has a date, or neither; and what takes their place."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.core.calendar import AUTO_CAPTURE, LEGACY, SERVERLESS_PREVIEW
from servesim.delivery.migration.scan_patterns import control, new_address, scoring
from servesim.delivery.migration.scan_words import BY_ID, OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servesim.delivery.migration.report_calls import Call, Caller

KEYS = ("dataframe_split", "dataframe_records", "instances", "inputs")
AS_IT_WAS = "as it was"
_GA_SCORING = re.compile(r"/serving-endpoints/[^/]+/(?:served-models/[^/]+/)?invocations")
_STAGES = re.compile(
    r"/api/2\.0/mlflow/(?:databricks/)?(?:model-versions/transition-stage|registered-models/get-latest-versions)"
)
_ENDPOINTS = "/api/2.0/serving-endpoints"
_ANSWER = "; the answer has predictions below the key predictions"


class Verdict(NamedTuple):
    """What a call belongs to."""

    rule: str
    ends: str
    is_new: bool
    instead: str
    body: str
    """How its body changes; empty where ``instead`` says it all."""


class Group:
    """Calls of one kind."""

    def __init__(self, call: Call, verdict: Verdict) -> None:
        """Begin with none."""
        self.verdict = verdict
        self.method, self.path = call.method, call.path
        self.calls = 0
        self.refused = 0
        self.first: int | None = None
        self.last: int | None = None
        self.callers: dict[Caller, int] = {}
        self.bodies: dict[str, int] = {}

    def add(self, call: Call, body: str) -> None:
        """Count a call, whose body changes in this way."""
        self.calls += 1
        self.refused += call.status >= 400  # noqa: PLR2004 - a refusal
        if call.at is not None:
            self.first = call.at if self.first is None else min(self.first, call.at)
            self.last = call.at if self.last is None else max(self.last, call.at)
        self.callers[call.caller] = self.callers.get(call.caller, 0) + 1
        if body:
            self.bodies[body] = self.bodies.get(body, 0) + 1


class Judged(NamedTuple):
    """All calls, by what they belong to."""

    groups: list[Group]
    calls: int
    scoring: dict[Caller, int]
    """Scoring calls of any generation, by caller."""


def judge(calls: Iterable[Call]) -> Judged:
    """Sort calls by what they belong to; the earliest end comes first."""
    groups: dict[tuple[str, str, str], Group] = {}
    asked: dict[Caller, int] = {}
    count = 0
    for call in calls:
        count += 1
        if scoring(call.path) is not None or _GA_SCORING.fullmatch(call.path):
            asked[call.caller] = asked.get(call.caller, 0) + 1
        verdict = verdict_of(call)
        if verdict is not None:
            key = (verdict.rule, call.method, call.path)
            groups.setdefault(key, Group(call, verdict)).add(call, verdict.body)
    return Judged(sorted(groups.values(), key=lambda one: (one.verdict.rule, one.path)), count, asked)


def verdict_of(call: Call) -> Verdict | None:
    """Return what a call belongs to; None for one that nothing is wrong with."""
    path = call.path.rstrip("/")
    if (scored := scoring(path)) is not None:
        instead = f"{new_address(scored.model, scored.version)}."
        if scored.generation == LEGACY:
            return Verdict("SRV001", LEGACY, is_new=False, instead=instead, body=body_change(call))
        return Verdict("SRV002", SERVERLESS_PREVIEW, is_new=False, instead=instead, body=AS_IT_WAS)
    if (managed := control(path)) is not None:
        generation, operation = managed
        rule = "SRV003" if generation == LEGACY else "SRV004"
        return Verdict(rule, generation, operation == "enable", f"{OPERATIONS[operation]}.", "")
    if _STAGES.fullmatch(path):
        return Verdict("SRV007", "", is_new=False, instead=BY_ID["SRV007"].instead, body="")
    return _of_endpoints(call, path)


def _of_endpoints(call: Call, path: str) -> Verdict | None:
    """Return what is retired in a call that creates or changes an endpoint of Model Serving."""
    if not path.startswith(_ENDPOINTS) or call.method not in {"POST", "PUT"}:
        return None
    document = _document(call.body)
    config = document.get("config", document) if isinstance(document, dict) else {}
    if not isinstance(config, dict):
        return None
    capture = config.get("auto_capture_config")
    if isinstance(capture, dict) and capture.get("enabled") is True:
        return Verdict("SRV013", AUTO_CAPTURE, is_new=False, instead=BY_ID["SRV013"].instead, body="")
    if "served_models" in config:
        return Verdict("SRV006", "", is_new=False, instead=BY_ID["SRV006"].instead, body="")
    return None


def body_change(call: Call) -> str:
    """Say how the body of a call of legacy serving changes; what stands in it is not told."""
    if call.body is None:
        return "not written down; a bare one of MLflow 1.x goes below dataframe_split, dataframe_records or inputs"
    if call.content_type.partition(";")[0].strip().lower() == "text/csv":
        return AS_IT_WAS
    document = _document(call.body)
    if "numpy-split" in call.content_type or "pandas-split" in call.content_type or _is_split(document):
        return '{"dataframe_split": <the body>}, Content-Type: application/json' + _ANSWER
    if isinstance(document, list):
        key = "dataframe_records" if document and all(isinstance(one, dict) for one in document) else "inputs"
        return f'{{"{key}": <the body>}}, Content-Type: application/json{_ANSWER}'
    if isinstance(document, dict) and any(key in document for key in KEYS):
        return AS_IT_WAS
    return "not of a form that MLflow takes"


def _is_split(document: Any) -> bool:
    return isinstance(document, dict) and "data" in document and not any(key in document for key in KEYS)


def _document(body: bytes | None) -> Any:
    try:
        return json.loads(body or b"null")
    except (ValueError, RecursionError):
        return None
