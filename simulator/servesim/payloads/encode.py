"""Rows of Python values as the bytes of a scoring request, in each format that MLflow's scoring server reads."""

import base64
import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from servesim.payloads.parse import CSV, JSON
from servesim.payloads.signature import Array, Signature, Tensor

Format = Literal["dataframe_split", "dataframe_records", "instances", "inputs", "csv"]

FORMATS: Final[tuple[Format, ...]] = ("dataframe_split", "dataframe_records", "instances", "inputs", "csv")

_SPECIAL: Final = frozenset(',"\r\n')


class Table(NamedTuple):
    """Rows of cells under the columns of a signature, in its order; None stands where it has no names.

    A cell is a Python value of its column's type: bool, int, float, str, bytes, datetime, or None where an optional
    value is missing; for an array column a list; for a tensor its entry at this row along the first axis, a list of
    lists as deep as the rest of the shape.
    """

    columns: tuple[str | None, ...]
    rows: tuple[tuple[Any, ...], ...]


class Payload(NamedTuple):
    """The body of a scoring request, its content type, and the format that it is in."""

    content_type: str
    body: bytes
    format: str

    def json(self) -> Any:
        """Return the body as parsed JSON; raises ValueError for CSV."""
        if self.content_type != JSON:
            raise ValueError(f"a {self.format} payload is no JSON: read its body")
        return json.loads(self.body)

    @classmethod
    def of(cls, document: Mapping[str, Any], format: str) -> "Payload":  # noqa: A002 - the word of the documentation for it
        """Return a JSON request; bytes in it go out as base64, dates as ISO text."""
        return cls(JSON, json.dumps(document, default=_text).encode("ascii"), format)


def encode(table: Table, signature: Signature, format: Format, params: Mapping[str, Any] | None = None) -> Payload:  # noqa: A002 - the word of the documentation for it
    """Return the request that sends a table in a format.

    Bytes go out as base64, dates as ISO text, NaN and infinities as Python's JSON writes them. Nothing is checked:
    whether MLflow takes a type in a format is for `equivalence` to say. Raises ValueError for what a format has no
    place for: `params` or lists in CSV, and names that are no format.
    """
    if format == "csv":
        if params is not None:
            raise ValueError("CSV has no place for params: send them in a JSON format")
        return Payload(CSV, _csv(table), format)
    if format not in _WRITERS:
        raise ValueError(f"{format!r} is no input format: choose one of {', '.join(FORMATS)}")
    document: dict[str, Any] = {format: _WRITERS[format](table, signature)}
    if params is not None:
        document["params"] = dict(params)
    return Payload.of(document, format)


def _split(table: Table, signature: Signature) -> dict[str, Any]:
    columns = {} if table.columns[0] is None else {"columns": table.columns}
    return {**columns, "data": _matrix(table, signature)}


def _records(table: Table, signature: Signature) -> list[dict[str, Any]]:
    return [_record(table, row) for row in _matrix(table, signature)]


def _record(table: Table, row: Sequence[Any]) -> dict[str, Any]:
    unnamed = table.columns[0] is None
    return dict(zip(map(str, range(len(row))) if unnamed else map(str, table.columns), row, strict=True))


def _instances(table: Table, signature: Signature) -> list[Any]:  # noqa: ARG001 - as the others are called
    if table.columns[0] is not None:
        return [_record(table, row) for row in table.rows]
    return [row[0] if len(table.columns) == 1 else row for row in table.rows]


def _inputs(table: Table, signature: Signature) -> Any:
    if table.columns[0] is None:
        return _instances(table, signature)
    if any(isinstance(column.type, Array) for column in signature.inputs or ()):
        return _records(table, signature)  # by column, MLflow would take an array of lists for one cell
    return {name: [row[at] for row in table.rows] for at, name in enumerate(table.columns)}


def _matrix(table: Table, signature: Signature) -> list[Any]:
    """Return the rows as MLflow takes them in a DataFrame: tensors of more than two dimensions flat.

    The entries of one unnamed tensor lie side by side in columns, if it has two dimensions and holds no text.
    """
    if not signature.tensors:
        return list(table.rows)
    rows = [[_flat(cell) for cell in row] for row in table.rows]
    kind = (signature.inputs or ())[0].type
    spread = not signature.named and isinstance(kind, Tensor) and len(kind.shape) == 2 and kind.dtype != "str"  # noqa: PLR2004 - rows and columns
    return [row[0] for row in rows] if spread else rows


def _flat(cell: Any) -> Any:
    while isinstance(cell, list) and cell and isinstance(cell[0], list):
        cell = [leaf for inner in cell for leaf in inner]
    return cell


_WRITERS: Final = {"dataframe_split": _split, "dataframe_records": _records, "instances": _instances, "inputs": _inputs}


def _csv(table: Table) -> bytes:
    header = [str(at) if name is None else name for at, name in enumerate(table.columns)]
    lines = [header, *([_field(cell) for cell in row] for row in table.rows)]
    # One empty field is quoted: pandas skips lines with nothing on them.
    return "".join((",".join(map(_quoted, line)) or '""') + "\n" for line in lines).encode()


def _field(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, list):
        raise ValueError("a CSV cell holds no list: send arrays and tensors in a JSON format")  # noqa: TRY004 - a value
    return _text(cell) if isinstance(cell, bytes | datetime.date) else str(cell)


def _quoted(field: str) -> str:
    blank = bool(field) and not field.strip()  # pandas skips a line of nothing else
    return '"' + field.replace('"', '""') + '"' if blank or _SPECIAL.intersection(field) else field


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="microseconds")  # pandas wants one format in a column
    if isinstance(value, datetime.date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a scoring request: give plain Python values")
