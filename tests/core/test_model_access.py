"""Who may do what with a registered model."""

import pytest

from servesim.core.access import ADMINS, Grantee, grantee_of
from servesim.core.commands import CreateEndpoint, EntitySpec, SetModelAccess
from servesim.core.errors import Code
from servesim.core.model_access import ModelLevel, level_of
from servesim.core.model_commands import (
    AddModel,
    CreateModelVersion,
    CreateRegisteredModel,
    DeleteModelVersion,
    DeleteRegisteredModel,
    FinishRegistration,
    SetAlias,
    SetModelPermissions,
    StageDeployment,
    TagModel,
    TransitionStage,
    UpdateModelVersion,
    UpdateRegisteredModel,
)
from servesim.core.registry import ModelVersion, Stage

NAME = "fraud"
CATALOG = "main.ml.fraud"

NEEDED = {
    "description": (lambda who: UpdateRegisteredModel(NAME, who, "d"), ModelLevel.CAN_EDIT),
    "tag": (lambda who: TagModel(NAME, who, "a", "b"), ModelLevel.CAN_EDIT),
    "version tag": (lambda who: TagModel(NAME, who, "a", "b", "1"), ModelLevel.CAN_EDIT),
    "version": (lambda who: CreateModelVersion(NAME, who, "s"), ModelLevel.CAN_EDIT),
    "version description": (lambda who: UpdateModelVersion(NAME, "1", who, "d"), ModelLevel.CAN_EDIT),
    "to staging": (
        lambda who: TransitionStage(NAME, "1", who, Stage.STAGING),
        ModelLevel.CAN_MANAGE_STAGING_VERSIONS,
    ),
    "to archived": (
        lambda who: TransitionStage(NAME, "1", who, Stage.ARCHIVED),
        ModelLevel.CAN_MANAGE_STAGING_VERSIONS,
    ),
    "to production": (
        lambda who: TransitionStage(NAME, "1", who, Stage.PRODUCTION),
        ModelLevel.CAN_MANAGE_PRODUCTION_VERSIONS,
    ),
    "out of production": (
        lambda who: TransitionStage(NAME, "2", who, Stage.STAGING),
        ModelLevel.CAN_MANAGE_PRODUCTION_VERSIONS,
    ),
    "name": (lambda who: UpdateRegisteredModel(NAME, who, new_name="scam"), ModelLevel.CAN_MANAGE),
    "delete version": (lambda who: DeleteModelVersion(NAME, "1", who), ModelLevel.CAN_MANAGE),
    "delete": (lambda who: DeleteRegisteredModel(NAME, who), ModelLevel.CAN_MANAGE),
}


@pytest.fixture
def people(lab, ana):
    """Ana owns two models with two versions each; Bob is in a group, Cleo an admin."""
    lab.member(ana.name)
    bob, cleo = lab.member("bob", "readers"), lab.member("cleo", ADMINS)
    for name in (NAME, CATALOG):
        lab.do(CreateRegisteredModel(name, ana))
        for number in "12":
            lab.do(CreateModelVersion(name, ana, "s"))
            lab.do(FinishRegistration(name, number, ModelVersion(name, number, "stub", "{}")))
    lab.do(TransitionStage(NAME, "2", ana, Stage.PRODUCTION))
    return {"ana": lab.world.directory.find(ana.name).principal, "bob": bob, "cleo": cleo}


def granted(lab, people, level, grantee=None, *, replace=False):
    model_id = lab.world.registry.id_of(lab.world.registry.model(NAME))
    grants = ((grantee or grantee_of(people["bob"]), level),)
    return lab.do(SetModelPermissions(model_id, people["ana"], grants, replace))


@pytest.mark.parametrize("level", [None, *ModelLevel])
@pytest.mark.parametrize(("command", "needed"), NEEDED.values(), ids=NEEDED)
def test_each_level_may_what_it_says(lab, people, command, needed, level):
    if command is NEEDED["delete"][0]:
        lab.do(TransitionStage(NAME, "2", people["ana"], Stage.ARCHIVED))
    if level is not None:
        granted(lab, people, level)
    asked = command(people["bob"])
    if level is not None and level >= needed:
        lab.do(asked)
    else:
        refused = lab.refusal(asked)
        assert (refused.code, refused.fields) == (Code.MODEL_NOT_PERMITTED, {"model": NAME, "needed": needed})


def test_who_may_not_move_a_version_is_told_of_none(lab, people):
    asked = TransitionStage(NAME, "99", people["bob"], Stage.STAGING)
    assert lab.refusal(asked).code is Code.MODEL_NOT_PERMITTED


def test_a_group_gives_its_level_and_the_highest_counts(lab, people):
    model = lab.world.registry.model(NAME)
    granted(lab, people, ModelLevel.CAN_READ)
    granted(lab, people, ModelLevel.CAN_EDIT, Grantee("group", "readers"))
    assert level_of(lab.world, people["bob"], model) is ModelLevel.CAN_EDIT
    assert level_of(lab.world, people["ana"], model) is ModelLevel.CAN_MANAGE
    assert level_of(lab.world, people["cleo"], model) is ModelLevel.CAN_MANAGE


def test_a_replacement_takes_back_what_it_does_not_name(lab, people):
    granted(lab, people, ModelLevel.CAN_READ, replace=True)
    assert level_of(lab.world, people["ana"], lab.world.registry.model(NAME)) is None


def test_permissions_are_a_managers_and_go_by_id(lab, people):
    model_id = lab.world.registry.id_of(lab.world.registry.model(NAME))
    assert lab.refusal(SetModelPermissions(model_id, people["bob"], (), True)).code is Code.MODEL_NOT_PERMITTED
    assert lab.refusal(SetModelPermissions("0", people["ana"], (), True)).code is Code.MODEL_PERMISSIONS_MISSING
    many = tuple((Grantee("group", f"g{number}"), ModelLevel.CAN_READ) for number in range(1_001))
    assert lab.refusal(SetModelPermissions(model_id, people["ana"], many, True)).code is Code.BAD_FIELD


def test_strangers_have_no_right(lab, people, ana):
    stranger = people["bob"].__class__("nobody")
    assert level_of(lab.world, stranger, lab.world.registry.model(NAME)) is None


def test_a_declared_model_is_everybodys_until_it_is_restricted(lab, people):
    lab.do(AddModel(ModelVersion("open", "1", "stub", "{}")))
    model = lab.world.registry.model("open")
    assert level_of(lab.world, people["bob"], model) is ModelLevel.CAN_MANAGE
    lab.do(SetModelAccess("open", ("cleo",)))
    assert level_of(lab.world, people["bob"], model) is None


def test_in_unity_catalog_the_owner_manages_and_who_may_execute_reads(lab, people):
    model = lab.world.registry.model(CATALOG)
    assert level_of(lab.world, people["bob"], model) is ModelLevel.CAN_READ
    for command in (
        SetAlias(CATALOG, "champion", people["bob"], "1"),
        CreateModelVersion(CATALOG, people["bob"], "s"),
        StageDeployment(CATALOG, "1", people["bob"]),
    ):
        assert lab.refusal(command).code is Code.MODEL_NOT_PERMITTED
    lab.do(SetModelAccess(CATALOG, ("readers2",)))
    assert level_of(lab.world, people["bob"], model) is None
    assert level_of(lab.world, people["ana"], model) is ModelLevel.CAN_MANAGE
    lab.do(UpdateRegisteredModel(CATALOG, people["ana"], owner="bob"))
    assert level_of(lab.world, people["bob"], model) is ModelLevel.CAN_MANAGE
    assert level_of(lab.world, people["ana"], model) is None


def test_an_owner_is_somebody_known(lab, people):
    assert lab.refusal(UpdateRegisteredModel(CATALOG, people["ana"], owner="nobody")).code is Code.BAD_FIELD


def test_who_may_not_read_a_model_cannot_serve_it(lab, people):
    create = CreateEndpoint("e", people["bob"], lab.config(EntitySpec("a", NAME, "1")))
    assert lab.refusal(create).code is Code.CREATOR_LOST_RIGHTS
    granted(lab, people, ModelLevel.CAN_READ)
    lab.do(create)
