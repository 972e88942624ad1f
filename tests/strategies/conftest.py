"""MLflow's own scoring function, called in process."""

from __future__ import annotations

import logging
import os
import warnings
from functools import lru_cache
from typing import Any

import pytest


@pytest.fixture(scope="session")
def mlflow_verdict():
    """Return a function of a signature and a payload that gives MLflow's status and error code."""
    pytest.importorskip("mlflow", exc_type=ImportError)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside of the imported packages
        import mlflow.pyfunc.scoring_server
        import mlflow.types

    class Model:
        def predict(self, data: Any, params: Any = None) -> Any:
            return []

    @lru_cache(maxsize=64)
    def model_of(signature):
        stored = signature.to_json()
        about = mlflow.models.Model(flavors={"python_function": {"loader_module": "none"}})
        about.signature = mlflow.models.ModelSignature(
            inputs=mlflow.types.Schema.from_json(stored["inputs"]),
            params=stored["params"] and mlflow.types.ParamSchema.from_json(stored["params"]),
        )
        return mlflow.pyfunc.PyFuncModel(model_meta=about, model_impl=Model(), predict_fn="predict")

    def verdict(signature, payload):
        model = model_of(signature)
        logging.disable(logging.CRITICAL)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pandas warns of what it casts
                answer = mlflow.pyfunc.scoring_server.invocations(
                    payload.body, payload.content_type, model, model.metadata.get_input_schema()
                )
        except mlflow.exceptions.MlflowException as error:
            return error.get_http_status_code(), error.error_code
        finally:
            logging.disable(logging.NOTSET)
        return answer.status, None

    return verdict
