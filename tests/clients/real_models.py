"""Build two models for registering them: `python real_models.py FOLDER`.

A script, so that MLflow pickles the class by value. Signatures say what comes out, or Unity Catalog refuses them.
"""

import sys
from pathlib import Path

import mlflow
import numpy as np
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import Schema, TensorSpec
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

REQUIREMENTS = ["mlflow"]  # given, or MLflow spends seconds on inferring them


class Doubling(mlflow.pyfunc.PythonModel):
    """Doubles a tensor."""

    def predict(self, context, model_input, params=None):
        return model_input * 2


def main() -> None:
    folder = Path(sys.argv[1])
    rows, kinds = load_iris(return_X_y=True, as_frame=True)
    iris = LogisticRegression(max_iter=200).fit(rows, kinds)
    mlflow.sklearn.save_model(
        iris,
        folder / "iris",
        signature=infer_signature(rows, iris.predict(rows)),
        input_example=rows.head(2),
        pip_requirements=REQUIREMENTS,
    )
    pairs = Schema([TensorSpec(np.dtype("float64"), (-1, 2))])
    mlflow.pyfunc.save_model(
        folder / "tensor",
        python_model=Doubling(),
        signature=ModelSignature(inputs=pairs, outputs=pairs),
        input_example=np.array([[1.0, 2.0]]),
        pip_requirements=REQUIREMENTS,
    )


if __name__ == "__main__":
    main()
