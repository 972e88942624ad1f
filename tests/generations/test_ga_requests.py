"""GA bodies to commands: what is filled in, what is read leniently, what is left alone."""

import pytest

from servesim.core.access import Principal
from servesim.core.commands import EntitySpec, Route
from servesim.core.errors import Code, Rejected
from servesim.generations import ga_requests
from servesim.generations.fields import Fields

WHO = Principal("tester@example.com")
ENTITY = {"entity_name": "main.ml.fraud", "entity_version": "1"}


def config_of(config):
    return ga_requests.read_update("fraud", config, WHO).config


def entity_of(**fields):
    (entity,) = config_of({"served_entities": [{**ENTITY, **fields}]}).entities
    return entity


def code_of(config):
    with pytest.raises(Rejected) as refused:
        config_of(config)
    return refused.value.code


def test_what_is_left_out_of_an_entity_is_filled_in():
    assert entity_of() == EntitySpec(
        "fraud-1", "main.ml.fraud", "1", workload_type="CPU", workload_size="Small", scale_to_zero=False
    )


@pytest.mark.parametrize("fields", [{"min_provisioned_concurrency": 4}, {"max_provisioned_concurrency": "8"}])
def test_a_range_of_concurrency_takes_the_place_of_the_size(fields):
    assert entity_of(**fields).workload_size is None


@pytest.mark.parametrize(
    ("model", "version", "name"),
    [
        ("main.ml.meta_llama_v3_1_8b_instruct", "3", "meta_llama_v3_1_8b_instruct-3"),
        ("main.ml.fraud model", "1", "fraud-model-1"),
        ("fraud", "12", "fraud-12"),
        ("team.fraud", "1", "team-fraud-1"),
        ("main.ml." + "x" * 80, "1", "x" * 61 + "-1"),
    ],
)
def test_the_default_name_of_an_entity(model, version, name):
    assert entity_of(entity_name=model, entity_version=version).name == name


@pytest.mark.parametrize(
    ("sent", "read"),
    [(True, True), (False, False), ("true", True), ("True", True), ("false", False), ("FALSE", False), (None, False)],
)
def test_booleans_as_json_and_as_text(sent, read):
    assert entity_of(scale_to_zero_enabled=sent).scale_to_zero is read


@pytest.mark.parametrize("sent", ["yes", "", 1, 0, 1.0, [], {}])
def test_what_is_no_boolean(sent):
    assert code_of({"served_entities": [{**ENTITY, "scale_to_zero_enabled": sent}]}) is Code.BAD_FIELD


@pytest.mark.parametrize(("sent", "read"), [(3, "3"), (3.0, "3"), ("3", "3"), ("latest", "latest")])
def test_versions_as_numbers_and_as_text(sent, read):
    assert entity_of(entity_version=sent).version == read


@pytest.mark.parametrize("sent", ["", None, -1, 1.5, 1e300, float("inf"), float("nan"), True, ["1"], 2**31])
def test_what_is_no_version(sent):
    assert code_of({"served_entities": [{**ENTITY, "entity_version": sent}]}) is Code.BAD_FIELD


@pytest.mark.parametrize(("sent", "read"), [(100, 100), ("100", 100), (100.0, 100)])
def test_percentages_as_numbers_and_as_text(sent, read):
    config = config_of(
        {
            "served_entities": [ENTITY],
            "traffic_config": {"routes": [{"served_entity_name": "fraud-1", "traffic_percentage": sent}]},
        }
    )
    assert config.routes == (Route("fraud-1", read),)


@pytest.mark.parametrize(
    "sent", [-1, 101, "-1", "101", "1e2", " 1", "\u0661", "0" * 5000, 1.5, 1e300, None, "", True, []]
)
def test_what_is_no_percentage(sent):
    route = {"served_entity_name": "fraud-1", "traffic_percentage": sent}
    assert code_of({"served_entities": [ENTITY], "traffic_config": {"routes": [route]}}) is Code.BAD_FIELD


@pytest.mark.parametrize(
    "names",
    [
        {"served_entity_name": "fraud-1"},
        {"served_model_name": "fraud-1"},
        {"served_entity_name": "fraud-1", "served_model_name": "fraud-1"},
        {"served_entity_name": "", "served_model_name": "fraud-1"},
    ],
)
def test_either_name_of_a_route(names):
    config = config_of(
        {"served_entities": [ENTITY], "traffic_config": {"routes": [{**names, "traffic_percentage": 100}]}}
    )
    assert config.routes == (Route("fraud-1", 100),)


@pytest.mark.parametrize(
    "names", [{}, {"served_entity_name": "a", "served_model_name": "b"}, {"served_entity_name": 1}]
)
def test_a_route_without_one_name(names):
    route = {**names, "traffic_percentage": 100}
    assert code_of({"served_entities": [ENTITY], "traffic_config": {"routes": [route]}}) is Code.BAD_FIELD


@pytest.mark.parametrize("traffic", [None, {}, {"routes": []}, {"routes": None}])
def test_no_routes(traffic):
    assert config_of({"served_entities": [ENTITY], "traffic_config": traffic}).routes is None


def test_the_deprecated_twin():
    model = {"model_name": "main.ml.fraud", "model_version": "1", "scale_to_zero_enabled": True}
    assert config_of({"served_models": [model]}).entities == (entity_of(scale_to_zero_enabled=True),)
    # An empty twin is no twin: generated clients send it.
    assert config_of({"served_models": [model], "served_entities": []}).entities
    assert config_of({"served_models": [], "served_entities": [ENTITY]}).entities
    assert code_of({"served_models": [model], "served_entities": [ENTITY]}) is Code.MIXED_TWINS


def test_unknown_fields_are_left_alone():
    assert entity_of(unknown={"deep": [1]}) == entity_of()
    made = ga_requests.read_create(
        {"name": "fraud", "unknown": 1, "config": {"served_entities": [ENTITY], "x": 1}}, WHO
    )
    assert (made.tags, made.settings) == ((), ())


@pytest.mark.parametrize("field", ga_requests.NOT_SIMULATED)
def test_what_asks_for_something_else_than_a_custom_model(field):
    assert code_of({"served_entities": [{field: {"name": "x"}}]}) is Code.NOT_SIMULATED


@pytest.mark.parametrize("name", ["x" * 63, "a_b-C1", "-a", "_"])
def test_names_of_entities(name):
    assert entity_of(name=name).name == name


@pytest.mark.parametrize("name", ["x" * 64, "a b", "a.b", "a/b", "\u00e9", 1, ["a"]])
def test_what_is_no_name_of_an_entity(name):
    assert code_of({"served_entities": [{**ENTITY, "name": name}]}) is Code.BAD_FIELD


@pytest.mark.parametrize("name", ["a", "x" * 63, "a-b_c", "0", "Databricks-x", "databricks"])
def test_names_of_endpoints(name):
    assert ga_requests.read_create({"name": name}, WHO).name == name


def test_a_range_the_wrong_way_round():
    entity = {**ENTITY, "min_provisioned_concurrency": 8, "max_provisioned_concurrency": 4}
    assert code_of({"served_entities": [entity]}) is Code.BAD_FIELD


def test_the_prefix_of_an_inference_table_is_the_name_of_the_endpoint():
    gateway = {"inference_table_config": {"catalog_name": "c", "schema_name": "s", "enabled": True}}
    body = {"name": "fraud", "config": {"served_entities": [ENTITY]}, "ai_gateway": gateway}
    assert '"table_name_prefix": "fraud"' in dict(ga_requests.read_create(body, WHO).settings)["ai_gateway"]
    assert "table_name_prefix" not in gateway["inference_table_config"]


@pytest.mark.parametrize(
    "field", ["ai_gateway", "email_notifications", "telemetry_config", "config", "tags", "rate_limits", "description"]
)
def test_fields_of_a_create_have_their_types(field):
    with pytest.raises(Rejected) as refused:
        ga_requests.read_create({"name": "fraud", "config": {"served_entities": [ENTITY]}, field: 7}, WHO)
    assert (refused.value.code, refused.value.fields["field"]) == (Code.BAD_FIELD, field)


def test_an_error_names_the_place_and_shows_little_of_what_was_sent():
    with pytest.raises(Rejected) as refused:
        Fields({"a": [{"b": "x" * 1000}]}).items("a")[0].whole("b", least=1)
    assert refused.value.fields["field"] == "a[0].b"
    assert len(str(refused.value.fields["got"])) == 80
