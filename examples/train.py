"""A training job: trains a model, logs it, registers it in Unity Catalog, and makes the new version the champion."""

import mlflow
import numpy as np
import sklearn
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MODEL = "main.ml.fraud"

mlflow.set_registry_uri("databricks-uc")

# Payments: the amount, and what the card usually pays. Fraud is what is far above it.
amounts, usual = np.meshgrid(np.linspace(1, 1000, 40), np.linspace(1, 1000, 40))
payments = np.column_stack([amounts.ravel(), usual.ravel()])
is_fraud = (payments[:, 0] > 3 * payments[:, 1]).astype(int)
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(payments, is_fraud)

with mlflow.start_run():
    logged = mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(payments, is_fraud),
        pip_requirements=[f"scikit-learn=={sklearn.__version__}"],
        registered_model_name=MODEL,
    )

version = str(logged.registered_model_version)
MlflowClient().set_registered_model_alias(MODEL, "champion", version)
print(f"champion of {MODEL}: version {version}")
