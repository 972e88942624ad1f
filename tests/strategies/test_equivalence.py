"""Equal rows in several formats: this package answers them alike, and the properties catch a model that does not."""

import json
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import servesim
from servesim.models.stubs import Stub, score, score_callable
from servesim.payloads.encode import FORMATS
from servesim.payloads.signature import Signature
from servesim.strategies import signatures
from servesim.strategies.equivalence import (
    TYPES,
    assert_formats_agree,
    assert_order_is_ignored,
    disagreement,
    equivalent_payloads,
    format_table,
    reordered_payloads,
    same,
)
from servesim.strategies.exclusions import EXCLUSIONS

ROOT = Path(__file__).parents[2]
STEADY = settings(max_examples=100, derandomize=True, database=None, deadline=None)
MIXED = Signature.from_mlflow(
    [
        {"name": "amount", "type": "double"},
        {"name": "count", "type": "long"},
        {"name": "name", "type": "string", "required": False},
        {"name": "at", "type": "datetime"},
    ]
)


def answer(signature, payload):
    found = [score(Stub(kind), payload.body, payload.content_type, signature) for kind in ("hash", "echo")]
    assert {one.status for one in found} == {200}, found
    return [json.loads(one.body) for one in found]


@STEADY
@given(signatures().flatmap(lambda signature: st.tuples(st.just(signature), equivalent_payloads(signature))))
def test_stubs_answer_every_format_alike(drawn):
    signature, payloads = drawn
    assert [payload.format for payload in payloads] == [f for f in FORMATS if f in {p.format for p in payloads}]
    assert disagreement(lambda payload: answer(signature, payload), payloads) is None


@STEADY
@given(
    signatures()
    .filter(lambda signature: signature.named)
    .flatmap(lambda signature: st.tuples(st.just(signature), reordered_payloads(signature)))
)
def test_stubs_ignore_the_order_of_columns_and_keys(drawn):
    signature, pair = drawn
    assert disagreement(lambda payload: answer(signature, payload), pair) is None


def test_a_served_callable_agrees():
    def predict(rows):
        return [row["amount"] if row.get("name") is None else row["count"] for row in rows]

    with servesim.run() as sim:
        sim.models.function("main.ml.pick", predict, signature=MIXED)
        body = {"name": "pick", "config": {"served_entities": [{"entity_name": "main.ml.pick", "entity_version": "1"}]}}
        create = urllib.request.Request(f"{sim.host}/api/2.0/serving-endpoints", json.dumps(body).encode())
        create.add_header("Authorization", f"Bearer {sim.token}")
        urllib.request.urlopen(create).close()
        sim.clock.advance("10m")

        def ask(payload):
            request = urllib.request.Request(f"{sim.host}/serving-endpoints/pick/invocations", payload.body)
            request.add_header("Authorization", f"Bearer {sim.token}")
            request.add_header("Content-Type", payload.content_type)
            with urllib.request.urlopen(request) as response:
                return json.load(response)["predictions"]

        assert_formats_agree(ask, MIXED, max_examples=15)
        assert_order_is_ignored(ask, MIXED, max_examples=15)


@pytest.mark.parametrize(
    ("predict", "one", "other"),
    [
        (lambda payload: payload.format == "inputs", "instances", "inputs"),
        (lambda payload: len(payload.body) if payload.format == "csv" else 0, "inputs", "csv"),
    ],
)
def test_a_model_that_cares_for_the_format_is_caught(predict, one, other):
    with pytest.raises(AssertionError, match=f"{one} and {other} send the same rows"):
        assert_formats_agree(predict, {"a": "double"})


def test_the_smallest_rows_are_shown():
    def without_quotes(payload):
        if payload.format == "csv":
            return [line.partition(",")[0] for line in payload.body.decode().split("\n")[1:-1]]
        found = score_callable(lambda rows: [row["a"] for row in rows], payload.body, payload.content_type, signature)
        return json.loads(found.body)["predictions"]

    signature = Signature.of({"a": "string"})
    with pytest.raises(AssertionError) as caught:
        assert_formats_agree(without_quotes, signature)
    shown = str(caught.value)
    assert any(f"b'a\\n\"{text}\"\\n'" in shown for text in (",", '""', "\\n", "\\r", " ")), shown


def test_a_model_that_takes_columns_by_position_is_caught():
    def first(payload):
        document = payload.json()[payload.format] if payload.format != "csv" else None
        return list(document[0].values())[0] if isinstance(document, list) else None  # noqa: RUF015 - as such models do

    with pytest.raises(AssertionError, match="answered differently"):
        assert_order_is_ignored(first, {"a": "double", "b": "double"})


def test_order_needs_names():
    with pytest.raises(ValueError, match="have no names"):
        reordered_payloads(Signature.from_mlflow([{"type": "double"}]))


def test_same():
    numpy = pytest.importorskip("numpy")
    assert same({"a": [float("nan"), 1]}, {"a": [float("nan"), 1.0]})
    assert same(numpy.array([1.5, 2]), [1.5, 2.0])
    assert same((1, "x"), [1, "x"])
    assert not same([True], [1])
    assert not same([1], [1, 2])
    assert not same({"a": 1}, {"b": 1})


def test_exclusions_name_types_of_the_table_and_recorded_pairs():
    pairs = (ROOT / "tests/payloads/recorded_pairs.jsonl").read_text(encoding="utf-8").splitlines()
    recorded = {json.loads(line)["id"] for line in pairs}
    assert {line.type for line in EXCLUSIONS} <= set(TYPES)
    assert {line.recorded for line in EXCLUSIONS} - {""} <= recorded


def test_the_documented_table_is_the_one_of_the_code():
    text = (ROOT / "docs/strategies.md").read_text(encoding="utf-8")
    begin, end = "<!-- formats: begin -->\n", "<!-- formats: end -->\n"
    shown = text[text.index(begin) + len(begin) : text.index(end)]
    assert shown == format_table(), f"put this between the marks in docs/strategies.md:\n{format_table()}"
