"""Create and manage Serverless Real-Time Inference endpoints: calls, bodies, snippets and clicks, each as a test."""

import json

import pytest

from servesim.payloads.given import signature_from

DOCUMENT = "Create and manage Serverless Real-Time Inference endpoints"
ADDRESS = "https://docs.databricks.com/archive/serverless-inference-preview/create-manage-serverless-model-endpoints"

PREVIEW = "/api/2.0/preview/mlflow/endpoints-v2"
ELASTIC = {"registered_model_name": "ElasticNet"}
STATUS = f"{PREVIEW}/get-status?registered_model_name=ElasticNet"
VERSIONS = f"{PREVIEW}/list-versions?registered_model_name=ElasticNet"
ALIASES = f"{PREVIEW}/list-version-aliases?registered_model_name=ElasticNet"
EVENTS = f"{PREVIEW}/get-event-history?registered_model_name=ElasticNet"
LARGE = {"workload_size_id": "Large", "scale_to_zero_enabled": True}
X = {"dataframe_records": [{"x": 1.5}]}
FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
COLUMNS = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [4.9, 3.0, 1.4, 0.2], [4.7, 3.2, 1.3, 0.2]]
TENSOR = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}]


def version_status(version):
    return f"{PREVIEW}/get-version-status?registered_model_name=ElasticNet&endpoint_version_name={version}"


def wait_for(world, version):
    """Poll until a version is ready and no change of its compute is under way; return its status."""

    def is_settled(document):
        status = document["endpoint_status"]
        update = (status.get("config_update_status") or {}).get("state", "SERVICE_STATE_READY")
        return status["service_status"]["state"] == "SERVICE_STATE_READY" and update != "SERVICE_STATE_PENDING"

    return world.until(version_status(version), is_settled)["endpoint_status"]


def answer(world, place):
    """Return what the version or stage predicts, which is the number of the version that answers."""
    return world.do("POST", f"/model-endpoint/ElasticNet/{place}/invocations", X)["predictions"]


def aliases(world):
    return {one["alias"]: one["endpoint_version_name"] for one in world.do("GET", ALIASES).get("aliases", [])}


@pytest.fixture
def world(opens):
    """A workspace with the preview and a model: version 1 in Production, version 2 in Staging."""
    world = opens(poll="settle", serverless_preview="enabled")
    for version in (1, 2):
        world.models.stub("ElasticNet", "constant", value=version)
    world.move("ElasticNet", "1", "Production")
    world.move("ElasticNet", "2", "Staging")
    return world


@pytest.fixture
def ready(world):
    """That workspace with the model's endpoint, which is ready."""
    world.do("POST", f"{PREVIEW}/enable", ELASTIC)
    world.until(STATUS, lambda one: one["endpoint_status"]["state"] == "ENDPOINT_STATE_READY")
    for version in ("1", "2"):
        wait_for(world, version)
    return world


def kinds(rows):
    """Predict by the last column, or element, of a row."""
    last = [[*row.values()][-1] if isinstance(row, dict) else row[-1] for row in rows]
    return [int(one > 0.8) for one in last]


@pytest.fixture
def iris(opens):
    """A workspace whose preview serves a model of frames, one of tensors and one that tells what it was given."""
    world = opens(poll="settle", serverless_preview="enabled")
    world.seen = []
    world.models.function("iris-classifier", lambda rows: world.seen.append(len(rows)) or kinds(rows))
    world.models.function("iris-tensors", kinds, signature=signature_from(TENSOR))
    world.models.stub("told", "echo")
    for name in ("iris-classifier", "iris-tensors", "told"):
        world.move(name, "1", "Production")
        world.do("POST", f"{PREVIEW}/enable", {"registered_model_name": name})
        path = f"{PREVIEW}/get-version-status?registered_model_name={name}&endpoint_version_name=1"
        world.until(path, lambda one: one["endpoint_status"]["service_status"]["state"] == "SERVICE_STATE_READY")
    return world


# --- requirements ---------------------------------------------------------------------------------


def test_requirement_the_registry_of_the_workspace(world):
    """Requirements: a Python MLflow model of the workspace's registry."""
    world.models.stub("main.ml.iris", "echo")
    for name, code in (("nobody", 404), ("main.ml.iris", 400)):
        assert world.ask("POST", f"{PREVIEW}/enable", {"registered_model_name": name})[0] == code, name


def test_requirement_the_workspace_has_the_preview(opens):
    """Requirements: the workspace was enabled for it."""
    world = opens()
    world.models.stub("ElasticNet", "echo")
    status, refusal = world.ask("POST", f"{PREVIEW}/enable", ELASTIC)
    assert (status, refusal["error_code"]) == (404, "FEATURE_DISABLED")


def test_requirement_cluster_creation(world):
    """Requirements: whoever enables serving may create clusters."""
    bob = world.principals.add("bob@example.com")
    status, refusal = world.ask("POST", f"{PREVIEW}/enable", ELASTIC, token=bob)
    assert (status, refusal["error_code"]) == (403, "PERMISSION_DENIED")


def test_requirement_libraries_are_there_before(opens, tmp_path):
    """Requirements: libraries of one's own, or of a private mirror, are brought along before serving is enabled."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {python_function: {loader_module: acme}}\n", encoding="utf-8")
    (folder / "requirements.txt").write_text("mlflow\nacme-risk==1.0\n", encoding="utf-8")
    world = opens(poll="settle", serverless_preview="enabled", private_libraries=["acme-*"])
    world.models.mlflow("ElasticNet", folder)
    world.move("ElasticNet", "1", "Staging")
    world.do("POST", f"{PREVIEW}/enable", ELASTIC)
    failed = world.until(
        version_status("1"),
        lambda one: one["endpoint_status"]["service_status"]["state"] == "SERVICE_STATE_FAILED",
    )
    assert "acme-risk" in failed["endpoint_status"]["service_status"]["message"]
    logs = world.do("POST", f"{PREVIEW}/get-version-build-logs", {**ELASTIC, "endpoint_version_name": "1"})["logs"]
    assert "acme-risk" in logs


# --- create ---------------------------------------------------------------------------------------


def test_create(opens):
    """Create an endpoint: it is pending, and ready after minutes.

    In the UI: the registered model, the tab *Serving*, *Enable Serverless Real-Time Inference*; its *Status* goes from
    *Pending* to *Ready*.

    Here: `POST /api/2.0/preview/mlflow/endpoints-v2/enable {"registered_model_name": "ElasticNet"}`, then
    `GET /api/2.0/preview/mlflow/endpoints-v2/get-status?registered_model_name=ElasticNet`
    """
    world = opens(clock="frozen", serverless_preview="enabled")
    world.models.stub("ElasticNet", "echo")
    world.do("POST", f"{PREVIEW}/enable", ELASTIC)
    assert world.do("GET", STATUS)["endpoint_status"]["state"] == "ENDPOINT_STATE_PENDING"
    world.clock.advance("10m")
    status = world.do("GET", STATUS)["endpoint_status"]
    assert (status["registered_model_name"], status["state"]) == ("ElasticNet", "ENDPOINT_STATE_READY")
    assert {config["stage"] for config in status["compute_config"]} == {"Staging", "Production"}


# --- compute --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/api/2.0/preview/model-serving-api/endpoints-v2/update-compute-config",
        "/api/2.0/preview/mlflow/endpoints-v2/update-compute-config",
        "/api/2.0/mlflow/endpoints-v2/update-compute-config",
        "/preview/model-serving-api/endpoints-v2/update-compute-config",
    ],
    ids=["published", "clients", "older clients", "as printed"],
)
def test_change_compute_by_api(ready, path):
    """Change the compute of a stage, under the path of the page and those that clients use."""
    body = {**ELASTIC, "stage": "Staging", "desired_workload_config_spec": LARGE}
    ready.do("PUT", path, body)
    assert wait_for(ready, "2")["service_status"]["config"]["workload_spec"] == LARGE
    specs = {one["stage"]: one["workload_spec"] for one in ready.do("GET", STATUS)["endpoint_status"]["compute_config"]}
    assert specs["Staging"] == LARGE
    assert specs["Production"] != LARGE


def test_change_compute_in_the_ui(ready):
    """Change the compute of the versions in Staging, and let them scale to zero.

    In the UI: the tab *Compute Settings*, for Staging and for Production: a workload size, *Scale to zero*.

    Here: `PUT /api/2.0/preview/mlflow/endpoints-v2/update-compute-config {"registered_model_name": "ElasticNet",
    "stage": "Staging", "desired_workload_config_spec": {"workload_size_id": "Large", "scale_to_zero_enabled": true}}`;
    the sizes are those of `GET /api/2.0/preview/mlflow/endpoints-v2/get-supported-workload-sizes`
    """
    sizes = ready.do("GET", f"{PREVIEW}/get-supported-workload-sizes")["workload_sizes"]
    assert [(one["key"], one["min_concurrency"], one["max_concurrency"]) for one in sizes] == [
        ("Small", 4, 4),
        ("Medium", 8, 16),
        ("Large", 16, 64),
    ]
    body = {**ELASTIC, "stage": "Staging", "desired_workload_config_spec": LARGE}
    ready.do("PUT", f"{PREVIEW}/update-compute-config", body)
    wait_for(ready, "2")
    assert answer(ready, "Staging") == [2]
    ready.clock.advance("31m")
    asked = ready.clock.now()
    assert answer(ready, "Staging") == [2]
    assert ready.clock.now() > asked  # it was at zero, and its cold start was waited for


def test_change_compute_scales_within_the_size(opens):
    """Change the compute: within its size, a version scales with its traffic by itself."""
    world = opens(clock="frozen", serverless_preview="enabled")
    world.models.stub("ElasticNet", "constant", value=1, service_time="1m")
    world.move("ElasticNet", "1", "Staging")
    world.do("POST", f"{PREVIEW}/enable", ELASTIC)
    world.clock.advance("30m")
    medium = {"workload_size_id": "Medium", "scale_to_zero_enabled": True}
    body = {**ELASTIC, "stage": "Staging", "desired_workload_config_spec": medium}
    world.do("PUT", f"{PREVIEW}/update-compute-config", body)
    world.clock.advance("20m")

    def provisioned():
        (used,) = world.sim.usage()
        return used["provisioned"]

    assert provisioned() == 8
    calls = [world.sim.start(answer, world, "Staging") for _ in range(12)]
    world.clock.advance("20s")
    assert provisioned() == 12
    world.clock.advance("2m")
    assert [call.result() for call in calls] == [[1]] * 12
    world.clock.advance("31m")
    assert provisioned() == 0


def test_change_compute_is_followed_in_the_version_s_status(opens):
    """Follow the change in `config_update_status` of the version, whose old compute serves meanwhile."""
    world = opens(clock="frozen", serverless_preview="enabled")
    world.models.stub("ElasticNet", "constant", value=2)
    world.move("ElasticNet", "1", "Staging")
    world.do("POST", f"{PREVIEW}/enable", ELASTIC)
    world.clock.advance("30m")
    before = world.do("GET", version_status("1"))["endpoint_status"]
    assert before.get("config_update_status") is None
    body = {**ELASTIC, "stage": "Staging", "desired_workload_config_spec": LARGE}
    world.do("PUT", f"{PREVIEW}/update-compute-config", body)
    during = world.do("GET", version_status("1"))["endpoint_status"]
    update = during["config_update_status"]
    assert (update["state"], update["config"]["workload_spec"]) == ("SERVICE_STATE_PENDING", LARGE)
    assert during["service_status"] == before["service_status"]
    assert answer(world, "Staging") == [2]
    world.clock.advance("30m")
    after = world.do("GET", version_status("1"))["endpoint_status"]
    assert after.get("config_update_status") is None
    assert after["service_status"]["config"]["workload_spec"] == LARGE


def test_change_compute_that_fails_keeps_the_old(ready):
    """Follow a change that fails: the old compute goes on serving, and the change can be tried again.

    In the UI: the tab *Compute Settings*, which offers to try again.

    Here: `POST /api/2.0/preview/mlflow/endpoints-v2/restart-compute-config-update {"registered_model_name":
    "ElasticNet", "endpoint_version_name": "2"}`
    """
    ready.sim.faults.fail_next("no capacity", endpoint="model-endpoint/ElasticNet")
    body = {**ELASTIC, "stage": "Staging", "desired_workload_config_spec": LARGE}
    ready.do("PUT", f"{PREVIEW}/update-compute-config", body)
    failed = wait_for(ready, "2")
    assert failed["config_update_status"]["state"] == "SERVICE_STATE_FAILED"
    assert "no capacity" in failed["config_update_status"]["message"]
    assert failed["service_status"]["config"]["workload_spec"] != LARGE
    assert answer(ready, "Staging") == [2]
    ready.do("POST", f"{PREVIEW}/restart-compute-config-update", {**ELASTIC, "endpoint_version_name": "2"})

    def is_large(document):
        return document["endpoint_status"]["service_status"]["config"]["workload_spec"] == LARGE

    assert ready.until(version_status("2"), is_large)


# --- score ----------------------------------------------------------------------------------------


def test_score_by_stage_and_by_version(ready):
    """Score by stage, which is best practice, or by version.

    In the UI: the tab *Serving*, *Model Versions*, whose top lists the URLs.

    Here: `GET /api/2.0/preview/mlflow/endpoints-v2/list-version-aliases?registered_model_name=ElasticNet` and
    `GET /api/2.0/preview/mlflow/endpoints-v2/list-versions?registered_model_name=ElasticNet`: an alias or a
    number goes into `/model-endpoint/ElasticNet/{it}/invocations`
    """
    places = [
        *aliases(ready),
        *(one["endpoint_version_name"] for one in ready.do("GET", VERSIONS)["endpoint_statuses"]),
    ]
    assert {place: answer(ready, place) for place in places} == {
        "Staging": [2],
        "Production": [1],
        "1": [1],
        "2": [2],
    }


SPLIT = {"index": [0, 1], "columns": COLUMNS, "data": FLOWERS[:2]}
RECORDS = [dict(zip(COLUMNS, row, strict=True)) for row in FLOWERS]
ROW_A = {"t1": "a", "t2": [1, 2, 3, 4, 5], "t3": [[1, 2], [3, 4], [5, 6]]}
ROW_B = {"t1": "b", "t2": [6, 7, 8, 9, 10], "t3": [[7, 8], [9, 10], [11, 12]]}
UNEQUAL = {
    "t1": ["a", "b"],
    "t2": [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13, 14, 15]],
    "t3": [[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 10], [11, 12]]],
}
FORMATS = {
    "split": ("iris-classifier", {"dataframe_split": SPLIT}, [0, 0]),
    "records": ("iris-classifier", {"dataframe_records": RECORDS}, [0, 0, 0]),
    "instances of one tensor": ("told", {"instances": ["a", "b", "c"]}, ["a", "b", "c"]),
    "instances of named tensors": ("told", {"instances": [ROW_A, ROW_B]}, [ROW_A, ROW_B]),
    "inputs of unequal length": ("told", {"inputs": UNEQUAL}, [UNEQUAL]),
}


@pytest.mark.parametrize("case", FORMATS)
def test_score_request_formats(iris, case):
    """Score with each format of the request; the response is an object with `predictions`."""
    model, body, predictions = FORMATS[case]
    assert iris.do("POST", f"/model-endpoint/{model}/Production/invocations", body) == {"predictions": predictions}


def test_score_instances_join_the_tensors_of_each_name(iris):
    """Score: `instances` and `inputs` are two ways to write the same tensors, if all have one first dimension."""
    path = "/model-endpoint/told/Production/invocations"
    columns = {name: [ROW_A[name], ROW_B[name]] for name in ROW_A}
    assert iris.do("POST", path, {"inputs": columns}) == iris.do("POST", path, {"instances": [ROW_A, ROW_B]})


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": SPLIT, "inputs": FLOWERS},
        SPLIT,
        {"instances": [ROW_A, {"t1": "b"}]},
    ],
    ids=["two keys", "none", "instances of unequal length"],
)
def test_score_refuses_what_is_no_format(iris, body):
    """Score: one of the four keys it has to be, and `instances` cannot say what is of unequal length."""
    status, refusal = iris.ask("POST", "/model-endpoint/told/Production/invocations", body)
    assert (status, refusal["error_code"]) == (400, "BAD_REQUEST")


def test_score_records_promise_no_order(iris):
    """Score: split is preferred over records, whose columns come in any order, unless a signature puts them right."""
    disordered = dict(reversed(FLOWER.items()))
    path = "/model-endpoint/iris-classifier/Production/invocations"
    split = {"columns": [*FLOWER], "data": [[*FLOWER.values()]]}
    asked = ({"dataframe_split": split}, {"dataframe_records": [disordered]})
    assert [iris.do("POST", path, body)["predictions"] for body in asked] == [[0], [1]]
    iris.models.function("iris-classifier", kinds, signature=dict.fromkeys(FLOWER, "double"))
    iris.move("iris-classifier", "2", "Production", archive=True)
    iris.clock.advance("30m")
    assert [iris.do("POST", path, body)["predictions"] for body in asked] == [[0], [0]]


def test_score_in_the_ui(iris):
    """Score by hand.

    In the UI: the tab *Serving*, the JSON in the field *Request*, *Send request*.

    Here: `POST /model-endpoint/iris-classifier/Production/invocations`
    """
    assert iris.do("POST", "/model-endpoint/iris-classifier/Production/invocations", {"inputs": FLOWERS[:1]}) == {
        "predictions": [0]
    }


CURL_OF_FRAMES = """\
curl -X POST -u token:$DATABRICKS_API_TOKEN $MODEL_VERSION_URI -H 'Content-Type: application/json' \\
  -d '{"dataframe_records": [{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}]}'"""
CURL_OF_TENSORS = """\
curl -X POST -u token:$DATABRICKS_API_TOKEN $MODEL_VERSION_URI -H 'Content-Type: application/json' \\
  -d '{"inputs": [[5.1, 3.5, 1.4, 0.2]]}'"""


@pytest.mark.parametrize(
    ("line", "model"),
    [(CURL_OF_FRAMES, "iris-classifier"), (CURL_OF_TENSORS, "iris-tensors")],
    ids=["frame", "tensor"],
)
def test_score_with_curl(iris, line, model):
    """Score with curl: a model of frames and a model of tensors."""
    url = f"{iris.sim.host}/model-endpoint/{model}/Production/invocations"
    assert iris.curl(line, DATABRICKS_API_TOKEN=iris.sim.token, MODEL_VERSION_URI=url) == {"predictions": [0]}


def test_score_needs_a_token(iris):
    """Score with the token of a service principal, as Databricks advises for what runs by itself; without one, 401."""
    path = "/model-endpoint/iris-classifier/Production/invocations"
    robot = iris.principals.add(service_principal="nightly-robot")
    assert iris.ask("POST", path, {"inputs": FLOWERS[:1]}, token=robot)[0] == 200
    assert iris.ask("POST", path, {"inputs": FLOWERS[:1]}, token=" ")[0] == 401


def test_score_at_the_printed_address(iris):
    """Score at the address that the page prints by mistake: the refusal says which is right."""
    status, refusal = iris.ask("POST", "/model/iris-classifier/Production/invocations", {"inputs": FLOWERS})
    assert status == 404
    assert "/model-endpoint/iris-classifier/Production/invocations" in refusal["message"]


def score_model(dataset, url, token):
    """Score as the page's Python does."""
    import pandas as pd
    import requests

    if isinstance(dataset, pd.DataFrame):
        body = {"dataframe_records": dataset.to_dict(orient="records")}
    elif isinstance(dataset, dict):
        body = {"inputs": {name: array.tolist() for name, array in dataset.items()}}
    else:
        body = {"inputs": dataset.tolist()}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    response = requests.request("POST", url, headers=headers, data=json.dumps(body), timeout=60)
    if response.status_code != 200:
        raise RuntimeError(f"Request failed with status {response.status_code}, {response.text}")
    return response.json()


@pytest.mark.mlflow
@pytest.mark.parametrize("kind", ["frame", "arrays", "array", "refused"])
def test_score_with_python(iris, monkeypatch, kind):
    """Score with Python: a data frame, arrays by name, one array; what is not 200 is raised with its text."""
    np = pytest.importorskip("numpy", reason="comes with the extra `mlflow`")
    pd = pytest.importorskip("pandas", reason="comes with the extra `mlflow`")
    pytest.importorskip("requests", reason="comes with the extra `clients`")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    data = {
        "frame": ("iris-classifier", pd.DataFrame([FLOWER, {**FLOWER, "petal_width": 1.8}])),
        "arrays": ("told", {"a": np.array([1, 2]), "b": np.array([[3.5], [4.5]])}),
        "array": ("iris-tensors", np.array(FLOWERS)),
        "refused": ("iris-tensors", np.array([[1.0]])),
    }
    model, dataset = data[kind]
    url = f"{iris.sim.host}/model-endpoint/{model}/Production/invocations"
    if kind == "refused":
        with pytest.raises(RuntimeError, match=r"status 400, .*INVALID_PARAMETER_VALUE"):
            score_model(dataset, url, iris.sim.token)
        return
    predictions = {"frame": [0, 1], "arrays": [{"a": 1, "b": [3.5]}, {"a": 2, "b": [4.5]}], "array": [0, 0, 0]}
    assert score_model(dataset, url, iris.sim.token) == {"predictions": predictions[kind]}


def power_bi(score, table):
    """Return the table with what is predicted for each row, as the page's function for Power BI is meant to.

    It sends batches of 256 rows, puts what comes back one below the other, and joins by the number of the row.
    """
    batches = [table[start : start + 256] for start in range(0, len(table), 256)]
    predictions = [one for batch in batches for one in score({"dataframe_records": batch})["predictions"]]
    by_index = dict(enumerate(predictions))
    return [{**row, "index": index, "Prediction": by_index[index]} for index, row in enumerate(table)]


def test_score_with_power_bi(iris):
    """Score with Power BI: batches of 256 rows, joined by an index.

    In the UI: *Transform Data*, *Create New Query*, *Advanced Editor* with the page's function, which is then
    called in the data set's own editor.

    Here: `POST /model-endpoint/iris-classifier/Production/invocations`, once for each 256 rows
    """
    table = [{**FLOWER, "petal_width": 0.2 + (number % 2)} for number in range(600)]
    path = "/model-endpoint/iris-classifier/Production/invocations"
    joined = power_bi(lambda body: iris.do("POST", path, body), table)
    assert iris.seen == [256, 256, 88]
    assert [(row["index"], row["Prediction"]) for row in joined] == [(number, number % 2) for number in range(600)]


LOGGED = {
    "MLmodel": """\
flavors:
  python_function:
    code: code
    env: {conda: conda.yaml}
    loader_module: flowers
    python_version: 3.11.7
mlflow_version: 3.17.2
saved_input_example_info: {artifact_path: input_example.json, pandas_orient: split, type: dataframe}
""",
    "code/flowers.py": """\
class Flowers:
    def predict(self, rows, params=None):
        return (rows["petal_width"] > 0.8).astype(int).to_list()


def _load_pyfunc(path):
    return Flowers()
""",
    "conda.yaml": '{"dependencies": [{"pip": ["mlflow"]}]}\n',
    "input_example.json": json.dumps({"columns": [*FLOWER], "data": [[*FLOWER.values()]]}),
}


@pytest.fixture
def logged(opens, tmp_path):
    """A workspace whose preview serves a real model that was logged with an input example."""
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    for name, content in LOGGED.items():
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_text(content, encoding="utf-8")
    world = opens(poll="settle", serverless_preview="enabled", model_root=str(tmp_path))
    registry = "/api/2.0/mlflow"
    world.do("POST", f"{registry}/registered-models/create", {"name": "ElasticNet"})
    world.do("POST", f"{registry}/model-versions/create", {"name": "ElasticNet", "source": str(tmp_path / "model")})
    world.move("ElasticNet", "1", "Production")
    world.do("POST", f"{PREVIEW}/enable", ELASTIC)
    wait_for(world, "1")
    return world


@pytest.mark.mlflow
def test_the_test_notebook_scores_the_input_example(logged):
    """Load the input example of the version and score it, as the linked notebook does.

    In the UI: the tab *Serving*, *Show Example*, then *Send request*; or the notebook that the page links.

    Here: `GET
    /api/2.0/mlflow/model-versions/get-signed-download-uri?name=ElasticNet&version=1&path=input_example.json`, then
    `POST /model-endpoint/ElasticNet/Production/invocations`
    """
    path = "/api/2.0/mlflow/model-versions/get-signed-download-uri?name=ElasticNet&version=1&path=input_example.json"
    example = logged.do("GET", logged.do("GET", path)["signed_uri"].removeprefix(logged.sim.host))
    body = {"dataframe_split": example}
    assert logged.do("POST", "/model-endpoint/ElasticNet/Production/invocations", body) == {"predictions": [0]}


# --- which versions are served --------------------------------------------------------------------


def test_versions_of_staging_and_production_alone(ready):
    """Update the served versions: those in Staging and Production are served, and no other."""
    ready.models.stub("ElasticNet", "constant", value=3)
    assert [one["endpoint_version_name"] for one in ready.do("GET", VERSIONS)["endpoint_statuses"]] == ["1", "2"]
    status, refusal = ready.ask("POST", "/model-endpoint/ElasticNet/3/invocations", X)
    assert (status, refusal["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    ready.move("ElasticNet", "2", "None")
    assert [one["endpoint_version_name"] for one in ready.do("GET", VERSIONS)["endpoint_statuses"]] == ["1"]


def test_versions_move_without_downtime(opens):
    """Update the served versions: a stage answers by the old version until the new one is ready, whose turn it then is.

    In the UI: *Models*, the model, the version, the drop-down *Stage*, *Staging* or *Production*.

    Here: `POST /api/2.0/mlflow/databricks/model-versions/transition-stage {"name": "ElasticNet", "version": "2",
    "stage": "Staging", "archive_existing_versions": true, "comment": "Deploying version 2 to Staging"}`
    """
    world = opens(clock="frozen", serverless_preview="enabled")
    for version in (1, 2):
        world.models.stub("ElasticNet", "constant", value=version)
    world.move("ElasticNet", "1", "Staging")
    world.do("POST", f"{PREVIEW}/enable", ELASTIC)
    world.clock.advance("30m")
    assert answer(world, "Staging") == [1]
    # The page's own remark speaks of version 1 where the body moves version 2.
    world.move("ElasticNet", "2", "Staging", archive=True, comment="Deploying version 2 to Staging")
    seen = []
    while aliases(world) == {"Staging": "1"}:
        seen.append(answer(world, "Staging"))
        world.clock.advance("1m")
    assert len(seen) > 5
    assert seen == [[1]] * len(seen)
    assert (aliases(world), answer(world, "Staging")) == ({"Staging": "2"}, [2])
    assert [one["endpoint_version_name"] for one in world.do("GET", VERSIONS)["endpoint_statuses"]] == ["2"]


def test_versions_are_kept_side_by_side(ready):
    """Keep several versions in a stage: its URL leads to the newest, each number to its own."""
    ready.models.stub("ElasticNet", "constant", value=3)
    ready.move("ElasticNet", "3", "Staging", archive=False)
    wait_for(ready, "3")
    assert aliases(ready) == {"Staging": "3", "Production": "1"}
    assert [answer(ready, place) for place in ("Staging", "2", "3")] == [[3], [2], [3]]


# --- status, end, trouble -------------------------------------------------------------------------


def test_status_of_the_endpoint(ready):
    """Look at the endpoint's status.

    In the UI: the tab *Serving*, the *Status* at its top.

    Here: `GET /api/2.0/preview/mlflow/endpoints-v2/get-status?registered_model_name=ElasticNet`
    """
    status = ready.do("GET", STATUS)["endpoint_status"]
    assert status["state"] == "ENDPOINT_STATE_READY"
    assert ready.do("GET", f"{PREVIEW}/get-status", ELASTIC) == {"endpoint_status": status}  # as the page sends it


def test_status_of_the_versions(ready):
    """Look at the status of each version.

    In the UI: the tab *Serving*, *Model Versions*, a tab for each version on the left.

    Here: `GET /api/2.0/preview/mlflow/endpoints-v2/list-versions?registered_model_name=ElasticNet`, and for one of them
    `GET
    /api/2.0/preview/mlflow/endpoints-v2/get-version-status?registered_model_name=ElasticNet&endpoint_version_name=1`
    """
    listed = ready.do("GET", VERSIONS)["endpoint_statuses"]
    assert [one["endpoint_version_name"] for one in listed] == ["1", "2"]
    one = ready.do("GET", version_status("1"))["endpoint_status"]
    assert one == listed[0]
    assert ready.do("GET", f"{PREVIEW}/get-version-status", {**ELASTIC, "endpoint_version_name": "1"}) == {
        "endpoint_status": one
    }
    assert one["service_status"]["state"] == "SERVICE_STATE_READY"


def test_status_of_the_stages(ready):
    """Look which version serves a stage.

    In the UI: the tab *Serving*, *Model Versions*, the label `Staging` or `Production` of a version.

    Here: `GET /api/2.0/preview/mlflow/endpoints-v2/list-version-aliases?registered_model_name=ElasticNet`
    """
    assert aliases(ready) == {"Staging": "2", "Production": "1"}


def test_status_at_the_printed_paths(ready):
    """Look at each status by the paths as the page prints them, with the parameters in the body."""
    printed = {
        "get-status": ("endpoint_status", ELASTIC),
        "list-versions": ("endpoint_statuses", ELASTIC),
        "get-version-status": ("endpoint_status", {**ELASTIC, "endpoint_version_name": "1"}),
        "list-version-aliases": ("aliases", ELASTIC),
    }
    for name, (key, body) in printed.items():
        assert list(ready.do("GET", f"/preview/mlflow/endpoints-v2/{name}", body)) == [key], name


def test_disable(ready):
    """Disable the endpoint.

    In the UI: the tab *Serving*, *Stop*, and *Stop Serving* in what it asks.

    Here: `POST /api/2.0/preview/mlflow/endpoints-v2/disable {"registered_model_name": "ElasticNet"}`
    """
    ready.do("POST", f"{PREVIEW}/disable", ELASTIC)
    for method, path, body in (
        ("GET", STATUS, None),
        ("POST", "/model-endpoint/ElasticNet/Production/invocations", X),
    ):
        status, refusal = ready.ask(method, path, body)
        assert (status, refusal["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_debug_logs_of_replicas(ready, monkeypatch):
    """Debug by the logs of a version.

    In the UI: the tab *Serving*, a version, the tab *Logs*, a tab for each replica or *All Replicas*.

    Here: `GET
    /api/2.0/preview/mlflow/endpoints-v2/get-version-replicas?registered_model_name=ElasticNet&endpoint_version_name=1`,
    and `POST /api/2.0/preview/mlflow/endpoints-v2/get-version-logs` with the `replica_id` of one, or without for all
    """
    workspace = ready.sim.workspace
    monkeypatch.setattr(workspace, "printed", lambda deployment: f"Serving on {deployment.spec.workload_size}.\n")
    body = {**ELASTIC, "stage": "Production", "desired_workload_config_spec": LARGE}
    ready.do("PUT", f"{PREVIEW}/update-compute-config", body)  # the old replica serves until the new one is ready
    named = {**ELASTIC, "endpoint_version_name": "1"}
    path = f"{PREVIEW}/get-version-replicas?registered_model_name=ElasticNet&endpoint_version_name=1"
    old, new = (one["replica_id"] for one in ready.do("GET", path)["version_replicas"])
    logs = {old: f"[{old[:5]}] Serving on Small.\n", new: f"[{new[:5]}] Serving on Large.\n"}
    for replica, log in logs.items():
        one = ready.do("POST", f"{PREVIEW}/get-version-logs", {**named, "replica_id": replica})
        assert one == {"logs": log}
    assert ready.do("POST", f"{PREVIEW}/get-version-logs", named) == {"logs": logs[old] + logs[new]}


def test_debug_events_of_the_model(ready):
    """Debug by the events of the model.

    In the UI: the tab *Serving*, the tab *Model Events*.

    Here: `GET /api/2.0/preview/mlflow/endpoints-v2/get-event-history?registered_model_name=ElasticNet`
    """
    events = ready.do("GET", EVENTS)["events"]
    assert {"timestamp", "type", "message"} <= set(events[0])
    assert {one.get("endpoint_version_name") for one in events} >= {"1", "2"}


# --- objects --------------------------------------------------------------------------------------


def test_objects_have_the_published_fields(ready):
    """Core API objects: the fields of the endpoint, of its versions and of their compute."""
    status = ready.do("GET", STATUS)["endpoint_status"]
    assert set(status) == {"registered_model_name", "state", "state_message", "compute_config"}
    config = status["compute_config"][0]
    assert set(config) >= {"stage", "creation_timestamp", "user_id", "workload_spec"}
    assert (config["user_id"], set(config["workload_spec"])) == (
        "tester@example.com",
        {"workload_size_id", "scale_to_zero_enabled"},
    )
    version = ready.do("GET", version_status("1"))["endpoint_status"]
    assert set(version) - {"config_update_status"} == {
        "registered_model_name",
        "endpoint_version_name",
        "service_status",
    }
    assert set(version["service_status"]) == {"state", "message", "config"}


def test_objects_may_have_the_published_words(opens, tmp_path):
    """Core API objects: the page's short words for the endpoint's state, for who has written against them."""
    (tmp_path / "profile.yaml").write_text("base: faithful\npreview.state_words: documented\n", encoding="utf-8")
    world = opens(poll="settle", serverless_preview="enabled", profile=str(tmp_path / "profile.yaml"))
    world.models.stub("ElasticNet", "echo")
    world.do("POST", f"{PREVIEW}/enable", ELASTIC)
    assert world.until(STATUS, lambda one: one["endpoint_status"]["state"] == "READY")
