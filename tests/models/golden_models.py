"""Build the models that `recorded_pairs.jsonl` was recorded from: `python golden_models.py FOLDER`.

Run as a script, so that MLflow pickles the classes by value and the test process stays free of MLflow.
`predict` has type hints where the recorded model had: MLflow validates requests by them.
"""

import decimal
import json
import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.agent import ChatAgentMessage, ChatAgentResponse
from mlflow.types.llm import ChatChoice, ChatCompletionResponse, ChatMessage
from mlflow.types.responses import ResponsesAgentResponse
from mlflow.types.schema import Array, Map, Object, Property
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

REQUIREMENTS = ["mlflow"]  # given, or MLflow spends seconds on inferring them


class Echo(mlflow.pyfunc.PythonModel):
    """Reports what the model saw."""

    def predict(self, context, model_input, params=None):
        return {"input": self.describe(model_input), "params": params}

    def describe(self, value: Any) -> Any:
        if isinstance(value, pd.DataFrame):
            return {"py": "DataFrame", **self.describe_frame(value)}
        if isinstance(value, np.ndarray):
            return {
                "py": "ndarray",
                "dtype": str(value.dtype),
                "shape": list(value.shape),
                "values": value.tolist(),
            }
        if isinstance(value, dict):
            return {"py": "dict", "items": {key: self.describe(item) for key, item in value.items()}}
        if isinstance(value, list):
            return {"py": "list", "items": [self.describe(item) for item in value]}
        return {"py": type(value).__name__, "repr": repr(value)}

    def describe_frame(self, frame: pd.DataFrame) -> dict[str, Any]:
        if any(isinstance(value, bytes) for value in frame.to_numpy().ravel()):
            rows = [[repr(value) for value in row] for row in frame.to_numpy()]
        else:
            rows = json.loads(frame.to_json(orient="values", date_format="iso", default_handler=repr))
        dtypes = {str(name): str(dtype) for name, dtype in frame.dtypes.items()}
        return {"dtypes": dtypes, "shape": list(frame.shape), "rows": rows}


class NoParams(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return [type(model_input).__name__] * len(model_input)


def raises(error: BaseException) -> Any:
    raise error


def sparse() -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix(np.eye(2))


ANSWERS: dict[str, Callable[[], Any]] = {
    "df": lambda: pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, float("nan")]}),
    "df_int_cols": lambda: pd.DataFrame([[1, 2], [3, 4]]),
    "df_ts": lambda: pd.DataFrame({"t": pd.to_datetime(["2024-01-02T03:04:05.678", "NaT"])}),
    "series": lambda: pd.Series([1, 2, 3]),
    "series_named": lambda: pd.Series([1.0, 2.0], name="score"),
    "nd1": lambda: np.array([1, 2, 3]),
    "nd_inf": lambda: np.array([float("inf"), -float("inf")]),
    "nd_bytes": lambda: np.array([b"ab", b"cd"]),
    "nd_dt": lambda: np.array(["2024-01-02"], dtype="datetime64[ns]"),
    "nd_obj": lambda: np.array([{"a": np.float32(1.5)}, None], dtype=object),
    "nd0": lambda: np.array(5),
    "dict": lambda: {"a": 1, "b": [1, 2]},
    "dict_df": lambda: {"a": pd.DataFrame({"x": [1]})},
    "list": lambda: [1, "a", None],
    "decimal": lambda: [decimal.Decimal("1.5")],
    "generator": lambda: (number for number in range(2)),
    "intkeys": lambda: {1: "a"},
    "raise_value": lambda: raises(ValueError("boom")),
    "raise_mlflow": lambda: raises(mlflow.exceptions.MlflowException("mlboom")),
    "raise_mlflow_inv": lambda: raises(
        mlflow.exceptions.MlflowException.invalid_parameter_value("mlboom inv"),
    ),
    "sysexit": lambda: raises(SystemExit(3)),
    "sparse": sparse,
    "nullable": lambda: pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}),
}


class Out(mlflow.pyfunc.PythonModel):
    """Answers with the kind of value that the first row names."""

    def predict(self, context, model_input, params=None):
        return ANSWERS[model_input["kind"].iloc[0]]()


class Chat(mlflow.pyfunc.ChatModel):
    def predict(self, context, messages, params):
        said = messages[-1].content
        content = f"echo:{said}:t={params.temperature}:max={params.max_tokens}:stream={params.stream}"
        choice = ChatChoice(index=0, message=ChatMessage(role="assistant", content=content))
        return ChatCompletionResponse(choices=[choice], model="echo", id="c1", created=1)


class Responses(mlflow.pyfunc.ResponsesAgent):
    def predict(self, request):
        item = self.create_text_output_item(text="hi", id="m1")
        return ResponsesAgentResponse(output=[item], custom_outputs={"n": len(request.input)})


class Agent(mlflow.pyfunc.ChatAgent):
    def predict(self, messages, context=None, custom_inputs=None):
        message = ChatAgentMessage(role="assistant", content=f"n={len(messages)}", id="1")
        return ChatAgentResponse(messages=[message])


class Hint(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[str], params: Any = None) -> list[str]:
        return [text.upper() for text in model_input]


TENSORS = [
    TensorSpec(np.dtype("str"), (-1,), "t1"),
    TensorSpec(np.dtype("float64"), (-1, 5), "t2"),
    TensorSpec(np.dtype("int64"), (-1, 3, 2), "t3"),
]
TYPED = [
    ColSpec("boolean", "b"),
    ColSpec("integer", "i"),
    ColSpec("long", "l"),
    ColSpec("float", "f"),
    ColSpec("double", "d"),
    ColSpec("string", "s"),
    ColSpec("binary", "bin"),
    ColSpec("datetime", "dt"),
    ColSpec("double", "opt", required=False),
]
COMPLEX = [
    ColSpec(Array(DataType.string), "tags"),
    ColSpec(Object([Property("k", DataType.string), Property("v", DataType.long, required=False)]), "obj"),
    ColSpec(Map(DataType.double), "mp", required=False),
]
PARAMS = ParamSchema(
    [
        ParamSpec("temperature", "double", 0.5),
        ParamSpec("max_len", "long", 10),
        ParamSpec("stop", "string", ["x"], shape=(-1,)),
        ParamSpec("flag", "boolean", False),
    ],
)
MODELS: dict[str, tuple[Any, ModelSignature | None]] = {
    "tensor": (Echo(), ModelSignature(inputs=Schema(TENSORS))),
    "tensor1": (Echo(), ModelSignature(inputs=Schema([TensorSpec(np.dtype("float32"), (-1, 4))]))),
    "echo_nosig": (Echo(), None),
    "typed": (Echo(), ModelSignature(inputs=Schema(TYPED))),
    "complex": (Echo(), ModelSignature(inputs=Schema(COMPLEX))),
    "params": (Echo(), ModelSignature(inputs=Schema([ColSpec("string", "q")]), params=PARAMS)),
    "onestr": (Echo(), ModelSignature(inputs=Schema([ColSpec("string")]))),
    "noparams": (NoParams(), ModelSignature(inputs=Schema([ColSpec("double", "a")]))),
    "out": (Out(), ModelSignature(inputs=Schema([ColSpec("string", "kind")]))),
    "chat": (Chat(), None),
    "responses": (Responses(), None),
    "chatagent": (Agent(), None),
    "hint": (Hint(), None),
}


def build(folder: Path) -> None:
    """Save every model below the folder, named as in the recorded pairs."""
    for name, (model, signature) in MODELS.items():
        extra = {} if signature is None else {"signature": signature}
        path = str(folder / name)
        mlflow.pyfunc.save_model(path, python_model=model, pip_requirements=REQUIREMENTS, **extra)
    inputs, target = load_iris(return_X_y=True, as_frame=True)
    iris = LogisticRegression(max_iter=500).fit(inputs, target)
    mlflow.sklearn.save_model(iris, str(folder / "iris_nosig"), pip_requirements=REQUIREMENTS)
    mlflow.sklearn.save_model(
        iris,
        str(folder / "iris"),
        signature=infer_signature(inputs, iris.predict(inputs)),
        input_example=inputs.head(2),
        pip_requirements=REQUIREMENTS,
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    build(Path(sys.argv[1]))
