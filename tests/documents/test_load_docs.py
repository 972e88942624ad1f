"""docs/load.md: every console example runs, and what it lists is what there is."""

from __future__ import annotations

import fnmatch
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from servesim.delivery.load import command
from servesim.load.ending import CODES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/load.md").read_text(encoding="utf-8")
COMMANDS = Path(sys.executable).parent

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("locust", "matplotlib")), reason="the extra `load` is missing"
)


def examples():
    """Read the page's session: commands with what they show."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


@pytest.fixture(scope="module")
def printed(shared, tmp_path_factory):
    """Give what each command of the session printed."""
    return shared("load-session", lambda: run_session(tmp_path_factory.mktemp("load")))


def run_session(folder):
    """Run the session in a folder that has the page's worlds."""
    for name, text in re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, flags=re.DOTALL):
        (folder / name).write_text(text)
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("DATABRICKS_", "SERVESIM_"))}
    commands = (f"printf '\\036'\n{command}" for command, _ in examples())
    run = subprocess.run(
        ["bash", "-c", "\n".join(["exec 2>&1", *commands])],
        env={**kept, "PATH": f"{COMMANDS}:{os.environ['PATH']}", "SERVESIM_VALIDATE_RESPONSES": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    return run.stdout.split("\036")[1:]


@pytest.mark.parametrize("number", range(len(examples())))
def test_an_example_shows_what_is_so(printed, number):
    _, shown = examples()[number]
    assert _fits(printed[number].splitlines(), shown), printed[number]


def _fits(lines, shown):
    """Tell whether lines are those that are shown, of which one of dots alone stands for any number."""
    if not shown:
        return not lines
    if shown[0].strip() == "...":
        return any(_fits(lines[start:], shown[1:]) for start in range(len(lines) + 1))
    return bool(lines) and _is(lines[0], shown[0]) and _fits(lines[1:], shown[1:])


def _is(line, shown):
    pattern = "*".join(part.replace("[", "[[]").replace("?", "[?]").replace("*", "[*]") for part in shown.split("..."))
    return fnmatch.fnmatchcase(line.rstrip(), pattern.rstrip())


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
