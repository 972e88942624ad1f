"""What a served entity's build and its server process printed, by config version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.deployment import Phase
from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from servesim.core.deployment import Deployment
    from servesim.core.endpoint import Endpoint
    from servesim.service.hub import HostedWorkspace

NOTHING_BUILT = "servesim answers for this model without a container: nothing was installed.\n"
TAG_DIGITS = 5
"""Of a deployment's id: a line of a server process begins with the tag of its replica."""


def find(endpoint: Endpoint, entity: str, version: int | None) -> Deployment:
    """Return who served an entity in a config, the latest without a version.

    Raise ENTITY_MISSING or CONFIG_VERSION_MISSING.
    """
    mine = {found.version: found.deployment for found in endpoint.deployed if found.entity == entity}
    if not mine:
        names = sorted({found.entity for found in endpoint.deployed})
        raise Rejected(Code.ENTITY_MISSING, endpoint=endpoint.name, entity=entity, entities=names)
    if version is None:
        return mine[max(mine)]
    if version not in mine:
        raise Rejected(
            Code.CONFIG_VERSION_MISSING,
            endpoint=endpoint.name,
            entity=entity,
            version=version,
            versions=[str(known) for known in sorted(mine)],
        )
    return mine[version]


def build_log(deployment: Deployment) -> str:
    """Return what the build of a deployment printed: nothing before it has ended."""
    if not deployment.built:
        return f"{deployment.reason}\n" if deployment.phase is Phase.FAILED else ""
    return deployment.build_log or NOTHING_BUILT


def server_log(workspace: HostedWorkspace, deployment: Deployment) -> str:
    """Return the last that a deployment's server process really printed, each line with the tag of its replica."""
    tag = deployment.id[:TAG_DIGITS]
    return "".join(f"[{tag}] {line}\n" for line in workspace.printed(deployment).splitlines())
