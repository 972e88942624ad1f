"""What tests of the contracts share: MLflow's own scoring server."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

MLMODEL = """\
flavors:
  python_function:
    loader_module: contract_model
    code: code
    python_version: 3.11.0
signature:
  inputs: '[{"type": "double", "name": "amount", "required": true}]'
  outputs: null
  params: null
"""
CODE = """\
class Model:
    def predict(self, data, params=None):
        return [0.5] * len(data)


def _load_pyfunc(path):
    return Model()
"""


class ScoringServer(NamedTuple):
    """A running `mlflow models serve`, and a request that its model accepts."""

    url: str
    request: dict


@pytest.fixture(scope="session")
def scoring_server(tmp_path_factory):
    """Serve a model with one column of doubles, as `mlflow models serve` does it; ends with the session."""
    if importlib.util.find_spec("mlflow") is None:
        pytest.skip("mlflow is not installed")
    folder = tmp_path_factory.mktemp("scoring")
    (folder / "model/code").mkdir(parents=True)
    (folder / "model/MLmodel").write_text(MLMODEL)
    (folder / "model/code/contract_model.py").write_text(CODE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "mlflow", "models", "serve", "-m", "model", "--port", str(port)]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    quiet = {"PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "HOME": str(folder)}
    # Nothing of servesim runs in it, so nothing is measured there.
    others = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    with subprocess.Popen(
        [*command, "--env-manager", "local", "-w", "1"],
        cwd=folder,
        env=others | quiet,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # it starts a process of its own, which ends with it
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Uvicorn running on" in line:
                break
        try:
            assert process.poll() is None, "".join(lines)
            request = {"dataframe_split": {"columns": ["amount"], "data": [[1.5]]}}
            yield ScoringServer(f"http://127.0.0.1:{port}", request)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.stdout.read()
