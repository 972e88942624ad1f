"""docs/models.md: its jobs and commands run in one session, its tests pass, and its world is read."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from servesim.service.scenario import read_scenarios

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/models.md").read_text(encoding="utf-8")
JOB = re.compile(r"# (\w+\.py)\n")

pytestmark = [pytest.mark.mlflow, pytest.mark.sdk]


def blocks(language):
    """Return the page's code blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def prepare(folder):
    """Write the page's jobs beside the examples."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    for source in blocks("python"):
        if named := JOB.match(source):
            (folder / named[1]).write_text(source, encoding="utf-8")


@pytest.mark.deep
def test_an_example_shows_what_is_so(example):
    example.check()


@pytest.mark.parametrize("name", ["train.py", "deploy.py"])
def test_the_jobs_know_nothing_of_servesim(name):
    source = (ROOT / "examples" / name).read_text(encoding="utf-8")
    assert "servesim" not in source
    assert f"$ python examples/{name}" in PAGE


def test_every_test_of_the_page_passes(pytester, guests):
    sources = [source for source in blocks("python") if not JOB.match(source)]
    pytester.makepyfile(**{f"test_block_{number}": source for number, source in enumerate(sources)})
    guests().assert_outcomes(passed=sum(source.count("def test_") for source in sources))


def test_its_world_is_read(servesim_server, tmp_path):
    (world,) = blocks("yaml")
    (tmp_path / "world.yaml").write_text(world, encoding="utf-8")
    assert len(read_scenarios([tmp_path / "world.yaml"])["default"].documents) == 1
    with servesim_server.open(scenario=str(tmp_path / "world.yaml")) as sim:
        churn, fraud = sim.models.list()
    assert (churn["stage"], churn["tags"]) == ("Production", {"team": "retention"})
    assert (fraud["aliases"], fraud["staged"]) == (["champion"], True)


def test_it_lists_every_key_of_a_row(servesim):
    servesim.models.stub("churn", "echo")
    (row,) = servesim.models.list()
    told = PAGE[PAGE.index("`servesim.models.list()`") :].partition("\n\n")[0]
    assert row.keys() - {"name", "version", "kind", "has_example"} == set(re.findall(r"`(\w+)`", told))


def test_the_links_lead_somewhere():
    linked = {target for target in re.findall(r"\]\(([^)#]+)", PAGE) if "://" not in target}
    assert [target for target in linked if not (ROOT / "docs" / target).exists()] == []
