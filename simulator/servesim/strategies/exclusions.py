"""What a format does not carry as the others do: the data behind `equivalence` and the table in docs/strategies.md.

Each line was measured with MLflow 3.17.2 and its own example; a test repeats that, and fails for a line that no longer
holds.
"""

import datetime
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from servesim.payloads.csv_table import MISSING
from servesim.payloads.encode import Format, Table
from servesim.payloads.signature import Array, Column, Signature, Tensor

_FRAMES: Final[tuple[Format, ...]] = ("dataframe_split", "dataframe_records")
_VALUES: Final[tuple[Format, ...]] = ("instances", "inputs")
_JSON: Final = (*_FRAMES, *_VALUES)
_ALL: Final[tuple[Format, ...]] = (*_JSON, "csv")

_INT64: Final = range(-(2**63), 2**63)
_FIRST: Final = datetime.datetime(1677, 9, 21, 0, 12, 43, 145225)  # noqa: DTZ001 - naive by MLflow's definition
_LAST: Final = datetime.datetime(2262, 4, 11, 23, 47, 16, 854775)  # noqa: DTZ001 - as above

Applies = Callable[[Signature, Table], bool]


class Example(NamedTuple):
    """A table that shows an exclusion: the inputs as MLflow stores them, and rows."""

    inputs: list[dict[str, Any]]
    rows: tuple[tuple[Any, ...], ...]

    @property
    def signature(self) -> Signature:
        """The signature of the example."""
        return Signature.from_mlflow(self.inputs)

    @property
    def table(self) -> Table:
        """The rows under the names of the signature."""
        return Table(tuple(spec.get("name") for spec in self.inputs), self.rows)


class Exclusion(NamedTuple):
    """Values of a type that some formats do not carry, and what MLflow makes of them there.

    `values` is empty where it is all of them; `recorded` is the id of the recorded pair that shows it too.
    """

    type: str
    formats: tuple[Format, ...]
    values: str
    outcome: str
    applies: Applies
    example: Example
    recorded: str = ""


def _any(holds: Callable[[Column, Sequence[Any]], bool]) -> Applies:
    """Return a condition that one column with its cells is enough for."""
    return lambda signature, table: any(holds(column, cells) for column, cells in _columns(signature, table))


def _columns(signature: Signature, table: Table) -> Iterator[tuple[Column, Sequence[Any]]]:
    """Yield the inputs that a table has, each with its cells."""
    inputs = signature.inputs or ()
    by_name = {column.name: column for column in inputs}
    for at, name in enumerate(table.columns):
        yield inputs[at] if name is None else by_name[name], [row[at] for row in table.rows]


def _scalar(kinds: Sequence[str], holds: Callable[[Any], bool] = lambda _: True) -> Applies:
    return _any(lambda column, cells: column.type in kinds and any(map(holds, cells)))


def _array(holds: Callable[[Array, Any], bool]) -> Applies:
    return _any(lambda column, cells: isinstance(column.type, Array) and any(holds(column.type, c) for c in cells))


def _tensor(holds: Callable[[Tensor, list[Any]], bool]) -> Applies:
    """Return a condition on a tensor and its elements."""
    return _any(
        lambda column, cells: isinstance(column.type, Tensor) and holds(column.type, list(_leaves(list(cells))))
    )


def _leaves(value: Any) -> Iterator[Any]:
    if not isinstance(value, list):
        yield value
        return
    for inner in value:
        yield from _leaves(inner)


_any_array: Final = _array(lambda _kind, _cell: True)


def _items(kind: Array) -> str:
    return _items(kind.items) if isinstance(kind.items, Array) else kind.items


def _is_none(value: Any) -> bool:
    return value is None


def _ends_in_nul(value: Any) -> bool:
    return isinstance(value, str) and value.endswith("\0")


def _ragged(value: Any) -> bool:
    """Return whether nested lists are no array of one shape."""

    def shape(part: Any) -> tuple[int, ...] | None:
        if not isinstance(part, list):
            return ()
        shapes = {shape(inner) for inner in part}
        if None in shapes or len(shapes) > 1:
            return None
        return (len(part), *(shapes.pop() or () if shapes else ()))

    return shape(value) is None


def _mixed(leaves: list[Any]) -> bool:
    """Return whether elements of an object tensor change on their way through a list of one type."""
    kinds = set(map(type, leaves))
    wide = kinds == {int} and any(leaf not in _INT64 for leaf in leaves)
    return len(kinds) > 1 or None in leaves or wide or any(map(_ends_in_nul, leaves))


def _one(kind: str, *cells: Any, required: bool = True, name: str = "a") -> Example:
    return Example([{"name": name, "type": kind, "required": required}], tuple((cell,) for cell in cells))


def _arrays(items: str, *cells: Any, required: bool = True) -> Example:
    spec = {"name": "a", "type": "array", "items": {"type": items}, "required": required}
    return Example([spec], tuple((cell,) for cell in cells))


def _tensors(dtype: str, shape: Sequence[int], *cells: Any, name: str | None = "a") -> Example:
    spec = {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}}
    return Example([{**spec, "name": name} if name else spec], tuple((cell,) for cell in cells))


EXCLUSIONS: Final = (
    Exclusion(
        "boolean",
        ("csv",),
        "a missing value",
        "refused; the JSON formats make it false",
        _scalar(["boolean"], _is_none),
        _one("boolean", None, required=False),
    ),
    Exclusion(
        "integer, long",
        _ALL,
        "a missing value",
        "refused",
        _scalar(["integer", "long"], _is_none),
        _one("long", 1, None, required=False),
        "y_records_i_mixed_null",
    ),
    Exclusion(
        "string",
        _VALUES,
        "a missing value",
        "becomes the text `None`",
        _scalar(["string"], _is_none),
        _one("string", "a", None, required=False),
    ),
    Exclusion(
        "string",
        _VALUES,
        "a text that ends in NUL",
        "loses it: NumPy pads texts with NUL",
        _scalar(["string"], _ends_in_nul),
        _one("string", "a\0"),
    ),
    Exclusion(
        "string",
        ("csv",),
        "the empty text, and words such as `NA`, `null` and `None`",
        "read as missing, quoted or not",
        _scalar(["string"], lambda cell: cell in MISSING),
        _one("string", "a", "NA"),
    ),
    Exclusion(
        "binary",
        _JSON,
        "a missing value",
        "refused in the dataframe formats, the bytes `None` in `instances` and `inputs`",
        _scalar(["binary"], _is_none),
        _one("binary", b"a", None, required=False),
    ),
    Exclusion(
        "binary",
        _VALUES,
        "",
        "the model is given the base64 text as bytes",
        _scalar(["binary"]),
        _one("binary", b"ab"),
        "y_instances",
    ),
    Exclusion("binary", ("csv",), "", "the model is given the base64 text", _scalar(["binary"]), _one("binary", b"ab")),
    Exclusion(
        "datetime",
        ("csv",),
        "",
        "refused: pandas reads no such column",
        _scalar(["datetime"]),
        _one("datetime", datetime.datetime(2024, 1, 2)),  # noqa: DTZ001 - as above
    ),
    Exclusion(
        "datetime",
        _ALL,
        "before 1677-09-21 and after 2262-04-11",
        "refused in the dataframe formats, another century in `instances` and `inputs`",
        _scalar(["datetime"], lambda cell: cell is not None and not _FIRST <= cell <= _LAST),
        _one("datetime", datetime.datetime(3024, 1, 2)),  # noqa: DTZ001 - as above
        "y_dt_far",
    ),
    Exclusion(
        "Array",
        ("instances", "csv"),
        "",
        "refused, and so is every other column beside one",
        lambda signature, _: any(isinstance(column.type, Array) for column in signature.inputs or ()),
        _arrays("double", [1.5]),
    ),
    Exclusion(
        "Array",
        ("inputs",),
        "a missing array, and nested lists of different lengths",
        "refused",
        _array(lambda _, cell: cell is None or _ragged(cell)),
        _arrays("double", [1.5], None, required=False),
    ),
    Exclusion(
        "Array of integer, float or datetime",
        _ALL,
        "every list that is not empty",
        "refused: nothing in a list is cast",
        _array(lambda kind, cell: _items(kind) in ("integer", "float", "datetime") and any(_leaves(cell))),
        _arrays("integer", [1]),
    ),
    Exclusion(
        "Tensor",
        ("csv",),
        "",
        "refused",
        lambda signature, _: signature.tensors,
        _tensors("float64", [-1], 1.5),
        "t_csv",
    ),
    Exclusion(
        "Tensor",
        _FRAMES,
        "a shape whose first dimension is fixed, or another one free",
        "refused",
        _tensor(lambda kind, _: kind.shape[0] != -1 or -1 in kind.shape[1:]),
        _tensors("float64", [-1, -1], [1.5, 2.5]),
    ),
    Exclusion(
        "Tensor",
        _FRAMES,
        "no elements at all",
        "refused",
        _tensor(lambda _, leaves: not leaves),
        _tensors("float64", [-1, 0], []),
    ),
    Exclusion(
        "Tensor('uint64', ...)",
        _FRAMES,
        "elements from 2^63 on",
        "go through 64 bit floats where they stand in a list with smaller ones",
        _tensor(lambda kind, leaves: kind.dtype == "uint64" and len(kind.shape) > 1 and max(leaves) not in _INT64),
        _tensors("uint64", [-1, 2], [2**64 - 1, 1]),
    ),
    Exclusion(
        "Tensor('object', ...)",
        _FRAMES,
        "elements of several types, missing ones, integers beyond 64 bits, texts that end in NUL",
        "take the type of the column or list that they stand in",
        _tensor(lambda kind, leaves: kind.dtype == "object" and _mixed(leaves)),
        _tensors("object", [-1, 2], ["a", 1]),
    ),
    Exclusion(
        "columns without names",
        _VALUES,
        "columns of several types",
        "make one array of the type of the first",
        lambda signature, _: not signature.named and len({column.type for column in signature.inputs or ()}) > 1,
        Example([{"type": "integer"}, {"type": "double"}], ((1, 2.5),)),
    ),
    Exclusion(
        "columns without names",
        ("inputs",),
        "columns of arrays",
        "refused: make one array of all",
        lambda signature, table: not signature.named and _any_array(signature, table),
        Example([{"type": "array", "items": {"type": "double"}}], (([1.5],),)),
    ),
    Exclusion(
        "every type",
        ("dataframe_records", "instances"),
        "a table without rows",
        "has no columns either",
        lambda _, table: not table.rows,
        Example([{"name": "a", "type": "double"}, {"name": "b", "type": "double"}], ()),
    ),
    Exclusion(
        "every type",
        ("csv",),
        "a first column whose name begins with the mark of byte order",
        "loses it",
        lambda _, table: (table.columns[0] or "").startswith("\ufeff"),
        _one("double", 1.5, name="\ufeffa"),
    ),
)
"""In the order of the table in the documentation."""
