"""The serverless preview's JSON, from and to the core, without HTTP."""

import pytest

from servesim.core.access import Principal
from servesim.core.commands import LoadFinished, Step
from servesim.core.deployment import Phase
from servesim.core.enrolment import Enrolment
from servesim.core.errors import Code, Rejected
from servesim.core.eventlog import LogLine
from servesim.core.minutes import Minutes
from servesim.core.model_commands import AddModel, TransitionStage
from servesim.core.model_compute import Compute
from servesim.core.model_endpoint import EndpointState
from servesim.core.model_endpoint_commands import ChangeCompute, EnableModel
from servesim.core.registry import ModelVersion, Stage
from servesim.core.workspace import Workspace
from servesim.generations import serverless_preview as api
from servesim.generations import serverless_preview_history as history
from servesim.generations import serverless_preview_words as words
from servesim.generations.fields import Fields
from servesim.generations.model_endpoints import render_aliases

WHO = Principal("ann@example.com", "Ann")
PREVIEW = "serverless_preview"
NOW = 1767603600000


class Made:
    """A model with versions 1 in Staging and 2 in Production, as the preview serves it."""

    def __init__(self, principal=WHO):
        self.world = Workspace(enrolment=Enrolment.ENABLED)
        for number, stage in (("1", Stage.STAGING), ("2", Stage.PRODUCTION)):
            self.world.execute(AddModel(ModelVersion("m", number, "stub", "{}")))
            self.move(number, stage)
        self.endpoint = self.world.execute(EnableModel(PREVIEW, "m", principal, serving=True))

    def move(self, number, stage):
        self.world.execute(TransitionStage("m", number, WHO, stage))

    def change(self, stage, **compute):
        self.world.execute(ChangeCompute(PREVIEW, "m", WHO, stage, Compute(**compute)))

    def settle(self):
        while self.endpoint.in_transition:
            while self.world.effects:
                self.world.execute(LoadFinished(self.world.effects.popleft().deployment_id, None))
            if self.endpoint.in_transition:
                assert self.world.execute(Step(2**60))

    def version(self, number):
        return api.render_version(self.endpoint, self.endpoint.served[number])


@pytest.fixture
def made():
    return Made()


def refusal(read, *arguments):
    with pytest.raises(Rejected) as refused:
        read(*arguments)
    assert refused.value.code is Code.BAD_FIELD
    return refused.value.fields


# --- endpoints and versions ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "word"),
    [(EndpointState.PENDING, "PENDING"), (EndpointState.READY, "READY"), (EndpointState.FAILED, "FAILED")],
)
def test_states_are_told_in_either_kind_of_words(made, state, word):
    made.endpoint.state = state
    assert api.render_endpoint(made.endpoint, "observed")["state"] == f"ENDPOINT_STATE_{word}"
    assert api.render_endpoint(made.endpoint, "documented")["state"] == word


def test_a_failed_endpoint_says_why_and_has_its_compute(made):
    made.endpoint.state, made.endpoint.reason = EndpointState.FAILED, "no room"
    told = api.render_endpoint(made.endpoint, "observed")
    assert told["state_message"] == "no room"
    assert [config["stage"] for config in told["compute_config"]] == ["Staging", "Production"]


def test_compute_that_nobody_asked_for_names_nobody():
    told = api.render_endpoint(Made(principal=None).endpoint, "observed")["compute_config"][0]
    assert told == {
        "stage": "Staging",
        "version": 1,
        "creation_timestamp": NOW,
        "workload_spec": {"workload_size_id": "Small", "scale_to_zero_enabled": False},
    }


@pytest.mark.parametrize("phase", Phase)
def test_no_phase_is_unknown(made, phase):
    served = made.endpoint.served["1"]
    served.deployment.phase, served.deployment.reason = phase, "broken" if phase in {"failed", "aborted"} else ""
    status = made.version("1")["service_status"]
    ready = {Phase.READY, Phase.SCALED_TO_ZERO, Phase.STARTING}
    failed = {Phase.FAILED, Phase.ABORTED}
    expected = "READY" if phase in ready else "FAILED" if phase in failed else "PENDING"
    assert status["state"] == f"SERVICE_STATE_{expected}"
    assert (status["message"] == "broken") is (phase in failed)


def test_the_states_of_an_update(made):
    assert "config_update_status" not in made.version("1")
    made.change(Stage.STAGING, size="Large")
    served = made.endpoint.served["1"]
    update = made.version("1")["config_update_status"]
    assert (update["state"], update["config"]["version"]) == ("SERVICE_STATE_PENDING", 2)
    served.retried = True
    assert made.version("1")["config_update_status"]["state"] == "SERVICE_STATE_RETRY_REQUESTED"
    served.failure = "no capacity"
    update = made.version("1")["config_update_status"]
    assert (update["state"], update["message"]) == ("SERVICE_STATE_FAILED", "no capacity")
    served.failure, served.retried = "", False
    made.settle()
    assert "config_update_status" not in made.version("1")
    assert made.version("1")["service_status"]["config"]["version"] == 2


def test_old_compute_is_of_the_stage_that_a_version_came_from(made):
    made.change(Stage.PRODUCTION, size="Large")
    made.settle()
    made.move("1", Stage.PRODUCTION)
    told = made.version("1")
    assert told["service_status"]["config"]["stage"] == "Staging"
    assert told["config_update_status"]["config"]["stage"] == "Production"


def test_compute_that_is_being_replaced_is_of_the_stage_that_the_version_is_in(made):
    made.change(Stage.PRODUCTION, size="Large")
    config = made.version("2")["service_status"]["config"]
    assert (config["stage"], config["version"]) == ("Production", 1)


def test_aliases_are_of_stages_that_have_one(made):
    both = [{"alias": "Staging", "endpoint_version_name": "1"}, {"alias": "Production", "endpoint_version_name": "2"}]
    assert render_aliases(made.endpoint) == both
    made.move("1", Stage.NONE)
    assert render_aliases(made.endpoint) == both[1:]


# --- replicas -----------------------------------------------------------------------------------------


def replicas(made, number):
    told = api.render_replicas(made.endpoint, made.endpoint.served[number])
    assert len({replica["replica_id"] for replica in told}) == len(told)
    assert all(replica["replica_name"] == f"m-{number}-{replica['replica_id']}" for replica in told)
    return [replica["last_known_status"] for replica in told]


def test_replicas_are_as_many_as_run_and_during_an_update_those_of_both(made):
    assert replicas(made, "1") == ["RUNNING"]
    made.change(Stage.STAGING, size="Large")
    assert replicas(made, "1") == ["RUNNING", "PENDING"]
    made.settle()
    assert replicas(made, "1") == ["RUNNING"] * 4
    # An id stays that of its replica.
    assert [found for found, *_ in api.replicas_of(made.endpoint.served["1"])] == [
        f"{made.endpoint.served['1'].deployment.id[:5]}-{number}" for number in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (Phase.BUILDING, []),
        (Phase.PROVISIONING, ["PENDING"]),
        (Phase.LOADING, ["CONTAINERCREATING"]),
        (Phase.SCALED_TO_ZERO, []),
        (Phase.STARTING, ["CONTAINERCREATING"]),
        (Phase.RECOVERING, ["FAILED"]),
        (Phase.FAILED, ["FAILED"]),
        (Phase.GONE, []),
    ],
)
def test_the_first_replica_is_as_far_as_its_deployment(made, phase, expected):
    deployment = made.endpoint.served["1"].deployment
    deployment.phase, deployment.provisioned = phase, 0
    assert replicas(made, "1") == expected


# --- events and metrics -------------------------------------------------------------------------------


@pytest.mark.parametrize("what", words.EVENTS)
def test_every_event_is_told_with_what_it_is_about(made, what):
    event = words.EVENTS[what]
    subject = "Staging" if event.of_stage == "subject" else "1"
    made.endpoint.events = (LogLine(NOW, what, "model-endpoint/m", subject, "Production"),)
    (told,) = history.render_events(made.endpoint)
    assert (told["timestamp"], told["type"]) == (NOW, event.kind)
    assert ("endpoint_version_name" in told) is (event.kind != "MODEL_SERVING_EVENT")
    assert told.get("stage") == {"": None, "subject": "Staging", "detail": "Production"}[event.of_stage]
    assert "{" not in told["message"]


def test_a_stage_that_leads_nowhere_any_more_names_no_version(made):
    made.endpoint.events = (LogLine(NOW, "stage points to", "model-endpoint/m", "", "Production"),)
    (told,) = history.render_events(made.endpoint)
    assert told == {
        "timestamp": NOW,
        "type": "MODEL_VERSION_SERVING_EVENT",
        "stage": "Production",
        "message": "Production is served by no version",
    }


def test_lines_that_are_no_events_are_not_told(made):
    made.endpoint.events = (LogLine(NOW, "something else", "model-endpoint/m", "1", ""),)
    assert history.render_events(made.endpoint) == []


def test_an_event_that_nobody_caused_names_servesim(made):
    assert Made(principal=None).endpoint.events[0].subject == ""
    assert history.render_events(Made(principal=None).endpoint)[-1]["message"] == "Serving enabled by servesim"


def test_a_point_has_percentiles_rates_and_usage(made):
    served = made.endpoint.served["1"]
    assert history.render_metrics(served, 0, NOW) == []
    served.minutes = Minutes()
    for number in range(1, 101):
        status = 500 if number > 90 else 404 if number > 60 else 200
        served.minutes.note(NOW + 60_000, status, duration=number * 10, slots=4)
    (point,) = history.render_metrics(served, NOW, NOW + 60_000)
    assert point == {
        "timestamp": NOW + 60_000,
        "minLatency": 10,
        "p50Latency": 500,
        "p75Latency": 750,
        "p90Latency": 900,
        "p95Latency": 950,
        "p99Latency": 990,
        "maxLatency": 1000,
        "requestRate": 1.6667,
        "errorRate4XX": 0.5,
        "errorRate5XX": 0.1667,
        "avgCpuUsage": 22.86,  # 50.5 s of work in 4 slots for a minute
        "avgMemUsage": 6.8,
        "numConcurrency": 4,
    }
    assert history.render_metrics(served, NOW, NOW + 59_999) == []


# --- what clients send --------------------------------------------------------------------------------


def test_compute_keeps_what_is_left_out():
    present = Compute("Medium", scale_to_zero=True)

    def read(**spec):
        read = api.read_compute(Fields({"desired_workload_config_spec": spec}), present)
        return read.size, read.scale_to_zero

    assert read(workload_size_id="LARGE") == ("Large", True)
    assert read(scale_to_zero_enabled="False") == ("Medium", False)
    assert read(workload_size_id="small", scale_to_zero_enabled=None) == ("Small", True)
    told = refusal(api.read_compute, Fields({"desired_workload_config_spec": {"workload_size_id": None}}), present)
    assert told["field"] == "desired_workload_config_spec"


def test_a_span_ends_now_and_lasts_an_hour_unless_it_is_told_otherwise():
    assert api.read_span(Fields({}), NOW) == (NOW - 3_600_000, NOW)
    assert api.read_span(Fields({"end_timestamp": "60000"}), NOW) == (0, 60_000)
    assert api.read_span(Fields({"start_timestamp": NOW, "end_timestamp": str(NOW)}), NOW) == (NOW, NOW)
    assert refusal(api.read_span, Fields({"start_timestamp": NOW + 1}), NOW)["field"] == "end_timestamp"


@pytest.mark.parametrize("sent", ["STAGING", "staging", "Staging"])
def test_a_stage_may_be_written_in_any_case(sent):
    assert api.read_stage(Fields({"stage": sent})) is Stage.STAGING
    assert refusal(api.read_stage, Fields({"stage": "None"}))["expected"] == "one of Staging, Production"
