"""docs/dates.md: its tests pass, its world begins, its days are those of the code, and its options are taken."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from servesim.core.calendar import CALENDAR, iso
from servesim.delivery.serve import command
from servesim.service.settings import settings_from

PAGE = (Path(__file__).parents[2] / "docs/dates.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the page's code blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_its_tests_pass(pytester: pytest.Pytester, guests):
    (source,) = blocks("python")
    pytester.makepyfile(source)
    guests("-W", "error").assert_outcomes(passed=5)


def test_its_world_begins(servesim_server, tmp_path):
    (world,) = blocks("yaml")
    (tmp_path / "world.yaml").write_text(world, encoding="utf-8")
    with servesim_server.open(scenario=tmp_path / "world.yaml") as sim:
        assert [one["model"] for one in sim.model_endpoints.list()] == ["iris"]
        known = {one["what"]: one["link"] for one in sim.model_endpoints.calendar()}
        assert known["serverless_preview"] == "https://wiki.example.com/move"
        assert "operation:update_tags" in known


def test_its_command_line_is_taken():
    (line,) = blocks("console")
    words = shlex.split(line)
    assert words[:2] == ["servesim", "serve"]
    given = settings_from({"dates": command.make_context("serve", words[2:]).params["dates"]})
    assert [entry.what for entry in given.dates] == ["legacy", "operation:update_tags"]


def test_its_days_are_those_that_are_known():
    rows = dict(re.findall(r"(?m)^\| `([^`]+)`: (.*) \|$", PAGE))
    assert list(rows) == [ending.what for ending in CALENDAR]
    for ending in CALENDAR:
        for day in (ending.no_new_from, ending.retired_on):
            assert day is None or iso(day)[:10] in rows[ending.what]


def test_each_form_of_what_ends_is_one():
    forms = re.findall(r"(?m)^\| `((?:operation|field|value):[^`]+)` \| [^|]*\|$", PAGE)
    assert len(forms) == 4
    settings_from({"dates": dict.fromkeys(forms, "2026-04-01")})
