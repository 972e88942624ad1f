"""`servesim rehearse`: the steps of a scenario are taken, and what came is held against its file."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner

from servesim.delivery.cli import main
from servesim.delivery.rehearsal import Line, differences
from servesim.delivery.rehearse import folded
from servesim.service.shipped import shipped

WORLD = """
principals:
  - {user: ann@example.com, token: ann-token, admin: true}
  - {user: bob@example.com, token: bob-token}
models:
  - {name: churn, version: 1, stub: {constant: 0.1}, example: {inputs: [1]}}
endpoints:
  - {name: churn, config: {served_entities: [{entity_name: churn, entity_version: "1"}]}}
"""
REHEARSED = [
    path for path in sorted(shipped("scenarios").glob("*.yaml")) if "\nrehearsal:" in path.read_text(encoding="utf-8")
]


@pytest.fixture
def rehearse(tmp_path):
    """Run the command on a world with these steps; ``rest`` stands below them."""

    def run(steps, *options, rest="", world=WORLD):
        path = tmp_path / "world.yaml"
        path.write_text(f"{world}rehearsal:\n{steps}{rest}", encoding="utf-8")
        result = CliRunner().invoke(main, ["rehearse", str(path), *options], catch_exceptions=False)
        result.file = path
        return result

    return run


@pytest.mark.parametrize("path", REHEARSED, ids=lambda path: path.stem)
def test_a_shipped_rehearsal_goes_as_its_file_says(path):
    result = CliRunner().invoke(main, ["rehearse", path.stem, "--json"], catch_exceptions=False)
    came = json.loads(result.stdout)
    assert (came["changes"], came["missed"], result.exit_code) == ([], [], 0)
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["timeline"].count("\n") == len(came["timeline"])


def test_calls_and_events_stand_in_one_timeline(rehearse):
    result = rehearse(
        """
  - {call: GET /api/2.0/serving-endpoints/churn, say: How it is.}
  - {after: 5m, as: bob@example.com, call: POST /serving-endpoints/churn/invocations, body: {inputs: [1]}, expect: 403}
  - {at: "2026-01-05T10:00:00Z", call: POST /serving-endpoints/churn/invocations, body: {inputs: [1, 2]}}
"""
    )
    assert result.exit_code == 0, result.output
    lines = [line.split(maxsplit=4) for line in result.stdout.splitlines()]
    assert lines[1:] == [
        ["2026-01-05T09:00:00Z", "ann@example.com", "GET", "/api/2.0/serving-endpoints/churn", "200" + lines[1][4][3:]],
        ["2026-01-05T09:05:00Z", "bob@example.com", "POST", "/serving-endpoints/churn/invocations", lines[2][4]],
        ["2026-01-05T10:00:00Z", "ann@example.com", "POST", "/serving-endpoints/churn/invocations", "200"],
        ["2026-01-05T10:00:00Z", "churn", "answered", "churn-1", lines[4][4]],
    ]
    assert lines[1][4].endswith("How it is.")
    assert lines[2][4].startswith("403 PERMISSION_DENIED")


def test_an_answer_that_is_not_expected_is_told_with_its_step(rehearse):
    result = rehearse(
        """
  - {call: GET /api/2.0/serving-endpoints/none}
  - {call: GET /api/2.0/serving-endpoints/churn, expect: {body: {state: {ready: NOT_READY}}}}
"""
    )
    first, second = result.stderr.splitlines()
    assert result.exit_code == 1
    assert first.startswith("Error: step 1, GET /api/2.0/serving-endpoints/none: 404 came in place of 200: {")
    assert first.endswith("}")
    assert second.startswith('Error: step 2, GET /api/2.0/serving-endpoints/churn: state.ready is "READY" and not "NOT')


def test_a_timeline_that_is_not_so_is_a_difference(rehearse):
    steps = "  - {call: GET /api/2.0/serving-endpoints/churn}\n"
    other = "timeline: |\n  2026-01-05T09:00:00Z  ann@example.com  GET /api/2.0/serving-endpoints/churn  404\n"
    result = rehearse(steps, rest=other)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[2:] == [
        "-2026-01-05T09:00:00Z  ann@example.com  GET /api/2.0/serving-endpoints/churn  404",
        "+2026-01-05T09:00:00Z  ann@example.com  GET /api/2.0/serving-endpoints/churn  200",
    ]


def test_what_came_is_written_and_is_then_expected(rehearse):
    steps = "  # a remark that stays\n  - {after: 1m, call: GET /api/2.0/serving-endpoints/churn}\n"
    result = rehearse(steps, "--write", rest="timeline: |\n  what was\n\n  there\n")
    text = result.file.read_text(encoding="utf-8")
    assert result.exit_code == 0, result.output
    assert text.startswith(f"{WORLD}rehearsal:\n{steps}timeline: |\n  2026-01-05T09:01:00Z  ann@example.com  GET ")
    assert "there" not in text
    again = CliRunner().invoke(main, ["rehearse", str(result.file), "--json"])
    assert json.loads(again.stdout)["as_expected"] is True
    assert again.exit_code == 0


def test_a_key_below_the_timeline_is_not_written_over(rehearse):
    result = rehearse("  - {after: 1m}\n", "--write", rest="timeline: |\n  some\nseed: 4\n")
    assert result.exit_code == 2
    assert "has to be its last key" in result.stderr
    assert result.file.read_text(encoding="utf-8").endswith("seed: 4\n")


def test_the_operator_calls_the_admin_api_by_the_workspace_s_own_name(rehearse):
    steps = "  - {call: GET /_servesim/v1/workspaces/moving/clock, expect: {body: {mode: frozen}}}\n"
    result = rehearse(steps, "--json", world=f"workspace: moving\n{WORLD}")
    assert [line["who"] for line in json.loads(result.stdout)["timeline"]] == ["servesim"]
    assert result.exit_code == 0


def test_a_call_without_an_answer_can_be_expected(rehearse):
    fault = "faults: [{effect: reset, endpoint: churn, operation: query}]\n"
    steps = "  - {call: POST /serving-endpoints/churn/invocations, body: {inputs: [1]}, expect: 0}\n"
    result = rehearse(steps, rest=fault)
    assert (result.exit_code, "no answer" in result.stdout) == (0, True), result.output


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("{as: carl@example.com, call: GET /x}", "rehearsal[0].as: 'carl@example.com' is no principal of this world"),
        ("{at: '2020-01-01T00:00:00Z'}", "rehearsal[0].at: it is 2026-01-05T09:00:00Z by then"),
        ("{at: soon}", "rehearsal[0].at: 'soon' is not an instant"),
        ("{call: FETCH /x}", "rehearsal[0].call: "),
        ("{as: ann@example.com}", "rehearsal[0]: "),
        ("{after: 1m, at: '2026-01-06T00:00:00Z'}", "rehearsal[0]: "),
    ],
)
def test_a_step_that_cannot_be_taken_is_named(rehearse, step, says):
    result = rehearse(f"  - {step}\n")
    assert result.exit_code == 2
    assert says in result.stderr


def test_the_help_names_the_shipped_ones():
    told = CliRunner().invoke(main, ["rehearse", "--help"]).stdout
    assert [path.stem for path in REHEARSED if path.stem not in told] == []


def test_a_narrow_terminal_has_what_happened_below_its_instant():
    lines = [
        Line(
            "2026-01-05T09:00:00Z", "ann@example.com", "POST /model/iris/Production/invocations", "200", "The last one."
        ),
        Line("2026-01-05T09:00:00Z", "model/iris", "answered", "1", "200"),
        Line("2026-01-05T09:01:00Z", "model/iris", "deployment gone", "1"),
    ]
    assert list(folded(lines, 70)) == [
        "2026-01-05T09:00:00Z",
        "  ann@example.com  POST /model/iris/Production/invocations  200  The",
        "      last one.",
        "  model/iris  answered  1  200",
        "2026-01-05T09:01:00Z",
        "  model/iris  deployment gone  1",
    ]


def test_a_world_without_steps_says_so():
    result = CliRunner().invoke(main, ["rehearse", "canary-promotes"])
    assert (result.exit_code, "has no rehearsal" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("wanted", "found", "says"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 3}]}}, ["a.b[1].c is 3 and not 2"]),
        ([1], [1, 2], ["the answer is [1, 2] and not [1]"]),
        ({"a": None}, {}, []),
        ({"a": 1}, "text", ['the answer is "text" and not {"a": 1}']),
    ],
)
def test_an_object_may_hold_more_and_a_list_may_not(wanted, found, says):
    assert list(differences(wanted, found)) == says
