"""The README's sessions and tests, run as they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_first_test_passes_as_written(pytester: pytest.Pytester) -> None:
    """Run the first Python block as somebody's test file."""
    pytester.makepyfile(blocks("python")[0])
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
