"""What a route answers, and errors in the envelope of each surface."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.generations import ga_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servesim.core.errors import Rejected

JSON = "application/json"

SERVED_MODEL_HEADER = "Served-Model-Name"
"""Read by the SDKs."""
REQUEST_ID_HEADER = "X-Request-Id"
"""Chosen: which header carries the id of a scoring request is not known."""


class Reply(NamedTuple):
    """An answer on its way out; ``grade`` says how its shape or text is known."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = MappingProxyType({})
    grade: str = ""


def encode(document: Any) -> bytes:
    """Write JSON in ASCII, so that no string that a client sent can fail to be answered."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def error(status: int, error_code: str | int, message: str, request_id: str, grade: str) -> Reply:
    """Answer with the envelope of the control plane."""
    info = {
        "@type": "type.googleapis.com/google.rpc.RequestInfo",
        "request_id": request_id,
        "serving_data": "",
    }
    document = {"error_code": error_code, "message": message, "details": [info]}
    return Reply(status, encode(document), grade=grade)


def _scoring_error(status: int, error_code: str, message: str, request_id: str, grade: str) -> Reply:
    """Answer with the envelope of the data plane, which is recorded without ``details``."""
    document = {"error_code": error_code, "message": message}
    return Reply(status, encode(document), headers={REQUEST_ID_HEADER: request_id}, grade=grade)


def refusal(rejected: Rejected, request_id: str) -> Reply:
    """Answer with what the world refused."""
    text, message = ga_texts.describe(rejected)
    envelope = _scoring_error if rejected.code in ga_texts.SCORING else error
    return envelope(text.status, text.error_code, message, request_id, text.grade)
