"""What drives the real clients: a look at what they send, and the entities that most tests serve."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp import web

MODEL = "main.ml.fraud"


@dataclass(frozen=True)
class Sent:
    """One request as a client sent it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    """Keep the credentials and proxies of the machine away from clients."""
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # What MLflow tries again would show as minutes of waiting; here the first answer is the last.
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture
def sent(servesim_server, monkeypatch) -> Iterator[list[Sent]]:
    """Collect every request that reaches the server on a connection made from now on, none of them answered at once."""
    monkeypatch.setattr("servesim.http.rim.KNOWS_AIOHTTP", False)
    collected: list[Sent] = []
    rim = servesim_server.server._listeners[0]._runner.server
    answer = rim.request_handler

    async def collect(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        collected.append(
            Sent(
                request.method,
                request.raw_path.partition("?")[0],
                request.query_string,
                dict(request.headers),
                _read(body),
            )
        )
        again = streams.StreamReader(request.protocol, 2**16, loop=asyncio.get_running_loop())
        again.feed_data(body)
        again.feed_eof()
        request._payload, request._read_bytes = again, None
        return await answer(request)

    rim.request_handler = collect
    yield collected
    rim.request_handler = answer


def _read(body: bytes) -> Any:
    """Return the JSON of a body; None for one that is a file."""
    try:
        return json.loads(body)
    except ValueError:
        return None


@pytest.fixture(scope="session")
def real_models(shared, tmp_path_factory) -> Path:
    """Build a scikit-learn model, ``iris``, and one of tensors, ``tensor``, in a process of their own."""
    for package in ("mlflow", "sklearn"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")

    def build() -> Path:
        folder = tmp_path_factory.mktemp("real_models")
        script = Path(__file__).with_name("real_models.py")
        # Nothing of servesim runs in it, so nothing is measured there.
        environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        built = subprocess.run(
            [sys.executable, "-W", "ignore", str(script), str(folder)],
            env=environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert built.returncode == 0, built.stderr
        return folder

    return shared("real_models", build)


@pytest.fixture
def world(servesim):
    """Give a workspace with three versions of a model, each of which answers its own number."""
    for version in (1, 2, 3):
        servesim.models.stub(MODEL, "constant", value=version)
    return servesim


@pytest.fixture
def client(world):
    """Give the Databricks SDK for that workspace."""
    return world.client()
