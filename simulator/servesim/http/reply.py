"""What a route answers, and errors in the envelope of each surface."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.generations import ga_texts
from servesim.service import injected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from servesim.core.errors import Code, Rejected
    from servesim.generations.text import Text

JSON = "application/json"

SERVED_MODEL_HEADER = "Served-Model-Name"
"""Read by the SDKs."""
REQUEST_ID_HEADER = "X-Request-Id"
"""Chosen: which header carries the id of a scoring request is not known."""

EVIDENCE_HEADER = "X-Servesim-Evidence"
"""A request that has it, whatever its value, gets the grade of its answer in the same header."""
INJECTED = injected.GRADE
"""The grade of an answer that shows what a fault did that somebody ordered."""


class Trouble(NamedTuple):
    """What ordered faults did to an answer."""

    numbers: tuple[int, ...]
    effects: tuple[str, ...]
    """Of each number."""
    ends: int | None = None
    """After how many bytes of the body the connection ends; below 0 before the answer; None if it stays."""


class FilePart(NamedTuple):
    """Some bytes of a file on disk, which stays as it is; an answer to HEAD names them and sends none."""

    path: Path
    offset: int
    length: int


class Reply(NamedTuple):
    """An answer on its way out; ``grade`` says how its shape or text is known."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = MappingProxyType({})
    grade: str = ""
    trouble: Trouble | None = None
    file: FilePart | None = None
    """What is sent in place of the body."""


def graded(reply: Reply) -> Reply:
    """Return an answer that says in a header how it is known."""
    return reply._replace(headers={**reply.headers, EVIDENCE_HEADER: reply.grade})


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


def refusal(rejected: Rejected, request_id: str, texts: Mapping[Code, Text] = ga_texts.TEXTS) -> Reply:
    """Answer with what the world refused, in the words of a table."""
    text, message = ga_texts.describe(rejected, texts)
    envelope = _scoring_error if rejected.code in ga_texts.SCORING else error
    return envelope(text.status, text.error_code, message, request_id, text.grade)
