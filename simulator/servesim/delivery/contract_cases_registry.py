"""Cases of the workspace's model registry: models, versions, stages, and who may do what with them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from servesim.delivery.contract_talk import NotRun, dig, named, rows

if TYPE_CHECKING:
    from servesim.delivery.client import Answered
    from servesim.delivery.contract_talk import Talk

REGISTRY = "/api/2.0/mlflow"
PREVIEW = "/api/2.0/preview/mlflow"
PERMISSIONS = "/api/2.0/permissions/registered-models"
MISSING = "servesim-contract-missing"
MODEL = "servesim-contract-model"
SOURCE = "dbfs:/servesim-contract/nothing"
LEVELS = {"CAN_READ", "CAN_EDIT", "CAN_MANAGE_STAGING_VERSIONS", "CAN_MANAGE_PRODUCTION_VERSIONS", "CAN_MANAGE"}
MOST_MODELS = 3
"""That are looked at."""


def registered_models(talk: Talk) -> None:
    """Registered models are listed and searched for, each once, and the older path of the registry answers the same."""
    found = []
    for path in ("registered-models/list", "registered-models/search"):
        answered = talk.get(f"{REGISTRY}/{path}?max_results=100")
        if talk.status(answered):
            names = named(rows(answered.document, "registered_models"))
            talk.same("how many names differ", len(set(names)), len(names))
            found.append(set(names))
    older = talk.get(f"{PREVIEW}/registered-models/search?max_results=100")
    if talk.status(older):
        talk.that(set(named(rows(older.document, "registered_models"))) in found, "the same models by either path")


def registered_models_by_pages(talk: Talk) -> None:
    """A page has no more than was asked for, and the next one other models."""
    first = talk.get(f"{REGISTRY}/registered-models/search?max_results=1")
    if not talk.status(first):
        return
    talk.that(len(rows(first.document, "registered_models")) <= 1, "no more than one model")
    if isinstance(token := dig(first.document, "next_page_token"), str):
        query = urlencode({"max_results": 1, "page_token": token})
        second = talk.get(f"{REGISTRY}/registered-models/search?{query}")
        if talk.status(second):
            told, before = (named(rows(one.document, "registered_models")) for one in (second, first))
            talk.that(told and told != before, "another model on the next page")


def registered_model_details(talk: Talk) -> None:
    """A model is told the same by MLflow's call and by the service's own, which adds an id and a permission level."""
    for name in _models(talk):
        query = urlencode({"name": name})
        plain = talk.get(f"{REGISTRY}/registered-models/get?{query}")
        own = talk.get(f"{REGISTRY}/databricks/registered-models/get?{query}")
        if talk.status(plain) and talk.status(own):
            talk.same("name", dig(own.document, "registered_model_databricks", "name"), name)
            told = rows(plain.document, "registered_model", "latest_versions")
            stages = named(told, "current_stage")
            talk.same("how many stages differ", len(set(stages)), len(stages))
        latest = talk.send("POST", f"{REGISTRY}/registered-models/get-latest-versions", {"name": name})
        if talk.status(latest):
            versions = named(rows(latest.document, "model_versions"), "name")
            talk.same("models of the latest versions", set(versions) - {name}, set())


def registered_model_permissions(talk: Talk) -> None:
    """Five levels can be granted on a model; it goes by its id here."""
    query = urlencode({"name": _models(talk)[0]})
    own = talk.get(f"{REGISTRY}/databricks/registered-models/get?{query}")
    number = dig(own.document, "registered_model_databricks", "id")
    answered = talk.get(f"{PERMISSIONS}/{number}/permissionLevels")
    if talk.status(answered):
        found = {one.get("permission_level") for one in rows(answered.document, "permission_levels")}
        talk.that(found == LEVELS, f"the levels {', '.join(sorted(LEVELS))}")
    granted = talk.get(f"{PERMISSIONS}/{number}")
    if talk.status(granted):
        talk.same("object_id", dig(granted.document, "object_id"), f"/registered-models/{number}")


def missing_registered_model(talk: Talk) -> None:
    """A model that is not there is refused with 404 RESOURCE_DOES_NOT_EXIST, whatever is asked of it."""
    for path in (
        "registered-models/get?name={}",
        "databricks/registered-models/get?name={}",
        "model-versions/get?name={}&version=1",
        "model-versions/get-download-uri?name={}&version=1",
    ):
        answered = talk.get(f"{REGISTRY}/{path.format(MISSING)}")
        talk.refused(answered, 404, "RESOURCE_DOES_NOT_EXIST")


def a_registered_model(talk: Talk) -> None:
    """A model is made once, described, tagged, renamed; what is deleted is gone."""
    made = _made(talk, MODEL)
    talk.same("name", dig(made.document, "registered_model", "name"), MODEL)
    again = talk.send("POST", f"{REGISTRY}/registered-models/create", {"name": MODEL})
    talk.refused(again, 400, "RESOURCE_ALREADY_EXISTS")
    described = talk.send("PATCH", f"{REGISTRY}/registered-models/update", {"name": MODEL, "description": "a"})
    if talk.status(described):
        talk.same("description", dig(described.document, "registered_model", "description"), "a")
    talk.status(talk.send("POST", f"{REGISTRY}/registered-models/set-tag", {"name": MODEL, "key": "k", "value": "v"}))
    told = talk.get(f"{REGISTRY}/registered-models/get?name={MODEL}")
    if talk.status(told):
        talk.same("tags", dig(told.document, "registered_model", "tags"), [{"key": "k", "value": "v"}])
    talk.status(talk.send("DELETE", f"{REGISTRY}/registered-models/delete-tag?name={MODEL}&key=k"))
    renamed = talk.send("POST", f"{REGISTRY}/registered-models/rename", {"name": MODEL, "new_name": f"{MODEL}-2"})
    if talk.status(renamed):
        talk.undo[f"registered model {MODEL}-2"] = lambda: _deleted(talk, f"{MODEL}-2")
        talk.refused(talk.get(f"{REGISTRY}/registered-models/get?name={MODEL}"), 404, "RESOURCE_DOES_NOT_EXIST")
    # MLflow sends what a DELETE needs in its body, the SDK in the query.
    talk.status(talk.send("DELETE", f"{REGISTRY}/registered-models/delete", {"name": f"{MODEL}-2"}))
    talk.refused(_deleted(talk, f"{MODEL}-2"), 404, "RESOURCE_DOES_NOT_EXIST")


def a_version_and_its_stages(talk: Talk) -> None:
    """A version gets the next number and no stage; a move can archive the others in its stage; no number returns."""
    _made(talk, MODEL)
    for number in ("1", "2"):
        made = talk.send("POST", f"{REGISTRY}/model-versions/create", {"name": MODEL, "source": SOURCE})
        if talk.status(made):
            talk.same("version", dig(made.document, "model_version", "version"), number)
            talk.same("current_stage", dig(made.document, "model_version", "current_stage"), "None")
    _moved(talk, "model-versions/transition-stage", "1", archive=False)
    _moved(talk, "databricks/model-versions/transition-stage", "2", archive=True)
    first = talk.get(f"{REGISTRY}/model-versions/get?name={MODEL}&version=1")
    if talk.status(first):
        talk.same("current_stage of the first", dig(first.document, "model_version", "current_stage"), "Archived")
    body = {"name": MODEL, "version": "1", "stage": "Nowhere", "archive_existing_versions": False}
    talk.refused(talk.send("POST", f"{REGISTRY}/model-versions/transition-stage", body), 400, "INVALID_PARAMETER_VALUE")
    searched = talk.get(f"{REGISTRY}/model-versions/search?{urlencode({'filter': f'name={MODEL!r}'})}")
    if talk.status(searched):
        numbers = sorted(named(rows(searched.document, "model_versions"), "version"))
        talk.same("versions that are found", numbers, ["1", "2"])
    # The service is documented to delete nothing that is in Staging or Production.
    body = {"name": MODEL, "version": "2", "stage": "Archived", "archive_existing_versions": False}
    talk.status(talk.send("POST", f"{REGISTRY}/model-versions/transition-stage", body))
    talk.status(talk.send("DELETE", f"{REGISTRY}/model-versions/delete", {"name": MODEL, "version": "2"}))
    gone = talk.get(f"{REGISTRY}/model-versions/get?name={MODEL}&version=2")
    talk.refused(gone, 404, "RESOURCE_DOES_NOT_EXIST")
    third = talk.send("POST", f"{REGISTRY}/model-versions/create", {"name": MODEL, "source": SOURCE})
    if talk.status(third):
        talk.same("version after a delete", dig(third.document, "model_version", "version"), "3")
    talk.status(_deleted(talk, MODEL))


def _made(talk: Talk, name: str) -> Answered:
    """Make the suite's model; raise NotRun if it is there already, or cannot be made."""
    if talk.get(f"{REGISTRY}/registered-models/get?name={name}").well:
        raise NotRun(f"there is a registered model {name} already, left by a check that was cut off: delete it")
    made = talk.send("POST", f"{REGISTRY}/registered-models/create", {"name": name})
    if not talk.status(made):
        raise NotRun("a registered model cannot be made")
    talk.undo[f"registered model {name}"] = lambda: _deleted(talk, name)
    return made


def _deleted(talk: Talk, name: str) -> Answered:
    return talk.send("DELETE", f"{REGISTRY}/registered-models/delete?name={name}")


def _moved(talk: Talk, path: str, version: str, *, archive: bool) -> None:
    """Move a version to Staging."""
    body = {"name": MODEL, "version": version, "stage": "Staging", "archive_existing_versions": archive}
    moved = talk.send("POST", f"{REGISTRY}/{path}", body)
    if talk.status(moved):
        field = "model_version_databricks" if path.startswith("databricks") else "model_version"
        talk.same("current_stage", dig(moved.document, field, "current_stage"), "Staging")


def _models(talk: Talk) -> list[str]:
    """Return some models to look at; raise NotRun if there is none."""
    found = named(rows(talk.get(f"{REGISTRY}/registered-models/list?max_results=100").document, "registered_models"))
    if not found:
        raise NotRun("the workspace's registry has no model")
    return found[:MOST_MODELS]


READING = (
    registered_models,
    registered_models_by_pages,
    registered_model_details,
    registered_model_permissions,
    missing_registered_model,
)
KEEPING = (a_registered_model, a_version_and_its_stages)
