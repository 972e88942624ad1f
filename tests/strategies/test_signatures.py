"""Signatures that are drawn are those that MLflow stores, and shrink to the plainest."""

import json
import warnings

import pytest
from hypothesis import Phase, find, given, settings

from servesim.payloads.signature import SCALARS, TENSOR_DTYPES, Column, Param, Signature, Unsupported
from servesim.strategies import formats_of, signature_of, signatures
from servesim.strategies.generate import drawn

QUIET = settings(derandomize=True, database=None, deadline=None, max_examples=60)
SEARCH = settings(QUIET, max_examples=300, phases=(Phase.generate, Phase.shrink))
INPUTS = [{"name": "amount", "type": "double"}, {"name": "note", "type": "string", "required": False}]
AMOUNT = Signature.of({"amount": "double"})


@QUIET
@given(signatures())
def test_a_signature_is_stored_and_read_back(signature):
    stored = signature.to_json()
    assert Signature.from_mlflow(stored["inputs"], stored["params"]) == signature
    assert formats_of(signature)


@pytest.mark.mlflow
def test_mlflow_takes_every_signature():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside of the imported packages
        from mlflow.types import ParamSchema, Schema

    @QUIET
    @given(signatures())
    def check(signature):
        stored = signature.to_json()
        assert len(Schema.from_json(stored["inputs"]).inputs) == len(signature.inputs)
        assert len(ParamSchema.from_json(stored["params"] or "[]").params) == len(signature.params or ())

    check()


def test_every_type_is_drawn():
    found = drawn(signatures(), 500)
    columns = {str(column.type) for one in found if not one.tensors for column in one.inputs}
    tensors = [column.type for one in found if one.tensors for column in one.inputs]
    params = {(param.type, param.is_list) for one in found for param in one.params or ()}
    assert {*SCALARS, *(f"Array({kind})" for kind in SCALARS), "Array(Array(boolean))"} <= columns
    assert {tensor.dtype for tensor in tensors} == set(TENSOR_DTYPES)
    assert {len(tensor.shape) for tensor in tensors} == {1, 2, 3, 4}
    assert any(-1 in tensor.shape[1:] for tensor in tensors)
    assert len(params) == 14
    assert (
        {one.named for one in found if one.tensors} == {one.named for one in found if not one.tensors} == {True, False}
    )


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (lambda signature: not signature.named, Signature((Column(None, "boolean"),))),
        (lambda signature: signature.named and not signature.inputs[0].required, "['0': boolean (optional)]"),
        (lambda signature: signature.tensors and signature.inputs[0].type.shape[0] == 2, "[Tensor('bool', (2,))]"),
        (
            lambda signature: signature.params,
            Signature((Column(None, "boolean"),), (Param("0", "boolean", default=False),)),
        ),
    ],
    ids=["unnamed", "optional", "tensor", "params"],
)
def test_they_shrink_to_the_plainest(condition, expected):
    found = find(signatures(), condition, settings=SEARCH)
    assert expected in {found, str(found)}


# --- what stands for a signature ------------------------------------------------------------------


class MlflowSignature:
    """Has what MLflow's ModelSignature has."""

    def to_dict(self):
        return {"inputs": json.dumps(INPUTS), "outputs": None, "params": None}


@pytest.mark.parametrize(
    "given_",
    [
        MlflowSignature(),
        MlflowSignature().to_dict(),
        json.dumps(MlflowSignature().to_dict()),
        {"inputs": INPUTS},
        INPUTS,
        json.dumps(INPUTS).encode(),
        Signature.from_mlflow(INPUTS),
    ],
    ids=["mlflow", "dict", "text", "parsed", "inputs", "bytes", "signature"],
)
def test_many_things_stand_for_a_signature(given_):
    assert signature_of(given_) == Signature.from_mlflow(INPUTS)


def test_columns_stand_for_one_too():
    assert signature_of({"amount": "double"}) == AMOUNT
    assert signature_of({"inputs": "string"}) == Signature.of({"inputs": "string"})
    assert signature_of(AMOUNT) is AMOUNT


@pytest.mark.parametrize("given_", [5, None, {}, {"columns": []}, "3"], ids=repr)
def test_what_stands_for_none_is_said(given_):
    with pytest.raises(TypeError, match="a model signature was asked for"):
        signature_of(given_)


def test_types_that_are_not_checked_are_named():
    with pytest.raises(Unsupported, match="map"):
        signature_of([{"name": "m", "type": "map", "values": {"type": "long"}}])
