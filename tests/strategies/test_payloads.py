"""Tables and payloads for a signature: accepted by this package and by MLflow, and small when they shrink."""

import datetime
import json
import math

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from servesim.payloads.enforce import enforce
from servesim.payloads.parse import parse
from servesim.payloads.signature import Array, Column, Param, Signature, Tensor
from servesim.strategies import FORMATS, encode, formats_of, params_of, payloads, signatures, tables
from servesim.strategies.generate import drawn

QUIET = settings(derandomize=True, database=None, deadline=None, max_examples=50)
SEARCH = settings(QUIET, max_examples=300, phases=(Phase.generate, Phase.shrink))
ANY = Signature(
    (
        *(Column(kind, kind) for kind in ("boolean", "integer", "long", "float", "double", "string", "binary")),
        Column("maybe", "double", required=False),
    )
)


def accepted(signature, payload):
    return enforce(parse(payload.body, payload.content_type, signature), signature)


def request_of(draw):
    signature = draw(signatures())
    return signature, draw(payloads(signature, draw(st.sampled_from(formats_of(signature)))))


requests = st.composite(request_of)()


@settings(QUIET, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(requests)
def test_every_payload_is_accepted_here(request_):
    signature, payload = request_
    accepted(signature, payload)


@pytest.mark.mlflow
def test_every_payload_is_accepted_by_mlflow(mlflow_verdict):
    @settings(QUIET, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
    @given(requests)
    def check(request_):
        assert mlflow_verdict(*request_) == (200, None)

    check()


@pytest.mark.parametrize("form", FORMATS)
def test_as_many_rows_arrive_as_were_sent(form):
    @QUIET
    @given(tables(ANY, form))
    def check(table):
        assert accepted(ANY, encode(table, ANY, form)).row_count() == len(table.rows)

    check()


def test_csv_drops_no_row():
    @QUIET
    @given(tables({"s": "string"}, "csv"))
    def check(table):
        signature = Signature.of({"s": "string"})
        rows = accepted(signature, encode(table, signature, "csv")).rows()
        assert [row["s"] for row in rows] == [cell for (cell,) in table.rows]

    check()


# --- what is drawn --------------------------------------------------------------------------------


def smallest(signature, condition, form=None):
    return find(tables(signature, form), condition, settings=SEARCH)


@pytest.mark.parametrize(
    ("kind", "condition", "cell"),
    [
        ("boolean", lambda cell: cell, True),
        ("integer", lambda cell: cell > 2**31 - 2, 2**31 - 1),
        ("long", lambda cell: int(float(cell)) != cell, None),
        ("float", math.isinf, math.inf),
        ("double", lambda cell: cell > 1e300, None),
        ("string", lambda cell: not cell, ""),
        ("string", lambda cell: not cell.isascii(), "\x80"),
        ("string", lambda cell: "\0" in cell, "\0"),
        ("binary", lambda cell: len(cell) == 2, b"\0\0"),
        ("datetime", lambda cell: cell.year > 2200, datetime.datetime.fromisoformat("2201-01-01")),
        ("datetime", lambda cell: cell.microsecond, None),
    ],
    ids=["true", "int32", "53-bits", "infinity", "large", "empty", "unicode", "nul", "bytes", "late", "microsecond"],
)
def test_a_counterexample_is_one_cell(kind, condition, cell):
    table = smallest({"c": kind}, lambda table: any(condition(value) for (value,) in table.rows))
    assert len(table.rows) == 1
    assert cell is None or table.rows == ((cell,),)


def test_not_a_number_is_drawn():
    (row,) = smallest({"c": "double"}, lambda table: any(math.isnan(cell) for (cell,) in table.rows)).rows
    assert math.isnan(row[0])


def test_optional_columns_are_left_out_or_have_missing_values():
    signature = Signature((Column("a", "long"), Column("b", "double", required=False)))
    assert smallest(signature, lambda table: True) == (("a",), ((0,),))
    assert smallest(signature, lambda table: "b" in table.columns) == (("a", "b"), ((0, None),))
    both = smallest(signature, lambda table: "b" in table.columns and table.rows[0][1] is not None)
    assert both == (("a", "b"), ((0, 0.0),))


def test_if_all_columns_are_optional_one_is_there():
    signature = Signature((Column("a", "long", required=False), Column("b", "long", required=False)))
    assert smallest(signature, lambda table: True) == (("a",), ((0,),))


@pytest.mark.parametrize(
    ("kind", "condition", "cell"),
    [
        (Tensor("float32", (-1, 2, 2)), lambda cell: True, [[0.0, 0.0], [0.0, 0.0]]),
        (Tensor("int8", (-1, -1)), lambda cell: len(cell) == 2, [0, 0]),
        (Tensor("uint64", (-1,)), lambda cell: cell > 2**63, 2**63 + 1),
        (Array("string"), lambda cell: "" in cell, [""]),
        (Array(Array("long")), any, [[0]]),
        (Array("float"), lambda cell: True, []),
    ],
    ids=["fixed", "free", "uint64", "array", "nested", "only-empty"],
)
def test_lists_shrink_too(kind, condition, cell):
    table = smallest(Signature((Column("c", kind),)), lambda table: any(condition(value) for (value,) in table.rows))
    assert table.rows == ((cell,),)


def test_dimensions_of_any_length_have_one_in_a_table():
    @QUIET
    @given(tables(Signature((Column(None, Tensor("int64", (-1, -1, -1))),))))
    def check(table):
        shapes = {(len(cell), *{len(inner) for inner in cell}) for (cell,) in table.rows}
        assert len(shapes) == 1

    check()


def test_a_fixed_first_dimension_is_the_number_of_rows():
    @QUIET
    @given(tables(Signature((Column("x", Tensor("int64", (2, 3))), Column("y", Tensor("int64", (-1,))))), max_rows=9))
    def check(table):
        assert len(table.rows) == 2

    check()


def test_an_image_is_no_trouble():
    signature = Signature((Column("image", Tensor("uint8", (-1, 64, 64, 3))),))
    for payload in drawn(payloads(signature, max_rows=1), 3):
        assert accepted(signature, payload).row_count() == 1


def test_there_are_as_many_rows_as_asked_for():
    assert len(find(tables({"a": "long"}, max_rows=9), lambda table: len(table.rows) > 8, settings=SEARCH).rows) == 9


# --- formats and parameters -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ((Column("a", "double"), Column("b", "string")), FORMATS),
        ((Column("a", "datetime"),), FORMATS[:4]),
        ((Column("a", Array("string")),), ("dataframe_split", "dataframe_records", "inputs")),
        ((Column("a", Array(Array("string"))),), ("dataframe_split", "dataframe_records")),
        ((Column(None, "double"), Column(None, "string")), ("dataframe_split", "dataframe_records", "csv")),
        ((Column(None, Tensor("float32", (-1, 4))),), FORMATS[:4]),
        ((Column(None, Tensor("float32", (-1, -1))),), ("instances", "inputs")),
        ((Column(None, Tensor("float32", (3,))),), ("instances", "inputs")),
    ],
    ids=["columns", "datetime", "array", "nested", "unnamed", "matrix", "free", "fixed"],
)
def test_formats_that_carry_a_signature(columns, expected):
    assert formats_of(Signature(columns)) == expected


@pytest.mark.parametrize("form", FORMATS)
def test_payloads_of_one_format(form):
    payload = find(payloads({"a": "long"}, form), lambda payload: True, settings=SEARCH)
    assert payload.format == form
    if form != "csv":
        assert set(payload.json()) == {form}


PARAMS = Signature.of({"a": "long"}, {"top": ("long", 3), "names": ("string", ["x"])})


def test_some_parameters_are_sent():
    assert find(params_of(PARAMS), lambda params: True, settings=SEARCH) is None
    assert find(params_of(PARAMS), lambda params: params is not None, settings=SEARCH) == {}
    assert find(params_of(PARAMS), lambda params: params and "top" in params, settings=SEARCH) == {"top": 0}
    payload = find(payloads(PARAMS), lambda payload: b"top" in payload.body, settings=SEARCH)
    assert payload.json() == {"dataframe_split": {"columns": ["a"], "data": [[0]]}, "params": {"top": 0}}


def test_a_model_without_parameters_is_sent_none():
    @QUIET
    @given(payloads({"a": "long"}))
    def check(payload):
        assert b"params" not in payload.body

    check()


def test_a_list_parameter_takes_lists():
    signature = Signature(ANY.inputs, (Param("p", "datetime", None, is_list=True),))
    found = find(params_of(signature), lambda params: params and any(params.get("p", ())), settings=SEARCH)
    assert json.dumps(found) == '{"p": ["2000-01-01T00:00:00"]}'


# --- what cannot be done --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signature", "form", "said"),
    [
        (Signature(), None, "declares no inputs"),
        (Signature((Column(None, Tensor("int8", ())),)), None, "first dimension"),
        (Signature((Column("x", Tensor("int8", (2,))), Column("y", Tensor("int8", (3,))))), None, "same for all or -1"),
        (Signature((Column("a", "datetime"),)), "csv", "choose one of dataframe_split, dataframe_records"),
        ({"a": "long"}, "parquet", "no input format"),
    ],
    ids=["no-inputs", "scalar", "different", "format", "unknown"],
)
@pytest.mark.parametrize("strategy", [tables, payloads], ids=["tables", "payloads"])
def test_what_has_no_table_is_said_at_once(strategy, signature, form, said):
    with pytest.raises(ValueError, match=said):
        strategy(signature, form)
