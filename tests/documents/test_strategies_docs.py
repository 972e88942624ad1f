"""docs/strategies.md: its Python blocks are test files that pass, its sessions print what they show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from servesim.strategies import Reason

PAGE = (Path(__file__).parents[2] / "docs/strategies.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the page's code blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.deep
def test_every_python_block_passes_as_a_test_file(pytester: pytest.Pytester, guests):
    sources = blocks("python")
    pytester.makepyfile(**{f"test_block_{number}": source for number, source in enumerate(sources)})
    outcomes = guests("-W", "error").parseoutcomes()
    assert outcomes.keys() == {"passed"}
    assert outcomes["passed"] >= sum(max(1, source.count("def test_")) for source in sources)


@pytest.mark.deep
@pytest.mark.parametrize("number", range(len(blocks("console"))))
def test_a_session_prints_what_it_shows(tmp_path, number):
    shown = blocks("console")[number].splitlines()
    script = "\n".join(line[2:] for line in shown if line.startswith("$ "))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", "-euc", f"exec 2>&1\n{script}"],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    expected = [line for line in shown if not line.startswith("$ ")]
    printed = run.stdout.splitlines()
    assert len(printed) == len(expected), run.stdout
    for line, pattern in zip(printed, expected, strict=True):
        assert re.fullmatch(re.escape(pattern).replace(r"\.\.\.", ".*"), line.strip()), line


def test_every_reason_is_explained():
    rows = re.findall(r"(?m)^\| `([A-Z_0-9]+)` \| (.*?): .* \|$", PAGE)
    assert rows == [(reason.name, reason.value) for reason in Reason]
