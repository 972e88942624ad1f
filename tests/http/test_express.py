"""The call that stages a version for an express deployment, over the wire."""

from dataclasses import replace

import pytest

from servesim.core.model_commands import AddModel, DeleteModelVersion
from servesim.core.registry import Packed

PATH = "/api/2.0/serving-endpoints:stageDeployment"
NAME = "main.ml.fraud"
ASKED = {"model_name": NAME, "model_version": "1"}
PACKED = Packed("client.4.9", "3.17.2", 10**8)
EVIDENCE = {"X-Servesim-Evidence": "1"}


@pytest.fixture
def do(wire, servesim_server):
    """Have commands carried out in the world."""

    def execute(*commands):
        async def run():
            for command in commands:
                wire.handle.workspace.clock.execute(command)

        servesim_server.run(run())

    return execute


@pytest.fixture
def packed(wire, do):
    """Let version 1 be one that was registered with its environment; return what makes such versions."""

    def pack(number="1", name=NAME, packed=PACKED, **facts):
        model = wire.handle.workspace.world.registry.get(NAME, "1")
        do(AddModel(replace(model, name=name, version=number, packed=packed, **facts)))

    pack()
    return pack


def stage(wire, headers=(), **fields):
    return wire.call("POST", PATH, {**ASKED, **fields}, headers)


def events(wire, endpoint="fraud"):
    """Return what the event log of an endpoint says, the oldest first."""
    told = wire.call("GET", f"/api/2.0/serving-endpoints/{endpoint}/events").json["events"]
    return [event["message"] for event in reversed(told)]


def creation(wire, version, name):
    """Create an endpoint, wait until it is ready, and return the simulated seconds that it took."""
    began = wire.handle.workspace.clock.now()
    wire.ready(name, [{"entity_name": NAME, "entity_version": version}])
    return (wire.handle.workspace.clock.now() - began) / 1000


@pytest.mark.parametrize("version", ["1", 1], ids=["text", "number"])
def test_a_version_is_staged(wire, packed, version):
    answer = stage(wire, EVIDENCE, model_version=version)
    assert (answer.status, answer.json) == (200, {})
    assert answer.headers["X-Servesim-Evidence"] == "observed"
    assert wire.handle.workspace.world.registry.version(NAME, "1").staged
    assert stage(wire).status == 200


@pytest.mark.servesim(poll="settle")
def test_its_deployment_is_shorter_and_its_events_show_no_container_build(wire, packed):
    packed("2")
    stage(wire)
    ordinary, express = creation(wire, "2", "ordinary"), creation(wire, "1", "express")
    assert 0 < express < ordinary
    assert [text for text in events(wire, "ordinary") if "ontainer" in text]
    assert not [text for text in events(wire, "express") if "ontainer" in text or "uild" in text]
    assert wire.score("express").status == 200


@pytest.mark.servesim(poll="settle", private_libraries=["acme-risk"])
@pytest.mark.parametrize("facts", [{"unsupported": "no mlflow"}, {"requirements": ("acme-risk",)}], ids=str)
def test_what_no_container_can_be_built_of_is_served_once_it_is_staged(wire, packed, facts):
    packed("3", **facts)
    packed("4", **facts)
    stage(wire, model_version="4")
    entity = {"entity_name": NAME, "entity_version": "3"}
    wire.create("ordinary", [entity])
    failed = wire.call("GET", "/api/2.0/serving-endpoints/ordinary").json
    assert failed["state"]["config_update"] == "UPDATE_FAILED"
    wire.ready("express", [{**entity, "entity_version": "4"}])


RULES = {
    "not packed": {"packed": None},
    "a GPU": {"packed": replace(PACKED, runtime="client.4.9-gpu")},
    "another environment": {"packed": replace(PACKED, runtime="client.2.5")},
    "an old mlflow": {"packed": replace(PACKED, mlflow="2.22.1")},
    "too large": {"packed": replace(PACKED, environment_bytes=2 * 10**9)},
    "not in Unity Catalog": {"name": "fraud"},
    "not a custom model": {"name": "system.ai.fraud"},
}


@pytest.mark.servesim(poll="settle")
@pytest.mark.parametrize("facts", RULES.values(), ids=RULES)
def test_a_version_that_breaks_a_rule_is_refused_and_deployed_by_an_ordinary_build(wire, packed, facts):
    packed("7", **facts)
    name = facts.get("name", NAME)
    answer = stage(wire, EVIDENCE, model_name=name, model_version="7")
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert answer.headers["X-Servesim-Evidence"] == "chosen"
    assert "cannot be staged" in answer.json["message"]
    wire.ready("ordinary", [{"entity_name": name, "entity_version": "7"}])
    assert [text for text in events(wire, "ordinary") if "ontainer" in text]


@pytest.mark.servesim(poll="settle")
def test_on_a_gpu_it_is_built(wire, packed):
    stage(wire)
    wire.ready("gpu", [{"entity_name": NAME, "entity_version": "1", "workload_type": "GPU_SMALL"}])
    assert [text for text in events(wire, "gpu") if "ontainer" in text]


def test_what_is_not_there_is_missing(wire, packed, do):
    for answer in (stage(wire, model_name="main.ml.none"), stage(wire, model_version="9")):
        assert (answer.status, answer.json["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    do(DeleteModelVersion(NAME, "1", None))
    assert stage(wire).status == 404


def test_who_may_not_change_the_model_is_refused(wire, packed, do):
    handle = wire.handle
    handle.models.allow(NAME, ["ana@example.com"])
    answer = wire.user("bob@example.com").call("POST", PATH, ASKED)
    assert (answer.status, answer.json["error_code"]) == (403, "PERMISSION_DENIED")
    assert not handle.workspace.world.registry.version(NAME, "1").staged


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "empty"),
        (b"[]", "object"),
        (b"{", "cannot be read"),
        ({"model_version": "1"}, "model_name"),
        ({"model_name": NAME}, "model_version"),
        ({"model_name": "", "model_version": "1"}, "model_name"),
        ({"model_name": 1, "model_version": "1"}, "model_name"),
        ({"model_name": NAME, "model_version": True}, "model_version"),
        ({"model_name": NAME, "model_version": 1.5}, "model_version"),
        ({"model_name": NAME, "model_version": -1}, "model_version"),
    ],
    ids=str,
)
def test_a_bad_body_is_refused(wire, packed, body, named):
    answer = wire.call("POST", PATH, body)
    assert answer.status == 400
    assert named in answer.json["message"]
    assert not wire.handle.workspace.world.registry.version(NAME, "1").staged


def test_nobody_is_refused(wire, packed):
    assert wire.call("POST", PATH, ASKED, token=False).status == 401


def test_other_methods_are_not_this_call(wire, packed):
    assert wire.call("GET", PATH).status in {404, 405, 501}
