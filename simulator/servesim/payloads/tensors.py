"""Tensor signatures: shapes and dtypes of arrays, and dataframe columns reshaped into tensors."""

import math
from typing import Any

from servesim.payloads.arrays import NdArray, as_array
from servesim.payloads.columns import astype, storage
from servesim.payloads.elements import integer
from servesim.payloads.request import Table
from servesim.payloads.signature import Column, Signature, Tensor
from servesim.payloads.values import Parsed


class SchemaError(ValueError):
    """Data that does not fit the signature, found after every cast."""


def check_tensors(data: Parsed, signature: Signature) -> Any:
    """Return nested lists, by name if the inputs have names, or raise `SchemaError`."""
    columns = signature.inputs or ()
    if not signature.named:
        if not isinstance(data, NdArray):
            message = "This model contains a tensor-based model signature with no input names"
            raise SchemaError(message)
        return check_shape(data, tensor_of(columns[0])).values
    if isinstance(data, NdArray) and len(columns) == 1:
        data = {str(columns[0].name): data}
    arrays = data if isinstance(data, dict) else {}
    check_present(list(arrays), columns)
    return {str(c.name): check_shape(arrays[str(c.name)], tensor_of(c)).values for c in columns}


def check_present(names: list[Any], columns: tuple[Column, ...]) -> None:
    """Raise `SchemaError` if a required input is missing."""
    given = set(names)
    missing = [column.name for column in columns if column.required and column.name not in given]
    if not missing:
        return
    known = {column.name for column in columns}
    extra = [name for name in names if name not in known]
    note = f" Note that there were extra inputs: {extra}." if extra else ""
    message = f"Model is missing inputs {missing}.{note}"
    raise SchemaError(message)


def check_shape(array: NdArray, spec: Tensor) -> NdArray:
    """Return the array if its shape fits, or raise `SchemaError`."""
    if spec.dtype == "object" and spec.shape == (-1,):
        return array
    if array.dtype == "object" and len(array.shape) == 1 and len(spec.shape) > 1 and -1 in spec.shape[1:]:
        return array  # ragged rows
    same = len(array.shape) == len(spec.shape)
    if not same or any(want not in (-1, have) for want, have in zip(spec.shape, array.shape, strict=True)):
        message = f"Shape of input {array.shape} does not match expected shape {spec.shape}."
        raise SchemaError(message)
    if array.dtype != spec.dtype:
        message = f"dtype of input {array.dtype} does not match expected dtype {spec.dtype}"
        raise SchemaError(message)
    return array


def cast_cells(cells: list[Any], spec: Tensor) -> list[Any]:
    """Return the cells of a dataframe column as the tensor's dtype; columns of lists are left for later."""
    if spec.dtype in ("object", "str") and storage(cells) == "str":
        return cells
    if isinstance(cells[0], list):
        return cells
    return astype(cells, spec.dtype)


def tensors_of_table(table: Table, signature: Signature) -> Any:
    """Return nested lists, by name if the inputs have names, for a table whose cells were cast."""
    columns = signature.inputs or ()
    if signature.named:
        check_present(list(table.columns), columns)
        if sum(table.columns.count(column.name) for column in columns) > len(columns):
            message = "'DataFrame' object has no attribute 'dtype'"  # what a repeated name comes to
            raise SchemaError(message)
        return {str(c.name): _column(table.cells_of(c.name), tensor_of(c)) for c in columns}
    spec = tensor_of(columns[0])
    if not table.cells or not table.columns:
        message = "Input DataFrame is empty."
        raise SchemaError(message)
    if len(table.columns) == 1:
        return _column([row[0] for row in table.cells], spec)
    if spec.shape != (-1, len(table.columns)):
        message = f"the input DataFrame passed had {len(table.columns)} columns and an input shape of {spec.shape}"
        raise SchemaError(message)
    holds_lists = any(isinstance(cell, list) for row in table.cells for cell in row)
    if spec.dtype == "str" or (holds_lists and spec.dtype != "object"):
        message = f"dtype of input object does not match expected dtype {spec.dtype}"
        raise SchemaError(message)
    return table.cells


def tensor_of(column: Column) -> Tensor:
    """Return the type of a tensor input."""
    if not isinstance(column.type, Tensor):
        raise TypeError(column.type)
    return column.type


def _column(cells: list[Any], spec: Tensor) -> Any:
    if spec.shape[0] != -1 or -1 in spec.shape[1:]:
        message = "For pandas dataframe input, the first dimension of shape must be variable and the others fixed"
        raise SchemaError(message)
    if not cells:
        raise SchemaError(0)
    first = cells[0]
    missing = first is None and storage(cells) == "object"  # otherwise pandas holds a NaN, which is a scalar
    if not missing and not isinstance(first, list | dict):
        return _scalars(cells, spec)
    if isinstance(first, list) and first and not isinstance(first[0], list | dict) and first[0] is not None:
        return _reshaped(cells, spec)
    message = "the input pandas dataframe values should be either scalar value, python list containing scalar values"
    raise SchemaError(message)


def _scalars(cells: list[Any], spec: Tensor) -> list[Any]:
    if spec.shape not in ((-1,), (-1, 1)):
        message = f"scalar values require the shape to be (-1,) or (-1, 1), but got {spec.shape}."
        raise SchemaError(message)
    if spec.dtype == "str" and storage(cells) == "str":
        cells = ["nan" if cell is None else cell for cell in cells]  # as NumPy prints what is missing in pandas
    values = _array(cells, spec.dtype).values
    return list(values) if len(spec.shape) == 1 else [[value] for value in values]


def _reshaped(cells: list[Any], spec: Tensor) -> Any:
    array = _array([cell if isinstance(cell, list) else [cell] for cell in cells], None)
    size = len(cells) * math.prod(spec.shape[1:])
    if len(array.shape) != 2 or size != math.prod(array.shape):  # noqa: PLR2004 - rows of scalars
        message = f"could not be converted to the expected shape of: '{spec.shape}'"
        raise SchemaError(message)
    flat = _as_type([leaf for row in array.values for leaf in row], array.dtype, spec.dtype)
    for length in reversed(spec.shape[1:]):
        flat = [flat[at : at + length] for at in range(0, len(flat), length)]
    return flat


def _as_type(leaves: list[Any], held: str, dtype: str) -> Any:
    if held in ("int64", "uint64", "float64") and dtype.lstrip("u").startswith("int"):
        return [integer(leaf, dtype) for leaf in leaves]
    return _array(leaves, dtype).values


def _array(value: Any, dtype: str | None) -> NdArray:
    try:
        return as_array(value, dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise SchemaError(error) from error
