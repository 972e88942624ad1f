"""Tables for a signature, and the requests that send them: what a model with that signature accepts.

Every payload is accepted by MLflow's own functions and by this package, and arrives as it was meant: no null that
turns into `False` or the text `None`, no row that CSV drops.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from servesim.payloads.encode import FORMATS, Format, Payload, Table, encode
from servesim.payloads.signature import Column, Param, Signature, Tensor
from servesim.strategies.signatures import Given, signature_of
from servesim.strategies.values import cells, elements, parameters

_MOST_DRAWN: Final = 24
"""Elements of one entry of a tensor that are drawn one by one; larger entries repeat a few."""


def formats_of(signature: Given) -> tuple[Format, ...]:
    """Return the formats in which a model with this signature can be sent a table, in the order of `FORMATS`."""
    found = signature_of(signature)
    return tuple(form for form in FORMATS if _carries(found, form))


def tables(signature: Given, format: Format | None = None, *, max_rows: int = 3) -> SearchStrategy[Table]:  # noqa: A002 - the word of the documentation for it
    """Return tables of at least one row whose cells are Python values of the columns' types.

    An optional column may be left out, or have None where a value is missing. `format` keeps to the values that can
    be sent in that format; without it, to those that some format takes (the first of `formats_of`). Dimensions of
    any length (-1) get one length for all rows. Raises ValueError for a signature without inputs, or of which no
    table can be made.
    """
    found = signature_of(signature)
    chosen = format if format is not None else _first_format(found)
    _check_carries(found, chosen)
    return _tables(found, chosen, max_rows)


def payloads(signature: Given, format: Format | None = None, *, max_rows: int = 3) -> SearchStrategy[Payload]:  # noqa: A002 - as above
    """Return requests that a model with this signature accepts, in one format or in all that it can be sent.

    JSON requests come with some of the signature's parameters, or without `params`. Raises ValueError as `tables`.
    """
    found = signature_of(signature)
    if format is not None:
        _check_carries(found, format)
        return _payloads(found, format, max_rows)
    _check_carries(found, _first_format(found))
    return st.sampled_from(formats_of(found)).flatmap(lambda one: _payloads(found, one, max_rows))


def params_of(signature: Given) -> SearchStrategy[dict[str, Any] | None]:
    """Return values of some of a signature's parameters as a request's `params`, or None for none at all."""
    specs = signature_of(signature).params
    return st.none() | _given(specs) if specs else st.none()


def _given(specs: Sequence[Param]) -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={spec.name: parameters(spec.type, is_list=spec.is_list) for spec in specs}
    )


def _payloads(signature: Signature, format: Format, max_rows: int) -> SearchStrategy[Payload]:  # noqa: A002 - as above
    params = st.none() if format == "csv" else params_of(signature)
    return st.builds(
        lambda table, given: encode(table, signature, format, given), _tables(signature, format, max_rows), params
    )


# --- which format carries which signature ---------------------------------------------------------


def _first_format(signature: Signature) -> Format:
    return next((form for form in FORMATS if _carries(signature, form)), "inputs")


def _carries(signature: Signature, format: Format) -> bool:  # noqa: A002 - as above
    columns = signature.inputs or ()
    if not columns or (signature.tensors and _rows_of(columns) is None):
        return False
    if signature.tensors:
        return all(_carries_tensor(column, format) for column in columns)
    if not signature.named and format in ("instances", "inputs") and len({column.type for column in columns}) > 1:
        return False  # they make one array of the whole table
    if not signature.named and format == "inputs" and not isinstance(columns[0].type, str):
        return False  # as above
    return not any(cells(column.type, format).is_empty for column in columns)  # type: ignore[arg-type]  # no tensor


def _carries_tensor(column: Column, format: Format) -> bool:  # noqa: A002 - as above
    tensor = column.type
    if not isinstance(tensor, Tensor) or format == "csv":
        return False
    if not format.startswith("dataframe"):
        return True
    # A cell of a dataframe is a value or a flat list, which MLflow gives the rest of the shape.
    return tensor.shape[0] == -1 and -1 not in tensor.shape[1:]


def _check_carries(signature: Signature, format: Format) -> None:  # noqa: A002 - as above
    if format not in FORMATS:
        message = f"{format!r} is no input format: choose one of {', '.join(FORMATS)}"
        raise ValueError(message)
    if not signature.inputs:
        raise ValueError("this signature declares no inputs, so any request fits it: give one with inputs")
    if signature.tensors and _rows_of(signature.inputs) is None:
        message = f"{signature} has no rows: its tensors need a first dimension, the same for all or -1"
        raise ValueError(message)
    if not _carries(signature, format):
        others = ", ".join(formats_of(signature))
        message = f"MLflow reads no {format} request for the signature {signature}: choose one of {others}"
        raise ValueError(message)


def _rows_of(columns: Sequence[Column]) -> int | None:
    """Return the first dimension that tensors share, -1 for any, None where there is no such."""
    shapes = [column.type.shape for column in columns if isinstance(column.type, Tensor)]
    if not all(shapes):
        return None
    fixed = {shape[0] for shape in shapes} - {-1}
    return None if len(fixed) > 1 or 0 in fixed else fixed.pop() if fixed else -1


# --- tables ---------------------------------------------------------------------------------------


@st.composite
def _tables(draw: DrawFn, signature: Signature, format: Format, max_rows: int) -> Table:  # noqa: A002 - as above
    columns = _present(draw, signature.inputs or ())
    fixed = _rows_of(columns) if signature.tensors else -1
    row = st.tuples(*(_cell(draw, column, format) for column in columns))
    least, most = (1, max(1, max_rows)) if fixed in (-1, None) else (fixed, fixed)
    rows = draw(st.lists(row, min_size=least, max_size=most))
    return Table(tuple(column.name for column in columns), tuple(rows))


def _present(draw: DrawFn, columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Leave out some optional columns, but not all there are."""
    present = tuple(column for column in columns if column.required or draw(st.booleans()))
    return present or columns[:1]


def _cell(draw: DrawFn, column: Column, format: Format) -> SearchStrategy[Any]:  # noqa: A002 - as above
    if not isinstance(column.type, Tensor):
        return cells(column.type, format, required=column.required)
    lengths = tuple(draw(st.integers(1, 2)) if length == -1 else length for length in column.type.shape[1:])
    size = math.prod(lengths)
    drawn = min(size, _MOST_DRAWN)
    flat = st.lists(elements(column.type.dtype, format), min_size=drawn, max_size=drawn)
    return flat.map(lambda values: _nested([values[at % drawn] for at in range(size)], lengths) if drawn else [])


def _nested(flat: list[Any], lengths: tuple[int, ...]) -> Any:
    if not lengths:
        return flat[0]
    for length in reversed(lengths[1:]):
        flat = [flat[at : at + length] for at in range(0, len(flat), length)]
    return flat
