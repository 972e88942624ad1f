"""Where model versions come from when the registry of the core does not know them yet."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from servesim.core.errors import Code, Rejected
from servesim.core.model_commands import AddModel
from servesim.core.registry import Details, ModelVersion, Stage
from servesim.models.pool_types import ReadFailed, RegistryVersion
from servesim.service.model_folder import UnreadableModel, facts_of, read_model

if TYPE_CHECKING:
    from servesim.core.commands import ConfigRequest
    from servesim.service.hub import HostedWorkspace

UNKNOWN_MODEL_STUB = json.dumps({"behaviour": "hash"})
"""What answers for an unknown model with ``--unknown-models stub``: a number from each row's content."""


class SourceUnreadable(RuntimeError):  # noqa: N818 - named for what is so
    """An MLflow registry or model that the user named cannot be read."""


async def provide(workspace: HostedWorkspace, config: ConfigRequest) -> None:
    """Look for the unknown versions of a config in the sources; what is found enters as a command."""
    registry = workspace.world.registry
    for entity in config.entities:
        model = registry.models.get(entity.model)
        if model is not None and entity.version in model.versions:
            continue
        found = await _look_up(workspace, entity.model, entity.version)
        if found is None and workspace.settings.unknown_models == "stub":
            found = AddModel(unknown(entity.model, entity.version))
        if found is not None:
            workspace.clock.execute(found)


def unknown(name: str, version: str) -> ModelVersion:
    """Return the version that answers in place of one that servesim cannot have."""
    return ModelVersion(name, version, "stub", UNKNOWN_MODEL_STUB)


async def import_registry(workspace: HostedWorkspace, uri: str) -> int:
    """Register every version of an MLflow registry and return how many; raise SourceUnreadable."""
    versions = await workspace.models.pool().list_registry(uri)
    if isinstance(versions, ReadFailed):
        message = f"the MLflow registry {_without_password(uri)!r} cannot be read: {versions.reason}"
        raise SourceUnreadable(message)
    for version in versions:
        workspace.clock.execute(_from_registry(uri, version))
    return len(versions)


async def model_at(name: str, version: str, path: str, python: str | None = None) -> ModelVersion:
    """Return a version that an MLflow model folder answers for; raise SourceUnreadable."""
    model = ModelVersion(name, version, "mlflow", path, python=python)
    try:
        return (await asyncio.to_thread(read_model, Path(path))).of(model)
    except UnreadableModel as error:
        message = f"the MLflow model at {path!r} cannot be read: {error}"
        raise SourceUnreadable(message) from error


async def _look_up(workspace: HostedWorkspace, name: str, version: str) -> AddModel | None:
    uri = workspace.settings.mlflow_registry
    if uri is None:
        return None
    found = await workspace.models.pool().find(uri, name, version)
    if isinstance(found, RegistryVersion):
        return _from_registry(uri, found)
    if found.code != "RESOURCE_DOES_NOT_EXIST":
        raise Rejected(Code.REGISTRY_UNREADABLE, uri=_without_password(uri), reason=found.reason)
    return None


def _without_password(uri: str) -> str:
    return re.sub(r"//[^@/]*@", "//***@", uri)


def _from_registry(uri: str, found: RegistryVersion) -> AddModel:
    """Return the import of a version with its place in the registry; one without a readable folder has no facts."""
    source = f"models:/{found.name}/{found.version}"
    model = ModelVersion(found.name, found.version, "mlflow", source, registry_uri=uri)
    details = Details(
        stage=_stage(found.stage), aliases=found.aliases, tags=found.tags, description=found.description or ""
    )
    try:
        return AddModel(model if found.contents is None else facts_of(found.contents).of(model), details)
    except UnreadableModel:
        return AddModel(model, details)


def _stage(written: str | None) -> Stage:
    return next((stage for stage in Stage if stage == written), Stage.NONE)
