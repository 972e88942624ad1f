"""The core imports itself and the standard library, and of that less than all (see the layers check)."""

import ast
import sys
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "simulator" / "servesim" / "core"


def imported(source: str) -> set[str]:
    """Name what is imported absolutely, wherever the import stands."""
    nodes = list(ast.walk(ast.parse(source)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}


def is_allowed(name: str) -> bool:
    """Tell whether the core may import a module of this name."""
    top, *below = name.split(".")
    return top in sys.stdlib_module_names or (top == "servesim" and below[:1] == ["core"])


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: path.name)
def test_core_needs_nothing_but_the_standard_library(path):
    assert [name for name in imported(path.read_text(encoding="utf-8")) if not is_allowed(name)] == []


@pytest.mark.parametrize("name", ["aiohttp", "servesim", "servesim.http", "yaml"])
def test_anything_else_is_found(name):
    assert [one for one in imported(f"def f():\n    import {name}") if not is_allowed(one)] == [name]
