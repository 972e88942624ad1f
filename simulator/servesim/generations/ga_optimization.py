"""What the console asks about a model version before it offers provisioned throughput."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from servesim.core.workspace import Workspace


def optimization_info(world: Workspace, model: str, version: str) -> dict[str, Any]:
    """Say that a version cannot be optimized, as is so for every custom model; raise MODEL_MISSING, VERSION_MISSING.

    Recorded (2025-02) are the two keys; that the second is 0 here is chosen.
    """
    world.registry.get(model, version)
    return {"optimizable": False, "throughput_chunk_size": 0}
