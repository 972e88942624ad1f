"""The clients that people wrote for the serverless preview: enable, poll, change compute, promote, score."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import datetime

import pytest
import requests

MODEL = "iris-classifier"
HEAD = "/api/2.0/preview/mlflow/endpoints-v2/"
SECONDS = 10
"""Between two polls."""

pytestmark = pytest.mark.servesim(serverless_preview="enabled", clock="frozen")


class Client:
    """What a team had in its deployment scripts: a session, the prefix, and loops that wait."""

    def __init__(self, servesim):
        self.host = servesim.host
        self.sleep = servesim.clock.advance
        self.polls = 0
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"Authorization": f"Bearer {servesim.token}"})

    def call(self, method, operation, **fields):
        """Send JSON, with a GET as well."""
        answer = self.session.request(method, self.host + HEAD + operation, data=json.dumps(fields))
        answer.raise_for_status()
        return answer.json()

    def wait(self, tell, *ends):
        """Poll every ten seconds until a state is one of the last ones."""
        while (state := tell()) not in ends:
            self.polls += 1
            assert self.polls < 1000
            self.sleep(SECONDS)
        return state

    def endpoint_state(self):
        status = self.call("GET", "get-status", registered_model_name=MODEL)
        return status["endpoint_status"]["state"]

    def version_status(self, version):
        asked = {"registered_model_name": MODEL, "endpoint_version_name": version}
        return self.call("GET", "get-version-status", **asked)["endpoint_status"]

    def enable(self, version):
        """Enable serving and wait until a version answers."""
        self.call("POST", "enable", registered_model_name=MODEL)
        assert self.wait(self.endpoint_state, "ENDPOINT_STATE_READY", "ENDPOINT_STATE_FAILED").endswith("READY")
        return self.wait(
            lambda: self.version_status(version)["service_status"]["state"],
            "SERVICE_STATE_READY",
            "SERVICE_STATE_FAILED",
        )

    def score(self, target, rows=((5.1, 3.5, 1.4, 0.2),)):
        """Score as the page's Python sample does."""
        url = f"{self.host}/model-endpoint/{MODEL}/{target}/invocations"
        response = self.session.post(url, json={"inputs": [list(row) for row in rows]})
        if response.status_code != 200:
            raise RuntimeError(f"Request failed with status {response.status_code}, {response.text}")
        return response.json()["predictions"]


@pytest.fixture
def staged(servesim):
    """Give a workspace whose model has version 1 in Production and 2 in none."""
    for value in (1, 2):
        servesim.models.stub(MODEL, "constant", value=value)
    moved = {"name": MODEL, "version": "1", "stage": "Production", "archive_existing_versions": True, "comment": "Go"}
    path = "/api/2.0/mlflow/databricks/model-versions/transition-stage"
    with Client(servesim).session as session:
        session.post(servesim.host + path, json=moved).raise_for_status()
    return servesim


@pytest.fixture
def client(staged):
    made = Client(staged)
    yield made
    made.session.close()


# --- waiting ------------------------------------------------------------------------------------------


def test_enable_and_poll_until_a_version_answers(client, staged):
    began = datetime.fromisoformat(staged.clock.now())
    assert client.enable("1") == "SERVICE_STATE_READY"
    # Two minutes until the endpoint is there, eight for the build, two for resources: what polls of ten seconds see.
    passed = (datetime.fromisoformat(staged.clock.now()) - began).total_seconds()
    assert (passed, client.polls) == (720, 72)
    assert client.score("Production") == client.score("1") == [1]


@pytest.mark.servesim(serverless_preview="enabled", clock="autojump")
def test_the_same_loop_ends_where_polls_move_time(client, staged):
    client.sleep = lambda _: None
    assert client.enable("1") == "SERVICE_STATE_READY"
    assert client.polls == 1


@pytest.mark.servesim(serverless_preview="enabled", clock="autojump", poll="settle")
def test_and_where_a_poll_settles_everything(client):
    client.sleep = None
    assert client.enable("1") == "SERVICE_STATE_READY"
    assert client.polls == 0


def test_a_loop_that_waits_for_a_version_sees_it_fail(client, staged):
    staged.faults.fail_next("No module named 'xgboost'", endpoint=f"model-endpoint/{MODEL}", entity="1")
    assert client.enable("1") == "SERVICE_STATE_FAILED"
    assert "xgboost" in client.version_status("1")["service_status"]["message"]


@pytest.mark.servesim(serverless_preview="not enrolled")
def test_a_workspace_without_the_preview_is_told_by_its_code(client):
    answer = client.session.get(client.host + HEAD + "get-status", params={"registered_model_name": MODEL})
    assert (answer.status_code, answer.json()["error_code"]) == (404, "FEATURE_DISABLED")


# --- compute ------------------------------------------------------------------------------------------


def test_a_client_that_writes_booleans_as_strings_changes_compute(client):
    client.enable("1")
    spec = {"workload_size_id": "Medium", "scale_to_zero_enabled": "true"}
    asked = {"registered_model_name": MODEL, "stage": "Production", "desired_workload_config_spec": spec}
    client.call("PUT", "update-compute-config", **asked)

    def update_state():
        return client.version_status("1").get("config_update_status", {}).get("state", "done")

    assert update_state() == "SERVICE_STATE_PENDING"
    assert client.score("Production") == [1]
    assert client.wait(update_state, "done", "SERVICE_STATE_FAILED") == "done"
    config = client.version_status("1")["service_status"]["config"]
    assert config["workload_spec"] == {"workload_size_id": "Medium", "scale_to_zero_enabled": True}


# --- how reads are sent -------------------------------------------------------------------------------


def test_requests_sends_what_a_read_needs_in_a_body_or_in_the_query(client):
    client.enable("1")
    url, asked = client.host + HEAD + "list-versions", {"registered_model_name": MODEL}
    by_body = client.session.get(url, json=asked)
    by_query = client.session.get(url, params=asked)
    assert by_body.status_code == 200
    assert by_body.content == by_query.content
    assert [told["endpoint_version_name"] for told in by_body.json()["endpoint_statuses"]] == ["1"]


def test_curl_with_the_user_token(client, staged):
    assert shutil.which("curl"), "this test drives curl, and there is none on PATH: install it"
    client.enable("1")

    def curl(path, *arguments):
        command = ["curl", "-q", "-s", "--noproxy", "*", "-u", f"token:{staged.token}", *arguments, staged.host + path]
        return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)

    asked = json.dumps({"registered_model_name": MODEL})
    told = curl(f"{HEAD}get-status", "-X", "GET", "-d", asked)["endpoint_status"]
    assert told["state"] == "ENDPOINT_STATE_READY"
    aliases = curl(f"{HEAD}list-version-aliases?registered_model_name={MODEL}")["aliases"]
    assert aliases == [{"alias": "Production", "endpoint_version_name": "1"}]
    records = json.dumps({"dataframe_records": [{"sepal_length": 5.1, "sepal_width": 3.5}]})
    path = f"/model-endpoint/{MODEL}/Production/invocations"
    scored = curl(path, "-X", "POST", "-H", "Content-Type: application/json", "-d", records)
    assert scored == {"predictions": [1]}


# --- promotion ----------------------------------------------------------------------------------------


@pytest.mark.mlflow
@pytest.mark.filterwarnings("ignore")  # MLflow's own about stages, and what it and its libraries warn of when imported
def test_a_promotion_by_mlflow_has_no_downtime(client, staged, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    for name, value in staged.env.items():
        monkeypatch.setenv(name, value)
    client.enable("1")
    registry = mlflow.MlflowClient(tracking_uri="databricks", registry_uri="databricks")
    moved = registry.transition_model_version_stage(MODEL, "2", "Production", archive_existing_versions=True)
    assert moved.current_stage == "Production"
    assert registry.get_model_version(MODEL, "1").current_stage == "Archived"
    # A client that scores by stage every ten seconds, a minute longer than the new version takes.
    scored = []
    for _ in range(66):
        scored.append(client.score("Production")[0])
        client.sleep(SECONDS)
    assert scored == sorted(scored)  # the old version until the new one is ready, then that: never an error
    assert (scored.count(1), scored.count(2)) == (60, 6)
    with pytest.raises(RuntimeError, match="status 404"):
        client.score("1")
