"""Express deployments: which versions can be staged, what staging takes, and what a staged version saves."""

from dataclasses import replace

import pytest

from servesim.core.commands import EntitySpec
from servesim.core.deployment import Phase
from servesim.core.errors import Code, Rejected
from servesim.core.model_commands import (
    AddModel,
    CreateModelVersion,
    CreateRegisteredModel,
    DeleteModelVersion,
    DeleteRegisteredModel,
    FinishRegistration,
    StageDeployment,
)
from servesim.core.profile import FAITHFUL, MINUTE
from servesim.core.registry import Details, ModelVersion, Packed, Status

NAME = "main.ml.fraud"
PACKED = Packed("client.4.9", "3.17.2", 10**8)
NOT_PACKED = None
BUILD = FAITHFUL.container_build_ms[0]
RESOURCES = FAITHFUL.resources_ms[0]
STAGING = FAITHFUL.staging_ms[0]


class Registration:
    """Registers versions in a lab as a client of Unity Catalog does."""

    def __init__(self, lab, ana):
        """Register as Ana."""
        self.lab = lab
        self.ana = ana

    def finish(self, name=NAME, *, packed=PACKED, **facts):
        """Register a version as far as its client can bring it and return its number."""
        if name not in self.lab.world.registry.models:
            self.lab.do(CreateRegisteredModel(name, self.ana))
        number = self.lab.do(CreateModelVersion(name, self.ana, "s3://a/b")).number
        model = ModelVersion(name, number, "stub", "{}", packed=packed, **facts)
        self.lab.do(FinishRegistration(name, number, model))
        return number

    def ready(self, name=NAME, **facts):
        """Register a version and wait until it is ready."""
        number = self.finish(name, **facts)
        self.lab.run(STAGING)
        return number

    def staged(self, name=NAME, **facts):
        """Register a version, wait, and stage it."""
        number = self.ready(name, **facts)
        self.stage(name, number)
        return number

    def stage(self, name, number):
        return self.lab.do(StageDeployment(name, number, self.ana))

    def version(self, number, name=NAME):
        return self.lab.world.registry.version(name, number)

    def entity(self, number, name=NAME, **changes):
        return EntitySpec("a", name, number, **changes)


@pytest.fixture
def registration(lab, ana):
    return Registration(lab, ana)


# --- the rules ------------------------------------------------------------------------------------

BROKEN = {
    "a model of the workspace registry": ("fraud", PACKED, "Unity Catalog"),
    "two levels": ("ml.fraud", PACKED, "Unity Catalog"),
    "a model of the catalog system": ("system.ai.llama", PACKED, "custom model"),
    "no environment": (NAME, NOT_PACKED, "env_pack"),
    "a GPU": (NAME, replace(PACKED, runtime="client.4.9-gpu"), "CPU"),
    "a GPU cluster": (NAME, replace(PACKED, runtime="17.3.x-gpu-ml-scala2.13"), "CPU"),
    "environment 2": (NAME, replace(PACKED, runtime="client.2.5"), "environment version 3 or 4"),
    "environment 5": (NAME, replace(PACKED, runtime="client.5"), "environment version 3 or 4"),
    "environment 40": (NAME, replace(PACKED, runtime="client.40.1"), "environment version 3 or 4"),
    "a cluster": (NAME, replace(PACKED, runtime="15.4"), "environment version 3 or 4"),
    "no runtime": (NAME, replace(PACKED, runtime=""), "environment version 3 or 4"),
    "mlflow 3.0": (NAME, replace(PACKED, mlflow="3.0.1"), "mlflow 3.1 or later"),
    "mlflow 2.22": (NAME, replace(PACKED, mlflow="2.22.4"), "mlflow 3.1 or later"),
    "no mlflow": (NAME, replace(PACKED, mlflow=""), "mlflow 3.1 or later"),
    "an environment too large": (NAME, replace(PACKED, environment_bytes=10**9 + 1), "1,000,000,000 bytes"),
}
GOOD = {
    "environment 3": replace(PACKED, runtime="client.3.1"),
    "environment 4": PACKED,
    "the short name of environment 4": replace(PACKED, runtime="client.4"),
    "mlflow 3.1": replace(PACKED, mlflow="3.1.0"),
    "mlflow 3.10": replace(PACKED, mlflow="3.10.0"),
    "mlflow 4": replace(PACKED, mlflow="4.0.0"),
    "a release candidate": replace(PACKED, mlflow="3.1.0rc0"),
    "exactly 1 GB": replace(PACKED, environment_bytes=10**9),
}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_a_version_that_breaks_a_rule_is_refused_and_stays_registered(registration, lab, ana, case):
    name, packed, named = case
    number = registration.ready(name, packed=packed)
    refusal = lab.refusal(StageDeployment(name, number, ana))
    assert refusal.code is Code.NOT_EXPRESS
    assert named in refusal.fields["rule"]
    version = registration.version(number, name)
    assert (version.status, version.staged) == (Status.READY, False)
    lab.create(registration.entity(number, name))
    assert lab.deployment(pending=True).phase is Phase.BUILDING
    lab.run(BUILD + RESOURCES)
    assert lab.deployment().phase is Phase.READY


@pytest.mark.parametrize("packed", GOOD.values(), ids=GOOD)
def test_a_version_that_keeps_the_rules_is_staged(registration, packed):
    number = registration.staged(packed=packed)
    assert registration.version(number).staged


def test_the_limit_of_the_environment_is_the_profiles(labs, ana):
    lab = labs(profile=replace(FAITHFUL, express_environment_limit_bytes=10))
    number = Registration(lab, ana).ready(packed=replace(PACKED, environment_bytes=11))
    assert "10 bytes at most; it has 11" in lab.refusal(StageDeployment(NAME, number, ana)).fields["rule"]


def test_a_version_without_artifacts_cannot_be_staged(registration, lab, ana):
    lab.do(CreateRegisteredModel(NAME, ana))
    number = lab.do(CreateModelVersion(NAME, ana, "s3://a/b")).number
    assert "PENDING_REGISTRATION" in lab.refusal(StageDeployment(NAME, number, ana)).fields["rule"]
    lab.do(FinishRegistration(NAME, number, None, "no MLmodel"))
    assert "FAILED_REGISTRATION" in lab.refusal(StageDeployment(NAME, number, ana)).fields["rule"]


def test_what_is_not_there_cannot_be_staged(registration, lab, ana):
    assert lab.refusal(StageDeployment(NAME, "1", ana)).code is Code.MODEL_MISSING
    number = registration.ready()
    assert lab.refusal(StageDeployment(NAME, "7", ana)).code is Code.VERSION_MISSING
    lab.do(DeleteModelVersion(NAME, number, ana))
    assert lab.refusal(StageDeployment(NAME, number, ana)).code is Code.VERSION_MISSING
    lab.do(DeleteRegisteredModel(NAME, ana))
    assert lab.refusal(StageDeployment(NAME, number, ana)).code is Code.MODEL_MISSING


def test_whoever_may_not_change_the_model_cannot_stage_it(registration, lab, ana):
    lab.member(ana.name)
    stranger = lab.member("bob@example.com")
    number = registration.ready()
    assert lab.refusal(StageDeployment(NAME, number, stranger)).code is Code.MODEL_NOT_PERMITTED
    assert lab.refusal(StageDeployment(NAME, "7", stranger)).code is Code.MODEL_NOT_PERMITTED
    assert registration.stage(NAME, number).staged


# --- registration ---------------------------------------------------------------------------------


def test_a_version_with_its_environment_is_ready_once_it_is_staged(registration, lab):
    number = registration.finish()
    version = registration.version(number)
    assert (version.status, version.due) == (Status.PENDING, lab.now + STAGING)
    lab.run(STAGING - 1)
    assert version.status is Status.PENDING
    lab.run(1)
    assert (version.status, version.due) == (Status.READY, 0)


def test_a_version_without_its_environment_is_ready_at_once(registration):
    number = registration.finish(packed=NOT_PACKED)
    assert registration.version(number).status is Status.READY


def test_a_pending_version_can_be_staged_but_not_be_served(registration, lab):
    """A client that does not wait for the registration calls at once."""
    number = registration.finish()
    registration.stage(NAME, number)
    with pytest.raises(Rejected) as refused:
        lab.create(registration.entity(number))
    assert refused.value.code is Code.VERSION_NOT_READY
    lab.run(STAGING)
    assert registration.version(number).staged
    lab.create(registration.entity(number))
    assert lab.deployment(pending=True).phase is Phase.PROVISIONING


def test_a_version_that_is_deleted_while_it_is_staged_leaves_nothing(registration, lab, ana):
    number = registration.finish()
    lab.do(DeleteModelVersion(NAME, number, ana))
    lab.run(STAGING)
    assert lab.world.registry.model(NAME).versions == {}
    assert not lab.events("model version registered")


def test_a_model_that_is_made_anew_has_nothing_to_do_with_the_old_one(registration, lab, ana):
    registration.finish()
    lab.do(DeleteRegisteredModel(NAME, ana))
    lab.run(STAGING // 2)
    number = registration.finish()
    lab.run(STAGING // 2)
    assert registration.version(number).status is Status.PENDING
    lab.run(STAGING)
    assert registration.version(number).status is Status.READY


def test_a_version_that_is_declared_meanwhile_is_not_registered_twice(registration, lab):
    number = registration.finish()
    lab.do(AddModel(ModelVersion(NAME, number, "stub", "{}")))
    lab.run(STAGING)
    assert registration.version(number).status is Status.READY
    assert not lab.events("model version registered")


def test_staging_again_changes_nothing(registration, lab):
    number = registration.staged()
    before = lab.snapshot()
    registration.stage(NAME, number)
    assert lab.snapshot() == before


# --- deployment -----------------------------------------------------------------------------------


def took(lab, *entities, name="e"):
    """Create an endpoint, wait for it, and return the simulated time that it took."""
    began = lab.now
    lab.create(*entities, name=name)
    while lab.world.endpoints[name].pending is not None:
        assert lab.step()
        lab.load()
    return lab.now - began


def test_a_staged_version_is_deployed_sooner_by_the_time_of_the_build(registration, lab):
    number = registration.staged()
    ordinary = registration.ready(packed=NOT_PACKED)
    slow = took(lab, registration.entity(ordinary), name="ordinary")
    quick = took(lab, registration.entity(number), name="express")
    assert quick == slow - BUILD
    assert quick < slow


def test_a_staged_version_has_no_container_build_in_its_events(registration, lab):
    number = registration.staged()
    lab.create(registration.entity(number))
    assert lab.deployment(pending=True).phase is Phase.PROVISIONING
    lab.run(RESOURCES)
    told = [line.what for line in lab.world.endpoints["e"].events]
    assert "deployment ready" in told
    assert not [what for what in told if "build" in what or "built" in what or "container" in what]


def test_an_ordinary_version_has_a_container_build_in_its_events(registration, lab):
    number = registration.ready()  # packed, not staged
    lab.create(registration.entity(number))
    lab.run(BUILD + RESOURCES)
    told = [line.what for line in lab.world.endpoints["e"].events]
    assert "deployment building" in told
    assert "container built" in told


UNBUILDABLE = {"unsupported": {"unsupported": "no mlflow"}, "private library": {"requirements": ("acme-risk",)}}


@pytest.mark.parametrize("facts", UNBUILDABLE.values(), ids=UNBUILDABLE)
def test_a_staged_version_cannot_fail_in_the_build(registration, lab, facts):
    lab.world.private_libraries = frozenset({"acme-*"})
    lab.create(registration.entity(registration.ready(**facts)), name="ordinary")
    lab.create(registration.entity(registration.staged(**facts)), name="express")
    lab.run(BUILD + RESOURCES)
    assert lab.deployment(pending=True, endpoint="ordinary").phase is Phase.FAILED
    assert lab.deployment(endpoint="express").phase is Phase.READY


@pytest.mark.parametrize("workload", ["GPU_SMALL", "MULTIGPU_MEDIUM"])
def test_on_a_gpu_a_staged_version_is_built(registration, lab, workload):
    lab.create(registration.entity(registration.staged(), workload_type=workload))
    assert lab.deployment(pending=True).phase is Phase.BUILDING


def test_an_update_to_a_version_that_is_not_staged_builds(registration, lab):
    staged, ordinary = registration.staged(), registration.ready()
    lab.create(registration.entity(staged))
    lab.run(RESOURCES)
    lab.put(registration.entity(ordinary))
    assert lab.deployment(pending=True).phase is Phase.BUILDING
    lab.run(BUILD + RESOURCES)
    lab.put(registration.entity(staged))
    assert lab.deployment(pending=True).phase is Phase.PROVISIONING


def test_staging_helps_the_next_deployment_alone(registration, lab):
    number = registration.ready()
    lab.create(registration.entity(number))
    registration.stage(NAME, number)
    assert lab.deployment(pending=True).phase is Phase.BUILDING
    lab.create(registration.entity(number), name="next")
    assert lab.deployment(pending=True, endpoint="next").phase is Phase.PROVISIONING


def test_another_config_for_a_stopped_endpoint_needs_no_build_later(registration, lab):
    staged, ordinary = registration.staged(), registration.ready(packed=NOT_PACKED)
    lab.create(registration.entity(ordinary))
    lab.run(BUILD + RESOURCES)
    lab.stop()
    lab.put(registration.entity(staged))
    lab.start()
    assert lab.deployment(pending=True).phase is Phase.PROVISIONING


def test_what_serves_a_deleted_version_goes_on_and_is_not_deployed_anew(registration, lab, ana):
    number = registration.staged()
    lab.create(registration.entity(number))
    lab.run(RESOURCES)
    lab.do(DeleteModelVersion(NAME, number, ana))
    assert lab.admit().state == "running"
    with pytest.raises(Rejected) as refused:
        lab.put(registration.entity(number, scale_to_zero=True))
    assert refused.value.code is Code.VERSION_MISSING


def test_a_declared_version_can_be_staged_from_the_beginning(registration, lab):
    lab.do(AddModel(ModelVersion(NAME, "1", "stub", "{}", packed=PACKED), Details(staged=True)))
    lab.create(registration.entity("1"))
    assert lab.deployment(pending=True).phase is Phase.PROVISIONING


# --- replay ---------------------------------------------------------------------------------------


def session(lab, ana):
    registration = Registration(lab, ana)
    staged = registration.staged()
    pending = registration.finish()
    lab.create(registration.entity(staged))
    lab.run(RESOURCES)
    lab.put(registration.entity(registration.ready(packed=NOT_PACKED)))
    registration.stage(NAME, pending)
    lab.run(BUILD + RESOURCES + MINUTE)


def test_the_same_commands_give_the_same_world(labs, ana):
    recorded = []
    lab = labs(seed=5, recorder=recorded.append)
    session(lab, ana)
    again = labs(seed=5)
    for command in recorded[3:]:  # a lab has its own three versions of a model
        again.do(command)
    again.world.effects.clear()
    assert again.snapshot() == lab.snapshot()


def test_a_refused_stage_is_refused_again(labs, ana):
    worlds = []
    for _ in range(2):
        lab = labs(seed=5)
        number = Registration(lab, ana).ready(packed=NOT_PACKED)
        with pytest.raises(Rejected) as refused:
            lab.do(StageDeployment(NAME, number, ana))
        worlds.append((lab.snapshot(), refused.value.fields))
    assert worlds[0] == worlds[1]
