"""Nested lists as arrays: shape, dtype and the conversion of every element, by NumPy's rules."""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from servesim.payloads import texts
from servesim.payloads.elements import converter

MAX_DIMS: Final = 64
_INT64: Final = range(-(2**63), 2**63)
_UINT64: Final = range(2**64)
_SCALARS: Final = (bool, int, float, str)


class NdArray(NamedTuple):
    """Nested lists of one shape (a bare value for shape ()) whose elements have one dtype."""

    values: Any
    shape: tuple[int, ...]
    dtype: str


def as_array(value: Any, dtype: str | None = None) -> NdArray:
    """Return the array that `numpy.array(value, dtype)` would be.

    Raises ValueError, TypeError or OverflowError with NumPy's words.
    """
    shape = _shape(value, ragged=dtype == "object")
    kind = dtype or common_dtype(_leaves(value, len(shape)))
    if kind == "object":
        return NdArray(value, shape, kind)
    return NdArray(_mapped(value, converter(kind), len(shape)), shape, kind)


def stacked(arrays: list[NdArray]) -> NdArray:
    """Return the array that holds arrays of one shape, or raise ValueError."""
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        dims = _common_prefix([array.shape for array in arrays])
        raise _ragged((len(arrays), *dims))
    kinds = {array.dtype for array in arrays}
    values = [array.values for array in arrays]
    if len(kinds) > 1:
        return as_array(values)
    return NdArray(values, (len(arrays), *shapes.pop()), kinds.pop())


def common_dtype(values: Iterator[Any] | list[Any]) -> str:
    """Return the dtype that NumPy gives to values: the widest of bool, integers, float64, str; else object."""
    types = set()
    huge = small = False
    for value in values:
        types.add(type(value))
        if type(value) is int and value not in _INT64:
            huge = True
            if value not in _UINT64:
                return "object"
        elif type(value) is int:
            small = True
    if not types:
        return "float64"
    if not types.issubset(_SCALARS):
        return "object"
    if str in types:
        return "str"
    if float in types or (huge and small):
        return "float64"
    return "bool" if types == {bool} else "uint64" if huge else "int64"


def _shape(value: Any, *, ragged: bool) -> tuple[int, ...]:
    shape: list[int] = []
    level = [value]
    while level and all(isinstance(part, list) for part in level):
        if len(shape) == MAX_DIMS:
            if ragged:
                return tuple(shape)
            raise ValueError(texts.ARRAY_TOO_DEEP)
        lengths = {len(part) for part in level}
        if len(lengths) > 1:
            if ragged:
                return tuple(shape)
            raise _ragged(tuple(shape))
        shape.append(lengths.pop())
        level = [inner for part in level for inner in part]
    if not ragged and any(isinstance(part, list) for part in level):
        raise _ragged(tuple(shape))
    return tuple(shape)


def _ragged(shape: tuple[int, ...]) -> ValueError:
    return ValueError(texts.ARRAY_RAGGED.format(dims=len(shape), shape=shape))


def _common_prefix(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    prefix: list[int] = []
    for lengths in zip(*shapes, strict=False):
        if len(set(lengths)) > 1:
            break
        prefix.append(lengths[0])
    return tuple(prefix)


def _leaves(value: Any, depth: int) -> Iterator[Any]:
    if depth == 0:
        yield value
        return
    for inner in value:
        yield from _leaves(inner, depth - 1)


def _mapped(value: Any, convert: Callable[[Any], Any], depth: int) -> Any:
    if depth == 0:
        return convert(value)
    if depth == 1:
        return [convert(inner) for inner in value]
    return [_mapped(inner, convert, depth - 1) for inner in value]
