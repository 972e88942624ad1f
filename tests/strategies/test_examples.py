"""What a model says about itself, read from its files, from a scenario or from the registry."""

import json
import subprocess
import sys

import pytest
import yaml
from hypothesis import Phase, given, settings

from servesim.payloads.enforce import enforce
from servesim.payloads.parse import parse
from servesim.payloads.schemas import request_schemas
from servesim.payloads.signature import Array, Column, Param, Signature, Tensor
from servesim.strategies import examples_of
from servesim.strategies.examples import described
from servesim.strategies.generate import drawn
from servesim.strategies.published import signature_of_openapi

QUIET = settings(derandomize=True, database=None, deadline=None, max_examples=50, phases=(Phase.generate,))
INPUTS = [{"name": "amount", "type": "double", "required": True}]
AMOUNT = Signature.of({"amount": "double"})
REQUEST = {"dataframe_split": {"columns": ["amount"], "data": [[12.5]]}}
RUNS = "raise SystemExit('the code of a model ran')"


def first(model):
    return drawn(examples_of(model), 1)[0]


@pytest.fixture
def folder(tmp_path):
    """Write the files of an MLflow model whose code ends the process."""

    def write(example=None, files=None, inputs=INPUTS):
        about = {"signature": {"inputs": json.dumps(inputs), "outputs": None, "params": None}} if inputs else {}
        about |= {"flavors": {"python_function": {"loader_module": "model"}}}
        about |= {"saved_input_example_info": example} if example else {}
        (tmp_path / "MLmodel").write_text(yaml.safe_dump(about))
        (tmp_path / "model.py").write_text(RUNS)
        for name, document in (files or {}).items():
            (tmp_path / name).write_text(json.dumps(document))
        return tmp_path

    return write


STORED = {"artifact_path": "input_example.json", "serving_input_path": "serving_input_example.json"}


def test_a_model_s_folder_gives_its_example_and_more(folder):
    path = folder({**STORED, "type": "dataframe"}, {"serving_input_example.json": REQUEST})
    for model in (path, str(path), path.as_uri()):
        assert first(model).json() == REQUEST
    assert first(path).format == "dataframe_split"
    found = drawn(examples_of(path), 20)
    assert len(found) == 20
    for payload in found:
        enforce(parse(payload.body, payload.content_type, AMOUNT), AMOUNT)


@pytest.mark.parametrize(
    ("about", "example", "request_"),
    [
        ({"type": "dataframe", "pandas_orient": "split"}, REQUEST["dataframe_split"], REQUEST),
        ({"type": "dataframe", "pandas_orient": "records"}, [{"amount": 1}], {"dataframe_records": [{"amount": 1}]}),
        ({"type": "ndarray"}, [[1.0]], {"inputs": [[1.0]]}),
        ({"type": "json_object"}, {"amount": [1]}, {"inputs": {"amount": [1]}}),
        (
            {"type": "ndarray", "params": "true"},
            {"inputs": [[1.0]], "params": {"top": 3}},
            {"inputs": [[1.0]], "params": {"top": 3}},
        ),
    ],
    ids=["split", "records", "array", "object", "params"],
)
def test_an_example_without_its_request_is_made_one(folder, about, example, request_):
    path = folder({**STORED, **about}, {"input_example.json": example})
    assert described(path).example.json() == request_


def test_a_model_without_an_example_has_its_signature(folder):
    assert described(folder()) == (AMOUNT, None, "")
    assert first(folder()).json() == {"dataframe_split": {"columns": ["amount"], "data": [[0.0]]}}


def test_a_signature_that_is_not_checked_leaves_the_example(folder):
    inputs = [{"name": "m", "type": "map", "values": {"type": "long"}}]
    path = folder({**STORED}, {"serving_input_example.json": {"inputs": {"m": {"a": 1}}}}, inputs)
    assert [payload.json() for payload in drawn(examples_of(path), 5)] == [{"inputs": {"m": {"a": 1}}}]
    assert "map" in described(path).reason


def test_a_model_that_says_nothing_is_an_error(folder):
    with pytest.raises(ValueError, match=r"it has no signature.*log the model with input_example"):
        examples_of(folder(inputs=None))


def test_a_folder_that_is_no_model_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no file MLmodel"):
        examples_of(tmp_path)


@pytest.mark.parametrize("uri", ["models:/main.ml.fraud/1", "s3://bucket/model"])
def test_what_is_elsewhere_is_to_be_fetched_first(uri):
    with pytest.raises(ValueError, match="fetch it first"):
        examples_of(uri)


def test_an_example_outside_of_the_folder_is_not_read(folder, tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    outside = folder({"serving_input_path": "../secret.json"})
    (outside / "MLmodel").rename(inner / "MLmodel")
    (tmp_path / "secret.json").write_text("{}")
    with pytest.raises(ValueError, match="outside of the model's folder"):
        examples_of(inner)


def test_mlflow_is_not_imported(folder):
    path = folder({**STORED}, {"serving_input_example.json": REQUEST})
    code = f"from servesim.strategies import examples_of; examples_of({str(path)!r}); import sys; "
    code += "sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


@pytest.mark.mlflow
def test_a_model_that_mlflow_saved(tmp_path):
    pytest.importorskip("mlflow", exc_type=ImportError)
    script = tmp_path / "save.py"
    script.write_text(
        "import mlflow, pandas\n"
        "class Model(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        return [0.5] * len(model_input)\n"
        "rows = pandas.DataFrame({'amount': [12.5]})\n"
        "mlflow.pyfunc.save_model('saved', python_model=Model(), input_example=rows, pip_requirements=['mlflow'])\n"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", str(script)], cwd=tmp_path, check=True, capture_output=True, timeout=100
    )
    assert described(tmp_path / "saved") == (AMOUNT, first(tmp_path / "saved"), "")
    assert first(tmp_path / "saved").json() == REQUEST


def test_a_model_of_a_scenario():
    model = {"name": "main.ml.fraud", "stub": "echo", "signature": {"amount": "double"}, "example": REQUEST}
    assert first(model).json() == REQUEST
    assert described(model).signature == AMOUNT
    assert described({"signature": "double"}).signature == Signature.of({"signature": "double"})


def test_a_model_of_the_registry(servesim):
    servesim.models.stub("main.ml.fraud", "echo", signature={"amount": "double"}, example=[{"amount": 1.0}])
    version = servesim.workspace.world.registry.get("main.ml.fraud", "1")
    assert first(version).json() == {"dataframe_records": [{"amount": 1.0}]}
    assert described(version).signature == AMOUNT


def test_a_signature_is_a_model_too():
    @QUIET
    @given(examples_of(AMOUNT))
    def check(payload):
        enforce(parse(payload.body, payload.content_type, AMOUNT), AMOUNT)

    check()


# --- what an endpoint publishes -------------------------------------------------------------------

SIGNATURES = {
    "columns": Signature(
        tuple(
            Column(kind, kind, required=kind != "double")
            for kind in ("boolean", "integer", "long", "float", "double", "string", "binary", "datetime")
        ),
        (Param("top", "integer", 3), Param("names", "string", ("x",), is_list=True), Param("none", "double", None)),
    ),
    "arrays": Signature((Column("a", Array(Array("long"))), Column("b", "string"))),
    "unnamed": Signature((Column(None, "double"), Column(None, "string"))),
    "tensor": Signature((Column(None, Tensor("float32", (-1, 4))),)),
    "tensors": Signature(
        tuple(
            Column(dtype, Tensor(dtype, (-1, -1, 2)))
            for dtype in ("bool", "int8", "uint64", "float16", "float64", "str", "object")
        )
    ),
}


def published(signature):
    schema = {"oneOf": list(request_schemas(signature).values())}
    operation = {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}}
    return {"paths": {"/served-models/fraud-1/invocations": operation}}


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=SIGNATURES)
def test_a_published_signature_is_read_back(signature):
    assert signature_of_openapi(published(signature)) == signature
    assert signature_of_openapi(published(signature), "fraud-1") == signature


@pytest.mark.parametrize("document", [None, {}, {"paths": {}}, {"paths": {"/x": {"post": {}}}}], ids=repr)
def test_what_publishes_nothing_is_said(document):
    with pytest.raises(ValueError, match="describes no inputs that servesim reads"):
        signature_of_openapi(document)


def test_an_entity_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="of the served entity other"):
        signature_of_openapi(published(AMOUNT), "other")
