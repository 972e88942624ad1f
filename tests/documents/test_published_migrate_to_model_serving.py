"""Migrate to Model Serving: its dates, requirements, changes and steps, each as a test named after it."""

import pytest

DOCUMENT = "Migrate to Model Serving"
ADDRESS = "https://docs.databricks.com/aws/en/machine-learning/model-serving/migrate-model-serving"

ENDPOINTS = "/api/2.0/serving-endpoints"
LEGACY = "/api/2.0/mlflow/endpoints"
IRIS = {"registered_model_name": "iris-classifier"}
BARE = {"columns": ["length"], "data": [[5.1], [4.9]]}
"""What callers of a model with MLflow 1.x send to legacy serving."""
SPLIT = {"dataframe_split": BARE}


def entity(model, version):
    return {
        "entity_name": model,
        "entity_version": version,
        "workload_size": "Small",
        "scale_to_zero_enabled": True,
    }


def create(world, name, model, version, **options):
    body = {"name": name, "config": {"served_entities": [entity(model, version)]}}
    return world.ask("POST", ENDPOINTS, body, **options)


@pytest.fixture
def old(opens):
    """A workspace of June 2025 in which legacy serving is on for a model that declares MLflow 1.28."""
    world = opens(poll="settle", start="2025-06-01T00:00:00Z")
    world.models.stub("iris-classifier", "constant", value=0.5, mlflow_version="1.28.0")
    world.models.stub("main.ml.iris", "constant", value=0.5)
    world.do("POST", f"{LEGACY}/enable", IRIS)
    world.until(f"{LEGACY}/get-status?registered_model_name=iris-classifier", is_ready)
    world.until(f"{LEGACY}/list-versions?registered_model_name=iris-classifier", are_ready)
    return world


def is_ready(document):
    return document["endpoint_status"]["state"] == "ENDPOINT_STATE_READY"


def are_ready(document):
    return {one["state"] for one in document["endpoint_versions"]} == {"VERSION_STATE_READY"}


# --- dates ----------------------------------------------------------------------------------------


def test_dates_no_new_endpoint_from_22_august_2025(old):
    """Dates: from 22 August 2025 on nobody begins with legacy serving."""
    old.models.stub("late", "constant", value=1)
    old.models.stub("later", "constant", value=1)
    old.clock.run_until("2025-08-21T23:59:59Z")
    old.do("POST", f"{LEGACY}/enable", {"registered_model_name": "late"})
    old.clock.run_until("2025-08-22T00:00:00Z")
    status, refusal = old.ask("POST", f"{LEGACY}/enable", {"registered_model_name": "later"})
    assert (status, refusal["error_code"]) == (404, "FEATURE_DISABLED")
    assert old.do("POST", "/model/iris-classifier/1/invocations", BARE) == [0.5, 0.5]


def test_dates_the_end_on_15_september_2025(old):
    """Dates: from 15 September 2025 on what is there can be used no more."""
    old.clock.run_until("2025-09-14T23:59:59Z")
    assert old.do("POST", "/model/iris-classifier/1/invocations", BARE) == [0.5, 0.5]
    old.clock.run_until("2025-09-15T00:00:00Z")
    for method, path, body in (
        ("POST", "/model/iris-classifier/1/invocations", BARE),
        ("GET", f"{LEGACY}/get-status?registered_model_name=iris-classifier", None),
        ("GET", f"{LEGACY}/list", None),
    ):
        status, refusal = old.ask(method, path, body)
        assert (status, refusal["error_code"]) == (404, "FEATURE_DISABLED"), path
        assert "2025-09-15" in refusal["message"]


# --- requirements ---------------------------------------------------------------------------------


def test_requirement_1_a_registered_model(opens):
    """Requirements 1: the model is registered."""
    status, refusal = create(opens(), "iris", "iris-classifier", "1")
    assert (status, refusal["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_requirement_2_permissions_on_the_model(opens):
    """Requirements 2: permissions on the registered model."""
    world = opens()
    world.models.stub("iris-classifier", "echo")
    world.models.allow("iris-classifier", ["ann@example.com"])
    bob = world.principals.add("bob@example.com", entitlements=["allow-cluster-create"])
    status, refusal = create(world, "iris", "iris-classifier", "1", token=bob)
    assert (status, refusal["error_code"]) == (403, "PERMISSION_DENIED")


def test_requirement_3_serverless_compute(opens):
    """Requirements 3: the workspace has serverless compute; without it, it has no model serving.

    In the UI: serverless compute is switched on for the workspace.

    Here: the setting `model_serving` of a workspace, which is `enabled` unless a scenario or an option says otherwise
    """
    world = opens(model_serving="disabled")
    world.models.stub("iris-classifier", "echo")
    status, refusal = create(world, "iris", "iris-classifier", "1")
    assert status == 500
    assert "Model serving is not enabled" in refusal["message"]
    assert create(opens(unknown_models="stub"), "iris", "iris-classifier", "1")[0] == 200


# --- what changes ---------------------------------------------------------------------------------


def test_changes_request_and_response(old):
    """Significant changes: the formats of request and response."""
    create(old, "iris", "iris-classifier", "1")
    old.do("GET", f"{ENDPOINTS}/iris")
    before = old.do("POST", "/model/iris-classifier/1/invocations", BARE)
    after = old.do("POST", "/serving-endpoints/iris/invocations", SPLIT)
    assert (before, after) == ([0.5, 0.5], {"predictions": [0.5, 0.5]})
    status, refusal = old.ask("POST", "/serving-endpoints/iris/invocations", BARE)
    assert (status, refusal["error_code"]) == (400, "BAD_REQUEST")
    assert "dataframe_split" in refusal["message"]


def test_changes_the_url(old):
    """Significant changes: the URL has `serving-endpoints` in place of `model`."""
    create(old, "iris-classifier", "iris-classifier", "1")
    old.do("GET", f"{ENDPOINTS}/iris-classifier")
    assert old.ask("POST", "/model/iris-classifier/1/invocations", BARE)[0] == 200
    assert old.ask("POST", "/serving-endpoints/iris-classifier/invocations", SPLIT)[0] == 200


def test_changes_everything_by_api(old):
    """Significant changes: endpoints are managed by API from creation to deletion."""
    create(old, "iris", "iris-classifier", "1")
    assert [one["name"] for one in old.do("GET", ENDPOINTS)["endpoints"]] == ["iris"]
    old.do("GET", f"{ENDPOINTS}/iris")
    old.do("PUT", f"{ENDPOINTS}/iris/config", {"served_entities": [entity("main.ml.iris", "1")]})
    old.do("GET", f"{ENDPOINTS}/iris")
    old.do("PATCH", f"{ENDPOINTS}/iris/tags", {"add_tags": [{"key": "team", "value": "flora"}]})
    old.do("DELETE", f"{ENDPOINTS}/iris")
    assert old.ask("GET", f"{ENDPOINTS}/iris")[0] == 404


# --- find and move --------------------------------------------------------------------------------


def test_find_what_legacy_serves(old):
    """Find the models that legacy serving serves.

    In the UI: *Models*, the filter *Workspace Model Registry*, then the filter *Legacy serving enabled only*.

    Here: `servesim migrate inventory`, or `GET /api/2.0/mlflow/endpoints/list`
    """
    old.models.stub("never-served", "echo")
    told = old.run("servesim migrate inventory")
    assert "iris-classifier" in told
    assert "never-served" not in told
    assert [one["registered_model_name"] for one in old.do("GET", f"{LEGACY}/list")["endpoints"]] == ["iris-classifier"]


def test_move_step_1_register_in_unity_catalog(opens):
    """Move a model, step 1: register it to Unity Catalog.

    In the UI: as Unity Catalog's own pages say.

    Here: `mlflow.register_model`, which makes `POST /api/2.0/mlflow/unity-catalog/registered-models/create` and
    `POST /api/2.0/mlflow/unity-catalog/model-versions/create`
    """
    world = opens()
    uc = "/api/2.0/mlflow/unity-catalog"
    world.do("POST", f"{uc}/registered-models/create", {"name": "main.ml.iris"})
    version = {"name": "main.ml.iris", "source": "models:/iris-classifier/1"}
    made = world.do("POST", f"{uc}/model-versions/create", version)["model_version"]
    assert (made["name"], made["version"], made["status"]) == ("main.ml.iris", "1", "PENDING_REGISTRATION")


def test_move_steps_2_and_3_create_the_endpoint(old):
    """Move a model, steps 2 and 3: create an endpoint with it, while legacy serving goes on.

    In the UI: *Serving endpoints* in the sidebar, a new endpoint with the model.

    Here: `POST /api/2.0/serving-endpoints`, then `GET /api/2.0/serving-endpoints/iris` until it is `READY`
    """
    assert create(old, "iris", "main.ml.iris", "1")[0] == 200
    assert old.do("GET", f"{ENDPOINTS}/iris")["state"]["ready"] == "READY"
    is_still_ready = old.do("GET", f"{LEGACY}/get-status?registered_model_name=iris-classifier")
    assert is_ready(is_still_ready)


def test_move_step_4_callers_change_url_and_format(old):
    """Move a model, step 4: callers take the new URL and the new format, and get the same predictions."""
    create(old, "iris", "main.ml.iris", "1")
    old.do("GET", f"{ENDPOINTS}/iris")
    before = old.do("POST", "/model/iris-classifier/1/invocations", BARE)
    after = old.do("POST", "/serving-endpoints/iris/invocations", SPLIT)
    assert after["predictions"] == before


def test_move_steps_5_to_8_stop_legacy_serving(old):
    """Move a model, steps 5 to 8: legacy serving is stopped, and the endpoint goes on.

    In the UI: *Models* in the sidebar, the model, the tab *Serving*, *Stop*, and *Stop Serving* in what it asks.

    Here: `POST /api/2.0/mlflow/endpoints/disable {"registered_model_name": "iris-classifier"}`
    """
    create(old, "iris", "main.ml.iris", "1")
    old.do("GET", f"{ENDPOINTS}/iris")
    old.do("POST", f"{LEGACY}/disable", IRIS)
    assert old.ask("POST", "/model/iris-classifier/1/invocations", BARE)[0] == 404
    assert old.do("POST", "/serving-endpoints/iris/invocations", SPLIT) == {"predictions": [0.5, 0.5]}
    assert old.do("GET", f"{LEGACY}/list").get("endpoints", []) == []


# --- one endpoint for each stage ------------------------------------------------------------------


@pytest.fixture
def stages(opens):
    """A registered model with version 1 in Production and version 2 in Staging; each answers its number."""
    world = opens(poll="settle")
    for version in (1, 2):
        world.models.stub("model-A", "constant", value=version)
    world.move("model-A", "1", "Production")
    world.move("model-A", "2", "Staging")
    return world


def answers(world, stage):
    """Return which version answers for a stage."""
    body = {"dataframe_split": {"columns": ["x"], "data": [[1]]}}
    (version,) = world.do("POST", f"/serving-endpoints/modelA-{stage}/invocations", body)["predictions"]
    return version


@pytest.fixture
def served(stages):
    """One endpoint for each stage, ready."""
    for stage, version in (("Staging", "2"), ("Production", "1")):
        assert create(stages, f"modelA-{stage}", "model-A", version)[0] == 200
        assert stages.do("GET", f"{ENDPOINTS}/modelA-{stage}")["state"]["ready"] == "READY"
    return stages


def test_stages_step_1_create_an_endpoint_for_each(stages):
    """Versions in stages, step 1: an endpoint for each stage."""
    for stage, version in (("Staging", "2"), ("Production", "1")):
        status, made = create(stages, f"modelA-{stage}", "model-A", version)
        assert (status, made["name"]) == (200, f"modelA-{stage}")
        (served,) = made["pending_config"]["served_entities"]
        assert (served["entity_name"], served["entity_version"]) == ("model-A", version)
        assert (served["workload_size"], served["scale_to_zero_enabled"]) == ("Small", True)


@pytest.mark.parametrize(
    "printed",
    [
        '{"name": "modelA-Staging" "config": {"served_entities": []}}',
        '{"name": "modelA-Staging", "config": {"served_entities": []}} // the version in Staging',
        '{"name": "modelA-Staging", "config": {"served_entities": [],}}',
    ],
    ids=["no comma", "remark", "comma at the end"],
)
def test_stages_step_1_as_printed_is_no_json(stages, printed):
    """Versions in stages, step 1, as printed: the service says that it cannot read it."""
    status, refusal = stages.ask("POST", ENDPOINTS, text=printed)
    assert (status, refusal["error_code"]) == (400, "MALFORMED_REQUEST")


def test_stages_step_2_check_their_state(stages):
    """Versions in stages, step 2: look until each is ready."""
    create(stages, "modelA-Staging", "model-A", "2")
    create(stages, "modelA-Production", "model-A", "1")
    for stage in ("Staging", "Production"):
        ready = stages.until(f"{ENDPOINTS}/modelA-{stage}", lambda one: one["state"]["ready"] == "READY")
        assert ready["state"]["config_update"] == "NOT_UPDATING"


def test_stages_step_3_query_both(served):
    """Versions in stages, step 3: query the endpoint of each stage."""
    assert (answers(served, "Staging"), answers(served, "Production")) == (2, 1)


def test_stages_step_4_update_after_a_promotion(served):
    """Versions in stages, step 4: version 3 arrives, 2 goes to Production, 1 is archived; endpoints have to be told."""
    served.models.stub("model-A", "constant", value=3)
    for version, stage in (("2", "Production"), ("3", "Staging"), ("1", "Archived")):
        served.move("model-A", version, stage)
    assert (answers(served, "Staging"), answers(served, "Production")) == (2, 1)  # a stage changes no endpoint
    for stage, version in (("Staging", "3"), ("Production", "2")):
        served.do("PUT", f"{ENDPOINTS}/modelA-{stage}/config", {"served_entities": [entity("model-A", version)]})
        assert served.do("GET", f"{ENDPOINTS}/modelA-{stage}")["state"]["config_update"] == "NOT_UPDATING"
    assert (answers(served, "Staging"), answers(served, "Production")) == (3, 2)
