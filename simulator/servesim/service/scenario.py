"""Files that people write: profiles, and worlds to begin with."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from servesim.core.profile import PROFILES, Profile, override
from servesim.service.clock import milliseconds


def read_profile(name: str) -> Profile:
    """Read a profile file: ``base`` and the values that differ. Raise ValueError that names what is wrong."""
    path = Path(name)
    if not path.is_file():
        message = f"there is no profile {name!r}: it is one of {', '.join(PROFILES)} or a YAML file"
        raise ValueError(message)
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict):
        message = f"{name}: a profile is a mapping of values, e.g. cold_start: [10s, 20s]"
        raise ValueError(message)  # noqa: TRY004 - bad content of a file, not a programming error
    base = PROFILES[document.pop("base", "faithful")]
    values = dict(_setting(name, key, value) for key, value in document.items())
    return override(base, path.stem, values)


def _setting(name: str, key: str, value: Any) -> tuple[str, Any]:
    known = {field.name: field.type for field in fields(Profile)}
    for candidate in (f"{key}_ms", key, f"{key}_bytes"):
        if candidate in known:
            timed = candidate.endswith("_ms")
            break
    else:
        message = f"{name}: {key!r} is no setting of a profile"
        raise ValueError(message)
    if isinstance(value, list):
        return candidate, tuple(milliseconds(part) for part in value)
    number = milliseconds(value) if timed else int(value)
    return candidate, (number, number) if "tuple" in str(known[candidate]) else number
