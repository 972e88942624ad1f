"""examples/canary.py: it decides right in both worlds of a canary, by what the real service tells alone."""

import ast
import contextlib
import http.client
import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys
from bisect import bisect
from functools import cache
from itertools import accumulate
from pathlib import Path

import pytest
import yaml

from servesim.core.draws import Draws

pytestmark = pytest.mark.sdk

ROOT = Path(__file__).parents[2]
FILE = ROOT / "examples/canary.py"
PAGE = (ROOT / "docs/canary.md").read_text(encoding="utf-8")
PROMOTES, ROLLS_BACK = (str(ROOT / f"scenarios/canary-{name}.yaml") for name in ("promotes", "rolls-back"))
ROW = json.dumps({"dataframe_records": [{"amount": 12.5, "country": "DE"}]})
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.deep) for seed in range(1, 30))]


@pytest.fixture(scope="module")
def canary():
    spec = importlib.util.spec_from_file_location("canary_of_the_examples", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def worlds(servesim_server):
    """Open worlds by their scenario and options."""
    with contextlib.ExitStack() as stack:
        yield lambda scenario, **options: stack.enter_context(
            servesim_server.open(scenario=scenario, poll="settle", **options)
        )


def minute(world, requests=100):
    """Return what lets a minute pass, at whose end others query the endpoint."""
    headers = {"Authorization": f"Bearer {world.token}", "Content-Type": "application/json"}

    def wait():
        world.clock.advance("60s")
        connection = http.client.HTTPConnection(world.host.removeprefix("http://"), timeout=60)
        for _ in range(requests):
            connection.request("POST", "/serving-endpoints/fraud/invocations", ROW, headers)
            connection.getresponse().read()
        connection.close()

    return wait


def rolled_out(canary, world, **options):
    """Return the exit code of a rollout and the challenger's share after it."""
    client = world.client()
    code = canary.Canary(client, "fraud", "challenger", minute(world), **{"enough": 30, **options}).run()
    return code, share(client)


def share(client):
    routes = client.serving_endpoints.get("fraud").config.traffic_config.routes
    return {route.served_model_name: route.traffic_percentage for route in routes}["challenger"]


def like_promotes(tmp_path, **changes):
    """Write the world of the better challenger with changes."""
    world = yaml.safe_load(Path(PROMOTES).read_text(encoding="utf-8")) | changes
    path = tmp_path / "world.yaml"
    path.write_text(yaml.safe_dump(world), encoding="utf-8")
    return str(path)


def given(printed):
    return [int(percent) for percent in re.findall(r"(?m)^challenger has (\d+) %$", printed)]


# --- both worlds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_challenger_that_is_as_good_is_promoted(canary, worlds, capsys, seed):
    assert rolled_out(canary, worlds(PROMOTES, seed=seed)) == (canary.PROMOTED, 100)
    assert given(capsys.readouterr().out) == [0, 10, 50, 100]


@pytest.mark.parametrize("seed", SEEDS)
def test_one_that_is_worse_is_rolled_back_at_the_first_step(canary, worlds, capsys, seed):
    assert rolled_out(canary, worlds(ROLLS_BACK, seed=seed)) == (canary.WORSE, 0)
    assert given(capsys.readouterr().out) == [0, 10, 0]


WORSE_BY = {
    "errors": {"effect": "status", "status": 500, "share": 0.3},
    "slow answers": {"effect": "delay", "delay": "100ms"},
}


@pytest.mark.parametrize("kind", WORSE_BY)
def test_either_kind_of_being_worse_is_enough(canary, worlds, tmp_path, capsys, kind):
    fault = {"entity": "challenger", "operation": "query", **WORSE_BY[kind]}
    assert rolled_out(canary, worlds(like_promotes(tmp_path, faults=[fault])), enough=200) == (canary.WORSE, 0)
    assert f"back to champion: challenger is worse by {kind}, " in capsys.readouterr().out


def test_the_worlds_differ_in_their_faults_alone():
    better, worse = (yaml.safe_load(Path(path).read_text(encoding="utf-8")) for path in (PROMOTES, ROLLS_BACK))
    assert better.pop("faults") != worse.pop("faults")
    for world in (better, worse):
        del world["endpoints"][0]["description"]
    assert better == worse


# --- what gets in between -------------------------------------------------------------------------


def test_an_update_that_fails_is_tried_again(canary, worlds, capsys):
    world = worlds(PROMOTES)
    world.faults.add(effect="fail", endpoint="fraud", skip=1, message="no capacity")
    assert rolled_out(canary, world) == (canary.PROMOTED, 100)
    printed = capsys.readouterr().out
    assert given(printed) == [0, 10, 50, 100]
    assert printed.count("not 50 %: ") == 1


def test_updates_that_go_on_failing_end_the_rollout(canary, worlds, capsys):
    world = worlds(PROMOTES)
    world.faults.add(effect="fail", endpoint="fraud", skip=1, times=6)
    assert rolled_out(canary, world) == (canary.BROKEN, 0)
    assert given(capsys.readouterr().out) == [0, 10, 0]


def test_a_rollback_that_fails_is_told(canary, worlds, capsys):
    world = worlds(ROLLS_BACK)
    world.faults.add(effect="fail", endpoint="fraud", skip=1, times=None)
    assert rolled_out(canary, world) == (canary.BROKEN, 10)
    assert "back to champion: challenger is worse by " in capsys.readouterr().out


def test_metrics_that_cannot_be_read_end_the_rollout_at_the_champion(canary, worlds):
    world = worlds(PROMOTES)
    world.faults.add(effect="status", operation="export_metrics", status=500, skip=3, times=1)
    assert rolled_out(canary, world) == (canary.BROKEN, 0)


def test_cold_starts_are_not_held_against_the_challenger(canary, worlds, tmp_path):
    world = worlds(like_promotes(tmp_path, profile={"idle_to_zero": "30s"}))
    world.clock.advance("31s")
    client = world.client()
    (entity,) = (e for e in client.serving_endpoints.get("fraud").config.served_entities if e.name == "challenger")
    assert entity.state.deployment_state_message == "Scaled to zero"

    assert rolled_out(canary, world, enough=50) == (canary.PROMOTED, 100)
    (used,) = (row for row in world.usage() if row["entity"] == "challenger")
    assert used["cold_starts"] >= 5  # one in each minute


def test_without_traffic_nothing_is_decided_and_nothing_changed(canary, worlds):
    world = worlds(PROMOTES)
    client = world.client()
    assert canary.Canary(client, "fraud", "challenger", lambda: world.clock.advance("60s")).run() == canary.UNDECIDED
    assert share(client) == 0


def test_too_little_traffic_ends_at_the_champion(canary, worlds, monkeypatch):
    monkeypatch.setattr(canary, "LOOKS", 2)
    assert rolled_out(canary, worlds(PROMOTES), enough=1_000) == (canary.UNDECIDED, 0)


def test_a_minute_is_counted_once(canary, worlds, monkeypatch, capsys):
    monkeypatch.setattr(canary, "LOOKS", 4)
    world = worlds(PROMOTES)
    client, wait = world.client(), minute(world)
    looks = iter(range(100))
    often = canary.Canary(client, "fraud", "challenger", lambda: next(looks) % 2 or wait(), enough=1_000)
    assert often.run() == canary.UNDECIDED
    assert len(re.findall(r"(?m)^challenger \{", capsys.readouterr().out)) == 2


@pytest.mark.parametrize("challenger", ["missing", "fraud"])
def test_an_endpoint_that_does_not_fit_is_named(canary, worlds, challenger):
    with pytest.raises(SystemExit, match=rf"fraud serves .*, and has to serve {challenger} and one other"):
        canary.Canary(worlds(PROMOTES).client(), "fraud", challenger, None)


# --- by what it decides ---------------------------------------------------------------------------


def test_it_knows_nothing_of_servesim_and_asks_for_what_the_real_service_has(canary, worlds):
    source = FILE.read_text(encoding="utf-8")
    assert source.count("\n") < 150
    assert "servesim" not in source
    imports = {node.module or "" for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imports} == {"collections", "databricks"}

    world = worlds(ROLLS_BACK)
    rolled_out(canary, world)
    asked = {(call.method, call.path) for call in world.requests(last=10_000)}
    endpoint = "/api/2.0/serving-endpoints/fraud"
    own = {("GET", endpoint), ("PUT", f"{endpoint}/config"), ("GET", f"{endpoint}/metrics")}
    assert {one for one in asked if one[1].startswith("/api/2.0/serving")} == own


def test_the_program_ends_with_the_verdict(canary, worlds, monkeypatch, tmp_path):
    world = worlds(ROLLS_BACK)
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))
    slept, wait = [], minute(world)
    monkeypatch.setattr(canary.time, "sleep", lambda seconds: slept.append(seconds) or wait())
    monkeypatch.setattr("sys.argv", ["canary.py", "fraud", "--challenger", "challenger"])
    with pytest.raises(SystemExit) as ended:
        canary.main()
    assert ended.value.code == canary.WORSE
    assert set(slept) == {60.0}


# --- the promise of its evidence ------------------------------------------------------------------

ANSWERS = 200
"""In a minute."""


@cache
def chances(runs, rate):
    return list(accumulate(math.comb(runs, k) * rate**k * (1 - rate) ** (runs - k) for k in range(runs + 1)))


def drawn(draw, runs, rate):
    """Return how often something with this rate happens in so many runs."""
    return min(bisect(chances(runs, rate), draw), runs)


def minutes(seed, steps, champion, challenger):
    """Yield the counts of one rollout, minute by minute: answers of the challenger, and bad ones of both."""
    fraction = Draws(seed).stream("canary").fraction
    ordinal = 0
    for percent, number in steps:
        for _ in range(number):
            ours = drawn(fraction(ordinal), ANSWERS, percent / 100)
            bad = drawn(fraction(ordinal + 1), ours, challenger)
            yield ours, bad, drawn(fraction(ordinal + 2), ANSWERS - ours, champion)
            ordinal += 3


def alarms(canary, runs, limit, rates, *, steps=((10, 30), (50, 10))):
    """Count the rollouts in which the evidence reaches a limit at any look."""
    found = 0
    for seed in range(runs):
        evidence = canary.Evidence()
        seen = minutes(seed, steps, *rates)
        found += any(evidence.add(ours / ANSWERS, bad, other) >= limit for ours, bad, other in seen)
    return found


def naive_alarms(runs, rate):
    """Count the rollouts without a worse challenger in which, in some minute, its error rate is twice the other's."""
    return sum(
        any(bad * (ANSWERS - ours) > 2 * other * ours for ours, bad, other in minutes(seed, ((10, 10),), rate, rate))
        for seed in range(runs)
    )


@pytest.mark.parametrize(
    ("runs", "alpha"), [(1_000, 0.05), pytest.param(20_000, 0.01, marks=pytest.mark.deep)], ids=["0.05", "0.01"]
)
@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_false_alarms_are_as_rare_as_promised(canary, runs, alpha, rate):
    bounds = pytest.importorskip("servesim.verification.bounds", exc_type=ImportError)
    # Two kinds of evidence, each held to half of alpha.
    assert bounds.upper_bound(alarms(canary, runs, 2 / alpha, (rate, rate)), runs) <= alpha / 2
    assert alarms(canary, runs // 10, 2 / alpha, (rate, rate / 2)) == 0


def test_a_challenger_with_five_times_the_errors_is_seen(canary):
    seen = alarms(canary, 300, 2 / 0.01, (0.01, 0.05), steps=((10, 20), (50, 4)))
    assert seen >= 0.98 * 300


def test_comparing_rates_by_eye_would_not_do():
    assert naive_alarms(300, 0.01) > 0.5 * 300


# --- the page -------------------------------------------------------------------------------------


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_examples_show_the_session_of_the_page():
    typed = "".join(f"{line}\n" for line in blocks("console")[0].splitlines() if line.startswith("$ "))
    assert typed in (ROOT / "examples/README.md").read_text(encoding="utf-8")


def test_the_tests_of_the_page_pass_as_they_stand(pytester, guests):
    (source,) = blocks("python")
    shutil.copy(FILE, pytester.path)
    shutil.copytree(ROOT / "scenarios", pytester.path / "scenarios")
    pytester.makepyfile(test_block=source)
    guests("-W", "error").assert_outcomes(passed=source.count("def test_"))


@pytest.mark.deep
def test_the_session_of_the_page_prints_what_it_shows(tmp_path):
    if importlib.util.find_spec("locust") is None:  # importing it would change the sockets of this process
        pytest.skip("needs locust")
    lines = blocks("console")[0].splitlines()
    script = "\n".join(line[2:] for line in lines if line.startswith("$ "))
    # A port that may be taken on this machine, and an end: nothing else is changed.
    ready = "until grep -q NO_PROXY lines; do :; done\n"
    script = script.replace("serve --", "serve --port 0 --")
    script = script.replace("servesim wait\n. ./lines\n", f"{ready}. ./lines\nservesim wait\n")
    for folder in ("examples", "scenarios"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "SERVESIM_"))}
    environ |= {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{environ['PATH']}"}
    command = ["bash", "-uc", f"trap 'kill $(jobs -p); wait' EXIT\n{script}"]
    run = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=100)
    assert run.returncode == 1, run.stdout + run.stderr
    shown = [re.escape(line).replace(r"\.\.\.", ".*") for line in lines if not line.startswith("$ ")]
    # The port and how many minutes it takes are the machine's.
    shown[0], shown[3] = shown[0].replace("8765", r"\d+"), f"{shown[3]}(\n{shown[3]})*"
    assert re.fullmatch("\n".join(shown) + "\n", run.stdout), run.stdout


def test_the_figures_of_the_page_are_those_of_the_code(canary):
    limit = 2 / 0.01
    for row in re.findall(r"(?m)^\| (\d+) %, (\d+) % \| (\d+) % \| (\d+) % \| (\d+) % \|$", PAGE):
        *rates, low, middle, high = (int(figure) / 100 for figure in row)
        for enough, percent in zip((100, 200, 400), (low, middle, high), strict=True):
            steps = ((10, enough // 20), (50, enough // 100))
            assert round(alarms(canary, 400, limit, rates, steps=steps) / 400, 2) == percent, row
    assert "in 85 of 100 rollouts" in PAGE
    assert round(naive_alarms(1_000, 0.01) / 10) == 85
