"""What changes registered models and their versions, as values that can be written down and executed again."""

from __future__ import annotations

from typing import NamedTuple

from servesim.core.access import (  # noqa: TC001 - a command that was written down is rebuilt from its type hints
    Grantee,
    Principal,
)
from servesim.core.model_access import ModelLevel  # noqa: TC001 - as above
from servesim.core.registry import Details, ModelVersion, Stage

ModelTags = tuple[tuple[str, str], ...]
"""Tags by key."""


class AddModel(NamedTuple):
    """Register a version that is ready: one that was declared, or imported from an MLflow registry."""

    model: ModelVersion
    details: Details = Details()


class CreateRegisteredModel(NamedTuple):
    """Make a model without versions. Without a principal servesim itself asks, as everywhere below."""

    name: str
    principal: Principal | None
    description: str = ""
    tags: ModelTags = ()


class UpdateRegisteredModel(NamedTuple):
    """Change what is not None: a model's description, its name, or who owns it."""

    name: str
    principal: Principal | None
    description: str | None = None
    new_name: str | None = None
    owner: str | None = None


class DeleteRegisteredModel(NamedTuple):
    """Delete a model with its versions; what serves them goes on."""

    name: str
    principal: Principal | None


class TagModel(NamedTuple):
    """Give a model, or one of its versions, a tag; None takes it away."""

    name: str
    principal: Principal | None
    key: str
    value: str | None
    version: str | None = None


class CreateModelVersion(NamedTuple):
    """Begin to register a version."""

    name: str
    principal: Principal | None
    source: str
    run_id: str = ""
    run_link: str = ""
    description: str = ""
    tags: ModelTags = ()
    model_id: str = ""


class FinishRegistration(NamedTuple):
    """How reading a version's artifacts came out: who answers for it, or why nobody does."""

    name: str
    version: str
    model: ModelVersion | None
    error: str = ""


class UpdateModelVersion(NamedTuple):
    """Change what is not None: a version's description."""

    name: str
    version: str
    principal: Principal | None
    description: str | None


class DeleteModelVersion(NamedTuple):
    """Delete a version with its aliases; what serves it goes on."""

    name: str
    version: str
    principal: Principal | None


class TransitionStage(NamedTuple):
    """Move a version of the workspace registry to a stage, and perhaps the others there to Archived."""

    name: str
    version: str
    principal: Principal | None
    stage: Stage
    archive_existing: bool = False
    comment: str = ""


class SetAlias(NamedTuple):
    """Let an alias name a version; None takes the alias away."""

    name: str
    alias: str
    principal: Principal | None
    version: str | None


class SetModelPermissions(NamedTuple):
    """Replace what was granted on a model, or add to it."""

    model_id: str
    principal: Principal | None
    grants: tuple[tuple[Grantee, ModelLevel], ...]
    replace: bool


class StageDeployment(NamedTuple):
    """Make a version that was packed with its environment ready for an express deployment."""

    name: str
    version: str
    principal: Principal | None


ModelCommand = (
    AddModel
    | CreateRegisteredModel
    | UpdateRegisteredModel
    | DeleteRegisteredModel
    | TagModel
    | CreateModelVersion
    | FinishRegistration
    | UpdateModelVersion
    | DeleteModelVersion
    | TransitionStage
    | SetAlias
    | SetModelPermissions
    | StageDeployment
)
