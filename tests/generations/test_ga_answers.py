"""Endpoints to GA JSON, straight from a world: states in the words of the service, optional keys, orders."""

import json

import pytest

from servesim.core.access import Principal
from servesim.core.commands import Admit, CancelUpdate, Finish, LoadFinished, Step, WorkerDied
from servesim.core.deployment import Phase
from servesim.core.endpoint import EndpointPhase
from servesim.core.errors import Code, Rejected
from servesim.core.registry import ModelVersion
from servesim.core.workspace import Workspace
from servesim.generations import ga, ga_requests

WHO = Principal("tester@example.com", "Tester")


@pytest.fixture
def world():
    world = Workspace()
    for name in ("main.ml.fraud", "plain"):
        for version in "12":
            world.registry.add(ModelVersion(name, version, "stub", "{}"), 0)
    return world


def entity(name=None, model="main.ml.fraud", version="1", **fields):
    named = {"name": name} if name else {}
    return {**named, "entity_name": model, "entity_version": version, **fields}


def create(world, *entities, **fields):
    body = {"name": "fraud", **fields}
    if entities:
        body["config"] = {"served_entities": list(entities)}
    if len(entities) > 1:
        routes = [{"served_entity_name": one["name"], "traffic_percentage": 0} for one in entities]
        routes[0]["traffic_percentage"] = 100
        body["config"]["traffic_config"] = {"routes": routes}
    return world.execute(ga_requests.read_create(body, WHO))


def update(world, *entities):
    return world.execute(ga_requests.read_update("fraud", {"served_entities": list(entities)}, WHO))


def run(world, error=None, steps=100):
    """Let what is due happen; every model loads, or fails with an error."""
    for _ in range(steps):
        while world.effects:
            world.execute(LoadFinished(world.effects.popleft().deployment_id, error))
        endpoint = world.endpoints["fraud"]
        if not endpoint.in_transition or not world.execute(Step(2**60)):
            return ga.render_endpoint(world, endpoint)
    raise AssertionError


def test_entities_come_back_by_name(world):
    create(world, entity("c"), entity("a"), entity("b"))
    config = run(world)["config"]
    assert [one["name"] for one in config["served_entities"]] == ["a", "b", "c"]
    assert [one["name"] for one in config["served_models"]] == ["a", "b", "c"]


def test_the_twins_differ_in_two_keys_only(world):
    create(world, entity())
    config = run(world)["config"]
    (served,), (model,) = config["served_entities"], config["served_models"]
    assert model == {key.replace("entity_", "model_"): value for key, value in served.items()}


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ({}, ["workload_size", "workload_type"]),
        ({"min_provisioned_concurrency": 4}, ["min_provisioned_concurrency", "workload_type"]),
        (
            {"max_provisioned_concurrency": 8, "min_provisioned_concurrency": 4},
            ["min_provisioned_concurrency", "max_provisioned_concurrency", "workload_type"],
        ),
        (
            {"environment_vars": {"B": "2", "A": "1"}},
            ["workload_size", "workload_type", "environment_vars"],
        ),
        ({"instance_profile_arn": "arn"}, ["workload_size", "workload_type", "instance_profile_arn"]),
    ],
)
def test_optional_keys_of_an_entity(world, sent, keys):
    create(world, entity(**sent))
    (served,) = run(world)["config"]["served_entities"]
    always = {"name", "entity_name", "entity_version", "scale_to_zero_enabled"}
    always |= {"type", "state", "creator", "creation_timestamp"}
    assert [key for key in served if key not in always] == keys
    assert all(served[key] == value for key, value in sent.items())


def test_only_models_of_unity_catalog_have_a_type(world):
    create(world, entity(model="plain"))
    (served,) = run(world)["config"]["served_entities"]
    assert "type" not in served


def test_a_service_principal_is_named_by_its_application(world):
    robot = Principal("1f0e2d3c-0000-0000-0000-000000000000", "robot", "ServicePrincipal")
    endpoint = world.execute(ga_requests.read_create({"name": "fraud"}, robot))
    made = ga.render_endpoint(world, endpoint)
    assert (made["creator"], made["creator_display_name"], made["creator_kind"]) == (
        "1f0e2d3c-0000-0000-0000-000000000000",
        "robot",
        "ServicePrincipal",
    )


def test_what_is_kept_comes_back_after_the_description(world):
    create(world, entity(), tags=[{"key": "a"}, {"key": "b", "value": ""}], budget_policy_id="p", description="d")
    got = run(world)
    assert list(got)[-3:] == ["description", "tags", "budget_policy_id"]
    assert got["tags"] == [{"key": "a"}, {"key": "b", "value": ""}]


def test_a_first_deployment_that_fails(world):
    create(world, entity())
    got = run(world, "ModuleNotFoundError: no module named 'xgboost'")
    assert got["state"] == {"ready": "NOT_READY", "config_update": "UPDATE_FAILED", "suspend": "NOT_SUSPENDED"}
    assert "config" not in got
    (served,) = got["pending_config"]["served_entities"]
    assert served["state"] == {
        "deployment": "DEPLOYMENT_FAILED",
        "deployment_state_message": "Failed to deploy fraud-1: ModuleNotFoundError: no module named 'xgboost'",
    }


def test_a_failed_update_keeps_what_serves(world):
    create(world, entity())
    before = run(world)["config"]
    update(world, entity(version="2"))
    got = run(world, "it does not load")
    assert got["state"] == {"ready": "READY", "config_update": "UPDATE_FAILED", "suspend": "NOT_SUSPENDED"}
    assert got["config"] == before
    assert got["pending_config"]["config_version"] == 2
    update(world, entity(version="2"))
    after = run(world)
    assert after["config"]["config_version"] == 3
    assert "pending_config" not in after


def test_a_cancelled_update(world):
    create(world, entity())
    run(world)
    update(world, entity(version="2"))
    world.execute(CancelUpdate("fraud"))
    got = run(world)
    assert got["state"]["config_update"] == "UPDATE_CANCELED"
    (served,) = got["pending_config"]["served_entities"]
    assert served["state"]["deployment"] == "DEPLOYMENT_ABORTED"


def test_every_phase_has_its_words(world):
    # A deployment that drains is in no config that a client can see.
    assert set(ga.WORDS) == set(Phase)
    assert set(ga.WORDS.values()) == {
        f"DEPLOYMENT_{word}" for word in ("CREATING", "READY", "RECOVERING", "FAILED", "ABORTED")
    }
    assert set(ga.UPDATE_WORDS) == set(EndpointPhase)


def test_scaled_to_zero_is_ready(world):
    create(world, entity(scale_to_zero_enabled=True))
    run(world)
    (deployment,) = world.deployments.values()
    while deployment.phase is not Phase.SCALED_TO_ZERO:
        assert world.execute(Step(2**60))
    got = ga.render_endpoint(world, world.endpoints["fraud"])
    assert got["state"] == {"ready": "READY", "config_update": "NOT_UPDATING", "suspend": "NOT_SUSPENDED"}
    (served,) = got["config"]["served_entities"]
    assert served["state"] == {"deployment": "DEPLOYMENT_READY", "deployment_state_message": "Scaled to zero"}


def test_a_world_is_told_in_plain_json(world):
    create(world, entity(), description="\ud800")
    assert json.loads(json.dumps(run(world), allow_nan=False))["description"] == "\ud800"


def test_a_missing_endpoint_is_an_error_value(world):
    with pytest.raises(Rejected) as refused:
        update(world, entity())
    assert refused.value.code is Code.ENDPOINT_MISSING


# --- what the rim relies on -----------------------------------------------------------------------


class Watched:
    """A world of which every step checks that an endpoint's revision tells of each change a reader can see."""

    def __init__(self, world):
        self.world = world
        self.endpoint = create(world, entity("a", scale_to_zero_enabled=True), entity("b"))
        self.seen = self.look()

    def look(self):
        endpoint = self.endpoint
        return endpoint.revision, ga.render_endpoint(self.world, endpoint), ga.render_summary(self.world, endpoint)

    def execute(self, command):
        made = self.world.execute(command)
        new = self.look()
        assert new[0] != self.seen[0] or new == self.seen, command
        self.seen = new
        return made

    def run(self, until, error=None):
        for _ in range(100):
            while self.world.effects:
                self.execute(LoadFinished(self.world.effects.popleft().deployment_id, error))
            if until() or not self.execute(Step(2**60)):
                return
        raise AssertionError

    def deployment(self, name):
        return self.world.deployments[self.endpoint.active.find(name).deployment_id]


def test_the_revision_tells_of_every_change_that_a_reader_can_see(world):
    watched = Watched(world)
    watched.run(lambda: not watched.endpoint.in_transition)
    first, second = watched.deployment("a"), watched.deployment("b")
    watched.run(lambda: first.phase is Phase.SCALED_TO_ZERO)
    ticket = watched.execute(Admit("fraud", "a"))
    watched.run(lambda: first.phase is Phase.READY)
    watched.execute(Finish(ticket.number, 200))
    watched.execute(WorkerDied(second.id))
    watched.run(lambda: second.phase is Phase.READY)
    for error, version in (("it does not load", "2"), (None, "2"), (None, "1")):
        watched.execute(ga_requests.read_update("fraud", {"served_entities": [entity("a", version=version)]}, WHO))
        watched.run(lambda: not watched.endpoint.in_transition, error)
    watched.execute(ga_requests.read_update("fraud", {"served_entities": [entity("c")]}, WHO))
    watched.execute(CancelUpdate("fraud"))
