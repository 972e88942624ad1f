"""The life of one endpoint, case by case: created, ready, updated, asked, deleted. Each needs those before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.delivery.client import ENDPOINTS, scoring_path
from servesim.delivery.contract_cases_control import check_endpoint
from servesim.delivery.contract_cases_data import ROWS, check_scored, sample
from servesim.delivery.contract_payloads import formats
from servesim.delivery.contract_talk import CouldNotRun, NotRun, dig, named, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servesim.delivery.client import Answered
    from servesim.delivery.contract_talk import Talk

NAME = "servesim-contract-chain"
PATH = f"{ENDPOINTS}/{NAME}"
VARIABLE = "SERVESIM_CONTRACT"
NEEDED = (
    "no model version is known that could be deployed: name one with --entity NAME/VERSION (on servesim that of the "
    "first endpoint is taken)"
)


def create(talk: Talk) -> None:
    """A create answers with the endpoint: NOT_READY, its config pending as version 1, and no active one."""
    entity = _entity(talk)
    if dig(talk.get(PATH).document, "name") == NAME:
        raise CouldNotRun(
            f"there is an endpoint {NAME} already: another check is under way, or one was cut off. Delete it, or "
            "check with --read-only"
        )
    tags = [{"key": "made-by", "value": "servesim-contract"}]
    answered = talk.send("POST", ENDPOINTS, {"name": NAME, "config": {"served_entities": [entity]}, "tags": tags})
    if not talk.status(answered):
        return
    talk.undo[f"endpoint {NAME}"] = lambda: talk.send("DELETE", PATH)
    document = answered.document
    talk.kept["id"] = dig(document, "id")
    check_endpoint(talk, document, NAME)
    talk.same("state.ready", dig(document, "state", "ready"), "NOT_READY")
    talk.same("state.config_update", dig(document, "state", "config_update"), "IN_PROGRESS")
    talk.same("pending_config.config_version", dig(document, "pending_config", "config_version"), 1)
    talk.that(dig(document, "config") is None, "no config before the first one serves")
    talk.same("tags", dig(document, "tags"), tags)
    given = dig(document, "pending_config", "served_entities", 0) or {}
    for field in ("entity_name", "entity_version", "workload_size", "scale_to_zero_enabled"):
        talk.same(f"{field} of the entity", given.get(field), entity[field])
    talk.same("name of the entity", given.get("name"), _entity_name(entity))


def create_again(talk: Talk) -> None:
    """A name that is taken is refused with RESOURCE_ALREADY_EXISTS."""
    _made(talk)
    answered = talk.send("POST", ENDPOINTS, {"name": NAME})
    talk.that(answered.status in {400, 409}, f"status 400 or 409, not {answered.status}")
    talk.same("error_code", dig(answered.document, "error_code"), "RESOURCE_ALREADY_EXISTS")


def becomes_ready(talk: Talk) -> None:
    """Once the update has ended the endpoint is READY, its config is active, and nothing is pending."""
    _made(talk)
    if _settled(talk, 1):
        talk.kept["ready"] = True
    listed = [one.get("name") for one in rows(talk.get(ENDPOINTS).document, "endpoints")]
    talk.that(NAME in listed, "the new endpoint in LIST")


def update(talk: Talk) -> None:
    """An update leaves the old config serving, with the new one beside it as pending; another is refused meanwhile."""
    ready(talk)
    answered = talk.send("PUT", PATH + "/config", {"served_entities": [_changed(talk)]})
    if not talk.status(answered):
        return
    document = answered.document
    check_endpoint(talk, document, NAME)
    talk.same("state.ready", dig(document, "state", "ready"), "READY")
    talk.same("state.config_update", dig(document, "state", "config_update"), "IN_PROGRESS")
    talk.same("config.config_version", dig(document, "config", "config_version"), 1)
    talk.same("pending_config.config_version", dig(document, "pending_config", "config_version"), 2)
    again = talk.send("PUT", PATH + "/config", {"served_entities": [_changed(talk)]})
    version = 2
    if again.well:  # the first may have ended in between: then it serves
        version = 3
        talk.same("config.config_version of the update before", dig(again.document, "config", "config_version"), 2)
    else:
        talk.refused(again, 409, "RESOURCE_CONFLICT")
    talk.kept["version"] = version


def updated(talk: Talk) -> None:
    """Once the update has ended the new config serves; a variable shows the secret that it refers to, not its value."""
    if "version" not in talk.kept:
        raise NotRun("the endpoint was not updated")
    document = _settled(talk, talk.kept["version"])
    variables = dig(document, "config", "served_entities", 0, "environment_vars") or {}
    talk.same(f"variable {VARIABLE}", variables.get(VARIABLE), _variable(talk))


def invoke(talk: Talk) -> None:
    """A ready endpoint answers, and says which entity did."""
    ready(talk)
    first = formats(sample(talk, NAME))[0]
    answered = talk.send("POST", scoring_path(NAME), first.body, content_type=first.content_type)
    check_scored(talk, answered, first, [_entity_name(_entity(talk))])


def stop_and_start(talk: Talk) -> None:
    """A stopped endpoint is STOPPED and refuses to be asked with 400; started it serves as the next config version."""
    ready(talk)
    if not talk.status(stopped := talk.send("POST", PATH + "/config:stop", {})):
        return
    document = _until(talk, lambda found: dig(found, "state", "suspend") == "STOPPED") or stopped.document
    talk.same("state.suspend", dig(document, "state", "suspend"), "STOPPED")
    talk.same("state.ready", dig(document, "state", "ready"), "NOT_READY")
    talk.status(talk.send("POST", scoring_path(NAME), ROWS), 400)
    before = dig(document, "config", "config_version")
    if talk.status(talk.send("POST", PATH + "/config:start", {})) and isinstance(before, int):
        _settled(talk, before + 1)


def delete(talk: Talk) -> None:
    """A deleted endpoint is gone at once: nothing finds it, its name is free, and an empty object is the answer."""
    _made(talk)
    answered = talk.send("DELETE", PATH)
    if talk.status(answered):
        talk.same("the answer", answered.document, {})
        talk.undo.pop(f"endpoint {NAME}", None)
        talk.kept.pop("ready", None)
    talk.refused(talk.get(PATH), 404, "RESOURCE_DOES_NOT_EXIST")
    talk.refused(talk.send("POST", scoring_path(NAME), ROWS), 404, "ENDPOINT_NOT_FOUND")
    talk.refused(talk.send("DELETE", PATH), 404, "RESOURCE_DOES_NOT_EXIST")


def without_a_config(talk: Talk) -> None:
    """An endpoint can be created without a config: NOT_READY, with no update; made anew it has another id."""
    before = _made(talk)
    answered = talk.send("POST", ENDPOINTS + "/", {"name": NAME})
    if not talk.status(answered):
        return
    talk.undo[f"endpoint {NAME}"] = lambda: talk.send("DELETE", PATH)
    document = answered.document
    talk.same("state.ready", dig(document, "state", "ready"), "NOT_READY")
    talk.same("state.config_update", dig(document, "state", "config_update"), "NOT_UPDATING")
    talk.that(dig(document, "id") != before, "another id than that of the endpoint which had the name before")
    talk.refused(talk.send("POST", scoring_path(NAME), ROWS), 404, "ENDPOINT_NOT_FOUND")
    if talk.status(talk.send("DELETE", PATH)):
        talk.undo.pop(f"endpoint {NAME}", None)


BEGINNING = (create, create_again, becomes_ready, update, updated)
SCORING = (invoke,)
END = (stop_and_start, delete, without_a_config)


def _made(talk: Talk) -> Any:
    if talk.kept.get("id") is None:
        raise NotRun("the endpoint was not created")
    return talk.kept["id"]


def ready(talk: Talk) -> str:
    """Return the endpoint's id; raise NotRun if it is not ready."""
    if not talk.kept.get("ready"):
        raise NotRun("the endpoint was not created, or did not become ready")
    return str(talk.kept["id"])


def _settled(talk: Talk, version: int) -> Any:
    """Wait until no update is in progress, expect this version to serve alone, and return the endpoint."""
    document = _until(talk, lambda found: dig(found, "state", "config_update") != "IN_PROGRESS")
    if document is None:
        talk.that(is_so=False, expected=f"an end of the update within {talk.plan.patience_s:g} s of real time")
        return None
    talk.same("state.config_update", dig(document, "state", "config_update"), "NOT_UPDATING")
    talk.same("state.ready", dig(document, "state", "ready"), "READY")
    talk.same("config.config_version", dig(document, "config", "config_version"), version)
    talk.that(dig(document, "pending_config") is None, "no pending_config after the update")
    check_endpoint(talk, document, NAME)
    return document


def _until(talk: Talk, is_so: Callable[[Any], bool]) -> Any:
    """Look at the endpoint until something is so of it; None if it never was, or a look failed."""
    for document in _seen(talk):
        if is_so(document):
            return document
    return None


def _seen(talk: Talk) -> Iterator[Any]:
    for _ in talk.looks():
        answered: Answered = talk.get(PATH)
        if not talk.status(answered):
            return
        if dig(answered.document, "state", "config_update") == "IN_PROGRESS":
            talk.that(dig(answered.document, "pending_config"), "a pending_config while an update is in progress")
        yield answered.document


def _entity(talk: Talk) -> dict[str, Any]:
    """Return the entity to deploy; raise NotRun if no model is known."""
    if "entity" not in talk.kept:
        talk.kept["entity"] = talk.plan.entity or (_first_model(talk) if talk.plan.may_score else None)
    if talk.kept["entity"] is None:
        raise NotRun(NEEDED)
    model, version = talk.kept["entity"]
    return {
        "entity_name": model,
        "entity_version": version,
        "workload_size": "Small",
        "scale_to_zero_enabled": True,
    }


def _first_model(talk: Talk) -> tuple[str, str] | None:
    for endpoint in rows(talk.get(ENDPOINTS).document, "endpoints"):
        for one in rows(endpoint, "config", "served_entities"):
            if all(named([one], field) for field in ("entity_name", "entity_version")):
                return str(one["entity_name"]), str(one["entity_version"])
    return None


def _entity_name(entity: dict[str, Any]) -> str:
    """Return the name that a served entity without one is given."""
    return f"{entity['entity_name'].rpartition('.')[2]}-{entity['entity_version']}"


def _changed(talk: Talk) -> dict[str, Any]:
    return {**_entity(talk), "environment_vars": {VARIABLE: _variable(talk)}}


def _variable(talk: Talk) -> str:
    reference: str = talk.kept.get("reference", "2")
    return reference
