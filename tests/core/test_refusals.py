"""Everything that the world refuses: the code, its fields, and that nothing changed."""

from dataclasses import replace

import pytest

from servesim.core.commands import (
    Admit,
    CancelUpdate,
    ConfigRequest,
    CreateEndpoint,
    DeleteEndpoint,
    EntitySpec,
    Route,
    UpdateConfig,
)
from servesim.core.draws import Draws
from servesim.core.errors import Code
from servesim.core.profile import FAITHFUL, INSTANT
from servesim.core.registry import NEAR_MODELS, ModelVersion, Registry

A, B = EntitySpec("a", "m", "1"), EntitySpec("b", "m", "2")

BAD_CONFIGS = {
    "no entities": (ConfigRequest(()), Code.ENTITIES_MISSING, {}),
    "too many entities": (
        ConfigRequest(tuple(EntitySpec(f"e{number}", "m", "1") for number in range(16))),
        Code.ENTITY_LIMIT,
        {"count": 16, "limit": 15},
    ),
    "an entity twice": (ConfigRequest((A, B, A)), Code.DUPLICATE_ENTITY, {"entity": "a"}),
    "too many variables": (
        ConfigRequest((replace(A, environment=tuple((f"V{number}", "") for number in range(31))),)),
        Code.ENVIRONMENT_LIMIT,
        {"entity": "a", "count": 31, "limit": 30},
    ),
    "no routes for two": (ConfigRequest((B, A)), Code.ROUTES_MISSING, {"entities": ["a", "b"]}),
    "a route to nothing": (
        ConfigRequest((A, B), (Route("a", 50), Route("c", 50))),
        Code.ROUTE_UNKNOWN,
        {"route": "c", "entities": ["a", "b"]},
    ),
    "a route twice": (
        ConfigRequest((A, B), (Route("a", 50), Route("a", 50))),
        Code.DUPLICATE_ROUTE,
        {"route": "a"},
    ),
    "99 percent": (ConfigRequest((A, B), (Route("a", 50), Route("b", 49))), Code.TRAFFIC_SUM, {"total": 99}),
    "101 percent": (ConfigRequest((A, B), (Route("a", 50), Route("b", 51))), Code.TRAFFIC_SUM, {"total": 101}),
    "no route at all": (ConfigRequest((A,), ()), Code.TRAFFIC_SUM, {"total": 0}),
    "an unknown model": (
        ConfigRequest((EntitySpec("a", "n", "1"),)),
        Code.MODEL_MISSING,
        {"model": "n", "near": None, "known": ["m"]},
    ),
    "an unknown version": (
        ConfigRequest((A, EntitySpec("b", "m", "7")), (Route("a", 100),)),
        Code.VERSION_MISSING,
        {"model": "m", "version": "7", "known": ["1", "2", "3"]},
    ),
}


@pytest.mark.parametrize("bad", BAD_CONFIGS.values(), ids=BAD_CONFIGS)
@pytest.mark.parametrize("how", ["create", "update", "update after a failure"])
def test_a_config_that_is_not_sound(lab, ana, how, bad):
    config, code, fields = bad
    command = CreateEndpoint("e", ana, config)
    if how != "create":
        lab.serve()
        command = UpdateConfig("e", ana, config)
    if how == "update after a failure":
        lab.put(lab.entity(version="2"))
        lab.do(CancelUpdate("e"))
    refusal = lab.refusal(command)
    assert (refusal.code, refusal.fields) == (code, fields)


def test_what_is_just_allowed(lab):
    lab.serve(
        *(lab.entity(f"e{number}") for number in range(14)),
        lab.entity("full", environment=tuple((f"V{number}", "") for number in range(30))),
        full=100,
    )
    assert lab.world.is_ready(lab.world.get("e"))


def test_a_single_entity_needs_no_route(lab):
    assert lab.serve().active.routes == (Route("a", 100),)


def test_a_name_that_is_taken(lab, ana):
    lab.create()
    refusal = lab.refusal(CreateEndpoint("e", ana))
    assert (refusal.code, refusal.fields) == (Code.ENDPOINT_EXISTS, {"endpoint": "e"})


def test_more_endpoints_than_a_workspace_has(labs, ana):
    lab = labs(profile=replace(FAITHFUL, endpoint_limit=2))
    for name in ("one", "two"):
        lab.create(name=name)
    refusal = lab.refusal(CreateEndpoint("three", ana))
    assert (refusal.code, refusal.fields) == (Code.ENDPOINT_LIMIT, {"limit": 2})
    lab.do(DeleteEndpoint("one"))
    lab.create(name="three")


def test_the_instant_profile_refuses_no_number(labs):
    lab = labs(profile=INSTANT)
    lab.create(*(lab.entity(f"e{number}") for number in range(100)), e0=100)
    lab.run()
    assert lab.world.is_ready(lab.world.get("e"))


@pytest.mark.parametrize("command", [CancelUpdate("x"), DeleteEndpoint("x")])
def test_an_endpoint_that_does_not_exist(lab, command):
    refusal = lab.refusal(command)
    assert (refusal.code, refusal.fields) == (Code.ENDPOINT_MISSING, {"endpoint": "x"})


def test_an_update_of_an_endpoint_that_does_not_exist(lab, ana):
    assert lab.refusal(UpdateConfig("x", ana, lab.config())).code is Code.ENDPOINT_MISSING


def test_requests_to_what_does_not_serve(lab, ana):
    lab.do(CreateEndpoint("empty", ana))
    lab.create(name="new")
    lab.serve()
    for command in (Admit("x"), Admit("empty"), Admit("new"), Admit("new", "a")):
        refusal = lab.refusal(command)
        assert (refusal.code, refusal.fields) == (Code.NOT_SERVED, {"endpoint": command.endpoint})
    refusal = lab.refusal(Admit("e", "b"))
    assert (refusal.code, refusal.fields) == (Code.ENTITY_NOT_SERVED, {"endpoint": "e", "entity": "b"})


def test_an_endpoint_whose_create_failed_is_served_to_nobody(lab):
    lab.load_errors["a"] = "no such file"
    lab.create()
    lab.run(3_600_000)
    assert lab.refusal(Admit("e")).code is Code.NOT_SERVED


def test_many_long_names_are_not_compared_with_one_that_is_missing():
    registry = Registry(Draws(0))
    registry.create("ab" * 100, 0)
    for number in range(NEAR_MODELS):
        registry.create(f"model {number}", 0)
    registry.create("fraud", 0)
    for name, near in (("ab" * 99, None), ("fraub", None), ("modle 7", "model 7")):
        with pytest.raises(Exception, match="model missing") as caught:
            registry.model(name)
        assert caught.value.fields["near"] == near


def test_a_registry_suggests_the_near_name():
    registry = Registry(Draws(0))
    for name, version in (("main.ml.fraud", "2"), ("main.ml.fraud", "10"), ("main.ml.churn", "x1")):
        registry.add(ModelVersion(name, version, "stub", "{}"), 0)
    with pytest.raises(Exception, match="model missing") as caught:
        registry.get("main.ml.freud", "1")
    assert caught.value.fields["near"] == "main.ml.fraud"
    assert registry.versions("main.ml.fraud") == ["2", "10"]
    assert registry.versions("nothing") == []
    assert registry.next_version("main.ml.fraud") == "11"
    assert registry.next_version("main.ml.churn") == "1"
    assert registry.find("main.ml.churn", "1") is None
    assert [model.version for model in registry] == ["2", "10", "x1"]
