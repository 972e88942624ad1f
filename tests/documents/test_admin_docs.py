"""docs/admin.md: every example runs against a real server, and every operation and command has one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from servesim.http.admin import OPERATIONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/admin.md").read_text(encoding="utf-8")


def test_an_example_shows_what_is_so(example):
    example.check_in_any_order()


def test_the_server_prints_the_lines_that_the_page_shows(session):
    start = re.search(r"```console\n(.*?)```", PAGE, flags=re.DOTALL)[1].splitlines()
    printed = [line for line in session[1].splitlines() if line.startswith("export ")]
    assert start[1:] == [re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8765", line) for line in printed]


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: f"{row.method} {row.path}")
def test_every_operation_is_listed_and_has_an_example_that_succeeds(session, row):
    if row.path.count("/") > 2:
        assert f"| `{row.method} {row.path}` |" in PAGE
    path = re.sub(r"\\\{\w+\\\}", "[^/?]+", re.escape(row.path))
    assert re.search(rf"(?m)^- {row.method} {path}(\?\S*)? -> 20[01]$", session[1]), "no example calls it with success"


def test_every_operation_that_is_listed_exists():
    listed = set(re.findall(r"(?m)^\| `([A-Z]+ /_servesim/v1\S*)` \|", PAGE))
    assert listed <= {f"{row.method} {row.path}" for row in OPERATIONS}


@pytest.mark.parametrize("name", ["clock", "models", "timeline", "usage", "wait", "why", "workspace", "requests"])
def test_every_command_that_uses_the_api_has_an_example(name):
    assert re.search(rf"(?m)^\$ servesim {name}\b", PAGE)
