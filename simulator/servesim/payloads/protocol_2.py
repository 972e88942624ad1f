"""Scoring as the servers of MLflow 2.0 to 3.3 have it: they take what the newest takes, and refuse otherwise.

Until 2.5 nothing may stand beside `instances` or `inputs`, and a refusal names every key that was sent. 2.6 takes
`params` and drops other keys. 2.10 refuses as the newest does, in the same words: what does not fit the signature was
a 500 before. 2.10 reads `messages` without a wrapper, 2.11 also `prompt` and `input`. Until 2.20 the body is decoded
before it is parsed, so that a byte order mark or UTF-16 is refused. None of them reads Parquet or classifies errors.
The servers of 2.0.1, 2.5.0, 2.6.0, 2.9.2, 2.10.2, 2.22.0 and 3.3.2 were recorded, eight releases between were read.
Where two that are no neighbours differ (the repr of an error, a full stop), the later one is taken to have begun it.
"""

import json
from typing import Any, Final

from servesim.payloads import protocol_texts, texts
from servesim.payloads.decode import loads
from servesim.payloads.parse import CSV, FORMATS, JSON, media_type
from servesim.payloads.protocol import (
    ARRAY,
    TENSORS,
    Protocol,
    Translated,
    check_tensors,
    innermost,
    is_missing_from_array,
    without_full_stop,
)
from servesim.payloads.refusal import Refused, plain
from servesim.payloads.texts import Text

_TYPES: Final = (CSV, JSON)
_FRAME: Final = "frame"
_UNIFIED: Final = frozenset({"messages", "prompt", "input"})
_LATER: Final = ("sqlstate", "error_class")
_INVALID: Final = "Invalid input. "
_CAST: Final = "Data is not compatible with model signature. "


class Wrapped(Protocol):
    """That of a version from 2.0 to 3.3."""

    __slots__ = ("_alone", "_decodes", "_early", "_foreign", "_full_stop", "_reprs", "_unified")

    def __init__(self, version: tuple[int, int]) -> None:
        """Take the rules of a version, ``(major, minor)``."""
        self._reprs = version >= (2, 5)
        self._alone = version < (2, 6)
        self._early = version < (2, 10)
        self._unified = _UNIFIED if version >= (2, 11) else frozenset(() if self._early else {"messages"})
        self._foreign = (_UNIFIED - self._unified) | ({"params"} if self._alone else frozenset())
        self._decodes = version < (2, 21)
        self._full_stop = version >= (3, 3)

    def request(self, body: bytes, content_type: str | None) -> Translated:
        """Return a request as models read it; raise `Refused` as that version's scoring server refuses."""
        uncaught = protocol_texts.UNCAUGHT if self._decodes else texts.INTERNAL_SERVER_ERROR
        if content_type is None:
            raise plain(500, uncaught)
        kind = media_type(content_type, _TYPES)
        try:
            text = body.decode("utf-8" if self._decodes or kind == CSV else json.detect_encoding(body))
        except UnicodeDecodeError:  # nothing in those servers catches it
            raise plain(500, uncaught) from None
        if kind == CSV or not self._decodes:
            return Translated(body, content_type)
        document = self._read(body, text)
        form = self._form_of(document) if self._early else ""
        return Translated(self._kept(document, body), content_type, form)

    def outcome(self, status: int, body: bytes, form: str = "") -> tuple[int, bytes]:
        """Return status and body of a model's answer to a request of a form, as that version gives them."""
        if status != 400 or not body.startswith(b"{"):  # noqa: PLR2004 - what models refuse
            return status, body
        document = json.loads(body)
        if self._early:
            refused = self._said(document, form)
            return refused.status, refused.body()
        for name in _LATER:
            document.pop(name, None)
        message = str(document.get("message", ""))
        if message.startswith(protocol_texts.NOT_CSV.template):
            document.setdefault("stack_trace", _csv_trace(message))
        if not self._full_stop and "message" in document:
            document["message"] = without_full_stop(message)
        return status, json.dumps(document).encode("ascii")

    def _read(self, body: bytes, text: str) -> Any:
        try:
            # The parser would take the bytes of these two, and does not take their text.
            return json.loads(text) if text.startswith("\ufeff") or "\0" in text[:4] else loads(body)
        except json.JSONDecodeError as error:
            raise self._not_json(error, text) from None
        except Refused as refused:
            if isinstance(refused.__cause__, json.JSONDecodeError):
                raise self._not_json(refused.__cause__, text) from None
            raise Refused(400, "BAD_REQUEST", refused.message, evidence="chosen") from None

    def _not_json(self, error: json.JSONDecodeError, text: str) -> Refused:
        if not self._early:
            return _bad(texts.NOT_JSON.template.format(error=repr(error), body=text))
        reason = f" Error: '{error}'." if self._alone else ""
        return _bad(f"{protocol_texts.NOT_JSON.template}{reason} Input: \n{text}\n")

    def _form_of(self, document: Any) -> str:
        """Return the form of a request that servers before 2.10 take; raise what they refuse."""
        required = texts.REQUIRED_FORMAT.format()
        if isinstance(document, list):
            raise _bad(f"{required}. Received a list. {texts.PROTOCOL_CHANGED}")
        if not isinstance(document, dict):
            quote = "'" if self._alone else ""
            raise _bad(f"{required}. Received unexpected input type '{type(document)}{quote}.")
        found = [key for key in document if key in FORMATS]
        if len(found) != 1:
            named = list(document) if self._alone else found
            raise _bad(texts.NOT_ONE_FORMAT.template.format(fields=named))
        if found[0].startswith("dataframe"):
            return _FRAME
        return check_tensors(document if self._alone else {found[0]: document[found[0]]}, _failed)

    def _kept(self, document: Any, body: bytes) -> bytes:
        """Return the body without the keys that mean something to the newest alone."""
        if not isinstance(document, dict) or not self._unified.isdisjoint(document):
            return body
        if self._foreign.isdisjoint(document):
            return body
        kept = {key: value for key, value in document.items() if key not in self._foreign}
        return json.dumps(kept).encode("ascii")

    def _said(self, document: dict[str, Any], form: str) -> Refused:
        """Say a model's refusal in the words of a version before 2.10."""
        message, trace = str(document.get("message", "")), document.get("stack_trace")
        if document.get("error_class") == "SCHEMA_ENFORCEMENT_FAILED":
            message = innermost(message)
            return _failed(protocol_texts.NOT_TENSORS) if is_missing_from_array(message, form) else _internal(message)
        if message.startswith(_INVALID):
            if form in (TENSORS, ARRAY):
                return _failed(_tensor_text(message))
            message = message.removeprefix(_INVALID)
            return _bad(message if self._reprs else _without_repr(message))
        if message.startswith(protocol_texts.NOT_CSV.template):
            return _bad(protocol_texts.NOT_CSV.template, trace or _csv_trace(message))
        if message.startswith("Failed to predict data "):
            message = innermost(message)
        return Refused(400, str(document.get("error_code")), message, stack_trace=trace)


def _tensor_text(message: str) -> Text:
    uneven = message == texts.UNEVEN_INSTANCES.template
    return protocol_texts.UNEVEN if uneven else protocol_texts.NOT_TENSORS


def _csv_trace(message: str) -> str:
    return message.removeprefix(protocol_texts.NOT_CSV.template).strip()


def _without_repr(message: str) -> str:
    """Return why a column could not be converted with the text of the error alone, without its type."""
    head, found, tail = message.partition(". Error: 'ValueError(")
    if not found or not message.startswith(_CAST):
        return message
    said = tail.removesuffix(")'")
    return f"{head}. Error: '{said[1:-1]}'"


def _bad(message: str, trace: str | None = None) -> Refused:
    return Refused(400, "BAD_REQUEST", message, stack_trace=trace)


def _failed(text: Text) -> Refused:
    return _internal(text.template)


def _internal(message: str) -> Refused:
    """Return what an error without a code of its own came to."""
    return Refused(500, "INTERNAL_ERROR", message)
