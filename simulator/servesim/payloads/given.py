"""Signatures that people give: the forms they come in, and the bounds within which payloads can be made for them."""

import json
from collections.abc import Mapping
from itertools import islice
from math import prod
from typing import Any, Final, NoReturn

from servesim.payloads.signature import SCALARS, Signature

MOST_COLUMNS: Final = 1_000
"""Columns, and parameters: each takes part in the choice of every row, which more of them make endless."""
MOST_DIMENSIONS: Final = 16
"""Of a tensor, and lists within lists of a column: models stay far below, and each is a level of recursion."""
MOST_ROWS: Final = 256
"""Of tensors whose first dimension is fixed: every row is drawn by itself."""
MOST_ELEMENTS: Final = 10_000
"""Values that fixed dimensions ask of one row, or of all rows where their number is fixed; all inputs together."""


def signature_from(document: Any) -> Signature:
    """Return the signature of a document that a person gave, or of its JSON text.

    Taken are `{"inputs": ..., "params": ...}` and a list of inputs as MLflow stores them, and `{"amount": "double"}`
    for required columns. Raises TypeError for what is no such document, ValueError for what is beyond the bounds or
    wrong in it, `Unsupported` for types that this package does not check.
    """
    if isinstance(document, str | bytes):
        document = _json(document)
    if isinstance(document, list):
        document = {"inputs": document}
    elif isinstance(document, Mapping) and document and all(_is_scalar(kind) for kind in document.values()):
        document = {
            "inputs": [{"name": name, "type": kind} for name, kind in islice(document.items(), MOST_COLUMNS + 1)]
        }
    if not isinstance(document, Mapping) or not document.keys() & {"inputs", "params"}:
        message = (
            f"a model signature was asked for, {type(document).__name__} is none: give servesim's Signature, MLflow's "
            'ModelSignature or its JSON, or {"column": "double"}'
        )
        raise TypeError(message)
    inputs, params = (_specs(document.get(key), what) for key, what in (("inputs", "column"), ("params", "parameter")))
    for spec in inputs or ():
        _check_column(spec)
    if sum(_elements(spec) for spec in inputs or ()) > MOST_ELEMENTS:
        _refuse(
            f"its tensors have more than {MOST_ELEMENTS:,} elements of fixed dimensions: no payload is made of so many"
        )
    for spec in params or ():
        _check_param(spec)
    return Signature.from_mlflow(inputs, params)


def _is_scalar(kind: Any) -> bool:
    return isinstance(kind, str) and kind in SCALARS


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        _refuse("its JSON nests too deep to be read")


def _refuse(message: str) -> NoReturn:
    raise ValueError(message)


def _specs(value: Any, what: str) -> list[Any] | None:
    """Return the list of columns or parameters, which each have a name of their own or none at all."""
    specs = _json(value) if isinstance(value, str) else value
    if specs is None:
        return None
    if not isinstance(specs, list):
        _refuse(f"a signature has a list of {what}s, got {type(specs).__name__}")
    if len(specs) > MOST_COLUMNS:
        _refuse(f"it has more than {MOST_COLUMNS:,} {what}s")
    seen: set[str] = set()
    for spec in specs:
        name = _name(spec, what)
        if name in seen:
            _refuse(f"it has two {what}s {name!r}")
        seen |= {name} if name is not None else set()
    return specs


def _name(spec: Any, what: str) -> str | None:
    name = spec.get("name") if isinstance(spec, dict) else None
    if name is None:
        return None
    if not isinstance(name, str):
        _refuse(f"the name of a {what} is a text, got {type(name).__name__}")
    if any("\ud800" <= sign <= "\udfff" for sign in name):
        _refuse(f"the name {name!r} of a {what} has half a character, which UTF-8 cannot write")
    return name


def _check_column(spec: Any) -> None:
    if not isinstance(spec, dict) or "type" not in spec:
        _refuse(f"an input is an object with a type, got {_short(spec)}")
    if not isinstance(spec.get("required", True), bool):
        _refuse("whether an input is required is true or false")
    if spec["type"] == "tensor":
        _check_tensor(spec.get("tensor-spec"))
    items, depth = spec.get("items"), 0
    while isinstance(items, dict):
        items, depth = items.get("items"), depth + 1
        if depth > MOST_DIMENSIONS:
            _refuse(f"it has lists nested more than {MOST_DIMENSIONS} deep")


def _check_tensor(inner: Any) -> None:
    shape = inner.get("shape") if isinstance(inner, dict) else None
    if not isinstance(shape, list) or not isinstance(inner.get("dtype"), str):
        _refuse("a tensor has a tensor-spec with a dtype and a shape")
    if len(shape) > MOST_DIMENSIONS:
        _refuse(f"a shape has more than {MOST_DIMENSIONS} dimensions")
    if shape and isinstance(shape[0], int) and shape[0] > MOST_ROWS:
        _refuse(f"a tensor has a first dimension of more than {MOST_ROWS} rows; -1 is any number of them")
    if not all(type(length) is int and length >= -1 for length in shape):
        _refuse(f"a shape has lengths, and -1 for any length, got {_short(shape)}")


def _check_param(spec: Any) -> None:
    if not isinstance(spec, dict) or not isinstance(spec.get("name"), str) or "default" not in spec:
        _refuse(f"a parameter is an object with a name, a type and a default, got {_short(spec)}")


def _elements(spec: dict[str, Any]) -> int:
    return prod(max(length, 1) for length in spec["tensor-spec"]["shape"]) if spec["type"] == "tensor" else 0


def _short(value: Any) -> str:
    return (
        type(value).__name__ if isinstance(value, dict | list) and len(value) > MOST_DIMENSIONS else repr(value)[:200]
    )
