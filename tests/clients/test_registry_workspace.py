"""The workspace registry with the clients that people use: MLflow's, and the SDK's ``model_registry``."""

import itertools
import json
import shutil
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

pytestmark = pytest.mark.servesim(poll="settle")

MLFLOW = "mlflow 3.17.2 databricks"
RECORDED = [
    json.loads(line)
    for line in Path(__file__).with_name("recorded_calls.jsonl").read_text(encoding="utf-8").splitlines()
]
QUIET = {"Host", "User-Agent", "Accept-Encoding", "Connection", "Content-Length"}
"""Headers that say nothing about the call."""
MLMODEL = """\
artifact_path: model
flavors:
  python_function:
    env:
      conda: conda.yaml
    loader_module: mlflow.sklearn
    python_version: 3.11.7
mlflow_version: 3.17.2
model_uuid: 0123456789abcdef0123456789abcdef
"""


@pytest.fixture
def folder(tmp_path):
    """Write the files of a model that nobody loads."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text(MLMODEL)
    (tmp_path / "model" / "requirements.txt").write_text("mlflow==3.17.2\n")
    (tmp_path / "model" / "conda.yaml").write_text("dependencies:\n- pip:\n  - mlflow==3.17.2\nname: mlflow-env\n")
    return str(tmp_path / "model")


@pytest.fixture
def job(servesim, monkeypatch):
    """Set the variables of a job in that workspace; give MLflow."""
    mlflow = pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    for name, value in servesim.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "databricks")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "databricks")
    return mlflow


@pytest.fixture
def client(job):
    """Give MLflow's client of the workspace registry."""
    return job.MlflowClient(tracking_uri="databricks", registry_uri="databricks")


# --- MLflow's client ------------------------------------------------------------------------------


@pytest.mark.mlflow
def test_the_life_of_a_model_in_mlflow_s_client(client):
    from mlflow.exceptions import MlflowException

    made = client.create_registered_model("m", tags={"a": "b"}, description="d")
    assert (made.name, made.tags, made.description) == ("m", {"a": "b"}, "d")
    with pytest.raises(MlflowException, match="already exists") as refusal:
        client.create_registered_model("m")
    assert refusal.value.error_code == "RESOURCE_ALREADY_EXISTS"
    assert client.update_registered_model("m", description="e").description == "e"
    client.set_registered_model_tag("m", "k", "v")
    client.delete_registered_model_tag("m", "a")
    assert client.get_registered_model("m").tags == {"k": "v"}
    client.rename_registered_model("m", "n")
    assert [model.name for model in client.search_registered_models()] == ["n"]
    client.delete_registered_model("n")
    with pytest.raises(MlflowException, match="does not exist") as refusal:
        client.get_registered_model("n")
    assert refusal.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert list(client.search_registered_models()) == []


@pytest.mark.mlflow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # MLflow's own about stages
def test_the_life_of_a_version_in_mlflow_s_client(client, folder):
    client.create_registered_model("m")
    made = client.create_model_version("m", folder, tags={"a": "b"}, description="d")
    assert (made.version, made.status, made.current_stage, made.tags) == ("1", "READY", "None", {"a": "b"})
    assert made.creation_timestamp == 1767603600000
    assert client.update_model_version("m", "1", "e").description == "e"
    client.set_model_version_tag("m", "1", "k", "v")
    client.delete_model_version_tag("m", "1", "a")
    found = client.get_model_version("m", "1")
    assert (found.tags, found.source, found.user_id) == ({"k": "v"}, folder, "tester@example.com")
    assert client.get_model_version_download_uri("m", "1") == folder
    assert client.get_model_version_stages("m", "1") == ["None", "Staging", "Production", "Archived"]
    client.delete_model_version("m", "1")
    assert list(client.search_model_versions("name = 'm'")) == []


@pytest.mark.mlflow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # MLflow's own about stages
def test_stages_in_mlflow_s_client(client, folder):
    from mlflow.exceptions import MlflowException

    client.create_registered_model("m")
    for _ in range(3):
        client.create_model_version("m", folder)
    assert client.transition_model_version_stage("m", 1, "Staging").current_stage == "Staging"
    moved = client.transition_model_version_stage("m", "2", "staging", archive_existing_versions=True)
    assert moved.current_stage == "Staging"
    assert client.get_model_version("m", "1").current_stage == "Archived"
    assert [one.version for one in client.get_latest_versions("m")] == ["3", "2", "1"]
    assert [one.version for one in client.get_latest_versions("m", stages=["Staging"])] == ["2"]
    latest = client.get_registered_model("m").latest_versions
    assert {one.current_stage: one.version for one in latest} == {"None": "3", "Staging": "2", "Archived": "1"}
    with pytest.raises(MlflowException, match="Invalid Model Version stage: Live"):
        client.transition_model_version_stage("m", "1", "Live")
    with pytest.raises(MlflowException, match="because 'None' is not an Active stage"):
        client.transition_model_version_stage("m", "1", "None", archive_existing_versions=True)


@pytest.mark.mlflow
def test_searches_and_pages_in_mlflow_s_client(client, folder):
    for name in ("c", "a", "b"):
        client.create_registered_model(name, tags={"team": "risk" if name == "a" else "it's"})
        client.create_model_version(name, folder)
    first = client.search_registered_models(max_results=2)
    assert [model.name for model in first] == ["a", "b"]
    rest = client.search_registered_models(max_results=2, page_token=first.token)
    assert ([model.name for model in rest], rest.token) == (["c"], "")
    found = client.search_registered_models("tags.team = 'it''s'", order_by=["name DESC"])
    assert [model.name for model in found] == ["c", "b"]
    versions = client.search_model_versions("name LIKE '%'", order_by=["name DESC", "version_number ASC"])
    assert [version.name for version in versions] == ["c", "b", "a"]


@pytest.mark.mlflow
def test_a_source_that_servesim_cannot_read_fails_as_the_client_reports_it(client):
    from mlflow.exceptions import MlflowException

    client.create_registered_model("m")
    with pytest.raises(MlflowException, match=r"with status: FAILED_REGISTRATION and message: .*dbfs:/x/y"):
        client.create_model_version("m", "dbfs:/x/y")


@pytest.mark.mlflow
def test_aliases_are_refused_by_mlflow_s_client_itself(client):
    from mlflow.exceptions import MlflowException

    client.create_registered_model("m")
    for refused in (
        lambda: client.set_registered_model_alias("m", "champion", "1"),
        lambda: client.delete_registered_model_alias("m", "champion"),
        lambda: client.get_model_version_by_alias("m", "champion"),
    ):
        with pytest.raises(MlflowException, match="unsupported for models in the Workspace Model Registry"):
            refused()


@pytest.mark.mlflow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # MLflow's own about tracking in files
def test_a_job_that_tracks_elsewhere_sends_the_files_first(job, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "runs").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = job.MlflowClient(registry_uri="databricks")
    client.create_registered_model("m")
    made = client.create_model_version("m", folder)
    assert made.status == "READY"
    assert made.source.startswith("dbfs:/databricks/mlflow/tmp-external-source/")


@pytest.mark.mlflow
def test_a_version_is_copied_to_another_model(client, folder):
    client.create_registered_model("m")
    client.create_model_version("m", folder)
    copied = client.copy_model_version("models:/m/1", "prod")
    assert (copied.name, copied.version, copied.status, copied.source) == ("prod", "1", "READY", "models:/m/1")


# --- what was recorded ----------------------------------------------------------------------------


def plain(sent):
    headers = {name: value for name, value in sorted(sent.headers.items()) if name not in QUIET}
    headers["Authorization"] = headers["Authorization"].partition(" ")[0] + " ***"
    headers["X-MLflow-Client-Version"] = "*"
    call = {"method": sent.method, "path": sent.path, "query": parse_qsl(sent.query, keep_blank_values=True)}
    return {**call, "headers": headers, "body": sent.body}


def calls(mlflow, client, folder):
    """Return what was called when MLflow was recorded, by name."""
    return {
        "create_registered_model": lambda: client.create_registered_model("m", tags={"a": "b"}, description="d"),
        "get_registered_model": lambda: client.get_registered_model("m"),
        "create_model_version(local source)": lambda: client.create_model_version("m", folder),
        "create_model_version(dbfs source)": lambda: client.create_model_version("m", "dbfs:/x/y"),
        "get_model_version": lambda: client.get_model_version("m", "1"),
        "update_model_version": lambda: client.update_model_version("m", "1", "x"),
        "transition_model_version_stage": lambda: client.transition_model_version_stage("m", "1", "Staging"),
        "set_registered_model_alias": lambda: client.set_registered_model_alias("m", "a", "1"),
        "delete_registered_model_alias": lambda: client.delete_registered_model_alias("m", "a"),
        "get_latest_versions": lambda: client.get_latest_versions("m", ["Staging"]),
        "search_model_versions": lambda: client.search_model_versions("name='m'"),
        "search_registered_models": client.search_registered_models,
        "set_model_version_tag": lambda: client.set_model_version_tag("m", "1", "k", "v"),
        "get_model_version_download_uri": lambda: client.get_model_version_download_uri("m", "1"),
        "delete_model_version": lambda: client.delete_model_version("m", "1"),
        "delete_registered_model": lambda: client.delete_registered_model("m"),
        "mlflow.register_model(file)": lambda: mlflow.register_model(f"file://{folder}", "m"),
        "mlflow.register_model(env_pack)": lambda: mlflow.register_model(
            folder, "m", env_pack="databricks_model_serving"
        ),
    }


LOADING = "mlflow.pyfunc.load_model(models:/)"
NAMES = list(dict.fromkeys(line["call"] for line in RECORDED if line["client"] == MLFLOW and line["call"] != LOADING))
REFUSED_BY_THE_CLIENT = {
    "create_model_version(dbfs source)",
    "set_registered_model_alias",
    "delete_registered_model_alias",
    "mlflow.register_model(env_pack)",
}
FROM_NOTHING = {"create_registered_model", "mlflow.register_model(file)", "mlflow.register_model(env_pack)"}


@pytest.mark.mlflow
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", NAMES)
def test_mlflow_sends_what_was_recorded(job, servesim, folder, sent, name):
    client = job.MlflowClient(registry_uri="databricks")
    if name not in FROM_NOTHING:
        client.create_registered_model("m")
        servesim.models.stub("m", "echo")
    sent.clear()
    if name in REFUSED_BY_THE_CLIENT:
        with pytest.raises(Exception):  # noqa: B017, PT011 - MLflow's own, of several kinds
            calls(job, client, folder)[name]()
    else:
        calls(job, client, folder)[name]()
    expected = [as_recorded(line, folder) for line in RECORDED if (line["client"], line["call"]) == (MLFLOW, name)]
    # How often discovery is asked depends on what MLflow has kept from before.
    found = [plain(one) for one in sent if not one.path.startswith("/.well-known")]
    assert [call for call, _ in itertools.groupby(found)][: len(expected)] == expected


def as_recorded(line, folder):
    """Return a recorded call; signs that need not be encoded are encoded by one way of sending and not by another."""
    call = {key: line[key] for key in ("method", "path", "headers")}
    body = json.loads(json.dumps(line["body"]).replace("<path>", folder))
    return {**call, "query": parse_qsl(line["query"], keep_blank_values=True), "body": body}


@pytest.mark.mlflow
def test_a_version_is_ready_when_it_is_answered(client, sent, folder):
    """MLflow asks again every three seconds for one that is not."""
    client.create_registered_model("m")
    client.create_model_version("m", folder)
    assert [one.path for one in sent if one.path.endswith("model-versions/get")] == []


# --- the SDK --------------------------------------------------------------------------------------


@pytest.fixture
def api(servesim):
    """Give the SDK's ``model_registry``."""
    pytest.importorskip("databricks.sdk", reason="the extra `clients` is not installed")
    return servesim.client().model_registry


@pytest.mark.sdk
def test_the_life_of_a_model_in_the_sdk(api):
    from databricks.sdk import errors
    from databricks.sdk.service.ml import ModelTag

    made = api.create_model("m", description="d", tags=[ModelTag("a", "b")]).registered_model
    assert (made.name, made.description, made.tags) == ("m", "d", [ModelTag("a", "b")])
    with pytest.raises(errors.ResourceAlreadyExists):
        api.create_model("m")
    api.update_model("m", description="e")  # older SDKs return nothing
    api.set_model_tag("m", "k", "v")
    api.delete_model_tag("m", "a")
    found = api.get_model("m").registered_model_databricks
    assert (found.permission_level.value, found.tags, found.description, found.user_id) == (
        "CAN_MANAGE",
        [ModelTag("k", "v")],
        "e",
        "tester@example.com",
    )
    assert api.rename_model("m", new_name="n").registered_model.name == "n"
    assert [model.name for model in api.list_models()] == ["n"]
    assert [model.name for model in api.search_models(filter="name LIKE 'n'", order_by=["name ASC"])] == ["n"]
    api.delete_model("n")
    with pytest.raises(errors.ResourceDoesNotExist, match="does not exist"):
        api.get_model("n")
    assert list(api.list_models()) == []


@pytest.mark.sdk
def test_the_life_of_a_version_in_the_sdk(api, folder):
    from databricks.sdk.errors import BadRequest
    from databricks.sdk.service.ml import ModelVersionTag

    api.create_model("m")
    made = api.create_model_version("m", folder, run_id="r", tags=[ModelVersionTag("a", "b")]).model_version
    assert (made.version, made.status.value, made.run_id) == ("1", "READY", "r")
    api.create_model_version("m", folder)
    api.update_model_version("m", "1", description="x")
    api.set_model_version_tag("m", "1", "k", "v")
    api.delete_model_version_tag("m", "1", "a")
    found = api.get_model_version("m", "1").model_version
    assert (found.tags, found.description) == ([ModelVersionTag("k", "v")], "x")
    assert api.get_model_version_download_uri("m", "1").artifact_uri == folder
    stage = as_stage("Production")
    moved = api.transition_stage("m", "1", stage, archive_existing_versions=True, comment="go")
    if hasattr(moved, "model_version_databricks"):  # older SDKs look for it under another name
        own = moved.model_version_databricks
        assert (own.current_stage, own.permission_level.value, own.open_requests) == (stage, "CAN_MANAGE", [])
        assert own.email_subscription_status.value == "UNSUBSCRIBED"
    assert [one.version for one in api.get_latest_versions("m", stages=["Production"])] == ["1"]
    assert [one.version for one in api.search_model_versions(filter="name='m'", order_by=["version"])] == ["1", "2"]
    with pytest.raises(BadRequest, match="only what is in None or Archived"):
        api.delete_model_version("m", "1")
    api.transition_stage("m", "1", as_stage("Archived"), archive_existing_versions=False)
    api.delete_model_version("m", "1")
    assert [one.version for one in api.search_model_versions(filter="name='m'")] == ["2"]


@pytest.mark.sdk
def test_pages_in_the_sdk(api):
    for number in range(5):
        api.create_model(f"m{number}")
    assert [model.name for model in api.list_models(max_results=2)] == [f"m{number}" for number in range(5)]
    assert [model.name for model in api.search_models(max_results=2)] == [f"m{number}" for number in range(5)]


@pytest.mark.sdk
def test_permissions_in_the_sdk(api):
    from databricks.sdk.service.ml import RegisteredModelAccessControlRequest, RegisteredModelPermissionLevel

    api.create_model("m")
    model_id = api.get_model("m").registered_model_databricks.id
    levels = api.get_permission_levels(model_id).permission_levels
    assert [one.permission_level for one in levels] == [
        RegisteredModelPermissionLevel.CAN_READ,
        RegisteredModelPermissionLevel.CAN_EDIT,
        RegisteredModelPermissionLevel.CAN_MANAGE_STAGING_VERSIONS,
        RegisteredModelPermissionLevel.CAN_MANAGE_PRODUCTION_VERSIONS,
        RegisteredModelPermissionLevel.CAN_MANAGE,
    ]
    entry = RegisteredModelAccessControlRequest(
        group_name="g", permission_level=RegisteredModelPermissionLevel.CAN_MANAGE_STAGING_VERSIONS
    )
    added = api.update_permissions(model_id, access_control_list=[entry])
    assert added.object_id == f"/registered-models/{model_id}"
    named = {one.group_name or one.user_name for one in added.access_control_list}
    assert named == {"g", "tester@example.com", "admins"}
    api.set_permissions(model_id, access_control_list=[])
    assert [one.group_name for one in api.get_permissions(model_id).access_control_list] == ["admins"]


def as_stage(text, kind="Stage"):
    """Return a stage as this SDK has it: older ones have kinds of their own for it, newer ones take a string."""
    from databricks.sdk.service import ml

    return getattr(ml, kind, str)(text)


def left_out():
    from databricks.sdk.service.ml import RegistryWebhookEvent

    version, staging = {"name": "m", "version": "1"}, as_stage("Staging")
    deleted = as_stage("Staging", "DeleteTransitionRequestStage")
    return {
        "approve_transition_request": version | {"stage": staging, "archive_existing_versions": True},
        "create_comment": version | {"comment": "c"},
        "create_transition_request": version | {"stage": staging},
        "create_webhook": {"events": [RegistryWebhookEvent.MODEL_VERSION_CREATED]},
        "delete_comment": {"id": "1"},
        "delete_transition_request": version | {"stage": deleted, "creator": "a@b"},
        "delete_webhook": {"id": "1"},
        "list_transition_requests": version,
        "list_webhooks": {},
        "reject_transition_request": version | {"stage": staging},
        "test_registry_webhook": {"id": "1"},
        "update_comment": {"id": "1", "comment": "c"},
        "update_webhook": {"id": "1"},
    }


@pytest.mark.sdk
def test_what_is_not_simulated_says_so_in_the_sdk(api, servesim):
    from databricks.sdk.errors import NotImplemented as SaidNot

    for name, arguments in left_out().items():
        with pytest.raises(SaidNot, match="servesim does not simulate"):
            list(getattr(api, name)(**arguments) or ())
    servesim.workspace.not_simulated.clear()


@pytest.mark.sdk
def test_every_method_of_the_sdk_is_called_somewhere_here(api):
    known = {name for name in dir(api) if not name.startswith("_") and callable(getattr(api, name))}
    text = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in known if f"api.{name}(" not in text} <= set(left_out())


# --- a deployment job -----------------------------------------------------------------------------


def deploy(workspace, endpoint, model, version):
    """Do what the published deployment notebook does: update, and create where there is nothing to update."""
    from databricks.sdk.errors import ResourceDoesNotExist
    from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput

    entity = ServedEntityInput(
        entity_name=model, entity_version=version, workload_size="Small", scale_to_zero_enabled=True
    )
    try:
        workspace.serving_endpoints.update_config_and_wait(name=endpoint, served_entities=[entity])
    except ResourceDoesNotExist:
        config = EndpointCoreConfigInput(name=endpoint, served_entities=[entity])
        workspace.serving_endpoints.create_and_wait(name=endpoint, config=config)


@pytest.fixture
def trained(real_models, tmp_path):
    """Copy a trained scikit-learn model to where a job keeps it: a client may delete what it registers."""
    return shutil.copytree(real_models / "iris", tmp_path / "iris")


@pytest.mark.mlflow
@pytest.mark.sdk
@pytest.mark.filterwarnings("ignore")  # what MLflow and its libraries warn of when they are imported
def test_a_training_job_and_a_deployment_job(job, client, servesim, trained):
    from databricks.sdk.service.serving import DataframeSplitInput
    from sklearn.datasets import load_iris

    rows, _ = load_iris(return_X_y=True, as_frame=True)
    expected = job.sklearn.load_model(str(trained)).predict(rows).tolist()
    registered = job.register_model(str(trained), "iris", tags={"team": "risk"})
    assert (registered.version, registered.status, registered.source) == ("1", "READY", str(trained))
    client.transition_model_version_stage("iris", registered.version, "Staging")
    shutil.rmtree(trained)  # the registry has its own copy

    for uri in ("models:/iris/1", "models:/iris/Staging", "models:/iris/latest"):
        assert job.pyfunc.load_model(uri).predict(rows).tolist() == expected

    workspace = servesim.client()
    deploy(workspace, "flowers", "iris", registered.version)
    split = DataframeSplitInput.from_dict(rows.head(7).to_dict(orient="split"))
    asked = workspace.serving_endpoints.query("flowers", dataframe_split=split)
    assert asked.predictions == expected[:7]

    again = job.register_model("models:/iris/1", "iris")
    deploy(workspace, "flowers", "iris", again.version)
    entity = workspace.serving_endpoints.get("flowers").config.served_entities[0]
    assert (entity.entity_version, again.version) == ("2", "2")
    assert workspace.serving_endpoints.query("flowers", dataframe_split=split).predictions == expected[:7]


@pytest.mark.mlflow
@pytest.mark.filterwarnings("ignore")
def test_what_load_model_asks_first_is_what_was_recorded(job, trained, sent):
    job.register_model(str(trained), "m")
    sent.clear()
    job.pyfunc.load_model("models:/m/1")
    expected = [as_recorded(line, "") for line in RECORDED if (line["client"], line["call"]) == (MLFLOW, LOADING)]
    found = [plain(one) for one in sent if one.path.endswith("list-artifacts")]
    assert found[: len(expected)] == expected
