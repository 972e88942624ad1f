"""docs/retired.md: its tests and its session run as they stand, and its tables are those of the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

from servesim.core.enrolment import Enrolment, Step
from servesim.service.shipped import shipped

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/retired.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, flags=re.DOTALL))


def prepare(folder):
    """Write the worlds of the page."""
    for name, text in FILES.items():
        (folder / name).write_text(text)


def test_an_example_shows_what_is_so(example):
    example.check()


def test_the_tests_of_the_page_pass_as_they_stand(pytester, guests):
    prepare(pytester.path)
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    pytester.makepyfile(test_block=source)
    guests("-W", "error").assert_outcomes(passed=source.count("def test_"))


def test_the_steps_into_the_preview_are_those_there_are():
    table = PAGE[PAGE.index("## Into the preview") : PAGE.index("## What is different")]
    rows = re.findall(r"(?m)^\| ([a-z ]+) \| (?:`([a-z ]+)`)? ?\|", table)
    assert [state for state, _ in rows] == list(map(str, Enrolment))
    assert [step for _, step in rows[:-1]] == list(map(str, Step))


def test_every_key_of_a_step_is_listed():
    schema = json.loads(shipped("scenarios/scenario.schema.json").read_text(encoding="utf-8"))
    table = PAGE[PAGE.index("| a step has |") : PAGE.index("`timeline:` is the last key")]
    listed = {key for row in table.strip().splitlines() for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert listed == set(schema["$defs"]["step"]["properties"])


def test_every_shipped_rehearsal_is_listed():
    found = {path.stem for path in shipped("scenarios").glob("*.yaml") if "\nrehearsal:" in path.read_text()}
    listed = PAGE[PAGE.index("and go by name:") : PAGE.index("`servesim load retirement`")]
    assert set(re.findall(r"`([a-z-]+)`", listed)) - {"scenarios"} == found


def test_the_links_lead_somewhere():
    linked = {target for target in re.findall(r"\]\(([^)#]+)", PAGE) if "://" not in target}
    assert [target for target in linked if not (ROOT / "docs" / target).exists()] == []
