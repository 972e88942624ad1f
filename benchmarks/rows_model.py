"""A real scikit-learn model through servesim and through MLflow's own server."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import load
import servers
from calls import score
from processes import Process, free_port, script

if TYPE_CHECKING:
    from figures import Figure
    from load import Plan

COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
ROW = {"dataframe_split": {"columns": COLUMNS, "data": [[5.1, 3.5, 1.4, 0.2]]}}
CONNECTIONS = 8


def real_model(plan: Plan) -> list[Figure]:
    """One worker each, eight connections."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        script("train_model.py", str(model))
        world = Path(folder) / "world.yaml"
        world.write_text(
            "models: [{name: main.ml.iris, version: 1, mlflow: model}]\n"
            "endpoints: [{name: iris, config: {served_entities: [{entity_name: main.ml.iris, entity_version: '1'}]}}]\n"
        )
        # In its folder: where the model is, it keeps its own files too.
        with _mlflow(model, folder) as mlflow, servers.command_line("fast", world, "--model-workers", "1") as ours:
            calls = (score(ROW, "/invocations"), score(ROW, "/serving-endpoints/iris/invocations"))
            pairs = zip((mlflow, ours), calls, strict=True)
            sides = [
                lambda server=server, call=call: load.sample(server, call, CONNECTIONS, plan) for server, call in pairs
            ]
            theirs, found = load.alternate(plan.rounds, *sides)
    what = "scikit-learn model, one worker, against mlflow models serve, 8 connections"
    return [load.throughput("real-model", what, found, theirs, floor=1.3, reach=1.7)]


def _mlflow(model: Path, folder: str) -> Process:
    port = free_port()
    options = ["--model-uri", str(model), "--env-manager", "local", "--workers", "1", "--port", str(port)]
    command = [sys.executable, "-m", "mlflow", "models", "serve", *options]
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return Process(command, port, ready="/ping", PATH=path, MLFLOW_TRACKING_URI=f"sqlite:///{folder}/mlflow.db")
