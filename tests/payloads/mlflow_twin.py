"""The scoring functions of MLflow itself, run in process on an echoing model, as the other side of a comparison."""

import json
import warnings
from typing import Any, NamedTuple

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.pyfunc.scoring_server import invocations
from mlflow.types import ParamSchema, Schema

from servesim.payloads.signature import Signature


class Outcome(NamedTuple):
    """What a request comes to: status, error code, the message up to its first quote, and the rows when accepted."""

    status: int
    error_code: str | None
    prefix: str
    rows: Any = None


class _Echo:
    def predict(self, data: Any, params: Any = None) -> Any:
        return {"rows": _seen(data), "params": params}


def twin(signature: Signature | None) -> mlflow.pyfunc.PyFuncModel:
    """Return an MLflow model with a signature that answers what it was given."""
    meta = Model(flavors={"python_function": {"loader_module": "none"}})
    if signature is not None:
        stored = signature.to_json()
        inputs, params = stored["inputs"], stored["params"]
        meta.signature = ModelSignature(
            inputs=inputs and Schema.from_json(inputs), params=params and ParamSchema.from_json(params)
        )
    return mlflow.pyfunc.PyFuncModel(model_meta=meta, model_impl=_Echo(), predict_fn="predict")


def ask(model: mlflow.pyfunc.PyFuncModel, body: bytes, content_type: str) -> Outcome:
    """Return MLflow's answer to a scoring request."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            answer = invocations(body, content_type, model, model.metadata.get_input_schema())
        except MlflowException as error:
            return outcome(error.get_http_status_code(), error.serialize_as_json())
        except Exception as error:  # noqa: BLE001 - the web server's own 500
            return Outcome(500, None, "Internal Server Error", repr(error))
    return outcome(answer.status, answer.response)


def outcome(status: int, body: str) -> Outcome:
    """Return the comparable part of an answer."""
    if status == 200:  # noqa: PLR2004
        answer = json.loads(body)
        answer = answer["predictions"] if list(answer) == ["predictions"] else answer
        return Outcome(200, None, "", answer)
    try:
        fields = json.loads(body)
    except ValueError:
        return Outcome(status, None, body)
    message = fields["message"].replace('"', "'").replace("`", "'")
    return Outcome(status, fields["error_code"], message.split("'")[0])


def _seen(data: Any) -> Any:
    if isinstance(data, pd.DataFrame):
        records = [dict(zip(map(str, data.columns), row)) for row in data.astype(object).itertuples(index=False)]
        return [{name: _seen(value) for name, value in record.items()} for record in records]
    if isinstance(data, np.ndarray) and data.dtype.kind == "M":
        return [_seen(value) for value in data.astype("datetime64[us]").tolist()] if data.ndim else str(data)
    if isinstance(data, np.ndarray):
        return _seen(data.tolist())
    if isinstance(data, dict):
        return {str(name): _seen(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_seen(value) for value in data]
    return _plain(data)


def _plain(value: Any) -> Any:
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, np.generic):
        return _seen(value.item()) if not isinstance(value, np.datetime64) else pd.Timestamp(value).isoformat()[:26]
    if isinstance(value, pd.Timestamp):
        return value.floor("us").isoformat()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.decode("latin-1") if isinstance(value, bytes) else value
