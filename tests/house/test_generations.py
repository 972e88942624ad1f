"""No generation knows another: the contracts of the layers check name every module there is (see pyproject.toml)."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "servesim.generations."
GENERATIONS = ("ga", "serverless_preview", "legacy")
MERGED = PACKAGE + "ga_texts"
"""The refusals of all generations, so that it may know each."""


def modules(generation: str) -> set[str]:
    """Name the modules of a generation: the one of its name, and those whose names begin with it."""
    stems = {path.stem for path in (ROOT / "simulator" / "servesim" / "generations").glob("*.py")}
    return {PACKAGE + stem for stem in stems if f"{stem}_".startswith(f"{generation}_")}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_module_of_a_generation_is_kept_from_those_of_the_others(generation):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (one for one in project["tool"]["importlinter"]["contracts"] if one["id"] == generation)
    others = set().union(*(modules(one) for one in GENERATIONS if one != generation))
    assert contract["type"] == "forbidden"
    assert set(contract["source_modules"]) == modules(generation) - {MERGED}
    assert set(contract["forbidden_modules"]) == others
