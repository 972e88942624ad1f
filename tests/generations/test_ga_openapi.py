"""An endpoint's own OpenAPI document: a valid one, made of the signatures of what it serves."""

import json

import pytest

from servesim.core.commands import WorkerDied
from servesim.core.errors import Code, Rejected
from servesim.generations.ga_openapi import render
from servesim.generations.ga_optimization import optimization_info
from servesim.payloads.enforce import enforce
from servesim.payloads.parse import JSON, parse
from servesim.payloads.signature import Signature

HOST = "https://example.cloud.databricks.com"
PARAMS = {"top": ("integer", 3), "labels": ("string", ["a", "b"]), "since": ("datetime", "2020-01-01T00:00:00")}


def stored(signature, outputs=None):
    outputs = None if outputs is None else json.dumps(outputs)
    return json.dumps({**signature.to_json(), "outputs": outputs})


def tensor(shape, dtype="float64", name=None):
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}} | ({"name": name} if name else {})


COLUMNS = Signature.of({"amount": "double", "when": "datetime", "raw": "binary", "count": "long"}, PARAMS)
OPTIONAL = Signature.from_mlflow(
    [{"name": "a", "type": "double", "required": True}, {"name": "b", "type": "long", "required": False}]
)
ROW = {"amount": 1.5, "when": "2024-02-29T12:00:00", "raw": "QQ==", "count": 7}
CASES = {
    "columns": (COLUMNS, {"dataframe_records": [ROW], "params": {"top": 1}}),
    "split": (COLUMNS, {"dataframe_split": {"columns": list(ROW), "data": [list(ROW.values())]}}),
    "bare-rows": (COLUMNS, [ROW]),
    "optional": (OPTIONAL, {"instances": [{"a": 0.5}]}),
    "unnamed-columns": (Signature.from_mlflow([{"type": "double"}] * 2), {"inputs": [[0.5, 1.5]]}),
    "lists": (
        Signature.from_mlflow([{"name": "a", "type": "array", "items": {"type": "string"}, "required": True}]),
        {"dataframe_records": [{"a": ["x"]}]},
    ),
    "tensor": (Signature.from_mlflow([tensor([-1, 2])]), {"inputs": [[0.5, 1.5]]}),
    "named-tensors": (
        Signature.from_mlflow([tensor([-1, 2], name="x"), tensor([-1], "int32", "y")]),
        {"inputs": {"x": [[0.5, 1.5]], "y": [3]}},
    ),
    "fixed-batch": (Signature.from_mlflow([tensor([2], name="x")]), {"inputs": {"x": [0.5, 1.5]}}),
    "rows-of-tensors": (Signature.from_mlflow([tensor([-1, 2], name="x")]), {"instances": [{"x": [0.5, 1.5]}]}),
    "mixed-columns": (
        Signature.from_mlflow([{"type": "double"}, {"type": "string"}]),
        {"dataframe_split": {"data": [[0.5, "x"]]}},
    ),
}
FORMATS = {
    "columns": ["dataframe_split", "dataframe_records", "inputs", "instances"],
    "unnamed-columns": ["dataframe_split", "instances", "inputs"],
    "lists": ["dataframe_split", "dataframe_records"],
    "tensor": ["inputs", "instances"],
    "named-tensors": ["inputs", "instances"],
    "fixed-batch": ["inputs"],  # `instances` stacks rows, so their number would have to be 2
    "mixed-columns": ["dataframe_split"],  # the others make one array of a table without names, of one type
}


def document(made, signature, example=None, **more):
    text = signature if isinstance(signature, str) else stored(signature)
    one = made({"m": (text, example and json.dumps(example)), **more}).settle()
    found = render(one.world, one.endpoint, HOST)
    pytest.importorskip("openapi_spec_validator").validate(found)
    return json.loads(json.dumps(found))


def content(found):
    return found["paths"]["/served-models/m-1/invocations"]["post"]["requestBody"]["content"][JSON]


def test_the_frame_is_the_recorded_one(made):
    found = document(made, COLUMNS)
    assert found["openapi"] == "3.1.0"
    assert found["info"] == {"title": "fraud", "version": "1"}
    assert found["servers"] == [{"url": f"{HOST}/serving-endpoints/fraud"}]
    assert list(found["paths"]) == ["/served-models/m-1/invocations"]


@pytest.mark.parametrize("case", FORMATS)
def test_there_is_one_alternative_for_each_format(made, case):
    forms = content(document(made, CASES[case][0]))["schema"]["oneOf"]
    assert [form["required"][0] for form in forms] == FORMATS[case]


@pytest.mark.parametrize("case", CASES)
def test_the_example_fits_the_schema_and_is_accepted(made, case):
    signature, example = CASES[case]
    body = content(document(made, signature, example))
    pytest.importorskip("jsonschema").validate(body["example"], body["schema"])
    enforce(parse(json.dumps(body["example"]).encode(), JSON, signature), signature)


def test_parameters_have_types_and_defaults(made):
    (form, *_) = content(document(made, COLUMNS))["schema"]["oneOf"]
    params = form["properties"]["params"]["properties"]
    assert {name: param["default"] for name, param in params.items()} == {
        name: default for name, (_, default) in PARAMS.items()
    }
    assert params["labels"]["type"] == "array"


def test_a_parameter_without_a_default_may_be_null(made):
    (form, *_) = content(document(made, Signature.of({"a": "double"}, {"top": ("long", None)})))["schema"]["oneOf"]
    assert form["properties"]["params"]["properties"]["top"]["type"] == ["integer", "null"]


@pytest.mark.parametrize(
    ("outputs", "schema"),
    [
        (None, {}),
        ([{"type": "double"}], {"type": "array"}),
        ([tensor([-1, 2])], {"type": "array", "items": {"type": "array"}}),
        ([{"name": "p", "type": "double"}], {"type": "array", "items": {"type": "object", "properties": {"p": {}}}}),
        ([tensor([-1], name="p")], {"type": "object", "properties": {"p": {"type": "array"}}}),
        ([{"type": "map", "values": {"type": "string"}}], {}),
    ],
    ids=["none", "unnamed", "tensor", "columns", "tensors", "unread"],
)
def test_predictions_have_the_shape_of_the_outputs(made, outputs, schema):
    found = document(made, stored(COLUMNS, outputs))
    answer = found["paths"]["/served-models/m-1/invocations"]["post"]["responses"]["200"]["content"][JSON]["schema"]
    assert answer["properties"]["predictions"] == schema


def test_entities_without_a_signature_are_left_out(made):
    found = document(made, COLUMNS, n=(None, None))
    assert list(found["paths"]) == ["/served-models/m-1/invocations"]


def test_a_signature_that_is_not_read_leaves_requests_open(made):
    inputs = [{"type": "object", "properties": {"x": {"type": "string"}}, "name": "messages"}]
    schema = content(document(made, json.dumps({"inputs": json.dumps(inputs), "params": None})))["schema"]
    assert schema["type"] == "object"


def test_a_signature_of_parameters_alone_leaves_inputs_open(made):
    params = Signature.of({"a": "double"}, {"top": ("long", 3)}).to_json()["params"]
    assert content(document(made, json.dumps({"inputs": None, "params": params})))["schema"] == {"type": "object"}


def test_without_any_signature_there_is_no_document(made):
    one = made({"m": (None, None)}).settle()
    with pytest.raises(Rejected) as refused:
        render(one.world, one.endpoint, HOST)
    assert refused.value.code is Code.OPENAPI_NO_SIGNATURE


@pytest.mark.parametrize("settled", [False, True], ids=["creating", "recovering"])
def test_an_endpoint_that_is_not_ready_has_none(made, settled):
    one = made({"m": (stored(COLUMNS), None)})
    if settled:
        one.settle()
        one.world.execute(WorkerDied(one.endpoint.active.entities[0].deployment_id))
    with pytest.raises(Rejected) as refused:
        render(one.world, one.endpoint, HOST)
    assert refused.value.code is Code.OPENAPI_NOT_READY


def test_custom_models_are_not_optimizable(made):
    world = made({"m": (None, None)}).world
    assert optimization_info(world, "m", "1")["optimizable"] is False
    with pytest.raises(Rejected) as refused:
        optimization_info(world, "m", "2")
    assert refused.value.code is Code.VERSION_MISSING


@pytest.mark.mlflow
@pytest.mark.filterwarnings("ignore")  # MLflow and pandas warn each other
def test_what_mlflow_infers_and_keeps_as_an_example_fits(made, tmp_path):
    import mlflow
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame(
        {"a": [0.5, 1.0], "n": [1, 2], "s": ["x", "y"], "t": pd.to_datetime(["2024-02-29", "2024-03-01"])}
    )
    named = {"x": np.ones((2, 3)), "y": np.array([1, 2])}
    for example in (frame, np.ones((2, 3)), named):
        signature = mlflow.models.infer_signature(example)
        kept = mlflow.models.convert_input_example_to_serving_input(example)
        found = document(made, json.dumps(signature.to_dict()), json.loads(kept))
        body = content(found)
        pytest.importorskip("jsonschema").validate(body["example"], body["schema"])
