"""The lists of docs/stability.md are those of the code."""

import json
import re
import tomllib
from pathlib import Path

import click
import pytest

from servesim.core.profile import DATED, EVIDENCE
from servesim.delivery.cli import COMMANDS, main
from servesim.delivery.findings import SUPPORTED
from servesim.delivery.operations import Part
from servesim.delivery.pending import Pending
from servesim.service.settings import SETTINGS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/stability.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXIT_CODES = dict(re.findall(r"(?m)^\| `servesim (\w+)` \| (.*) \|$", PAGE))


def listed(label):
    """Return the names in the item or row of the page that begins with a label."""
    item = re.search(rf"(?ms)^(?:- |\| ){re.escape(label)}(?:: | \| )(.*?)(?:\.$| \|$)", PAGE)
    return set(re.findall(r"`([^`]+)`", item[1]))


def public(value):
    return {name for name in dir(value) if not name.startswith("_")}


def test_the_commands_are_those_there_are():
    assert tuple(EXIT_CODES) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_exit_codes_are_those_that_the_help_says(name):
    told = re.search(r"Exit code (.*)", " ".join((main.get_command(click.Context(main), name).help or "").split()))
    assert told, f"the help of servesim {name} says no exit codes"
    in_help = re.findall(r"(?:^|, |or )(\d+)(?= or |:)", told[1])
    assert re.findall(r"(?:^|, |or )(\d+)(?= )", EXIT_CODES[name]) == in_help


def test_the_plugin_has_these_options(guests):
    shown = guests("--help").stdout.str()
    assert listed("Options") == set(re.findall(r"--servesim-[a-z-]+", shown))


def test_the_plugin_has_these_fixtures(guests):
    shown = guests("--fixtures", "-p", "no:cacheprovider").stdout.str()
    assert listed("Fixtures") == set(re.findall(r"(?m)^(servesim\w*)", shown))


def test_the_marker_takes_these_arguments(guests):
    arguments = listed("Arguments of `@pytest.mark.servesim`")
    assert arguments == {"scenario", *SETTINGS}
    shown = guests("--markers").stdout.str()
    described = re.search(r"@pytest\.mark\.servesim\((.*?)\)", shown, re.DOTALL)[1]
    assert arguments == set(re.findall(r"(\w+)=", described))


def test_a_scenario_takes_every_setting():
    schema = json.loads((ROOT / "scenarios/scenario.schema.json").read_text(encoding="utf-8"))
    assert set(SETTINGS) <= schema["$defs"]["scenario"]["properties"].keys()


def test_the_handles_have_these_names(servesim, servesim_server):
    inside = {"workspace"}
    names = public(servesim) - inside
    assert listed("the handle") == names
    handles = {name for name in names if isinstance(getattr(servesim, name), Part)} - {"aio"}
    assert handles >= {"clock", "models"}
    for name in handles:
        assert listed(f"`.{name}`") == public(getattr(servesim, name)), name
    assert public(servesim.aio) - inside <= names
    assert listed("what `.start` returns") == public(Pending)
    assert listed("`servesim_server`") <= public(servesim_server)


def test_the_grades_are_those_there_are():
    graded = re.findall(r"(?m)^\| `(\w+)` \| .* \| .* \|$", PAGE)
    assert graded == ["recorded", "documented", "observed", "chosen"]
    assert {evidence.grade for evidence in EVIDENCE.values()} <= set(graded)


def test_the_months_are_those_there_are():
    named = re.search(r"There\s+are: (.*?)\.", PAGE)[1]
    months = [f"faithful@{month}" for month in DATED]
    assert re.findall(r"`([^`]+)`", named) == months
    schema = json.loads((ROOT / "scenarios/scenario.schema.json").read_text(encoding="utf-8"))
    assert schema["$defs"]["profile"]["properties"]["base"]["enum"] == ["faithful", *months, "instant", "load"]


def test_the_versions_are_those_that_are_declared_and_tried():
    (pythons,) = re.findall(r"\| Python \| (.*) \|", PAGE)
    classifiers = [one.rpartition(" ")[2] for one in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", one)]
    assert pythons.split(", ") == classifiers
    assert PROJECT["requires-python"] == f">={classifiers[0]}"
    for name, least in SUPPORTED.items():
        assert re.search(rf"(?m)^\| {name} \| from {re.escape(least)} on", PAGE, re.IGNORECASE), name
    declared = [*PROJECT["optional-dependencies"]["clients"], *PROJECT["optional-dependencies"]["mlflow"]]
    assert {"databricks-sdk>=" + SUPPORTED["databricks-sdk"], "mlflow>=" + SUPPORTED["mlflow"]} <= set(declared)
    assert f"databricks-sdk=={SUPPORTED['databricks-sdk']}.0" in (ROOT / "tox.ini").read_text(encoding="utf-8")
    assert f"openai>={SUPPORTED['openai']}" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
