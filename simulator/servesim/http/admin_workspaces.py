"""Admin operations on workspaces and who is in them. A token is in the answer that makes it, and in no other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from servesim.core.access import ADMINS, Member, Principal
from servesim.http.admin_call import BASE, IN_WORKSPACE, AdminCall, Operation, Refused, answer, invalid, missing
from servesim.http.admin_clock import clock_of
from servesim.http.admin_world import check_code
from servesim.service.documents import given_document
from servesim.service.instants import iso
from servesim.service.scenario import Scenario, read_member, scenarios_of
from servesim.service.settings import settings_from
from servesim.service.sources import SourceUnreadable, import_registry

if TYPE_CHECKING:
    from servesim.http.reply import Reply
    from servesim.http.server import Server
    from servesim.service.hub import HostedWorkspace

USER = Member(Principal("user@example.com", "User"), (ADMINS,))
"""Who a new workspace's token stands for unless it is given principals."""
WORKSPACE_LIMIT = 1_000


async def list_all(call: AdminCall) -> Reply:
    """Answer every workspace in brief."""
    return answer({"workspaces": [_brief(call.server, workspace) for workspace in call.server.hub.workspaces()]})


async def get(call: AdminCall) -> Reply:
    """Answer one workspace: its settings, who is in it, and its clock."""
    workspace = call.workspace
    return answer({**_brief(call.server, workspace), "settings": _settings(workspace), "clock": clock_of(workspace)})


async def post(call: AdminCall) -> Reply:
    """Make a workspace from a scenario as JSON; ``workspace`` is its name, ``tokens`` of the answer open it."""
    hub = call.server.hub
    content = await call.body()
    content.setdefault("workspace", _free_name(hub.workspaces()))
    _name_tokens(content)
    check_code(call.server, content)
    try:
        scenario = next(iter(scenarios_of([given_document(content, "scenario")]).values()))
        if any(workspace.name == scenario.name for workspace in hub.workspaces()):
            raise Refused(
                409,
                "RESOURCE_ALREADY_EXISTS",
                f"There is a workspace {scenario.name!r} already; reset or delete it, or choose another name.",
            )
        if len(hub.workspaces()) >= WORKSPACE_LIMIT:
            raise Refused(429, "RESOURCE_EXHAUSTED", f"This server has {WORKSPACE_LIMIT:,} workspaces; delete some.")
        workspace, tokens = await _open(call.server, scenario)
    except OSError as error:
        raise invalid(f"The workspace cannot have this port: {error.strerror or error}.") from error
    except (ValueError, SourceUnreadable) as error:  # DocumentError is a ValueError
        raise invalid(f"{error}.") from error
    return answer({**_brief(call.server, workspace), "tokens": tokens}, 201)


async def delete(call: AdminCall) -> Reply:
    """Forget a workspace and every token of it."""
    workspace = call.workspace
    workspace.clock.refuse_held()
    going = asyncio.ensure_future(call.server.hub.drop(workspace))
    if not _came_by_own_port(call, workspace):
        await going  # else the port waits for this answer before it closes
    return answer({})


def _came_by_own_port(call: AdminCall, workspace: HostedWorkspace) -> bool:
    transport = call.request.transport
    return transport is not None and transport.get_extra_info("sockname")[1] == call.server.ports.get(workspace)


async def reset(call: AdminCall) -> Reply:
    """Take a workspace back to how it began; tokens stay, who is held gets 503."""
    workspace = call.workspace
    try:
        await workspace.reset()
    except (ValueError, SourceUnreadable) as error:
        raise invalid(f"The workspace cannot begin again, and stays as it is: {error}.") from error
    return answer(_brief(call.server, workspace))


async def _open(server: Server, scenario: Scenario) -> tuple[HostedWorkspace, dict[str, str]]:
    """Make a workspace and fill it; return the token of each principal that has one."""
    hub = server.hub
    settings = settings_from(scenario.options)
    workspace = hub.open(settings, scenario.principals, scenario.clients)
    default = scenario.members[0].principal if scenario.members else USER.principal

    async def begin(fresh: HostedWorkspace) -> None:
        if settings.mlflow_registry:
            await import_registry(fresh, settings.mlflow_registry)
        await scenario.begin(fresh, default)

    workspace.name, workspace.begin = scenario.name, begin
    tokens = {member.principal.name: token for token, member in scenario.principals.items()}
    try:
        if not scenario.members:
            tokens[USER.principal.name] = hub.add_principal(workspace, USER)
        await begin(workspace)
        if scenario.port is not None:
            await server.open_port(workspace, scenario.port)
    except BaseException:
        await hub.drop(workspace)
        raise
    return workspace, tokens


def _name_tokens(content: dict[str, Any]) -> None:
    """Give a token to principals that were sent without one; what is not a principal is left to the schema."""
    principals = content.get("principals")
    for number, entry in enumerate(principals if isinstance(principals, list) else (), 1):
        if isinstance(entry, dict) and not entry.keys() & {"token", "client_id"}:
            entry["token"] = f"dapi-servesim-{quote(str(content['workspace']), safe='', errors='replace')}-{number}"


def _free_name(workspaces: list[HostedWorkspace]) -> str:
    taken = {workspace.name for workspace in workspaces}
    return next(name for number in range(1, len(taken) + 2) if (name := f"workspace-{number}") not in taken)


def _brief(server: Server, workspace: HostedWorkspace) -> dict[str, Any]:
    world = workspace.world
    return {
        "name": workspace.name,
        "id": workspace.id,
        "url": _url(server, workspace),
        "port": server.ports.get(workspace),
        "now": iso(workspace.clock.now()),
        "mode": workspace.clock.mode,
        "endpoints": sorted(world.endpoints),
        "models": sum(1 for _ in world.registry),
        "requests": workspace.record.count,
        "principals": list(world.directory.members),
    }


def _url(server: Server, workspace: HostedWorkspace) -> str:
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{server.scheme}://{host}:{server.ports.get(workspace, server.port)}"


def _settings(workspace: HostedWorkspace) -> dict[str, Any]:
    settings = workspace.settings
    return {
        "seed": settings.seed,
        "profile": settings.profile.name,
        "start": iso(settings.start),
        "clock": settings.mode,
        "rate": settings.rate,
        "poll": settings.poll,
        "hold_timeout_s": settings.hold_timeout_s,
        "unknown_models": settings.unknown_models,
    }


# --- principals -----------------------------------------------------------------------------------


async def list_principals(call: AdminCall) -> Reply:
    """Answer who is in a workspace."""
    members = call.workspace.world.directory.members.values()
    return answer({"principals": [_member(member) for member in members]})


async def post_principal(call: AdminCall) -> Reply:
    """Add a principal, or another token for one, written as in a scenario's ``principals:``."""
    workspace = call.workspace
    entry = await call.body()
    token = entry.pop("token", None)
    try:
        given_document({**entry, "token": "drawn" if token is None else token}, "principal")
        member = read_member(entry)
        made = call.server.hub.add_principal(workspace, member, token)
    except ValueError as error:
        raise invalid(f"{error}.") from error
    return answer({**_member(member), "token": made}, 201)


async def delete_principal(call: AdminCall) -> Reply:
    """Take a principal out of a workspace; its tokens end."""
    workspace, name = call.workspace, call.parameters["principal"]
    if workspace.world.directory.find(name) is None:
        known = ", ".join(repr(one) for one in workspace.world.directory.members) or "nobody"
        raise missing(f"There is no principal {name!r} in workspace {workspace.name!r}; it has {known}.")
    call.server.hub.remove_principal(workspace, name)
    return answer({})


async def expire_tokens(call: AdminCall) -> Reply:
    """End OAuth access tokens, of everybody or of ``{"principal": ...}``: clients notice at their next call."""
    workspace = call.workspace
    principal = (await call.body("principal")).get("principal")
    if not isinstance(principal, str | None):
        raise invalid(f"principal must be the name of one; got {principal!r}.")
    if principal is not None and workspace.world.directory.find(principal) is None:
        raise missing(f"There is no principal {principal!r} in workspace {workspace.name!r}.")
    return answer({"expired": call.server.hub.expire_tokens(workspace, principal)})


def _member(member: Member) -> dict[str, Any]:
    principal = member.principal
    return {
        "name": principal.name,
        "display_name": principal.display_name,
        "kind": principal.kind,
        "groups": list(member.groups),
        "entitlements": list(member.entitlements),
        "admin": member.is_admin,
    }


_PRINCIPALS = IN_WORKSPACE + "/principals"
OPERATIONS = (
    Operation("GET", BASE + "/workspaces", list_all, "the workspaces of this server"),
    Operation("POST", BASE + "/workspaces", post, "make one, from a scenario as JSON; answers with its tokens"),
    Operation("GET", IN_WORKSPACE, get, "one workspace: settings, principals, clock"),
    Operation("DELETE", IN_WORKSPACE, delete, "forget a workspace and its tokens"),
    Operation("POST", IN_WORKSPACE + "/reset", reset, "take a workspace back to how it began; tokens stay"),
    Operation("GET", _PRINCIPALS, list_principals, "who is in a workspace"),
    Operation("POST", _PRINCIPALS, post_principal, "add a principal; answers with a token, which is shown once"),
    Operation("DELETE", _PRINCIPALS + "/{principal}", delete_principal, "take one out; its tokens end"),
    Operation("POST", IN_WORKSPACE + "/expire-tokens", expire_tokens, "end OAuth access tokens now"),
)
