"""What clients call before and at login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.http.reply import Reply, encode

if TYPE_CHECKING:
    from aiohttp import web

    from servesim.http.calls import Call

WORKSPACE_ID_HEADER = "X-Databricks-Org-Id"


def databricks_config(request: web.BaseRequest) -> Reply:
    """Answer host discovery: outside authentication, for the server and no workspace of it."""
    return Reply(200, encode({"oidc_endpoint": f"http://{request.host}/oidc", "cloud": "AWS"}), grade="recorded")


async def me(call: Call) -> Reply:
    """Answer who calls; clients read the workspace's id from the header."""
    principal = call.session.principal
    workspace = call.session.workspace
    document = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": str(workspace.world.draws.stream("id", "principal", principal.name).between(0, 10**14, 10**15 - 1)),
        "userName": principal.name,
        "displayName": principal.display_name,
        "active": True,
        "emails": [{"value": principal.name, "type": "work", "primary": True}],
        "groups": [],
    }
    return Reply(200, encode(document), headers={WORKSPACE_ID_HEADER: workspace.id}, grade="observed")
