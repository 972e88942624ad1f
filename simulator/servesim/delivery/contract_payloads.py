"""A payload that a model accepts, in the formats in which it can be sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.delivery.client import JSON
from servesim.payloads.example import as_request, in_other_formats
from servesim.payloads.given import signature_from
from servesim.payloads.signature import Array, Tensor

if TYPE_CHECKING:
    from servesim.payloads.signature import Column

_VALUES: dict[str, Any] = {
    "boolean": True,
    "integer": 1,
    "long": 1,
    "float": 1.0,
    "double": 1.0,
    "string": "a",
    "binary": "YQ==",
    "datetime": "2026-01-05T09:00:00",
}
"""A value of each column type that MLflow takes from ``dataframe_split``."""


class Sample(NamedTuple):
    """A JSON request that is known to be accepted, or only likely to be."""

    request: dict[str, Any]
    is_known: bool = True


class Sent(NamedTuple):
    """A request in one format, and whether it must be accepted."""

    format: str
    content_type: str
    body: bytes
    is_known: bool


UNKNOWN = Sample({"dataframe_split": {"columns": ["a"], "data": [[1.0]]}}, is_known=False)
"""What is sent where nobody knows what the model takes."""


def sample_from(text: str) -> Sample:
    """Read a payload, or an input example as MLflow stores it; raise ValueError."""
    request = as_request(text)
    if not isinstance(request, dict):
        raise ValueError("it is neither a request nor an input example")  # noqa: TRY004 - of the file, as all here
    return Sample(request)


def sample_of(text: str) -> Sample:
    """Make a payload for a signature in a form that `payloads generate` takes; raise ValueError, TypeError."""
    columns = signature_from(text).inputs
    if not columns:
        raise ValueError("it names no inputs, so no payload can be made for it; give one with --payload")
    if isinstance(columns[0].type, Tensor):
        values = {column.name: _value(column) for column in columns}
        return Sample({"inputs": values.get(None, values)})
    row = [_value(column) for column in columns]
    names = {} if columns[0].name is None else {"columns": [column.name for column in columns]}
    return Sample({"dataframe_split": {**names, "data": [row]}})


def formats(sample: Sample) -> list[Sent]:
    """Return a sample in every format in which the same rows can be written; it need not be accepted in the others."""
    own = next(iter(sample.request))
    first = Sent(own, JSON, json.dumps(sample.request).encode(), sample.is_known)
    others = in_other_formats(sample.request, own)
    return [first, *(Sent(one.format, one.content_type, one.body, is_known=False) for one in others)]


def _value(column: Column) -> Any:
    if isinstance(column.type, Tensor):
        is_text = column.type.dtype in {"str", "object"}
        value: Any = "a" if is_text else (column.type.dtype == "bool" or 1)
        for length in reversed(column.type.shape):
            value = [value] * max(length, 1)
        return value
    return _scalar(column.type)


def _scalar(kind: str | Array) -> Any:
    return [_scalar(kind.items)] if isinstance(kind, Array) else _VALUES[kind]
