"""Registered models that a retired generation serves when a world begins, and lists of those that it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.errors import Code, Rejected
from servesim.core.model_compute import Compute
from servesim.core.model_endpoint import GENERATIONS
from servesim.core.model_endpoint_commands import EnableModel
from servesim.core.registry import Stage
from servesim.generations import ga_texts
from servesim.service.instants import iso

if TYPE_CHECKING:
    from servesim.core.access import Principal
    from servesim.core.model_endpoint import ModelEndpoint, ServedVersion
    from servesim.core.model_endpoint_commands import Computes
    from servesim.service.documents import Document
    from servesim.service.hub import HostedWorkspace

_OTHER = {"legacy": "compute", "serverless_preview": "cluster"}
"""Which key of an entry is the other generation's."""


def add(
    workspace: HostedWorkspace, document: Document, at: tuple[str | int, ...], entry: dict[str, Any], by: Principal
) -> None:
    """Have a model served, with every version ready, as an entry of ``enabled_models:`` says; raise DocumentError."""
    generation = entry["generation"]
    if (other := _OTHER[generation]) in entry:
        raise document.error((*at, other), f"{generation} has no {other!r}")
    try:
        workspace.clock.execute(EnableModel(generation, entry["name"], by, serving=True, computes=_computes(entry)))
    except Rejected as rejected:
        raise document.error(at, ga_texts.describe(rejected)[1] + _advice(workspace, rejected)) from rejected


def _computes(entry: dict[str, Any]) -> Computes:
    by_stage = [
        (Stage(stage), Compute(sizes.get("workload_size", "Small"), sizes.get("scale_to_zero", False)))
        for stage, sizes in entry.get("compute", {}).items()
    ]
    if "cluster" not in entry:
        return tuple(by_stage)
    cluster = entry["cluster"]
    tags = tuple(cluster.get("tags", {}).items())
    return ((None, Compute(node_type=cluster.get("node_type", ""), tags=tags)),)


def _advice(workspace: HostedWorkspace, rejected: Rejected) -> str:
    match rejected.code:
        case Code.SURFACE_RETIRED:
            return f" This world begins at {iso(workspace.settings.start)}; `start:` sets another instant."
        case Code.PREVIEW_DISABLED:
            return " In a scenario: `serverless_preview: enabled`."
    return ""


def person(workspace: HostedWorkspace, name: str | None) -> Principal | None:
    """Return a principal of a workspace by name, None for none; raise MEMBER_MISSING."""
    if name is None:
        return None
    member = workspace.world.directory.find(name)
    if member is None:
        raise Rejected(Code.MEMBER_MISSING, name=name)
    return member.principal


# --- lists ----------------------------------------------------------------------------------------


def rows(workspace: HostedWorkspace) -> list[dict[str, Any]]:
    """Return every model that a retired generation serves, or served when its end came, by generation and name."""
    workspace.clock.now()
    found = workspace.world.model_endpoints.values()
    return [_row(one) for one in sorted(found, key=lambda one: (one.generation.name, one.model.name))]


def _row(endpoint: ModelEndpoint) -> dict[str, Any]:
    return {
        "generation": endpoint.generation.name,
        "model": endpoint.model.name,
        "state": str(endpoint.state),
        "reason": endpoint.reason,
        "enabled_by": endpoint.creator.name if endpoint.creator else None,
        "enabled_at": iso(endpoint.created),
        "versions": [_version(endpoint, one) for one in endpoint.served.values()],
        "aliases": {str(stage): number for stage, number in endpoint.aliases.items()},
        "compute": [_compute(stage, one) for stage, one in endpoint.compute.items()],
        "calls": endpoint.calls,
        "last_called": iso(endpoint.last_called) if endpoint.calls else None,
        "last_caller": endpoint.last_caller or None,
    }


def _version(endpoint: ModelEndpoint, served: ServedVersion) -> dict[str, Any]:
    known = endpoint.model.versions.get(served.number)
    return {
        "version": served.number,
        "stage": None if known is None else str(known.stage),
        "state": str(served.deployment.phase),
    }


def _compute(stage: Stage | None, compute: Compute) -> dict[str, Any]:
    if stage is None:
        return {"stage": None, "node_type": compute.node_type, "tags": dict(compute.tags)}
    return {"stage": str(stage), "workload_size": compute.size, "scale_to_zero": compute.scale_to_zero}


def generation_of(word: str) -> str:
    """Return the name of a generation; raise ValueError for another word."""
    if word not in GENERATIONS:
        message = f"there is no generation {word!r} that enables models: it is {' or '.join(GENERATIONS)}"
        raise ValueError(message)
    return word
