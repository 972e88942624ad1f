"""The workspace registry's JSON, from and to the core, without HTTP."""

import pytest

from servesim.core.access import Principal
from servesim.core.commands import MoveTo
from servesim.core.errors import Code, Rejected
from servesim.core.model_access import ModelLevel
from servesim.core.model_commands import (
    AddModel,
    CreateModelVersion,
    CreateRegisteredModel,
    DeleteModelVersion,
    FinishRegistration,
    SetAlias,
    TransitionStage,
)
from servesim.core.registry import ModelVersion, Stage
from servesim.core.workspace import Workspace
from servesim.generations import model_permissions, registry_api
from servesim.generations.fields import Fields
from servesim.generations.search import Query, search

WHO = Principal("tester@example.com", "Tester")
NOW = 1767603600000


@pytest.fixture
def world():
    """Give a world with the model ``m`` and eleven versions, which nobody moved."""
    world = Workspace()
    world.execute(CreateRegisteredModel("m", WHO))
    for number in range(1, 12):
        world.execute(AddModel(ModelVersion("m", str(number), "stub", "{}")))
    return world


def moved(world, version, stage):
    world.execute(TransitionStage("m", version, WHO, stage))


# --- the latest versions --------------------------------------------------------------------------


def numbers(world, *arguments):
    return [version.number for version in registry_api.latest(world.registry.model("m"), *arguments)]


def test_the_latest_is_the_highest_number_and_not_the_last_word(world):
    assert numbers(world) == ["11"]
    moved(world, "9", Stage.PRODUCTION)
    moved(world, "10", Stage.PRODUCTION)
    moved(world, "2", Stage.STAGING)
    assert numbers(world) == ["11", "2", "10"]
    assert numbers(world, (Stage.PRODUCTION, Stage.NONE)) == ["11", "10"]
    moved(world, "10", Stage.ARCHIVED)
    world.execute(DeleteModelVersion("m", "10", WHO))
    assert numbers(world, (Stage.PRODUCTION,)) == ["9"]


def test_a_version_that_is_not_ready_is_never_the_latest(world):
    pending = world.execute(CreateModelVersion("m", WHO, "dbfs:/x"))
    assert numbers(world) == ["11"]
    world.execute(FinishRegistration("m", pending.number, None, "why"))
    assert numbers(world) == ["11"]


# --- what is answered -----------------------------------------------------------------------------


def test_what_is_empty_is_left_out():
    world = Workspace()
    world.execute(AddModel(ModelVersion("declared", "1", "stub", "{}")))
    model = world.registry.model("declared")
    version = {
        "name": "declared",
        "version": "1",
        "creation_timestamp": NOW,
        "last_updated_timestamp": NOW,
        "current_stage": "None",
        "status": "READY",
    }
    assert registry_api.render_version(model, model.versions["1"]) == version
    assert registry_api.render_model(model) == {
        "name": "declared",
        "creation_timestamp": NOW,
        "last_updated_timestamp": NOW,
        "latest_versions": [version],
    }
    assert registry_api.download_uri(model, model.versions["1"]) == "models:/declared/1"


def test_the_service_s_own_form_says_more(world):
    model = world.registry.model("m")
    own = registry_api.render_model_databricks(model, "0" * 32, ModelLevel.CAN_EDIT)
    said = {"id": "0" * 32, "permission_level": "CAN_EDIT", "description": "", "tags": []}
    assert own == registry_api.render_model(model) | said
    version = registry_api.render_version_databricks(model, model.versions["1"], ModelLevel.CAN_MANAGE)
    said = {"permission_level": "CAN_MANAGE", "open_requests": [], "email_subscription_status": "UNSUBSCRIBED"}
    assert version == registry_api.render_version(model, model.versions["1"]) | said


def test_aliases_that_a_scenario_gave_are_shown(world):
    for alias, version in (("b", "2"), ("a", "2"), ("c", "3")):
        world.execute(SetAlias("m", alias, WHO, version))
    model = world.registry.model("m")
    assert registry_api.render_version(model, model.versions["2"])["aliases"] == ["a", "b"]
    assert registry_api.render_model(model)["aliases"][2] == {"alias": "c", "version": "3"}


def test_every_level_is_described():
    levels = model_permissions.render_levels()["permission_levels"]
    assert [one["permission_level"] for one in levels] == [level.name for level in ModelLevel]


# --- what clients send ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, Code.MODEL_NAME_EMPTY),
        ({"name": None}, Code.MODEL_NAME_EMPTY),
        ({"name": ""}, Code.MODEL_NAME_EMPTY),
        ({"name": "a.b.c"}, Code.MODEL_ELSEWHERE),
        ({"name": True}, Code.BAD_FIELD),
        ({"name": {}}, Code.BAD_FIELD),
    ],
)
def test_names_that_are_none_of_this_registry(values, code):
    with pytest.raises(Rejected) as refusal:
        registry_api.read_name(Fields(values))
    assert refusal.value.code is code


@pytest.mark.parametrize("name", ["a", "a.b", "a.b.c.d", "a..c", ".a.b", "a/b.c.d"])
def test_names_of_this_registry_or_of_nothing(name):
    assert registry_api.read_name(Fields({"name": name})) == name


@pytest.mark.parametrize(("version", "number"), [("1", "1"), (1, "1"), ("0", "0"), ("01", "01"), ("9" * 30, "9" * 30)])
def test_numbers(version, number):
    assert registry_api.read_number(Fields({"version": version})) == number


@pytest.mark.parametrize("version", ["a", "1.0", "-1", " 1", "1\n", "\u0661", "latest", "Production"])
def test_numbers_that_are_none(version):
    with pytest.raises(Rejected) as refusal:
        registry_api.read_number(Fields({"version": version}))
    assert refusal.value.code is Code.VERSION_NUMBER_INVALID


@pytest.mark.parametrize(
    ("values", "stages"),
    [
        ({}, tuple(Stage)),
        ({"stages": []}, tuple(Stage)),
        ({"stages": "staging"}, (Stage.STAGING,)),
        ({"stages": ["NONE", "Archived"]}, (Stage.NONE, Stage.ARCHIVED)),
    ],
)
def test_stages(values, stages):
    assert registry_api.read_stages(Fields(values)) == stages


@pytest.mark.parametrize("stages", ["", "Live", ["Staging", "Live"], [" Staging"], ["Deleted_Internal"]])
def test_stages_that_do_not_exist(stages):
    with pytest.raises(Rejected) as refusal:
        registry_api.read_stages(Fields({"stages": stages}))
    assert refusal.value.code is Code.STAGE_INVALID


# --- searches -------------------------------------------------------------------------------------


def rows(world):
    return [(model, version) for model in world.registry.models.values() for version in model.versions.values()]


def test_versions_are_ordered_as_numbers(world):
    found = search(registry_api.VERSIONS, rows(world), Query("me", order_by=("version_number DESC",), most=3))[0]
    assert [version.number for _, version in found] == ["11", "10", "9"]
    found = search(registry_api.VERSIONS, rows(world), Query("me", "version_number >= 10"))[0]
    assert [version.number for _, version in found] == ["11", "10"]


def test_what_changed_last_comes_first(world):
    world.execute(MoveTo(world.timeline.now + 1))
    moved(world, "4", Stage.STAGING)
    found = search(registry_api.VERSIONS, rows(world), Query("me", most=3))[0]
    assert [version.number for _, version in found] == ["4", "11", "10"]
    found = search(registry_api.VERSIONS, rows(world), Query("me", order_by=("stage DESC",), most=2))[0]
    assert [version.number for _, version in found] == ["4", "11"]


def test_versions_that_are_no_numbers_have_an_order_as_well(world):
    world.execute(AddModel(ModelVersion("m", "blue", "stub", "{}")))
    query = Query("me", most=5, order_by=("version ASC",))
    seen, token = [], " "
    while token:
        page, token = search(registry_api.VERSIONS, rows(world), query._replace(page_token=token.strip()))
        seen += [version.number for _, version in page]
    assert seen == [*map(str, range(1, 12)), "blue"]
