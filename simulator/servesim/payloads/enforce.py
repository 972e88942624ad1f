"""A request held against the model's signature: accepted and cast, or refused, as MLflow does it.

Two steps as there: the casts that belong to reading the data (400 BAD_REQUEST), then the schema (400
INVALID_PARAMETER_VALUE), then the parameters.
"""

from typing import Any, Final

from servesim.payloads import frames, texts
from servesim.payloads.arrays import NdArray
from servesim.payloads.columns import ARRAYS, PANDAS, ZonedError, cast, check_array, incompatible, is_safe, storage
from servesim.payloads.params import check_params
from servesim.payloads.refusal import bad_request, schema_failure, shown
from servesim.payloads.request import Request, Table
from servesim.payloads.signature import Array, Column, Signature, Tensor
from servesim.payloads.tensors import SchemaError, cast_cells, check_present, check_tensors, tensors_of_table
from servesim.payloads.values import Parsed, Scalar, from_inputs, from_instances

_STACKED: Final = "stacked"
_BESIDE_GAPS: Final = {"bool": ARRAYS} | dict.fromkeys(("int32", "int64", "float32"), "float64")
"""How pandas stores a column of scalars of which some rows have none."""


def enforce(request: Request, signature: Signature | None = None) -> Request:
    """Return the request as the model sees it, or raise `Refused`.

    Without a signature only `instances` and `inputs` change: their values become arrays, so each column gets one
    type. A CSV request must have been parsed with the same signature.
    """
    if signature is None and request.format not in ("instances", "inputs"):
        return request
    data = request.data
    if request.format in ("instances", "inputs"):
        read = from_instances if request.format == "instances" else from_inputs
        data = read(data, signature)
    elif signature is not None and signature.inputs and request.format.startswith("dataframe"):
        data = _cast_table(data, signature)
    if signature is None:
        return Request(request.format, _plain(data), request.params)
    if signature.inputs:
        data = _checked(data, signature, request.data)
    params = check_params(request.params, signature.params, request.data)
    return Request(request.format, _plain(data), params)


def _plain(data: Any) -> Any:
    """Return arrays as the nested lists that they hold; dicts of equal columns stay dicts of columns."""
    if isinstance(data, NdArray):
        return data.values
    if isinstance(data, Table):
        return data
    if isinstance(data, dict):
        return {name: _plain(value) for name, value in data.items()}
    return [_plain(item) for item in data] if isinstance(data, list) else data


def _cast_table(table: Table, signature: Signature) -> Table:
    columns = signature.inputs or ()
    cells = [list(row) for row in table.cells]
    for name, position, column in _positions(table, columns, named=signature.named):
        try:
            # Inputs without names count as required here under the label that is their number alone, not its text.
            required = column.required and (signature.named or name == position)
            values = _cast_column([row[position] for row in cells], column, required=required)
        except ZonedError:
            continue  # MLflow casts it, and refuses it as a schema failure
        except (TypeError, ValueError, OverflowError, IndexError) as error:
            dtype = PANDAS.get(column.type, column.type) if isinstance(column.type, str) else column.type
            raise bad_request(texts.CAST_FAILED, name=name, dtype=dtype, error=repr(error)) from error
        for row, value in zip(cells, values, strict=True):
            row[position] = value
    return Table(table.columns, cells)


def _positions(table: Table, columns: tuple[Column, ...], *, named: bool) -> list[tuple[Any, int, Column]]:
    """Return (name, position in the table, input) for every column that is cast."""
    if named:
        places: dict[Any, list[int]] = {}
        for position, name in enumerate(table.columns):
            places.setdefault(name, []).append(position)
        return [(c.name, position, c) for c in columns for position in places.get(c.name, ())]
    if isinstance(columns[0].type, Tensor):
        columns = columns * len(table.columns)
    return [(name, at, column) for at, (name, column) in enumerate(zip(table.columns, columns, strict=False))]


def _cast_column(cells: list[Any], column: Column, *, required: bool) -> list[Any]:
    if isinstance(column.type, Tensor):
        return cast_cells(cells, column.type)
    return cast(cells, column.type, required=required)


def _checked(data: Any, signature: Signature, given: Any) -> Any:
    """Return the data in the order and types of the signature, or raise the 400 of a schema failure."""
    try:
        if not signature.tensors:
            return _table_checked(*_as_table(data, signature), signature)
        return tensors_of_table(data, signature) if isinstance(data, Table) else _tensors(data, signature)
    except (SchemaError, frames.FrameError) as error:
        raise schema_failure(texts.SCHEMA_FAILED, data=shown(given), schema=signature, error=error) from error


def _tensors(data: Parsed, signature: Signature) -> Any:
    if isinstance(data, dict) and not all(isinstance(value, NdArray) for value in data.values()):
        check_present(list(data), signature.inputs or ())
        message = "This model contains a tensor-based model signature, which suggests numpy arrays"
        raise SchemaError(message)
    return check_tensors(data, signature)


def _as_table(data: Any, signature: Signature) -> tuple[Table, dict[Any, str] | None]:
    """Return the DataFrame that MLflow makes of the data, and the dtypes that are known by column."""
    if isinstance(data, Table):
        return data, None
    if isinstance(data, NdArray):
        return _array_table(data)
    if isinstance(data, list):
        return _rows_table(data)
    if not all(isinstance(value, NdArray) for value in data.values()):
        return _json_table(data, signature), {}
    if _has_arrays(signature):
        return frames.to_table([_plain(data)]), {name: _in_cell(array) for name, array in data.items()}
    return _columns_table(data)


def _has_arrays(signature: Signature) -> bool:
    return any(isinstance(column.type, Array) for column in signature.inputs or ())


def _in_cell(array: NdArray) -> str:
    """Return how an array lies in the one cell that it becomes; STACKED for more than one dimension."""
    if isinstance(array, Scalar):
        return array.dtype
    return _STACKED if len(array.shape) > 1 else ARRAYS


def _json_table(data: dict[str, Any], signature: Signature) -> Table:
    """Return the table of a unified request: one row if all is scalar or lists of text, else columns."""

    def flat(value: Any) -> bool:
        if isinstance(value, list):
            return all(isinstance(item, str) for item in value)
        return not isinstance(value, dict)

    one_row = _has_arrays(signature) or all(map(flat, data.values()))
    return frames.to_table([data] if one_row else data)


def _array_table(array: NdArray) -> tuple[Table, dict[Any, str] | None]:
    if not array.shape and isinstance(array, Scalar):
        return frames.to_table([array.values]), {0: array.dtype}
    if not 1 <= len(array.shape) <= 2:  # noqa: PLR2004 - rows and columns
        message = f"Must pass 2-d input. shape={array.shape}"
        raise SchemaError(message)
    table = frames.to_table(array.values)
    return table, dict.fromkeys(table.columns, array.dtype)


def _rows_table(rows: list[dict[str, NdArray]]) -> tuple[Table, dict[Any, str] | None]:
    table = frames.to_table([{name: value.values for name, value in row.items()} for row in rows])
    known = {}
    for name in table.columns:
        values = [row[name] for row in rows if name in row]
        held = {value.dtype if isinstance(value, Scalar) else ARRAYS for value in values}
        known[name] = held.pop() if len(held) == 1 else ARRAYS
        if len(values) < len(rows):
            known[name] = _BESIDE_GAPS.get(known[name], known[name])
    return table, known


def _columns_table(data: dict[str, NdArray]) -> tuple[Table, dict[Any, str] | None]:
    arrays = data.values()
    if all(isinstance(array, Scalar) for array in arrays) or all(a.shape == () and a.dtype == "str" for a in arrays):
        return frames.to_table([_plain(data)]), {name: array.dtype for name, array in data.items()}
    if any(isinstance(array.values, dict) for array in arrays):
        message = "Per-column arrays must each be 1-dimensional"
        raise SchemaError(message)
    return frames.to_table(_plain(data)), {name: _stored(array) for name, array in data.items()}


def _stored(array: NdArray) -> str:
    """Return the dtype of the DataFrame column that an array becomes; ARRAYS for cells that are arrays again."""
    if len(array.shape) > 1:
        return "object"
    return ARRAYS if array.dtype == "object" else array.dtype


def _table_checked(table: Table, known: dict[Any, str] | None, signature: Signature) -> Table:
    columns = signature.inputs or ()
    if not signature.named:
        if len(table.columns) < len(columns):
            message = (
                f"Model inference is missing inputs. The model signature declares {len(columns)} inputs  but the "
                f"provided value only has {len(table.columns)} inputs."
            )
            raise SchemaError(message)
        present = list(zip(table.columns, range(len(table.columns)), columns, strict=False))
    else:
        check_present(list(table.columns), columns)
        present = _positions(table, columns, named=True)
        if table.columns and isinstance(table.columns[0], tuple) and _by_first_level(table, columns):
            message = "'DataFrame' object has no attribute 'name'"
            raise SchemaError(message)
    names = table.columns
    if len(set(names)) < len(names) and sum(names.count(name) for name, _, _ in present) > len(present):
        message = "'DataFrame' object has no attribute 'dtype'"  # what a repeated name comes to
        raise SchemaError(message)
    values = [_safe([row[at] for row in table.cells], known, name, column) for name, at, column in present]
    return Table(tuple(name for name, _, _ in present), [list(row) for row in zip(*values, strict=True)])


def _by_first_level(table: Table, columns: tuple[Column, ...]) -> bool:
    """Return whether an input is found in names of several levels, as pandas does by the first of them."""
    wanted = {column.name for column in columns}
    return any(name[0] in wanted for name in table.columns)


def _safe(cells: list[Any], known: dict[Any, str] | None, name: Any, column: Column) -> list[Any]:
    """Return the cells of a column if MLflow takes them as they are; `known` None means that they were cast."""
    if isinstance(column.type, Array):
        return _arrays_safe(cells, column, known.get(name) if known else None)
    kind = str(column.type)
    if known is None:
        if kind == "datetime" and any(isinstance(cell, str) for cell in cells):
            raise SchemaError(texts.ZONED)
        return cells
    held = known.get(name) or storage(cells)
    if not is_safe(held, kind, cells):
        raise SchemaError(incompatible(name, held, kind, cells))
    if kind in ("float", "double"):
        return [float("nan") if cell is None or cell == [] else float(cell) for cell in cells]
    return cells


def _arrays_safe(cells: list[Any], column: Column, held: str | None) -> list[Any]:
    items = column.type.items if isinstance(column.type, Array) else None
    if held == _STACKED and isinstance(items, str):
        message = "Data must be 1-dimensional"
        raise SchemaError(message)
    if held is not None and items != "datetime" and any(cell is None or _has_none(cell) for cell in cells):
        message = "Expected data to be list or numpy array"  # NumPy has no missing array
        raise SchemaError(message)
    try:
        return [check_array(cell, column.type, required=column.required) for cell in cells]  # type: ignore[arg-type]  # an Array
    except (TypeError, ValueError, OverflowError) as error:
        raise SchemaError(error) from error


def _has_none(cell: Any) -> bool:
    return isinstance(cell, list) and None in cell
