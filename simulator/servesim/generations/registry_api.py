"""The workspace registry: the JSON that clients send, to commands, and models and versions to JSON.

What is empty is left out, as in the recorded answers of ``databricks/registered-models/get``. Versions are strings,
instants milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.errors import Code, Rejected
from servesim.core.model_commands import (
    CreateModelVersion,
    CreateRegisteredModel,
    DeleteModelVersion,
    DeleteRegisteredModel,
    TagModel,
    TransitionStage,
    UpdateModelVersion,
    UpdateRegisteredModel,
)
from servesim.core.registry import RegisteredModel, Stage, Status, Version, in_unity_catalog
from servesim.generations.filters import Attribute, Kind

if TYPE_CHECKING:
    from servesim.core.access import Principal
    from servesim.core.model_access import ModelLevel
    from servesim.generations.fields import Fields

_STAGES = {stage.lower(): stage for stage in Stage}
"""Their case does not matter: documented by open source MLflow."""


# --- what clients send ----------------------------------------------------------------------------


def read_name(fields: Fields) -> str:
    """Return the name of a model of this registry; raise MODEL_NAME_EMPTY, MODEL_ELSEWHERE or BAD_FIELD."""
    name = fields.text("name", "")
    if not name:
        raise Rejected(Code.MODEL_NAME_EMPTY, model=name)
    if in_unity_catalog(name):
        raise Rejected(Code.MODEL_ELSEWHERE, model=name)
    return name


def read_number(fields: Fields) -> str:
    """Return the number of a version; raise VERSION_NUMBER_INVALID or BAD_FIELD."""
    number = fields.label("version")
    if not (number.isascii() and number.isdecimal()):
        raise Rejected(Code.VERSION_NUMBER_INVALID, version=number)
    return number


def read_texts(fields: Fields, name: str) -> tuple[str, ...]:
    """Return a list of strings; in a query one of them stands alone."""
    value = fields.values.get(name)
    return (value,) if isinstance(value, str) else tuple(fields.texts(name))


def read_stage(text: str) -> Stage:
    """Return a stage; raise STAGE_INVALID."""
    stage = _STAGES.get(text.lower())
    if stage is None:
        raise Rejected(Code.STAGE_INVALID, stage=text)
    return stage


def read_stages(fields: Fields) -> tuple[Stage, ...]:
    """Return the stages whose latest versions are asked for, every one if none is named; raise STAGE_INVALID."""
    return tuple(read_stage(text) for text in read_texts(fields, "stages")) or tuple(Stage)


def read_create_model(fields: Fields, principal: Principal) -> CreateRegisteredModel:
    """Turn the creation of a model into its command; raise Rejected, as everything below."""
    return CreateRegisteredModel(read_name(fields), principal, fields.text("description", ""), read_tags(fields))


def read_update_model(fields: Fields, principal: Principal) -> UpdateRegisteredModel:
    """Turn a new description of a model into its command; without one it stays: chosen."""
    return UpdateRegisteredModel(read_name(fields), principal, fields.text_or_none("description"))


def read_rename_model(fields: Fields, principal: Principal) -> UpdateRegisteredModel:
    """Turn a new name of a model into its command."""
    return UpdateRegisteredModel(read_name(fields), principal, new_name=fields.text("new_name", ""))


def read_delete_model(fields: Fields, principal: Principal) -> DeleteRegisteredModel:
    """Turn the deletion of a model into its command."""
    return DeleteRegisteredModel(read_name(fields), principal)


def read_create_version(fields: Fields, principal: Principal) -> CreateModelVersion:
    """Turn the registration of a version into its command."""
    return CreateModelVersion(
        read_name(fields),
        principal,
        fields.filled("source"),
        run_id=fields.text("run_id", ""),
        run_link=fields.text("run_link", ""),
        description=fields.text("description", ""),
        tags=read_tags(fields),
        model_id=fields.text("model_id", ""),
    )


def read_update_version(fields: Fields, principal: Principal) -> UpdateModelVersion:
    """Turn a new description of a version into its command; without one it stays: chosen."""
    return UpdateModelVersion(read_name(fields), read_number(fields), principal, fields.text_or_none("description"))


def read_delete_version(fields: Fields, principal: Principal) -> DeleteModelVersion:
    """Turn the deletion of a version into its command."""
    return DeleteModelVersion(read_name(fields), read_number(fields), principal)


def read_transition(fields: Fields, principal: Principal) -> TransitionStage:
    """Turn a transition, in either form, into its command."""
    return TransitionStage(
        read_name(fields),
        read_number(fields),
        principal,
        read_stage(fields.text("stage")),
        fields.flag("archive_existing_versions"),
        fields.text("comment", ""),
    )


def read_tag(fields: Fields, principal: Principal, *, of_version: bool, takes_away: bool) -> TagModel:
    """Turn a change of one tag into its command."""
    version = read_number(fields) if of_version else None
    value = None if takes_away else fields.text("value", "")
    return TagModel(read_name(fields), principal, fields.text("key"), value, version)


def read_tags(fields: Fields) -> tuple[tuple[str, str], ...]:
    """Return tags as a creation has them."""
    return tuple((tag.text("key"), tag.text("value", "")) for tag in fields.items("tags"))


def own_number(number: str) -> int:
    """Return a version's number as the integer that it is; 0 for one that only servesim names so."""
    return int(number) if number.isdecimal() else 0


# --- what can be searched -------------------------------------------------------------------------

Row = tuple[RegisteredModel, Version]

_BY_INSTANT = {"is_text": False, "filters": False}

MODELS: Kind[RegisteredModel] = Kind(
    "registered models",
    {
        # Documented by the SDK: a LIKE of a name is taken as one with % around it. That one with a % of its own is
        # taken as it stands is chosen.
        "name": Attribute(lambda model: model.name, holds_within=True),
        "creation_timestamp": Attribute(lambda model: model.created, **_BY_INSTANT),
        "last_updated_timestamp": Attribute(lambda model: model.updated, **_BY_INSTANT),
        "timestamp": Attribute(lambda model: model.updated, **_BY_INSTANT),
    },
    tags=lambda model: model.tags,
    order=(("name", True),),
    ties=(("name", True),),
)
VERSIONS: Kind[Row] = Kind(
    "model versions",
    {
        "name": Attribute(lambda row: row[0].name),
        "version_number": Attribute(lambda row: own_number(row[1].number), is_text=False),
        "version": Attribute(lambda row: f"{len(row[1].number):03d} {row[1].number}", filters=False),
        "run_id": Attribute(lambda row: row[1].run_id, orders=False),
        "source_path": Attribute(lambda row: row[1].source, orders=False),
        "stage": Attribute(lambda row: str(row[1].stage), filters=False),
        "creation_timestamp": Attribute(lambda row: row[1].created, **_BY_INSTANT),
        "last_updated_timestamp": Attribute(lambda row: row[1].updated, **_BY_INSTANT),
    },
    tags=lambda row: row[1].tags,
    order=(("last_updated_timestamp", False),),
    ties=(("name", True), ("version", False)),
)


# --- what they are answered -----------------------------------------------------------------------


def latest(model: RegisteredModel, stages: tuple[Stage, ...] = tuple(Stage)) -> list[Version]:
    """Return the latest version of each stage that has one, of those that are ready: documented.

    They come in the order of the stages: chosen.
    """
    found: dict[Stage, Version] = {}
    for version in model.versions.values():
        other = found.get(version.stage)
        if version.status is Status.READY and (other is None or _rank(other) < _rank(version)):
            found[version.stage] = version
    return [found[stage] for stage in Stage if stage in found and stage in stages]


def _rank(version: Version) -> tuple[int, str]:
    return len(version.number), version.number


def render_model(model: RegisteredModel) -> dict[str, Any]:
    """Return a registered model."""
    return filled(
        {
            "name": model.name,
            "creation_timestamp": model.created,
            "last_updated_timestamp": model.updated,
            "user_id": name_of(model.creator),
            "description": model.description,
            "latest_versions": [render_version(model, version) for version in latest(model)],
            "tags": render_tags(model),
            "aliases": render_aliases(model),
        }
    )


def render_model_databricks(model: RegisteredModel, model_id: str, level: ModelLevel) -> dict[str, Any]:
    """Return a registered model as the service's own form of the call does, to somebody with a level on it."""
    return {
        "id": model_id,
        **render_model(model),
        "permission_level": level.name,
        # Recorded with them even where they say nothing.
        "description": model.description,
        "tags": render_tags(model),
    }


def render_version(model: RegisteredModel, version: Version) -> dict[str, Any]:
    """Return a version."""
    return filled(
        {
            "name": model.name,
            "version": version.number,
            "creation_timestamp": version.created,
            "last_updated_timestamp": version.updated,
            "current_stage": str(version.stage),
            "status": str(version.status),
            "user_id": name_of(version.creator),
            "description": version.description,
            "source": version.source,
            "run_id": version.run_id,
            "run_link": version.run_link,
            "model_id": version.model_id,
            "status_message": version.status_message,
            "tags": render_tags(version),
            "aliases": aliases_of(model, version),
        }
    )


def render_version_databricks(model: RegisteredModel, version: Version, level: ModelLevel) -> dict[str, Any]:
    """Return a version as the service's own transition does.

    Nobody can request a transition here, and nobody is sent mail: both chosen.
    """
    return {
        **render_version(model, version),
        "permission_level": level.name,
        "open_requests": [],
        "email_subscription_status": "UNSUBSCRIBED",
    }


def download_uri(model: RegisteredModel, version: Version) -> str:
    """Return where a version's artifacts come from: for one that servesim was given its name in the registry."""
    return version.source or f"models:/{model.name}/{version.number}"


def render_tags(holder: RegisteredModel | Version) -> list[dict[str, str]]:
    """Return the tags of a model or a version, by their keys: chosen."""
    return [{"key": key, "value": value} for key, value in sorted(holder.tags.items())]


def render_aliases(model: RegisteredModel) -> list[dict[str, str]]:
    """Return the aliases of a model with the versions that they name."""
    return [{"alias": alias, "version": number} for alias, number in sorted(model.aliases.items())]


def aliases_of(model: RegisteredModel, version: Version) -> list[str]:
    """Return the aliases that name a version."""
    return sorted(alias for alias, number in model.aliases.items() if number == version.number)


def name_of(principal: Principal | None) -> str:
    """Return the name of who made something; empty for what no client made."""
    return principal.name if principal else ""


def filled(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out the texts and lists that are empty, as the service does."""
    return {name: value for name, value in document.items() if value not in ("", [])}
