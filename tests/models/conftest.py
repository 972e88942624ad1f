"""Real MLflow models for the worker pool's tests, built once a session in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def _build(script: str, folder: Path) -> Path:
    command = [sys.executable, "-W", "ignore", str(_HERE / script), str(folder)]
    built = subprocess.run(
        command, env=os.environ | _QUIET, cwd=folder, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="session")
def golden_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the models that the recorded pairs were recorded from."""
    pytest.importorskip("sklearn")
    return _build("golden_models.py", tmp_path_factory.mktemp("golden_models"))


@pytest.fixture(scope="session")
def pool_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models that do what they're told, and `registry.db` that lists some of them."""
    return _build("pool_models.py", tmp_path_factory.mktemp("pool_models"))
