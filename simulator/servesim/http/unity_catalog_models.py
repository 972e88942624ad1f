"""Models in Unity Catalog as everybody else calls them, ``/api/2.1/unity-catalog/models…``.

Versions are created here by MLflow's native store alone (``MLFLOW_ENABLE_UC_NATIVE_MODEL_REGISTRY``), which also
finishes them, asks for credentials and sets tags on this face; none of that is in the public API.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from servesim.core.errors import Code, Rejected
from servesim.core.model_commands import (
    CreateRegisteredModel,
    DeleteModelVersion,
    DeleteRegisteredModel,
    SetAlias,
    TagModel,
    UpdateRegisteredModel,
)
from servesim.generations import unity_catalog as face
from servesim.generations.fields import Fields
from servesim.generations.registry_api import read_tags
from servesim.http import unity_catalog_calls as calls
from servesim.http.registry_calls import done, kept, listed, readable
from servesim.http.reply import Reply, encode

if TYPE_CHECKING:
    from servesim.core.registry import RegisteredModel
    from servesim.http.calls import Call

_MODELS_OF_ALL, _MODELS_OF_SCHEMA, _VERSIONS = (100, 1_000), (10_000, 10_000), (100, 1_000)
"""Objects of a page where no number is asked for, and at most: documented for all three."""
_READ, _WRITE = "READ_MODEL_VERSION", "READ_WRITE_MODEL_VERSION"
_SECURABLE = "FUNCTION"
"""What a model is where securables of all types are spoken of: documented."""


# --- models ---------------------------------------------------------------------------------------


async def create_model(call: Call) -> Reply:
    """Make a model without versions; raise Rejected."""
    fields = Fields(await call.json())
    name = face.read_new_name(_levels(fields, "name"))
    command = CreateRegisteredModel(name, call.session.principal, fields.text("comment", ""), read_tags(fields))
    return _model(call, call.session.workspace.clock.execute(command))


async def list_models(call: Call) -> Reply:
    """List the models of the metastore, or of a schema, that the caller may read; raise Rejected."""
    fields = Fields(dict(call.request.query))
    catalog, schema = fields.text("catalog_name", ""), fields.text("schema_name", "")
    if bool(catalog) != bool(schema):
        raise fields.bad(
            "schema_name" if catalog else "catalog_name", "both of catalog_name and schema_name, or neither"
        )
    within, most = (f"{catalog}.{schema}.", _MODELS_OF_SCHEMA) if catalog else ("", _MODELS_OF_ALL)
    found, token = calls.page_of_models(call, fields, most, within)
    world = call.session.workspace.world
    items = [
        kept(model, ("brief info",), partial(face.render_info, world, model, aliases=False, tags=False))
        for model in found
    ]
    return listed("registered_models", items, token)


async def get_model(call: Call) -> Reply:
    """Answer with a model, its aliases if that was asked for; raise Rejected."""
    return _model(call, readable(call, _name(call)), aliases=_with_aliases(call))


async def update_model(call: Call) -> Reply:
    """Change a model's comment, name or owner; raise Rejected."""
    fields, name = Fields(await call.json()), _name(call)
    new_name = _sibling(name, fields.text("new_name")) if fields.has("new_name") else None
    owner = fields.filled("owner") if fields.has("owner") else None
    command = UpdateRegisteredModel(name, call.session.principal, fields.text_or_none("comment"), new_name, owner)
    return _model(call, call.session.workspace.clock.execute(command))


async def delete_model(call: Call) -> Reply:
    """Delete a model with its versions; raise Rejected."""
    return done(call, DeleteRegisteredModel(_name(call), call.session.principal))


async def tag_model(call: Call) -> Reply:
    """Set a tag of a model or take one away; raise Rejected."""
    return await _tag(call, None)


# --- aliases --------------------------------------------------------------------------------------


async def get_by_alias(call: Call) -> Reply:
    """Answer with the version that an alias names; raise Rejected."""
    model = readable(call, _name(call))
    number = calls.aliased(model, call.parameters["alias"])
    return await _version(call, model, number, aliases=_with_aliases(call))


async def set_alias(call: Call) -> Reply:
    """Let an alias name a version, which changes no endpoint, and answer with it; raise Rejected."""
    fields, name, alias = Fields(await call.json()), _name(call), call.parameters["alias"]
    workspace = call.session.workspace
    number = face.read_number(fields.label("version_num"))
    workspace.clock.execute(SetAlias(name, alias, call.session.principal, number))
    model = workspace.world.registry.model(name)
    return Reply(200, encode(face.render_alias(workspace.world, model, alias)), grade="documented")


async def delete_alias(call: Call) -> Reply:
    """Take an alias away; raise Rejected."""
    return done(call, SetAlias(_name(call), call.parameters["alias"], call.session.principal, None))


# --- versions -------------------------------------------------------------------------------------


async def create_version(call: Call) -> Reply:
    """Begin to register a version, whose files the client uploads next; raise Rejected."""
    fields = Fields(await call.json())
    name = face.read_name(_levels(fields, "model_name"))
    version = calls.begun(call, fields, name, fields.text("comment", ""))
    return await _version(call, call.session.workspace.world.registry.model(name), version.number)


async def finalize_version(call: Call) -> Reply:
    """Read what was uploaded of a version, and let it be ready; raise Rejected."""
    name, number = _named(call)
    return await _version(call, await calls.finalized(call, name, number), number)


async def list_versions(call: Call) -> Reply:
    """List a model's versions; raise Rejected."""
    model = readable(call, _name(call))
    found, token = calls.page_of_versions(call, model, Fields(dict(call.request.query)), _VERSIONS)
    world = call.session.workspace.world
    render = partial(face.render_version_info, world, model, aliases=False, tags=False)
    items = [kept(model, ("brief info", version.number), partial(render, version)) for version in found]
    return listed("model_versions", items, token)


async def get_version(call: Call) -> Reply:
    """Answer with a version, its aliases if that was asked for; raise Rejected."""
    name, number = _named(call)
    return await _version(call, readable(call, name), number, aliases=_with_aliases(call))


async def update_version(call: Call) -> Reply:
    """Change a version's comment; raise Rejected."""
    name, number = _named(call)
    model = calls.change_version(call, name, number, Fields(await call.json()), "comment")
    return await _version(call, model, number)


async def delete_version(call: Call) -> Reply:
    """Delete a version and its aliases; raise Rejected."""
    return done(call, DeleteModelVersion(*_named(call), call.session.principal))


async def tag_version(call: Call) -> Reply:
    """Set a tag of a version or take one away; raise Rejected."""
    return await _tag(call, face.read_number(call.parameters["version"]))


async def credentials(call: Call) -> Reply:
    """Answer that files lie with the service, whatever a client asked to do with them; raise Rejected."""
    fields = Fields(await call.json())
    name, number = face.read_name(_levels(fields, "model_name")), face.read_number(fields.label("version"))
    operation = fields.choice("operation", (_READ, _WRITE), "")
    if not operation:
        raise fields.bad("operation", f"one of {_READ}, {_WRITE}")
    return Reply(200, encode(calls.granted(call, name, number, writes=operation == _WRITE)), grade="documented")


# --- reading and answering ------------------------------------------------------------------------


def _name(call: Call) -> str:
    return face.read_name(call.parameters["full_name"])


def _named(call: Call) -> tuple[str, str]:
    return _name(call), face.read_number(call.parameters["version"])


def _levels(fields: Fields, last: str) -> str:
    """Read a name whose levels are fields of their own; raise BAD_FIELD."""
    return ".".join(fields.filled(level) for level in ("catalog_name", "schema_name", last))


def _sibling(name: str, new: str) -> str:
    """Return the full form of a new name: one level stays in its schema, three stand for themselves (chosen)."""
    if new and "." not in new:
        return face.read_new_name(f"{name.rpartition('.')[0]}.{new}")
    return face.read_new_name(new)


def _with_aliases(call: Call) -> bool:
    return Fields(dict(call.request.query)).flag("include_aliases")


def _model(call: Call, model: RegisteredModel, *, aliases: bool = False) -> Reply:
    world = call.session.workspace.world
    key = ("info", str(aliases))
    body = kept(model, key, lambda: face.render_info(world, model, aliases=aliases))
    return Reply(200, body, grade="documented")


async def _version(call: Call, model: RegisteredModel, number: str, *, aliases: bool = False) -> Reply:
    found, version = await calls.settled(call, model, number)
    world = call.session.workspace.world
    key = ("version info", number, str(aliases))
    body = kept(found, key, lambda: face.render_version_info(world, found, version, aliases=aliases))
    return Reply(200, body, grade="documented")


async def _tag(call: Call, number: str | None) -> Reply:
    """Make the one change of tags that MLflow sends at a time; raise Rejected."""
    if call.parameters["type"] != _SECURABLE:
        raise Rejected(
            Code.BAD_FIELD,
            field="securable_type",
            expected=f"{_SECURABLE}, as models are called",
            got=call.parameters["type"],
        )
    changes = Fields(await call.json()).inner("changes") or Fields({}, "changes")
    added, removed = changes.items("add_tags"), changes.texts("remove")
    if len(added) + len(removed) != 1:
        raise changes.bad("add_tags", "one tag to set, or one key in `remove`; servesim makes one change at a time")
    key, value = (added[0].text("key"), added[0].text("value", "")) if added else (removed[0], None)
    return done(call, TagModel(_name(call), call.session.principal, key, value, number))
