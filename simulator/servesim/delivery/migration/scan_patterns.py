"""What calls of the retired generations look like in a text: URLs, words, and what takes the place of each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from servesim.core.calendar import LEGACY, SERVERLESS_PREVIEW
from servesim.delivery.migration.scan_words import LEGACY_OPERATIONS, OPERATIONS, PREVIEW_OPERATIONS
from servesim.delivery.migration.steps import endpoint_name

if TYPE_CHECKING:
    from collections.abc import Iterator

STAGES = ("Staging", "Production", "Archived")

_PART = r"(?:\{\{[^{}\n]{0,100}\}\}|\$?\{[^{}\n]{0,100}\}|[^/\s\"'`?#{}\\]){1,200}"
"""A part of a path; it may hold what a language puts values in by: ``{x}``, ``${x}``, ``{{ x }}``, ``%s``."""
_SCORING = re.compile(rf"/(?:ajax-)?(model|model-endpoint)/({_PART})/({_PART})/invocations(?![\w-])")
_JOINED = re.compile(
    r"/(?:ajax-)?(model|model-endpoint)/[\"'`]\s{0,9}(?:\+|\.|,|&|%|\|\|)[^\n]{0,120}?/invocations(?![\w-])"
)
"""The same where parts are joined: ``"/model/" + name + "/" + stage + "/invocations"``."""
_PREVIEW = re.compile(
    rf"(?:(?:mlflow|model-serving-api)/endpoints-v2(?:/({'|'.join(PREVIEW_OPERATIONS)}))?"
    rf"|(?<![\w-])endpoints-v2/({'|'.join(PREVIEW_OPERATIONS)}))(?![\w-])"
)
_LEGACY = re.compile(
    rf"(?:(?:2\.0|preview)/mlflow/endpoints(?:/({'|'.join(LEGACY_OPERATIONS)}))?"
    rf"|mlflow/endpoints/({'|'.join(LEGACY_OPERATIONS)}))(?![\w-])"
)
_STATE = re.compile(
    r"(?<![\w-])(?:(ENDPOINT)_STATE_(?:PENDING|READY|FAILED)|(VERSION)_STATE_(?:PENDING|LAUNCHING|READY|FAILED)"
    r"|SERVICE_STATE_(?:UNKNOWN|PENDING|READY|FAILED|RETRY_REQUESTED))(?![\w-])"
)
_STAGE_URI = re.compile(r"models:/([^/\s\"'`?#@]{1,200})/(Staging|Production|Archived)(?![\w.-])", re.IGNORECASE)
_STAGE_CALL = re.compile(
    r"(?<![\w-])(?:transition_model_version_stage|get_latest_versions"
    r"|model-versions/transition-stage|registered-models/get-latest-versions)(?![\w-])"
)
_SERVED_MODELS = re.compile(r"(?<![\w/.-])served_models(?=[\"'`]?\s*[\]=:{(]|\s*\{)|\bServedModelInput(?=\s*\()")
_FORMAT = re.compile(r"format\s*=\s*pandas-(?:split|records)(?![\w-])|application/json-numpy-split")
_CAPTURE = re.compile(r"\bauto_capture_config\b|\bAutoCaptureConfigInput\b")
_NO_CAPTURE = re.compile(
    r"auto_capture_config[\"']?\s*[:=]\s*(?:None|null|\{\s*\})|\benabled[\"']?\s*[:=]\s*(?:false|False)"
)
_SIZE_ID = re.compile(r"\bworkload_size_id\b")
_RECORDS = re.compile(r"\bdataframe_records\b")
_OF_MLFLOW = re.compile(r"mlflow|databricks|endpoints-v2|registered_model_name|/invocations", re.IGNORECASE)
_OPEN = re.compile(r"[{}$%<>]")


class Hit(NamedTuple):
    """Something that a rule looks for, at a place in a line."""

    rule: str
    start: int
    """Characters before it."""
    end: int
    found: str
    ends: str | None = None
    """What of the calendar takes it away, where it is not what the rule says."""
    instead: str = ""
    """What takes the place of this one, where the rule's sentence can be made definite."""
    is_new: bool = False
    """Whether it begins something, so that it fails from the day on which nothing new begins."""


class Scoring(NamedTuple):
    """A scoring path of a retired generation."""

    generation: str
    model: str
    version: str
    """A number, or a stage."""


class Context(NamedTuple):
    """What a whole text says about words that may mean something else."""

    is_of_mlflow: bool
    states_of: str
    """The generation that states of endpoints belong to, which have the same names in both."""


def context(text: str) -> Context:
    """Look at a whole text once."""
    is_preview = "endpoints-v2" in text and "mlflow/endpoints/" not in text
    return Context(_OF_MLFLOW.search(text) is not None, SERVERLESS_PREVIEW if is_preview else LEGACY)


def hits(line: str, around: Context) -> Iterator[Hit]:
    """Yield what rules find in a line, but for what needs its syntax."""
    yield from urls(line)
    for match in _FORMAT.finditer(line):
        yield _hit("SRV010", match)
    for match in _SERVED_MODELS.finditer(line):
        yield _hit("SRV006", match)
    for match in _SIZE_ID.finditer(line):
        yield _hit("SRV014", match)
    if (capture := _CAPTURE.search(line)) and not _NO_CAPTURE.search(line):
        yield _hit("SRV013", capture)
    if (records := _RECORDS.search(line)) is not None:
        yield _hit("SRV012", records)
    if around.is_of_mlflow:
        yield from _words(line, around)


def urls(line: str) -> Iterator[Hit]:
    """Yield the URLs of retired calls, and those of models by their stages."""
    yield from _scoring_urls(line)
    for pattern, rule in ((_LEGACY, "SRV003"), (_PREVIEW, "SRV004")):
        for match in pattern.finditer(line):
            operation = match[1] or match[2] or ""
            instead = f"{OPERATIONS[operation]}." if operation else ""
            yield _hit(rule, match)._replace(instead=instead, is_new=operation == "enable")
    for match in _STAGE_URI.finditer(line):
        yield _hit("SRV008", match)._replace(instead=f"models:/main.ml.{match[1]}@{match[2].lower()}.")


def models_in(text: str) -> set[str]:
    """Return the models that a text names: in scoring URLs and in URIs; endpoints stand for the models they serve."""
    named = {match[2] for match in _SCORING.finditer(text)}
    named |= set(re.findall(r"models:/([^/\s\"'`?#@]{1,200})[/@]", text))
    endpoints = re.findall(r"/serving-endpoints/([\w-]{1,100})/(?:served-models/[\w-]{1,100}/)?invocations", text)
    named |= set(endpoints) | {re.sub(r"-(Staging|Production)$", "", name) for name in endpoints}
    return {unquote(name) for name in named if "{" not in name and "$" not in name and name != "%s"}


def scoring(path: str) -> Scoring | None:
    """Read a path as it was called; None if it is no scoring path of a retired generation."""
    match = _SCORING.fullmatch(path)
    if match is None:
        return None
    generation = LEGACY if match[1] == "model" else SERVERLESS_PREVIEW
    return Scoring(generation, unquote(match[2]), unquote(match[3]))


def control(path: str) -> tuple[str, str] | None:
    """Return generation and operation of a path as it was called; None if it is of neither."""
    for pattern, generation in ((_PREVIEW, SERVERLESS_PREVIEW), (_LEGACY, LEGACY)):
        match = pattern.search(path)
        if match is not None and match.end() == len(path) and (match[1] or match[2]):
            return generation, match[1] or match[2]
    return None


def new_address(model: str, version: str) -> str:
    """Say where to score instead; the endpoint of a stage has the published name."""
    stage = next((stage for stage in STAGES if stage.lower() == version.lower()), "")
    if _OPEN.search(model + version):  # a program puts something in
        names = [model.replace("{}", "{model}"), stage or version.replace("{}", "{stage}")]
        return f"POST /serving-endpoints/{'-'.join(names)}/invocations"
    serves = "" if stage else f", of an endpoint that serves version {version}"
    return f"POST /serving-endpoints/{endpoint_name(model.rsplit('.', 1)[-1], stage)}/invocations{serves}"


def _scoring_urls(line: str) -> Iterator[Hit]:
    for match in _SCORING.finditer(line):
        if _is_at_root(line, match.start()):
            instead = new_address(unquote(match[2]), match[3])
            yield _hit("SRV001" if match[1] == "model" else "SRV002", match)._replace(instead=f"{instead}.")
    for match in _JOINED.finditer(line):
        if _is_at_root(line, match.start()):
            yield _hit("SRV001" if match[1] == "model" else "SRV002", match)


def _is_at_root(line: str, start: int) -> bool:
    """Tell whether a path begins there: what stands before it is a host, a value or a quote, and no other part."""
    before = re.split(r"[\s\"'`]", line[max(0, start - 300) : start])[-1]
    return "/" not in re.sub(r"^.*?://", "", before).replace("{}", "")


def _words(line: str, around: Context) -> Iterator[Hit]:
    for match in _STAGE_CALL.finditer(line):
        yield _hit("SRV007", match)
    for match in _STATE.finditer(line):
        ends = around.states_of if match[1] else LEGACY if match[2] else SERVERLESS_PREVIEW
        yield _hit("SRV005", match)._replace(ends=ends)


def _hit(rule: str, match: re.Match[str]) -> Hit:
    return Hit(rule, match.start(), match.end(), match[0])
