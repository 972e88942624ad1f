"""A body of a few kilobytes costs no more than its size warrants. Nothing asserts a time: what would take minutes
runs into the run's own limit."""

import json

import pytest

from servesim.models.stubs import Stub, score
from servesim.payloads.bounds import REPEATED_CHARACTERS

ECHO = Stub("echo")
SIDE = 4_000
"""A square of this side is more cells than are filled in."""


def answered(body, content_type="application/json", stub=ECHO):
    return score(stub, body if isinstance(body, bytes) else json.dumps(body).encode(), content_type)


def test_a_long_run_of_digits_is_read_once():
    answer = answered(b"a\n" + b"1" * 200_000 + b"x\n", "text/csv", Stub("hash"))
    assert answer.status == 200


def test_many_columns_of_one_name_are_numbered_in_one_pass():
    answer = answered(b"a," * 150_000 + b"a\n", "text/csv")
    assert json.loads(answer.body) == {"predictions": []}


@pytest.mark.parametrize(
    "request_body",
    [
        pytest.param({"dataframe_records": [{f"k{at}": 1} for at in range(SIDE)]}, id="a column for each row"),
        pytest.param({"dataframe_split": {"data": [[1] * SIDE, *[[]] * SIDE]}}, id="short rows"),
        pytest.param(
            {"dataframe_split": {"data": None, "columns": [*range(SIDE)], "index": [*range(SIDE)]}}, id="labels alone"
        ),
        pytest.param(
            {"dataframe_split": {"data": {"a": [1] * SIDE}, "columns": ["a"] * SIDE}}, id="one column, many times"
        ),
        pytest.param(
            {"dataframe_split": {"data": {"a": 1}, "columns": ["a"] * SIDE, "index": [*range(SIDE)]}},
            id="one value, many times",
        ),
        pytest.param({"dataframe_split": {"data": [[1] * SIDE], "index": [*range(SIDE)]}}, id="one row, many times"),
        pytest.param(
            {"dataframe_split": {"data": [], "columns": [*range(SIDE)], "index": [*range(SIDE)]}}, id="no data"
        ),
    ],
)
def test_a_table_is_not_filled_in_without_bound(request_body):
    answer = answered(request_body)
    assert answer.status == 400
    assert f"{SIDE * SIDE:,}"[:5] in json.loads(answer.body)["message"]


def test_a_csv_table_is_not_filled_in_without_bound():
    answer = answered(b"," * SIDE + b"\n" + b"1\n" * SIDE, "text/csv")
    assert answer.status == 400
    assert "cells" in json.loads(answer.body)["message"]


def test_a_sparse_table_of_ordinary_size_is_filled_in():
    rows = [{"a": 1}, {"b": 2}]
    assert json.loads(answered({"dataframe_records": rows}).body)["predictions"][1] == {"a": None, "b": 2}


@pytest.mark.parametrize("behaviour", ["echo", "hash"])
@pytest.mark.parametrize("key", ["dataframe_split", "inputs"])
def test_column_names_are_not_repeated_without_bound(behaviour, key):
    name, count = "n" * 20_000, REPEATED_CHARACTERS // 20_000 + 1
    data = {"columns": [name], "data": [[1]] * count} if key == "dataframe_split" else {name: [1] * count}
    answer = answered({key: data}, stub=Stub(behaviour))
    assert answer.status == 400
    assert "column names" in json.loads(answer.body)["message"]


def test_a_long_answer_is_the_same_in_pieces():
    numbers = [*range(25_001)]
    assert answered({"inputs": numbers}).body == json.dumps({"predictions": numbers}).encode()
