"""What both faces of Unity Catalog do alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.errors import Code, Rejected
from servesim.core.model_access import ModelLevel, require
from servesim.core.model_commands import CreateModelVersion, UpdateModelVersion
from servesim.core.registry import Status
from servesim.generations import unity_catalog as face
from servesim.generations.registry_api import read_tags
from servesim.generations.search import Query, search
from servesim.http.registry_calls import readable, visible
from servesim.service import registering

if TYPE_CHECKING:
    from servesim.core.registry import RegisteredModel, Version
    from servesim.generations.fields import Fields
    from servesim.http.calls import Call


def named_version(fields: Fields) -> tuple[str, str]:
    """Read which version a call is about; raise Rejected."""
    return face.read_name(fields.text("name", "")), face.read_number(fields.label("version"))


def begun(call: Call, fields: Fields, name: str, description: str) -> Version:
    """Begin to register a version, whose files the client uploads next; raise Rejected, also where it could not."""
    workspace = call.session.workspace
    workspace.store.check_host()
    command = CreateModelVersion(
        name,
        call.session.principal,
        fields.text("source", ""),
        run_id=fields.text("run_id", ""),
        description=description,
        tags=read_tags(fields),
        model_id=fields.text("model_id", ""),
    )
    version: Version = workspace.clock.execute(command)
    return version


def aliased(model: RegisteredModel, alias: str) -> str:
    """Return the number of the version that an alias names; raise ALIAS_MISSING."""
    if alias not in model.aliases:
        raise Rejected(Code.ALIAS_MISSING, model=model.name, alias=alias, known=sorted(model.aliases))
    return model.aliases[alias]


async def settled(call: Call, model: RegisteredModel, number: str) -> tuple[RegisteredModel, Version]:
    """Return a version with its model once time has moved for one that is being staged; raise Rejected."""
    registry = call.session.workspace.world.registry
    version = registry.version(model.name, number)
    if not version.due:
        return model, version
    await registering.settled(call.session.workspace, version)
    # While time moved, somebody may have deleted it, or made another of that name.
    return registry.model(model.name), registry.version(model.name, number)


async def finalized(call: Call, name: str, number: str) -> RegisteredModel:
    """Finish the registration of a version and return its model; raise Rejected."""
    workspace = call.session.workspace
    await registering.finalize(workspace, name, number, call.session.principal)
    return workspace.world.registry.model(name)


def change_version(call: Call, name: str, number: str, fields: Fields, field: str) -> RegisteredModel:
    """Change a version's description, if a new one was sent, and return its model; raise Rejected."""
    workspace = call.session.workspace
    workspace.clock.execute(UpdateModelVersion(name, number, call.session.principal, fields.text_or_none(field)))
    return workspace.world.registry.model(name)


def granted(call: Call, name: str, number: str, *, writes: bool) -> dict[str, Any]:
    """Return temporary credentials for a version's files; raise Rejected.

    A version is read once it is ready, and written until then: documented of reading, chosen of writing.
    """
    model = readable(call, name)
    world = call.session.workspace.world
    version = world.registry.version(name, number)
    if writes:
        require(world, call.session.principal, model, ModelLevel.CAN_EDIT)
        if version.status is Status.READY:
            raise Rejected(Code.VERSION_SEALED, model=name, version=number)
    else:
        world.registry.get(name, number)
    return face.render_credentials(world.timeline.now)


def page_of_models(
    call: Call, fields: Fields, most: tuple[int, int], within: str = ""
) -> tuple[list[RegisteredModel], str]:
    """Return a page of the models whose names begin so, and the next page's token; raise Rejected."""
    mine = (model for model in visible(call, unity_catalog=True) if model.name.startswith(within))
    return search(face.MODELS, mine, _query(call, fields, most, within))


def page_of_versions(
    call: Call, model: RegisteredModel | None, fields: Fields, most: tuple[int, int]
) -> tuple[list[Version], str]:
    """Return a page of a model's versions, none for no model, and the next page's token; raise Rejected."""
    versions, name = ([], "") if model is None else (face.numbered(model), model.name)
    return search(face.VERSIONS, versions, _query(call, fields, most, name))


def _query(call: Call, fields: Fields, most: tuple[int, int], of: str) -> Query:
    default, largest = most
    size = fields.whole("max_results", least=0) or default
    asker = f"{call.session.principal.name} {of}"
    return Query(asker, most=min(size, largest), page_token=fields.text("page_token", ""))
