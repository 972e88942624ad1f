"""docs/faults.md: its Python blocks are test files that pass, its world is read, and it names every key and effect."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from servesim.core.faults import EFFECTS
from servesim.core.timeline import START_MS
from servesim.service.fault_rules import KEYS, read_rule
from servesim.service.scenario import read_scenarios

PAGE = (Path(__file__).parents[2] / "docs/faults.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the page's code blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.sdk
def test_every_python_block_passes_as_a_test_file(pytester: pytest.Pytester, guests):
    sources = blocks("python")
    pytester.makepyfile(**{f"test_block_{number}": source for number, source in enumerate(sources)})
    outcomes = guests("-W", "error").parseoutcomes()
    assert outcomes.keys() == {"passed"}
    assert outcomes["passed"] >= sum(source.count("def test_") for source in sources)


def test_its_world_is_read(tmp_path):
    (world,) = blocks("yaml")
    (tmp_path / "world.yaml").write_text(world, encoding="utf-8")
    faults = read_scenarios([tmp_path / "world.yaml"])["default"].documents[0].content["faults"]
    assert [read_rule(one, START_MS).effect for one in faults] == ["status", "delay", "lose_reply"]


def test_it_has_every_effect_and_every_key():
    assert set(re.findall(r"(?m)^\| `(\w+)` \| (?:calls|queries|deployments|everything|`get_)", PAGE)) == set(EFFECTS)
    assert {key for key in KEYS if f"`{key}`" not in PAGE} == set()


def test_an_example_strikes_with_every_effect():
    examples = "\n".join([*blocks("python"), *blocks("yaml")])
    shown = {effect for effect in EFFECTS if re.search(rf'add\("{effect}"|effect: {effect}\b|"{effect}"', examples)}
    assert shown == set(EFFECTS)
