"""The same rows in every format in which MLflow gives the model equal values, and the property that follows.

`exclusions` holds what is left out, and why.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from servesim.payloads.encode import FORMATS, Format, Payload, Table, encode
from servesim.payloads.signature import Signature
from servesim.strategies.exclusions import EXCLUSIONS, Exclusion
from servesim.strategies.payloads import tables
from servesim.strategies.signatures import Given, signature_of

Predict = Callable[[Payload], Any]
"""Sends a request to a model and returns its predictions: JSON values, arrays or DataFrames."""

TYPES: Final = (
    *("boolean", "integer, long", "float, double", "string", "binary", "datetime"),
    *("Array", "Array of integer, float or datetime"),
    *("Tensor", "Tensor('uint64', ...)", "Tensor('object', ...)", "columns without names", "every type"),
)
"""The rows of the table in the documentation."""

_PART_OF: Final = {
    "Array of integer, float or datetime": "Array",
    **dict.fromkeys(("Tensor('uint64', ...)", "Tensor('object', ...)"), "Tensor"),
}
"""The row whose exclusions hold for another one too."""


def equal_formats(table: Table, signature: Given) -> tuple[Format, ...]:
    """Return the formats in which MLflow gives a model with this signature the values of this table.

    In the others it refuses the table or makes other values of it; `EXCLUSIONS` says which and why.
    """
    known = signature_of(signature)
    excluded = {form for line in EXCLUSIONS if line.applies(known, table) for form in line.formats}
    return tuple(form for form in FORMATS if form not in excluded)


def equivalent_payloads(signature: Given) -> SearchStrategy[tuple[Payload, ...]]:
    """Return requests that send the same rows, one in each format in which MLflow gives the model equal values.

    Few where the drawn values leave few: an empty text keeps CSV out. Raises ValueError as `tables`.
    """
    known = signature_of(signature)
    return tables(known).map(lambda table: _encoded(table, known))


def reordered_payloads(signature: Given) -> SearchStrategy[tuple[Payload, Payload]]:
    """Return two requests in one format that differ in the order of columns and keys alone.

    In the formats of records only every other record is reordered, so that keys differ between records as well.
    Raises ValueError for a signature without names.
    """
    known = signature_of(signature)
    if not known.named:
        raise ValueError(f"the inputs {known} have no names, so their order is what tells them apart")
    return tables(known).flatmap(lambda table: _reordered(table, known))


def assert_formats_agree(predict: Predict, signature: Given, *, max_examples: int = 100) -> None:
    """Fail if a model answers the same rows differently in two formats.

    The smallest such rows are looked for; AssertionError shows both requests and both answers.
    """
    _hold(equivalent_payloads(signature), predict, max_examples)


def assert_order_is_ignored(predict: Predict, signature: Given, *, max_examples: int = 100) -> None:
    """Fail if a model answers the same rows differently when their columns or keys come in another order."""
    _hold(reordered_payloads(signature), predict, max_examples)


def disagreement(predict: Predict, payloads: tuple[Payload, ...]) -> str | None:
    """Return in words the first two requests that are answered differently; None if all are answered alike."""
    answers = [(payload, predict(payload)) for payload in payloads]
    for (one, first), (other, second) in pairwise(answers):
        if not same(first, second):
            return (
                f"{one.format} and {other.format} send the same rows and are answered differently:\n"
                f"  {one.body!r}\n    is answered {first!r}\n  {other.body!r}\n    is answered {second!r}"
            )
    return None


def same(first: Any, second: Any) -> bool:
    """Return whether two predictions are equal: NaN equals itself, True is not 1, but 1 is 1.0."""
    first, second = _plain(first), _plain(second)
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, float) and isinstance(second, float) and math.isnan(first):
        return math.isnan(second)
    return isinstance(first, bool) == isinstance(second, bool) and bool(first == second)


def format_table() -> str:
    """Return the table of types and formats, with its notes, as Markdown."""
    notes = [line for kind in TYPES for line in EXCLUSIONS if line.type == kind]
    head = [f"| type | {' | '.join(f'`{form}`' for form in FORMATS)} |", f"|---|{'---|' * len(FORMATS)}"]
    rows = [f"| {kind} | {' | '.join(_verdict(kind, form, notes) for form in FORMATS)} |" for kind in TYPES]
    return "\n".join((*head, *rows, "", *_notes(notes))) + "\n"


def _verdict(kind: str, format: Format, notes: list[Exclusion]) -> str:  # noqa: A002 - the word of the documentation for it
    kinds = (kind, _PART_OF.get(kind))
    found = [(at, line) for at, line in enumerate(notes, start=1) if line.type in kinds and format in line.formats]
    numbers = ", ".join(str(at) for at, _ in found)
    if not found:
        return "equal"
    return f"no ({numbers})" if any(not line.values for _, line in found) else f"equal but ({numbers})"


def _notes(lines: list[Exclusion]) -> Iterator[str]:
    for at, line in enumerate(lines, start=1):
        everywhere = set(line.formats) == set(FORMATS)
        formats = "every format" if everywhere else ", ".join(f"`{form}`" for form in line.formats)
        recorded = f" Recorded as `{line.recorded}`." if line.recorded else ""
        yield f"{at}. {line.type}, {line.values or 'every value'}, in {formats}: {line.outcome}.{recorded}"


def _encoded(table: Table, signature: Signature) -> tuple[Payload, ...]:
    return tuple(encode(table, signature, form) for form in equal_formats(table, signature))


def _reordered(table: Table, signature: Signature) -> SearchStrategy[tuple[Payload, Payload]]:
    formats = equal_formats(table, signature)
    if not formats:
        return st.nothing()
    orders = st.permutations(range(len(table.columns)))
    return st.builds(lambda order, form: _pair(table, order, signature, form), orders, st.sampled_from(formats))


def _pair(table: Table, order: list[int], signature: Signature, format: Format) -> tuple[Payload, Payload]:  # noqa: A002 - as above
    plain = encode(table, signature, format)
    return plain, _mixed(encode(_in_order(table, order), signature, format), plain)


def _in_order(table: Table, order: list[int]) -> Table:
    rows = tuple(tuple(row[at] for at in order) for row in table.rows)
    return Table(tuple(table.columns[at] for at in order), rows)


def _mixed(reordered: Payload, plain: Payload) -> Payload:
    """Return the reordered request with every other record of the plain one."""
    if reordered.format not in ("dataframe_records", "instances"):
        return reordered
    pairs = zip(reordered.json()[reordered.format], plain.json()[plain.format], strict=True)
    records = [pair[at % 2] for at, pair in enumerate(pairs)]
    return Payload.of({reordered.format: records}, reordered.format)


def _hold(payloads: SearchStrategy[tuple[Payload, ...]], predict: Predict, max_examples: int) -> None:
    @settings(
        max_examples=max_examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.nested_given, HealthCheck.too_slow],
    )
    @given(payloads)
    def check(drawn: tuple[Payload, ...]) -> None:
        found = disagreement(predict, drawn)
        assert found is None, found  # noqa: S101 - the exception that a test is expected to fail with

    check()


def _plain(value: Any) -> Any:
    """Return arrays and DataFrames as lists, tuples too."""
    if isinstance(value, tuple):
        return list(value)
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return value.to_dict(orient="records")
    return value.tolist() if hasattr(value, "tolist") else value
