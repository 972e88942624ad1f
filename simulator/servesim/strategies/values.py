"""Values of each MLflow type, with the odd ones that models meet: one cell, one tensor element, one parameter.

Every strategy shrinks towards the plainest value of its type: False, 0, 0.0, the empty text.
"""

import datetime
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from servesim.payloads.csv_table import MISSING
from servesim.payloads.encode import Format
from servesim.payloads.signature import Array

_PLAIN_DATE: Final = datetime.datetime(2000, 1, 1)  # noqa: DTZ001 - MLflow's datetimes are naive
_US: Final = datetime.timedelta(microseconds=1)
_YEARS: Final = datetime.timedelta(days=365)
_MOST_CHARACTERS: Final = 12
_MOST_BYTES: Final = 8
_MOST_ITEMS: Final = 3

# Beyond the 53 bits of a double, where a detour over floats shows.
_LONGS: Final = st.integers(-(2**63), 2**63 - 1) | st.sampled_from((2**53 + 1, 2**63 - 1, -(2**63)))
# From 1680 to 2260, as pandas counts nanoseconds in 64 bits; one number shrinks better than the parts of a date.
_DATETIMES: Final = st.integers(-320 * _YEARS // _US, 260 * _YEARS // _US).map(
    lambda microseconds: _PLAIN_DATE + microseconds * _US
)
_TEXTS: Final = st.text(max_size=_MOST_CHARACTERS)
# CSV has no empty text, words for what is missing, and lines that are skipped when there is only space on them.
_CSV_TEXTS: Final = st.text(min_size=1, max_size=_MOST_CHARACTERS).filter(
    lambda text: bool(text.strip()) and text not in MISSING
)

_SCALARS: Final[dict[str, SearchStrategy[Any]]] = {
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "long": _LONGS,
    "float": st.floats(width=32),
    "double": st.floats(),
    "string": _TEXTS,
    "binary": st.binary(max_size=_MOST_BYTES),
    "datetime": _DATETIMES,
}
_IN_CSV: Final[dict[str, SearchStrategy[Any]]] = {
    **{kind: _SCALARS[kind] for kind in ("boolean", "integer", "long", "float", "double")},
    "string": _CSV_TEXTS,
    # Three bytes are four letters, and some of those are words for a missing value.
    "binary": st.binary(min_size=1, max_size=2),
}

# MLflow casts nothing inside of lists and finds no int32, float32 or date in JSON: of these only the empty list.
_ITEMS: Final = frozenset(("boolean", "long", "double", "string", "binary"))

_FORMAT_OF_MISSING: Final = {
    "dataframe_split": frozenset(("float", "double", "string", "datetime")),
    "dataframe_records": frozenset(("float", "double", "string", "datetime")),
    "instances": frozenset(("float", "double", "datetime")),
    "inputs": frozenset(("float", "double", "datetime")),
    "csv": frozenset(("float", "double", "string", "binary")),
}
"""The types of which a format can say that a value is missing.

Elsewhere a null is refused (integers), or read as something that nobody sent (False, the text `None`).
"""

_ELEMENTS: Final[dict[str, SearchStrategy[Any]]] = {
    "bool": st.booleans(),
    **{f"int{bits}": st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32)},
    **{f"uint{bits}": st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    "int64": _LONGS,
    "float16": st.floats(width=16),
    "float32": st.floats(width=32),
    "float64": st.floats(),
    "str": _TEXTS,
    "object": st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | _TEXTS | st.none(),
}


def scalars(kind: str, format: Format = "dataframe_split") -> SearchStrategy[Any]:  # noqa: A002 - the word of the documentation for it
    """Return the values of a scalar type that arrive as what they are in a format; nothing for datetimes in CSV."""
    return (_IN_CSV if format == "csv" else _SCALARS).get(kind, st.nothing())


def cells(kind: str | Array, format: Format = "dataframe_split", *, required: bool = True) -> SearchStrategy[Any]:  # noqa: A002 - as above
    """Return the cells of a column in a format: values of its type, None where one may be missing."""
    if isinstance(kind, Array):
        lists = _lists(kind, format)
        return lists if required or format == "inputs" or lists.is_empty else st.none() | lists
    values = scalars(kind, format)
    return values if required or kind not in _FORMAT_OF_MISSING[format] else st.none() | values


def elements(dtype: str, format: Format = "inputs") -> SearchStrategy[Any]:  # noqa: A002 - as above
    """Return the elements of a tensor; those of `object` have one type in a dataframe, which has columns."""
    return _TEXTS if dtype == "object" and format.startswith("dataframe") else _ELEMENTS[dtype]


def parameters(kind: str, *, is_list: bool = False) -> SearchStrategy[Any]:
    """Return the values of an inference parameter, as JSON holds them: dates are ISO texts."""
    if kind == "datetime":
        values: SearchStrategy[Any] = _DATETIMES.map(datetime.datetime.isoformat)
    elif kind in ("float", "double"):
        values = st.floats(width=32 if kind == "float" else 64, allow_nan=False, allow_infinity=False)
    else:
        values = _SCALARS[kind]
    return st.lists(values, max_size=_MOST_ITEMS) if is_list else values


def _lists(kind: Array, format: Format) -> SearchStrategy[Any]:  # noqa: A002 - as above
    if format not in ("dataframe_split", "dataframe_records", "inputs"):
        return st.nothing()
    if isinstance(kind.items, Array):
        return st.nothing() if format == "inputs" else st.lists(_lists(kind.items, format), max_size=_MOST_ITEMS)
    if kind.items not in _ITEMS:
        return st.builds(list)
    return st.lists(_SCALARS[kind.items], max_size=_MOST_ITEMS)
