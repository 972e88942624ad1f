"""Which models a container can be built of, with real folders, over HTTP and with the clients that people use."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.mlflow

ENDPOINTS = "/api/2.0/serving-endpoints"
REGISTRY = "/api/2.0/mlflow"
RECORDED = (
    "Container image creation aborted - unsupported model: Environment file conda.yaml does not specify mlflow as a "
    "dependency."
)


def call(sim, method, path, body=None):
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


@pytest.fixture
def probe(pool_models, tmp_path):
    """Copy a model that loads, with the lines of its conda.yaml and requirements.txt; None takes a file away."""

    def make(name="probe", conda=("mlflow",), requirements=("mlflow",), mlmodel=None):
        where = tmp_path / name
        shutil.copytree(pool_models / "probe", where)
        texts = {
            "conda.yaml": conda and "dependencies:\n- pip:\n" + "".join(f"  - {line}\n" for line in conda),
            "requirements.txt": requirements and "\n".join(requirements),
            "MLmodel": mlmodel(json_of_mlmodel(where)) if mlmodel else (where / "MLmodel").read_text(encoding="utf-8"),
        }
        for file, text in texts.items():
            if text is None:
                (where / file).unlink()
            else:
                (where / file).write_text(text, encoding="utf-8")
        return where

    return make


def json_of_mlmodel(where):
    import yaml

    return yaml.safe_load((where / "MLmodel").read_text(encoding="utf-8"))


def register(sim, name, source):
    """Register a folder in the workspace registry, as a client does; return the number of the version."""
    call(sim, "POST", f"{REGISTRY}/registered-models/create", {"name": name})
    status, answer = call(sim, "POST", f"{REGISTRY}/model-versions/create", {"name": name, "source": str(source)})
    assert status == 200, answer
    assert answer["model_version"]["status"] == "READY"
    return answer["model_version"]["version"]


def deploy(sim, name, version):
    """Create endpoint `e` and read it until nothing happens any more; return the state of what it serves."""
    entity = {"name": "it", "entity_name": name, "entity_version": version, "workload_size": "Small"}
    status, answer = call(sim, "POST", ENDPOINTS, {"name": "e", "config": {"served_entities": [entity]}})
    assert status == 200, answer
    while answer["state"]["config_update"] == "IN_PROGRESS":
        answer = call(sim, "GET", f"{ENDPOINTS}/e")[1]
    config = answer.get("pending_config") or answer["config"]
    return config["served_entities"][0]["state"]


def build_logs(sim):
    status, answer = call(sim, "GET", f"{ENDPOINTS}/e/served-models/it/build-logs")
    assert status == 200
    return answer["logs"]


def happened(sim):
    return [line.what for line in sim.log]


def test_a_model_with_its_dependencies_is_served(servesim, probe):
    state = deploy(servesim, "good", register(servesim, "good", probe()))
    assert state["deployment"] == "DEPLOYMENT_READY"
    answer = call(servesim, "POST", "/serving-endpoints/e/invocations", {"inputs": ["echo hello"]})
    assert answer == (200, {"predictions": ["hello"]})


def test_a_conda_yaml_without_mlflow_fails_in_the_build_with_the_recorded_text(servesim, probe):
    version = register(servesim, "bad", probe(conda=("numpy", "scikit-learn==1.9.1")))
    state = deploy(servesim, "bad", version)
    assert state == {"deployment": "DEPLOYMENT_FAILED", "deployment_state_message": RECORDED}
    assert "does not specify mlflow as a dependency" in build_logs(servesim)
    endpoint = call(servesim, "GET", f"{ENDPOINTS}/e")[1]
    assert endpoint["state"]["config_update"] == "UPDATE_FAILED"
    assert endpoint["state"]["ready"] == "NOT_READY"
    status, _ = call(servesim, "POST", "/serving-endpoints/e/invocations", {"inputs": ["echo hello"]})
    assert status >= 400


def only_echo(model):
    return json.dumps({**model, "flavors": {"crate": model["flavors"]["python_function"]}})


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"mlmodel": only_echo}, "The model has no python_function flavor; it has crate."),
        (
            {"conda": None, "requirements": None},
            "The model declares its dependencies neither in conda.yaml nor in requirements.txt.",
        ),
        (
            {"conda": None, "requirements": ("numpy",)},
            "Environment file requirements.txt does not specify mlflow as a dependency.",
        ),
    ],
    ids=["no flavour", "no dependencies", "requirements without mlflow"],
)
def test_a_model_that_no_container_can_be_built_of(servesim, probe, settings, why):
    state = deploy(servesim, "bad", register(servesim, "bad", probe(**settings)))
    assert state["deployment"] == "DEPLOYMENT_FAILED"
    assert state["deployment_state_message"] == f"Container image creation aborted - unsupported model: {why}"
    assert why in build_logs(servesim)


def test_it_is_the_same_for_a_model_that_a_test_or_a_scenario_names(servesim_server, servesim, probe, tmp_path):
    where = probe(conda=("numpy",))
    assert deploy(servesim, "bad", servesim.models.mlflow("bad", where))["deployment_state_message"] == RECORDED
    world = tmp_path / "world.yaml"
    world.write_text("models: [{name: bad, mlflow: probe}]", encoding="utf-8")
    with servesim_server.open(scenario=world) as sim:
        assert deploy(sim, "bad", "1")["deployment_state_message"] == RECORDED


def test_an_update_to_such_a_version_leaves_the_old_one_serving(servesim, probe):
    good = register(servesim, "model", probe("good"))
    bad = register(servesim, "model", probe("bad", conda=("numpy",)))
    assert deploy(servesim, "model", good)["deployment"] == "DEPLOYMENT_READY"
    entity = {"name": "it", "entity_name": "model", "entity_version": bad, "workload_size": "Small"}
    answer = call(servesim, "PUT", f"{ENDPOINTS}/e/config", {"served_entities": [entity]})[1]
    while answer["state"]["config_update"] == "IN_PROGRESS":
        answer = call(servesim, "GET", f"{ENDPOINTS}/e")[1]
    assert (answer["state"]["ready"], answer["state"]["config_update"]) == ("READY", "UPDATE_FAILED")
    status, answer = call(servesim, "POST", "/serving-endpoints/e/invocations", {"inputs": ["echo hello"]})
    assert (status, answer["predictions"]) == (200, ["hello"])


# --- private libraries ------------------------------------------------------------------------------

ACME = ("mlflow", "Acme.Features==1.0")
WHEELS = ("wheels/mlflow-3.17.2-py3-none-any.whl", "wheels/acme_features-1.0-py3-none-any.whl")


def with_wheels(where):
    """Put the wheels in, as mlflow.models.utils.add_libraries_to_model leaves a model."""
    (where / "wheels").mkdir()
    for wheel in WHEELS:
        (where / wheel).write_bytes(b"")
    return where


@pytest.mark.servesim(private_libraries=["acme-*"])
def test_a_private_library_fails_the_build(servesim, probe):
    state = deploy(servesim, "private", register(servesim, "private", probe(conda=ACME)))
    assert state["deployment"] == "DEPLOYMENT_FAILED"
    assert "'acme-features', a private library" in state["deployment_state_message"]
    assert "acme-features" in build_logs(servesim)


@pytest.mark.servesim(private_libraries=["acme-*"])
def test_a_private_library_that_is_packed_in_the_model_does_not(servesim, probe):
    where = with_wheels(probe(conda=WHEELS, requirements=WHEELS))
    state = deploy(servesim, "private", register(servesim, "private", where))
    assert state["deployment"] == "DEPLOYMENT_READY"


@pytest.mark.servesim(private_libraries=["acme-*"])
def test_other_libraries_are_not_private_and_none_is_unless_it_is_named(servesim_server, servesim, probe):
    where = probe(conda=("mlflow", "acme", "my-acme-features"))
    assert deploy(servesim, "public", register(servesim, "public", where))["deployment"] == "DEPLOYMENT_READY"
    with servesim_server.open() as sim:
        where = probe("private", conda=ACME)
        assert deploy(sim, "public", register(sim, "public", where))["deployment"] == "DEPLOYMENT_READY"


EXPRESS = """
private_libraries: [Acme_*]
models:
  - {name: main.ml.fraud, mlflow: probe, express: true}
  - {name: main.ml.slow, mlflow: probe}
"""


def test_an_express_deployment_needs_no_library_and_no_container(servesim_server, probe, tmp_path):
    probe(conda=("numpy", "acme-features"))
    world = tmp_path / "world.yaml"
    world.write_text(EXPRESS, encoding="utf-8")
    with servesim_server.open(scenario=world) as sim:
        assert deploy(sim, "main.ml.fraud", "1")["deployment"] == "DEPLOYMENT_READY"
        assert "container built" not in happened(sim)
        assert "deployment building" not in happened(sim)
    with servesim_server.open(scenario=world) as sim:
        assert deploy(sim, "main.ml.slow", "1")["deployment_state_message"] == RECORDED
        assert "deployment building" in happened(sim)


# --- with the clients --------------------------------------------------------------------------------


@pytest.mark.sdk
def test_the_sdk_reports_the_failed_build(servesim, probe):
    from databricks.sdk.errors import OperationFailed
    from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput

    version = register(servesim, "bad", probe(conda=("numpy",)))
    client = servesim.client()
    entity = ServedEntityInput(name="it", entity_name="bad", entity_version=version, workload_size="Small")
    with pytest.raises(OperationFailed):
        client.serving_endpoints.create_and_wait("e", config=EndpointCoreConfigInput("e", served_entities=[entity]))
    endpoint = client.serving_endpoints.get("e")
    state = endpoint.pending_config.served_entities[0].state
    assert state.deployment.value == "DEPLOYMENT_FAILED"
    assert state.deployment_state_message == RECORDED


# --- an MLflow registry ------------------------------------------------------------------------------


def test_what_an_mlflow_registry_knows_of_a_version_comes_along(servesim_server, pool_models):
    with servesim_server.open(mlflow_registry=f"sqlite:///{pool_models}/registry.db") as sim:
        entity = {"entity_name": "fraud", "entity_version": "1", "workload_size": "Small"}
        call(sim, "POST", ENDPOINTS, {"name": "e", "config": {"served_entities": [entity]}})
        query = f"{REGISTRY}/model-versions/get?name=fraud&version=1"
        version = call(sim, "GET", query)[1]["model_version"]
        assert (version["current_stage"], version["description"]) == ("Production", "the first one")
        assert version["tags"] == [{"key": "team", "value": "risk"}]
        assert dict(sim.workspace.world.registry.models["fraud"].aliases) == {"champion": "1"}
