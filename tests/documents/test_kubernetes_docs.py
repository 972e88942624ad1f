"""docs/kubernetes.md: its resources hold together, and locust knows the arguments that they give it."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from servesim.load import options

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
RESOURCES = [one for block in BLOCKS for one in yaml.safe_load_all(block)]
# From the operator's resource definition.
LOCUST_TEST = {"image", "workers", "args", "env", "locustfile", "labels", "annotations", "master", "worker"}


def of_kind(kind):
    """Return the resources of a kind."""
    return [one for one in RESOURCES if one["kind"] == kind]


def containers():
    """Return the containers of the jobs by the name of the job."""
    return {job["metadata"]["name"]: job["spec"]["template"]["spec"]["containers"][0] for job in of_kind("Job")}


def test_every_resource_says_what_it_is():
    assert [one["kind"] for one in RESOURCES] == ["LocustTest", "Service", "Job", "Job"]
    assert all(one["apiVersion"] and one["metadata"]["name"] for one in RESOURCES)


def test_the_operator_s_resource_has_fields_that_it_knows():
    (test,) = of_kind("LocustTest")
    assert test["apiVersion"] == "locust.cloud/v1"
    assert test["spec"].keys() <= LOCUST_TEST
    assert all(set(variable) == {"name", "value"} for variable in test["spec"]["env"])  # it takes no others
    assert f"--expect-workers {test['spec']['workers']} " in test["spec"]["args"]
    assert f"configmap {test['spec']['locustfile']['configMap']['name']} --from-file=locustfile.py=" in PAGE


def test_workers_find_their_master_and_are_as_many_as_it_waits_for():
    (service,) = of_kind("Service")
    master, worker = containers().values()
    assert service["spec"]["selector"] == {"job-name": "traffic-split-master"}
    assert service["spec"]["ports"][0]["port"] == 5557
    assert f"--master-host={service['metadata']['name']}" in worker["args"]
    workers = of_kind("Job")[1]["spec"]
    assert f"--expect-workers={workers['parallelism']}" in master["args"]
    assert workers["parallelism"] == workers["completions"]


def test_a_real_token_comes_from_a_secret():
    for container in containers().values():
        (variable,) = container["env"]
        assert set(variable) == {"name", "valueFrom"}
        assert variable["valueFrom"]["secretKeyRef"] == {"name": "workspace", "key": "token"}


def test_the_file_is_where_it_is_mounted():
    for job in of_kind("Job"):
        pod = job["spec"]["template"]["spec"]
        (mount,), (volume,) = pod["containers"][0]["volumeMounts"], pod["volumes"]
        assert mount["name"] == volume["name"]
        assert f"--locustfile={mount['mountPath']}/locustfile.py" in pod["containers"][0]["args"]


@pytest.mark.skipif(importlib.util.find_spec("locust") is None, reason="needs locust")
def test_locust_knows_every_argument():
    """Those of the file itself are added when it is loaded, which is after locust has shown its help."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("SERVESIM_")}
    command = [sys.executable, "-m", "locust", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=kept).stdout
    known = set(re.findall(r"--[a-z-]+", shown)) | {f"--{options.argument(name)}" for name in options.HELP}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", " ".join(BLOCKS) + PAGE.partition("## What is merged")[0]))
    assert len(named) > 12
    assert named <= known
