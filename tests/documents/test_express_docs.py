"""docs/express.md: its tests pass as they stand, and its figures are those of the code."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from servesim.core import express
from servesim.core.profile import EVIDENCE, FAITHFUL, MINUTE

PAGE = (Path(__file__).parents[2] / "docs/express.md").read_text(encoding="utf-8")
RULES = re.findall(r"(?m)^\| (.+) \| ((?:documented|chosen).*) \|$", PAGE)


@pytest.mark.mlflow
@pytest.mark.sdk
def test_the_tests_of_the_page_pass_as_they_stand(pytester, guests):
    for package in ("mlflow", "sklearn", "databricks.sdk"):
        if package.partition(".")[0] not in sys.modules and find_spec(package.partition(".")[0]) is None:
            pytest.skip(f"{package} is not installed")
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    pytester.makepyfile(test_block=source)
    guests().assert_outcomes(passed=source.count("def test_"))


@pytest.mark.sdk
def test_the_scenario_of_the_page_begins_with_a_staged_version(servesim_server, tmp_path):
    (scenario,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "world.yaml").write_text(scenario, encoding="utf-8")
    config = {"served_entities": [{"entity_name": "main.ml.fraud", "entity_version": "1"}]}
    with servesim_server.open(scenario=tmp_path / "world.yaml", poll="settle") as sim:
        sim.client().api_client.do("POST", "/api/2.0/serving-endpoints", body={"name": "fraud", "config": config})
        sim.client().serving_endpoints.get("fraud")
        told = [line.what for line in sim.log]
    assert "deployment ready" in told
    assert "container built" not in told


def test_the_page_names_every_rule():
    assert len(RULES) == 7
    stated = " ".join(rule for rule, _ in RULES)
    assert " or ".join(map(str, express.ENVIRONMENTS)) in stated
    assert "MLflow " + ".".join(map(str, express.LEAST_MLFLOW)) in stated
    assert "1 GB" in stated
    assert FAITHFUL.express_environment_limit_bytes == 10**9
    assert EVIDENCE["express_environment_limit_bytes"].grade == "documented"


def test_the_figures_of_the_page_are_those_of_the_profile():
    staging, build = re.search(r"(\d+) simulated minutes \(chosen\)", PAGE), re.search(r"build, (\d+) simulated", PAGE)
    assert FAITHFUL.staging_ms == (int(staging[1]) * MINUTE,) * 2
    assert FAITHFUL.container_build_ms == (int(build[1]) * MINUTE,) * 2
    assert EVIDENCE["staging_ms"].grade == "chosen"
