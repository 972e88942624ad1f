"""Signatures as MLflow stores them, and what they do to values."""

import datetime
import json
import math
from typing import Any

import pytest

from servesim.payloads.enforce import enforce
from servesim.payloads.parse import parse
from servesim.payloads.refusal import Refused
from servesim.payloads.signature import Array, Signature, Tensor, Unsupported

JSON = "application/json"


def _rows(signature: Signature | None, body: Any) -> list[Any]:
    return enforce(parse(json.dumps(body).encode(), JSON, signature), signature).rows()


STORED = (
    '[{"type": "double", "name": "a", "required": true}, '
    '{"type": "array", "items": {"type": "array", "items": {"type": "string"}}, "name": "t", "required": false}]'
)


def test_round_trip_and_print() -> None:
    signature = Signature.from_mlflow(STORED, '[{"name": "p", "default": [1], "shape": [-1], "type": "long"}]')
    assert Signature.from_mlflow(signature.to_json()["inputs"], signature.to_json()["params"]) == signature
    assert str(signature) == "['a': double (required), 't': Array(Array(string)) (optional)]"
    assert signature.params is not None
    assert str(signature.params[0]) == "'p': long (default: [1]) (shape: (-1,))"
    assert len({signature, Signature()}) == 2
    assert Signature().to_json() == {"inputs": None, "params": None}
    assert signature.inputs is not None
    assert signature.inputs[1].type == Array(Array("string"))


def test_tensors_round_trip_and_print() -> None:
    signature = Signature.from_mlflow([{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 4]}}])
    assert str(signature) == "[Tensor('float32', (-1, 4))]"
    assert Signature.from_mlflow(signature.to_json()["inputs"]) == signature
    assert signature.tensors
    assert not signature.named
    assert signature.inputs is not None
    assert signature.inputs[0].type == Tensor("float32", (-1, 4))


@pytest.mark.parametrize(
    ("inputs", "what"),
    [
        ([{"name": "o", "type": "object", "properties": {}}], "object"),
        ([{"name": "m", "type": "map", "values": {"type": "long"}}], "map"),
        ([{"name": "x", "type": "any"}], "any"),
        ([{"name": "x", "type": "array", "items": {"type": "any"}}], "any"),
        ([{"type": "tensor", "tensor-spec": {"dtype": "complex64", "shape": [-1]}}], "complex64"),
    ],
)
def test_unsupported_types_say_what(inputs: list[Any], what: str) -> None:
    with pytest.raises(Unsupported, match=what) as caught:
        Signature.from_mlflow(inputs)
    refused = caught.value.refused()
    assert (refused.status, refused.error_code) == (501, "NOT_IMPLEMENTED")
    assert what in refused.message
    assert "pip install 'servesim[mlflow]'" in refused.message


def test_unsupported_params_say_what() -> None:
    with pytest.raises(Unsupported, match="object"):
        Signature.from_mlflow(None, [{"name": "p", "type": "object", "default": {}}])


@pytest.mark.parametrize(
    "inputs",
    [
        "{}",
        [],
        [5],
        [{"name": "a"}],
        [{"name": "a", "type": "long"}, {"type": "long"}],
        [
            {"name": "a", "type": "long"},
            {"name": "b", "type": "tensor", "tensor-spec": {"dtype": "str", "shape": [-1]}},
        ],
        [{"type": "tensor", "tensor-spec": {"dtype": "str", "shape": [-1]}}] * 2,
    ],
)
def test_what_is_no_signature(inputs: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Signature.from_mlflow(inputs)


def test_casts_differ_by_format() -> None:
    signature = Signature.of({"i": "integer", "bin": "binary"})
    assert _rows(signature, {"dataframe_records": [{"i": 2**40 + 7, "bin": "YWI="}]}) == [{"i": 7, "bin": b"ab"}]
    assert _rows(signature, {"inputs": {"i": [1.5], "bin": ["YWI="]}}) == [{"i": 1, "bin": b"YWI="}]
    with pytest.raises(Refused, match="Python integer 1099511627776 out of bounds for int32"):
        _rows(signature, {"inputs": {"i": [2**40], "bin": [""]}})


def test_columns_are_ordered_and_extra_ones_dropped() -> None:
    rows = _rows(Signature.of({"a": "double", "b": "string"}), {"dataframe_records": [{"z": 1, "b": "x", "a": "2"}]})
    assert [list(row.items()) for row in rows] == [[("a", 2.0), ("b", "x")]]


def test_narrow_floats_and_missing_values() -> None:
    rows = _rows(Signature.of({"f": "float"}), {"dataframe_records": [{"f": 0.1}, {"f": 1e300}, {"f": None}]})
    assert rows[0] == {"f": 0.10000000149011612}
    assert rows[1] == {"f": math.inf}
    assert math.isnan(rows[2]["f"])


def test_dates_are_instants() -> None:
    signature = Signature.of({"t": "datetime"})
    expected = [{"t": datetime.datetime.fromisoformat("2024-01-13T03:04")}]
    assert _rows(signature, {"dataframe_records": [{"t": "2024-01-13 03:04"}]}) == expected
    assert _rows(signature, {"dataframe_records": [{"t": "13/01/2024 03:04"}]}) == expected
    assert _rows(signature, {"inputs": {"t": ["2024-01-13T05:04+02:00"]}}) == expected
    for bad in ("2024-01-13T25:00", "2024-13-01", "soon"):
        with pytest.raises(Refused):
            _rows(signature, {"dataframe_records": [{"t": bad}]})
        with pytest.raises(Refused, match="datetime string"):
            _rows(signature, {"inputs": {"t": [bad]}})


def test_tensors_are_cast_and_measured() -> None:
    spec = {"dtype": "int64", "shape": [-1, 2]}
    named = Signature.from_mlflow([{"name": "x", "type": "tensor", "tensor-spec": spec}])
    assert _rows(named, {"inputs": {"x": [[1.5, 2], [3, 4]]}}) == [{"x": [1, 2]}, {"x": [3, 4]}]
    assert _rows(named, {"dataframe_records": [{"x": [1, 2]}]}) == [{"x": [1, 2]}]
    with pytest.raises(Refused, match=r"Shape of input \(1, 3\) does not match expected shape \(-1, 2\)") as caught:
        _rows(named, {"inputs": {"x": [[1, 2, 3]]}})
    assert caught.value.error_class == "SCHEMA_ENFORCEMENT_FAILED"


def test_too_many_dimensions_are_a_400() -> None:
    body = b'{"inputs": ' + b"[" * 70 + b"]" * 70 + b"}"
    with pytest.raises(Refused, match="maximum number of dimension"):
        enforce(parse(body, JSON))


def test_a_signature_of_parameters_alone_leaves_the_data() -> None:
    signature = Signature.from_mlflow(None, [{"name": "p", "type": "long", "default": 3}])
    request = enforce(parse(b'{"dataframe_records": [{"a": 1}]}', JSON, signature), signature)
    assert (request.rows(), request.params) == ([{"a": 1}], {"p": 3})
