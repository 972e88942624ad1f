"""Cases of the two retired generations: models that are served, their versions, and where each stage's URL goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from servesim.delivery.contract_talk import NotRun, dig, named, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.delivery.client import Answered
    from servesim.delivery.contract_talk import Talk

REGISTRY = "/api/2.0/mlflow"
MODEL = "servesim-contract-served"
MISSING = "servesim-contract-missing"
MOST_MODELS = 3
"""That are looked at."""
UPDATING = {"SERVICE_STATE_PENDING", "SERVICE_STATE_FAILED", "SERVICE_STATE_RETRY_REQUESTED"}
"""States of an update that is not over."""
SIZES = ["Small", "Medium", "Large"]


class _Surface(NamedTuple):
    """One of the two generations."""

    place: str
    listed: str
    """Where a list has its models."""
    versions: str
    """Where a list has the versions of a model."""
    missing: tuple[int, str]
    """The refusal of a model that is not served."""
    scored: str
    """What a scoring URL begins with."""
    off: str
    """What is to be done where it answers nothing."""

    def path(self, call: str, **query: str) -> str:
        return f"{REGISTRY}/{self.place}/{call}?{urlencode(query)}" if query else f"{REGISTRY}/{self.place}/{call}"

    def older(self, call: str) -> str:
        return self.path(call).replace(REGISTRY, "/api/2.0/preview/mlflow", 1)


PREVIEW = _Surface(
    "endpoints-v2",
    "endpoint_statuses",
    "endpoint_statuses",
    (404, "RESOURCE_DOES_NOT_EXIST"),
    "/model-endpoint",
    "the workspace is not enrolled in the serverless preview; on servesim start one with `serverless_preview: enabled`",
)
LEGACY = _Surface(
    "endpoints",
    "endpoints",
    "endpoint_versions",
    (400, "INVALID_PARAMETER_VALUE"),
    "/model",
    "legacy serving has come to its end; on servesim start before it, with --start-time 2025-06-01",
)


# --- the serverless preview -----------------------------------------------------------------------


def preview_endpoints(talk: Talk) -> None:
    """Models are listed each once, and told the same by the list and the status, whichever way they are asked for."""
    _endpoints(talk, PREVIEW)


def preview_versions(talk: Talk) -> None:
    """Each version is told the same alone as in the list; an update of its compute shows until it is over."""
    for model, versions in _served(talk, PREVIEW):
        for told in versions:
            number = told.get("endpoint_version_name")
            query = {"registered_model_name": model, "endpoint_version_name": str(number)}
            alone = talk.get(PREVIEW.path("get-version-status", **query))
            if talk.status(alone):
                talk.same(
                    "endpoint_version_name", dig(alone.document, "endpoint_status", "endpoint_version_name"), number
                )
            if (update := dig(told, "config_update_status", "state")) is not None:
                talk.that(update in UPDATING, f"no update, or one that is {' or '.join(sorted(UPDATING))}")
        _aliases(talk, PREVIEW, model, versions)


def preview_readings(talk: Talk) -> None:
    """A version has replicas, logs of each and of all of them, and metrics; its model has events."""
    model, version = _first(talk, PREVIEW)
    query = {"registered_model_name": model, "endpoint_version_name": version}
    replicas = talk.get(PREVIEW.path("get-version-replicas", **query))
    if talk.status(replicas):
        for replica in named(rows(replicas.document, "version_replicas"), "replica_id")[:1]:
            talk.status(talk.send("POST", PREVIEW.path("get-version-logs"), {**query, "replica_id": replica}))
    gone = talk.send("POST", PREVIEW.path("get-version-logs"), {**query, "replica_id": MISSING})
    talk.refused(gone, *PREVIEW.missing)
    talk.status(talk.send("POST", PREVIEW.path("get-version-logs"), query))
    talk.status(talk.get(PREVIEW.path("get-version-metrics", **query)))
    talk.status(talk.get(PREVIEW.path("get-event-history", registered_model_name=model)))


def preview_sizes(talk: Talk) -> None:
    """There are three workload sizes."""
    _check_on(talk, PREVIEW)
    answered = talk.get(PREVIEW.path("get-supported-workload-sizes"))
    if talk.status(answered):
        talk.same("sizes", named(rows(answered.document, "workload_sizes"), "key"), SIZES)


def preview_missing_model(talk: Talk) -> None:
    """A model that is not served is refused with 404 RESOURCE_DOES_NOT_EXIST, whatever is asked of it."""
    _missing(talk, PREVIEW)


def preview_of_a_model(talk: Talk) -> None:
    """A model is pending once it is enabled, then ready; it can be enabled again, and is gone once it is disabled."""
    _enabled_and_disabled(talk, PREVIEW)


# --- legacy serving -------------------------------------------------------------------------------


def legacy_endpoints(talk: Talk) -> None:
    """Models are listed each once, and told the same by the list and the status, whichever way they are asked for."""
    _endpoints(talk, LEGACY)


def legacy_versions(talk: Talk) -> None:
    """A stage's URL goes to a version that is served."""
    for model, versions in _served(talk, LEGACY):
        _aliases(talk, LEGACY, model, versions)


def legacy_readings(talk: Talk) -> None:
    """A version has logs; its model has events and metrics."""
    model, version = _first(talk, LEGACY)
    query = {"registered_model_name": model, "endpoint_version_name": version}
    talk.status(talk.send("POST", LEGACY.path("get-version-logs"), query))
    for call in ("get-event-history", "get-metric-history"):
        talk.status(talk.get(LEGACY.path(call, registered_model_name=model)))


def legacy_missing_model(talk: Talk) -> None:
    """A model that is not served is refused with 400 INVALID_PARAMETER_VALUE, where newer surfaces say 404."""
    _missing(talk, LEGACY)


def legacy_of_a_model(talk: Talk) -> None:
    """A model is pending once it is enabled, then ready; it can be enabled again, and is gone once it is disabled."""
    _enabled_and_disabled(talk, LEGACY)


# --- both -----------------------------------------------------------------------------------------


def _check_on(talk: Talk, surface: _Surface) -> Answered:
    """Return the list of models; raise NotRun where the surface answers nothing."""
    listed = talk.get(surface.path("list"))
    if dig(listed.document, "error_code") == "FEATURE_DISABLED":
        raise NotRun(surface.off)
    talk.status(listed)
    return listed


def _models(talk: Talk, surface: _Surface) -> list[dict[str, Any]]:
    """Return some models that are served; raise NotRun if there is none."""
    found = rows(_check_on(talk, surface).document, surface.listed)
    if not found:
        raise NotRun("no model is served")
    return found[:MOST_MODELS]


def _endpoints(talk: Talk, surface: _Surface) -> None:
    listed = rows(_check_on(talk, surface).document, surface.listed)
    names = named(listed, "registered_model_name")
    talk.same("how many names differ", len(set(names)), len(names))
    older = talk.get(surface.older("list"))
    if talk.status(older):
        talk.same(
            "models by the older path", named(rows(older.document, surface.listed), "registered_model_name"), names
        )
    for name in named(_models(talk, surface), "registered_model_name"):
        asked = {"registered_model_name": name}
        # Clients send what a GET needs in its query or in its body.
        for answered in (
            talk.get(surface.path("get-status", **asked)),
            talk.get(surface.path("get-status"), body=asked),
        ):
            if talk.status(answered):
                told = dig(answered.document, "endpoint_status", "registered_model_name")
                talk.same("registered_model_name", told, name)


def _served(talk: Talk, surface: _Surface) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield models with their versions."""
    for name in named(_models(talk, surface), "registered_model_name"):
        answered = talk.get(surface.path("list-versions", registered_model_name=name))
        if talk.status(answered):
            yield name, rows(answered.document, surface.versions)


def _first(talk: Talk, surface: _Surface) -> tuple[str, str]:
    """Return a model and a version that is served; raise NotRun if there is none."""
    for name, versions in _served(talk, surface):
        for number in named(versions, "endpoint_version_name"):
            return name, number
    raise NotRun("no version is served")


def _aliases(talk: Talk, surface: _Surface, model: str, versions: list[dict[str, Any]]) -> None:
    answered = talk.get(surface.path("list-version-aliases", registered_model_name=model))
    if talk.status(answered):
        aliases = rows(answered.document, "aliases")
        stages = named(aliases, "alias")
        talk.same("how many aliases differ", len(set(stages)), len(stages))
        numbers = {*named(versions, "endpoint_version_name")}
        talk.that({*named(aliases, "endpoint_version_name")} <= numbers, "aliases of versions that are served")


def _missing(talk: Talk, surface: _Surface) -> None:
    _check_on(talk, surface)
    for call in ("get-status", "list-versions", "list-version-aliases", "get-event-history"):
        talk.refused(talk.get(surface.path(call, registered_model_name=MISSING)), *surface.missing)
    talk.status(talk.send("POST", f"{surface.scored}/{MISSING}/Production/invocations", {"inputs": [1]}), 404)


def _enabled_and_disabled(talk: Talk, surface: _Surface) -> None:
    _check_on(talk, surface)
    asked = {"registered_model_name": _made(talk)}
    enabled = talk.send("POST", surface.path("enable"), asked)
    if dig(enabled.document, "error_code") == "FEATURE_DISABLED":
        raise NotRun(surface.off)
    if not talk.status(enabled):
        return
    served = f"{surface.place} of {MODEL}"
    talk.undo[served] = lambda: talk.send("POST", surface.path("disable"), asked)
    talk.that(_state(talk, surface) in {"PENDING", "READY"}, "that the endpoint is pending")
    state = next((state for _ in talk.looks() if (state := _state(talk, surface)) != "PENDING"), "PENDING")
    talk.same("state after a while", state, "READY")
    talk.status(talk.send("POST", surface.path("enable"), asked))
    if talk.status(talk.send("POST", surface.path("disable"), asked)):
        del talk.undo[served]
    talk.refused(talk.get(surface.path("get-status", **asked)), *surface.missing)
    talk.refused(talk.send("POST", surface.path("disable"), asked), *surface.missing)


def _state(talk: Talk, surface: _Surface) -> str:
    answered = talk.get(surface.path("get-status", registered_model_name=MODEL))
    talk.status(answered)
    return str(dig(answered.document, "endpoint_status", "state")).removeprefix("ENDPOINT_STATE_")


def _made(talk: Talk) -> str:
    """Return a registered model of the suite's own, which goes in the end; raise NotRun if it cannot be made."""
    made = talk.send("POST", f"{REGISTRY}/registered-models/create", {"name": MODEL})
    if not made.well and dig(made.document, "error_code") != "RESOURCE_ALREADY_EXISTS":
        raise NotRun("a registered model cannot be made")
    delete = f"{REGISTRY}/registered-models/delete?name={quote(MODEL)}"
    talk.undo[f"registered model {MODEL}"] = lambda: talk.send("DELETE", delete)
    return MODEL


PREVIEW_READING = (preview_endpoints, preview_versions, preview_readings, preview_sizes, preview_missing_model)
LEGACY_READING = (legacy_endpoints, legacy_versions, legacy_readings, legacy_missing_model)
