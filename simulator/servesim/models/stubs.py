"""Models that answer without MLflow: four stub behaviours, and plain Python callables.

Both go through the scoring formats like a real model: parse, hold against the signature, predict, encode.
"""

import hashlib
import inspect
import json
import math
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from servesim.models.answer import Answer, refusal
from servesim.payloads import texts
from servesim.payloads.bounds import check_names
from servesim.payloads.decode import dumps, to_jsonable
from servesim.payloads.enforce import enforce
from servesim.payloads.parse import parse
from servesim.payloads.refusal import JSON_TYPE, Refused, bad_request, plain
from servesim.payloads.request import Request, Table
from servesim.payloads.signature import Signature

Behaviour = Literal["constant", "echo", "hash", "fail"]

_MANTISSA_BITS: Final = 53


@dataclass(frozen=True, slots=True)
class Stub:
    """A model that answers by rule.

    `constant` gives `value` for every row, `echo` the row itself, `hash` a float in [0, 1) that depends on nothing
    but the row's content, `fail` the answer of a model that raised, with `message` in its `stack_trace`.
    """

    behaviour: Behaviour
    value: Any = None
    message: str = "ValueError: the stub was told to fail"

    def __post_init__(self) -> None:
        """Refuse a behaviour that does not exist."""
        if self.behaviour not in _PREDICT:
            message = f"a stub is one of {', '.join(_PREDICT)}; got {self.behaviour!r}"
            raise ValueError(message)


def score(stub: Stub, body: bytes, content_type: str | None, signature: Signature | None = None) -> Answer:
    """Return the stub's answer to a scoring request."""
    return _answer(lambda request: _PREDICT[stub.behaviour](stub, request), body, content_type, signature)


def score_callable(
    function: Callable[..., Any], body: bytes, content_type: str | None, signature: Signature | None = None
) -> Answer:
    """Return a Python callable's answer to a scoring request; see `call` for what it is given."""
    return _answer(lambda request: call(function, request), body, content_type, signature)


def call(function: Callable[..., Any], request: Request) -> Any:
    """Return what a callable predicts for a request.

    It gets the rows, or the whole object of the unified LLM format if no signature made it a table, and the
    parameters (a dict, maybe empty) if it has a parameter named `params` or a second positional one without default.
    Whatever it raises becomes the 400 of a model that raised; a `Refused` is passed on.
    """
    data = request.data if request.whole else request.rows()
    params = request.params if isinstance(request.params, dict) else {}
    try:
        style = _style(function)
        if style == "keyword":
            return function(data, params=params)
        return function(data, params) if style == "positional" else function(data)
    except Refused:
        raise
    except BaseException as error:
        # MLflow's server survives a model that exits; and whatever else this is (pytest.fail, KeyboardInterrupt,
        # CancelledError) would end the server's own task or loop if it got there.
        last = traceback.format_exception_only(error)[-1].strip()
        raise bad_request(texts.MODEL_RAISED, stack_trace=last) from error


def _answer(
    predict: Callable[[Request], Any], body: bytes, content_type: str | None, signature: Signature | None
) -> Answer:
    try:
        request = enforce(parse(body, content_type, signature), signature)
        return Answer(200, JSON_TYPE, _encode(predict(request), request))
    except Refused as refused:
        return refusal(refused)


def _encode(prediction: Any, request: Request) -> bytes:
    try:
        value = to_jsonable(prediction)
        return dumps(value if request.unified else {"predictions": value})
    except BaseException as error:
        # What a prediction's own methods raise may be anything. MLflow encodes outside of its error handling, so this
        # reaches the client as the web server's own 500.
        raise plain(500, texts.INTERNAL_SERVER_ERROR) from error


def _style(function: Callable[..., Any]) -> str:
    try:
        return _cached_style(function)
    except TypeError:  # not hashable
        return _cached_style.__wrapped__(function)


@lru_cache(maxsize=256)
def _cached_style(function: Callable[..., Any]) -> str:
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # some builtins have none
        return "rows"
    if "params" in parameters:
        return "positional" if parameters["params"].kind is inspect.Parameter.POSITIONAL_ONLY else "keyword"
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in parameters.values() if p.kind in positional and p.default is inspect.Parameter.empty]
    return "positional" if len(needed) > 1 else "rows"


def _constant(stub: Stub, request: Request) -> Any:
    return stub.value if request.whole else [stub.value] * request.row_count()


def _echo(_stub: Stub, request: Request) -> Any:
    return request.data if request.whole else _rows(request)


def _hash(_stub: Stub, request: Request) -> Any:
    values = [_fraction(row) for row in _rows(request)]
    return values[0] if request.whole else values


def _rows(request: Request) -> list[Any]:
    """Return the rows, unless writing them would be out of all proportion to the request."""
    columns = request.data.columns if isinstance(request.data, Table) else request.data
    if isinstance(columns, tuple | dict) and (count := request.row_count()) > 1:
        check_names(count, columns)
    return request.rows()


def _fail(stub: Stub, _request: Request) -> Any:
    raise bad_request(texts.MODEL_RAISED, stack_trace=stub.message)


_PREDICT: Final[dict[str, Callable[[Stub, Request], Any]]] = {
    "constant": _constant,
    "echo": _echo,
    "hash": _hash,
    "fail": _fail,
}


def _fraction(row: Any) -> float:
    """Return a float in [0, 1) for a row; equal for rows that differ in key order, 1 and 1.0, NaN and null."""
    text = _CANONICAL.encode(_canonical(row))
    digest = hashlib.blake2b(text.encode("ascii"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> (64 - _MANTISSA_BITS)) / (1 << _MANTISSA_BITS)


def _canonical(value: Any) -> Any:
    kind = type(value)
    if kind is float:
        if value.is_integer():
            return int(value)
        return None if math.isnan(value) else value
    if kind is dict:
        return {str(name): _canonical(inner) for name, inner in value.items()}
    if kind is list:
        return [_canonical(inner) for inner in value]
    return value


def _plain(value: Any) -> Any:
    return {"bytes": value.hex()} if isinstance(value, bytes) else value.isoformat()


_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_plain)
