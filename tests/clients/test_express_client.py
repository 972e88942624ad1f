"""Express deployments with MLflow's own client: what it packs, what it sends, and what becomes of it."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from contextlib import nullcontext
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import pytest

pytestmark = [pytest.mark.mlflow, pytest.mark.servesim(poll="settle")]

NAME = "main.d.m"
STRING = "databricks_model_serving"

MLMODEL = """\
databricks_runtime: {runtime}
flavors:
  python_function:
    code: code
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: doubling
    python_version: 3.11.7
mlflow_version: {mlflow}
model_uuid: 0123456789abcdef0123456789abcdef
signature:
  inputs: '[{{"type": "double", "name": "x", "required": true}}]'
  outputs: '[{{"type": "double", "required": true}}]'
  params: null
utc_time_created: '2026-01-05 09:00:00.000000'
"""
CODE = """\
class Doubling:
    def predict(self, rows, params=None):
        return rows["x"].to_numpy() * 2


def _load_pyfunc(path):
    return Doubling()
"""
CONDA = {"dependencies": ["python=3.11.7", {"pip": []}], "name": "mlflow-env"}


def make_model(folder, *, runtime="client.4.0", mlflow="3.17.2", requirements=("mlflow",)):
    """Write a model as `save_model` does in a notebook of that runtime; none for one outside of Databricks."""
    text = MLMODEL.format(runtime=runtime, mlflow=mlflow)
    conda = {**CONDA, "dependencies": ["python=3.11.7", {"pip": list(requirements)}]}
    files = {
        "MLmodel": text if runtime else text.partition("\n")[2],
        "code/doubling.py": CODE,
        "requirements.txt": "".join(f"{line}\n" for line in requirements),
        "conda.yaml": json.dumps(conda),  # JSON is YAML
        "python_env.yaml": json.dumps({"python": "3.11.7", "dependencies": ["-r requirements.txt"]}),
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def staged(sim, number="1", name=NAME):
    return sim.workspace.world.registry.version(name, number).staged


def status(sim, number="1", name=NAME):
    return str(sim.workspace.world.registry.version(name, number).status)


def versions(sim, name=NAME):
    """Return the numbers of the versions of a model that is there."""
    return list(sim.workspace.world.registry.model(name).versions)


def is_at_least(least):
    try:
        return tuple(map(int, version("mlflow").split(".")[:2])) >= least
    except PackageNotFoundError:
        return False


RAISES = is_at_least((3, 18))
"""From then on the client raises what stageDeployment refuses as invalid; before, it prints it."""


@pytest.fixture
def mlflow(monkeypatch, tmp_path):
    """Give MLflow, with Unity Catalog as its registry and a small folder as what it takes for its environment."""
    found = pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    pytest.importorskip("mlflow.utils.env_pack", reason="this MLflow packs no environments")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "databricks-uc")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "databricks")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    environment = tmp_path / "environment"
    environment.mkdir()
    (environment / "pyvenv.cfg").write_text("home = /usr/bin\n", encoding="utf-8")
    monkeypatch.setattr(sys, "prefix", str(environment))
    return found


@pytest.fixture
def config(mlflow):
    """Give EnvPackConfig, which came after the string."""
    env_pack = pytest.importorskip("mlflow.utils.env_pack")
    if not hasattr(env_pack, "EnvPackConfig"):
        pytest.skip("this MLflow has no EnvPackConfig")
    return env_pack.EnvPackConfig


@pytest.fixture
def notebook(servesim_env, mlflow):
    """Be a serverless notebook of environment version 4."""
    servesim_env(serverless_environment=4)


@pytest.fixture
def model(tmp_path):
    """A throw-away model: who registers it with its environment loses it."""
    return make_model(tmp_path / "model")


@pytest.fixture
def register(mlflow, config):
    """Register a model; unless told otherwise with its environment, into which nothing is installed."""
    quick = config(name=STRING, install_dependencies=False)

    def call(folder, env_pack=quick, name=NAME):
        return mlflow.register_model(str(folder), name, env_pack=env_pack)

    return call


@pytest.fixture
def refused(mlflow, register, capsys):
    """Register a model that cannot be staged and return what the client says of it."""

    def call(folder, name=NAME):
        with pytest.raises(mlflow.MlflowException) if RAISES else nullcontext() as caught:
            register(folder, name=name)
        said = str(caught.value) if RAISES else capsys.readouterr().err
        assert RAISES or "Failed to stage model" in said
        return said

    return call


def test_register_deploy_and_query(servesim, notebook, register, model, capsys):
    made = register(model)
    assert (made.version, staged(servesim)) == ("1", True)
    assert "Failed to stage" not in capsys.readouterr().err
    ordinary = register(make_model(model), None)
    assert not staged(servesim, ordinary.version)
    took = {}
    for name, number in (("express", "1"), ("ordinary", ordinary.version)):
        began = servesim.workspace.clock.now()
        deploy(servesim, name, number)
        took[name] = servesim.workspace.clock.now() - began
    assert 0 < took["express"] < took["ordinary"]
    built = {name: [text for text in events(servesim, name) if "ontainer" in text] for name in took}
    assert built["ordinary"]
    assert not built["express"]
    answer = servesim.client().serving_endpoints.query("express", dataframe_records=[{"x": 1.5}, {"x": 2.0}])
    assert answer.predictions == [3.0, 4.0]


def deploy(sim, name, number):
    from databricks.sdk.service import serving as s

    entity = s.ServedEntityInput(
        entity_name=NAME, entity_version=number, workload_size="Small", scale_to_zero_enabled=True
    )
    config = s.EndpointCoreConfigInput(name=name, served_entities=[entity])
    made = sim.client().serving_endpoints.create_and_wait(name, config=config)
    assert str(made.state.ready.value) == "READY"


def events(sim, endpoint):
    found = sim.client().api_client.do("GET", f"/api/2.0/serving-endpoints/{endpoint}/events")
    return [event["message"] for event in found["events"]]


def test_the_string_and_the_config_give_equal_worlds(servesim_server, register, config, model, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    kept = model.with_name("kept")
    shutil.copytree(model, kept)
    worlds = []
    for env_pack in (STRING, config(name=STRING), config(name=STRING, install_dependencies=False)):
        shutil.copytree(kept, model, dirs_exist_ok=True)
        journal = []
        with servesim_server.open(seed=3) as sim, sim.env(serverless_environment=4):
            sim.workspace.world.recorder = journal.append
            register(model, env_pack)
            worlds.append((without_folder(journal), sim.log))
    assert worlds[0] == worlds[1] == worlds[2]
    assert "StageDeployment" in worlds[0][0]


def without_folder(journal):
    """Write commands down without the folder that a server keeps files in."""
    return re.sub(r"(ModelVersion\(.*?)source='[^']*'", r"\1source=''", repr(journal))


BAD = {
    "another string": lambda config: "bad",
    "another name": lambda config: config(name="bad"),
    "no boolean": lambda config: config(name=STRING, install_dependencies="yes"),
    "a dict": lambda config: {"name": STRING},
    "True": lambda config: True,
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
@pytest.mark.usefixtures("notebook")
def test_a_bad_value_leaves_an_empty_model_behind(servesim, register, config, model, make):
    with pytest.raises(Exception, match=r"nvalid|must be") as refused:
        register(model, make(config))
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    assert versions(servesim) == []
    assert model.exists()


@pytest.mark.parametrize(
    "case",
    [
        ("client.4.0", None, "Failed to parse databricks runtime version"),
        ("client.3.1", 4, "Runtime version mismatch"),
        ("", 4, "Missing 'databricks_runtime' field"),
    ],
    ids=["no notebook", "another environment", "logged elsewhere"],
)
def test_where_the_client_cannot_pack_it_says_why(servesim, servesim_env, register, tmp_path, case):
    runtime, here, said = case
    servesim_env(serverless_environment=here)
    model = make_model(tmp_path / "model", runtime=runtime)
    with pytest.raises(Exception, match=said):
        register(model)
    assert versions(servesim) == []


def test_a_model_that_was_packed_before_is_refused(servesim, notebook, register, model):
    (model / "_databricks").mkdir()
    with pytest.raises(Exception, match="_databricks"):
        register(model)
    assert versions(servesim) == []


@pytest.mark.parametrize("arch", ["arm64", "aarch64"])
def test_on_arm_the_version_is_registered_without_its_environment(servesim, servesim_env, register, model, arch):
    servesim_env(serverless_environment=4, cpu_arch=arch)
    register(model)
    found = servesim.workspace.world.registry.version(NAME, "1")
    assert (found.model.packed, found.staged) == (None, False)


@pytest.mark.parametrize(
    "case",
    [
        (2, "client.2.5", "3.17.2", "environment version 3 or 4"),
        (5, "client.5.0", "3.17.2", "environment version 3 or 4"),
        ("4-gpu", "client.4.0-gpu", "3.17.2", "CPU"),
        (4, "client.4.0", "3.0.1", "mlflow 3.1 or later"),
    ],
    ids=["environment 2", "environment 5", "GPU", "mlflow 3.0"],
)
def test_a_version_that_breaks_a_rule_stays_registered(servesim, servesim_env, refused, tmp_path, case):
    here, runtime, mlflow_version, rule = case
    servesim_env(serverless_environment=here)
    folder = make_model(tmp_path / "model", runtime=runtime, mlflow=mlflow_version)
    assert rule in refused(folder)
    assert (status(servesim), staged(servesim)) == ("READY", False)


def test_an_environment_over_the_limit_stays_registered(notebook, refused, model, servesim):
    world = servesim.workspace.world
    world.profile = replace(world.profile, express_environment_limit_bytes=10)
    assert "10 bytes at most" in refused(model)
    assert (status(servesim), staged(servesim)) == ("READY", False)
    deploy(servesim, "ordinary", "1")
    assert [text for text in events(servesim, "ordinary") if "ontainer" in text]


def test_a_model_of_the_workspace_registry_is_not_staged(servesim, notebook, refused, model, monkeypatch):
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "databricks")
    assert "Unity Catalog" in refused(model, name="m")
    assert not staged(servesim, name="m")


@pytest.mark.servesim(internet=False)
def test_without_internet_dependencies_cannot_be_installed(servesim, notebook, register, model, capsys):
    with pytest.raises(subprocess.CalledProcessError):
        register(model, STRING)
    assert "No matching distribution found for mlflow" in capsys.readouterr().err
    assert (versions(servesim), model.exists()) == ([], True)
    register(model)
    assert staged(servesim)


@pytest.mark.servesim(private_libraries=["acme-*", "acme-risk"])
@pytest.mark.usefixtures("notebook")
def test_a_private_library_cannot_be_installed(servesim, register, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # this test asks nobody
    model = make_model(tmp_path / "model", requirements=["mlflow", "acme-risk==1.0"])
    with pytest.raises(subprocess.CalledProcessError):
        register(model, STRING)
    register(model)
    assert staged(servesim)
    deploy(servesim, "express", "1")  # an ordinary build fails


@pytest.mark.usefixtures("notebook")
def test_a_stage_that_fails_otherwise_is_printed_and_the_version_stays(servesim, register, model, capsys):
    servesim.faults.add("status", operation="stage_deployment", status=403, message="not today", times=1)
    assert register(model).version == "1"
    assert "not today" in capsys.readouterr().err
    assert (status(servesim), staged(servesim)) == ("READY", False)


@pytest.mark.usefixtures("notebook")
def test_the_client_deletes_the_folder_that_it_packed(register, model):
    register(model)
    assert not model.exists()


# --- the whole of it, in an environment of its own ------------------------------------------------

JOB = """\
import sys

import mlflow
from mlflow.utils.env_pack import EnvPackConfig

pack = "databricks_model_serving" if sys.argv[3] == "string" else EnvPackConfig(name="databricks_model_serving")
made = mlflow.register_model(sys.argv[1], sys.argv[2], env_pack=pack)
print(made.version)
"""


@pytest.mark.deep
@pytest.mark.parametrize("form", ["string", "config"])
def test_a_job_in_a_small_environment_packs_all_of_it(servesim, tmp_path, form):
    if not is_at_least((3, 6)):
        pytest.skip("this MLflow has no EnvPackConfig")
    venv.create(tmp_path / "small", symlinks=True, with_pip=True)
    packages = next((tmp_path / "small/lib").glob("python*/site-packages"))
    (packages / "here.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    (tmp_path / "job.py").write_text(JOB, encoding="utf-8")
    model = make_model(tmp_path / "model")
    own = {"MLFLOW_REGISTRY_URI": "databricks-uc", "MLFLOW_TRACKING_URI": "databricks", "PIP_NO_INDEX": "1"}
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "HOME": str(tmp_path)}
    environ = {**os.environ, **quiet, **own, **servesim.env(serverless_environment=4)}
    command = [str(tmp_path / "small/bin/python"), "-W", "ignore", "job.py", str(model), NAME, form]
    run = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.split()[-1] == "1"
    assert staged(servesim)
    packed = servesim.workspace.world.registry.version(NAME, "1").model.packed
    assert packed.environment_bytes > 1_000_000  # pip alone is larger
    assert not model.exists()
    deploy(servesim, "express", "1")
    assert not [text for text in events(servesim, "express") if "ontainer" in text]
    answer = servesim.client().serving_endpoints.query("express", dataframe_records=[{"x": 21.0}])
    assert answer.predictions == [42.0]
