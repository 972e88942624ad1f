"""The table of types and formats, measured with MLflow: equal where it says so, refused or different elsewhere."""

import datetime
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servesim.payloads.elements import float32
from servesim.payloads.encode import FORMATS, Table, encode
from servesim.payloads.signature import Signature
from servesim.strategies import signatures, tables
from servesim.strategies.equivalence import equal_formats
from servesim.strategies.exclusions import EXCLUSIONS, Exclusion

pytestmark = pytest.mark.mlflow


def _values(differential: Any, table: Table, signature: Signature, form: str) -> Any:
    try:
        payload = encode(table, signature, form)
    except ValueError:  # CSV has no lists
        return None
    return differential.values(differential.Case(signature, payload.body, payload.content_type))


def _meant(table: Table, signature: Signature) -> Any:
    """Return the values of a table as they are meant, in the shape of `Differential.values` for columns."""
    kinds = {column.name: column.type for column in signature.inputs or ()}
    return [
        {str(name): _typed(cell, kinds[name]) for name, cell in zip(table.columns, row, strict=True)}
        for row in table.rows
    ]


def _typed(cell: Any, kind: Any) -> Any:
    if isinstance(cell, list):
        return [_typed(item, getattr(kind, "items", kind)) for item in cell]
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, datetime.date):
        return ("date", cell.isoformat())
    if isinstance(cell, bytes):
        return ("bytes", cell.decode("latin-1"))
    return (type(cell).__name__, float32(cell) if kind == "float" else cell)


@pytest.mark.parametrize("line", EXCLUSIONS, ids=lambda line: f"{line.type}: {line.values or 'all'}".replace(" ", "_"))
def test_each_exclusion_is_needed_and_shown_by_its_example(line: Exclusion, differential: Any) -> None:
    table, signature = line.example.table, line.example.signature
    assert line.applies(signature, table)
    equal = equal_formats(table, signature)
    assert not set(equal) & set(line.formats)
    seen = {form: _values(differential, table, signature, form) for form in FORMATS}
    expected = seen[equal[0]] if equal else _meant(table, signature)
    for form in FORMATS:
        assert (seen[form] == expected) == (form in equal), form


def _signed_tables() -> st.SearchStrategy[tuple[Signature, Table]]:
    return signatures().flatmap(lambda signature: st.tuples(st.just(signature), tables(signature)))


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(_signed_tables())
def test_equal_formats_give_the_model_equal_values(differential: Any, drawn: tuple[Signature, Table]) -> None:
    signature, table = drawn
    formats = equal_formats(table, signature)
    seen = [_values(differential, table, signature, form) for form in formats]
    assert None not in seen, dict(zip(formats, seen, strict=True))
    assert all(values == seen[0] for values in seen), dict(zip(formats, seen, strict=True))
