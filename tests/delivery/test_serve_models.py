"""``servesim serve`` where clients register models: from which folders, and how much of them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from servesim.delivery import serve, serve_run

REGISTRY = "/api/2.0/mlflow/"


@pytest.fixture
def folder(tmp_path):
    """A model folder, which needs a library that nobody has."""
    where = tmp_path / "root" / "model"
    where.mkdir(parents=True)
    (where / "MLmodel").write_text("flavors: {python_function: {}}", encoding="utf-8")
    (where / "requirements.txt").write_text("mlflow\nacme-features\n", encoding="utf-8")
    return where


def register(server, source):
    server.call("POST", REGISTRY + "registered-models/create", {"name": "fraud"})
    status, body = server.call("POST", REGISTRY + "model-versions/create", {"name": "fraud", "source": str(source)})
    return status, json.loads(body)


def test_models_come_from_below_the_root_and_fit_the_quota(server_process, folder):
    server = server_process(
        "--model-root", str(folder.parent), "--artifact-quota", "1kB", "--private-library", "acme-*"
    )
    status, answer = register(server, "model")
    assert (status, answer["model_version"]["status"]) == (200, "READY")
    status, answer = register(server, folder.parent.parent)
    assert status == 400
    assert f"from: {folder.parent}." in answer["message"]

    (folder / "weights").write_bytes(b"x" * 1000)
    _, answer = register(server, "model")
    assert answer["model_version"]["status"] == "FAILED_REGISTRATION"
    assert "keeps 1000 bytes of artifacts" in answer["model_version"]["status_message"]

    entity = {"name": "it", "entity_name": "fraud", "entity_version": "1", "workload_size": "Small"}
    server.call("POST", "/api/2.0/serving-endpoints", {"name": "e", "config": {"served_entities": [entity]}})
    state = {}
    while state.get("deployment") != "DEPLOYMENT_FAILED":
        endpoint = json.loads(server.call("GET", "/api/2.0/serving-endpoints/e")[1])
        state = endpoint["pending_config"]["served_entities"][0]["state"]
    assert "'acme-features', a private library" in state["deployment_state_message"]


def test_the_options_are_variables_too(monkeypatch, tmp_path):
    seen = {}

    def begin(options, given, chosen):
        seen.update(options=options, given=given, chosen=chosen)
        raise ValueError

    monkeypatch.setattr(serve, "ServeRun", begin)
    monkeypatch.setenv("SERVESIM_INTERNET", "false")
    monkeypatch.setenv("SERVESIM_MODEL_ROOT", str(tmp_path))
    monkeypatch.setenv("SERVESIM_PRIVATE_LIBRARY", "acme-* other")
    monkeypatch.setenv("SERVESIM_ARTIFACT_QUOTA", "1.5 GiB")
    assert CliRunner().invoke(serve.command, []).exit_code == 1
    assert seen["chosen"] >= {"internet", "model_root", "private_libraries"}
    assert (seen["given"]["internet"], seen["given"]["model_root"]) == (False, str(tmp_path))
    assert seen["given"]["private_libraries"] == ("acme-*", "other")
    assert seen["options"]["artifact_quota"] == 1_610_612_736
    assert serve_run.ServeRun is not begin


@pytest.mark.parametrize("size", ["", "much", "-1", "1XB", "1e9"])
def test_what_is_no_size_is_refused(size):
    result = CliRunner().invoke(serve.command, ["--artifact-quota", size])
    assert result.exit_code == 2
    assert "write 500MB, 10GiB or a number of bytes" in result.output
