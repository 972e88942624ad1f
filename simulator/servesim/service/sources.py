"""Where model versions come from when the registry of the core does not know them yet."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from servesim.core.commands import AddModel
from servesim.core.errors import Code, Rejected
from servesim.core.registry import ModelVersion
from servesim.models.pool_types import ReadFailed, RegistryVersion

if TYPE_CHECKING:
    from servesim.core.commands import ConfigRequest
    from servesim.models.pool_types import ModelFacts
    from servesim.service.hub import HostedWorkspace

UNKNOWN_MODEL_STUB = json.dumps({"behaviour": "hash"})
"""What answers for an unknown model with ``--unknown-models stub``: a number from each row's content."""


class SourceUnreadable(RuntimeError):  # noqa: N818 - named for what is so
    """An MLflow registry or model that the user named cannot be read."""


async def provide(workspace: HostedWorkspace, config: ConfigRequest) -> None:
    """Look for the unknown versions of a config in the sources; what is found enters as a command."""
    registry = workspace.world.registry
    for entity in config.entities:
        if registry.find(entity.model, entity.version) is not None:
            continue
        found = await _look_up(workspace, entity.model, entity.version)
        if found is None and workspace.settings.unknown_models == "stub":
            found = ModelVersion(entity.model, entity.version, "stub", UNKNOWN_MODEL_STUB)
        if found is not None:
            workspace.clock.execute(AddModel(found))


async def import_registry(workspace: HostedWorkspace, uri: str) -> int:
    """Register every version of an MLflow registry and return how many; raise SourceUnreadable."""
    versions = await workspace.models.pool().list_registry(uri)
    if isinstance(versions, ReadFailed):
        message = f"the MLflow registry {_without_password(uri)!r} cannot be read: {versions.reason}"
        raise SourceUnreadable(message)
    for version in versions:
        workspace.clock.execute(AddModel(_from_registry(uri, version)))
    return len(versions)


async def model_at(
    workspace: HostedWorkspace, name: str, version: str, path: str, python: str | None = None
) -> ModelVersion:
    """Return a version that an MLflow model folder answers for; raise SourceUnreadable."""
    facts = await workspace.models.pool().inspect_path(path, python)
    if isinstance(facts, ReadFailed):
        message = f"the MLflow model at {path!r} cannot be read: {facts.reason}"
        raise SourceUnreadable(message)
    return _described(ModelVersion(name, version, "mlflow", facts.path, python=python), facts)


async def _look_up(workspace: HostedWorkspace, name: str, version: str) -> ModelVersion | None:
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


def _from_registry(uri: str, found: RegistryVersion) -> ModelVersion:
    source = f"models:/{found.name}/{found.version}"
    return _described(ModelVersion(found.name, found.version, "mlflow", source, registry_uri=uri), found.facts)


def _described(model: ModelVersion, facts: ModelFacts | None) -> ModelVersion:
    """Add what the model's folder says about itself; a version without a readable folder has none."""
    if facts is None:
        return model
    signature = {"inputs": facts.inputs, "params": facts.params, "outputs": facts.outputs}
    return replace(
        model,
        digest=facts.digest,
        signature=json.dumps(signature) if facts.inputs or facts.params else None,
        example=facts.input_example,
    )
