"""Scoring requests of every MLflow protocol, and what the scoring server of MLflow 1.30.1 really answered to them.

`recorded_1_30_pairs.jsonl`: answers of that server for the models of `conftest`, without their stack traces.
"""

import json
from pathlib import Path

import pytest

from servesim.payloads.protocol import NEWEST
from servesim.payloads.scoring_protocols import protocol_of
from servesim.payloads.signature import Signature

JSON, CSV = "application/json", "text/csv"
RECORDS, SPLIT = f"{JSON}; format=pandas-records", f"{JSON}; format=pandas-split"
NUMPY = "application/json-numpy-split"
TABLE = '{"columns": ["a"], "index": [0, 1], "data": [[1], [2]]}'
ROWS = '[{"a": 1}, {"a": 2}]'

PAIRS = [
    json.loads(line) for line in Path(__file__).with_name("recorded_1_30_pairs.jsonl").read_text("utf-8").splitlines()
]
# Here the message is another one: of what a column of tensors is to pandas, or in which order a set is printed.
OTHER_WORDS = {
    "signed-inputs_tensors",
    "signed-instances_tensors",
    "tensor-instances_named",
    "tensor-instances_tensors",
    "tensor-instances_uneven",
    "tensor-inputs_scalar",
    "tensor-instances_empty",
    "tensor-split_no_data",
    "named-inputs_named",
    "named-instances_named",
    "named-split_no_data",
}


# --- as MLflow 1.30.1 answered ----------------------------------------------------------------------


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair["id"])
def test_recorded(pair, models, ask, said):
    model = pair["model"]
    status, body, kind = ask(
        "1.30.1",
        pair["body"],
        pair["content_type"],
        function=models[model].function,
        signature=models[model].signature,
    )
    assert status == pair["status"]
    assert kind.partition(";")[0] == pair["type"].partition(";")[0]
    if pair["id"] not in OTHER_WORDS:
        assert said(body) == pair["answer"]


def test_what_was_recorded_has_stack_traces_where_the_body_could_not_be_read(ask, models):
    assert "stack_trace" in json.loads(ask("1.30.1", "{not json")[1])
    missing = ask("1.30.1", '{"columns": ["a"], "data": [[1]]}', signature=models["signed"].signature)
    assert "stack_trace" not in json.loads(missing[1])  # the signature's refusals have none


# --- which version has which form ---------------------------------------------------------------------

FORMS = {
    # content type and body, the oldest version that reads it as the table above, and the newest
    "split": (JSON, TABLE, "1.8.0", "1.30.1"),
    "split by content type": (SPLIT, TABLE, "1.8.0", "1.30.1"),
    "records by content type": (RECORDS, ROWS, "1.8.0", "1.30.1"),
    "records": (JSON, ROWS, "1.14.0", "1.30.1"),
    "columns as records": (RECORDS, '{"a": [1, 2]}', "1.8.0", "1.30.1"),
    "instances": (JSON, '{"instances": [{"a": 1}, {"a": 2}]}', "1.14.0", "3.17.2"),
    "inputs": (JSON, '{"inputs": {"a": [1, 2]}}', "1.14.0", "3.17.2"),
    "csv": (CSV, "a\n1\n2\n", "1.8.0", "3.17.2"),
    "numpy": (NUMPY, TABLE, "1.8.0", "1.30.1"),
    "charset": (f"{JSON}; charset=utf-8", TABLE, "1.20.0", "1.30.1"),
    "dataframe_split": (JSON, f'{{"dataframe_split": {TABLE}}}', "2.0.0", "3.17.2"),
    "dataframe_records": (JSON, f'{{"dataframe_records": {ROWS}}}', "2.0.0", "3.17.2"),
}
VERSIONS = (
    "1.8.0",
    "1.13.1",
    "1.14.0",
    "1.19.0",
    "1.20.0",
    "1.22.0",
    "1.23.0",
    "1.25.1",
    "1.26.0",
    "1.30.1",
    "2.0.0",
    "2.6.0",
    "2.10.0",
    "3.3.2",
    "3.17.2",
)


def numbers(version):
    return tuple(map(int, version.split(".")))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", FORMS)
def test_forms(form, version, ask):
    content_type, body, first, last = FORMS[form]
    status, answer, _ = ask(version, body, content_type)
    if not numbers(first) <= numbers(version) <= numbers(last):
        assert status in (400, 415, 500)
        return
    predictions = [{"a": 1}, {"a": 2}]
    assert (status, json.loads(answer)) == (200, {"predictions": predictions} if version >= "2" else predictions)


@pytest.mark.parametrize(
    ("version", "status", "code"),
    [("1.8.0", 500, "MALFORMED_REQUEST"), ("1.22.0", 500, "MALFORMED_REQUEST"), ("1.23.0", 400, "BAD_REQUEST")],
)
def test_what_cannot_be_parsed_was_a_500_once(version, status, code, ask):
    for body in ("{", '{"a": 1}', ROWS.replace("]", "")):
        got, answer, _ = ask(version, body)
        assert (got, json.loads(answer)["error_code"]) == (status, code)
    assert ask(version, "a\n1,2\n1,2,3\n", CSV)[0] == status


@pytest.mark.parametrize(("version", "status"), [("1.14.0", 500), ("1.25.1", 400), ("1.26.0", 200), ("1.30.1", 200)])
def test_inputs_of_unequal_lengths(version, status, ask):
    assert ask(version, '{"inputs": {"a": [1, 2], "b": [1]}}')[0] == status


@pytest.mark.parametrize("version", ["1.8.0", "1.14.0", "1.19.0"])
def test_content_types_were_compared_whole(version, ask):
    status, answer, kind = ask(version, TABLE, "application/json;format=pandas-split")
    assert (status, kind) == (415, "text/plain; charset=utf-8")
    assert answer.decode().endswith("'application/json-numpy-split']. Got 'application/json;format=pandas-split'.")
    assert ask(version, TABLE, None)[0] == 415
    assert ask("1.20.0", TABLE, "application/json;format=pandas-split")[0] == 200


def test_a_missing_content_type(ask):
    assert ask("1.30.1", TABLE, None)[0] == 500


def test_a_body_that_is_no_text(ask):
    assert ask("1.30.1", b"\xff\xfe")[0] == 500
    assert ask("1.30.1", TABLE.encode("utf-16-le"))[0] == 400


# --- between models and clients -----------------------------------------------------------------------


def test_numbers_come_through_as_they_were_written(ask):
    body = '{"columns":["a"],"data":[[0.1000000000000000055], [12345678901234567890], [NaN]]}'
    assert protocol_of("1.28.0").request(body.encode(), JSON).body == b'{"dataframe_split": %b}' % body.encode()
    assert ask("1.28.0", body)[1] == b'[{"a": 0.1}, {"a": 12345678901234567890}, {"a": NaN}]'


def test_predictions_of_every_kind_are_bare(ask):
    for value in ([1.5, None], {"predictions": [1]}, "text", 5, None):
        assert ask("1.28.0", TABLE, function=lambda _, value=value: value)[1] == json.dumps(value).encode()


def test_a_model_that_raises(ask):
    def fail(_rows):
        raise ValueError("no")

    status, body, _ = ask("1.28.0", TABLE, function=fail)
    document = json.loads(body)
    assert (status, list(document)) == (400, ["error_code", "message", "stack_trace"])
    assert document["message"].startswith("Encountered an unexpected error while evaluating the model.")
    assert document["stack_trace"] == "ValueError: no"


@pytest.mark.parametrize(
    ("kind", "said"),
    [  # as MLflow 1.30.1 answers
        ("double", "Failed to convert column a from type object to DataType.double."),
        ("datetime", "Failed to convert column a from type object to DataType.datetime."),
        ("float", "Incompatible input types for column a. Can not safely convert object to float32."),
        ("integer", "Incompatible input types for column a. Can not safely convert object to int32."),
        ("long", "Incompatible input types for column a. Can not safely convert object to int64."),
        ("binary", "Failed to parse input as a Pandas DataFrame. Ensure that the input is a valid JSON-formatted"),
    ],
)
def test_a_value_that_cannot_be_converted(kind, said, ask):
    body = json.dumps({"columns": ["a"], "data": [["x"]]})
    status, answer, _ = ask("1.30.1", body, signature=Signature.of({"a": kind}))
    assert status == 400
    assert json.loads(answer)["message"].startswith(said)


def test_answers_that_no_model_gave_stay_as_they_are():
    old = protocol_of("1.28.0")
    assert old.outcome(503, b'{"error_code": "TEMPORARILY_UNAVAILABLE"}') == (
        503,
        b'{"error_code": "TEMPORARILY_UNAVAILABLE"}',
    )
    assert old.outcome(500, b"Internal Server Error") == (500, b"Internal Server Error")
    assert old.outcome(200, b"[1]") == (200, b"[1]")


# --- which protocol a version has -----------------------------------------------------------------------


@pytest.mark.parametrize("version", ["", "3.4.0", "3.4.0rc0", "3.17.2", "10.0", "none", "x1.28"])
def test_the_newest_changes_nothing(version):
    assert protocol_of(version) is NEWEST
    assert NEWEST.request(b"x", "y") == (b"x", "y", "")
    assert NEWEST.answer(200, b'{"predictions": 1}') == b'{"predictions": 1}'


@pytest.mark.parametrize("version", ["1", "1.28", "1.28.0", "1.30.1.dev0", "0.9"])
def test_versions_before_two_are_old(version):
    assert protocol_of(version) is not NEWEST
    assert protocol_of(version).answer(200, b'{"predictions": 1}') == b"1"


def test_bodies_of_before_two_are_refused_from_two_on(ask):
    status, body, _ = ask("2.0.1", TABLE)
    assert status == 400
    assert "Received dictionary with input fields: ['columns', 'index', 'data']. IMPORTANT: " in body.decode()
    assert b"Received a list." in ask("2.0.1", ROWS)[1]
    status, body, kind = ask("2.0.1", TABLE, SPLIT)
    assert (status, kind) == (415, "text/plain; charset=utf-8")
    assert body.startswith(b"Unrecognized content type parameters: format. IMPORTANT: ")
