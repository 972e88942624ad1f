"""docs/migrate.md: its session runs as it stands, in the world that it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/migrate.md").read_text(encoding="utf-8")
WORLDS = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, flags=re.DOTALL))
VARIABLES = {"NO_PROXY": "127.0.0.1", "DATABRICKS_CONFIG_FILE": "/dev/null"}

pytestmark = [pytest.mark.sdk, pytest.mark.deep]  # a dozen commands, each a process


def prepare(folder):
    """Write the worlds of the page."""
    for name, text in WORLDS.items():
        (folder / name).write_text(text)


def test_an_example_shows_what_is_so(example):
    example.check()
