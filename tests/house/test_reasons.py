"""Every exception to a rule has its reason beside it, in the code and in the settings."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ["simulator", "tests", "examples", "benchmarks", "loadtests"]
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if path != Path(__file__))

EXCEPTION = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:\s*no (?:cover|branch))(?P<rest>.*)")
REASON = re.compile(r"(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|\[[\w, -]+\])?\s*[#-]+\s*\w.*")


def without_reason(text: str) -> list[str]:
    """Quote the lines that lift a rule and don't say why; a run of equal exceptions needs one reason."""
    found, previous = [], ""
    for line in text.splitlines():
        exception = EXCEPTION.search(line)
        rest = exception["rest"].strip() if exception else ""
        if exception and not REASON.fullmatch(rest) and not (rest and rest in previous):
            found.append(line.strip())
        previous = line if exception else ""
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_code_says_why(path):
    assert without_reason(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "x = 1  # noqa: S101",
        "x = 1  # type: ignore[index]",
        "x = 1  # pragma: no cover",
        "x = 1  # noqa: S101, E501",
    ],
)
def test_a_bare_exception_is_found(line):
    assert without_reason(line) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "x = 1  # noqa: S101 - for the types",
        "x = 1  # noqa: S101, E501 - for the types",
        "x = 1  # type: ignore[index]  # the first is there",
        "x = 1  # pragma: no cover - not on Linux",
        "x = 1  # noqa: S101 - for the types\ny = 1  # noqa: S101",
    ],
)
def test_a_reason_is_enough(line):
    assert without_reason(line) == []


def settings() -> list[str]:
    """List the rules that pyproject.toml lifts."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    return lint["ignore"] + [rule for rules in lint["per-file-ignores"].values() for rule in rules]


def test_settings_say_why():
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    explained = [found[1] for line in lines if (found := re.fullmatch(r'\s+"([A-Z]+\d*)", +# \S.*', line))]
    assert sorted(explained) == sorted(settings())
