"""The workspace registry: registered models, their versions, stages and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.model_access import ModelLevel, level_of
from servesim.core.registry import Status
from servesim.generations import registry_api
from servesim.generations.search import search
from servesim.http.parameters import fields_of
from servesim.http.registry_calls import done, kept, listed, query_of, readable, readable_version, visible
from servesim.http.reply import Reply, encode
from servesim.service import registering

if TYPE_CHECKING:
    from servesim.core.registry import RegisteredModel, Version
    from servesim.generations.search import Query
    from servesim.http.calls import Call

MOST_MODELS = 1_000
"""Documented by the SDK: how many models one search can give; ``MODELS`` is what it gives unless it is told."""
MODELS = 100
MOST_VERSIONS = 10_000
"""Documented by the SDK, and what MLflow's client asks for."""


# --- models ---------------------------------------------------------------------------------------


async def create_model(call: Call) -> Reply:
    """Make a model without versions; raise Rejected, as everything below."""
    command = registry_api.read_create_model(await fields_of(call), call.session.principal)
    return _model(call.session.workspace.clock.execute(command))


async def get_model(call: Call) -> Reply:
    """Answer with a model; reading needs CAN_READ: chosen."""
    return _model(readable(call, registry_api.read_name(await fields_of(call))))


async def get_model_databricks(call: Call) -> Reply:
    """Answer with a model, its id and the caller's level."""
    model = readable(call, registry_api.read_name(await fields_of(call)))
    world = call.session.workspace.world
    level = level_of(world, call.session.principal, model) or ModelLevel.CAN_READ
    body = kept(model, level, lambda: registry_api.render_model_databricks(model, world.registry.id_of(model), level))
    return Reply(200, b'{"registered_model_databricks":%b}' % body, grade="recorded")


async def search_models(call: Call) -> Reply:
    """Answer with a page of the models that the caller may read."""
    return _models(call, await query_of(call, usual=MODELS, most=MOST_MODELS))


async def list_models(call: Call) -> Reply:
    """Answer with a page of the models that the caller may read: by name, and all of them in the end."""
    query = await query_of(call, usual=MODELS, most=MOST_MODELS)
    return _models(call, query._replace(filter="", order_by=()))


def _models(call: Call, query: Query) -> Reply:
    page, token = search(registry_api.MODELS, visible(call, unity_catalog=False), query)
    return listed("registered_models", [_model_bytes(model) for model in page], token)


async def update_model(call: Call) -> Reply:
    """Change a model's description."""
    command = registry_api.read_update_model(await fields_of(call), call.session.principal)
    return _model(call.session.workspace.clock.execute(command))


async def rename_model(call: Call) -> Reply:
    """Give a model another name."""
    command = registry_api.read_rename_model(await fields_of(call), call.session.principal)
    return _model(call.session.workspace.clock.execute(command))


async def delete_model(call: Call) -> Reply:
    """Delete a model with its versions."""
    command = registry_api.read_delete_model(await fields_of(call), call.session.principal)
    return done(call, command)


async def latest_versions(call: Call) -> Reply:
    """Answer with the latest version of each stage that is asked for."""
    fields = await fields_of(call)
    stages = registry_api.read_stages(fields)
    model = readable(call, registry_api.read_name(fields))
    found = [_version_bytes(model, version) for version in registry_api.latest(model, stages)]
    return listed("model_versions", found)


async def set_model_tag(call: Call) -> Reply:
    """Give a model a tag."""
    return await _tag(call, of_version=False, takes_away=False)


async def delete_model_tag(call: Call) -> Reply:
    """Take a tag of a model away."""
    return await _tag(call, of_version=False, takes_away=True)


# --- versions -------------------------------------------------------------------------------------


async def create_version(call: Call) -> Reply:
    """Register a version of a model."""
    workspace = call.session.workspace
    command = registry_api.read_create_version(await fields_of(call), call.session.principal)
    model = workspace.world.registry.model(command.name)  # it may be renamed while its files are read
    return _version(model, await registering.create(workspace, command))


async def get_version(call: Call) -> Reply:
    """Answer with a version."""
    fields = await fields_of(call)
    model, version = readable_version(call, fields)
    if version.status is Status.PENDING:
        await registering.settled(call.session.workspace, version)
        model, version = readable_version(call, fields)
    return _version(model, version)


async def search_versions(call: Call) -> Reply:
    """Answer with a page of the versions of models that the caller may read."""
    query = await query_of(call, usual=MOST_VERSIONS, most=MOST_VERSIONS)
    rows = ((model, version) for model in visible(call, unity_catalog=False) for version in model.versions.values())
    page, token = search(registry_api.VERSIONS, rows, query)
    return listed("model_versions", [_version_bytes(model, version) for model, version in page], token)


async def update_version(call: Call) -> Reply:
    """Change a version's description."""
    command = registry_api.read_update_version(await fields_of(call), call.session.principal)
    version = call.session.workspace.clock.execute(command)
    return _version(call.session.workspace.world.registry.model(command.name), version)


async def delete_version(call: Call) -> Reply:
    """Delete a version."""
    command = registry_api.read_delete_version(await fields_of(call), call.session.principal)
    return done(call, command)


async def download_uri(call: Call) -> Reply:
    """Answer where a version's artifacts come from."""
    model, version = readable_version(call, await fields_of(call))
    return Reply(200, encode({"artifact_uri": registry_api.download_uri(model, version)}), grade="documented")


async def set_version_tag(call: Call) -> Reply:
    """Give a version a tag."""
    return await _tag(call, of_version=True, takes_away=False)


async def delete_version_tag(call: Call) -> Reply:
    """Take a tag of a version away."""
    return await _tag(call, of_version=True, takes_away=True)


async def transition(call: Call) -> Reply:
    """Move a version to a stage, as open source MLflow has it."""
    return _version(*await _transition(call))


async def transition_databricks(call: Call) -> Reply:
    """Move a version to a stage, as the service has it."""
    model, version = await _transition(call)
    level = level_of(call.session.workspace.world, call.session.principal, model) or ModelLevel.CAN_READ
    document = registry_api.render_version_databricks(model, version, level)
    return Reply(200, encode({"model_version_databricks": document}), grade="documented")


async def _transition(call: Call) -> tuple[RegisteredModel, Version]:
    workspace = call.session.workspace
    command = registry_api.read_transition(await fields_of(call), call.session.principal)
    version = workspace.clock.execute(command)
    return workspace.world.registry.model(command.name), version


# --- both ------------------------------------------------------------------------------------------


async def _tag(call: Call, *, of_version: bool, takes_away: bool) -> Reply:
    fields, principal = await fields_of(call), call.session.principal
    command = registry_api.read_tag(fields, principal, of_version=of_version, takes_away=takes_away)
    return done(call, command)


def _model(model: RegisteredModel) -> Reply:
    return Reply(200, b'{"registered_model":%b}' % _model_bytes(model), grade="documented")


def _version(model: RegisteredModel, version: Version) -> Reply:
    return Reply(200, b'{"model_version":%b}' % _version_bytes(model, version), grade="documented")


def _model_bytes(model: RegisteredModel) -> bytes:
    return kept(model, "model", lambda: registry_api.render_model(model))


def _version_bytes(model: RegisteredModel, version: Version) -> bytes:
    return kept(model, version, lambda: registry_api.render_version(model, version))
