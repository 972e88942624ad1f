"""Valid configs are taken by a server, those that break a rule are refused for that rule, and all shrink."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, find, given, settings

from servesim.core.access import Principal
from servesim.core.endpoint import check_config
from servesim.core.errors import Code
from servesim.core.profile import FAITHFUL
from servesim.generations.ga_requests import read_create, read_update
from servesim.strategies.broken import BREAKS, broken_configs
from servesim.strategies.configs import OfferedModel, create_bodies, endpoint_configs, traffic_configs
from servesim.strategies.targets import ServesimTarget

STEADY = settings(derandomize=True, database=None, deadline=None, max_examples=150)
BRIEF = settings(STEADY, max_examples=60)
SERVED = settings(BRIEF, suppress_health_check=[HealthCheck.function_scoped_fixture])
ANA = Principal("ana@example.com", "Ana")


@pytest.fixture(scope="module")
def target(servesim_server):
    with servesim_server.open(clock="frozen", unknown_models="reject") as sim:
        yield ServesimTarget(sim)


@SERVED
@given(body=create_bodies("made", [("main.walk.fraud", "1"), ("main.walk.fraud", "2"), "main.walk.churn"]))
def test_a_server_takes_every_body_of_a_create(target, body):
    created = target.create("made", body)
    assert target.delete("made").status == created.status == 200, created.document
    pending = created.document["pending_config"]
    sent = body["config"].get("served_entities") or body["config"]["served_models"]
    assert len(pending["served_entities"]) == len(sent)
    assert sum(route["traffic_percentage"] for route in pending["traffic_config"]["routes"]) == 100


@SERVED
@given(config=endpoint_configs([OfferedModel("main.walk.fraud", "2")]))
def test_a_server_takes_every_config_as_an_update(target, config):
    body = {"name": "put", "config": {"served_entities": [{"entity_name": "main.walk.fraud", "entity_version": "1"}]}}
    assert target.create("put", body).status == 200
    target.advance(600)
    put = target.update("put", config)
    assert target.delete("put").status == put.status == 200, put.document


@SERVED
@given(broken=broken_configs([("main.walk.fraud", "1"), ("main.walk.churn", "1")]))
def test_a_server_refuses_what_breaks_a_rule_for_that_rule(target, broken):
    answer = target.create("never", {"name": "never", "config": broken.body})
    assert (answer.status, answer.document["error_code"]) == (broken.status, broken.error_code), answer.document
    assert target.get("never").status == 404


def test_every_rule_is_broken_and_every_form_is_drawn():
    reasons, forms = set(), Counter()

    @settings(STEADY, max_examples=200)
    @given(endpoint_configs(), broken_configs())
    def draw(config, broken):
        reasons.add(broken.reason)
        forms.update(list(config))
        for entity in config.get("served_entities", []) + config.get("served_models", []):
            forms.update(f"{name}: {type(value).__name__}" for name, value in entity.items())
        for route in config.get("traffic_config", {}).get("routes", []):
            forms.update(f"{name}: {type(value).__name__}" for name, value in route.items())

    draw()
    assert reasons == {reason for reason, _ in BREAKS}
    assert set(forms) >= {
        "served_entities",
        "served_models",
        "auto_capture_config",
        "entity_version: int",
        "entity_version: str",
        "min_provisioned_concurrency: int",
        "min_provisioned_concurrency: str",
        "scale_to_zero_enabled: bool",
        "scale_to_zero_enabled: str",
        "served_entity_name: str",
        "served_model_name: str",
        "traffic_percentage: float",
        "traffic_percentage: int",
        "traffic_percentage: str",
        "workload_size: str",
        "workload_type: str",
    }


@STEADY
@given(traffic=traffic_configs(["a", "b", "c"]))
def test_shares_add_up(traffic):
    routes = traffic["routes"]
    assert [route.get("served_entity_name", route.get("served_model_name")) for route in routes] == ["a", "b", "c"]
    assert sum(float(route["traffic_percentage"]) for route in routes) == 100


def test_a_config_without_models_or_entities_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        traffic_configs([])
    with pytest.raises(ValueError, match="offer at least one"):
        endpoint_configs([])


@BRIEF
@given(body=create_bodies("made", most=15))
def test_the_bodies_are_sound_without_a_server(body):
    check_config(read_create(body, ANA).config, FAITHFUL)


def entities(config):
    return config.get("served_entities") or config["served_models"]


@pytest.mark.parametrize(
    ("holds", "least"),
    [
        (lambda config: True, {"served_entities": [{"entity_name": "m", "entity_version": "1"}]}),
        (
            lambda config: any("max_provisioned_concurrency" in entity for entity in entities(config)),
            {
                "served_entities": [
                    {
                        "entity_name": "m",
                        "entity_version": "1",
                        "min_provisioned_concurrency": 0,
                        "max_provisioned_concurrency": 4,
                    }
                ]
            },
        ),
    ],
)
def test_configs_shrink_to_the_least(holds, least):
    assert find(endpoint_configs(["m"]), holds, settings=BRIEF) == least


def test_broken_configs_shrink_to_one_entity():
    many = settings(BRIEF, max_examples=2_000)
    broken = find(broken_configs(["m"]), lambda one: one.reason is Code.MODEL_MISSING, settings=many)
    assert len(broken.body["served_entities"]) == 1
    assert read_update("e", broken.body, ANA).config.entities
