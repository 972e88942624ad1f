"""How registered models and their versions come, change and go."""

from dataclasses import replace

import pytest

from servesim.core.commands import CreateEndpoint, EntitySpec, SetModelAccess, StartEndpoint
from servesim.core.errors import Code
from servesim.core.model_commands import (
    AddModel,
    CreateModelVersion,
    CreateRegisteredModel,
    DeleteModelVersion,
    DeleteRegisteredModel,
    FinishRegistration,
    SetAlias,
    TagModel,
    TransitionStage,
    UpdateModelVersion,
    UpdateRegisteredModel,
)
from servesim.core.profile import FAITHFUL
from servesim.core.registry import Details, ModelVersion, Stage, Status, in_unity_catalog

NAMES = ("fraud", "main.ml.fraud")


class Registrar:
    """Registers as Ana, in short."""

    def __init__(self, lab, ana):
        self.lab, self.ana = lab, ana

    def model(self, name):
        return self.lab.world.registry.model(name)

    def version(self, name, number):
        return self.lab.world.registry.version(name, number)

    def begun(self, name):
        """Begin to register a version, and its model if there is none; return the version."""
        if name not in self.lab.world.registry.models:
            self.lab.do(CreateRegisteredModel(name, self.ana))
        return self.lab.do(CreateModelVersion(name, self.ana, "/models/a"))

    def ready(self, name, count=1):
        """Register versions; return the last one's number."""
        number = ""
        for _ in range(count):
            number = self.begun(name).number
            found = ModelVersion(name, number, "mlflow", f"/kept/{number}", digest=number)
            self.lab.do(FinishRegistration(name, number, found))
        return number

    def move(self, number, stage, *, archive=False, name="fraud"):
        return self.lab.do(TransitionStage(name, number, self.ana, stage, archive))

    def stages(self, name="fraud"):
        return {number: version.stage for number, version in self.model(name).versions.items()}


@pytest.fixture
def registrar(lab, ana):
    return Registrar(lab, ana)


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("a.b.c", True),
        ("m", False),
        ("a.b", False),
        ("a..c", False),
        (".b.c", False),
        ("a.b.c.d", False),
        ("a/.b.c", False),
    ],
)
def test_names_of_unity_catalog_have_three_levels(name, inside):
    assert in_unity_catalog(name) is inside


# --- models ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_made_once(lab, registrar, ana, name):
    made = lab.do(CreateRegisteredModel(name, ana, "what it is", (("team", "risk"),)))
    assert (made.name, made.description, dict(made.tags), made.creator) == (name, "what it is", {"team": "risk"}, ana)
    assert lab.refusal(CreateRegisteredModel(name, ana)).code is Code.MODEL_EXISTS


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", Code.MODEL_NAME_EMPTY),
        ("  ", Code.MODEL_NAME_EMPTY),
        ("a/b", Code.MODEL_NAME_INVALID),
        ("a:b", Code.MODEL_NAME_INVALID),
        ("..", Code.MODEL_NAME_INVALID),
        ("a\nb", Code.MODEL_NAME_INVALID),
        ("\ud800", Code.MODEL_NAME_INVALID),
        ("a" * 257, Code.MODEL_NAME_INVALID),
    ],
)
def test_names_that_no_model_can_have(lab, registrar, ana, name, code):
    registrar.ready("fraud")
    assert lab.refusal(CreateRegisteredModel(name, ana)).code is code
    assert lab.refusal(UpdateRegisteredModel("fraud", ana, new_name=name)).code is code


def test_there_is_a_limit_to_models_and_to_versions(labs, ana):
    lab = labs(profile=replace(FAITHFUL, registered_model_limit=2, model_version_limit=1))  # one is the laboratory's
    registrar = Registrar(lab, ana)
    registrar.ready("fraud")
    assert lab.refusal(CreateRegisteredModel("other", ana)).code is Code.MODEL_LIMIT
    assert lab.refusal(CreateModelVersion("fraud", ana, "/models/a")).code is Code.MODEL_LIMIT


def test_a_model_gets_another_name_and_keeps_its_id_and_versions(lab, registrar, ana):
    registrar.ready("fraud")
    known = lab.world.registry.id_of(registrar.model("fraud"))
    lab.do(SetModelAccess("fraud", ("ana",)))
    renamed = lab.do(UpdateRegisteredModel("fraud", ana, new_name="scam"))
    assert lab.world.registry.by_id(known) is renamed
    assert lab.world.registry.get("scam", "1").name == "scam"
    assert lab.world.registry.restricted == {"scam": frozenset({"ana"})}
    assert lab.refusal(UpdateModelVersion("fraud", "1", ana, "x")).code is Code.MODEL_MISSING


def test_a_name_that_is_taken_or_of_the_other_registry_is_refused(lab, registrar, ana):
    registrar.ready("fraud")
    registrar.ready("scam")
    assert lab.refusal(UpdateRegisteredModel("fraud", ana, new_name="scam")).code is Code.MODEL_EXISTS
    assert lab.refusal(UpdateRegisteredModel("fraud", ana, new_name="a.b.c")).code is Code.MODEL_NAME_INVALID


def test_what_serves_a_deleted_model_goes_on(lab, registrar, ana):
    registrar.ready("fraud")
    lab.do(CreateEndpoint("e", ana, lab.config(EntitySpec("a", "fraud", "1")), serving=True))
    lab.do(DeleteRegisteredModel("fraud", ana))
    assert lab.admit().deployment.model.source == "/kept/1"
    lab.run()
    lab.stop()
    assert lab.world.endpoints["e"].active.entities[0].spec.model == "fraud"


def test_a_stopped_endpoint_whose_model_is_gone_does_not_start(lab, registrar, ana):
    registrar.ready("fraud")
    lab.do(CreateEndpoint("e", ana, lab.config(EntitySpec("a", "fraud", "1")), serving=True))
    lab.do(DeleteModelVersion("fraud", "1", ana))
    lab.stop()
    assert lab.refusal(StartEndpoint("e")).code is Code.VERSION_MISSING


def test_a_model_made_anew_is_another_one(lab, registrar, ana):
    registrar.ready("fraud")
    known = lab.world.registry.id_of(registrar.model("fraud"))
    lab.do(SetModelAccess("fraud", ("somebody",)))
    lab.do(DeleteRegisteredModel("fraud", ana))
    registrar.begun("fraud")
    assert lab.world.registry.id_of(registrar.model("fraud")) != known
    assert lab.world.registry.restricted == {}


def test_tags_come_and_go_on_models_and_versions(lab, registrar, ana):
    registrar.ready("fraud")
    for version in (None, "1"):
        lab.do(TagModel("fraud", ana, "team", "risk", version))
        lab.do(TagModel("fraud", ana, "team", "ml", version))
        lab.do(TagModel("fraud", ana, "tier", "", version))
        lab.do(TagModel("fraud", ana, "nothing", None, version))
    lab.do(TagModel("fraud", ana, "tier", None, "1"))
    assert dict(registrar.model("fraud").tags) == {"team": "ml", "tier": ""}
    assert dict(registrar.version("fraud", "1").tags) == {"team": "ml"}


@pytest.mark.parametrize(("key", "value"), [("", "x"), ("k" * 251, "x"), ("a\n", "x"), ("k", "v" * 5_001)])
def test_tags_have_bounds(lab, registrar, ana, key, value):
    registrar.ready("fraud")
    assert lab.refusal(TagModel("fraud", ana, key, value)).code in {Code.MODEL_TAG_INVALID, Code.BAD_FIELD}
    assert lab.refusal(CreateRegisteredModel("x", ana, "", ((key, value),))).code is not Code.MODEL_MISSING


# --- versions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_versions_are_numbered_and_numbers_do_not_come_again(lab, registrar, ana, name):
    assert [registrar.begun(name).number for _ in range(3)] == ["1", "2", "3"]
    lab.do(DeleteModelVersion(name, "3", ana))
    assert registrar.begun(name).number == "4"


def test_a_version_is_served_once_it_is_ready(lab, registrar, ana):
    pending = registrar.begun("fraud")
    assert (pending.status, pending.model) == (Status.PENDING, None)
    create = CreateEndpoint("e", ana, lab.config(EntitySpec("a", "fraud", "1")))
    assert lab.refusal(create).code is Code.VERSION_NOT_READY
    lab.do(FinishRegistration("fraud", "1", ModelVersion("fraud", "1", "mlflow", "/kept/1")))
    lab.do(create)
    assert pending.status is Status.READY


def test_a_registration_that_fails_says_why(lab, registrar, ana):
    version = registrar.begun("fraud")
    lab.do(FinishRegistration("fraud", "1", None, "there is no MLmodel"))
    assert (version.status, version.status_message) == (Status.FAILED, "there is no MLmodel")
    refused = lab.refusal(CreateEndpoint("e", ana, lab.config(EntitySpec("a", "fraud", "1"))))
    assert refused.fields["why"] == "there is no MLmodel"


def test_a_registration_ends_once(lab, registrar):
    registrar.ready("fraud")
    lab.do(FinishRegistration("fraud", "1", None, "too late"))
    assert registrar.version("fraud", "1").status is Status.READY


def test_an_outcome_for_a_version_that_is_gone_is_refused(lab, registrar, ana):
    registrar.begun("fraud")
    lab.do(DeleteModelVersion("fraud", "1", ana))
    assert lab.refusal(FinishRegistration("fraud", "1", None, "too late")).code is Code.VERSION_MISSING


def test_a_description_changes(lab, registrar, ana):
    registrar.ready("fraud")
    lab.run(1_000)
    changed = lab.do(UpdateModelVersion("fraud", "1", ana, "better"))
    assert (changed.description, changed.updated - changed.created) == ("better", 1_000)
    assert lab.refusal(UpdateModelVersion("fraud", "1", ana, "x" * 20_000)).code is Code.BAD_FIELD


# --- stages ---------------------------------------------------------------------------------------


def test_a_transition_archives_the_others_in_the_stage_if_asked(registrar):
    registrar.ready("fraud", 4)
    for number in "123":
        registrar.move(number, Stage.STAGING)
    registrar.move("3", Stage.PRODUCTION)
    registrar.move("4", Stage.STAGING, archive=True)
    assert registrar.stages() == {
        "1": Stage.ARCHIVED,
        "2": Stage.ARCHIVED,
        "3": Stage.PRODUCTION,
        "4": Stage.STAGING,
    }


def test_what_is_in_an_active_stage_is_not_deleted(lab, registrar, ana):
    registrar.ready("fraud")
    for stage in (Stage.STAGING, Stage.PRODUCTION):
        registrar.move("1", stage)
        for delete in (DeleteModelVersion("fraud", "1", ana), DeleteRegisteredModel("fraud", ana)):
            refused = lab.refusal(delete)
            expected = {"model": "fraud", "version": "1", "stage": str(stage)}
            assert (refused.code, refused.fields) == (Code.VERSION_ACTIVE, expected)
    registrar.move("1", Stage.ARCHIVED)
    lab.do(DeleteModelVersion("fraud", "1", ana))
    lab.do(DeleteRegisteredModel("fraud", ana))


def test_archiving_is_for_active_stages(lab, registrar, ana):
    registrar.ready("fraud")
    for stage in (Stage.NONE, Stage.ARCHIVED):
        refused = lab.refusal(TransitionStage("fraud", "1", ana, stage, archive_existing=True))
        assert (refused.code, refused.fields) == (Code.ARCHIVE_INACTIVE, {"stage": str(stage)})


def test_there_are_no_stages_in_unity_catalog(lab, registrar, ana):
    registrar.ready("main.ml.fraud")
    assert lab.refusal(TransitionStage("main.ml.fraud", "1", ana, Stage.STAGING)).code is Code.STAGE_IN_UC


def test_a_transition_changes_no_endpoint(lab, registrar, ana):
    registrar.ready("fraud", 2)
    registrar.move("1", Stage.PRODUCTION)
    lab.do(CreateEndpoint("e", ana, lab.config(EntitySpec("a", "fraud", "1")), serving=True))
    before = lab.world.endpoints["e"].revision
    registrar.move("2", Stage.PRODUCTION, archive=True)
    assert lab.world.endpoints["e"].revision == before
    assert lab.admit().deployment.model.version == "1"


# --- aliases --------------------------------------------------------------------------------------


def test_an_alias_moves_and_changes_no_endpoint(lab, registrar, ana):
    registrar.ready("main.ml.fraud", 2)
    lab.do(SetAlias("main.ml.fraud", "champion", ana, "1"))
    lab.do(CreateEndpoint("e", ana, lab.config(EntitySpec("a", "main.ml.fraud", "1")), serving=True))
    lab.do(SetAlias("main.ml.fraud", "champion", ana, "2"))
    assert dict(registrar.model("main.ml.fraud").aliases) == {"champion": "2"}
    assert lab.admit().deployment.model.version == "1"


def test_a_version_goes_with_its_aliases(lab, registrar, ana):
    registrar.ready("main.ml.fraud", 2)
    for alias, number in (("champion", "1"), ("old", "1"), ("new", "2")):
        lab.do(SetAlias("main.ml.fraud", alias, ana, number))
    lab.do(DeleteModelVersion("main.ml.fraud", "1", ana))
    assert dict(registrar.model("main.ml.fraud").aliases) == {"new": "2"}


@pytest.mark.parametrize("alias", ["", "latest", "Latest", "v1", "V22", "12", "a b", "a/b", "a" * 256])
def test_aliases_that_there_cannot_be(lab, registrar, ana, alias):
    registrar.ready("main.ml.fraud")
    assert lab.refusal(SetAlias("main.ml.fraud", alias, ana, "1")).code is Code.ALIAS_INVALID


def test_an_alias_names_a_version_that_is_there(lab, registrar, ana):
    registrar.ready("main.ml.fraud")
    assert lab.refusal(SetAlias("main.ml.fraud", "champion", ana, "7")).code is Code.VERSION_MISSING
    lab.do(SetAlias("main.ml.fraud", "champion", ana, None))


# --- what is declared -----------------------------------------------------------------------------


def test_a_declared_version_brings_what_is_known_of_it(lab, registrar):
    known = Details(Stage.PRODUCTION, ("champion",), (("team", "risk"),), "declared", staged=True)
    lab.do(AddModel(ModelVersion("a.b.c", "7", "stub", "{}"), known))
    version = registrar.version("a.b.c", "7")
    assert (version.stage, version.description, version.staged) == (Stage.PRODUCTION, "declared", True)
    assert dict(version.tags) == {"team": "risk"}
    assert dict(registrar.model("a.b.c").aliases) == {"champion": "7"}
    assert lab.world.registry.next_version("a.b.c") == "8"


def test_every_change_is_a_new_revision(lab, registrar, ana):
    registrar.ready("main.ml.fraud", 2)
    model, registry = registrar.model("main.ml.fraud"), lab.world.registry
    for command in (
        TagModel("main.ml.fraud", ana, "a", "b"),
        SetAlias("main.ml.fraud", "x", ana, "1"),
        UpdateModelVersion("main.ml.fraud", "1", ana, "d"),
        UpdateRegisteredModel("main.ml.fraud", ana, "d"),
        DeleteModelVersion("main.ml.fraud", "2", ana),
        SetModelAccess("main.ml.fraud", ("ana",)),
        CreateModelVersion("main.ml.fraud", ana, "s"),
        DeleteRegisteredModel("main.ml.fraud", ana),
    ):
        before = (model.revision, registry.revision)
        lab.do(command)
        assert registry.revision > before[1], command
        assert model.revision > before[0] or isinstance(command, SetModelAccess)
