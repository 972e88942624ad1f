"""What leaves a workspace as a table: the inference table of an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.generations.inference_table import COLUMNS, rows

if TYPE_CHECKING:
    from servesim.service.hub import HostedWorkspace

_PAYLOADS = ("request", "response")


def inference_table(workspace: HostedWorkspace, endpoint: str) -> dict[str, Any]:
    """Return ``columns`` (types), the ``rows`` of now and how many are ``waiting``; raise ENDPOINT_MISSING.

    Rows go when the record of requests forgets them (see ``service/record.py``). No value of a secret that a served
    entity was deployed with is among them.
    """
    workspace.clock.now()
    world = workspace.world
    optimized = world.get(endpoint).route_optimized
    found = rows(workspace.record, endpoint, world.timeline.now, world.profile, world.draws, route_optimized=optimized)
    for row in found.rows:
        for name in _PAYLOADS:
            row[name] = row[name] and workspace.vault.scrub(row[name])
    return {"endpoint": endpoint, "columns": COLUMNS, "rows": found.rows, "waiting": found.waiting}
