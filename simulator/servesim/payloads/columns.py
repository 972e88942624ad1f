"""Columns of a signature: the casts of dataframe cells, and the strict check that follows every cast.

Casts are those of pandas' `astype` on a column as pandas stores it; the check is MLflow's list of safe conversions.
"""

import base64
import datetime
from collections.abc import Callable
from typing import Any, Final

from servesim.payloads import texts
from servesim.payloads.arrays import as_array, common_dtype
from servesim.payloads.dates import is_missing, pandas_datetimes
from servesim.payloads.elements import converter, float32, integer
from servesim.payloads.signature import Array

NUMPY: Final = {
    "boolean": "bool",
    "integer": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "string": "str",
    "binary": "bytes",
    "datetime": "datetime64",
}
"""The NumPy dtype of each scalar type of MLflow."""

PANDAS: Final = NUMPY | {"string": "object", "binary": "object", "datetime": "datetime64[ns]"}
"""The dtype that MLflow names in messages about dataframe columns."""

ARRAYS: Final = "arrays"
"""Stands for an object column whose cells are arrays themselves; no number is read from those."""

_UPCASTS: Final = {("int32", "long"), ("int32", "double"), ("float32", "double")}


class ZonedError(ValueError):
    """A datetime column with time zones; MLflow finds it one step after the cast."""


def storage(cells: list[Any]) -> str:
    """Return the dtype in which pandas stores the cells of a column: NumPy's name, or str, or object."""
    present = [cell for cell in cells if cell is not None]
    types = {type(cell) for cell in present}
    if not types or (len(types) > 1 and types != {int, float}):
        return "object"
    if types == {datetime.datetime}:
        return "datetime64"
    kind = common_dtype(present)
    if kind == "float64" and types == {int}:  # some beyond 64 bits with sign: unsigned if that holds them all
        kind = "object" if min(present) < 0 else "uint64"
    if len(present) < len(cells):
        return {"int64": "float64", "uint64": "float64", "bool": "object"}.get(kind, kind)
    return kind


def cast(cells: list[Any], kind: str | Array, *, required: bool) -> list[Any]:
    """Return the cells of a dataframe column as the signature's type.

    Raises what pandas raises (TypeError, ValueError, OverflowError), or `ZonedError`.
    """
    if kind == "double" and all(type(cell) is float for cell in cells):
        return cells  # the common case, without a look at pandas' rules
    if isinstance(kind, Array):
        return [check_array(cell, kind, required=required) for cell in cells]
    return _CASTS[kind](cells)


def astype(cells: list[Any], dtype: str) -> list[Any]:
    """Return the cells as pandas' `astype(dtype)` gives them."""
    held = storage(cells)
    if dtype.startswith(("int", "uint")):
        return _to_integers(cells, held, dtype)
    convert = converter(dtype)
    if dtype == "bool" and held in ("float64", "str"):
        return [True if cell is None else convert(cell) for cell in cells]  # a stored NaN is true
    if dtype.startswith("float") and any(isinstance(cell, list) for cell in cells):
        message = "setting an array element with a sequence."
        raise ValueError(message)
    return [convert(cell) for cell in cells]


def is_safe(held: str, kind: str, cells: list[Any]) -> bool:
    """Return whether MLflow takes a column stored as dtype `held` for a column of the signature's type."""
    if kind in ("string", "binary", "boolean") and held in ("object", ARRAYS):
        return True
    if held == "str" and kind == "binary":
        return True
    if held == NUMPY[kind] or (held, kind) in _UPCASTS:
        return True
    if held == "object" and kind in ("double", "datetime"):
        return _converts(cells, kind)
    if held == ARRAYS and kind == "double":
        return all(cell == [] for cell in cells)
    return held == "int64" and kind in ("float", "double") and all(cell in (0, 1) for cell in cells)


def check_array(value: Any, kind: Array, *, required: bool = True) -> Any:
    """Return one cell of an array column, its elements as the signature's type, or raise TypeError or ValueError."""
    if not required and (value is None or value == []):
        return value
    if not isinstance(value, list):
        message = f"Expected data to be list or numpy array, got {type(value).__name__}"
        raise TypeError(message)
    if isinstance(kind.items, Array):
        return [check_array(inner, kind.items, required=required) for inner in value]
    return _items(value, kind.items) if value else value


def incompatible(name: Any, held: str, kind: str, cells: list[Any]) -> str:
    """Return MLflow's words for a column that is not converted safely."""
    text = texts.INCOMPATIBLE.format(name=name, held=held, dtype=dtype_text(kind))
    if held == "float64" and kind in ("integer", "long") and _whole_but_missing(cells):
        text += texts.INTEGER_HINT
    return text


def _whole_but_missing(cells: list[Any]) -> bool:
    missing = [cell is None or cell != cell for cell in cells]  # noqa: PLR0124 - NaN
    return any(missing) and all(gone or cell == cell // 1 for cell, gone in zip(cells, missing, strict=True))


def _items(value: list[Any], kind: str) -> list[Any]:
    held = storage(value)
    if held == "object" and kind == "double":
        return [_item_number(item, at) for at, item in enumerate(value)]
    if not is_safe(held, kind, value):
        raise ValueError(incompatible("", held, kind, value))
    if kind == "boolean":
        return [bool(item) for item in value]
    if any(isinstance(item, list) for item in value):
        message = "setting an array element with a sequence"
        raise ValueError(message)
    return list(as_array(value, NUMPY[kind]).values)


def _item_number(item: Any, position: int) -> float:
    if isinstance(item, dict) or (isinstance(item, list) and item):
        message = f"Invalid object type at position {position}"
        raise TypeError(message)
    try:
        return _number(item)
    except ValueError as error:
        raise ValueError(texts.NOT_NUMBERS) from error


def dtype_text(kind: str) -> str:
    """Return the dtype of a scalar type as NumPy prints it."""
    return {"string": "<U0", "binary": "|S0", "datetime": "datetime64[ns]"}.get(kind, NUMPY[kind])


def _converts(cells: list[Any], kind: str) -> bool:
    """Return whether a mixed column reads as numbers or dates, which MLflow tries for these two types alone."""
    try:
        if kind == "datetime":
            pandas_datetimes(cells)
        else:
            for cell in cells:
                _number(cell)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _number(cell: Any) -> float:
    """Return a cell as pandas' `to_numeric` reads it: an empty list counts as missing."""
    return float("nan") if cell == [] else float(converter("float64")(cell))


def _to_integers(cells: list[Any], held: str, dtype: str) -> list[Any]:
    if held == "float64":
        if any(cell is None or cell - cell != 0 for cell in cells):
            raise ValueError(texts.NON_FINITE)
        return [integer(float(cell), dtype) for cell in cells]
    if held in ("int64", "uint64", "bool"):
        return [integer(cell, dtype) for cell in cells]
    convert = converter(dtype)
    if held == "str":
        return [convert(float("nan") if cell is None else cell) for cell in cells]
    return [convert(cell) for cell in cells]


def _to_float32(cells: list[Any]) -> list[Any]:
    return [float32(cell) for cell in astype(cells, "float64")]


def _to_bytes(cells: list[Any]) -> list[Any]:
    if not all(isinstance(cell, str) for cell in cells):
        message = "encoding without a string argument"
        raise TypeError(message)
    return [base64.decodebytes(cell.encode("utf-8")) for cell in cells]


def _to_datetimes(cells: list[Any]) -> list[Any]:
    held = storage(cells)
    if held == "bool":
        message = "dtype bool cannot be converted to datetime64[ns]"
        raise TypeError(message)
    if held == "float64":  # with missing cells or fractions, pandas holds the nanoseconds as floats
        cells = [None if cell is None else float(cell) for cell in cells]
    values, zoned = pandas_datetimes(cells)
    if zoned:
        raise ZonedError(next(cell for cell in cells if isinstance(cell, str) and not is_missing(cell)))
    return list(values)


_CASTS: Final[dict[str, Callable[[list[Any]], list[Any]]]] = {
    "boolean": lambda cells: astype(cells, "bool"),
    "integer": lambda cells: astype(cells, "int32"),
    "long": lambda cells: astype(cells, "int64"),
    "float": _to_float32,
    "double": lambda cells: astype(cells, "float64"),
    "string": lambda cells: cells,
    "binary": _to_bytes,
    "datetime": _to_datetimes,
}
