"""Express deployments by the calls that MLflow was recorded to make, without MLflow."""

import http.client
import json
from pathlib import Path

import pytest

RECORDED = [
    json.loads(line)
    for line in Path(__file__).with_name("recorded_env_pack.jsonl").read_text(encoding="utf-8").splitlines()
]
"""``{client, call, method, path, query, headers, body}``; what is binary was left out."""
UC = "/api/2.0/mlflow/unity-catalog/"
STAGE = "/api/2.0/serving-endpoints:stageDeployment"
NAME = "main.d.m"
ENVIRONMENT = b"environment" * 100
"""What is sent for one."""


def staged(sim):
    return sim.workspace.world.registry.version(NAME, "1").staged


def recorded(call):
    return [line for line in RECORDED if line["call"] == call]


class Replay:
    """Sends what was recorded: to the URLs for uploads that are answered now, and makes up what was cut."""

    def __init__(self, sim, end="ion: 3.17.2\ndatabricks_runtime: client.3.1\n"):
        """Send to a workspace; ``end`` is that of the MLmodel file, which was recorded without it."""
        self.sim = sim
        self.end = end
        self.uploads = {}

    def call(self, method, path, headers, content):
        """Make one call; return status and document."""
        if "Authorization" in headers:
            headers = {**headers, "Authorization": f"Bearer {self.sim.token}"}
        connection = http.client.HTTPConnection(self.sim.host.removeprefix("http://"), timeout=60)
        try:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            got = answer.read()
            return answer.status, json.loads(got) if got else {}
        finally:
            connection.close()

    def send(self, line):
        """Make a recorded call; return status and document."""
        path, body = line["path"], line["body"]
        if path.startswith("/presigned/"):
            return self.upload(path.removeprefix("/presigned"), body)
        content = None if body is None else json.dumps(body).encode()
        status, document = self.call(line["method"], path, line["headers"], content)
        if path == "/api/2.0/fs/create-upload-url":
            self.uploads[body["path"]] = document
        return status, document

    def upload(self, path, body):
        """Put a file where servesim has said."""
        place, name = self.uploads[path], path.rpartition("/")[2]
        if body is None:
            content = ENVIRONMENT if name == "model_environment.tar" else b"binary"
        else:
            text = body if isinstance(body, str) else json.dumps(body)
            content = (text + (self.end if name == "MLmodel" else "")).encode()
        headers = {one["name"]: one["value"] for one in place.get("headers", [])}
        return self.call("PUT", place["url"].removeprefix(self.sim.host), headers, content)

    def all(self, call):
        """Send every call of one recording; return the documents by path."""
        documents = {}
        for line in recorded(call):
            status, documents[line["path"]] = self.send(line)
            assert status < 300, (line["path"], documents[line["path"]])
        return documents


def test_the_recorded_calls_stage_a_version(servesim):
    answers = Replay(servesim).all("env_pack ok (UC)")
    created = answers[f"{UC}model-versions/create"]["model_version"]
    assert (created["name"], created["version"], created["status"]) == (NAME, "1", "PENDING_REGISTRATION")
    assert answers[STAGE] == {}
    assert staged(servesim)
    packed = servesim.workspace.world.registry.version(NAME, "1").model.packed
    assert (packed.runtime, packed.mlflow) == ("client.3.1", "3.17.2")
    assert packed.environment_bytes == len(ENVIRONMENT)


def state(replay):
    path = f"{UC}model-versions/get?name={NAME}&version=1"
    _, answer = replay.call("GET", path, {"Authorization": "Bearer ***"}, None)
    return answer["model_version"]["status"]


def test_registration_takes_the_time_that_staging_takes(servesim):
    began = servesim.clock.now()
    replay = Replay(servesim)
    replay.all("env_pack ok (UC)")
    assert state(replay) == "READY"
    assert (began, servesim.clock.now()) == ("2026-01-05T09:00:00Z", "2026-01-05T09:02:00Z")


@pytest.mark.servesim(clock="frozen")
def test_until_then_the_version_is_pending(servesim):
    replay = Replay(servesim)
    replay.all("env_pack ok (UC)")
    assert (state(replay), staged(servesim)) == ("PENDING_REGISTRATION", True)
    servesim.clock.advance("119s")
    assert state(replay) == "PENDING_REGISTRATION"
    servesim.clock.advance("1s")
    assert state(replay) == "READY"


@pytest.mark.parametrize(
    "call",
    [
        "register_model(env_pack='bad')",
        "env_pack: model without databricks_runtime",
        "env_pack: major mismatch",
        "env_pack: _databricks present",
    ],
)
def test_what_the_client_refuses_leaves_an_empty_model(servesim, call):
    Replay(servesim).all(call)
    assert servesim.workspace.world.registry.model(NAME).versions == {}


@pytest.mark.parametrize(
    ("end", "rule"),
    [
        ("ion: 3.17.2\ndatabricks_runtime: client.2.5\n", "environment version 3 or 4"),
        ("ion: 3.17.2\ndatabricks_runtime: client.3.1-gpu\n", "CPU"),
        ("ion: 2.22.0\ndatabricks_runtime: client.3.1\n", "mlflow 3.1"),
    ],
    ids=["environment 2", "GPU", "mlflow 2"],
)
def test_recorded_calls_for_what_breaks_a_rule_are_refused(servesim, end, rule):
    replay = Replay(servesim, end)
    for line in recorded("env_pack ok (UC)"):
        code, document = replay.send(line)
    assert (code, document["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert rule in document["message"]
    assert not staged(servesim)
