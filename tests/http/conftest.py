"""Calls over a socket with nothing but the standard library, so that every byte is the test's own."""

from __future__ import annotations

import http.client
import json
from typing import Any, NamedTuple

import pytest

ENDPOINTS = "/api/2.0/serving-endpoints"
ENTITY = {"entity_name": "main.ml.fraud", "entity_version": "1"}


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Wire:
    """One workspace, called by hand."""

    def __init__(self, handle, token=None) -> None:
        self.handle = handle
        self.own_token = token
        self.address = handle.host.removeprefix("http://")

    def call(self, method, path, body=None, headers=(), *, token=True) -> Answer:
        """Make one call; ``body`` is bytes as they are, an iterable of chunks, or a value for JSON."""
        sent = {"Content-Type": "application/json", **dict(headers)}
        if token:
            sent.setdefault("Authorization", f"Bearer {self.own_token or self.handle.token}")
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def user(self, name, **details) -> Wire:
        """Call the same workspace as somebody else."""
        return Wire(self.handle, self.handle.principals.add(user=name, **details))

    def list(self) -> bytes:
        """Return the bytes of LIST: everything that a refused call must leave alone."""
        return self.call("GET", ENDPOINTS).body

    def create(self, name="fraud", entities=(ENTITY,), **fields) -> Answer:
        """Create an endpoint."""
        config = {"served_entities": list(entities)}
        return self.call("POST", ENDPOINTS, {"name": name, "config": config, **fields})

    def ready(self, name="fraud", entities=(ENTITY,), **fields) -> Answer:
        """Create an endpoint and wait until it serves."""
        assert self.create(name, entities, **fields).status == 200
        self.call("GET", f"{ENDPOINTS}/{name}")
        got = self.call("GET", f"{ENDPOINTS}/{name}")
        assert got.json["state"]["ready"] == "READY"
        return got

    def move(self, model, version, stage, *, archive=False) -> None:
        """Move a version of a model of the workspace registry to a stage."""
        moved = {"name": model, "version": version, "stage": stage, "archive_existing_versions": archive}
        assert self.call("POST", "/api/2.0/mlflow/databricks/model-versions/transition-stage", moved).status == 200

    def score(self, name="fraud", served=None, body=None) -> Answer:
        """Ask for one prediction."""
        inner = f"/served-models/{served}" if served else ""
        return self.call("POST", f"/serving-endpoints/{name}{inner}/invocations", body or {"inputs": [1]})


@pytest.fixture
def wire(servesim) -> Wire:
    """Give a workspace with two versions of a model, each of which answers its own number."""
    for version in (1, 2):
        servesim.models.stub("main.ml.fraud", "constant", value=version)
    return Wire(servesim)


@pytest.fixture
def make_wire():
    """Make the wire of a workspace that a test has opened itself."""
    return Wire


@pytest.fixture(scope="module")
def shared_wire(servesim_server):
    """Give one workspace to a whole module, for tests that try hundreds of bodies on it."""
    handle = servesim_server.open()
    handle.models.stub("main.ml.fraud", "echo")
    yield Wire(handle)
    handle.close()
