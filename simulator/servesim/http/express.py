"""Express deployments: what MLflow calls once it has registered a version together with its environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.model_commands import StageDeployment
from servesim.generations.fields import Fields
from servesim.http.reply import Reply, encode

if TYPE_CHECKING:
    from servesim.http.calls import Call


async def stage_deployment(call: Call) -> Reply:
    """Let a version be deployed without a container build from now on; raise Rejected, NOT_EXPRESS with the rule."""
    fields = Fields(await call.json())
    name, version = fields.filled("model_name"), fields.label("model_version")
    call.session.workspace.clock.execute(StageDeployment(name, version, call.session.principal))
    return Reply(200, encode({}), grade="observed")
