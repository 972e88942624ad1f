"""Legacy MLflow Model Serving over the wire: its ten operations and what each refuses."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.servesim(start="2025-06-01T00:00:00Z")

OLD, NEW = "/api/2.0/preview/mlflow/endpoints/", "/api/2.0/mlflow/endpoints/"
IRIS = {"registered_model_name": "iris"}
READS = ("get-status", "list-versions", "list-version-aliases", "get-event-history", "get-metric-history")
CHANGES = (("POST", "enable", {}), ("POST", "disable", {}))
CLUSTER = {"desired_cluster_config": {"node_type_id": "i3.2xlarge", "tags": [{"key": "team", "value": "risk"}]}}
ALL = (
    *(("GET", name, {}) for name in READS),
    *CHANGES,
    ("POST", "get-version-logs", {"endpoint_version_name": "1"}),
    ("PUT", "update-cluster-config", CLUSTER),
)


@pytest.fixture
def iris(wire):
    """Give a workspace with two versions of a model, neither of them in a stage."""
    for number in (1, 2):
        wire.handle.models.stub("iris", "constant", value=number)
    return wire


@pytest.fixture
def served(iris):
    """Give the same with both versions served and ready."""
    iris.handle.model_endpoints.enable("iris", "legacy")
    return iris


def ask(wire, name, prefix=OLD, **parameters):
    query = "&".join(f"{key}={value}" for key, value in parameters.items())
    return wire.call("GET", f"{prefix}{name}?{query}")


def of_iris(wire, name):
    answer = ask(wire, name, **IRIS)
    assert answer.status == 200, answer.body
    return answer.json


def states(wire):
    versions = of_iris(wire, "list-versions")["endpoint_versions"]
    return {one["endpoint_version_name"]: one["state"].removeprefix("VERSION_STATE_") for one in versions}


def aliases(wire):
    listed = of_iris(wire, "list-version-aliases")["aliases"]
    return {one["alias"]: one["endpoint_version_name"] for one in listed}


def refusal(answer):
    return answer.status, answer.json["error_code"]


# --- its life ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", [OLD, NEW])
def test_enabled_polled_until_it_is_ready_and_disabled(iris, prefix):
    assert iris.call("POST", prefix + "enable", IRIS).json == {}
    seen = []
    while not seen or seen[-1] != "ENDPOINT_STATE_READY":
        seen.append(ask(iris, "get-status", prefix, **IRIS).json["endpoint_status"]["state"])
    assert seen == ["ENDPOINT_STATE_PENDING", "ENDPOINT_STATE_READY"]
    while states(iris) != {"1": "READY", "2": "READY"}:
        assert set(states(iris).values()) <= {"PENDING", "LAUNCHING", "READY"}
    assert iris.call("POST", prefix + "disable", IRIS).json == {}
    assert refusal(ask(iris, "get-status", prefix, **IRIS)) == (400, "INVALID_PARAMETER_VALUE")


def test_enabling_twice_changes_nothing(served):
    before = of_iris(served, "get-status")
    assert served.call("POST", OLD + "enable", IRIS).json == {}
    assert of_iris(served, "get-status") == before


@pytest.mark.servesim(start="2025-06-01T00:00:00Z", clock="frozen")
def test_versions_on_their_way(iris):
    iris.call("POST", OLD + "enable", IRIS)
    clock = iris.handle.clock
    assert states(iris) == {"1": "PENDING", "2": "PENDING"}  # no cluster yet
    assert "actual_cluster_config" not in of_iris(iris, "get-status")["endpoint_status"]
    clock.advance("4m")
    assert of_iris(iris, "get-status")["endpoint_status"] == {
        "registered_model_name": "iris",
        "state": "ENDPOINT_STATE_READY",
        "state_message": "",
        "actual_cluster_config": {"node_type_id": "i3.xlarge", "tags": []},
    }
    assert states(iris) == {"1": "PENDING", "2": "PENDING"}  # their environments are built
    assert aliases(iris) == {}
    iris.handle.models.stub("iris", "constant", value=3)  # a new version is served without being asked for
    assert states(iris)["3"] == "PENDING"
    clock.advance("5m")
    assert states(iris)["1"] == "LAUNCHING"
    clock.advance("10m")
    assert states(iris) == {"1": "READY", "2": "READY", "3": "READY"}


def test_versions_that_are_not_archived_are_served_and_stages_name_the_latest(served):
    assert aliases(served) == {}  # nothing is in a stage
    served.move("iris", "1", "Production")
    served.move("iris", "2", "Staging")
    assert aliases(served) == {"Staging": "2", "Production": "1"}
    served.move("iris", "2", "Production")
    assert aliases(served) == {"Production": "2"}
    served.move("iris", "1", "Archived")
    assert states(served) == {"2": "READY"}
    served.move("iris", "1", "None")
    assert list(states(served)) == ["1", "2"]


@pytest.mark.servesim(start="2025-06-01T00:00:00Z", clock="frozen")
def test_another_cluster_is_an_outage(served):
    assert served.call("PUT", OLD + "update-cluster-config", {**IRIS, **CLUSTER}).json == {}
    assert of_iris(served, "get-status")["endpoint_status"]["state"] == "ENDPOINT_STATE_PENDING"
    refused = served.call("POST", "/model/iris/1/invocations", {"inputs": [1]})
    assert refused.status == 503
    served.handle.clock.advance("30m")
    status = of_iris(served, "get-status")["endpoint_status"]
    assert status["actual_cluster_config"] == CLUSTER["desired_cluster_config"]
    assert served.call("POST", "/model/iris/1/invocations", {"inputs": [1]}).json == {"predictions": [1]}
    only_tags = {"desired_cluster_config": {"tags": []}}
    assert served.call("PUT", OLD + "update-cluster-config", {**IRIS, **only_tags}).status == 200
    served.handle.clock.advance("30m")
    config = of_iris(served, "get-status")["endpoint_status"]["actual_cluster_config"]
    assert config == {"node_type_id": "i3.2xlarge", "tags": []}


@pytest.mark.servesim(start="2025-06-01T00:00:00Z", clock="frozen")
def test_a_cluster_that_fails(iris):
    iris.handle.faults.fail_next("no quota", endpoint="model/iris")
    iris.call("POST", OLD + "enable", IRIS)
    iris.handle.clock.advance("10m")
    status = of_iris(iris, "get-status")["endpoint_status"]
    assert (status["state"], status["state_message"]) == ("ENDPOINT_STATE_FAILED", "no quota")
    assert states(iris) == {"1": "FAILED", "2": "FAILED"}
    iris.handle.models.stub("iris", "constant", value=3)
    assert states(iris) == {"1": "FAILED", "2": "FAILED", "3": "FAILED"}
    assert iris.call("PUT", OLD + "update-cluster-config", {**IRIS, **CLUSTER}).json == {}  # another try
    iris.handle.clock.advance("30m")
    assert states(iris) == {"1": "READY", "2": "READY", "3": "READY"}


@pytest.mark.servesim(start="2025-06-01T00:00:00Z", clock="frozen")
def test_a_version_that_fails_leaves_the_others_alone(iris):
    iris.handle.faults.fail_next("ResolvePackageNotFound: pyspark=3.1.0", endpoint="model/iris", entity="1")
    iris.call("POST", OLD + "enable", IRIS)
    iris.handle.clock.advance("30m")
    versions = of_iris(iris, "list-versions")["endpoint_versions"]
    assert [(one["state"], one["state_message"]) for one in versions] == [
        ("VERSION_STATE_FAILED", "ResolvePackageNotFound: pyspark=3.1.0"),
        ("VERSION_STATE_READY", ""),
    ]
    assert of_iris(iris, "get-status")["endpoint_status"]["state"] == "ENDPOINT_STATE_READY"
    assert iris.call("POST", "/model/iris/1/invocations", {"inputs": [1]}).status == 503
    assert iris.call("POST", "/model/iris/2/invocations", {"inputs": [1]}).json == {"predictions": [2]}


def test_a_cluster_without_a_version_stays(served):
    for number in ("1", "2"):
        served.move("iris", number, "Archived")
    assert (states(served), aliases(served)) == ({}, {})
    assert of_iris(served, "get-status")["endpoint_status"]["state"] == "ENDPOINT_STATE_READY"
    assert served.call("POST", "/api/2.0/mlflow/registered-models/create", {"name": "none"}).status == 200
    none = {"registered_model_name": "none"}
    assert served.call("POST", OLD + "enable", none).json == {}
    while ask(served, "get-status", **none).json["endpoint_status"]["state"] != "ENDPOINT_STATE_READY":
        pass
    assert ask(served, "list-versions", **none).json == {"endpoint_versions": []}
    assert len(served.call("GET", OLD + "list").json["endpoints"]) == 2


@pytest.mark.servesim(start="2025-06-01T00:00:00Z", clock="frozen")
def test_a_server_process_that_ends_is_started_again(served):
    served.handle.faults.add("crash", endpoint="model/iris", entity="1", times=1)
    assert served.call("POST", "/model/iris/1/invocations", {"inputs": [1]}).status >= 500
    assert states(served) == {"1": "LAUNCHING", "2": "READY"}
    served.handle.clock.advance("30m")
    assert states(served) == {"1": "READY", "2": "READY"}
    messages = [one["message"] for one in of_iris(served, "get-event-history")["events"]]
    assert "The server process of version 1 ended and is started again" in messages


# --- reads ------------------------------------------------------------------------------------------


def test_what_was_asked_is_counted_by_minute(served):
    for body in ({"inputs": [1]}, {"inputs": [1]}, {"wrong": 1}):
        served.call("POST", "/model/iris/1/invocations", body)
    served.call("POST", "/model/iris/2/invocations", {"inputs": [1]})
    metrics = of_iris(served, "get-metric-history")["metrics"]
    assert {one["key"] for one in metrics} == {"successes", "failures"}
    total = {key: sum(one["value"] for one in metrics if one["key"] == key) for key in ("successes", "failures")}
    assert total == {"successes": 3, "failures": 1}
    assert all(one["timestamp"] % 60_000 == 0 for one in metrics)


def test_what_happened_is_told_newest_first(iris):
    iris.call("POST", OLD + "enable", IRIS)
    while set(states(iris).values()) != {"READY"}:
        pass
    iris.move("iris", "2", "Production")
    iris.move("iris", "2", "None")
    iris.call("PUT", OLD + "update-cluster-config", {**IRIS, **CLUSTER})
    events = of_iris(iris, "get-event-history")["events"]
    assert [one["timestamp"] for one in events] == sorted((one["timestamp"] for one in events), reverse=True)
    assert {one["event_type"] for one in events} == {"MODEL_UPDATE", "VERSION_UPDATE", "ENDPOINT_UPDATED"}
    messages = [one["message"] for one in events if not one.get("internal")]
    assert "Cluster mlflow-model-iris is replaced by a new one" in messages
    assert "Production is served by version 2" in messages
    assert "Production is served by no version" in messages
    assert messages[-1].startswith("Serving enabled by ")
    versions = {one.get("endpoint_version_name") for one in events if one["event_type"] == "VERSION_UPDATE"}
    assert versions == {"1", "2"}


def test_logs_of_a_version(served):
    asked = {**IRIS, "endpoint_version_name": "1"}
    assert served.call("POST", OLD + "get-version-logs", asked).json["logs"]
    assert served.call("POST", OLD + "get-version-logs", {**IRIS, "endpoint_version_name": 1}).status == 200


def test_logs_before_there_is_a_cluster(iris):
    iris.call("POST", OLD + "enable", IRIS)
    asked = {**IRIS, "endpoint_version_name": "1"}
    assert iris.call("POST", OLD + "get-version-logs", asked).json == {"logs": ""}


def test_parameters_in_the_body_of_a_get(served):
    answer = served.call("GET", OLD + "get-status", IRIS)
    assert answer.json == of_iris(served, "get-status")


def test_a_form_enables_and_disables(iris):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert iris.call("POST", OLD + "enable", b"registered_model_name=iris", form).json == {}
    assert of_iris(iris, "get-status")["endpoint_status"]["registered_model_name"] == "iris"
    assert iris.call("POST", OLD + "disable", b"registered_model_name=iris", form).json == {}


def test_reads_are_not_old_after_any_change(served):
    assert of_iris(served, "get-status") == of_iris(served, "get-status")
    assert list(states(served)) == ["1", "2"]
    served.handle.models.stub("iris", "constant", value=3)
    assert list(states(served)) == ["1", "2", "3"]


# --- refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "name", "fields"), [one for one in ALL if one[1] != "enable"])
def test_a_model_that_is_not_served(iris, method, name, fields):
    for model in ("iris", "nowhere"):
        answer = iris.call(method, OLD + name, {"registered_model_name": model, **fields})
        assert refusal(answer) == (400, "INVALID_PARAMETER_VALUE")
        assert model in answer.json["message"]


@pytest.mark.parametrize(("method", "name", "fields"), ALL)
def test_the_name_of_the_model_must_be_given(served, method, name, fields):
    answers = [served.call(method, OLD + name, {**fields, **bad}) for bad in ({}, {"registered_model_name": 5})]
    for answer in answers:
        assert refusal(answer) == (400, "INVALID_PARAMETER_VALUE")
        assert "registered_model_name" in answer.json["message"]
    by_experiment = served.call(method, OLD + name, {**fields, "experiment_id": "1"})
    assert refusal(by_experiment) == (400, "INVALID_PARAMETER_VALUE")
    assert "experiment_id" in by_experiment.json["message"]
    assert "registered_model_name" in by_experiment.json["message"]


def test_a_model_that_is_not_there_or_elsewhere(iris):
    nowhere = iris.call("POST", OLD + "enable", {"registered_model_name": "nowhere"})
    assert refusal(nowhere) == (404, "RESOURCE_DOES_NOT_EXIST")
    unity = iris.call("POST", OLD + "enable", {"registered_model_name": "main.ml.fraud"})
    assert refusal(unity) == (400, "INVALID_PARAMETER_VALUE")
    assert "Unity Catalog" in unity.json["message"]


def test_a_version_that_is_not_served(served):
    asked = {**IRIS, "endpoint_version_name": "7"}
    answer = served.call("POST", OLD + "get-version-logs", asked)
    assert refusal(answer) == (400, "INVALID_PARAMETER_VALUE")
    assert "1" in answer.json["message"]


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        5,
        {"node_type_id": ""},
        {"node_type_id": 5},
        {"tags": "team"},
        {"tags": [{"value": "risk"}]},
        {"tags": [{"key": "a"}, {"key": "a"}]},
        {"tags": [{"key": str(number)} for number in range(46)]},
    ],
)
def test_clusters_that_are_none(served, config):
    before = of_iris(served, "get-status")
    answer = served.call("PUT", OLD + "update-cluster-config", {**IRIS, "desired_cluster_config": config})
    assert refusal(answer) == (400, "INVALID_PARAMETER_VALUE")
    assert "desired_cluster_config" in answer.json["message"]
    assert of_iris(served, "get-status") == before


def test_bodies_that_are_none(iris):
    for body, headers in (
        (b"", {}),
        (b"{", {}),
        (b"[]", {}),
        (b"registered_model_name", {"Content-Type": "application/x-www-form-urlencoded"}),
    ):
        assert iris.call("POST", OLD + "enable", body, headers).status == 400


# --- its end ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "name", "fields"), [*ALL, ("GET", "list", {})])
@pytest.mark.servesim(start="2025-09-15T00:00:00Z")
def test_nothing_answers_from_its_last_day_on(iris, method, name, fields):
    answer = iris.call(method, OLD + name, {**IRIS, **fields})
    assert refusal(answer) == (404, "FEATURE_DISABLED")


@pytest.mark.servesim(start="2025-08-21T23:00:00Z", clock="frozen")
def test_nothing_new_from_the_day_before_the_last_weeks(iris):
    assert iris.call("POST", OLD + "enable", IRIS).status == 200
    iris.handle.models.stub("late", "echo")
    iris.handle.clock.run_until("2025-08-22T00:00:00Z")
    assert refusal(iris.call("POST", OLD + "enable", {"registered_model_name": "late"})) == (404, "FEATURE_DISABLED")
    assert of_iris(iris, "get-status")["endpoint_status"]["state"] == "ENDPOINT_STATE_READY"
