"""Fits a small classifier and saves it as an MLflow model with a signature. Arguments: FOLDER."""

from __future__ import annotations

import json
import sys

import mlflow
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


def main() -> None:
    """Fit and save."""
    data = load_iris(as_frame=True)
    rows = data.data.set_axis(["sepal_length", "sepal_width", "petal_length", "petal_width"], axis="columns")
    model = LogisticRegression(max_iter=1000).fit(rows, data.target)
    signature = infer_signature(rows, model.predict(rows))
    mlflow.sklearn.save_model(model, sys.argv[1], signature=signature)
    json.dump(sys.argv[1], sys.stdout)


if __name__ == "__main__":
    main()
