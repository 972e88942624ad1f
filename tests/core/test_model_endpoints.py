"""Which versions of a registered model are served, when an alias moves, and what changes their compute."""

from dataclasses import replace

import pytest

from servesim.core import calendar
from servesim.core.commands import AddFault, GiveUp, Step, WorkerDied
from servesim.core.deployment import Phase
from servesim.core.enrolment import Enrolment
from servesim.core.errors import Code, Rejected
from servesim.core.faults import Fault
from servesim.core.model_commands import (
    AddModel,
    CreateRegisteredModel,
    DeleteModelVersion,
    DeleteRegisteredModel,
    TransitionStage,
    UpdateRegisteredModel,
)
from servesim.core.model_compute import Compute
from servesim.core.model_endpoint import EndpointState
from servesim.core.model_endpoint_commands import (
    AdmitVersion,
    ChangeCompute,
    DisableModel,
    EnableModel,
    RestartUpdate,
)
from servesim.core.profile import FAITHFUL, MINUTE
from servesim.core.registry import Details, ModelVersion, Stage
from servesim.core.routing import TicketState
from servesim.core.timeline import START_MS

LEGACY, PREVIEW = calendar.LEGACY, calendar.SERVERLESS_PREVIEW
HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE
BEFORE = 1_748_768_400_000
"""2025-06-01T09:00:00Z: legacy serving has its best days behind it, and works."""


@pytest.fixture
def lab(labs):
    """Give a world in which both generations work, with version 1 of a model in Production and 2 in Staging."""
    lab = labs()
    lab.world.timeline.now = BEFORE
    lab.world.enrolment = Enrolment.ENABLED
    add(lab, "1", Stage.PRODUCTION)
    add(lab, "2", Stage.STAGING)
    return lab


def add(lab, version, stage=Stage.NONE):
    lab.do(AddModel(ModelVersion("iris", version, "stub", "{}"), Details(stage)))


def on(lab, generation):
    endpoint = lab.do(EnableModel(generation, "iris", None))
    lab.run(HOUR)
    return endpoint


def aliases(endpoint):
    return {str(stage): number for stage, number in endpoint.aliases.items()}


def move(lab, version, stage, *, archive=True):
    lab.do(TransitionStage("iris", version, None, stage, archive))


def admit(lab, generation, version="Production"):
    return lab.do(AdmitVersion(generation, "iris", version, None))


# --- enabling -------------------------------------------------------------------------------------


def test_enabling_serves_the_versions_in_staging_and_production_once_it_is_ready(lab):
    add(lab, "3", Stage.ARCHIVED)
    add(lab, "4")
    endpoint = lab.do(EnableModel(PREVIEW, "iris", None))
    assert (endpoint.state, endpoint.served) == (EndpointState.PENDING, {})
    lab.run(2 * MINUTE)
    assert (endpoint.state, list(endpoint.served)) == (EndpointState.READY, ["1", "2"])
    assert aliases(endpoint) == {}
    lab.run(10 * MINUTE)
    assert aliases(endpoint) == {"Staging": "2", "Production": "1"}
    assert not endpoint.in_transition


def test_legacy_serves_every_version_that_is_not_archived(lab):
    add(lab, "3", Stage.ARCHIVED)
    add(lab, "4")
    endpoint = lab.do(EnableModel(LEGACY, "iris", None))
    lab.run(4 * MINUTE)
    assert list(endpoint.served) == ["1", "2", "4"]
    # A stage leads to its newest version at once, deployed or not.
    assert aliases(endpoint) == {"Staging": "2", "Production": "1"}
    assert endpoint.served["4"].deployment.phase is Phase.BUILDING
    lab.run(10 * MINUTE)
    assert admit(lab, LEGACY, "4").state is TicketState.RUNNING


def test_a_model_without_versions_can_be_enabled(lab):
    lab.do(CreateRegisteredModel("empty", None))
    endpoint = lab.do(EnableModel(PREVIEW, "empty", None))
    lab.run(HOUR)
    assert (endpoint.state, endpoint.served) == (EndpointState.READY, {})


def test_enabling_what_is_enabled_changes_nothing(lab):
    endpoint = on(lab, PREVIEW)
    before = lab.snapshot()
    assert lab.do(EnableModel(PREVIEW, "iris", None)) is endpoint
    assert lab.snapshot() == before


def test_legacy_must_be_off_before_the_preview_is_on(lab):
    on(lab, LEGACY)
    assert lab.refusal(EnableModel(PREVIEW, "iris", None)).code is Code.LEGACY_STILL_ON
    lab.do(DisableModel(LEGACY, "iris", None))
    assert on(lab, PREVIEW).state is EndpointState.READY


def test_unity_catalog_is_served_by_neither(lab):
    for generation in (LEGACY, PREVIEW):
        assert lab.refusal(EnableModel(generation, "main.ml.iris", None)).code is Code.MODEL_IN_UC


def test_the_preview_needs_a_workspace_that_has_it(lab):
    lab.world.enrolment = Enrolment.TERMS_ACCEPTED
    assert lab.refusal(EnableModel(PREVIEW, "iris", None)).code is Code.PREVIEW_DISABLED


def test_enabling_needs_rights_on_the_model_and_for_clusters(lab):
    root = lab.member("root", "admins")
    lab.do(CreateRegisteredModel("mine", root))
    amy = lab.member("amy")
    assert lab.refusal(EnableModel(PREVIEW, "mine", amy)).code is Code.MODEL_NOT_PERMITTED
    assert lab.refusal(EnableModel(PREVIEW, "iris", amy)).code is Code.CLUSTERS_NOT_PERMITTED
    amy = lab.member("amy", entitlements=("allow_cluster_create",))
    assert lab.do(EnableModel(PREVIEW, "iris", amy)).creator == amy
    assert lab.refusal(AdmitVersion(PREVIEW, "nope", "1", amy)).code is Code.VERSION_NOT_SERVED
    lab.run(HOUR)
    bob = lab.member("bob")
    assert lab.do(AdmitVersion(PREVIEW, "iris", "1", bob)).state is TicketState.RUNNING
    assert lab.refusal(DisableModel(PREVIEW, "iris", bob)).code is Code.CLUSTERS_NOT_PERMITTED


def test_an_endpoint_can_fail_to_start_and_be_switched_off(lab):
    lab.do(AddFault(Fault("fail", "model-endpoint/iris", None, "no capacity")))
    endpoint = on(lab, PREVIEW)
    assert (endpoint.state, endpoint.reason) == (EndpointState.FAILED, "no capacity")
    assert lab.refusal(AdmitVersion(PREVIEW, "iris", "1")).heals_at is None
    lab.do(DisableModel(PREVIEW, "iris", None))
    assert on(lab, PREVIEW).state is EndpointState.READY


# --- stages ---------------------------------------------------------------------------------------


def test_a_stage_goes_on_with_the_old_version_until_the_new_one_is_ready(lab):
    endpoint = on(lab, PREVIEW)
    add(lab, "3")
    move(lab, "3", Stage.PRODUCTION)
    assert lab.world.registry.version("iris", "1").stage is Stage.ARCHIVED
    assert aliases(endpoint)["Production"] == "1"
    assert admit(lab, PREVIEW).entity == "1"
    lab.run(9 * MINUTE)
    assert admit(lab, PREVIEW).entity == "1"
    lab.run(2 * MINUTE)
    assert admit(lab, PREVIEW).entity == "3"
    assert list(endpoint.served) == ["2", "3"]


def test_a_new_version_that_fails_leaves_the_stage_to_the_old_one(lab):
    endpoint = on(lab, PREVIEW)
    add(lab, "3")
    lab.load_errors["3"] = "no such file"
    move(lab, "3", Stage.PRODUCTION)
    lab.run(HOUR)
    assert endpoint.served["3"].deployment.phase is Phase.FAILED
    assert admit(lab, PREVIEW).entity == "1"


def test_without_archiving_both_are_served_and_the_stage_leads_to_the_newer(lab):
    endpoint = on(lab, PREVIEW)
    add(lab, "3")
    move(lab, "3", Stage.PRODUCTION, archive=False)
    lab.run(HOUR)
    assert admit(lab, PREVIEW).entity == "3"
    assert admit(lab, PREVIEW, "1").entity == "1"
    assert list(endpoint.served) == ["1", "2", "3"]


def test_a_stage_goes_back_to_the_older_version_when_the_newer_one_breaks(lab):
    endpoint = on(lab, PREVIEW)
    add(lab, "3", Stage.PRODUCTION)
    lab.run(HOUR)
    assert aliases(endpoint)["Production"] == "3"
    lab.load_errors["3"] = "no such file"
    lab.do(WorkerDied(endpoint.served["3"].deployment.id))
    assert aliases(endpoint)["Production"] == "3"  # it recovers
    lab.run(HOUR)
    assert endpoint.served["3"].deployment.phase is Phase.FAILED
    assert admit(lab, PREVIEW).entity == "1"


def test_a_version_that_is_archived_is_served_no_more(lab):
    endpoint = on(lab, PREVIEW)
    move(lab, "1", Stage.ARCHIVED, archive=False)
    assert aliases(endpoint) == {"Staging": "2"}
    assert lab.refusal(AdmitVersion(PREVIEW, "iris", "Production")).code is Code.VERSION_NOT_SERVED
    refusal = lab.refusal(AdmitVersion(PREVIEW, "iris", "1"))
    assert refusal.code is Code.VERSION_NOT_SERVED
    assert refusal.fields["why"] == "served are versions in the stages Production, Staging; here: Staging, version 2"


def test_the_highest_number_counts_and_not_the_last_move(lab):
    endpoint = on(lab, PREVIEW)
    add(lab, "10", Stage.STAGING)
    lab.run(HOUR)
    add(lab, "9", Stage.STAGING)
    lab.run(HOUR)
    assert aliases(endpoint)["Staging"] == "10"


def test_legacy_moves_a_stage_at_once_though_nothing_answers_there_yet(lab):
    on(lab, LEGACY)
    add(lab, "3")
    move(lab, "3", Stage.PRODUCTION)
    refusal = lab.refusal(AdmitVersion(LEGACY, "iris", "Production"))
    assert refusal.code is Code.VERSION_NOT_UP
    assert refusal.heals_at is not None
    lab.run(HOUR)
    assert admit(lab, LEGACY).entity == "3"


def test_a_version_that_is_deleted_leaves(lab):
    add(lab, "3")
    endpoint = on(lab, LEGACY)
    lab.do(DeleteModelVersion("iris", "3", None))
    assert list(endpoint.served) == ["1", "2"]


def test_a_stage_whose_first_version_is_on_its_way_is_waited_for(lab):
    on(lab, PREVIEW)
    move(lab, "1", Stage.ARCHIVED, archive=False)
    add(lab, "3", Stage.PRODUCTION)
    refusal = lab.refusal(AdmitVersion(PREVIEW, "iris", "Production"))
    assert refusal.code is Code.VERSION_NOT_UP
    lab.run(refusal.heals_at - lab.now)
    lab.run(2 * MINUTE)
    assert admit(lab, PREVIEW).entity == "3"


def test_deleting_a_model_switches_it_off_and_renaming_takes_it_along(lab):
    endpoint = on(lab, LEGACY)
    lab.do(UpdateRegisteredModel("iris", None, new_name="flowers"))
    assert endpoint.name == "model/flowers"
    ticket = lab.do(AdmitVersion(LEGACY, "flowers", "1"))
    assert ticket.endpoint == ticket.deployment.endpoint == "model/flowers"
    for version in "12":
        lab.do(TransitionStage("flowers", version, None, Stage.NONE))
    lab.do(DeleteRegisteredModel("flowers", None))
    assert endpoint.state is EndpointState.OFF
    assert lab.world.model_endpoints == {}


# --- compute --------------------------------------------------------------------------------------


def change(lab, stage=Stage.PRODUCTION, **compute):
    return lab.do(ChangeCompute(PREVIEW, "iris", None, stage, Compute(**compute)))


def test_other_compute_is_launched_beside_what_serves(lab):
    served = on(lab, PREVIEW).served["1"]
    before = served.deployment
    change(lab, size="Large")
    assert (served.deployment, served.compute.size, served.next_compute.size) == (before, "Small", "Large")
    assert admit(lab, PREVIEW).deployment is before
    lab.run(10 * MINUTE)
    assert (served.compute.size, served.next, served.next_compute) == ("Large", None, None)
    assert admit(lab, PREVIEW).deployment is not before
    assert served.deployment.spec.workload_size == "Large"


def test_an_update_that_fails_leaves_the_old_compute_and_can_be_tried_again(lab):
    endpoint = on(lab, PREVIEW)
    served = endpoint.served["1"]
    lab.do(AddFault(Fault("fail", "model-endpoint/iris", "1", "no capacity")))
    change(lab, size="Large")
    lab.run(HOUR)
    assert (served.failure, served.compute.size, served.next) == ("no capacity", "Small", None)
    assert admit(lab, PREVIEW).entity == "1"
    lab.do(RestartUpdate(PREVIEW, "iris", "1", None))
    assert (served.retried, served.failure) == (True, "")
    lab.run(HOUR)
    assert (served.retried, served.compute.size) == (False, "Large")
    assert lab.refusal(RestartUpdate(PREVIEW, "iris", "1", None)).code is Code.NO_FAILED_UPDATE


def test_asking_again_for_what_failed_tries_it_again(lab):
    served = on(lab, PREVIEW).served["1"]
    lab.do(AddFault(Fault("fail", "model-endpoint/iris", "1", "no capacity")))
    change(lab, size="Large")
    lab.run(HOUR)
    change(lab, size="Large")
    lab.run(HOUR)
    assert (served.failure, served.compute.size) == ("", "Large")


def test_another_change_replaces_the_one_in_progress_and_the_old_compute_ends_it(lab):
    served = on(lab, PREVIEW).served["1"]
    before = served.deployment
    change(lab, size="Large")
    change(lab, size="Medium")
    assert served.next.spec.workload_size == "Medium"
    change(lab, size="Small")
    assert (served.next, served.next_compute, served.deployment) == (None, None, before)
    assert served.compute.version == 4


def test_a_version_takes_the_compute_of_the_stage_that_it_moves_to(lab):
    endpoint = on(lab, PREVIEW)
    change(lab, Stage.PRODUCTION, size="Large")
    lab.run(HOUR)
    move(lab, "2", Stage.PRODUCTION)
    # It is ready already: the stage leads to it at once, on the compute that it has.
    assert aliases(endpoint) == {"Production": "2"}
    assert endpoint.served["2"].next_compute.size == "Large"
    lab.run(HOUR)
    assert endpoint.served["2"].compute.size == "Large"


def test_a_version_scales_to_zero_and_a_request_waits_for_it(lab):
    endpoint = on(lab, PREVIEW)
    change(lab, scale_to_zero=True)
    lab.run(HOUR)
    assert endpoint.served["1"].deployment.phase is Phase.SCALED_TO_ZERO
    ticket = admit(lab, PREVIEW)
    assert ticket.state is TicketState.HELD
    lab.run(MINUTE)
    assert ticket.state is TicketState.RUNNING


def test_a_changed_cluster_begins_anew(lab):
    endpoint = on(lab, LEGACY)
    lab.do(ChangeCompute(LEGACY, "iris", None, None, Compute(node_type="i3.xlarge")))
    assert (endpoint.state, endpoint.served) == (EndpointState.PENDING, {})
    refusal = lab.refusal(AdmitVersion(LEGACY, "iris", "Production"))
    assert (refusal.code, refusal.heals_at) == (Code.VERSION_NOT_UP, lab.now + 4 * MINUTE)
    lab.run(HOUR)
    assert admit(lab, LEGACY).entity == "1"
    assert endpoint.served["1"].compute.node_type == "i3.xlarge"


def test_who_waits_for_a_cluster_that_is_replaced_is_refused_for_now(lab):
    lab.do(EnableModel(LEGACY, "iris", None, serving=True, computes=((None, Compute(scale_to_zero=True)),)))
    lab.run(HOUR)
    held = admit(lab, LEGACY)
    lab.do(ChangeCompute(LEGACY, "iris", None, None, Compute(node_type="i3.xlarge")))
    assert (held.state, held.refusal.code) == (TicketState.REFUSED, Code.VERSION_NOT_UP)


# --- the end --------------------------------------------------------------------------------------


def test_disabling_refuses_who_waits_and_lets_the_others_end(lab):
    endpoint = on(lab, PREVIEW)
    running = admit(lab, PREVIEW)
    change(lab, Stage.STAGING, scale_to_zero=True)
    lab.run(HOUR)
    held = admit(lab, PREVIEW, "Staging")
    lab.do(DisableModel(PREVIEW, "iris", None))
    assert endpoint.state is EndpointState.OFF
    assert (held.state, running.state) == (TicketState.REFUSED, TicketState.RUNNING)
    assert held.refusal.code is Code.VERSION_NOT_SERVED
    assert lab.refusal(DisableModel(PREVIEW, "iris", None)).code is Code.PREVIEW_NOT_ENABLED
    lab.do(GiveUp(running.number, "the client went away"))
    lab.run(MINUTE)
    assert lab.world.deployments == {}


def test_the_wrong_url_says_which_is_right(lab):
    on(lab, PREVIEW)
    refusal = lab.refusal(AdmitVersion(LEGACY, "iris", "Production"))
    assert refusal.code is Code.WRONG_SCORING_URL
    assert refusal.fields["right"] == "/model-endpoint/iris/Production/invocations"
    assert lab.refusal(AdmitVersion(LEGACY, "m", "1")).code is Code.VERSION_NOT_SERVED


def test_the_right_url_is_told_to_readers_of_the_model_alone(lab):
    root, amy = lab.member("root", "admins"), lab.member("amy")
    lab.do(CreateRegisteredModel("mine", root))
    lab.do(EnableModel(PREVIEW, "mine", root))
    codes = [lab.refusal(AdmitVersion(LEGACY, "mine", "1", who)).code for who in (root, amy)]
    assert codes == [Code.WRONG_SCORING_URL, Code.VERSION_NOT_SERVED]


def test_traffic_is_counted_by_minute(lab):
    endpoint = on(lab, LEGACY)
    ticket = admit(lab, LEGACY)
    lab.run(250)
    lab.do(GiveUp(ticket.number, "x", 500))
    (minute,) = endpoint.served["1"].minutes.between(0, lab.now)
    assert (minute.requests, minute.errors_5xx, minute.durations) == (1, 1, ((250, 1),))
    assert (endpoint.calls, endpoint.last_caller) == (1, "")


# --- dates ----------------------------------------------------------------------------------------

CLOSED, RETIRED = BEFORE + DAY, BEFORE + 2 * DAY


@pytest.fixture(params=[LEGACY, PREVIEW])
def dated(lab, request):
    """Give a world in which either generation ends in two days, and its name."""
    lab.world.profile = replace(
        FAITHFUL,
        cold_start_ms=(MINUTE, MINUTE),
        calendar=tuple(one._replace(no_new_from=CLOSED, retired_on=RETIRED) for one in calendar.CALENDAR),
    )
    return lab, request.param


def test_nothing_new_begins_from_the_first_date_on(dated):
    lab, generation = dated
    lab.run(CLOSED - lab.now - 1)
    endpoint = lab.do(EnableModel(generation, "iris", None))
    lab.run(1)
    assert lab.refusal(EnableModel(generation, "m", None)).code is Code.SURFACE_CLOSED
    lab.run(HOUR)
    assert endpoint.state is EndpointState.READY
    assert admit(lab, generation).state is TicketState.RUNNING


def test_nothing_answers_from_the_second_date_on(dated):
    lab, generation = dated
    endpoint = on(lab, generation)
    lab.run(RETIRED - lab.now - 1)
    ticket = admit(lab, generation)
    lab.run(1)
    assert endpoint.state is EndpointState.ENDED
    refusal = lab.refusal(AdmitVersion(generation, "iris", "Production"))
    assert refusal.code is Code.SURFACE_RETIRED
    assert refusal.fields["now"] == refusal.fields["since"] == "2025-06-03T09:00:00Z"
    assert lab.refusal(EnableModel(generation, "iris", None)).code is Code.SURFACE_RETIRED
    assert lab.refusal(DisableModel(generation, "iris", None)).code is Code.SURFACE_RETIRED
    # What was admitted before goes on.
    assert ticket.state is TicketState.RUNNING
    lab.do(GiveUp(ticket.number, "x", 200))
    assert lab.world.deployments == {}


def test_who_waits_across_the_end_is_refused(dated):
    lab, generation = dated
    compute = Compute(scale_to_zero=True)
    key = Stage.PRODUCTION if generation == PREVIEW else None
    lab.do(EnableModel(generation, "iris", None, serving=True, computes=((key, compute),)))
    lab.run(RETIRED - lab.now - MINUTE)
    ticket = admit(lab, generation)
    assert ticket.state is TicketState.HELD
    while lab.now < RETIRED:
        assert ticket.state is TicketState.HELD
        lab.do(Step(RETIRED))
    # Its cold start ends at the very instant, which belongs to what comes after.
    assert ticket.state is TicketState.REFUSED
    assert ticket.refusal.code is Code.SURFACE_RETIRED
    lab.run(HOUR)
    assert lab.world.deployments == {}


def test_all_that_a_date_ends_goes_in_one_step(dated):
    lab, generation = dated
    lab.do(AddModel(ModelVersion("rose", "1", "stub", "{}"), Details(Stage.PRODUCTION)))
    both = [lab.do(EnableModel(generation, name, None, serving=True)) for name in ("iris", "rose")]
    while lab.now < RETIRED:
        lab.do(Step(RETIRED))
    assert [one.state for one in both] == [EndpointState.ENDED, EndpointState.ENDED]


def test_what_its_date_ended_goes_with_its_model(dated):
    lab, generation = dated
    on(lab, generation)
    lab.run(RETIRED - lab.now)
    for version in "12":
        move(lab, version, Stage.NONE, archive=False)
    lab.do(DeleteRegisteredModel("iris", None))
    lab.do(CreateRegisteredModel("iris", None))
    assert lab.world.model_endpoints == {}


def test_legacy_that_its_date_ended_is_off_for_the_preview(lab):
    lab.world.profile = replace(
        FAITHFUL, calendar=tuple(one._replace(retired_on=RETIRED) for one in calendar.CALENDAR if one.what == LEGACY)
    )
    on(lab, LEGACY)
    lab.run(RETIRED - lab.now)
    # Nobody could disable it any more.
    assert lab.refusal(DisableModel(LEGACY, "iris", None)).code is Code.SURFACE_RETIRED
    assert on(lab, PREVIEW).state is EndpointState.READY


def test_a_world_that_begins_after_the_end_has_no_legacy(labs):
    lab = labs()
    assert lab.now == START_MS
    assert lab.refusal(EnableModel(LEGACY, "m", None)).code is Code.SURFACE_RETIRED
    with pytest.raises(Rejected):
        calendar.check_open(lab.world, LEGACY)


def test_the_published_dates_are_legacys_and_the_preview_has_none():
    legacy, preview = (calendar.ending_of(FAITHFUL, what) for what in (LEGACY, PREVIEW))
    assert list(map(calendar.iso, legacy[1:3])) == ["2025-08-22T00:00:00Z", "2025-09-15T00:00:00Z"]
    assert preview[1:3] == (None, None)
    assert calendar.iso(legacy.retired_on + 7) == "2025-09-15T00:00:00.007Z"
    assert calendar.ending_of(FAITHFUL, "nothing") is None
