"""Express deployments: which versions can be staged with their environment, and what that saves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from servesim.core.errors import Code, Rejected
from servesim.core.model_access import ModelLevel, require
from servesim.core.registry import Status, in_unity_catalog

if TYPE_CHECKING:
    from servesim.core.commands import EntitySpec
    from servesim.core.model_commands import StageDeployment
    from servesim.core.profile import Profile
    from servesim.core.registry import Packed, Version
    from servesim.core.workspace import Workspace

ENVIRONMENTS = (3, 4)
"""Versions of the serverless environment that can pack: documented."""
LEAST_MLFLOW = (3, 1)
"""Documented."""

_CLIENT = re.compile(r"client\.(\d+)")
_NUMBERS = re.compile(r"(\d+)\.(\d+)")


def stage(world: Workspace, command: StageDeployment) -> Version:
    """Mark a version for express deployments.

    Raise MODEL_MISSING, VERSION_MISSING, MODEL_NOT_PERMITTED, or NOT_EXPRESS with the rule that it breaks.
    """
    model = world.registry.model(command.name)
    require(world, command.principal, model, ModelLevel.CAN_EDIT)
    version = world.registry.version(command.name, command.version)
    if version.staged:  # also one that was declared so, whose environment nobody has
        return version
    rule = broken_rule(command.name, version, world.profile)
    if rule:
        raise Rejected(Code.NOT_EXPRESS, model=command.name, version=command.version, rule=rule)
    version.staged = True
    world.note("deployment staged", "", command.name, command.version)
    return version


def broken_rule(name: str, version: Version, profile: Profile) -> str:
    """Say which rule keeps a version from an express deployment; empty for none."""
    if not in_unity_catalog(name):
        return "the model must be registered in Unity Catalog"
    if name.startswith("system."):
        return "the model must be a custom model; those of the catalog system are not"
    if version.status is Status.FAILED or version.model is None:
        return f"the version must be registered; its status is {version.status}"
    packed = version.model.packed
    if packed is None:
        return "the version must be registered with env_pack; it was registered without its environment"
    return _broken_by(packed, profile)


def _broken_by(packed: Packed, profile: Profile) -> str:
    if "gpu" in packed.runtime.lower():
        return f"the model must be served on CPU; it was logged in a GPU environment ({packed.runtime})"
    client = _CLIENT.match(packed.runtime)
    if client is None or int(client[1]) not in ENVIRONMENTS:
        known = " or ".join(map(str, ENVIRONMENTS))
        return f"the model must be logged in a serverless notebook of environment version {known}; its runtime is " + (
            f"'{packed.runtime}'" if packed.runtime else "not known"
        )
    numbers = _NUMBERS.match(packed.mlflow)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < LEAST_MLFLOW:
        least = ".".join(map(str, LEAST_MLFLOW))
        return f"the model must be logged with mlflow {least} or later; it was logged with {packed.mlflow or 'none'}"
    limit = profile.express_environment_limit_bytes
    if packed.environment_bytes > limit:
        return f"its environment must be {limit:,} bytes at most; it has {packed.environment_bytes:,}"
    return ""


def is_express(world: Workspace, spec: EntitySpec) -> bool:
    """Tell whether an entity is deployed without a container build: a staged version, on CPU."""
    if "GPU" in spec.workload_type:
        return False
    return world.registry.version(spec.model, spec.version).staged
