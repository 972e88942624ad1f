"""What drives the real clients: a look at what they send, and the entities that most tests serve."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
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
                json.loads(body) if body else None,
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
