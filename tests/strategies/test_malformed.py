"""Requests with one thing wrong: refused as they say, here and by MLflow."""

import pytest
from hypothesis import HealthCheck, Phase, assume, find, given, settings
from hypothesis import strategies as st

from servesim.models.stubs import Stub, score
from servesim.payloads.signature import Array, Column, Signature, Tensor
from servesim.strategies import FORMATS, Reason, formats_of, malformed, reasons_of, signatures
from servesim.strategies.generate import drawn

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]
QUIET = settings(derandomize=True, database=None, deadline=None, suppress_health_check=SLOW)
SEARCH = settings(QUIET, max_examples=300, phases=(Phase.generate, Phase.shrink))
FRAUD = Signature.from_mlflow(
    [
        {"name": "amount", "type": "double"},
        {"name": "count", "type": "long"},
        {"name": "note", "type": "string", "required": False},
    ],
    [{"name": "top", "type": "long", "default": 3, "shape": None}],
)
IMAGES = Signature((Column("image", Tensor("float32", (-1, 2, 2))),))


@st.composite
def refusals(draw):
    signature = draw(signatures())
    reason = draw(st.sampled_from(Reason))
    formats = [form for form in formats_of(signature) if reason in reasons_of(signature, form)]
    assume(formats)
    return signature, draw(malformed(signature, draw(st.sampled_from(formats)), [reason]))


@settings(QUIET, max_examples=150)
@given(refusals())
def test_every_one_is_refused_as_it_says(case):
    signature, wrong = case
    answer = score(Stub("echo"), wrong.payload.body, wrong.payload.content_type, signature)
    assert answer.status == wrong.status >= 400
    assert (wrong.error_code or "").encode() in answer.body
    assert (wrong.error_code is None) == (wrong.status == 415)


@pytest.mark.mlflow
def test_mlflow_refuses_them_alike(mlflow_verdict):
    @settings(QUIET, max_examples=100)
    @given(refusals())
    def check(case):
        signature, wrong = case
        assert mlflow_verdict(signature, wrong.payload) == (wrong.status, wrong.error_code)

    check()


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name.lower())
def test_for_every_reason_there_is_one(reason):
    signature = IMAGES if reason is Reason.WRONG_LENGTH else FRAUD
    (wrong,) = drawn(malformed(signature, reasons=[reason]), 1)
    assert wrong.reason is reason
    assert (wrong.status, wrong.error_code) in {
        (415, None),
        (400, "BAD_REQUEST"),
        (400, "INVALID_PARAMETER_VALUE"),
    }


@pytest.mark.parametrize(
    ("reason", "form", "body"),
    [
        (Reason.NOT_JSON, "inputs", b""),
        (Reason.NOT_AN_OBJECT, "inputs", b"null"),
        (Reason.NO_FORMAT, "inputs", b"{}"),
        (Reason.MISSING_INPUT, "inputs", b'{"inputs": {"count": [0]}}'),
        (Reason.WRONG_TYPE, "inputs", b'{"inputs": {"amount": ["x"], "count": [0]}}'),
        (Reason.EXTRA_DIMENSION, "inputs", b'{"inputs": {"amount": [[0.0]], "count": [0]}}'),
        (Reason.RAGGED, "csv", b"amount,count\n0.0,0\n0.0,0,1\n"),
        (Reason.BAD_PARAMS, "inputs", b'{"inputs": {"amount": [0.0], "count": [0]}, "params": {"top": "x"}}'),
    ],
    ids=lambda value: value.name.lower() if isinstance(value, Reason) else None,
)
def test_they_shrink_to_the_plainest(reason, form, body):
    assert find(malformed(FRAUD, form, [reason]), lambda wrong: True, settings=SEARCH).payload.body == body


@pytest.mark.parametrize(
    ("condition", "body"),
    [
        (
            lambda wrong: wrong.reason is Reason.WRONG_LENGTH,
            b'{"inputs": {"image": [[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]}}',
        ),
        (lambda wrong: wrong.reason is Reason.WRONG_TYPE, b'{"inputs": {"image": [[["x", 0.0], [0.0, 0.0]]]}}'),
    ],
    ids=["length", "type"],
)
def test_those_of_tensors_too(condition, body):
    reasons = [Reason.WRONG_LENGTH, Reason.WRONG_TYPE]
    assert find(malformed(IMAGES, "inputs", reasons), condition, settings=SEARCH).payload.body == body


def test_reasons_are_those_that_a_format_has():
    assert Reason.UNKNOWN_KEY in reasons_of(FRAUD, "dataframe_split")
    assert Reason.UNKNOWN_KEY not in reasons_of(FRAUD, "inputs")
    in_csv = {Reason.CONTENT_TYPE, Reason.NOT_UTF8, Reason.MISSING_INPUT, Reason.WRONG_TYPE, Reason.RAGGED}
    assert set(reasons_of(FRAUD, "csv")) == in_csv
    texts = Signature((Column("t", Array("string")),))
    assert Reason.EXTRA_DIMENSION not in {reason for form in FORMATS[:2] for reason in reasons_of(texts, form)}


def test_reasons_that_there_are_not_are_said():
    with pytest.raises(ValueError, match="give others"):
        malformed({"note": "string"}, "csv", [Reason.WRONG_TYPE])


def test_without_inputs_nothing_can_be_wrong():
    with pytest.raises(ValueError, match="give others"):
        malformed(Signature())
