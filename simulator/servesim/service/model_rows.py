"""The registered models of a workspace, as rows that people and programs read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from servesim.core.registry import in_unity_catalog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servesim.core.registry import RegisteredModel, Version
    from servesim.core.workspace import Workspace


def model_rows(world: Workspace) -> list[dict[str, Any]]:
    """Return a row for each registered version, however far it has come, in the order of their registration."""
    return [row for model in world.registry.models.values() for row in _rows(world, model, model.versions.values())]


def version_row(world: Workspace, name: str, number: str) -> dict[str, Any]:
    """Return the row of one version; raise MODEL_MISSING or VERSION_MISSING."""
    (row,) = _rows(world, world.registry.model(name), [world.registry.version(name, number)])
    return row


def without_versions(world: Workspace) -> list[str]:
    """Return the names of the models that have no version."""
    return [model.name for model in world.registry.models.values() if not model.versions]


def _rows(world: Workspace, model: RegisteredModel, versions: Iterable[Version]) -> list[dict[str, Any]]:
    """Return the rows of versions of one model; who answers is None for one that is not registered (yet)."""
    allowed = world.registry.restricted.get(model.name)
    aliases: dict[str, list[str]] = {}
    for alias, number in model.aliases.items():
        aliases.setdefault(number, []).append(alias)
    shared = {"allowed": None if allowed is None else sorted(allowed)}
    staged = not in_unity_catalog(model.name)
    return [
        {
            "name": model.name,
            "version": one.number,
            **_answers(one),
            **shared,
            "status": str(one.status),
            "status_message": one.status_message,
            "stage": str(one.stage) if staged else None,
            "aliases": sorted(aliases.get(one.number, ())),
            "tags": dict(one.tags),
            "description": one.description,
            "staged": one.staged,
            "creator": one.creator.name if one.creator else None,
        }
        for one in versions
    ]


def _answers(version: Version) -> dict[str, Any]:
    """Say who answers for a version, and what is known of the model."""
    model = version.model
    if model is None:
        return {"kind": None, "signature": None, "has_example": False, "digest": None}
    return {
        "kind": model.kind,
        "signature": json.loads(model.signature) if model.signature else None,
        "has_example": model.example is not None,
        "digest": model.digest or None,
    }
