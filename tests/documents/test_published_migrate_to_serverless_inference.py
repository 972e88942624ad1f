"""Migrate to Serverless Real-Time Inference: the workspace, the permissions and the steps, each as a test."""

import json

import pytest

DOCUMENT = "Migrate to Serverless Real-Time Inference"
ADDRESS = (
    "https://docs.databricks.com/archive/serverless-inference-preview/migrate-and-enable-serverless-real-time-inference"
)

LEGACY = "/api/2.0/mlflow/endpoints"
PREVIEW = "/api/2.0/mlflow/endpoints-v2"
ENROLMENT = "/_servesim/v1/workspaces/{id}/serverless-preview"
MODEL = "ElasticNet"
NAMED = {"registered_model_name": MODEL}
STATUS = f"{PREVIEW}/get-status?registered_model_name={MODEL}"
ROWS = {"dataframe_records": [{"x": 1.5}]}
ANN, ROOT = "ann@example.com", "root@example.com"


def wait(world):
    """Poll until the preview serves the model."""
    world.until(STATUS, lambda one: one["endpoint_status"]["state"] == "ENDPOINT_STATE_READY")
    path = f"{PREVIEW}/get-version-status?registered_model_name={MODEL}&endpoint_version_name=1"
    world.until(path, lambda one: one["endpoint_status"]["service_status"]["state"] == "SERVICE_STATE_READY")


@pytest.fixture
def world(opens):
    """A workspace of June 2025 with the model in Production, a user and an admin; the preview is not there yet."""
    world = opens(poll="settle", start="2025-06-01T00:00:00Z")
    world.models.stub(MODEL, "constant", value=0.5)
    world.move(MODEL, "1", "Production")
    world.ann = world.principals.add(ANN, entitlements=["allow-cluster-create"])
    world.root = world.principals.add(ROOT, admin=True)
    return world


def enrol(world, *steps):
    for step, person in steps:
        body = {"step": step} if person is None else {"step": step, "as": person}
        world.do("POST", ENROLMENT, body)


STEPS = (("request", ANN), ("enrol", None), ("accept terms", ROOT), ("enable", ROOT))


@pytest.fixture
def enabled(world):
    """That workspace with the preview."""
    enrol(world, *STEPS)
    return world


# --- the banner and the requirements --------------------------------------------------------------


def test_banner_every_answer_says_that_it_is_deprecated(enabled):
    """Banner: the preview is retired in favour of Model Serving; no day was published."""
    enabled.do("GET", f"{PREVIEW}/list")
    assert enabled.headers["Deprecation"] == "true"
    assert "Sunset" not in enabled.headers
    assert "migrate-model-serving" in enabled.headers["Link"]


def test_requirement_a_registered_model(enabled):
    """Requirements: the model is registered."""
    status, refusal = enabled.ask("POST", f"{PREVIEW}/enable", {"registered_model_name": "nobody"})
    assert (status, refusal["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_requirement_cluster_creation(enabled):
    """Requirements: whoever enables serving may create clusters."""
    bob = enabled.principals.add("bob@example.com")
    status, refusal = enabled.ask("POST", f"{PREVIEW}/enable", NAMED, token=bob)
    assert (status, refusal["error_code"]) == (403, "PERMISSION_DENIED")
    assert enabled.ask("POST", f"{PREVIEW}/enable", NAMED, token=enabled.ann)[0] == 200


@pytest.mark.parametrize(
    ("level", "status"),
    [("CAN_MANAGE_STAGING_VERSIONS", 403), ("CAN_MANAGE_PRODUCTION_VERSIONS", 200)],
)
def test_requirement_can_manage_production_versions(enabled, level, status):
    """Requirements: whoever enables serving may manage the model's production versions."""
    name = {"registered_model_name": "Lasso"}
    registry = "/api/2.0/mlflow"
    enabled.do("POST", f"{registry}/registered-models/create", {"name": "Lasso"})
    found = enabled.do("GET", f"{registry}/databricks/registered-models/get?name=Lasso")
    number = found["registered_model_databricks"]["id"]
    grant = {"access_control_list": [{"user_name": ANN, "permission_level": level}]}
    enabled.do("PATCH", f"/api/2.0/permissions/registered-models/{number}", grant)
    assert enabled.ask("POST", f"{PREVIEW}/enable", name, token=enabled.ann)[0] == status


# --- what changes ---------------------------------------------------------------------------------


def test_changes_the_url(enabled):
    """Changes: the URL has `model-endpoint` in place of `model`."""
    enabled.do("POST", f"{PREVIEW}/enable", NAMED)
    wait(enabled)
    assert enabled.do("POST", f"/model-endpoint/{MODEL}/Production/invocations", ROWS) == {"predictions": [0.5]}
    assert enabled.ask("POST", f"/model/{MODEL}/Production/invocations", ROWS)[0] == 404


def test_changes_the_format(opens):
    """Changes: request and response differ from those of a model with MLflow 1.x on legacy serving."""
    world = opens(poll="settle", start="2025-06-01T00:00:00Z", serverless_preview="enabled")
    world.models.stub(MODEL, "constant", value=0.5, mlflow_version="1.28.0")
    world.move(MODEL, "1", "Production")
    world.do("POST", f"{LEGACY}/enable", NAMED)
    legacy = f"{LEGACY}/list-versions?registered_model_name={MODEL}"
    world.until(legacy, lambda one: {got["state"] for got in one["endpoint_versions"]} == {"VERSION_STATE_READY"})
    bare = {"columns": ["x"], "data": [[1.5]]}
    assert world.do("POST", f"/model/{MODEL}/Production/invocations", bare) == [0.5]
    world.do("POST", f"{LEGACY}/disable", NAMED)
    world.do("POST", f"{PREVIEW}/enable", NAMED)
    wait(world)
    path = f"/model-endpoint/{MODEL}/Production/invocations"
    assert world.do("POST", path, {"dataframe_split": bare}) == {"predictions": [0.5]}
    assert world.ask("POST", path, bare)[0] == 400


# --- enable it for a workspace --------------------------------------------------------------------


def is_off(world):
    status, refusal = world.ask("GET", STATUS)
    assert (status, refusal["error_code"]) == (404, "FEATURE_DISABLED")
    return True


def test_workspace_step_1_ask_to_join(world):
    """Enable for a workspace, step 1: ask to join the preview, and wait to be let in.

    In the UI: none; the account team sends a form that names the workspace, and Databricks tells when it is enrolled.

    Here: `POST /_servesim/v1/workspaces/{id}/serverless-preview {"step": "request", "as": "ann@example.com"}`, then
    Databricks' part: `POST /_servesim/v1/workspaces/{id}/serverless-preview {"step": "enrol"}`
    """
    assert is_off(world)
    assert world.do("GET", ENROLMENT)["state"] == "not enrolled"
    assert world.do("POST", ENROLMENT, {"step": "request", "as": ANN})["state"] == "requested"
    assert is_off(world)
    assert world.do("POST", ENROLMENT, {"step": "enrol"})["state"] == "enrolled"
    assert is_off(world)


def test_workspace_steps_2_to_4_an_admin_enables_it(world):
    """Enable for a workspace, steps 2 to 4: a workspace admin accepts the terms and enables it.

    In the UI: *Admin Settings*, *Workspace Settings*, *Enable Serverless Real-Time Inference with MLflow*; the first
    time, the terms.

    Here: `POST /_servesim/v1/workspaces/{id}/serverless-preview {"step": "accept terms", "as": "root@example.com"}`,
    then `POST /_servesim/v1/workspaces/{id}/serverless-preview {"step": "enable", "as": "root@example.com"}`
    """
    enrol(world, *STEPS[:2])
    for step in ("accept terms", "enable"):
        status, _ = world.ask("POST", ENROLMENT, {"step": step, "as": ANN})
        assert status == 403, step
        assert is_off(world)
        world.do("POST", ENROLMENT, {"step": step, "as": ROOT})
    assert world.do("GET", ENROLMENT)["state"] == "enabled"
    status, refusal = world.ask("GET", STATUS)
    assert (status, refusal["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")  # it is there, the model not enabled


def test_workspace_no_step_is_left_out(world):
    """Enable for a workspace: no step comes before its time."""
    for step, person in STEPS[1:]:
        body = {"step": step} if person is None else {"step": step, "as": person}
        status, refusal = world.ask("POST", ENROLMENT, body)
        assert status >= 400, step
        assert "request" in json.dumps(refusal)


# --- disable legacy, enable the preview for a model -----------------------------------------------


def test_legacy_is_disabled_first(enabled):
    """Disable legacy serving for the model first.

    In the UI: *Models*, the model, the tab *Serving*, *Stop*, and *Stop Serving* in what it asks.

    Here: `POST /api/2.0/mlflow/endpoints/disable {"registered_model_name": "ElasticNet"}`
    """
    enabled.do("POST", f"{LEGACY}/enable", NAMED)
    status, refusal = enabled.ask("POST", f"{PREVIEW}/enable", NAMED)
    assert 400 <= status < 500
    assert "legacy" in refusal["message"].lower()
    enabled.do("POST", f"{LEGACY}/disable", NAMED)
    enabled.do("POST", f"{PREVIEW}/enable", NAMED)
    wait(enabled)


def test_enable_for_a_model(enabled):
    """Enable the preview for the model.

    In the UI: *Models*, the model, the tab *Serving*, *Enable Serverless Real-Time Inference*.

    Here: `POST /api/2.0/mlflow/endpoints-v2/enable {"registered_model_name": "ElasticNet"}`
    """
    enabled.do("POST", f"{PREVIEW}/enable", NAMED)
    assert enabled.do("GET", STATUS)["endpoint_status"]["registered_model_name"] == MODEL
    wait(enabled)


def test_a_workspace_that_has_legacy_serving_alone(world):
    """Tell whether the workspace has the preview.

    In the UI: a button *Enable Serving* in place of the other one means that it has legacy serving alone.

    Here: `GET /api/2.0/mlflow/endpoints-v2/list`, which is then answered with 404 and `FEATURE_DISABLED`
    """
    status, refusal = world.ask("GET", f"{PREVIEW}/list")
    assert (status, refusal["error_code"]) == (404, "FEATURE_DISABLED")
    assert world.ask("POST", f"{LEGACY}/enable", NAMED)[0] == 200
