"""Models in Unity Catalog as MLflow calls them, ``/api/2.0/mlflow/unity-catalog/…``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from servesim.core.model_access import level_of
from servesim.core.model_commands import (
    CreateRegisteredModel,
    DeleteModelVersion,
    DeleteRegisteredModel,
    SetAlias,
    TagModel,
    UpdateRegisteredModel,
)
from servesim.generations import unity_catalog as face
from servesim.generations.registry_api import read_tags
from servesim.http import unity_catalog_calls as calls
from servesim.http.parameters import fields_of
from servesim.http.registry_calls import done, kept, listed, readable
from servesim.http.reply import Reply, encode

if TYPE_CHECKING:
    from servesim.core.registry import RegisteredModel
    from servesim.generations.fields import Fields
    from servesim.http.calls import Call

_READ, _WRITE = "MODEL_VERSION_OPERATION_READ", "MODEL_VERSION_OPERATION_READ_WRITE"
_MOST_MODELS, _MOST_VERSIONS = 1_000, 10_000
"""Objects of one page: chosen; MLflow asks for as many versions."""


# --- models ---------------------------------------------------------------------------------------


async def create_model(call: Call) -> Reply:
    """Make a model without versions; raise Rejected."""
    fields = await fields_of(call)
    name = face.read_new_name(fields.text("name", ""))
    command = CreateRegisteredModel(name, call.session.principal, fields.text("description", ""), read_tags(fields))
    return _model_reply(call.session.workspace.clock.execute(command))


async def get_model(call: Call) -> Reply:
    """Answer with a model; raise Rejected."""
    return _model_reply(readable(call, face.read_name((await fields_of(call)).text("name", ""))))


async def search_models(call: Call) -> Reply:
    """List the models that the caller may read; raise Rejected."""
    found, token = calls.page_of_models(call, await fields_of(call), (_MOST_MODELS, _MOST_MODELS))
    items = [kept(model, ("brief",), partial(face.render_model, model, brief=True)) for model in found]
    return listed("registered_models", items, token)


async def update_model(call: Call) -> Reply:
    """Change a model's description or name; raise Rejected."""
    fields = await fields_of(call)
    name, description = face.read_name(fields.text("name", "")), fields.text_or_none("description")
    new_name = face.read_new_name(fields.text("new_name")) if fields.has("new_name") else None
    command = UpdateRegisteredModel(name, call.session.principal, description, new_name)
    return _model_reply(call.session.workspace.clock.execute(command))


async def delete_model(call: Call) -> Reply:
    """Delete a model with its versions; raise Rejected."""
    name = face.read_name((await fields_of(call)).text("name", ""))
    return done(call, DeleteRegisteredModel(name, call.session.principal))


async def set_model_tag(call: Call) -> Reply:
    """Give a model a tag; raise Rejected."""
    fields = await fields_of(call)
    return done(call, _tag(call, fields, fields.text("value", "")))


async def delete_model_tag(call: Call) -> Reply:
    """Take a tag away from a model; raise Rejected."""
    return done(call, _tag(call, await fields_of(call), None))


# --- aliases --------------------------------------------------------------------------------------


async def set_alias(call: Call) -> Reply:
    """Let an alias name a version, which changes no endpoint; raise Rejected."""
    fields = await fields_of(call)
    name, alias, number = face.read_name(fields.text("name", "")), fields.filled("alias"), fields.label("version")
    return done(call, SetAlias(name, alias, call.session.principal, face.read_number(number)))


async def get_by_alias(call: Call) -> Reply:
    """Answer with the version that an alias names; raise Rejected."""
    fields = await fields_of(call)
    model = readable(call, face.read_name(fields.text("name", "")))
    return await _version_reply(call, model, calls.aliased(model, fields.filled("alias")))


async def delete_alias(call: Call) -> Reply:
    """Take an alias away; raise Rejected."""
    fields = await fields_of(call)
    return done(
        call, SetAlias(face.read_name(fields.text("name", "")), fields.filled("alias"), call.session.principal, None)
    )


# --- versions -------------------------------------------------------------------------------------


async def create_version(call: Call) -> Reply:
    """Begin to register a version, whose files the client uploads next; raise Rejected."""
    fields = await fields_of(call)
    name = face.read_name(fields.text("name", ""))
    version = calls.begun(call, fields, name, fields.text("description", ""))
    return await _version_reply(call, call.session.workspace.world.registry.model(name), version.number)


async def finalize_version(call: Call) -> Reply:
    """Read what was uploaded of a version, and let it be ready; raise Rejected."""
    name, number = calls.named_version(await fields_of(call))
    return await _version_reply(call, await calls.finalized(call, name, number), number)


async def get_version(call: Call) -> Reply:
    """Answer with a version; raise Rejected."""
    name, number = calls.named_version(await fields_of(call))
    return await _version_reply(call, readable(call, name), number)


async def search_versions(call: Call) -> Reply:
    """List the versions of one model, none of a missing one; raise Rejected."""
    fields = await fields_of(call)
    name, most = face.read_filter(fields.text("filter", "")), (_MOST_VERSIONS, _MOST_VERSIONS)
    model = call.session.workspace.world.registry.models.get(name)
    if model is None or level_of(call.session.workspace.world, call.session.principal, model) is None:
        calls.page_of_versions(call, None, fields, most)  # what is wrong with the fields is said all the same
        return listed("model_versions", [], "")
    found, token = calls.page_of_versions(call, model, fields, most)
    items = [
        kept(model, ("brief", version.number), partial(face.render_version, model, version, brief=True))
        for version in found
    ]
    return listed("model_versions", items, token)


async def update_version(call: Call) -> Reply:
    """Change a version's description; raise Rejected."""
    fields = await fields_of(call)
    name, number = calls.named_version(fields)
    return await _version_reply(call, calls.change_version(call, name, number, fields, "description"), number)


async def delete_version(call: Call) -> Reply:
    """Delete a version and its aliases; raise Rejected."""
    name, number = calls.named_version(await fields_of(call))
    return done(call, DeleteModelVersion(name, number, call.session.principal))


async def set_version_tag(call: Call) -> Reply:
    """Give a version a tag; raise Rejected."""
    fields = await fields_of(call)
    return done(call, _tag(call, fields, fields.text("value", ""), of_version=True))


async def delete_version_tag(call: Call) -> Reply:
    """Take a tag away from a version; raise Rejected."""
    return done(call, _tag(call, await fields_of(call), None, of_version=True))


async def download_uri(call: Call) -> Reply:
    """Answer where the files of a version are; raise Rejected."""
    name, number = calls.named_version(await fields_of(call))
    model = readable(call, name)
    version = call.session.workspace.world.registry.version(name, number)
    return Reply(200, encode({"artifact_uri": face.location(model, version)}), grade="chosen")


async def credentials(call: Call) -> Reply:
    """Answer that files lie with the service, whatever a client asked to do with them; raise Rejected."""
    fields = await fields_of(call)
    name, number = calls.named_version(fields)
    operation = fields.choice("operation", (_READ, _WRITE), "")
    if not operation:
        raise fields.bad("operation", f"one of {_READ}, {_WRITE}")
    return Reply(
        200, encode({"credentials": calls.granted(call, name, number, writes=operation == _WRITE)}), grade="observed"
    )


async def emit_lineage(call: Call) -> Reply:
    """Take note of nothing: who reads a version is on record already; raise Rejected."""
    name, number = calls.named_version(await fields_of(call))
    readable(call, name)
    call.session.workspace.world.registry.version(name, number)
    return Reply(200, b"{}", grade="documented")


async def uses_files_api(_call: Call) -> Reply:
    """Answer that artifacts go through the Files API with the caller's own token."""
    answer = {"is_databricks_sdk_models_artifact_repository_enabled": True}
    return Reply(200, encode(answer), grade="observed")


# --- answering ------------------------------------------------------------------------------------


def _model_reply(model: RegisteredModel) -> Reply:
    """Return the answer that is a model."""
    body = kept(model, ("model",), lambda: {"registered_model": face.render_model(model)})
    return Reply(200, body, grade="documented")


async def _version_reply(call: Call, model: RegisteredModel, number: str) -> Reply:
    """Return the answer that is a version; raise VERSION_MISSING."""
    found, version = await calls.settled(call, model, number)
    body = kept(found, ("version", number), lambda: {"model_version": face.render_version(found, version)})
    return Reply(200, body, grade="documented")


def _tag(call: Call, fields: Fields, value: str | None, *, of_version: bool = False) -> TagModel:
    number = face.read_number(fields.label("version")) if of_version else None
    return TagModel(face.read_name(fields.text("name", "")), call.session.principal, fields.text("key"), value, number)
