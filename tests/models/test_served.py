"""Real MLflow models behind endpoints: registered, deployed, queried, failing and dying."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import types
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.mlflow


def call(sim, path, body=None, method=None):
    """Make a plain call and return status and answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(sim.host + path, data=data, method=method)
    request.add_header("Authorization", f"Bearer {sim.token}")
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def put(sim, name, *entities, method="POST"):
    config = {"served_entities": list(entities)}
    path = "/api/2.0/serving-endpoints"
    return call(sim, path, {"name": name, "config": config}) if method == "POST" else None


def settled(sim, name):
    """Read the endpoint until no update is in progress."""
    while True:
        answer = call(sim, f"/api/2.0/serving-endpoints/{name}")[1]
        if answer["state"]["config_update"] != "IN_PROGRESS":
            return answer


def ask(sim, name, deed):
    return call(sim, f"/serving-endpoints/{name}/invocations", {"inputs": [deed]})


@pytest.fixture
def probe(servesim, pool_models):
    """A workspace with an endpoint `e` that a real model serves."""
    servesim.models.mlflow("probe", pool_models / "probe")
    entity = {"entity_name": "probe", "entity_version": "1", "environment_vars": {"GREETING": "hello"}}
    put(servesim, "e", entity)
    assert settled(servesim, "e")["state"]["ready"] == "READY"
    return servesim


def test_environment_variables_are_really_set_and_prints_are_kept(probe):
    assert ask(probe, "e", "environment GREETING") == (200, {"predictions": ["hello"]})
    assert ask(probe, "e", "print something")[0] == 200
    printed = probe.printed("e", "probe-1")
    assert "probe loaded" in printed
    assert "something" in printed
    assert "GREETING" not in os.environ


def logs(servesim, kind="logs", query=""):
    status, answer = call(servesim, f"/api/2.0/serving-endpoints/e/served-models/probe-1/{kind}{query}")
    assert status == 200
    return answer["logs"]


def test_logs_are_what_the_worker_printed_by_config_version(probe):
    ask(probe, "e", "print something")
    first = logs(probe)
    assert re.fullmatch(r"(\[[0-9a-f]{5}\] .*\n)+", first)
    assert "something" in first
    assert "probe loaded" in logs(probe, "build-logs") + first

    entity = {"entity_name": "probe", "entity_version": "1", "environment_vars": {"GREETING": "servus"}}
    assert call(probe, "/api/2.0/serving-endpoints/e/config", {"served_entities": [entity]}, method="PUT")[0] == 200
    assert settled(probe, "e")["config"]["config_version"] == 2
    ask(probe, "e", "print another thing")
    assert "another thing" in logs(probe)
    assert "something" not in logs(probe)
    assert "another thing" in logs(probe, query="?config_version=2")
    assert logs(probe, query="?config_version=1") == first


def test_a_worker_that_dies_recovers_while_the_server_lives_on(probe):
    status, answer = ask(probe, "e", "kill")
    assert (status, answer["error_code"]) == (500, "INTERNAL_ERROR")
    assert "'probe-1' ended while it had this request" in answer["message"]
    endpoint = call(probe, "/api/2.0/serving-endpoints/e")[1]
    assert endpoint["state"]["ready"] == "NOT_READY"
    assert endpoint["config"]["served_entities"][0]["state"]["deployment"] == "DEPLOYMENT_RECOVERING"
    # The next request is held until the replica is back, 30 s of simulated time later.
    assert ask(probe, "e", "echo back") == (200, {"predictions": ["back"]})
    assert call(probe, "/api/2.0/serving-endpoints/e")[1]["state"]["ready"] == "READY"
    story = [line.what for line in probe.log if line.what.startswith("deployment")]
    assert story[-3:] == ["deployment recovering", "deployment reloading", "deployment ready"]


def test_mlflows_own_errors_come_through(probe):
    status, answer = ask(probe, "e", "unheard-of")
    assert (status, answer["error_code"]) == (400, "BAD_REQUEST")
    assert "unexpected error while evaluating the model" in answer["message"]
    assert call(probe, "/serving-endpoints/e/invocations", {"nothing": 1})[1]["error_code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("refuses", "no weights here"),
        ("needs", "a_package_that_nobody_has"),
        ("leaves", "9"),
    ],
)
def test_a_model_that_cannot_load_is_a_failed_deployment_with_the_real_reason(servesim, pool_models, model, reason):
    servesim.models.mlflow("m", pool_models / model)
    put(servesim, "e", {"entity_name": "m", "entity_version": "1"})
    endpoint = settled(servesim, "e")
    assert endpoint["state"] == {"ready": "NOT_READY", "config_update": "UPDATE_FAILED", "suspend": "NOT_SUSPENDED"}
    state = endpoint["pending_config"]["served_entities"][0]["state"]
    assert state["deployment"] == "DEPLOYMENT_FAILED"
    assert state["deployment_state_message"].startswith("Failed to deploy m-1: ")
    assert reason in state["deployment_state_message"]
    assert ask(servesim, "e", "echo x")[1]["error_code"] == "ENDPOINT_NOT_FOUND"


def test_a_folder_that_is_no_model_is_refused_at_once(servesim, tmp_path):
    from servesim.service.sources import SourceUnreadable

    with pytest.raises(SourceUnreadable, match="cannot be read"):
        servesim.models.mlflow("m", tmp_path)
    assert list(servesim.workspace.world.registry) == []


def test_version_differences_stand_in_the_build_log(servesim, pool_models):
    servesim.models.mlflow("m", pool_models / "demanding")
    put(servesim, "e", {"entity_name": "m", "entity_version": "1"})
    settled(servesim, "e")
    (deployment,) = servesim.workspace.world.deployments.values()
    assert "numpy==1.0.0" in deployment.build_log
    assert "a-package-that-nobody-has" in deployment.build_log


def test_another_interpreter_loads_the_model(servesim, pool_models, tmp_path):
    link = tmp_path / "python-of-their-own"
    link.write_text(f'#!/bin/sh\nMARK=theirs exec {sys.executable} "$@"\n')
    link.chmod(0o755)
    servesim.models.mlflow("m", pool_models / "probe", python=str(link))
    put(servesim, "e", {"entity_name": "m", "entity_version": "1"})
    assert settled(servesim, "e")["state"]["ready"] == "READY"
    assert ask(servesim, "e", "environment MARK") == (200, {"predictions": ["theirs"]})


@pytest.mark.servesim(unknown_models="reject")
def test_a_registry_is_read_on_a_miss(servesim_server, pool_models):
    with servesim_server.open(mlflow_registry=f"sqlite:///{pool_models}/registry.db") as sim:
        put(sim, "e", {"entity_name": "fraud", "entity_version": "1"})
        assert settled(sim, "e")["state"]["ready"] == "READY"
        assert ask(sim, "e", "echo found") == (200, {"predictions": ["found"]})
        status, answer = put(sim, "f", {"entity_name": "fraud", "entity_version": "99"})
        assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
        status, answer = put(sim, "f", {"entity_name": "unheard", "entity_version": "1"})
        assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_registry_that_cannot_be_read_is_named_without_its_password(servesim_server, tmp_path):
    with servesim_server.open(mlflow_registry=f"sqlite://me:secret@/{tmp_path}/none.db") as sim:
        status, answer = put(sim, "e", {"entity_name": "fraud", "entity_version": "1"})
        assert (status, answer["error_code"]) == (500, "INTERNAL_ERROR")
        assert "that servesim takes models from cannot be read" in answer["message"]
        assert "secret" not in answer["message"]


def test_a_failed_update_keeps_the_old_model_serving(servesim_server, pool_models):
    with servesim_server.open(mlflow_registry=f"sqlite:///{pool_models}/registry.db") as sim:
        put(sim, "e", {"entity_name": "fraud", "entity_version": "1"})
        settled(sim, "e")
        body = json.dumps({"served_entities": [{"entity_name": "fraud", "entity_version": "2"}]}).encode()
        request = urllib.request.Request(sim.host + "/api/2.0/serving-endpoints/e/config", data=body, method="PUT")
        request.add_header("Authorization", f"Bearer {sim.token}")
        urllib.request.urlopen(request).close()
        endpoint = settled(sim, "e")
        assert endpoint["state"]["ready"] == "READY"
        assert endpoint["state"]["config_update"] == "UPDATE_FAILED"
        assert ask(sim, "e", "echo still") == (200, {"predictions": ["still"]})


def test_a_model_folder_that_vanished_fails_its_reload(servesim, pool_models, tmp_path):
    folder = shutil.copytree(pool_models / "probe", tmp_path / "probe")
    servesim.models.mlflow("m", folder)
    put(servesim, "e", {"entity_name": "m", "entity_version": "1"})
    settled(servesim, "e")
    pid = ask(servesim, "e", "pid")[1]["predictions"][0]
    shutil.rmtree(folder)
    os.kill(pid, signal.SIGKILL)
    assert ask(servesim, "e", "echo x")[0] == 500
    status, answer = ask(servesim, "e", "echo x")
    assert (status, answer["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    state = call(servesim, "/api/2.0/serving-endpoints/e")[1]["config"]["served_entities"][0]["state"]
    assert state["deployment"] == "DEPLOYMENT_FAILED"
    assert "Failed to deploy m-1" in state["deployment_state_message"]


@pytest.mark.parametrize("uvloop", [True, False], ids=["fast", "plain"])
def test_serve_takes_its_models_from_a_registry(pool_models, uvloop):
    block = "" if uvloop else "import sys; sys.modules['uvloop'] = None; "
    program = f"{block}from servesim.delivery.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--quiet"]
    command += ["--mlflow-registry", f"sqlite:///{pool_models}/registry.db", "--poll", "settle"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            lines = [server.stdout.readline().strip() for _ in range(3)]
            sim = types.SimpleNamespace(host=lines[0].partition("=")[2], token=lines[1].partition("=")[2])
            put(sim, "e", {"entity_name": "fraud", "entity_version": "1"})
            assert settled(sim, "e")["state"]["ready"] == "READY"
            assert ask(sim, "e", "echo served") == (200, {"predictions": ["served"]})
            worker = ask(sim, "e", "pid")[1]["predictions"][0]
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=30) == 0
            with pytest.raises(ProcessLookupError):
                os.kill(worker, 0)
        finally:
            server.kill()
