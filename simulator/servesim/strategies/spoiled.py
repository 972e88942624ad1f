"""Accepted requests with one thing made wrong, and for which signatures and formats that can be."""

from typing import Any, Final

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from servesim.payloads.encode import FORMATS, Format, Payload, Table, encode
from servesim.payloads.signature import Array, Column, Signature, Tensor
from servesim.strategies.payloads import payloads, tables

# --- the body as a whole --------------------------------------------------------------------------

_CONTENT_TYPES: Final = (
    *("text/plain", "application/x-www-form-urlencoded", "application/octet-stream", "application/JSON"),
    *("application/json; charset=latin-1", "application/json; version=1", "text/csv; header=present"),
)


def content_type(draw: DrawFn, signature: Signature, format: Format) -> Payload:  # noqa: A002 - the word of the documentation for it
    """Return a good body under a content type that no model reads."""
    good = draw(payloads(signature, format))
    return good._replace(content_type=draw(st.sampled_from(_CONTENT_TYPES)))


def not_utf8(draw: DrawFn, signature: Signature, format: Format) -> Payload:  # noqa: A002 - as above
    """Return a body that ends with a byte that UTF-8 has not."""
    good = draw(payloads(signature, format))
    return good._replace(body=good.body + b"\xff")


def not_json(draw: DrawFn, signature: Signature, format: Format) -> Payload:  # noqa: A002 - as above
    """Return a body that is cut short."""
    good = draw(payloads(signature, format))
    return good._replace(body=good.body[: draw(st.integers(0, len(good.body) - 1))])


def not_an_object(draw: DrawFn, signature: Signature, format: Format) -> Payload:  # noqa: A002 - as above
    """Return a list or a bare value."""
    document = draw(payloads(signature, format)).json()
    return Payload.of(draw(st.sampled_from((None, False, 0, "", [], [document], document[format]))), format)


def no_format(draw: DrawFn, signature: Signature, format: Format) -> Payload:  # noqa: A002 - as above
    """Return an object with none of the four keys."""
    document = draw(payloads(signature, format)).json()
    key = draw(st.sampled_from((None, "data", "rows", "instance", "Inputs", "dataframe", "columns")))
    value = document.pop(format)
    return Payload.of(document if key is None else {key: value, **document}, format)


def two_formats(draw: DrawFn, signature: Signature, format: Format) -> Payload:  # noqa: A002 - as above
    """Return an object with two of the four keys."""
    document = draw(payloads(signature, format)).json()
    other = draw(st.sampled_from([name for name in FORMATS if name not in ("csv", format)]))
    return Payload.of({**document, other: document[format]}, format)


def not_rows(draw: DrawFn, signature: Signature, format: Format) -> Payload:  # noqa: A002 - as above
    """Return something else where a dataframe format has rows."""
    document = draw(payloads(signature, format)).json()
    if format == "dataframe_records":
        wrong = draw(st.sampled_from((None, 0, "", {}, {"data": document[format]})))
    else:
        wrong = draw(st.sampled_from((None, 0, "", [], {}, document[format]["data"], {"rows": []})))
    return Payload.of({**document, format: wrong}, format)


def unknown_key(draw: DrawFn, signature: Signature, format: Format) -> Payload:  # noqa: A002 - as above
    """Return a `dataframe_split` with a key that it has not."""
    document = draw(payloads(signature, format)).json()
    document[format][draw(st.sampled_from(("rows", "dtypes", "names", "Data")))] = []
    return Payload.of(document, format)


# --- the rows -------------------------------------------------------------------------------------

_NUMBERS: Final = frozenset(("integer", "long", "float", "double"))
_FREE_DTYPES: Final = frozenset(("bool", "str", "object"))
"""Elements of which NumPy makes anything out of anything."""


def missing_input(draw: DrawFn, signature: Signature, format: Format) -> Payload:  # noqa: A002 - as above
    """Return a table without one of its required columns."""
    table = draw(tables(signature, format))
    needed = [at for at, name in enumerate(table.columns) if _column(signature, table, at).required or name is None]
    at = draw(st.sampled_from(needed)) if table.columns[0] is not None else len(table.columns) - 1
    if len(table.columns) > 1:
        columns = (*table.columns[:at], *table.columns[at + 1 :])
        return encode(Table(columns, tuple((*row[:at], *row[at + 1 :]) for row in table.rows)), signature, format)
    name = f"not {table.columns[0]}"
    return encode(Table((name,), table.rows), signature, format)


def wrong_type(draw: DrawFn, signature: Signature, format: Format) -> Payload:  # noqa: A002 - as above
    """Return a table with one value that its column refuses."""
    table = draw(tables(signature, format))
    able = [at for at in range(len(table.columns)) if wrong_values(_column(signature, table, at), format)]
    assume(able)  # the optional ones that could have been wrong may have been left out
    at = draw(st.sampled_from(able))
    wrong = draw(st.sampled_from(wrong_values(_column(signature, table, at), format)))
    tensor = isinstance(_column(signature, table, at).type, Tensor)
    row = draw(st.integers(0, len(table.rows) - 1))
    cell = _with_leaf(table.rows[row][at], wrong) if tensor else wrong
    return encode(_with_cell(table, row, at, cell), signature, format)


def wrong_values(column: Column, format: Format) -> tuple[Any, ...]:  # noqa: A002 - as above
    """Return values that a format refuses in a column; boolean and string columns refuse hardly any."""
    kind = column.type
    if isinstance(kind, Array):
        return ("x", 0)
    if isinstance(kind, Tensor):
        return () if kind.dtype in _FREE_DTYPES else ("x", "")
    if kind in _NUMBERS or (format == "csv" and kind == "boolean"):
        return ("x", "1,5") if kind in ("float", "double", "boolean") else ("x", "1.5e")
    if kind == "datetime":
        return ("soon", "2024-13-01")
    if kind == "binary" and format != "csv":
        return (0, [0]) if format.startswith("dataframe") else ("é",)
    return ()


def extra_dimension(draw: DrawFn, signature: Signature, format: Format) -> Payload:  # noqa: A002 - as above
    """Return a table of which one column holds lists, or deeper tensors."""
    table = draw(tables(signature, format))
    able = [at for at in range(len(table.columns)) if _is_flat(_column(signature, table, at), format)]
    assume(able)  # as above
    at = draw(st.sampled_from(able))
    rows = (tuple([cell] if here == at else cell for here, cell in enumerate(row)) for row in table.rows)
    return encode(Table(table.columns, tuple(rows)), signature, format)


def may_be_deeper(signature: Signature, format: Format) -> bool:  # noqa: A002 - as above
    """Return whether a format refuses a dimension more."""
    columns = signature.inputs or ()
    if len(columns) == 1 and not signature.named and not signature.tensors and format in ("instances", "inputs"):
        return False  # one column without a name may also come as rows of one value
    return any(_is_flat(column, format) for column in columns)


def _is_flat(column: Column, format: Format) -> bool:  # noqa: A002 - as above
    """Return whether a column takes no lists, or a tensor none that are deeper."""
    kind = column.type
    if isinstance(kind, Tensor):
        return format in ("instances", "inputs") and (kind.dtype != "object" or len(kind.shape) > 1)
    return format != "csv" and (kind in _NUMBERS or kind == "datetime")


def wrong_length(draw: DrawFn, signature: Signature, format: Format) -> Payload:  # noqa: A002 - as above
    """Return tensors whose second dimension is one longer than the signature's."""
    table = draw(tables(signature, format))
    able = [at for at in range(len(table.columns)) if has_length(_column(signature, table, at))]
    at = draw(st.sampled_from(able))
    rows = (tuple([*cell, cell[0]] if here == at else cell for here, cell in enumerate(row)) for row in table.rows)
    return encode(Table(table.columns, tuple(rows)), signature, format)


def has_length(column: Column) -> bool:
    """Return whether a tensor's second dimension is fixed."""
    return isinstance(column.type, Tensor) and len(column.type.shape) > 1 and column.type.shape[1] > 0


def ragged(draw: DrawFn, signature: Signature, format: Format) -> Payload:  # noqa: A002 - as above
    """Return rows, or columns, of which one is longer."""
    table = draw(tables(signature, format))
    twice = table._replace(rows=(table.rows[0], *table.rows))
    if signature.tensors and format in ("instances", "inputs"):
        at = draw(st.sampled_from([at for at, column in enumerate(signature.inputs or ()) if _can_be_ragged(column)]))
        return encode(_with_cell(twice, 0, at, [*twice.rows[0][at], twice.rows[0][at][0]]), signature, format)
    if format == "csv":
        good = encode(twice, signature, format)
        return good._replace(body=good.body.removesuffix(b"\n") + b",1\n")
    document = encode(twice, signature, format).json()
    if format == "dataframe_split":
        document[format]["data"][0].append(None)
    else:
        name = draw(st.sampled_from(sorted(document[format])))
        document[format][name].append(document[format][name][0])
    return Payload.of(document, format)


def _can_be_ragged(column: Column) -> bool:
    kind = column.type
    return isinstance(kind, Tensor) and kind.dtype != "object" and kind.shape[0] == -1 and len(kind.shape) > 1


def may_be_wrong(signature: Signature, format: Format) -> bool:  # noqa: A002 - as above
    """Return whether a column refuses any value in a format."""
    return any(wrong_values(column, format) for column in signature.inputs or ())


def may_be_longer(signature: Signature, format: Format) -> bool:  # noqa: A002 - as above
    """Return whether a format says how long a tensor's second dimension is."""
    return format in ("instances", "inputs") and any(map(has_length, signature.inputs or ()))


def may_be_ragged(signature: Signature, format: Format) -> bool:  # noqa: A002 - as above
    """Return whether a format refuses rows or columns of different lengths."""
    columns = signature.inputs or ()
    if signature.tensors and format in ("instances", "inputs"):
        return any(map(_can_be_ragged, columns))
    if format == "dataframe_split":
        return signature.named and not signature.tensors
    if format == "inputs":
        lists = any(isinstance(column.type, Array) for column in columns)
        return signature.named and not lists and sum(column.required for column in columns) > 1
    return format == "csv"


def _column(signature: Signature, table: Table, at: int) -> Column:
    """Return the input that stands in a column of a table."""
    columns = signature.inputs or ()
    name = table.columns[at]
    return columns[at] if name is None else next(column for column in columns if column.name == name)


def _with_cell(table: Table, row: int, at: int, cell: Any) -> Table:
    changed = (*table.rows[row][:at], cell, *table.rows[row][at + 1 :])
    return table._replace(rows=(*table.rows[:row], changed, *table.rows[row + 1 :]))


def _with_leaf(cell: Any, leaf: Any) -> Any:
    return [_with_leaf(cell[0], leaf), *cell[1:]] if isinstance(cell, list) and cell else leaf


# --- parameters -----------------------------------------------------------------------------------


def bad_params(draw: DrawFn, signature: Signature, format: Format) -> Payload:  # noqa: A002 - as above
    """Return a good table with parameters that are not the signature's."""
    document = draw(payloads(signature, format)).json()
    spec = draw(st.sampled_from(signature.params or ()))
    wrong = {"string": 0, "datetime": "soon"}.get(spec.type, "x")
    of_one = {spec.name: [wrong] if spec.is_list else wrong}
    shapes = {spec.name: 0 if spec.is_list else [spec.default]}
    return Payload.of({**document, "params": draw(st.sampled_from((of_one, shapes, [], 0, "")))}, format)
