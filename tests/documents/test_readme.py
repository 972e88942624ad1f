"""What the README and the guide show, run as it is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from servesim.core.profile import EVIDENCE
from servesim.service.profiles import profile_named
from servesim.service.scenario import read_scenarios

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    """Return a page's code blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("page", ["README.md", "docs/guide.md"])
def test_every_python_block_passes_as_a_test_file(pytester: pytest.Pytester, guests, page):
    sources = blocks(page, "python")
    pytester.makepyfile(**{f"test_block_{number}": source for number, source in enumerate(sources)})
    tests = sum(source.count("def test_") for source in sources)
    guests("-W", "error").assert_outcomes(passed=tests)


def test_the_first_session_works_as_it_is_typed(tmp_path):
    (session,) = blocks("README.md", "console")
    assert session.count("\n") < 10
    script = "\n".join(re.sub(r"^\$ ", "", line) for line in session.splitlines() if "pip install" not in line)
    # A port that may be taken on this machine, and a person's pause before typing on: nothing else is changed.
    script = script.replace("serve --unknown-models", "serve --port 0 --unknown-models")
    script = script.replace(" & servesim wait\n", " > lines &\n")
    ready = "server=$!; until grep -q NO_PROXY lines; do :; done; . ./lines; servesim wait\n"
    script = re.sub(r"export DATABRICKS_HOST.*\n", ready, script) + "\nkill $server; wait $server"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", "-euc", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.count('"name":"fraud"') == 2
    assert re.search(r'\{"predictions": \[0\.\d+\]\}$', run.stdout)


def test_the_https_of_the_guide_works_as_it_is_typed(tmp_path):
    pytest.importorskip("trustme")
    (script,) = (block for block in blocks("docs/guide.md", "sh") if "--tls" in block)
    script = script.replace("serve --tls", "serve --port 0 --tls").replace(" &\n", " & server=$!\n")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", "-euc", f"{script}\nkill $server; wait $server"],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout == '{"endpoints":[]}'


def test_the_profile_and_the_scenario_of_the_guide_are_read(tmp_path):
    profile, scenario, callers = blocks("docs/guide.md", "yaml")
    (tmp_path / "profile.yaml").write_text(profile, encoding="utf-8")
    (tmp_path / "world.yaml").write_text(scenario, encoding="utf-8")
    assert profile_named(str(tmp_path / "profile.yaml")).cold_start_ms == (30_000, 120_000)
    (tmp_path / "callers.yaml").write_text(callers, encoding="utf-8")
    worlds = read_scenarios([tmp_path / "world.yaml", tmp_path / "callers.yaml"])
    assert worlds["default"].options["seed"] == 7
    assert [client.id for client in worlds["staging"].clients] == ["0b7c-robot"]


def test_the_guide_lists_every_value_of_a_profile_with_its_grade():
    guide = (ROOT / "docs/guide.md").read_text(encoding="utf-8")
    for name, evidence in EVIDENCE.items():
        written = {"preview_state_words": "preview.state_words"}.get(name, name.removesuffix("_ms"))
        row = re.search(rf"\| `{written}` \| .* \| {evidence.grade}: {re.escape(evidence.source)} \|", guide)
        assert row, name
