"""The serverless preview over the wire: its fifteen operations, and how what they tell changes with time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from servesim.core.profile import FAITHFUL

pytestmark = pytest.mark.servesim(serverless_preview="enabled")

PREFIXES = (
    "/api/2.0/mlflow/endpoints-v2/",
    "/api/2.0/preview/mlflow/endpoints-v2/",
    "/preview/mlflow/endpoints-v2/",
)
MODEL = "ElasticNet"
NOW = 1767603600000
"""Simulated."""
WHO = "tester@example.com"
SMALL = {"workload_size_id": "Small", "scale_to_zero_enabled": False}
LARGE = {"workload_size_id": "Large", "scale_to_zero_enabled": True}


class Preview:
    """The serverless preview of one workspace as one caller sees it."""

    def __init__(self, wire, head=PREFIXES[1]):
        self.wire = wire
        self.head = head

    def get(self, operation, **query):
        return self.wire.call("GET", f"{self.head}{operation}?{urlencode(query)}")

    def send(self, method, operation, **fields):
        return self.wire.call(method, self.head + operation, fields)

    def of(self, operation, *, method="GET", version=None, **fields) -> Any:
        """Make a call about the model, or a version of it, that must succeed."""
        asked = {"registered_model_name": MODEL, **fields}
        if version is not None:
            asked["endpoint_version_name"] = version
        answer = self.get(operation, **asked) if method == "GET" else self.send(method, operation, **asked)
        assert answer.status == 200, answer.body
        return answer.json

    def move(self, version, stage, *, archive=False):
        self.wire.move(MODEL, version, stage, archive=archive)

    def ready(self):
        """Enable the model and poll until every version is up."""
        self.of("enable", method="POST")
        while self.state() == "ENDPOINT_STATE_PENDING":
            pass
        while any(state == "SERVICE_STATE_PENDING" for state in self.states()):
            pass
        return self

    def states(self):
        """Return the state of each version that is served."""
        return [told["service_status"]["state"] for told in self.of("list-versions")["endpoint_statuses"]]

    def state(self):
        return self.of("get-status")["endpoint_status"]["state"]

    def version(self, number):
        return self.of("get-version-status", version=number)["endpoint_status"]

    def aliases(self):
        told = self.of("list-version-aliases")["aliases"]
        return {alias["alias"]: alias["endpoint_version_name"] for alias in told}

    def size(self, stage, **spec):
        self.of("update-compute-config", method="PUT", stage=stage, desired_workload_config_spec=spec)

    def replicas(self, version):
        told = self.of("get-version-replicas", version=version)["version_replicas"]
        return [(replica["replica_id"], replica["last_known_status"]) for replica in told]

    def score(self, version, status=200):
        answer = self.wire.call("POST", f"/model-endpoint/{MODEL}/{version}/invocations", {"inputs": [1]})
        assert answer.status == status, answer.body
        return answer.json

    def everything(self):
        """Return the bytes that a refused call must leave alone."""
        return [
            self.get("list").body,
            *(self.get(read, registered_model_name=MODEL).body for read in ("list-versions",)),
        ]


@pytest.fixture
def preview(wire):
    """Give a workspace whose model has version 1 in Production, 2 in Staging and 3 in none."""
    for value in (1, 2, 3):
        wire.handle.models.stub(MODEL, "constant", value=value)
    made = Preview(wire)
    made.move("1", "Production")
    made.move("2", "Staging")
    return made


# --- enabling ---------------------------------------------------------------------------------------


def test_a_model_is_pending_at_first_and_has_no_compute_config(preview):
    assert preview.send("POST", "enable", registered_model_name=MODEL).json == {}
    pending = {
        "registered_model_name": MODEL,
        "state": "ENDPOINT_STATE_PENDING",
        "state_message": "Creating namespace.",
    }
    assert preview.get("list").json == {"endpoint_statuses": [pending]}
    assert preview.of("get-status") == {"endpoint_status": pending}
    configs = [
        {"stage": stage, "version": 1, "creation_timestamp": NOW, "user_id": WHO, "workload_spec": SMALL}
        for stage in ("Staging", "Production")
    ]
    ready = {
        "registered_model_name": MODEL,
        "state": "ENDPOINT_STATE_READY",
        "state_message": "Namespace created.",
        "compute_config": configs,
    }
    assert preview.of("get-status") == {"endpoint_status": ready}
    assert preview.get("list").json == {"endpoint_statuses": [ready]}


def test_its_staging_and_production_versions_are_launched_and_no_other(preview):
    preview.of("enable", method="POST")
    assert preview.of("list-versions") == {"endpoint_statuses": []}
    first, second = preview.of("list-versions")["endpoint_statuses"]
    assert first == {
        "registered_model_name": MODEL,
        "endpoint_version_name": "1",
        "service_status": {
            "state": "SERVICE_STATE_PENDING",
            "message": "Creating resources for the version.",
            "config": {
                "stage": "Production",
                "version": 1,
                "creation_timestamp": NOW,
                "user_id": WHO,
                "workload_spec": SMALL,
            },
        },
    }
    assert (second["endpoint_version_name"], second["service_status"]["config"]["stage"]) == ("2", "Staging")
    preview.ready()
    assert preview.version("1")["service_status"]["state"] == "SERVICE_STATE_READY"
    assert preview.aliases() == {"Staging": "2", "Production": "1"}
    assert preview.score("Production") == preview.score("1") == {"predictions": [1]}
    assert preview.get("get-version-status", registered_model_name=MODEL, endpoint_version_name="3").status == 404


def test_enabling_again_changes_nothing(preview):
    before = preview.ready().everything()
    preview.of("enable", method="POST")
    assert preview.everything() == before


def test_a_model_without_versions_in_stages_is_ready_and_serves_none(wire):
    wire.handle.models.stub(MODEL, "constant", value=1)
    preview = Preview(wire).ready()
    assert preview.of("list-versions") == {"endpoint_statuses": []}
    assert preview.of("list-version-aliases") == {"aliases": []}
    preview.move("1", "Staging")
    while preview.aliases() != {"Staging": "1"}:
        pass
    assert preview.score("Staging") == {"predictions": [1]}


def test_an_endpoint_whose_start_fails_says_why(preview):
    preview.wire.handle.faults.fail_next("no namespace to be had", endpoint=f"model-endpoint/{MODEL}")
    preview.of("enable", method="POST")
    while preview.state() == "ENDPOINT_STATE_PENDING":
        pass
    told = preview.of("get-status")["endpoint_status"]
    assert (told["state"], told["state_message"]) == ("ENDPOINT_STATE_FAILED", "no namespace to be had")


def test_what_is_disabled_answers_no_more_and_can_be_enabled_again(preview):
    preview.ready().of("disable", method="POST")
    assert preview.get("get-status", registered_model_name=MODEL).status == 404
    assert preview.get("list").json == {"endpoint_statuses": []}
    preview.score("Production", status=404)
    assert preview.ready().score("Production") == {"predictions": [1]}


@pytest.mark.servesim(profile=replace(FAITHFUL, preview_state_words="documented"))
def test_the_page_s_words_for_states_can_be_had(preview):
    preview.of("enable", method="POST")
    assert [preview.state() for _ in range(2)] == ["PENDING", "READY"]
    assert preview.get("list").json["endpoint_statuses"][0]["state"] == "READY"
    assert preview.version("1")["service_status"]["state"] == "SERVICE_STATE_READY"


# --- how it is called ---------------------------------------------------------------------------------


@pytest.mark.parametrize("head", PREFIXES)
def test_every_prefix_leads_to_the_same(preview, head):
    Preview(preview.wire, head).ready()
    for operation in ("get-status", "list-versions", "list-version-aliases", "get-event-history"):
        assert Preview(preview.wire, head).of(operation) == preview.of(operation)
    for operation in ("list", "get-supported-workload-sizes"):
        assert Preview(preview.wire, head).get(operation).body == preview.get(operation).body


@pytest.mark.parametrize("head", ["/api/2.0/preview/model-serving-api/", "/preview/model-serving-api/"])
def test_the_page_s_prefix_of_one_call_leads_there_too(preview, head):
    preview.ready()
    Preview(preview.wire, f"{head}endpoints-v2/").size("Staging", **LARGE)
    assert preview.version("2")["config_update_status"]["config"]["workload_spec"] == LARGE


def test_parameters_of_a_read_come_in_its_query_or_its_body(preview):
    preview.ready()
    asked = {"registered_model_name": MODEL, "endpoint_version_name": "2"}
    by_query = preview.get("get-version-status", **asked)
    assert by_query.status == 200
    assert preview.send("GET", "get-version-status", **asked).body == by_query.body
    split = preview.wire.call(
        "GET", f"{preview.head}get-version-status?endpoint_version_name=2", {"registered_model_name": MODEL}
    )
    assert split.body == by_query.body
    both = preview.wire.call(
        "GET", f"{preview.head}get-version-status?endpoint_version_name=2", {**asked, "endpoint_version_name": "1"}
    )
    assert both.body == by_query.body


def test_a_version_may_be_named_by_a_number(preview):
    preview.ready()
    told = preview.send("GET", "get-version-status", registered_model_name=MODEL, endpoint_version_name=1).json
    assert told["endpoint_status"]["endpoint_version_name"] == "1"


# --- stages -------------------------------------------------------------------------------------------


def test_a_stage_names_the_version_before_until_the_next_is_ready(preview):
    preview.ready().move("3", "Staging", archive=True)
    assert preview.score("Staging") == {"predictions": [2]}
    preview.score("3", status=503)
    archived = preview.version("2")  # moves time on, to the next version
    assert archived["service_status"]["config"]["stage"] == "Staging"
    assert preview.aliases() == {"Staging": "3", "Production": "1"}
    assert preview.score("Staging") == {"predictions": [3]}
    preview.score("2", status=404)


def test_versions_that_are_not_archived_stay_reachable_by_number(preview):
    preview.ready().move("3", "Staging")
    while preview.aliases()["Staging"] != "3":
        pass
    assert [preview.score(version)["predictions"] for version in ("Staging", "2", "3")] == [[3], [2], [3]]
    preview.move("2", "None")
    preview.score("2", status=404)
    served = [told["endpoint_version_name"] for told in preview.of("list-versions")["endpoint_statuses"]]
    assert served == ["1", "3"]


def test_a_version_that_changes_its_stage_shows_the_compute_of_the_new_one(preview):
    preview.ready().move("3", "Production")
    while preview.aliases()["Production"] != "3":
        pass
    before = preview.version("1")["service_status"]["config"]["stage"]
    preview.move("1", "Staging")
    assert (before, preview.version("1")["service_status"]["config"]["stage"]) == ("Production", "Staging")


def test_a_version_that_cannot_be_deployed_failed_and_is_never_unknown(preview):
    preview.wire.handle.faults.fail_next("out of memory", endpoint=f"model-endpoint/{MODEL}", entity="2")
    preview.ready()
    status = preview.version("2")["service_status"]
    assert status["state"] == "SERVICE_STATE_FAILED"
    assert "out of memory" in status["message"]
    assert preview.aliases() == {"Production": "1"}
    assert [state for _, state in preview.replicas("2")] == ["FAILED"]


# --- compute ------------------------------------------------------------------------------------------


def test_new_compute_comes_beside_the_old_one_which_serves(preview):
    preview.ready().size("Staging", **LARGE)
    updating = preview.version("2")
    assert updating["service_status"]["state"] == "SERVICE_STATE_READY"
    assert updating["service_status"]["config"]["workload_spec"] == SMALL
    config = updating["config_update_status"].pop("config")
    assert updating["config_update_status"] == {
        "state": "SERVICE_STATE_PENDING",
        "message": "Launching the new compute config; the current one serves on.",
    }
    assert (config["stage"], config["version"], config["workload_spec"]) == ("Staging", 2, LARGE)
    assert "config_update_status" not in preview.version("1")
    assert preview.score("Staging") == {"predictions": [2]}
    while "config_update_status" in preview.version("2"):
        pass
    assert preview.version("2")["service_status"]["config"] == config
    told = preview.of("get-status")["endpoint_status"]["compute_config"]
    assert [(one["stage"], one["version"], one["workload_spec"]) for one in told] == [
        ("Staging", 2, LARGE),
        ("Production", 1, SMALL),
    ]


def test_compute_that_fails_leaves_the_old_one_serving_and_can_be_tried_again(preview):
    preview.ready()
    preview.wire.handle.faults.fail_next("no capacity", endpoint=f"model-endpoint/{MODEL}", entity="2")
    preview.size("Staging", **LARGE)
    while preview.version("2")["config_update_status"]["state"] == "SERVICE_STATE_PENDING":
        pass
    failed = preview.version("2")
    assert failed["service_status"]["state"] == "SERVICE_STATE_READY"
    assert failed["service_status"]["config"]["workload_spec"] == SMALL
    assert failed["config_update_status"]["state"] == "SERVICE_STATE_FAILED"
    assert "no capacity" in failed["config_update_status"]["message"]
    assert failed["config_update_status"]["config"]["workload_spec"] == LARGE
    assert preview.score("Staging") == {"predictions": [2]}
    preview.of("restart-compute-config-update", method="POST", version="2")
    assert preview.version("2")["config_update_status"]["state"] == "SERVICE_STATE_RETRY_REQUESTED"
    while "config_update_status" in preview.version("2"):
        pass
    assert preview.version("2")["service_status"]["config"]["workload_spec"] == LARGE


def test_another_config_ends_a_failed_update_too(preview):
    preview.ready()
    preview.wire.handle.faults.fail_next("no capacity", endpoint=f"model-endpoint/{MODEL}", entity="2")
    preview.size("Staging", **LARGE)
    while preview.version("2")["config_update_status"]["state"] != "SERVICE_STATE_FAILED":
        pass
    preview.size("Staging", **SMALL)
    assert "config_update_status" not in preview.version("2")
    assert preview.version("2")["service_status"]["config"]["workload_spec"] == SMALL


@pytest.mark.parametrize(
    ("stage", "spec", "told"),
    [
        ("Staging", {"workload_size_id": "LARGE", "scale_to_zero_enabled": "true"}, LARGE),
        ("STAGING", {"workload_size_id": "large", "scale_to_zero_enabled": "True"}, LARGE),
        ("staging", {"workload_size_id": "Medium"}, SMALL | {"workload_size_id": "Medium"}),
        ("Staging", {"scale_to_zero_enabled": "true"}, SMALL | {"scale_to_zero_enabled": True}),
        ("Staging", {"workload_size_id": "small", "scale_to_zero_enabled": "false"}, SMALL),
    ],
)
def test_words_and_booleans_may_be_written_as_clients_write_them(preview, stage, spec, told):
    preview.of("enable", method="POST")
    assert preview.state() == "ENDPOINT_STATE_PENDING"
    preview.size(stage, **spec)
    assert preview.of("get-status")["endpoint_status"]["compute_config"][0]["workload_spec"] == told


def test_replicas_spike_while_compute_changes_and_go_when_nobody_asks(preview):
    preview.ready().size("Production", workload_size_id="Medium", scale_to_zero_enabled=True)
    (old, running), *coming = preview.replicas("1")
    assert (running, [status for _, status in coming]) == ("RUNNING", ["PENDING"])
    preview.version("1")
    after = preview.replicas("1")
    assert [status for _, status in after] == ["RUNNING", "RUNNING"]
    assert old not in dict(after)
    preview.wire.handle.clock.advance("31m")
    assert preview.version("1")["service_status"] == preview.version("1")["service_status"] | {
        "state": "SERVICE_STATE_READY",
        "message": "Scaled to zero.",
    }
    assert preview.replicas("1") == []
    assert preview.score("1") == {"predictions": [1]}


def test_the_sizes_there_are(preview):
    sizes = preview.get("get-supported-workload-sizes").json["workload_sizes"]
    assert [tuple(size.values()) for size in sizes] == [("Small", 4, 4), ("Medium", 8, 16), ("Large", 16, 64)]


# --- logs, events, metrics ----------------------------------------------------------------------------


def test_logs_are_of_a_replica_or_of_all_together(preview, monkeypatch):
    monkeypatch.setattr(
        preview.wire.handle.workspace, "printed", lambda deployment: f"{deployment.spec.workload_size}\n"
    )
    preview.ready().size("Staging", **LARGE)
    (old, _), (new, _) = preview.replicas("2")
    logs = {old: f"[{old[:5]}] Small\n", new: f"[{new[:5]}] Large\n"}
    for replica, log in logs.items():
        assert preview.of("get-version-logs", method="POST", version="2", replica_id=replica) == {"logs": log}
    merged = {"logs": "".join(logs.values())}
    assert preview.of("get-version-logs", method="POST", version="2") == merged
    assert preview.of("get-version-logs", method="POST", version="2", replica_id="") == merged


def test_build_logs_are_there_once_there_was_a_build(preview):
    preview.of("enable", method="POST")
    assert preview.state() == "ENDPOINT_STATE_PENDING"
    asked = {"registered_model_name": MODEL, "endpoint_version_name": "1"}
    refused = preview.send("POST", "get-version-build-logs", **asked)
    assert (refused.status, refused.json["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert "could not be parsed" in refused.json["message"]
    preview.ready()
    assert "without a container" in preview.of("get-version-build-logs", method="POST", version="1")["logs"]


def test_events_of_all_four_types_the_newest_first(preview):
    preview.ready().size("Staging", **LARGE)
    events = preview.of("get-event-history")["events"]
    assert {event["type"] for event in events} == {
        "MODEL_SERVING_EVENT",
        "MODEL_VERSION_SERVING_EVENT",
        "MODEL_SERVICE_EVENT",
        "CONTAINER_EVENT",
    }
    assert [event["timestamp"] for event in events] == sorted((e["timestamp"] for e in events), reverse=True)
    assert events[-1] == {
        "timestamp": NOW,
        "type": "MODEL_SERVING_EVENT",
        "message": f"Serving enabled by {WHO}",
    }
    assert {
        "type": "MODEL_SERVING_EVENT",
        "stage": "Staging",
        "message": "Compute config of Staging updated to version 2",
    }.items() <= next(
        event for event in events if event.get("stage") == "Staging" and "updated" in event["message"]
    ).items()


def test_metrics_are_by_minute_and_between_two_instants(preview):
    preview.ready()
    clock = preview.wire.handle.clock
    preview.score("1")
    preview.score("Production")
    clock.advance("2m")
    preview.score("1")
    told = preview.of("get-version-metrics", version="1")
    assert told["bucket_interval_ms"] == 60_000
    first, second = told["data"]
    assert second["timestamp"] - first["timestamp"] == 120_000
    assert (first["requestRate"], second["requestRate"]) == (0.0333, 0.0167)
    assert first["errorRate4XX"] == first["errorRate5XX"] == first["p99Latency"] == 0
    assert first["numConcurrency"] == 4
    span = {"start_timestamp": first["timestamp"], "end_timestamp": first["timestamp"] + 60_000}
    assert preview.of("get-version-metrics", version="1", **span)["data"] == [first]
    in_body = preview.send("GET", "get-version-metrics", registered_model_name=MODEL, endpoint_version_name="1", **span)
    assert in_body.json["data"] == [first]
    assert preview.of("get-version-metrics", version="2")["data"] == []


# --- who reads it -------------------------------------------------------------------------------------


def test_a_list_shows_what_the_caller_may_read(preview):
    preview.ready()
    registered = preview.wire.call("GET", f"/api/2.0/mlflow/databricks/registered-models/get?name={MODEL}").json
    path = f"/api/2.0/permissions/registered-models/{registered['registered_model_databricks']['id']}"
    assert preview.wire.call("PUT", path, {"access_control_list": []}).status == 200
    stranger = Preview(preview.wire.user("stranger@example.com"))
    assert stranger.get("list").json == {"endpoint_statuses": []}
    assert len(preview.get("list").json["endpoint_statuses"]) == 1


def test_reads_of_what_moves_no_more_cost_no_time(preview):
    preview.ready()
    before = preview.wire.handle.clock.now()
    for operation in ("get-status", "list-versions", "list-version-aliases"):
        preview.of(operation)
    preview.version("1")
    assert preview.wire.handle.clock.now() == before
