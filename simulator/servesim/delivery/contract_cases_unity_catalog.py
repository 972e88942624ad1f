"""Cases of models in Unity Catalog: both faces of them, versions with their files, aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from servesim.delivery.contract_talk import NotRun, dig, named, rows

if TYPE_CHECKING:
    from servesim.delivery.client import Answered
    from servesim.delivery.contract_talk import Talk

MLFLOW = "/api/2.0/mlflow/unity-catalog"
MODELS = "/api/2.1/unity-catalog/models"
FILES = "/api/2.0/fs/files/Models"
FOLDERS = "/api/2.0/fs/directories/Models"
BINARY = "application/octet-stream"
MISSING = "servesim_contract.missing.missing"
NAME = "servesim_contract_model"
ENABLED = "is_databricks_sdk_models_artifact_repository_enabled"
UPLOADED = {
    "MLmodel": b"flavors:\n  python_function: {loader_module: servesim_contract, env: {conda: conda.yaml}}\n",
    "conda.yaml": b"dependencies: [python=3.11, {pip: [mlflow]}]\n",
}
"""A model that is never loaded."""
MOST_MODELS = 3
"""That are looked at."""


def catalog_models(talk: Talk) -> None:
    """Models are listed with a name of three levels, each once; a page has no more than was asked for."""
    answered = talk.get(f"{MODELS}?max_results=100")
    if talk.status(answered):
        names = named(rows(answered.document, "registered_models"), "full_name")
        talk.same("how many names differ", len(set(names)), len(names))
        talk.that(all(name.count(".") == 2 for name in names), "names of three levels")  # noqa: PLR2004 - between three
    first = talk.get(f"{MODELS}?max_results=1")
    if talk.status(first):
        talk.that(len(rows(first.document, "registered_models")) <= 1, "no more than one model")


def catalog_model_details(talk: Talk) -> None:
    """A model is told the same by MLflow's call and by the public one, as are its versions."""
    for name in _models(talk):
        public = talk.get(f"{MODELS}/{name}")
        by_mlflow = talk.get(f"{MLFLOW}/registered-models/get?{urlencode({'name': name})}")
        if talk.status(public) and talk.status(by_mlflow):
            created = dig(by_mlflow.document, "registered_model", "creation_timestamp")
            talk.same("creation_timestamp", created, dig(public.document, "created_at"))
        versions = talk.get(f"{MODELS}/{name}/versions")
        if talk.status(versions):
            for one in rows(versions.document, "model_versions")[:1]:
                query = urlencode({"name": name, "version": one.get("version")})
                told = talk.get(f"{MLFLOW}/model-versions/get?{query}")
                if talk.status(told):
                    talk.same("status", dig(told.document, "model_version", "status"), one.get("status"))


def missing_catalog_model(talk: Talk) -> None:
    """A model that is not there is refused with 404 RESOURCE_DOES_NOT_EXIST by either call."""
    for path in (
        f"{MODELS}/{MISSING}",
        f"{MODELS}/{MISSING}/versions",
        f"{MLFLOW}/registered-models/get?name={MISSING}",
        f"{MLFLOW}/model-versions/get?name={MISSING}&version=1",
    ):
        talk.refused(talk.get(path), 404, "RESOURCE_DOES_NOT_EXIST")


def name_without_levels(talk: Talk) -> None:
    """A name without three levels is refused in the words that MLflow's client looks for."""
    answered = talk.get(f"{MLFLOW}/registered-models/get?name=servesim_contract")
    talk.refused(answered, 400, "INVALID_PARAMETER_VALUE")
    talk.that("specify all three levels" in str(dig(answered.document, "message")), "the words of MLflow's client")


def a_catalog_model(talk: Talk) -> None:
    """A model is made once, described and tagged, by either call; what is deleted is gone."""
    name = _made(talk)
    again = talk.send("POST", f"{MLFLOW}/registered-models/create", {"name": name})
    talk.refused(again, 400, "RESOURCE_ALREADY_EXISTS")
    described = talk.send("PATCH", f"{MODELS}/{name}", {"comment": "a"})
    if talk.status(described):
        talk.same("comment", dig(described.document, "comment"), "a")
    talk.status(talk.send("POST", f"{MLFLOW}/registered-models/set-tag", {"name": name, "key": "k", "value": "v"}))
    told = talk.get(f"{MLFLOW}/registered-models/get?name={name}")
    if talk.status(told):
        talk.same("description", dig(told.document, "registered_model", "description"), "a")
        talk.same("tags", dig(told.document, "registered_model", "tags"), [{"key": "k", "value": "v"}])
    talk.status(_deleted(talk, name))
    talk.refused(talk.get(f"{MODELS}/{name}"), 404, "RESOURCE_DOES_NOT_EXIST")
    talk.refused(_deleted(talk, name), 404, "RESOURCE_DOES_NOT_EXIST")


def a_version_and_its_files(talk: Talk) -> None:
    """A version is pending until its files are there and it is finalized; from then on they are read, not changed."""
    name = _made(talk)
    folder = _version(talk, name)
    for path, content in UPLOADED.items():
        url = f"{FILES}/{folder}/{path}?overwrite=true"
        talk.status(talk.send("PUT", url, content, content_type=BINARY), 204)
    listed = talk.get(f"{FOLDERS}/{folder}")
    if talk.status(listed):
        talk.same("files", sorted(named(rows(listed.document, "contents"))), sorted(UPLOADED))
    finalized = talk.send("POST", f"{MLFLOW}/model-versions/finalize", {"name": name, "version": "1"})
    if talk.status(finalized):
        talk.same("status", dig(finalized.document, "model_version", "status"), "READY")
    read = talk.get(f"{FILES}/{folder}/MLmodel")
    if talk.status(read):
        talk.that(read.body == UPLOADED["MLmodel"], "the file as it was uploaded")
    late = talk.send("PUT", f"{FILES}/{folder}/late", b"", content_type=BINARY)
    talk.that(not late.well, "a refusal of a file of a version that is READY")
    talk.status(talk.get(f"{FILES}/{folder}/nothing"), 404)
    talk.status(_deleted(talk, name))


def an_alias_that_moves(talk: Talk) -> None:
    """An alias names one version at a time, by either call, and goes with the version."""
    name = _made(talk)
    for number in ("1", "2"):
        _version(talk, name)
        set_by = {"name": name, "alias": "champion", "version": number}
        talk.status(talk.send("POST", f"{MLFLOW}/registered-models/alias", set_by))
        told = talk.get(f"{MODELS}/{name}/aliases/champion")
        if talk.status(told):
            talk.same("version", dig(told.document, "version"), int(number))
    moved = talk.send("PUT", f"{MODELS}/{name}/aliases/champion", {"version_num": 1})
    if talk.status(moved):
        talk.same("version_num", dig(moved.document, "version_num"), 1)
    talk.status(talk.send("DELETE", f"{MODELS}/{name}/versions/1"))
    gone = talk.get(f"{MLFLOW}/registered-models/alias?name={name}&alias=champion")
    talk.refused(gone, 404, "RESOURCE_DOES_NOT_EXIST")
    talk.status(_deleted(talk, name))


def _made(talk: Talk) -> str:
    """Make the suite's model beside one that is there; raise NotRun if it cannot be made, or is there already."""
    beside = _models(talk)[0]
    name = f"{beside.rpartition('.')[0]}.{NAME}"
    if talk.get(f"{MODELS}/{name}").well:
        raise NotRun(f"there is a model {name} already, left by a check that was cut off: delete it")
    if not talk.status(talk.send("POST", f"{MLFLOW}/registered-models/create", {"name": name})):
        raise NotRun(f"a model cannot be made beside {beside}")
    talk.undo[f"model {name}"] = lambda: _deleted(talk, name)
    return name


def _deleted(talk: Talk, name: str) -> Answered:
    return talk.send("DELETE", f"{MLFLOW}/registered-models/delete?name={name}")


def _version(talk: Talk, name: str) -> str:
    """Register a version and return its folder below ``/Models``; raise NotRun if its files have no place there."""
    enabled = talk.get(f"{MLFLOW}/registered-models:is-databricks-sdk-models-artifact-repository-enabled")
    if not dig(enabled.document, ENABLED):
        raise NotRun("the files of models do not go through the Files API here")
    made = talk.send("POST", f"{MLFLOW}/model-versions/create", {"name": name, "source": "/servesim-contract"})
    talk.status(made)
    talk.same("status", dig(made.document, "model_version", "status"), "PENDING_REGISTRATION")
    return f"{name.replace('.', '/')}/{dig(made.document, 'model_version', 'version')}"


def _models(talk: Talk) -> list[str]:
    """Return some models to look at; raise NotRun if there is none."""
    found = named(rows(talk.get(f"{MODELS}?max_results=100").document, "registered_models"), "full_name")
    if not found:
        raise NotRun("there is no model in Unity Catalog, or none that the token's owner may read")
    return found[:MOST_MODELS]


READING = (catalog_models, catalog_model_details, missing_catalog_model, name_without_levels)
KEEPING = (a_catalog_model, a_version_and_its_files, an_alias_that_moves)
