"""`servesim demo`: the whole of it with real models, what it says when a step does not hold, and its report."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from rich.console import Console

from servesim.core.workspace import LogLine
from servesim.delivery import demo
from servesim.delivery.cli import main
from servesim.delivery.client import Target, call
from servesim.delivery.demo_report import Check, Run, Teller, document, events
from servesim.delivery.demo_run import take
from servesim.delivery.demo_stage import Unmet
from servesim.delivery.demo_story import STORY, Step
from servesim.delivery.demo_words import spoken
from servesim.delivery.handle import LocalServer

START = 1767603600000
MINUTE = 60_000

# A shell whose settings would lead the demo's clients anywhere but to its server.
HOSTILE = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "NO_PROXY": "",
    "DATABRICKS_HOST": "http://127.0.0.1:9",
    "DATABRICKS_CONFIG_PROFILE": "none",
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
    "MLFLOW_RUN_ID": "none",
    "COLUMNS": "80",
}


def run_demo(*arguments, prepare=""):
    """Run the command in a process of its own, after some lines of Python."""
    code = f"{prepare}\nfrom servesim.delivery.cli import main\nmain({['demo', *arguments]!r})"
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | HOSTILE, capture_output=True, text=True, check=False
    )


# --- with real models -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(shared, tmp_path_factory):
    """A run that kept its models, and the folder in which it did."""
    pytest.importorskip("mlflow")

    def run():
        folder = tmp_path_factory.mktemp("demo") / "kept models"
        ran = run_demo("--keep", str(folder))
        assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout + ran.stderr
        return ran, folder

    return shared("demo", run)


@pytest.mark.mlflow
@pytest.mark.sdk
def test_every_step_holds(kept):
    ran, folder = kept
    assert ran.stdout.count("✓") == len(STORY)
    assert "All 15 steps held: 52 min 10 s of simulated time in " in ran.stdout
    steps, _, rest = ran.stdout.partition("Simulated timeline")
    timeline, _, _ = rest.partition("All 15 steps")
    for line in (
        "09:10:00  +0:10:00  deployment loading         forest, logistic",
        "                    215 queries answered       forest 28, logistic 187",
        "09:42:10  +0:42:10  deployment ready           forest",
        "                    update failed              iris: version 4",
    ):
        assert line in timeline
    assert str(folder.parent) not in steps + timeline
    assert max(map(len, (steps + timeline).splitlines())) <= 80


@pytest.mark.mlflow
@pytest.mark.sdk
def test_the_models_that_were_kept_can_be_served_and_scored(kept, monkeypatch):
    ran, folder = kept
    registry = f"sqlite:///{folder / 'mlflow.db'}"
    assert f"servesim serve --mlflow-registry '{registry}'" in ran.stdout
    with LocalServer() as server:
        here = server.open(mlflow_registry=registry, poll="settle")
        monkeypatch.setenv("DATABRICKS_HOST", here.host)
        monkeypatch.setenv("DATABRICKS_TOKEN", here.token)
        entity = {"entity_name": "main.iris.species", "entity_version": "1"}
        body = json.dumps({"name": "mine", "config": {"served_entities": [entity]}}).encode()
        target = Target(here.host, here.token)
        assert call(target, "/api/2.0/serving-endpoints", body).well
        here.clock.advance("11m")
        result = CliRunner().invoke(main, ["invoke", "mine", "--example"], catch_exceptions=False)
    assert result.exit_code == 0
    predictions = json.loads(result.stdout)["predictions"]
    assert len(predictions) == 2
    assert set(predictions) <= {"setosa", "versicolor", "virginica"}
    assert result.stderr.startswith("served entity species-1, request ")


@pytest.mark.deep
@pytest.mark.mlflow
@pytest.mark.sdk
def test_a_wrong_prediction_is_noticed():
    pytest.importorskip("mlflow")
    wrong = """
from servesim.delivery import demo_models
right = demo_models.train_and_register
def train_and_register(folder):
    trained = right(folder)
    trained.predictions["forest"][trained.sample()[0]] = "tulip"
    return trained
demo_models.train_and_register = train_and_register
"""
    ran = run_demo("--json", prepare=wrong)
    assert (ran.returncode, ran.stderr) == (1, "")
    report = json.loads(ran.stdout)
    assert [step["held"] for step in report["steps"]] == [True, True, False]
    failed = report["steps"][-1]
    assert failed["name"] == "Query with dataframe_split"
    assert failed["expected"] == "each model predicts what scikit-learn itself does"
    assert failed["came"].startswith("forest predicts ['")
    assert "scikit-learn ['tulip', " in failed["came"]
    assert report["not_reached"] == [step.title for step in STORY[3:]]
    assert not report["held"]
    assert report["timeline"][-1]["what"].endswith("answered")


# --- the command ----------------------------------------------------------------------------------


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(demo, "_PACKAGES", ("json", "package_that_is_not_there"))
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 1
    assert "pip install 'servesim[mlflow,clients]'" in result.stderr
    assert "package_that_is_not_there" in result.stderr


@pytest.fixture
def present(monkeypatch):
    """Whatever the demo needs is there."""
    monkeypatch.setattr(demo, "_PACKAGES", ())


def test_a_folder_in_use_is_refused(present, tmp_path):
    (tmp_path / "mine").touch()
    result = CliRunner().invoke(main, ["demo", "--keep", str(tmp_path)])
    assert result.exit_code == 2
    assert "is not empty" in result.stderr


def test_a_file_is_no_folder(present, tmp_path):
    (tmp_path / "mine").touch()
    result = CliRunner().invoke(main, ["demo", "--keep", str(tmp_path / "mine")])
    assert result.exit_code == 2
    assert "is not a folder to write to" in result.stderr


@pytest.mark.parametrize("held", [True, False])
def test_the_exit_code_says_whether_all_held(present, monkeypatch, held):
    seen = {}

    def run(folder, *, keep, as_json):
        seen.update(folder=folder, keep=keep, as_json=as_json, proxies=os.environ["NO_PROXY"])
        seen["set"] = [name for name in os.environ if name.startswith("DATABRICKS_")]
        (folder / "model").touch()
        return held

    monkeypatch.setattr("servesim.delivery.demo_run.run", run)
    monkeypatch.setenv("DATABRICKS_HOST", "https://elsewhere")
    monkeypatch.setenv("NO_PROXY", "example.com")
    assert CliRunner().invoke(main, ["demo", "--json"]).exit_code == (not held)
    assert not seen.pop("folder").exists()
    assert seen == {"keep": False, "as_json": True, "proxies": "127.0.0.1,localhost", "set": []}
    assert (os.environ["DATABRICKS_HOST"], os.environ["NO_PROXY"]) == ("https://elsewhere", "example.com")


# --- the run and its report -----------------------------------------------------------------------


def tell(width=80, **settings):
    """Return a teller and what it writes to."""
    file = io.StringIO()
    return Teller(Console(file=file, width=width, highlight=False, **settings)), file


def steps(*outcomes):
    """Make steps that return or raise these."""

    def take_one(outcome):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return tuple(
        Step(f"step {number}", f"expected {number}", lambda _, outcome=outcome: take_one(outcome))
        for number, outcome in enumerate(outcomes)
    )


@pytest.mark.parametrize(
    ("raised", "came"),
    [(Unmet("something else"), "something else"), (KeyError("predictions"), "KeyError: 'predictions'")],
)
def test_the_first_step_that_does_not_hold_is_the_last(raised, came):
    teller, file = tell()
    stage = SimpleNamespace(now=lambda: START)
    checks = take(steps("fine", raised, "never"), stage, teller)
    assert checks == [
        Check("step 0", "expected 0", "fine", held=True, instant=START),
        Check("step 1", "expected 1", came, held=False, instant=START),
    ]
    told = [line.rstrip() for line in file.getvalue().splitlines()]
    assert told == [
        "09:00:00 ✓ step 0",
        "           fine",
        "09:00:00 ✗ step 1",
        "           expected: expected 1",
        f"           came: {came}",
    ]


def test_a_terminal_without_signs_gets_words():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    teller = Teller(Console(file=file, width=80))
    teller.done(Check("a step", "", "fine", held=True, instant=START))
    file.seek(0)
    assert file.read().startswith("09:00:00 ok a step")


def test_a_terminal_shows_what_is_being_done():
    teller, file = tell(force_terminal=True, force_interactive=True)
    take(steps("fine"), SimpleNamespace(now=lambda: START), teller)
    assert "step 0 …" in file.getvalue()


LOG = [
    LogLine(START, "model added", "", "main.iris.species", "1"),
    LogLine(START, "config asked for", "iris", "someone@example.com", "version 1"),
    LogLine(START, "deployment building", "iris", "a", ""),
    LogLine(START, "deployment building", "iris", "b", ""),
    LogLine(START + 10 * MINUTE, "deployment loading", "iris", "a", ""),
    LogLine(START + 10 * MINUTE, "deployment failed", "iris", "a", "OSError: no table"),
    LogLine(START + 10 * MINUTE, "deployment loading", "iris", "b", ""),
    LogLine(START + 10 * MINUTE, "answered", "iris", "b", "200"),
    LogLine(START + 10 * MINUTE, "answered", "iris", "a", "200"),
    LogLine(START + 11 * MINUTE, "answered", "iris", "a", "200"),
    LogLine(START + 11 * MINUTE, "endpoint deleted", "iris", "", ""),
    LogLine(START + 11 * MINUTE, "answered", "iris", "a", "200"),
]


def a_run(*checks, skipped=()):
    return Run(checks, skipped, tuple(events(LOG, START)), START, 12.34)


def test_the_timeline_says_what_moved_when():
    teller, file = tell()
    teller.timeline(a_run())
    told = [line.rstrip() for line in file.getvalue().splitlines() if line.strip()]
    assert told[0] == "Simulated timeline, 2026-01-05, UTC"
    assert told[3:] == [
        "09:00:00  +0:00:00  model added          main.iris.species: 1",
        "                    config asked for     iris: version 1",
        "                    deployment building  a, b",
        "09:10:00  +0:10:00  deployment loading   a, b",
        "                    deployment failed    a: OSError: no table",
        "                    2 queries answered   a 1, b 1",
        "09:11:00  +0:11:00  1 query answered     a 1",
        "                    endpoint deleted     iris",
        "                    1 query answered     a 1",
    ]


@pytest.mark.parametrize("width", [40, 60, 120])
def test_the_report_fits_the_terminal(width):
    teller, file = tell(width)
    teller.begin()
    teller.done(Check("a step with a long name, so long that it wraps", "", "fine " * 30, True, START))
    teller.timeline(a_run())
    assert max(map(len, file.getvalue().splitlines())) <= width


def test_colors_are_left_out_where_nobody_wants_them(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    teller, file = tell(force_terminal=True)
    teller.timeline(a_run())
    assert "\x1b[3" not in file.getvalue()


def test_the_end_names_what_did_not_hold():
    teller, file = tell()
    good = Check("one", "x", "x", held=True, instant=START)
    bad = Check("two", "this", "that", held=False, instant=START + MINUTE)
    teller.end(a_run(good, bad, skipped=("three", "four")))
    assert file.getvalue() == "Did not hold: two\nexpected: this\ncame: that\nNot reached: three; four\n"


def test_the_end_gives_both_times():
    teller, file = tell()
    run = a_run(Check("one", "x", "x", held=True, instant=START + 72 * MINUTE + 3000))
    teller.end(run)
    assert run.held
    assert file.getvalue() == "All 1 steps held: 1 h 12 min 3 s of simulated time in 12.3 s.\n"


def test_the_document_holds_steps_and_timeline():
    bad = Check("two", "this", "that", held=False, instant=START + MINUTE)
    report = document(a_run(bad, skipped=("three",)))
    assert report["held"] is False
    assert report["steps"] == [
        {"name": "two", "expected": "this", "came": "that", "held": False, "simulated": "2026-01-05T09:01:00Z"}
    ]
    assert report["not_reached"] == ["three"]
    assert report["timeline"][2] == {
        "instant": "2026-01-05T09:00:00Z",
        "elapsed_ms": 0,
        "what": "deployment building",
        "endpoint": "iris",
        "subject": "a",
        "detail": "",
    }
    assert (report["simulated_seconds"], report["real_seconds"]) == (60.0, 12.3)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (30, "30 s"), (600, "10 min"), (3661, "1 h 1 min 1 s"), (7200, "2 h")]
)
def test_durations_in_words(seconds, words):
    assert spoken(seconds) == words


def test_help_imports_nothing_heavy():
    heavy = ("rich", "mlflow", "databricks", "sklearn")
    code = f"import sys, servesim.delivery.cli; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
