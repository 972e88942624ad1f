"""Tables as the bytes of a request: what each format looks like."""

import datetime
import json

import pytest

from servesim.payloads.encode import FORMATS, Payload, Table, encode
from servesim.payloads.enforce import enforce
from servesim.payloads.parse import parse
from servesim.payloads.signature import Signature

COLUMNS = Signature.from_mlflow(
    [
        {"name": "id", "type": "long"},
        {"name": "name", "type": "string"},
        {"name": "at", "type": "datetime", "required": False},
    ]
)
ROWS = Table(("id", "name", "at"), ((2**53 + 1, 'a"b', datetime.datetime(2024, 1, 2)), (2, "é,\r", None)))  # noqa: DTZ001 - naive by MLflow's definition


def tensor(name, dtype, shape):
    spec = {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}}
    return {**spec, "name": name} if name else spec


def test_the_json_formats():
    records = [
        {"id": 2**53 + 1, "name": 'a"b', "at": "2024-01-02T00:00:00.000000"},
        {"id": 2, "name": "é,\r", "at": None},
    ]
    columns = {name: [record[name] for record in records] for name in ROWS.columns}
    split = {"columns": ["id", "name", "at"], "data": [list(record.values()) for record in records]}
    assert encode(ROWS, COLUMNS, "dataframe_split").json() == {"dataframe_split": split}
    assert encode(ROWS, COLUMNS, "dataframe_records").json() == {"dataframe_records": records}
    assert encode(ROWS, COLUMNS, "instances").json() == {"instances": records}
    assert encode(ROWS, COLUMNS, "inputs").json() == {"inputs": columns}


def test_csv_quotes_what_would_end_a_field_or_a_line():
    payload = encode(ROWS, COLUMNS, "csv")
    lines = 'id,name,at\n9007199254740993,"a""b",2024-01-02T00:00:00.000000\n2,"é,\r",\n'
    assert payload == Payload("text/csv", lines.encode(), "csv")
    with pytest.raises(ValueError, match="no JSON"):
        payload.json()


def test_csv_keeps_rows_that_hold_nothing():
    signature = Signature.of({"a": "string"})
    payload = encode(Table(("a",), ((None,), (" ",))), signature, "csv")
    assert payload.body == b'a\n""\n" "\n'
    assert parse(payload.body, payload.content_type, signature).rows() == [{"a": None}, {"a": " "}]


def test_bytes_go_out_as_base64_and_params_beside_the_rows():
    signature = Signature.of({"a": "binary"}, {"n": ("long", 1)})
    payload = encode(Table(("a",), ((b"ab\0",),)), signature, "dataframe_split", {"n": 2})
    assert payload.json() == {"dataframe_split": {"columns": ["a"], "data": [["YWIA"]]}, "params": {"n": 2}}
    request = enforce(parse(payload.body, payload.content_type, signature), signature)
    assert request.rows() == [{"a": b"ab\0"}]


def test_columns_without_names_go_by_position():
    signature = Signature.from_mlflow([{"type": "long"}, {"type": "long"}])
    table = Table((None, None), ((1, 2),))
    assert {form: encode(table, signature, form).body.decode() for form in FORMATS} == {
        "dataframe_split": '{"dataframe_split": {"data": [[1, 2]]}}',
        "dataframe_records": '{"dataframe_records": [{"0": 1, "1": 2}]}',
        "instances": '{"instances": [[1, 2]]}',
        "inputs": '{"inputs": [[1, 2]]}',
        "csv": "0,1\n1,2\n",
    }


def test_arrays_go_as_records_in_inputs():
    signature = Signature.from_mlflow([{"name": "a", "type": "array", "items": {"type": "long"}}])
    payload = encode(Table(("a",), (([1, 2],), ([],))), signature, "inputs")
    assert payload.json() == {"inputs": [{"a": [1, 2]}, {"a": []}]}


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "cell", "data"),
    [
        (None, "int64", [-1], 1, [1]),
        (None, "int64", [-1, 2], [1, 2], [1, 2]),
        (None, "str", [-1, 2], ["a", "b"], [["a", "b"]]),
        (None, "int64", [-1, 2, 1], [[1], [2]], [[1, 2]]),
        ("x", "int64", [-1, 2], [1, 2], [[1, 2]]),
        ("x", "int64", [-1, 2, 1], [[1], [2]], [[1, 2]]),
    ],
)
def test_tensors_lie_in_dataframes_as_mlflow_reads_them(name, dtype, shape, cell, data):
    signature = Signature.from_mlflow([tensor(name, dtype, shape)])
    table = Table((name,), ((cell,), (cell,)))
    split = encode(table, signature, "dataframe_split").json()["dataframe_split"]
    assert split["data"] == [data, data]
    seen = [
        enforce(parse(payload.body, payload.content_type, signature), signature).data
        for payload in (encode(table, signature, form) for form in FORMATS if form != "csv")
    ]
    assert seen == [[cell, cell] if name is None else {name: [cell, cell]}] * 4


def test_what_a_format_has_no_place_for():
    with pytest.raises(ValueError, match="no place for params"):
        encode(ROWS, COLUMNS, "csv", {"n": 1})
    with pytest.raises(ValueError, match="holds no list"):
        encode(Table((None,), (([1],),)), Signature.from_mlflow([tensor(None, "int64", [-1, 1])]), "csv")
    with pytest.raises(ValueError, match="no input format: choose one of dataframe_split"):
        encode(ROWS, COLUMNS, "parquet")
    with pytest.raises(TypeError, match="plain Python values"):
        encode(Table(("id",), ((object(),),)), COLUMNS, "inputs")


def test_infinities_are_written_as_python_writes_them():
    body = encode(Table(("a",), ((float("nan"),), (float("-inf"),))), Signature.of({"a": "double"}), "inputs").body
    assert body == b'{"inputs": {"a": [NaN, -Infinity]}}'
    assert json.loads(body)["inputs"]["a"][1] == float("-inf")
