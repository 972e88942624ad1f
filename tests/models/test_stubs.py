"""Stub models and Python callables, from request bytes to answer bytes."""

import functools
import json
from typing import Any

import pytest

from servesim.models.answer import Answer
from servesim.models.stubs import Stub, score, score_callable
from servesim.payloads.signature import Signature

JSON = "application/json"
RECORDS = b'{"dataframe_records": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]}'
CHAT = b'{"messages": [{"role": "user", "content": "hi"}], "stream": true}'


def _predictions(answer: Answer) -> Any:
    assert (answer.status, answer.content_type) == (200, JSON)
    return json.loads(answer.body)["predictions"]


def _hash(body: Any, signature: Signature | None = None) -> Any:
    return _predictions(score(Stub("hash"), json.dumps(body).encode(), JSON, signature))


def test_constant_is_repeated_per_row() -> None:
    assert score(Stub("constant", 0.5), RECORDS, JSON) == Answer(200, JSON, b'{"predictions": [0.5, 0.5]}')
    assert score(Stub("constant", {"label": "é"}), b'{"inputs": [1]}', JSON).body == (
        b'{"predictions": [{"label": "\\u00e9"}]}'
    )


def test_unified_requests_are_answered_bare() -> None:
    assert json.loads(score(Stub("constant", {"choices": []}), CHAT, JSON).body) == {"choices": []}
    assert json.loads(score(Stub("echo"), CHAT, JSON).body) == json.loads(CHAT)
    assert 0 <= json.loads(score(Stub("hash"), CHAT, JSON).body) < 1


def test_a_unified_request_to_a_signature_of_columns_is_a_table_of_rows() -> None:
    signature = Signature.of({"prompt": "string"})
    assert score(Stub("echo"), b'{"prompt": "x"}', JSON, signature).body == b'[{"prompt": "x"}]'
    assert score(Stub("constant", 1), b'{"prompt": "x"}', JSON, signature).body == b"[1]"
    assert score_callable(lambda rows: rows[0]["prompt"], b'{"prompt": "x"}', JSON, signature).body == b'"x"'


def test_echo_shows_the_rows_as_the_model_saw_them() -> None:
    signature = Signature.of({"bin": "binary", "t": "datetime", "d": "double"})
    body = b'{"dataframe_records": [{"t": "2024-01-02", "bin": "YWI=", "d": null}]}'
    answer = score(Stub("echo"), body, JSON, signature)
    assert answer.body == b'{"predictions": [{"bin": "YWI=\\n", "t": "2024-01-02T00:00:00", "d": NaN}]}'


def test_hash_is_the_same_in_every_format() -> None:
    expected = _hash({"dataframe_records": [{"a": 1, "b": "x"}, {"a": 2.5, "b": None}]})
    assert expected == _hash({"dataframe_split": {"columns": ["b", "a"], "data": [["x", 1.0], [None, 2.5]]}})
    assert expected == _hash({"instances": [{"a": 1, "b": "x"}, {"b": None, "a": 2.5}]})
    assert expected == _hash({"inputs": {"a": [1, 2.5], "b": ["x", None]}})
    assert expected == _predictions(score(Stub("hash"), b"a,b\n1,x\n2.5,\n", "text/csv"))
    assert len(set(expected)) == 2
    assert all(0 <= value < 1 for value in expected)


def test_hash_is_taken_after_the_cast() -> None:
    signature = Signature.of({"a": "double", "t": "datetime"})
    expected = _hash({"dataframe_records": [{"a": "1", "t": "2024-01-02", "zz": 5}]}, signature)
    assert expected == _hash({"inputs": {"t": ["2024-01-02"], "a": [True]}}, signature)
    assert expected != _hash({"inputs": {"t": ["2024-01-03"], "a": [1]}}, signature)


def test_hash_of_lists_bytes_and_surrogates() -> None:
    assert _hash({"instances": [[1, 2.0], [1.0, 2]]})[0] == _hash({"inputs": [[1, 2]]})[0]
    binary = Signature.of({"a": "binary"})
    assert _hash({"dataframe_records": [{"a": "YQ=="}]}, binary) != _hash({"dataframe_records": [{"a": "YR=="}]})
    assert _predictions(score(Stub("hash"), b'{"inputs": ["\\ud800", NaN, null]}', JSON))


def test_fail_answers_like_a_model_that_raised() -> None:
    answer = score(Stub("fail", message="KeyError: 'x'"), RECORDS, JSON)
    fields = json.loads(answer.body)
    assert (answer.status, fields["error_code"], fields["stack_trace"]) == (400, "BAD_REQUEST", "KeyError: 'x'")
    assert fields["message"].startswith("Encountered an unexpected error while evaluating the model. Verify")


def test_refusals_come_before_the_model() -> None:
    assert score(Stub("fail"), b"{}", JSON).status == 400
    assert score(Stub("constant", 1), RECORDS, None) == Answer(
        500, "text/plain; charset=utf-8", b"Internal Server Error", "recorded"
    )
    signature = Signature.of({"c": "double"})
    fields = json.loads(score(Stub("constant", 1), RECORDS, JSON, signature).body)
    assert fields["error_class"] == "SCHEMA_ENFORCEMENT_FAILED"
    assert "Model is missing inputs ['c']. Note that there were extra inputs: ['a', 'b']." in fields["message"]


def test_a_stub_has_one_of_four_behaviours() -> None:
    with pytest.raises(ValueError, match="constant, echo, hash, fail"):
        Stub("random")  # type: ignore[arg-type]  # that is the case


def test_callables_get_rows_and_maybe_params() -> None:
    body = b'{"inputs": {"a": [1, 2]}, "params": {"k": 3}}'
    assert _predictions(score_callable(lambda rows: [row["a"] for row in rows], body, JSON)) == [1, 2]
    assert _predictions(score_callable(lambda rows, params: [params["k"]] * len(rows), body, JSON)) == [3, 3]
    assert _predictions(score_callable(lambda rows, given: [given["k"], len(rows)], body, JSON)) == [3, 2]
    assert _predictions(score_callable(lambda rows, scale=2: [scale] * len(rows), body, JSON)) == [2, 2]
    assert _predictions(score_callable(functools.partial(sorted, key=str), b'{"inputs": [2, 1]}', JSON)) == [1, 2]
    assert _predictions(score_callable(len, body, JSON)) == 2
    assert _predictions(score_callable(dict.fromkeys, b'{"inputs": ["k"]}', JSON)) == {"k": None}


def test_callables_get_the_whole_unified_object() -> None:
    answer = score_callable(lambda data: {"n": len(data["messages"])}, CHAT, JSON)
    assert answer.body == b'{"n": 1}'


def test_unhashable_and_positional_callables() -> None:
    class Unhashable:
        __hash__ = None  # type: ignore[assignment]  # as Python does it

        def __call__(self, rows: list[Any], params: dict[str, Any], /) -> list[Any]:
            return [*rows, params]

    assert _predictions(score_callable(Unhashable(), b'{"inputs": [1]}', JSON)) == [1, {}]


@pytest.mark.parametrize("error", [ValueError("boom"), SystemExit(3), RecursionError("deep")])
def test_what_a_callable_raises_is_a_400(error: BaseException) -> None:
    def model(_rows: list[Any]) -> Any:
        raise error

    answer = score_callable(model, RECORDS, JSON)
    assert answer.status == 400
    assert json.loads(answer.body)["stack_trace"] == f"{type(error).__name__}: {error}"


def test_a_refusal_that_a_callable_raises_is_its_answer() -> None:
    from servesim.payloads.refusal import Refused

    def model(_rows: list[Any]) -> Any:
        raise Refused(418, "TEAPOT", "short and stout", evidence="chosen")

    assert score_callable(model, RECORDS, JSON).status == 418


@pytest.mark.parametrize(
    "output", [{1, 2}, object(), {(1, 2): 3}, 1 + 2j], ids=["set", "object", "tuple key", "complex"]
)
def test_what_has_no_json_is_a_plain_500(output: Any) -> None:
    answer = score_callable(lambda _rows: output, RECORDS, JSON)
    assert answer == Answer(500, "text/plain; charset=utf-8", b"Internal Server Error", "recorded")


@pytest.mark.mlflow
def test_pandas_and_numpy_answers_are_encoded_as_mlflow_does() -> None:
    import pandas

    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert _predictions(score_callable(lambda _rows: frame, RECORDS, JSON)) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert _predictions(score_callable(lambda _rows: frame["a"], RECORDS, JSON)) == [{"a": 1}, {"a": 2}]
    assert _predictions(score_callable(lambda _rows: frame["a"].to_numpy(), RECORDS, JSON)) == [1, 2]
    assert _predictions(score_callable(lambda _rows: pandas.Series([3]), RECORDS, JSON)) == [{"0": 3}]
