"""What the parser takes and refuses, the same with and without orjson."""

import hashlib
import json
import struct
from typing import Any

import pytest

from servesim.payloads import decode
from servesim.payloads.decode import MAX_DEPTH, dumps, loads
from servesim.payloads.parse import parse
from servesim.payloads.refusal import Refused
from servesim.payloads.request import Request
from servesim.payloads.signature import Signature

JSON = "application/json"


@pytest.fixture(params=["installed", "standard"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "standard":
        monkeypatch.setattr(decode, "fast_loads", None)


def _refused(body: bytes, content_type: str | None = JSON) -> Refused:
    with pytest.raises(Refused) as caught:
        parse(body, content_type)
    return caught.value


@pytest.mark.usefixtures("parser")
class TestDecode:
    @pytest.mark.parametrize(
        "text",
        [
            *("1", "-0", "-0.0", "1e400", "-1e400", "1e-400", "18446744073709551615", "18446744073709551616"),
            *("-9223372036854775809", "123456789012345678901234567890.5", "5e-324", "[1.7976931348623159e308]"),
            *("NaN", "[Infinity, -Infinity]", '"\\ud800"', '"\\ud83d\\ude00"', '{"a": 1, "a": 2}', ' "\\u0000" '),
        ],
    )
    def test_reads_what_the_standard_library_reads(self, text: str) -> None:
        assert repr(loads(text.encode())) == repr(json.loads(text))

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
    def test_reads_marked_encodings(self, encoding: str) -> None:
        assert loads('{"é": [1]}'.encode(encoding)) == {"é": [1]}

    def test_floats_are_read_bit_for_bit(self) -> None:
        for step in range(2000):
            digest = hashlib.blake2b(str(step).encode(), digest_size=8).digest()
            (number,) = struct.unpack("d", digest)
            text = f"{number:.{5 + step % 20}e}".encode()
            if b"n" not in text:
                assert loads(text) == json.loads(text)

    @pytest.mark.parametrize(
        "body",
        [
            *(b"", b"{", b"[1,]", b"01", b"+1", b'"\t"', b'{"a": \xff}', b"9" * 5000, b"[" * 100_000),
            *(b'{"a":' * 100_000, b'{"a": ', b'{"a": x}', b'{"a": [1, ', b'{"a": 1, "b": }'),
        ],
        ids=lambda body: repr(body[:8]),
    )
    def test_refuses_with_a_400(self, body: bytes) -> None:
        refused = _refused(body)
        assert (refused.status, refused.error_code) == (400, "BAD_REQUEST")
        assert refused.message.startswith("Invalid input. Ensure that input is a valid JSON formatted string. Error: '")
        assert len(refused.body()) < 100_000

    def test_depth_is_bounded_alike(self) -> None:
        deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
        assert loads(deepest) == json.loads(deepest)
        with pytest.raises(Refused, match="nested deeper"):
            loads(b"[" + deepest + b"]")
        with pytest.raises(Refused, match="nested deeper"):
            loads(b'["\\"",' + deepest + b"]")

    def test_brackets_inside_of_strings_and_wide_documents_are_not_deep(self) -> None:
        assert loads(json.dumps(["[" * 1000, '\\"[{' * 300]).encode())[0] == "[" * 1000
        wide = [{"a": [[[1]]]}] * 1000
        assert loads(json.dumps(wide).encode()) == wide
        uneven: list[Any] = [[] for _ in range(300)]
        for _ in range(50):
            uneven = [uneven]
        assert loads(json.dumps(uneven).encode()) == uneven

    def test_running_out_of_stack_is_a_refusal_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def exhausted(_body: bytes) -> Any:
            raise RecursionError

        monkeypatch.setattr(decode.json, "loads", exhausted)
        with pytest.raises(Refused) as caught:
            loads(b"[NaN]")
        assert (caught.value.status, caught.value.evidence) == (400, "chosen")


def test_dumps_writes_what_mlflow_writes() -> None:
    assert dumps({"a": [1, 0.1, float("nan"), None, "é", b"ab"]}) == b'{"a": [1, 0.1, NaN, null, "\\u00e9", "YWI=\\n"]}'
    with pytest.raises(TypeError, match="set"):
        dumps({1, 2})


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=UTF-8", 200),
        ("application/json ;charset=utf-8", 200),
        ("application/json;charset=latin-1", 415),
        ('application/json; charset="utf-8"', 415),
        ("application/json;", 415),
        ("Application/JSON", 415),
        ("text/plain", 415),
        ("", 415),
        (None, 500),
    ],
)
def test_content_types(content_type: str | None, status: int) -> None:
    if status == 200:
        assert parse(b'{"inputs": 1}', content_type).data == 1
        return
    refused = _refused(b'{"inputs": 1}', content_type)
    assert (refused.status, refused.error_code, refused.content_type) == (status, None, "text/plain; charset=utf-8")
    assert refused.body() == refused.message.encode()


def test_parquet_names_the_extra() -> None:
    refused = _refused(b"PAR1", "application/vnd.apache.parquet")
    assert (refused.status, refused.error_code, refused.evidence) == (501, "NOT_IMPLEMENTED", "chosen")
    assert "servesim[mlflow]" in refused.message
    assert json.loads(refused.body()).keys() == {"error_code", "message"}


def test_unknown_keys_are_dropped() -> None:
    request = parse(b'{"inputs": [1], "params": {"p": 1}, "foo": 2, "client_request_id": "r-1"}', JSON)
    assert request == Request("inputs", [1], {"p": 1})


def test_unified_keys_win_over_formats_and_give_up_declared_params() -> None:
    body = b'{"messages": [], "inputs": [1], "params": 3, "temperature": 0.5}'
    signature = Signature.of({"messages": "string"}, {"temperature": ("double", 1.0)})
    plain = parse(body, JSON)
    assert (plain.format, plain.params, plain.rows()) == ("unified", {}, [json.loads(body)])
    declared = parse(body, JSON, signature)
    assert declared.params == {"temperature": 0.5}
    assert "temperature" not in declared.data


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ({"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3]]}}, [{"a": 1, "b": 2}, {"a": 3, "b": None}]),
        ({"dataframe_split": {"data": [[1]], "index": ["x", "y"]}}, [{0: 1}, {0: 1}]),
        ({"dataframe_records": [{"a": 1}, {"b": 2}]}, [{"a": 1, "b": None}, {"a": None, "b": 2}]),
        ({"instances": [1, 2]}, [1, 2]),
        ({"instances": [{"a": 1}]}, [{"a": 1}]),
        ({"inputs": {"a": [1, 2], "b": [3, 4]}}, [{"a": 1, "b": 3}, {"a": 2, "b": 4}]),
        ({"inputs": {"a": [1, 2], "b": [3]}}, [{"a": [1, 2], "b": [3]}]),
        ({"inputs": {"a": 1}}, [{"a": 1}]),
        ({"inputs": {}}, [{}]),
        ({"inputs": "x"}, ["x"]),
    ],
)
def test_rows(body: Any, rows: list[Any]) -> None:
    request = parse(json.dumps(body).encode(), JSON)
    assert request.rows() == rows
    assert request.row_count() == len(rows)


def test_csv_columns_are_typed_like_pandas() -> None:
    body = b"i,f,b,s,m,,i\n1,1.5,True,x,1,0,7\n2,2,false,NA,,0,8\n"
    request = parse(body, "text/csv")
    assert request.rows() == [
        {"i": 1, "f": 1.5, "b": True, "s": "x", "m": 1.0, "Unnamed: 5": 0, "i.1": 7},
        {"i": 2, "f": 2.0, "b": False, "s": None, "m": None, "Unnamed: 5": 0, "i.1": 8},
    ]


@pytest.mark.parametrize("body", [b"", b'a\n"x', b"a,b\n1,2\n1,2,3\n", b'a\n"' + b"x" * 140_000 + b'"\n'])
def test_csv_refusals(body: bytes) -> None:
    refused = _refused(body, "text/csv")
    assert refused.status == 400
    assert refused.message.startswith("Failed to parse input as a Pandas DataFrame.")


def test_csv_keeps_integers_that_are_too_long_as_text() -> None:
    digits = "9" * 5000
    assert parse(f"a\n{digits}\n".encode(), "text/csv").rows() == [{"a": digits}]
