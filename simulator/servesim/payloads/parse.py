"""From the bytes of a scoring request to a `Request`, in the order of decisions of MLflow's scoring server.

Content type, then JSON, then the unified LLM keys, then exactly one of four formats; unknown keys are dropped.
"""

from functools import lru_cache
from typing import Any, Final

from servesim.payloads import csv_table, texts
from servesim.payloads.decode import loads
from servesim.payloads.frames import from_records, from_split
from servesim.payloads.refusal import Refused, bad_request, not_implemented, plain
from servesim.payloads.request import Request
from servesim.payloads.signature import Signature

JSON: Final = "application/json"
CSV: Final = "text/csv"
PARQUET: Final = "application/vnd.apache.parquet"

FORMATS: Final = ("dataframe_split", "dataframe_records", "instances", "inputs")
_TYPES: Final = (CSV, JSON, PARQUET)


def parse(body: bytes, content_type: str | None, signature: Signature | None = None) -> Request:
    """Return the request in a body, or raise `Refused` with what the scoring server answers.

    The signature decides which top-level keys of a unified request are parameters; `enforce` applies the rest of it.
    """
    kind = media_type(content_type)
    if kind == CSV:
        return Request("csv", csv_table.read(body, signature))
    if kind == PARQUET:
        raise not_implemented(texts.PARQUET_NEEDS_MLFLOW)
    document = loads(body)
    if not isinstance(document, dict):
        raise _not_a_dict(document)
    if "messages" in document or "prompt" in document or "input" in document:
        return _unified(document, signature)
    return _formatted(document)


@lru_cache(maxsize=128)
def media_type(content_type: str | None, known: tuple[str, ...] = _TYPES) -> str:
    """Return the type without its parameters, or raise the `Refused` of one that is not known."""
    if content_type is None:  # the server's own code fails on a missing header
        raise plain(500, texts.INTERNAL_SERVER_ERROR)
    kind, *pairs = (part.strip() for part in content_type.split(";"))
    parameters = {name: value for name, _, value in (pair.partition("=") for pair in pairs)}
    if parameters.pop("charset", "utf-8").lower() != "utf-8":
        raise plain(415, texts.ONLY_UTF8)
    if parameters:
        raise plain(415, texts.UNKNOWN_PARAMETERS, names=", ".join(parameters))
    if kind not in known:
        raise plain(415, texts.UNKNOWN_TYPE, types=list(known), got=content_type)
    return kind


def _not_a_dict(document: Any) -> Refused:
    if isinstance(document, list):
        return bad_request(texts.JSON_IS_LIST)
    return bad_request(texts.JSON_IS_SCALAR, got=type(document).__name__)


def _unified(document: dict[str, Any], signature: Signature | None) -> Request:
    names = {param.name for param in (signature and signature.params) or ()}
    data = {key: value for key, value in document.items() if key not in names}
    params = {key: value for key, value in document.items() if key in names}
    return Request("unified", data, params)


def _formatted(document: dict[str, Any]) -> Request:
    present = [key for key in document if key in FORMATS]
    if len(present) != 1:
        raise bad_request(texts.NOT_ONE_FORMAT, fields=present)
    params = document.get("params")
    key = present[0]
    if key == "dataframe_split":
        return Request("dataframe_split", from_split(document[key]), params)
    if key == "dataframe_records":
        return Request("dataframe_records", from_records(document[key]), params)
    return Request("inputs" if key == "inputs" else "instances", document[key], params)
