"""Whether a container can be built of a model."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servesim.core.registry import ModelVersion
    from servesim.core.workspace import Workspace


def problem(world: Workspace, model: ModelVersion) -> str:
    """Say why no container can be built of a model; empty if one can."""
    if model.unsupported:
        return f"unsupported model: {model.unsupported}"
    for name in model.requirements:
        if fits(name, world.private_libraries):
            return (
                f"the model requires '{name}', a private library that the container build cannot install. Pack it with "
                "the model (mlflow.models.utils.add_libraries_to_model), or register the model with env_pack"
            )
    return ""


def normalized(name: str) -> str:
    """Return the name, or pattern of names, by which a library is compared: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def fits(library: str, patterns: Iterable[str]) -> bool:
    """Tell whether a normalized name is one of some, or fits a pattern of theirs."""
    return any(fnmatchcase(library, pattern) for pattern in patterns)
