"""Where the files are that ship with the package: schemas and ready-made scenarios."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parents[1]


def shipped(name: str) -> Path:
    """Return the path of a shipped file or folder, e.g. ``scenarios/scenario.schema.json``."""
    installed = _PACKAGE / "_data" / name
    return installed if installed.exists() else _CHECKOUT / name


def scenario_file(written: str | Path) -> Path:
    """Return the file of a scenario: a path as written, or, if nothing is there, the shipped world of that name."""
    path = Path(written)
    named = shipped(f"scenarios/{path.name.removesuffix('.yaml')}.yaml")
    return named if not path.exists() and path.parent == Path() and named.is_file() else path
