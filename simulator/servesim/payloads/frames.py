"""The two dataframe formats as tables, accepting what the pandas constructor accepts."""

from collections.abc import Iterable
from typing import Any, Final

from servesim.payloads import texts
from servesim.payloads.bounds import check_cells
from servesim.payloads.refusal import bad_request
from servesim.payloads.request import Table

_SPLIT_KEYS: Final = {"columns", "data", "index"}
_NESTED: Final = (list, dict)
_NESTED_TYPES: Final = frozenset(_NESTED)
_ONLY_LISTS: Final = {list}
_ONLY_TEXTS: Final = {str}
_NAN: Final = float("nan")
_GAPS: Final = frozenset((list, dict, bool, type(None)))


class FrameError(ValueError):
    """A value that pandas makes no DataFrame of."""


def from_records(value: Any) -> Table:
    """Return the table of a `dataframe_records` value, or raise a 400 `Refused`."""
    if not isinstance(value, list):
        raise bad_request(texts.RECORDS_NOT_LIST, got=_type_name(value, "dictionary", dict))
    try:
        return to_table(value)
    except FrameError as error:
        raise bad_request(texts.RECORDS_INVALID, error=error) from error


def from_split(value: Any) -> Table:
    """Return the table of a `dataframe_split` value, or raise a 400 `Refused`."""
    if not isinstance(value, dict):
        raise bad_request(texts.SPLIT_NOT_DICT, got=_type_name(value, "list", list))
    if "data" not in value or not value.keys() <= _SPLIT_KEYS:
        keys = "{" + ", ".join(repr(key) for key in sorted(value)) + "}" if value else "set()"
        raise bad_request(texts.SPLIT_KEYS, keys=keys)
    try:
        return to_table(value["data"], value.get("columns"), value.get("index"))
    except FrameError as error:
        raise bad_request(texts.SPLIT_INVALID, error=error) from error


def to_table(data: Any, columns: Any = None, index: Any = None) -> Table:
    """Return the table that `pandas.DataFrame(data, index, columns)` would hold, without dtype changes.

    Missing cells are None; columns without names are numbered from 0. Raises `FrameError` where pandas raises.
    """
    names = _names(columns)
    index = _index(index)
    if not isinstance(data, _NESTED):
        return _broadcast(data, names, index)
    if isinstance(data, dict):
        table = _from_columns(data, names, index)
    elif data and isinstance(data[0], dict):
        table = _from_dicts(data, names)
    elif data and isinstance(data[0], list):
        table = _from_lists(data, names)
    else:
        table = _from_scalars(data, names)
    return table if index is None or isinstance(data, dict) else _fit_index(table, len(index))


def _type_name(value: Any, name: str, kind: type) -> str:
    return name if isinstance(value, kind) else f"type {type(value)}"


def _labels(value: Any) -> list[Any] | None:
    if value is None:
        return None
    if not isinstance(value, _NESTED):
        message = f"Index(...) must be called with a collection of some kind, {value!r} was passed"
        raise FrameError(message)
    return list(value)


def _index(value: Any) -> list[Any] | None:
    if value is None:
        return None
    labels = _labels(value)
    if labels and all(isinstance(label, list) for label in labels):
        return list(_levels(labels))
    return labels


def _names(columns: Any) -> tuple[Any, ...] | None:
    if type(columns) is list and set(map(type, columns)) == _ONLY_TEXTS:  # as nearly every request has them
        return tuple(columns)
    labels = _labels(columns)
    if labels is None:
        return None
    if labels and all(isinstance(label, list) for label in labels):
        return _levels(labels)
    if not _NESTED_TYPES.isdisjoint(map(type, labels)):
        message = f"unhashable type: {columns!r}"
        raise FrameError(message)
    types = set(map(type, labels))
    return tuple(labels) if len(types) <= 1 else _as_index(labels, types)


def _as_index(labels: list[Any], types: set[type]) -> tuple[Any, ...]:
    """Return labels of several types as pandas' Index holds them: NaN for null, floats where one is among numbers."""
    if types <= {str, type(None)}:
        return tuple(float("nan") if label is None else label for label in labels)
    if types <= {int, float, type(None)}:
        return tuple(float("nan") if label is None else float(label) for label in labels)
    return tuple(labels)


def _levels(labels: list[list[Any]]) -> tuple[Any, ...]:
    """Return the names that lists of labels make, one list for each level of pandas' MultiIndex: tuples."""
    if len(set(map(len, labels))) > 1:
        message = "all arrays must be same length"
        raise FrameError(message)
    if any(isinstance(label, _NESTED) for level in labels for label in level):
        message = f"unhashable type: {labels!r}"
        raise FrameError(message)
    return tuple(zip(*labels, strict=True))


def _broadcast(data: Any, names: tuple[Any, ...] | None, index: list[Any] | None) -> Table:
    if data is not None and (names is None or index is None):
        message = "DataFrame constructor not properly called!"
        raise FrameError(message)
    width, rows = names or (), index or ()
    check_cells(len(rows), len(width), lambda: len(width) + len(rows))
    return Table(width, [[data] * len(width) for _ in rows])


def _from_columns(data: dict[str, Any], names: tuple[Any, ...] | None, index: list[Any] | None) -> Table:
    chosen = tuple(data) if names is None else names
    values = [data.get(name) for name in chosen]
    if index is not None:
        check_cells(len(index), len(chosen), lambda: _sent(data.values()) + len(index))
        return _aligned(chosen, values, index)
    if any(isinstance(value, dict) for value in values):
        if any(isinstance(value, list) for value in values):
            message = "Mixing dicts with non-Series may lead to ambiguous ordering."
            raise FrameError(message)
        labels = list(dict.fromkeys(label for value in values if isinstance(value, dict) for label in value))
        check_cells(len(labels), len(chosen), lambda: _sent(data.values()))
        return _aligned(chosen, values, labels)
    lengths = {len(value) for value in values if isinstance(value, _NESTED)}
    if len(lengths) > 1:
        message = "All arrays must be of the same length"
        raise FrameError(message)
    if not lengths and values and any(name in data for name in chosen):
        message = "If using all scalar values, you must pass an index"
        raise FrameError(message)
    count = lengths.pop() if lengths else 0
    check_cells(count, len(chosen), lambda: _sent(data.values()))
    return _transposed(chosen, [_column(value, count) for value in values], count)


def _aligned(names: tuple[Any, ...], values: list[Any], index: list[Any]) -> Table:
    """Return the table of columns over given row labels: one value is repeated, a dict is read by label."""
    columns = []
    for value in values:
        if isinstance(value, list) and len(value) not in (1, len(index)):
            message = f"Length of values ({len(value)}) does not match length of index ({len(index)})"
            raise FrameError(message)
        if isinstance(value, dict):
            columns.append([_NAN if isinstance(label, _NESTED) else value.get(label, _NAN) for label in index])
        elif isinstance(value, list) and len(value) == 1:
            columns.append(value * len(index))
        else:
            columns.append(_column(value, len(index)))
    return _transposed(names, columns, len(index))


def _transposed(names: tuple[Any, ...], columns: list[list[Any]], count: int) -> Table:
    return Table(names, [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(count)])


def _column(value: Any, count: int) -> list[Any]:
    if isinstance(value, list):
        return value
    return list(value.values()) if isinstance(value, dict) else [value] * count


def _from_dicts(data: list[Any], names: tuple[Any, ...] | None) -> Table:
    chosen = tuple(data[0]) if names is None else names
    width = len(chosen)
    check_cells(len(data), width, lambda: _sent(data) + width)
    cells = []
    for row in data:
        if not isinstance(row, dict):
            return _from_dicts([_as_dict(other) for other in data], names)
        if names is None and (len(row) != width or not all(name in row for name in chosen)):
            return _uneven(data)
        cells.append([row.get(name) for name in chosen])
    return Table(chosen, cells)


def _as_dict(row: Any) -> dict[Any, Any]:
    """Return a row as a dict, as Python makes it: a list of pairs is one too, and an empty list or text."""
    try:
        return dict(row)
    except (TypeError, ValueError) as error:
        raise FrameError(error) from error


def _uneven(data: list[Any]) -> Table:
    """Return the table of dicts that have not all the same keys.

    What is missing beside lists, booleans and nulls is NaN, as in pandas: casts tell it from a null.
    """
    rows = [_as_dict(row) for row in data]
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    check_cells(len(rows), len(names), lambda: _sent(rows) + len(names))
    gaps = [_NAN if all(type(row.get(name)) in _GAPS for row in rows) else None for name in names]
    return Table(names, [[row.get(name, gap) for name, gap in zip(names, gaps, strict=True)] for row in rows])


def _from_lists(data: list[Any], names: tuple[Any, ...] | None) -> Table:
    # Rows of one length, as nearly every request has them, are found at C speed.
    if set(map(type, data)) == _ONLY_LISTS and len(widths := set(map(len, data))) == 1:
        (width,) = widths
        if names is None or len(names) == width:
            return Table(tuple(range(width)) if names is None else names, data)
    for row in data:
        if not isinstance(row, (*_NESTED, str)):  # a text is a row of its characters
            message = f"object of type '{type(row).__name__}' has no len()"
            raise FrameError(message)
    width = max(map(len, data))
    chosen = tuple(range(width)) if names is None else names
    if len(chosen) != width:
        message = f"{len(chosen)} columns passed, passed data had {width} columns"
        raise FrameError(message)
    if all(type(row) is list and len(row) == width for row in data):
        return Table(chosen, data)
    check_cells(len(data), width, lambda: _sent(data))
    return Table(chosen, [[*row, *[None] * (width - len(row))] for row in data])


def _from_scalars(data: list[Any], names: tuple[Any, ...] | None) -> Table:
    if not data:
        return Table(names or (), [])
    if names is not None and len(names) != 1:
        message = f"Shape of passed values is ({len(data)}, 1), indices imply ({len(data)}, {len(names)})"
        raise FrameError(message)
    return Table(names or (0,), [[value] for value in data])


def _fit_index(table: Table, count: int) -> Table:
    if len(table.cells) == count or not table.columns:
        return Table(table.columns, table.cells[:count] + [[]] * (count - len(table.cells)))
    if len(table.cells) > 1:
        message = f"Shape of passed values is {len(table.cells), len(table.columns)}, indices imply {count} rows"
        raise FrameError(message)
    # No data at all: pandas fills the rows with missing values. A single row is repeated over the index.
    check_cells(count, len(table.columns), lambda: len(table.columns) + count)
    return Table(table.columns, (table.cells or [[None] * len(table.columns)]) * count)


def _sent(values: Iterable[Any]) -> int:
    return sum(len(value) if isinstance(value, (*_NESTED, str)) else 1 for value in values)
