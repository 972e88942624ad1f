"""What served entities have used, as rows that people and programs read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.capacity import accounts, replicas

if TYPE_CHECKING:
    from servesim.core.workspace import Workspace


def usage_rows(world: Workspace) -> list[dict[str, Any]]:
    """Return a row for each served entity that runs or ran: what it used, in seconds, and what it has now."""
    return [
        {
            "endpoint": one.endpoint,
            "entity": one.entity,
            "replica_seconds": one.used.replica_ms / 1000,
            "slot_seconds": one.used.slot_ms / 1000,
            "requests": one.used.requests,
            "queued": one.used.queued,
            "queue_seconds": one.used.queue_ms / 1000,
            "refused": one.used.refused,
            "cold_starts": one.used.cold_starts,
            "replicas": replicas(one.provisioned),
            "provisioned": one.provisioned,
            "in_flight": one.in_flight,
            "held": one.held,
        }
        for one in accounts(world)
    ]
