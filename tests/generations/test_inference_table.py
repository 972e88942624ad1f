"""Rows of an inference table: which requests are there, when, and what each column holds."""

from dataclasses import replace

import pytest

from servesim.core.draws import Draws
from servesim.core.profile import FAITHFUL
from servesim.generations.inference_table import COLUMNS, PAYLOAD_LIMIT, UNLOGGED, rows
from servesim.service.recorded import RequestRecord

NOON = 1_767_614_400_000
HOUR = FAITHFUL.inference_table_delay_ms
BODY = b'{"dataframe_records": [{"a": 1}], "client_request_id": "mine-7"}'
ANSWER = b'{"predictions": [0.5]}'


def record(number=1, body=BODY, answer=ANSWER, **fields):
    given = {
        "number": number,
        "kind": "scoring",
        "request_id": f"66b2e618-3021-4288-7396-{number:012x}",
        "instant": NOON + 250,
        "method": "POST",
        "path": "/serving-endpoints/fraud/invocations",
        "requester": "ana@example.com",
        "status": 200,
        "grade": "",
        "content_type": "application/json",
        "answer": answer,
        "answer_bytes": len(answer or b""),
        "body": body,
        "body_bytes": len(body or b""),
        "endpoint": "fraud",
        "endpoint_id": "e" * 32,
        "deployment_id": "d" * 32,
        "admitted": NOON + 50,
        "started": NOON + 100,
        "ended": NOON + 250,
        "table": True,
    }
    return RequestRecord(**given | fields)


def table(*records, now=NOON + 10 * HOUR, profile=FAITHFUL, seed=0, **options):
    return rows(records, "fraud", now, profile, Draws(seed), **options).rows


def test_a_row_has_the_recorded_columns_in_their_order():
    (row,) = table(record())
    assert row == {
        "databricks_request_id": "66b2e618-3021-4288-7396-000000000001",
        "request_date": "2026-01-05",
        "client_request_id": "mine-7",
        "request_time": "2026-01-05T12:00:00.050Z",
        "status_code": 200,
        "sampling_fraction": 1.0,
        "execution_duration_ms": 150,
        "request": BODY.decode(),
        "response": ANSWER.decode(),
        "logging_error_codes": [],
        "served_entity_id": "d" * 32,
        "requester": "ana@example.com",
    }
    assert list(row) == list(COLUMNS)


def test_a_row_comes_when_the_delay_has_passed_since_the_answer():
    arrives = NOON + 250 + HOUR
    assert rows([record()], "fraud", arrives - 1, FAITHFUL, Draws(0)) == ([], 1)
    found, waiting = rows([record()], "fraud", arrives, FAITHFUL, Draws(0))
    assert (len(found), waiting) == (1, 0)


@pytest.mark.parametrize(
    "fields", [{"table": False}, {"endpoint": "other"}, *({"status": status} for status in sorted(UNLOGGED))], ids=str
)
def test_what_is_not_logged_has_no_row(fields):
    assert table(record(**fields)) == []


@pytest.mark.parametrize("status", [400, 404, 504])
def test_other_errors_are_logged(status):
    assert [row["status_code"] for row in table(record(status=status))] == [status]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"inputs": [1]}', None),
        (b'{"client_request_id": 7}', None),
        (b"client_request_id\n1", None),
        (b'["client_request_id"]', None),
        (b"[" * 300 + b'"client_request_id"', None),
        (b'{"client_request_id": "\\u00e9"}', "\u00e9"),
    ],
    ids=["none", "number", "csv", "list", "deep", "escaped"],
)
def test_the_id_of_the_client_is_a_text_in_the_body(body, found):
    assert table(record(body=body))[0]["client_request_id"] == found


@pytest.mark.parametrize(
    "kept",
    [
        {"body": b"x" * (PAYLOAD_LIMIT + 1), "answer": b"y" * (PAYLOAD_LIMIT + 1)},
        {"body": None, "body_bytes": PAYLOAD_LIMIT + 1, "answer": None, "answer_bytes": PAYLOAD_LIMIT + 1},
    ],
    ids=["kept", "length-alone"],
)
def test_what_is_too_large_is_null_and_named(kept):
    (row,) = table(record(**kept))
    assert (row["request"], row["response"]) == (None, None)
    assert row["logging_error_codes"] == ["MAX_REQUEST_SIZE_EXCEEDED", "MAX_RESPONSE_SIZE_EXCEEDED"]
    (row,) = table(record(body=b"x" * PAYLOAD_LIMIT))
    assert (len(row["request"]), row["logging_error_codes"]) == (PAYLOAD_LIMIT, [])


def test_a_request_that_reached_no_model_took_no_time_of_one():
    (row,) = table(record(status=404, admitted=None, started=None, ended=None, deployment_id=""))
    assert (row["execution_duration_ms"], row["served_entity_id"]) == (0, None)
    assert row["request_time"] == "2026-01-05T12:00:00.250Z"


def test_bytes_that_are_no_text_are_written_all_the_same():
    assert table(record(body=b"\xff"))[0]["request"] == "\ufffd"


def test_a_route_optimized_endpoint_names_no_requester():
    assert table(record(), route_optimized=True)[0]["requester"] is None


def sample(fraction, seed=0, numbers=range(1_000)):
    profile = replace(FAITHFUL, inference_table_sampling=fraction)
    found = table(*map(record, numbers), profile=profile, seed=seed)
    assert all(row["sampling_fraction"] == fraction for row in found)
    return {row["databricks_request_id"] for row in found}


def test_a_sample_has_its_share_and_is_drawn_by_request():
    quarter = sample(0.25)
    assert 200 < len(quarter) < 300
    assert quarter == sample(0.25)
    assert quarter != sample(0.25, seed=1)
    assert {one for one in quarter if int(one[-3:], 16) % 2} == sample(0.25, numbers=range(1, 1_000, 2))
    assert quarter < sample(0.5)
    assert sample(0) == set()
