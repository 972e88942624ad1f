"""Scoring as the servers of MLflow 1.x have it.

What changed when stands in the releases: 1.14.0 tells by the body which form a JSON request has, 1.20.0 reads the
parameters of a content type, 1.23.0 answers 400 to what it cannot parse (before: an error code without a status, so
500), 1.26.0 takes `inputs` of unequal lengths. That versions before 1.8 are like 1.8 is chosen.
"""

import json
import re
from typing import Any, Final

from servesim.payloads import protocol_texts, texts
from servesim.payloads.decode import loads
from servesim.payloads.frames import FrameError, to_table
from servesim.payloads.parse import CSV, JSON
from servesim.payloads.protocol import (
    ARRAY,
    TENSORS,
    Protocol,
    Translated,
    check_tensors,
    innermost,
    is_missing_from_array,
)
from servesim.payloads.refusal import Refused, plain
from servesim.payloads.texts import Text

NUMPY: Final = "application/json-numpy-split"

_FORMATS: Final = {"pandas-split": "split", "pandas-records": "records"}
_EXACT: Final = {
    CSV: "csv",
    JSON: "split",
    **{f"{JSON}; format={name}": form for name, form in _FORMATS.items()},
    NUMPY: "numpy",
}
_TENSORS: Final = frozenset({TENSORS, ARRAY})
_SPLIT_KEYS: Final = frozenset({"columns", "data", "index"})
_WRAPPED: Final = b'{"predictions": '
_NOT_CONVERTED: Final = re.compile(r"Failed to convert column (.*) to type '([\w\[\]]+)'\. Error: ", re.DOTALL)
_CONVERTED: Final = {"float64": "double", "datetime64[ns]": "datetime"}
"""Types whose conversion 1.x tries; of other numbers it only says that they do not fit."""
_NUMBERS_ONLY: Final = frozenset({"float32", "int64", "int32"})
_FAILURES: Final = {
    "numpy": protocol_texts.NOT_NUMPY,
    TENSORS: protocol_texts.NOT_TENSORS,
    ARRAY: protocol_texts.NOT_TENSORS,
    "csv": protocol_texts.NOT_CSV,
}


class Old(Protocol):
    """That of a version before 2.0."""

    __slots__ = ("_detects", "_even_inputs", "_exact", "_malformed")

    def __init__(self, version: tuple[int, int]) -> None:
        """Take the rules of a version, ``(major, minor)``."""
        self._detects = version >= (1, 14)
        self._exact = version < (1, 20)
        self._malformed = (500, "MALFORMED_REQUEST") if version < (1, 23) else (400, "BAD_REQUEST")
        self._even_inputs = version < (1, 26)

    def request(self, body: bytes, content_type: str | None) -> Translated:
        """Return a request as models read it; raise `Refused` as that version's scoring server refuses."""
        form = self._form(content_type)
        if form == "csv":
            return Translated(body, CSV, form)
        try:
            body.decode()
        except UnicodeDecodeError:  # nothing in that server catches it
            raise plain(500, protocol_texts.UNCAUGHT) from None
        document = self._read(body, form)
        if form == "any":
            form = self._form_of(document)
        if form == "tensors":
            return Translated(body, JSON, check_tensors(document, self._refusal, even_inputs=self._even_inputs))
        return self._frame(document, body, form)

    def outcome(self, status: int, body: bytes, form: str = "") -> tuple[int, bytes]:
        """Return status and body of a model's answer to a request of a form, as that version gives them."""
        if status == 200:  # noqa: PLR2004 - OK
            return status, _unwrapped(body)
        if status != 400 or not body.startswith(b"{"):  # noqa: PLR2004 - what models refuse
            return status, body
        refused = self._said(json.loads(body), form)
        return refused.status, refused.body()

    def _form(self, content_type: str | None) -> str:
        """Say by the content type which form a request has; ``any`` where the body tells."""
        if self._exact:
            form = _EXACT.get(str(content_type))
            if form is None:
                raise plain(415, protocol_texts.UNKNOWN_TYPE_EXACT, got=content_type)
            return "any" if self._detects and content_type == JSON else form
        if content_type is None:  # the server's own code fails on a missing header
            raise plain(500, protocol_texts.UNCAUGHT)
        kind, *pairs = (part.strip() for part in content_type.split(";"))
        parameters = {name: value for name, _, value in (pair.partition("=") for pair in pairs)}
        if parameters.get("charset", "utf-8").lower() != "utf-8":
            raise plain(415, texts.ONLY_UTF8)
        named = parameters.get("format")
        form = {JSON: "any", CSV: "csv", NUMPY: "numpy"}.get(kind) if not named else None
        if kind == JSON and named:
            form = _FORMATS.get(named)
        if form is None:
            raise plain(415, protocol_texts.UNKNOWN_TYPE, got=content_type)
        return form

    def _form_of(self, document: Any) -> str:
        if isinstance(document, list):
            return "records"
        if not isinstance(document, dict):
            raise self._refusal(protocol_texts.NOT_A_CONTAINER)
        return "tensors" if "instances" in document or "inputs" in document else "split"

    def _read(self, body: bytes, form: str) -> Any:
        try:
            if body.startswith(b"\xef\xbb\xbf") or b"\0" in body[:4]:
                raise _unreadable("Unexpected UTF-8 BOM or UTF-16")
            return loads(body)
        except Refused as refused:
            text = protocol_texts.NOT_JSON if form == "any" else _failure(form)
            raise self._refusal(text, refused.message.partition("\nInput:")[0], orient=form) from None

    def _frame(self, document: Any, body: bytes, form: str) -> Translated:
        """Return a table in the form of 2.0: the bytes that came, unless pandas reads what 2.0 does not take."""
        try:
            if form == "records":
                table = to_table(document)
                if isinstance(document, list):
                    return Translated(b'{"dataframe_records": %b}' % body, JSON, form)
                return Translated(json.dumps({"dataframe_records": table.records()}).encode(), JSON, form)
            _check_split(document, form)
            to_table(document.get("data", []), document.get("columns"), document.get("index"))
        except FrameError as error:
            raise self._refusal(_failure(form), f"ValueError: {error}", orient=form) from error
        if "data" not in document:
            body = json.dumps({**document, "data": []}).encode()
        return Translated(b'{"dataframe_split": %b}' % body, JSON, form)

    def _said(self, document: dict[str, Any], form: str) -> Refused:
        """Say a model's refusal in the words of that version."""
        message, trace = str(document.get("message", "")), document.get("stack_trace")
        if message.startswith(protocol_texts.NOT_CSV.template):
            return self._refusal(protocol_texts.NOT_CSV, message.removeprefix(protocol_texts.NOT_CSV.template).strip())
        if message.startswith("Invalid input. "):
            failed = None if form in _TENSORS else _NOT_CONVERTED.search(message)
            message = _not_converted(failed[1], failed[2]) if failed else ""
            if not message:
                return self._refusal(_failure(form), str(document["message"]), orient=form)
        elif message.startswith("Failed to predict data "):
            message = innermost(message)
            if is_missing_from_array(message, form):
                return self._refusal(protocol_texts.NOT_TENSORS)
        return Refused(400, "BAD_REQUEST", message, stack_trace=trace)

    def _refusal(self, text: Text, trace: str = "", **fields: Any) -> Refused:
        status, code = self._malformed
        message = text.template.format(**fields) if fields else text.template
        evidence = text.evidence if status == 400 else "observed"  # noqa: PLR2004 - as 1.30.1 answers, which was recorded
        return Refused(status, code, message, evidence=evidence, stack_trace=trace or message)


def _check_split(document: Any, form: str) -> None:
    """Raise FrameError for what pandas does not take for the split orient of a table."""
    if not isinstance(document, dict):
        message = f"{type(document).__name__!r} object has no attribute 'items'"
        raise FrameError(message)
    unknown = [key for key in document if key not in _SPLIT_KEYS]
    if unknown:
        message = f"JSON data had unexpected key(s): {', '.join(unknown)}"
        raise FrameError(message)
    missing = sorted(_SPLIT_KEYS - document.keys()) if form == "numpy" else ()
    if missing:
        raise FrameError(missing[0])


def _failure(form: str) -> Text:
    return _FAILURES.get(form, protocol_texts.NOT_A_FRAME)


def _unwrapped(body: bytes) -> bytes:
    """Return the predictions alone, as the bytes that they are."""
    if body.startswith(_WRAPPED) and body.endswith(b"}"):
        return body[len(_WRAPPED) : -1]
    return body


def _unreadable(reason: str) -> Refused:
    return Refused(400, "BAD_REQUEST", reason)


def _not_converted(name: str, dtype: str) -> str:
    """Return what 1.x says of a value that is none of its column's type; empty where it could not be parsed at all."""
    if dtype in _CONVERTED:
        return protocol_texts.NOT_CONVERTED.template.format(name=name, kind=_CONVERTED[dtype])
    return texts.INCOMPATIBLE.format(name=name, held="object", dtype=dtype) if dtype in _NUMBERS_ONLY else ""
