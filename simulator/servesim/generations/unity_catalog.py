"""Models in Unity Catalog as JSON: the face that MLflow calls, and the public one; both over the same registry.

MLflow writes versions as strings and aliases as ``{alias, version}``, the public API versions as integers and aliases
as ``{alias_name, version_num, …}``. Neither knows stages. That every catalog and schema exists is chosen, as is that
names keep the case that they were given: the service stores them in lower case, and finds them in any.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from servesim.core.errors import Code, Rejected
from servesim.core.registry import RegisteredModel, Version, in_unity_catalog
from servesim.generations.filters import Attribute, Kind
from servesim.generations.registry_api import aliases_of, filled, name_of, own_number, render_aliases, render_tags

if TYPE_CHECKING:
    from servesim.core.workspace import Workspace

_CREDENTIALS_MS = 3_600_000
"""How long temporary credentials say that they last: chosen."""

_NAME_FILTER = re.compile(r"\s*name\s*=\s*(?:'([^']*)'|\"([^\"]*)\")\s*")
_DIGITS = 18
"""Of a version's number."""


# --- what a request names -------------------------------------------------------------------------


def read_name(name: str) -> str:
    """Return a name that has three levels; raise MODEL_NAME_EMPTY, MODEL_NAME_INVALID or MODEL_NAME_LEVELS."""
    if not name.strip():
        raise Rejected(Code.MODEL_NAME_EMPTY, model=name)
    if "/" in name:
        raise Rejected(Code.MODEL_NAME_INVALID, model=name, why="names cannot contain '/'")
    if not in_unity_catalog(name):
        raise Rejected(Code.MODEL_NAME_LEVELS, model=name)
    return name


def read_new_name(name: str) -> str:
    """Return a name that a model may get: documented, without spaces. Raise as ``read_name``."""
    if " " in read_name(name):
        raise Rejected(Code.MODEL_NAME_INVALID, model=name, why="names in Unity Catalog cannot contain spaces")
    return name


def read_number(text: str) -> str:
    """Return a version's number as it is kept; raise VERSION_NUMBER_INVALID."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise Rejected(Code.VERSION_NUMBER_INVALID, version=text)
    return str(int(text))


def read_filter(text: str) -> str:
    """Return the model that a search for versions names, all that it can say; raise FILTER_INVALID or as ``read_name``.

    MLflow's native store says that the service never took another filter.
    """
    found = _NAME_FILTER.fullmatch(text)
    if found is None:
        reason = "in Unity Catalog it must be name = '<catalog>.<schema>.<model>', and nothing else"
        raise Rejected(Code.FILTER_INVALID, filter=text, reason=reason)
    return read_name(found[1] if found[2] is None else found[2])


# --- lists ----------------------------------------------------------------------------------------

MODELS: Kind[RegisteredModel] = Kind(
    "Unity Catalog models",
    {"name": Attribute(lambda model: model.name)},
    lambda model: model.tags,
    order=(("name", True),),
    ties=(("name", True),),
)
VERSIONS: Kind[Version] = Kind(
    "Unity Catalog versions",
    {"version": Attribute(lambda version: own_number(version.number), is_text=False)},
    lambda version: version.tags,
    order=(("version", False),),
    ties=(("version", False),),
)
"""The newest first: chosen, any order is documented."""


def numbered(model: RegisteredModel) -> list[Version]:
    """List a model's versions whose number is one."""
    return [version for number, version in model.versions.items() if own_number(number)]


def location(model: RegisteredModel, version: Version | None = None) -> str:
    """Return where the files of a model are, as the Files API names the place; the service names a bucket."""
    path = f"dbfs:/Models/{model.name.replace('.', '/')}"
    return path if version is None else f"{path}/{version.number}"


# --- the face that MLflow calls -------------------------------------------------------------------


def render_model(model: RegisteredModel, *, brief: bool = False) -> dict[str, Any]:
    """Return a model as MLflow reads it; ``brief`` as a search gives it, without aliases and tags."""
    document = {
        "name": model.name,
        "creation_timestamp": model.created,
        "last_updated_timestamp": model.updated,
        "user_id": name_of(model.creator),
        "description": model.description,
    }
    return filled(document if brief else document | {"aliases": render_aliases(model), "tags": render_tags(model)})


def render_version(model: RegisteredModel, version: Version, *, brief: bool = False) -> dict[str, Any]:
    """Return a version as MLflow reads it; ``brief`` as above."""
    document = {
        "name": model.name,
        "version": version.number,
        "creation_timestamp": version.created,
        "last_updated_timestamp": version.updated,
        "user_id": name_of(version.creator),
        "description": version.description,
        "source": version.source,
        "run_id": version.run_id,
        "model_id": version.model_id,
        "status": str(version.status),
        "status_message": version.status_message,
        "storage_location": location(model, version),
    }
    aliases = [{"alias": alias, "version": version.number} for alias in aliases_of(model, version)]
    return filled(document if brief else document | {"aliases": aliases, "tags": render_tags(version)})


def render_credentials(now: int) -> dict[str, Any]:
    """Return temporary credentials: none for a bucket, the files lie with the service (``DEFAULT_STORAGE``)."""
    return {"storage_mode": "DEFAULT_STORAGE", "expiration_time": now + _CREDENTIALS_MS}


# --- the public face ------------------------------------------------------------------------------


def render_info(world: Workspace, model: RegisteredModel, *, aliases: bool, tags: bool = True) -> dict[str, Any]:
    """Return a ``RegisteredModelInfo``; tags are an addition that MLflow's native store reads."""
    catalog, schema, name = model.name.split(".")
    document = {
        "full_name": model.name,
        "catalog_name": catalog,
        "schema_name": schema,
        "name": name,
        "comment": model.description,
        "owner": name_of(model.creator),
        "created_at": model.created,
        "created_by": name_of(model.creator),
        "updated_at": model.updated,
        "id": _uuid(world.registry.id_of(model)),
        "metastore_id": _metastore(world),
        "storage_location": location(model),
    }
    found = [render_alias(world, model, alias) for alias in sorted(model.aliases)] if aliases else []
    return filled(document | {"aliases": found, "tags": render_tags(model) if tags else []})


def render_version_info(
    world: Workspace, model: RegisteredModel, version: Version, *, aliases: bool, tags: bool = True
) -> dict[str, Any]:
    """Return a ``ModelVersionInfo``; tags as above."""
    catalog, schema, name = model.name.split(".")
    stream = world.draws.stream("id", "model version", world.registry.id_of(model))
    document = {
        "catalog_name": catalog,
        "schema_name": schema,
        "model_name": name,
        "version": own_number(version.number),
        "status": str(version.status),
        "comment": version.description,
        "source": version.source,
        "run_id": version.run_id,
        "model_id": version.model_id,
        "created_at": version.created,
        "created_by": name_of(version.creator),
        "updated_at": version.updated,
        "id": _uuid(stream.hexadecimal(own_number(version.number))),
        "metastore_id": _metastore(world),
        "storage_location": location(model, version),
    }
    found = [render_alias(world, model, alias) for alias in aliases_of(model, version)] if aliases else []
    return filled(document | {"aliases": found, "tags": render_tags(version) if tags else []})


def render_alias(world: Workspace, model: RegisteredModel, alias: str) -> dict[str, Any]:
    """Return a ``RegisteredModelAlias``."""
    catalog, schema, name = model.name.split(".")
    return {
        "alias_name": alias,
        "version_num": own_number(model.aliases[alias]),
        "id": _uuid(world.draws.stream("id", "alias", world.registry.id_of(model), alias).hexadecimal(0)),
        "model_name": name,
        "catalog_name": catalog,
        "schema_name": schema,
    }


def _metastore(world: Workspace) -> str:
    return _uuid(world.draws.stream("id", "metastore").hexadecimal(0))


def _uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
