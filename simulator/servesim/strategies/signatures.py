"""Model signatures: every type that MLflow's columns and tensors have and this package checks, and parameters."""

from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from servesim.payloads.given import signature_from
from servesim.payloads.signature import SCALARS, TENSOR_DTYPES, Array, Column, Param, Signature, Tensor
from servesim.strategies.values import parameters

_MOST_DEEP: Final = 3
_MOST_DIMENSIONS: Final = 3
_MOST_LONG: Final = 3

_KINDS: Final = st.sampled_from(SCALARS)
_ARRAYS: Final = st.recursive(_KINDS.map(Array), lambda inner: inner.map(Array), max_leaves=_MOST_DEEP)
_PARAM_KINDS: Final = st.sampled_from([kind for kind in SCALARS if kind != "binary"])
# A line of CSV that is blank is no header, and pandas takes the mark of byte order off the first name.
_NAMES: Final = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff"), min_size=1, max_size=8
).filter(lambda name: bool(name.strip()))

Given = Any
"""What stands for a signature: see `signature_of`."""


def signature_of(given: Given) -> Signature:
    """Return the signature that something stands for.

    Taken are a `Signature`, MLflow's `ModelSignature` or what its `to_dict` gives, that as JSON text, a list of
    inputs as MLflow stores them, and `{"amount": "double"}` for required columns. Raises `Unsupported` for types
    that this package does not check, TypeError or ValueError for what is no signature, or beyond the bounds of
    `servesim.payloads.given`.
    """
    if isinstance(given, Signature):
        return given
    return signature_from(given.to_dict() if callable(getattr(given, "to_dict", None)) else given)


def signatures(*, max_columns: int = 4, max_params: int = 3) -> SearchStrategy[Signature]:
    """Return signatures with inputs: columns or tensors, with names or without, and with parameters or without.

    Left out is what no payload can be made for row by row: tensors of no dimensions, and named ones of which the
    first dimensions are fixed and differ. Types follow `servesim.payloads.signature`, whose source is MLflow.
    """
    inputs = st.one_of(
        _named_columns(max_columns),
        _unnamed_columns(max_columns),
        _tensors().map(lambda tensor: (Column(None, tensor),)),
        _named_tensors(max_columns),
    )
    return st.builds(Signature, inputs, st.none() | _params(max_params))


def _named_columns(most: int) -> SearchStrategy[tuple[Column, ...]]:
    columns = st.builds(Column, _NAMES, _KINDS | _ARRAYS, st.sampled_from((True, False)))
    return _unique(columns, most)


def _unnamed_columns(most: int) -> SearchStrategy[tuple[Column, ...]]:
    """Return columns without names; half the time of one type, as more formats take those."""
    several = st.lists(st.builds(Column, st.none(), _KINDS | _ARRAYS), min_size=1, max_size=most).map(tuple)
    alike = st.builds(lambda kind, count: (Column(None, kind),) * count, _KINDS, st.integers(1, most))
    return alike | several


def _tensors(first: SearchStrategy[int] | None = None) -> SearchStrategy[Tensor]:
    lengths = st.sampled_from((-1, 1, 2, _MOST_LONG))
    shapes = st.tuples(lengths if first is None else first, st.lists(lengths, max_size=_MOST_DIMENSIONS))
    return st.builds(lambda dtype, shape: Tensor(dtype, (shape[0], *shape[1])), st.sampled_from(TENSOR_DTYPES), shapes)


@st.composite
def _named_tensors(draw: DrawFn, most: int) -> tuple[Column, ...]:
    rows = draw(st.sampled_from((-1, 1, 2)))
    tensors = _tensors(st.sampled_from((-1, rows) if rows != -1 else (-1,)))
    return draw(_unique(st.builds(Column, _NAMES, tensors), most))


def _unique(columns: SearchStrategy[Column], most: int) -> SearchStrategy[tuple[Column, ...]]:
    return st.lists(columns, min_size=1, max_size=most, unique_by=lambda column: column.name).map(tuple)


def _params(most: int) -> SearchStrategy[tuple[Param, ...]]:
    return st.lists(_param(), min_size=1, max_size=most, unique_by=lambda param: param.name).map(tuple)


@st.composite
def _param(draw: DrawFn) -> Param:
    kind, is_list = draw(_PARAM_KINDS), draw(st.booleans())
    default = draw(parameters(kind, is_list=is_list))
    return Param(draw(_NAMES), kind, tuple(default) if is_list else default, is_list)
