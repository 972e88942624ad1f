"""The `instances` and `inputs` formats: JSON values to arrays, one per input where inputs have names."""

from collections.abc import Callable
from typing import Any, Final

from servesim.payloads import texts
from servesim.payloads.arrays import NdArray, as_array, stacked
from servesim.payloads.columns import NUMPY, check_array
from servesim.payloads.refusal import Refused, bad_request
from servesim.payloads.signature import Array, Column, Signature, Tensor

_SCALAR: Final = (bool, int, float, str)

Parsed = NdArray | dict[str, Any] | list[dict[str, Any]]
"""What the model's signature is held against: one array, arrays and bare scalars by name, or dicts of those."""


class Scalar(NdArray):
    """A bare value of a typed column: NumPy's scalar, which pandas spreads over the rows."""


def from_instances(value: Any, signature: Signature | None) -> Parsed:
    """Return the arrays of an `instances` value, or raise a 400 `Refused`."""
    if not (isinstance(value, list) and value and isinstance(value[0], dict)):
        parsed = from_inputs(value, signature)
    else:
        parsed = _from_dicts(value, signature)
    if isinstance(parsed, dict):
        _check_lengths(parsed, signature)
    return parsed


def from_inputs(value: Any, signature: Signature | None) -> Parsed:
    """Return the arrays of an `inputs` value, or raise a 400 `Refused`."""
    specs = _specs(signature)
    first = signature.inputs[0] if signature is not None and signature.inputs else None
    if isinstance(value, list) and len(specs) == 1 and not any(isinstance(item, dict) for item in value):
        value = {next(iter(specs)): value}
    elif first is not None and not specs and not isinstance(value, (list, *_SCALAR)):
        raise bad_request(texts.UNNAMED_WANTS_ARRAY, got=type(value).__name__)
    if isinstance(value, dict):
        return {name: _converted(inner, specs.get(name)) for name, inner in value.items()}
    if not isinstance(value, list):
        return _single(value, first)
    if all(isinstance(item, dict) for item in value):
        return [{name: _converted(inner, specs.get(name)) for name, inner in item.items()} for item in value]
    return _array(value, first)


def _specs(signature: Signature | None) -> dict[str, Column]:
    if signature is None or not signature.named:
        return {}
    return {str(column.name): column for column in signature.inputs or ()}


def _from_dicts(rows: list[Any], signature: Signature | None) -> dict[str, Any]:
    specs = _specs(signature)
    columns: dict[str, list[NdArray]] = {}
    for row in rows:
        if not isinstance(row, dict):
            error = AttributeError(f"'{type(row).__name__}' object has no attribute 'items'")
            raise bad_request(texts.MIXED_INSTANCES, error=repr(error))
        for name, value in row.items():
            columns.setdefault(name, []).append(_converted(value, specs.get(name)))
    try:
        return {name: stacked(arrays) for name, arrays in columns.items()}
    except ValueError as error:
        raise bad_request(texts.MIXED_INSTANCES, error=repr(error)) from error


def _check_lengths(columns: dict[str, Any], signature: Signature | None) -> None:
    """Refuse columns of different lengths; only required ones count where the signature has names."""
    specs = _specs(signature)
    counted = {name for name, spec in specs.items() if spec.required and not isinstance(spec.type, Array)}
    arrays = [array for name, array in columns.items() if not isinstance(array, Scalar)]
    if specs:
        arrays = [array for name, array in columns.items() if name in counted and not isinstance(array, Scalar)]
    if any(not array.shape for array in arrays):
        raise bad_request(texts.MIXED_INSTANCES, error=repr(TypeError("len() of unsized object")))
    if len({array.shape[0] for array in arrays}) > 1:
        raise bad_request(texts.UNEVEN_INSTANCES)


def _converted(value: Any, spec: Column | None) -> NdArray:
    if spec is not None and isinstance(spec.type, str) and not isinstance(value, list):
        return Scalar(*_array(value, spec))
    return _array(value, spec)


def _single(value: Any, spec: Column | None) -> NdArray:
    if spec is None:
        return _array(value, None)
    try:
        return _converted(value, spec)
    except Refused as error:
        raise bad_request(texts.VALUE_INVALID, value=value, spec=spec) from error


def _array(value: Any, spec: Column | None) -> NdArray:
    try:
        return _CONVERT[type(spec.type)](value, spec) if spec is not None else as_array(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise bad_request(texts.ARRAY_INVALID, error=error) from error


def _nested(value: Any, spec: Column) -> NdArray:
    return as_array(check_array(value, spec.type, required=spec.required))  # type: ignore[arg-type]  # the table's key says so


_CONVERT: Final[dict[type, Callable[[Any, Column], NdArray]]] = {
    str: lambda value, spec: as_array(value, NUMPY[spec.type]),  # type: ignore[index]  # the key says which type
    Array: _nested,
    Tensor: lambda value, spec: as_array(value, spec.type.dtype),  # type: ignore[union-attr]  # as above
}
