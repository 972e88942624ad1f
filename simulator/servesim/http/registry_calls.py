"""What the calls of the registries share: what was sent, what a caller may read, and answers that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.model_access import ModelLevel, level_of, require
from servesim.core.registry import in_unity_catalog
from servesim.generations import registry_api
from servesim.generations.search import Query
from servesim.http.kept import Kept
from servesim.http.parameters import fields_of
from servesim.http.reply import Reply, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servesim.core.model_commands import ModelCommand
    from servesim.core.registry import RegisteredModel, Version
    from servesim.core.workspace import Workspace
    from servesim.generations.fields import Fields
    from servesim.http.calls import Call


_KEPT = Kept()


def kept(model: RegisteredModel, key: object, make: Callable[[], dict[str, Any]]) -> bytes:
    """Return an answer about a model, made anew if the model is another by now."""
    return _KEPT.get(model, model.revision, key, lambda: encode(make()))


def readable(call: Call, name: str) -> RegisteredModel:
    """Return a model as it is now; raise MODEL_MISSING or MODEL_NOT_PERMITTED."""
    workspace = call.session.workspace
    workspace.clock.now()
    model = workspace.world.registry.model(name)
    require(workspace.world, call.session.principal, model, ModelLevel.CAN_READ)
    return model


def readable_version(call: Call, fields: Fields) -> tuple[RegisteredModel, Version]:
    """Return the version of the workspace registry that a call names; raise VERSION_MISSING beside the above."""
    number = registry_api.read_number(fields)
    model = readable(call, registry_api.read_name(fields))
    return model, call.session.workspace.world.registry.version(model.name, number)


def visible(call: Call, *, unity_catalog: bool) -> Iterator[RegisteredModel]:
    """Yield the models of one of the registries that the caller may read."""
    workspace = call.session.workspace
    workspace.clock.now()
    world: Workspace = workspace.world
    for model in world.registry.models.values():
        if in_unity_catalog(model.name) is unity_catalog and level_of(world, call.session.principal, model) is not None:
            yield model


async def query_of(call: Call, *, usual: int, most: int) -> Query:
    """Read a search: at most ``most`` objects a page, and ``usual`` unless it says how many."""
    fields = await fields_of(call)
    return Query(
        call.session.principal.name,
        fields.text("filter", ""),
        registry_api.read_texts(fields, "order_by"),
        fields.whole("max_results", least=1, most=most) or usual,
        fields.text("page_token", ""),
    )


def done(call: Call, command: ModelCommand) -> Reply:
    """Execute a command whose answer says nothing; raise Rejected."""
    call.session.workspace.clock.execute(command)
    return Reply(200, b"{}", grade="documented")


def listed(name: str, found: list[bytes], token: str = "") -> Reply:
    """Answer with a list, left out if it is empty, and the token of its next page if there is one."""
    parts = [b'"%b":[%b]' % (name.encode("ascii"), b",".join(found))] if found else []
    if token:
        parts.append(b'"next_page_token":%b' % encode(token))
    return Reply(200, b"{%b}" % b",".join(parts), grade="documented")
