"""CSV bodies as tables, read as `pandas.read_csv` reads them with its defaults."""

import csv
import io
import re
from typing import Any, Final

from servesim.payloads import texts
from servesim.payloads.bounds import check_cells
from servesim.payloads.elements import float32
from servesim.payloads.refusal import bad_request
from servesim.payloads.request import Table
from servesim.payloads.signature import Signature, Tensor

MISSING: Final = frozenset(
    (
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A"),
        *("NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)
BOOLEANS: Final = {"true": True, "false": False}
_INTEGER: Final = re.compile(r"[ \t]*[+-]?[0-9]+[ \t]*")
_FLOAT: Final = re.compile(
    r"[ \t]*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?[ \t]*|[+-]?inf(?:inity)?", re.IGNORECASE
)
_INT32: Final = range(-(2**31), 2**31)
_INT64: Final = range(-(2**63), 2**63)
_UINT64: Final = range(2**64)

Cells = list[str | None]
"""The texts of one column, None where missing."""


class CsvError(ValueError):
    """A text that pandas makes no DataFrame of."""


def read(body: bytes, signature: Signature | None = None) -> Table:
    """Return the table of a CSV body; columns that the signature has are read as its types, without base64.

    Raises a 400 `Refused` where `pandas.read_csv` raises.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad_request(texts.NOT_UTF8, error=repr(error)) from error
    try:
        return _table(text, _kinds(signature))
    except (ValueError, OverflowError, csv.Error) as error:
        raise bad_request(texts.CSV_INVALID, error=error) from error


def _kinds(signature: Signature | None) -> dict[Any, str]:
    """Return the scalar type by column name, or by position for inputs without names."""
    columns = (signature and signature.inputs) or ()
    if columns and not all(isinstance(column.type, str) for column in columns):
        if isinstance(columns[0].type, Tensor):
            message = "TensorSpec only supports numpy types, use numpy_types() instead"
        else:
            message = "Failed to get pandas types as some of the inputs types are not DataType."
        raise CsvError(message)
    return {at if column.name is None else column.name: str(column.type) for at, column in enumerate(columns)}


def _typed(column: Cells, kind: str) -> list[Any]:
    if not column:
        return []
    if kind == "datetime":
        message = "the dtype datetime64[ns] is not supported for parsing, pass this column using parse_dates instead"
        raise CsvError(message)
    if kind in ("string", "binary"):
        return list(column)
    values = _inferred(column)
    if kind in ("float", "double"):
        convert = float32 if kind == "float" else float
        return [float("nan") if value is None else convert(_number(value)) for value in values]
    if None in values:
        message = f"{'Bool' if kind == 'boolean' else 'Integer'} column has NA values"
        raise CsvError(message)
    fits = {"boolean": range(2), "integer": _INT32, "long": _INT64}[kind]
    return [(bool if kind == "boolean" else int)(_whole(value, fits)) for value in values]


def _number(value: Any) -> float:
    if isinstance(value, str) and not _FLOAT.fullmatch(value):
        message = f"could not convert string to float: {value!r}"
        raise CsvError(message)
    return float(value)


def _whole(value: Any, fits: range) -> int:
    """Return a cell as one of the integers that fit, or raise; what would change in the cast is refused."""
    if isinstance(value, str):
        message = f"invalid literal for int() with base 10: {value!r}"
        raise CsvError(message)
    # A float is made an integer first: looking for a float in a range walks through the range.
    if (isinstance(value, float) and not value.is_integer()) or int(value) not in fits:
        message = "cannot safely convert passed user dtype"
        raise CsvError(message)
    return int(value)


def _inferred(column: Cells) -> list[Any]:
    """Return the column as bools, ints, floats or text, whichever first fits every cell that is there."""
    present = [cell for cell in column if cell is not None]
    if present and all(cell.lower() in BOOLEANS for cell in present):
        return [None if cell is None else BOOLEANS[cell.lower()] for cell in column]
    if present and all(map(_INTEGER.fullmatch, present)):
        return _integers(column)
    if present and all(map(_FLOAT.fullmatch, present)):
        return [None if cell is None else float(cell) for cell in column]
    return list(column)


def _integers(column: Cells) -> list[Any]:
    try:
        values = [None if cell is None else int(cell) for cell in column]
    except ValueError:  # beyond the digits that Python converts; pandas keeps such columns as text
        return list(column)
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return [None if value is None else float(value) for value in values]
    # Python integers if some fit no 64 bits; text if only some of them fit the unsigned ones, and some are negative.
    wide = min(numbers) < _INT64.start or max(numbers) >= _UINT64.stop
    return list(numbers) if wide or min(numbers) >= 0 or max(numbers) < _INT64.stop else list(column)


def _table(text: str, kinds: dict[Any, str]) -> Table:
    lines = _lines(text.removeprefix("\ufeff"))
    if not lines:
        message = "No columns to parse from file"
        raise CsvError(message)
    header = lines[0]
    width = max(len(header), len(lines[1]) if len(lines) > 1 else 0)
    for number, line in enumerate(lines[1:], start=2):
        if len(line) > width:
            message = f"Error tokenizing data. C error: Expected {width} fields in line {number}, saw {len(line)}\n"
            raise CsvError(message)
    # A first line of data that is longer than the header makes its leading cells the index, which is dropped.
    leading = width - len(header)
    names = _names(header)
    check_cells(len(lines) - 1, len(names), lambda: sum(map(len, lines)))
    columns = [[_cell(line, position + leading) for line in lines[1:]] for position in range(len(names))]
    values = []
    for at, (name, column) in enumerate(zip(names, columns, strict=True)):
        kind = kinds.get(name, kinds.get(header[at], kinds.get(at)))  # a repeated name keeps its type
        values.append(_inferred(column) if kind is None else _typed(column, kind))
    return Table(names, [list(row) for row in zip(*values, strict=True)])


def _cell(line: list[str], position: int) -> str | None:
    cell = line[position] if position < len(line) else ""
    return None if cell in MISSING else cell


def _lines(text: str) -> list[list[str]]:
    if '"' not in text:
        plain = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return [line.split(",") for line in plain if line.strip(" \t")]
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        lines = list(rows)
    except csv.Error as error:
        if "unexpected end" in str(error):
            message = "Error tokenizing data. C error: EOF inside string"
            raise CsvError(message) from error
        lines = list(csv.reader(io.StringIO(text, newline="")))
    return [line for line in lines if line]


def _names(header: list[str]) -> tuple[str, ...]:
    given = [name or f"Unnamed: {position}" for position, name in enumerate(header)]
    standing = set(given)
    taken: dict[str, int] = {}
    names: list[str] = []
    for name in given:
        unique, count = name, taken.get(name, 0)
        while count and (unique := f"{name}.{count}") in standing:
            count += 1
        taken[name] = count + 1
        names.append(unique)
    return tuple(names)
