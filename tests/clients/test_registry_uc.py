"""Unity Catalog by unmodified clients: MLflow with ``databricks-uc``, and the Databricks SDK."""

import json
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest

pytestmark = [
    pytest.mark.servesim(poll="settle"),
    pytest.mark.filterwarnings("ignore"),  # MLflow's own, and those of what it is built on
]

MODEL = "main.ml.fraud"
NEW = "main.d.m"
RECORDED = [
    json.loads(line)
    for line in Path(__file__).with_name("recorded_calls.jsonl").read_text(encoding="utf-8").splitlines()
]
UC, SDK_UC = "mlflow 3.17.2 databricks-uc", "databricks-sdk 0.156.0 unity-catalog"
QUIET = {"Host", "User-Agent", "Accept-Encoding", "Connection", "Content-Length"}
"""Headers that say nothing about the call."""


def recorded(client, call):
    return [
        {key: line[key] for key in ("method", "path", "query", "headers", "body")}
        for line in RECORDED
        if (line["client"], line["call"]) == (client, call)
    ]


def plain(sent):
    headers = {name: value for name, value in sorted(sent.headers.items()) if name not in QUIET}
    if "Authorization" in headers:
        headers["Authorization"] = "Bearer ***"
    if "X-MLflow-Client-Version" in headers:
        headers["X-MLflow-Client-Version"] = "*"
    body = None if "/fs/files/" in sent.path else sent.body
    return {"method": sent.method, "path": sent.path, "query": sent.query, "headers": headers, "body": body}


def speaking(calls):
    """Leave out discovery: how often it is asked depends on what MLflow has kept from before."""
    return [{**one, "query": unquote(one["query"])} for one in calls if "well-known" not in one["path"]]


@pytest.fixture
def mlflow(world, monkeypatch):
    """Give MLflow with its registry in Unity Catalog."""
    mlflow = pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    from mlflow.tracking import _model_registry

    environment = {
        **world.env,
        "MLFLOW_REGISTRY_URI": "databricks-uc",
        "MLFLOW_TRACKING_URI": "databricks",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert _model_registry.utils.get_registry_uri() == "databricks-uc"
    return mlflow


@pytest.fixture
def registry(mlflow):
    """Give MLflow's client of the registry, which has three versions of a model."""
    return mlflow.MlflowClient(registry_uri="databricks-uc")


@pytest.fixture
def throw_away(real_models, tmp_path):
    """Copy a model: MLflow deletes the folder of a ``file:`` URI that it registers in Unity Catalog."""

    def copy(name):
        return Path(shutil.copytree(real_models / name, tmp_path / name))

    return copy


# --- MLflow's client ------------------------------------------------------------------------------


@pytest.mark.mlflow
def test_a_registered_model(registry):
    made = registry.create_registered_model("main.d.m", tags={"a": "b"}, description="d")
    assert (made.name, made.tags, made.description) == ("main.d.m", {"a": "b"}, "d")
    registry.update_registered_model("main.d.m", "changed")
    registry.set_registered_model_tag("main.d.m", "k", "v")
    registry.delete_registered_model_tag("main.d.m", "a")
    got = registry.get_registered_model("main.d.m")
    assert (got.description, got.tags) == ("changed", {"k": "v"})
    assert got.last_updated_timestamp >= got.creation_timestamp
    assert [one.name for one in registry.search_registered_models()] == ["main.d.m", MODEL]
    registry.rename_registered_model("main.d.m", "main.d.renamed")
    assert registry.get_registered_model("main.d.renamed").tags == {"k": "v"}
    registry.delete_registered_model("main.d.renamed")
    assert [one.name for one in registry.search_registered_models()] == [MODEL]


@pytest.mark.mlflow
def test_models_are_searched_in_pages(registry):
    for number in range(3):
        registry.create_registered_model(f"main.d.m{number}")
    first = registry.search_registered_models(max_results=3)
    rest = registry.search_registered_models(max_results=3, page_token=first.token)
    assert [one.name for one in [*first, *rest]] == ["main.d.m0", "main.d.m1", "main.d.m2", MODEL]
    assert not rest.token


@pytest.mark.mlflow
def test_a_version(registry):
    version = registry.get_model_version(MODEL, "2")
    assert (version.name, version.version, version.status) == (MODEL, "2", "READY")
    registry.update_model_version(MODEL, "2", "changed")
    registry.set_model_version_tag(MODEL, "2", "k", "v")
    registry.set_model_version_tag(MODEL, "2", "gone", "v")
    registry.delete_model_version_tag(MODEL, "2", "gone")
    got = registry.get_model_version(MODEL, "2")
    assert (got.description, got.tags) == ("changed", {"k": "v"})
    assert registry.get_model_version_download_uri(MODEL, "2").endswith("/main/ml/fraud/2")
    assert [one.version for one in registry.search_model_versions(f"name='{MODEL}'")] == ["3", "2", "1"]
    registry.delete_model_version(MODEL, "2")
    assert [one.version for one in registry.search_model_versions(f"name='{MODEL}'")] == ["3", "1"]


@pytest.mark.mlflow
def test_an_alias(registry):
    registry.set_registered_model_alias(MODEL, "champion", "3")
    assert registry.get_model_version_by_alias(MODEL, "champion").version == "3"
    assert registry.get_registered_model(MODEL).aliases == {"champion": "3"}
    assert registry.get_model_version(MODEL, "3").aliases == ["champion"]
    registry.delete_registered_model_alias(MODEL, "champion")
    assert registry.get_registered_model(MODEL).aliases == {}


@pytest.mark.mlflow
@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        (lambda registry: registry.create_registered_model(MODEL), "RESOURCE_ALREADY_EXISTS", MODEL),
        (lambda registry: registry.get_registered_model("main.d.none"), "RESOURCE_DOES_NOT_EXIST", "main.d.none"),
        (lambda registry: registry.get_model_version(MODEL, "9"), "RESOURCE_DOES_NOT_EXIST", "9"),
        (lambda registry: registry.get_model_version_by_alias(MODEL, "none"), "RESOURCE_DOES_NOT_EXIST", "none"),
        (
            lambda registry: registry.create_registered_model("fraud"),
            "INTERNAL_ERROR",  # what MLflow makes of the code when it adds its hint
            "set the Model Registry URI to 'databricks' .legacy. instead of 'databricks-uc'",
        ),
        (lambda registry: registry.search_model_versions("run_id='x'"), "INVALID_PARAMETER_VALUE", "name = "),
    ],
    ids=["taken", "no model", "no version", "no alias", "one level", "filter"],
)
def test_errors_reach_the_user(registry, call, code, words):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=words) as refused:
        call(registry)
    assert refused.value.error_code == code


@pytest.mark.mlflow
def test_a_stranger_is_told_what_is_missing(registry, world, monkeypatch):
    from mlflow.exceptions import MlflowException

    registry.create_registered_model("main.d.m")
    monkeypatch.setenv("DATABRICKS_TOKEN", world.principals.add(user="stranger@example.com"))
    with pytest.raises(MlflowException, match="PERMISSION_DENIED") as refused:
        registry.update_registered_model("main.d.m", "x")
    assert refused.value.error_code == "PERMISSION_DENIED"


def prepared(registry):
    registry.create_registered_model("main.d.m", tags={"a": "b"}, description="d")
    return registry


MLFLOW_CALLS = {
    "create_registered_model": prepared,
    "get_registered_model": lambda registry: registry.get_registered_model(NEW),
    "get_model_version": lambda registry: registry.get_model_version(NEW, "1"),
    "update_model_version": lambda registry: registry.update_model_version(NEW, "1", "x"),
    "transition_model_version_stage": lambda registry: registry.transition_model_version_stage(NEW, "1", "Production"),
    "set_registered_model_alias": lambda registry: registry.set_registered_model_alias(NEW, "champion", "1"),
    "get_model_version_by_alias": lambda registry: registry.get_model_version_by_alias(NEW, "champion"),
    "delete_registered_model_alias": lambda registry: registry.delete_registered_model_alias(NEW, "champion"),
    "get_latest_versions": lambda registry: registry.get_latest_versions(NEW),
    "search_model_versions": lambda registry: registry.search_model_versions(f"name='{NEW}'"),
    "search_registered_models": lambda registry: registry.search_registered_models(),
    "set_model_version_tag": lambda registry: registry.set_model_version_tag(NEW, "1", "k", "v"),
    "get_model_version_download_uri": lambda registry: registry.get_model_version_download_uri(NEW, "1"),
    "delete_model_version": lambda registry: registry.delete_model_version(NEW, "1"),
    "delete_registered_model": lambda registry: registry.delete_registered_model(NEW),
}
REFUSED_BY_MLFLOW = {"transition_model_version_stage", "get_latest_versions"}


@pytest.mark.mlflow
@pytest.mark.parametrize("call", MLFLOW_CALLS)
def test_mlflow_sends_what_was_recorded(registry, world, sent, call):
    from mlflow.exceptions import MlflowException

    if call != "create_registered_model":
        world.models.stub(NEW, "echo")
        registry.set_registered_model_alias(NEW, "champion", "1")
    sent.clear()
    if call in REFUSED_BY_MLFLOW:
        with pytest.raises(MlflowException, match="unsupported for models in the Unity Catalog"):
            MLFLOW_CALLS[call](registry)
    else:
        MLFLOW_CALLS[call](registry)
    assert speaking(plain(one) for one in sent) == speaking(recorded(UC, call))


# --- registering, loading, serving ----------------------------------------------------------------


def served(world, name, version):
    """Serve a version, and return what asks it."""
    world.client().serving_endpoints.create_and_wait("served", config=one_entity(name, version))
    return world.client().serving_endpoints


def one_entity(name, version):
    from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput

    entity = ServedEntityInput(
        entity_name=name, entity_version=version, workload_size="Small", scale_to_zero_enabled=True
    )
    return EndpointCoreConfigInput(name="served", served_entities=[entity])


@pytest.mark.mlflow
@pytest.mark.sdk
def test_a_real_model_is_registered_loaded_and_served(mlflow, registry, world, throw_away, sent):
    from sklearn.datasets import load_iris

    rows, _ = load_iris(return_X_y=True, as_frame=True)
    source = throw_away("iris")
    version = mlflow.register_model(str(source), NEW)
    assert (version.name, version.version, version.status, version.source) == (NEW, "1", "READY", str(source))
    registering = [plain(one) for one in sent]
    registry.set_registered_model_alias(NEW, "champion", "1")
    expected = mlflow.sklearn.load_model(str(source)).predict(rows).tolist()
    for uri in (f"models:/{NEW}/1", f"models:/{NEW}@champion"):
        assert mlflow.pyfunc.load_model(uri).predict(rows).tolist() == expected
    asked = served(world, NEW, "1").query("served", dataframe_records=rows.to_dict(orient="records"))
    assert asked.predictions == expected
    check_registering(registering, source)


def check_registering(registering, source):
    """Compare the calls of a registration with what was recorded: MLflow uploads in an order of its own."""
    expected = recorded(UC, "register (sdk artifact repo enabled)")
    for one in expected:
        if one["path"].endswith("model-versions/create"):
            one["body"]["source"] = str(source)

    def ordered(calls):
        return sorted(json.dumps(one, sort_keys=True) for one in speaking(calls))

    made = [one for one in registering if "/directories/" not in one["path"]]
    assert ordered(made) == ordered(expected)


@pytest.mark.mlflow
@pytest.mark.sdk
def test_a_model_of_tensors_is_registered_loaded_and_served(mlflow, world, throw_away):
    import numpy as np

    version = mlflow.register_model(f"file://{throw_away('tensor')}", NEW)
    assert version.status == "READY"
    tensor = np.array([[1.0, 2.5], [3.0, 4.0]])
    doubled = [[2.0, 5.0], [6.0, 8.0]]
    assert mlflow.pyfunc.load_model(f"models:/{NEW}/1").predict(tensor).tolist() == doubled
    assert served(world, NEW, "1").query("served", inputs=tensor.tolist()).predictions == doubled


@pytest.mark.mlflow
def test_what_is_logged_is_registered_with_it(mlflow, throw_away, monkeypatch, tmp_path):
    import numpy as np

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/tracking.db")
    registry = mlflow.MlflowClient()

    model = mlflow.sklearn.load_model(str(throw_away("iris")))
    rows = np.array([[5.1, 3.5, 1.4, 0.2]])
    signature = mlflow.models.infer_signature(rows, model.predict(rows))
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(
            model, name="m", signature=signature, registered_model_name=NEW, pip_requirements=["mlflow"]
        )
    assert logged.registered_model_version == "1"
    version = registry.get_model_version(NEW, "1")
    assert (version.status, version.run_id) == ("READY", run.info.run_id)
    again = mlflow.register_model(logged.model_uri, NEW)
    assert (again.version, again.status) == ("2", "READY")
    registry.create_registered_model("main.prod.m")
    copied = registry.create_model_version("main.prod.m", f"models:/{NEW}/2")
    assert (copied.name, copied.version, copied.status) == ("main.prod.m", "1", "READY")
    loaded = mlflow.pyfunc.load_model("models:/main.prod.m/1")
    assert loaded.predict(rows).tolist() == model.predict(rows).tolist()


@pytest.mark.mlflow
def test_older_ways_of_moving_files(mlflow, throw_away, monkeypatch):
    from databricks.sdk import WorkspaceClient

    monkeypatch.setenv("MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC", "false")
    assert mlflow.register_model(str(throw_away("tensor")), NEW).status == "READY"
    loaded = mlflow.pyfunc.load_model(f"models:/{NEW}/1")
    assert loaded.metadata.signature is not None
    assert WorkspaceClient().model_versions.get(NEW, 1).status.value == "READY"


@pytest.mark.mlflow
def test_a_model_without_a_signature_leaves_no_version(mlflow, registry, throw_away, sent):
    from mlflow.exceptions import MlflowException

    source = throw_away("tensor")
    text = (source / "MLmodel").read_text(encoding="utf-8")
    (source / "MLmodel").write_text(text.partition("signature:")[0], encoding="utf-8")
    with pytest.raises(MlflowException, match="did not contain any signature"):
        mlflow.register_model(str(source), NEW)
    assert speaking(map(plain, sent)) == speaking(recorded(UC, "register no signature"))
    assert registry.search_model_versions(f"name='{NEW}'") == []


@pytest.fixture
def native(mlflow, monkeypatch):
    """Let MLflow use the store that calls the public API, which it makes once and keeps."""
    store = pytest.importorskip("mlflow.store._unity_catalog.registry.uc_native_rest_store")
    from mlflow.tracking._model_registry import utils

    monkeypatch.setenv("MLFLOW_ENABLE_UC_NATIVE_MODEL_REGISTRY", "true")
    forget = utils._get_store_registry()._get_store_with_resolved_uri.cache_clear
    forget()
    assert isinstance(utils._get_store("databricks-uc"), store.UcNativeModelRegistryStore)
    yield mlflow.MlflowClient(registry_uri="databricks-uc")
    forget()


@pytest.mark.mlflow
@pytest.mark.parametrize("uses_sdk", ["true", "false"], ids=["Files API", "signed URLs"])
def test_the_native_store_of_mlflow(mlflow, native, throw_away, monkeypatch, uses_sdk):
    monkeypatch.setenv("MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC", uses_sdk)
    registry = native
    assert mlflow.register_model(str(throw_away("tensor")), NEW, tags={"a": "b"}).status == "READY"
    registry.update_registered_model(NEW, "d")
    registry.update_model_version(NEW, "1", "dv")
    registry.set_registered_model_tag(NEW, "k", "v")
    registry.set_model_version_tag(NEW, "1", "k", "v")
    registry.delete_model_version_tag(NEW, "1", "a")
    registry.set_registered_model_alias(NEW, "champion", "1")
    model, version = registry.get_registered_model(NEW), registry.get_model_version_by_alias(NEW, "champion")
    assert (model.description, model.tags, model.aliases) == ("d", {"k": "v"}, {"champion": "1"})
    assert (version.version, version.description, version.tags) == ("1", "dv", {"k": "v"})
    assert version.aliases == ["champion"]
    assert mlflow.pyfunc.load_model(f"models:/{NEW}@champion").metadata.signature is not None
    assert registry.get_model_version_download_uri(NEW, "1").endswith("/main/d/m/1")
    assert [one.version for one in registry.search_model_versions(f"name = '{NEW}'")] == ["1"]
    assert [one.name for one in registry.search_registered_models()] == [NEW, MODEL]
    registry.delete_registered_model_tag(NEW, "k")
    registry.delete_registered_model_alias(NEW, "champion")
    registry.rename_registered_model(NEW, "renamed")
    registry.delete_model_version("main.d.renamed", "1")
    registry.delete_registered_model("main.d.renamed")
    assert [one.name for one in registry.search_registered_models()] == [MODEL]


# --- the SDK --------------------------------------------------------------------------------------


@pytest.fixture
def sdk(client):
    """Give the Databricks SDK where it is installed."""
    pytest.importorskip("databricks.sdk", reason="the extra `clients` is not installed")
    return client


@pytest.mark.sdk
def test_the_sdk_on_registered_models(sdk):
    models = sdk.registered_models
    made = models.create(catalog_name="main", schema_name="d", name="m", comment="c")
    assert (made.full_name, made.comment, made.owner) == ("main.d.m", "c", sdk.current_user.me().user_name)
    assert models.update("main.d.m", comment="changed").comment == "changed"
    assert [one.full_name for one in models.list()] == ["main.d.m", MODEL]
    assert [one.full_name for one in models.list(catalog_name="main", schema_name="d", max_results=1)] == ["main.d.m"]
    assert [one.full_name for one in models.list(max_results=1, include_browse=True)] == ["main.d.m", MODEL]
    assert models.update("main.d.m", new_name="n").full_name == "main.d.n"
    alias = models.set_alias(MODEL, "champion", 2)
    assert (alias.alias_name, alias.version_num) == ("champion", 2)
    assert getattr(alias, "model_name", "fraud") == "fraud"  # older SDKs do not read it
    assert models.get(MODEL).aliases == []
    assert [one.alias_name for one in models.get(MODEL, include_aliases=True).aliases] == ["champion"]
    models.delete_alias(MODEL, "champion")
    assert models.get(MODEL, include_aliases=True).aliases == []
    models.delete("main.d.n")
    assert [one.full_name for one in models.list()] == [MODEL]


@pytest.mark.sdk
def test_the_sdk_on_versions(sdk):
    from databricks.sdk.service.catalog import ModelVersionInfoStatus

    versions = sdk.model_versions
    sdk.registered_models.set_alias(MODEL, "champion", 2)
    assert [one.version for one in versions.list(MODEL)] == [3, 2, 1]
    assert [one.version for one in versions.list(MODEL, max_results=1)] == [3, 2, 1]
    got = versions.get(MODEL, 2, include_aliases=True)
    assert (got.model_name, got.version, got.status) == ("fraud", 2, ModelVersionInfoStatus.READY)
    assert [one.alias_name for one in got.aliases] == ["champion"]
    assert versions.get_by_alias(MODEL, "champion").version == 2
    assert versions.update(MODEL, 2, comment="changed").comment == "changed"
    assert versions.update(MODEL, 2).comment == "changed"
    versions.delete(MODEL, 2)
    assert [one.version for one in versions.list(MODEL)] == [3, 1]
    assert sdk.registered_models.get(MODEL, include_aliases=True).aliases == []


@pytest.mark.sdk
def test_the_sdk_raises_its_own_errors(sdk):
    from databricks.sdk import errors

    with pytest.raises(errors.NotFound):
        sdk.registered_models.get("main.d.none")
    with pytest.raises(errors.NotFound):
        sdk.model_versions.get(MODEL, 9)
    with pytest.raises(errors.ResourceAlreadyExists):
        sdk.registered_models.create(catalog_name="main", schema_name="ml", name="fraud")
    with pytest.raises(errors.InvalidParameterValue, match="specify all three levels"):
        sdk.registered_models.get("fraud")


@pytest.mark.sdk
@pytest.mark.parametrize("call", ["registered_models.get", "model_versions.list"])
def test_the_sdk_sends_what_was_recorded(sdk, world, sent, call):
    world.models.stub(NEW, "echo")
    client = world.client()
    sent.clear()
    if call == "registered_models.get":
        client.registered_models.get(NEW)
    else:
        list(client.model_versions.list(NEW))
    assert [plain(one) for one in sent] == recorded(SDK_UC, call)
