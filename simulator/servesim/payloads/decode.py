"""JSON bytes to values and back, with one answer whether orjson is installed or not.

Rules. The standard library decides: orjson reads only what both read equally, and whatever it refuses is read
again. Numbers with 19 or more digits in a row go straight to the standard library, because orjson turns integers
beyond 64 bits into floats. Nesting is bounded here, because the two parsers give up at different depths.
"""

import base64
import datetime
import json
import json.encoder
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from servesim.payloads import texts
from servesim.payloads.refusal import Refused, bad_request

try:
    from orjson import loads as _orjson_loads
except ImportError:  # the `fast` extra is not installed
    _orjson_loads = None  # type: ignore[assignment]  # the name of a function

fast_loads: Callable[[bytes], Any] | None = _orjson_loads
"""The parser that is tried first; None reads everything with the standard library."""

MAX_DEPTH: Final = 200
MAX_ECHO_BYTES: Final = 10_000

# All digits become 0, so that a plain search, much faster than a pattern, finds any 19 in a row.
_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER: Final = b"0" * 19
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_SHALLOW_PASSES: Final = 8
_PIECE: Final = 10_000


def loads(body: bytes) -> Any:
    """Return the value of a JSON document as MLflow reads it.

    NaN, Infinity, duplicate keys (the last wins), a byte order mark, UTF-16 and UTF-32 are read. Raises a 400
    `Refused` for everything else, including nesting beyond `MAX_DEPTH` and integers that Python refuses to read.
    """
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_deep(body):
        raise _unreadable(body, f"nested deeper than {MAX_DEPTH} levels")
    if fast_loads is None or _LONG_NUMBER in body.translate(_ZEROS):
        return _standard_loads(body)
    try:
        return fast_loads(body)
    except ValueError:
        return _standard_loads(body)


def dumps(value: Any) -> bytes:
    """Return the text that MLflow writes for a value: `json.dumps` with its default separators and escapes.

    bytes become base64 with line feeds, dates ISO text, array-likes (`tolist`) lists. Raises TypeError, ValueError
    or RecursionError for what has no JSON.
    """
    predictions = value.get("predictions") if type(value) is dict and len(value) == 1 else None
    if type(predictions) is list and len(predictions) > _PIECE:
        return "".join(_pieces(predictions)).encode("ascii")
    return _text(value).encode("ascii")


def _text(value: Any) -> str:
    if _ENCODE is None:
        return _ENCODER.encode(value)
    return "".join(_ENCODE(value, 0))


def _pieces(predictions: list[Any]) -> Iterator[str]:
    """Yield the text of a long list in pieces, as the encoder lets no other thread run meanwhile."""
    yield '{"predictions": ['
    for start in range(0, len(predictions), _PIECE):
        yield ", " if start else ""
        yield _text(predictions[start : start + _PIECE])[1:-1]
    yield "]}"


def to_jsonable(prediction: Any) -> Any:
    """Return a prediction with a pandas object at its top turned into a list of records, as MLflow does it."""
    kind = type(prediction)
    if kind is list or kind is dict:
        return prediction
    if kind.__module__.partition(".")[0] != "pandas" or not hasattr(prediction, "to_dict"):
        return prediction
    if kind.__name__ == "Series":
        prediction = prediction.to_frame(0 if prediction.name is None else prediction.name)
    return prediction.to_dict(orient="records")


def _standard_loads(body: bytes) -> Any:
    try:
        if not body.startswith(b'{"'):
            return json.loads(body)
        # What begins so is UTF-8 and an object: json.loads need not find out, nor look for space around it.
        text = body.decode("utf-8", "surrogatepass")
        value, end = _SCAN(text, 0)
        return value if end == len(text) else json.loads(text)
    except StopIteration as end_of_scan:  # the scanner's own way to say that no value begins there
        missing = json.JSONDecodeError("Expecting value", text, end_of_scan.value)
        raise bad_request(texts.NOT_JSON, error=repr(missing), body=_echo(body)) from missing
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise bad_request(texts.NOT_JSON, error=repr(error), body=_echo(body)) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(body, repr(error)) from error


def _unreadable(body: bytes, error: str) -> Refused:
    return bad_request(texts.UNREADABLE_JSON, error=error, body=_echo(body))


def _echo(body: bytes) -> str:
    shown = repr(body[:MAX_ECHO_BYTES])
    return shown if len(body) <= MAX_ECHO_BYTES else f"{shown}..."


def _is_deep(body: bytes) -> bool:
    brackets = _outside_strings(body).translate(None, _NOT_BRACKETS)
    for _ in range(_SHALLOW_PASSES):  # removes the innermost level each time, at C speed
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not brackets:
            return False
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH - _SHALLOW_PASSES:
            return True
    return False


def _outside_strings(body: bytes) -> bytes:
    if b"\\" in body:
        return _STRING.sub(b"", body)
    return b"".join(body.split(b'"')[::2])


def _default(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return base64.encodebytes(value).decode("ascii")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return value.tolist()
    message = f"Object of type {type(value).__name__} is not JSON serializable"
    raise TypeError(message)


_Scan = Callable[[str, int], tuple[Any, int]]
_SCAN: Final[_Scan] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # it is not in the stubs
_ENCODER: Final = json.JSONEncoder(default=_default)
# What JSONEncoder makes anew for each value, which takes as long as writing a short one; only CPython has it. It looks
# for no cycle: Python's own limit ends that, with a RecursionError.
_make_encoder: Final = getattr(json.encoder, "c_make_encoder", None)
_ENCODE: Final = _make_encoder and _make_encoder(
    markers=None,
    default=_default,
    encoder=json.encoder.encode_basestring_ascii,
    indent=None,
    key_separator=_ENCODER.key_separator,
    item_separator=_ENCODER.item_separator,
    sort_keys=False,
    skipkeys=False,
    allow_nan=True,
)
