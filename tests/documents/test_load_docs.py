"""docs/load.md: every console example runs, and what it lists is what there is."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import click
import pytest

from servesim.delivery.load import command
from servesim.load.ending import CODES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/load.md").read_text(encoding="utf-8")
VARIABLES = {"SERVESIM_VALIDATE_RESPONSES": "1"}

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("locust", "matplotlib")), reason="the extra `load` is missing"
)


def prepare(folder):
    """Write the worlds of the page."""
    for name, text in re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, flags=re.DOTALL):
        (folder / name).write_text(text)


def test_an_example_shows_what_is_so(example):
    example.check()


def test_every_test_is_listed():
    listed = set(re.findall(r"(?m)^\| `(\w+)(?: FILE)?` \| .* \| (?:yes|no)(?:[;:] .*)? \|$", PAGE))
    assert listed | {"report"} == set(command.list_commands(click.Context(command)))


def test_the_exit_codes_are_those_that_the_command_has():
    assert {outcome: int(code) for outcome, code in re.findall(r"(?m)^\| `(\w+)` \| (\d) \|", PAGE)} == CODES


def test_every_option_that_is_named_exists():
    known = {"--help"}
    for name in command.list_commands(click.Context(command)):
        known |= {option for one in command.get_command(click.Context(command), name).params for option in one.opts}
    locust = {"--headless", "--host", "--run-time", "--spawn-rate"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-0-9]*", PAGE)) - locust <= known


def test_the_numbers_of_requests_are_those_of_the_plan():
    from servesim.verification import plan

    numbers = [f"{plan({'a': 90, 'b': 10}, detect).requests:,}" for detect in (1, 2, 5, 10)]
    told = "one point takes {} requests, two {}, five {}, ten {}.".format(*numbers)
    assert told in " ".join(PAGE.split())


def test_the_links_lead_somewhere():
    linked = {target for target in re.findall(r"\]\(([^)#]+)", PAGE) if "://" not in target}
    assert [target for target in linked if not (ROOT / "docs" / target).exists()] == []
