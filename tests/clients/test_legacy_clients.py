"""The clients that people wrote for legacy serving: enable and poll, score in Python for both protocols, curl."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest
import requests

MODEL = "iris classifier"
HEAD = "/api/2.0/preview/mlflow/endpoints/"
COLUMNS = ["sepal_length", "sepal_width"]
ROWS = [[5.1, 3.5], [6.7, 3.0]]
SECONDS = 10
"""Between two polls."""

pytestmark = pytest.mark.servesim(start="2025-06-01T00:00:00Z", clock="frozen")


class Client:
    """What a team had in its deployment scripts."""

    def __init__(self, servesim):
        self.host = servesim.host
        self.sleep = servesim.clock.advance
        self.polls = 0
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {servesim.token}"

    def get(self, operation):
        """Ask with the model's name in the query, as most did."""
        answer = self.session.get(self.host + HEAD + operation, params={"registered_model_name": MODEL})
        answer.raise_for_status()
        return answer.json()

    def post(self, operation, **fields):
        answer = self.session.post(self.host + HEAD + operation, json={"registered_model_name": MODEL, **fields})
        answer.raise_for_status()
        return answer

    def wait(self, tell, *ends):
        """Poll every ten seconds until a state is one of the last ones."""
        while (state := tell()) not in ends:
            self.polls += 1
            assert self.polls < 1000
            self.sleep(SECONDS)
        return state

    def endpoint_state(self):
        return self.get("get-status")["endpoint_status"]["state"]

    def version_state(self, version):
        # The lists of this API are absent when they are empty, or so these scripts were told.
        versions = self.get("list-versions").get("endpoint_versions", [])
        found = [one["state"] for one in versions if one["endpoint_version_name"] == version]
        return found[0] if found else "VERSION_STATE_PENDING"

    def enable(self, *versions):
        """Enable serving, wait for the cluster, then for each version's environment."""
        self.post("enable")
        assert self.wait(self.endpoint_state, "ENDPOINT_STATE_READY", "ENDPOINT_STATE_FAILED").endswith("READY")
        last = "VERSION_STATE_READY", "VERSION_STATE_FAILED"
        return [self.wait(lambda version=version: self.version_state(version), *last) for version in versions]


def url_of(host, version):
    return f"{host}/model/{MODEL.replace(' ', '%20')}/{version}/invocations"


def score_model_v1(session: requests.Session, url: str, dataset: Any) -> Any:
    """Score as the workspace's own snippet did for models of before MLflow 2.0: the split, bare."""
    response = session.post(url, json=dataset.to_dict(orient="split"))
    if response.status_code != 200:
        raise RuntimeError(f"Request failed with status {response.status_code}, {response.text}")
    return response.json()


def score_model_v2(session: requests.Session, url: str, dataset: Any) -> Any:
    """Score as the snippet did from MLflow 2.0 on; tensors go as `inputs`."""
    if hasattr(dataset, "to_dict"):
        document = {"dataframe_split": dataset.to_dict(orient="split")}
    elif isinstance(dataset, dict):
        document = {"inputs": {name: list(value) for name, value in dataset.items()}}
    else:
        document = {"inputs": dataset}
    response = session.post(url, json=document)
    if response.status_code != 200:
        raise RuntimeError(f"Request failed with status {response.status_code}, {response.text}")
    return response.json()


class Dataset:
    """A DataFrame as far as these snippets use one."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows

    def to_dict(self, orient):
        assert orient == "split"
        return {"index": list(range(len(self.rows))), "columns": self.columns, "data": self.rows}


@pytest.fixture
def models(servesim):
    """Give a workspace with a model of which version 1 is of MLflow 1.28, version 2 of 2.0."""
    for mlflow in ("1.28.0", "2.0.1"):
        servesim.models.function(
            MODEL, lambda rows: [round(sum(_numbers(row)), 1) for row in rows], mlflow_version=mlflow
        )
    return servesim


def _numbers(row):
    return row.values() if isinstance(row, dict) else row if isinstance(row, list) else [row]


@pytest.fixture
def client(models):
    made = Client(models)
    yield made
    made.session.close()


@pytest.fixture
def serving(client):
    assert client.enable("1", "2") == ["VERSION_STATE_READY"] * 2
    return client


def test_enabling_and_polling(client):
    assert client.enable("1", "2") == ["VERSION_STATE_READY"] * 2
    minutes = client.polls * SECONDS / 60
    assert 4 < minutes < 20  # about four until the cluster is there (observed), then what each version takes
    assert client.get("list-version-aliases").get("aliases", []) == []
    client.post("disable")
    with pytest.raises(requests.HTTPError, match="400 Client Error"):
        client.get("get-status")


def test_retrying_until_the_version_answers(client):
    client.post("enable")
    seen = []
    while not seen or seen[-1] in {404, 503}:  # as scripts had learnt to
        answer = client.session.post(url_of(client.host, 1), json={"columns": ["a"], "data": [[1]]})
        seen.append(answer.status_code)
        client.sleep(60)
        assert len(seen) < 60
    assert seen[-1] == 200
    assert seen[0] == 503


def test_scoring_in_python_by_both_protocols(serving):
    dataset = Dataset(COLUMNS, ROWS)
    assert score_model_v1(serving.session, url_of(serving.host, 1), dataset) == [8.6, 9.7]
    assert score_model_v2(serving.session, url_of(serving.host, 2), dataset) == {"predictions": [8.6, 9.7]}
    assert score_model_v2(serving.session, url_of(serving.host, 2), ROWS) == {"predictions": [8.6, 9.7]}
    assert score_model_v2(serving.session, url_of(serving.host, 1), ROWS) == [8.6, 9.7]
    assert score_model_v2(serving.session, url_of(serving.host, 2), {"a": [1, 2]}) == {"predictions": [1, 2]}
    # A team whose model was logged anew, with MLflow 2, saw this:
    with pytest.raises(RuntimeError, match=r"status 400.*The MLflow Model scoring protocol has changed"):
        score_model_v1(serving.session, url_of(serving.host, 2), dataset)
    # And one whose callers were first:
    with pytest.raises(RuntimeError, match=r"status 400.*`split` orient"):
        score_model_v2(serving.session, url_of(serving.host, 1), dataset)


def test_a_form_that_enables(client):
    answer = client.session.post(client.host + HEAD + "enable", data={"registered_model_name": MODEL})
    assert (answer.status_code, answer.json()) == (200, {})


def test_a_get_with_a_body(serving):
    answer = serving.session.get(serving.host + HEAD + "get-status", data=json.dumps({"registered_model_name": MODEL}))
    assert answer.json()["endpoint_status"]["state"] == "ENDPOINT_STATE_READY"


def test_curl(serving, tmp_path):
    assert shutil.which("curl"), "this test drives curl, and there is none on PATH: install it"
    token = serving.session.headers["Authorization"].removeprefix("Bearer ")
    data = tmp_path / "data.json"
    data.write_text(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in ROWS]), encoding="utf-8")

    def curl(version, content_type, body):
        command = ["curl", "-q", "-s", "--noproxy", "*", "-u", f"token:{token}", "-X", "POST", "-H", content_type, body]
        command += ["-w", "\n%{http_code}", url_of(serving.host, version)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        answer, _, status = done.stdout.rpartition("\n")
        return int(status), answer

    records = "Content-Type: application/json; format=pandas-records"
    assert curl(1, records, f"-d@{data}") == (200, "[8.6, 9.7]")
    status, answer = curl(2, records, f"-d@{data}")
    assert status == 415
    assert answer.startswith("Unrecognized content type parameters: format. IMPORTANT: ")
    rows = '-d{"dataframe_records": [{"sepal_length": 5.1, "sepal_width": 3.5}]}'
    assert curl(2, "Content-Type: application/json", rows) == (200, '{"predictions": [8.6]}')
    assert curl("Production", records, f"-d@{data}")[0] == 404  # nothing is in a stage yet
    moved = {"name": MODEL, "version": "1", "stage": "Production", "archive_existing_versions": True}
    serving.session.post(
        serving.host + "/api/2.0/mlflow/model-versions/transition-stage", json=moved
    ).raise_for_status()
    assert curl("Production", records, f"-d@{data}") == (200, "[8.6, 9.7]")
