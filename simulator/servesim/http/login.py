"""Who a client is told that it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.access import USERS
from servesim.http.reply import Reply, encode

if TYPE_CHECKING:
    from servesim.core.access import Principal
    from servesim.http.calls import Call
    from servesim.service.hub import HostedWorkspace

WORKSPACE_ID_HEADER = "X-Databricks-Org-Id"


async def me(call: Call) -> Reply:
    """Answer who calls, its groups and entitlements; clients read the workspace's id from the header.

    A service principal comes as a user whose name is its application id, which is how clients tell: observed.
    """
    principal = call.session.principal
    workspace = call.session.workspace
    member = workspace.world.directory.find(principal.name)
    groups = dict.fromkeys((USERS, *member.groups)) if member else ()
    document = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": _scim_id(workspace, "principal", principal.name),
        "userName": principal.name,
        "displayName": principal.display_name,
        "active": True,
        **_emails(principal),
        "groups": [_group(workspace, name) for name in groups],
        "entitlements": [{"value": name.replace("_", "-")} for name in (member.entitlements if member else ())],
    }
    return Reply(200, encode(document), headers={WORKSPACE_ID_HEADER: workspace.id}, grade="observed")


def _emails(principal: Principal) -> dict[str, Any]:
    """Return the address of a user; that a service principal has none is chosen."""
    if principal.kind != "User":
        return {}
    return {"emails": [{"value": principal.name, "type": "work", "primary": True}]}


def _group(workspace: HostedWorkspace, name: str) -> dict[str, Any]:
    number = _scim_id(workspace, "group", name)
    return {"display": name, "value": number, "type": "direct", "$ref": f"Groups/{number}"}


def _scim_id(workspace: HostedWorkspace, kind: str, name: str) -> str:
    return str(workspace.world.draws.stream("id", kind, name).between(0, 10**14, 10**15 - 1))
