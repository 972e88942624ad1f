"""The files of the contracts as they ship."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from servesim.service.shipped import shipped

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The faster of the two safe loaders, where PyYAML was built with it."""


@cache
def source(name: str) -> dict[str, Any]:
    """Return a file of the contracts as it is written, e.g. ``control`` or ``common``."""
    path = shipped("contracts") / f"{name}.yaml"
    content: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 - a safe loader
    return content
