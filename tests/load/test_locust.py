"""The locust files as locust runs them, against servers of their own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from servesim.load.document import checked

ROOT = Path(__file__).parents[2]
WORLD = """
seed: 1
models:
  - {{name: main.ml.fraud, version: 1, stub: {{constant: 0.1}}, signature: {{amount: double}}{time}}}
  - {{name: main.ml.fraud, version: 2, stub: {{constant: 0.9}}, signature: {{amount: double}}{time}}}
endpoints:
  - name: fraud
    config:
      served_entities:
        - {{name: champion, entity_name: main.ml.fraud, entity_version: "1", scale_to_zero_enabled: true{size}}}
        - {{name: challenger, entity_name: main.ml.fraud, entity_version: "2", scale_to_zero_enabled: true}}
      traffic_config:
        routes:
          - {{served_entity_name: champion, traffic_percentage: {share}}}
          - {{served_entity_name: challenger, traffic_percentage: {rest}}}
{more}
"""
SKEW = "faults: [{effect: skew, split: {champion: 80, challenger: 20}}]"
# Six hundred requests, whoever has the users, and then the end.
COUNTED = """
import json
import os
import gevent
from locust import FastHttpUser, HttpUser, events, task
from locust.runners import WorkerRunner

@events.test_start.add_listener
def watch(environment, **_):
    if not isinstance(environment.runner, WorkerRunner):
        gevent.spawn(end, environment)

def end(environment):
    while environment.stats.total.num_requests < 600:
        gevent.sleep(0.1)
    environment.runner.quit()

class Caller({kind}):
    def on_start(self):
        self.left = 150
        with open(os.environ["INPUT"], "r") as file:
            self.request = json.load(file)

    @task
    def query(self):
        if self.left:
            self.left -= 1
            headers = {{"Authorization": "Bearer " + os.environ["DATABRICKS_TOKEN"]}}
            self.client.post("{slash}serving-endpoints/fraud/invocations", headers=headers, json=self.request)
        else:
            gevent.sleep(0.1)
"""


@pytest.fixture
def world(tmp_path, server_process):
    """Start a server with a world; ``share`` is the champion's."""

    def start(*, share=90, size="", time="", more="", profile="instant"):
        text = WORLD.format(share=share, rest=100 - share, size=size, time=time, more=more)
        path = tmp_path / f"world-{len(list(tmp_path.iterdir()))}.yaml"
        path.write_text(text, encoding="utf-8")
        return server_process("--scenario", str(path), "--clock", "paced", "--profile", profile)

    return start


class Locust:
    """One run of locust, begun."""

    def __init__(self, folder, server, files, *arguments, admin=True, **settings):
        self.result = folder / "run.json"
        self.progress = folder / "progress.jsonl"
        asked = {**settings, "result": str(self.result), "progress": str(self.progress)}
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("DATABRICKS_", "SERVESIM_"))}
        tokens = {"DATABRICKS_TOKEN": server.token(), "INPUT": str(folder / "input.json")}
        if admin:
            tokens["SERVESIM_ADMIN_TOKEN"] = server.token(admin=True)
        host = f"http://{server.address}"
        command = [sys.executable, "-m", "locust", "-f", files, "--headless", "--only-summary", "--host", host]
        self.process = subprocess.Popen(
            [*command, *arguments],
            env={**kept, **tokens, "SERVESIM_LOAD": json.dumps(asked)},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def has_counted(self, what="requests"):
        """Tell whether its progress speaks of requests, or of those that were judged."""
        lines = self.progress.read_text(encoding="utf-8").splitlines() if self.progress.exists() else []
        return any(json.loads(line).get(what) for line in lines)

    def end(self):
        """Wait for it; return its exit code and the document, None if it left none."""
        self.said, _ = self.process.communicate(timeout=100)
        document = json.loads(self.result.read_text(encoding="utf-8")) if self.result.exists() else None
        return self.process.returncode, None if document is None else checked(document)


@pytest.fixture
def locust(tmp_path):
    """Begin a run of locust in a folder of its own; all have ended with the test."""
    begun = []

    def begin(server, files, *arguments, **settings):
        folder = tmp_path / f"run-{len(begun)}"
        folder.mkdir()
        (folder / "input.json").write_text('{"dataframe_split": {"columns": ["amount"], "data": [[1.0]]}}')
        begun.append(Locust(folder, server, str(files), *arguments, **settings))
        return begun[-1]

    yield begin
    for run in begun:
        if run.process.poll() is None:
            run.process.kill()
        if not run.process.stdout.closed:
            run.process.communicate()


def ours(name):
    """Return the path of a locust file of servesim's."""
    return ROOT / "loadtests" / f"{name}.py"


def free_port():
    """Return a port that nobody listens on now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return str(listening.getsockname()[1])


def script(folder, kind="FastHttpUser", slash="/"):
    """Write a locust file that knows nothing of servesim, and return it with the plugin."""
    path = folder / "counted.py"
    path.write_text(COUNTED.format(kind=kind, slash=slash), encoding="utf-8")
    return f"{path},{ROOT / 'simulator/servesim/load/plugin.py'}"


def test_a_skewed_router_is_caught_in_every_format_and_the_run_is_told_as_it_goes(world, locust):
    server = world(more=SKEW)
    run = locust(server, ours("traffic_split"), "-u", "4", "-r", "4", "--detect", "5", endpoint="fraud", admin=False)
    code, document = run.end()
    assert (code, document["outcome"], document["simulated"]) == (1, "fail", False), run.said
    assert "'challenger' has " in document["judgements"][0]["why"]
    assert set(document["requests"]["by_format"]) == {
        "csv",
        "dataframe_records",
        "dataframe_split",
        "inputs",
        "instances",
    }
    lines = [json.loads(line) for line in run.progress.read_text().splitlines()]
    assert lines[-1]["needed"] == document["judgements"][0]["requests_planned"]
    assert (lines[-1]["requests"], lines[-1]["outcome"]) == (document["requests"]["count"], "fail")
    assert server.token() not in run.said + run.result.read_text()


def test_a_master_with_two_workers_counts_and_judges_as_one_process(world, locust, tmp_path):
    """Who answers is drawn by the number of the request, so that the same requests have the same answers."""
    file, users = script(tmp_path), ("-u", "4", "-r", "4")
    port = free_port()
    several = ("--processes", "2", "--master-bind-port", port, "--master-port", port)
    runs = [locust(world(), file, *users, *more, detect=10) for more in ((), several)]
    (code, alone), (other_code, merged) = (run.end() for run in runs)
    assert (code, other_code, alone["processes"], merged["processes"]) == (0, 0, 1, 2), [run.said for run in runs]
    assert alone["judgements"][0]["counts"] == merged["judgements"][0]["counts"]
    assert alone["judgements"][0]["requests"] == alone["requests"]["count"] == merged["requests"]["count"] == 600
    assert alone["judgements"][0]["outcome"] == merged["judgements"][0]["outcome"] == "pass"


@pytest.mark.deep
def test_a_worker_that_is_lost_ends_the_judging_and_is_named(world, locust):
    server, port = world(), free_port()
    workers = [locust(server, ours("traffic_split"), "--worker", "--master-port", port) for _ in range(2)]
    alone = ("-u", "2", "-r", "2", "--master", "--master-bind-port", port, "--expect-workers", "2", "--duration", "12")
    master = locust(server, ours("traffic_split"), *alone, detect=1.0)
    while not master.has_counted("judged") and master.process.poll() is None:
        pass
    workers[0].process.kill()
    code, document = master.end()
    assert (code, document["outcome"], document["processes"]) == (4, "inconclusive", 2), master.said
    assert "have not been answered, of workers " in " ".join(document["notes"])
    assert 0 < document["judgements"][0]["requests"] < document["requests"]["count"]


@pytest.mark.deep
def test_a_split_that_is_kept_passes(world, locust):
    run = locust(world(), ours("traffic_split"), "-u", "4", "-r", "4", detect=5.0)
    code, document = run.end()
    assert (code, document["outcome"], document["endpoint"]) == (0, "pass", "fraud"), run.said
    (judgement,) = document["judgements"]
    assert judgement["requests"] == document["requests"]["count"] >= judgement["requests_planned"]


@pytest.mark.deep
def test_a_run_that_is_too_short_decides_nothing(world, locust):
    code, document = locust(world(), ours("traffic_split"), "-u", "1", "--duration", "2", "--detect", "1").end()
    assert (code, document["outcome"]) == (4, "inconclusive")
    assert "of 41,500 requests so far" in document["judgements"][0]["why"]


@pytest.mark.deep
def test_a_limit_that_is_not_kept_fails(world, locust):
    code, document = locust(world(), ours("traffic_split"), "-u", "2", "--min-rps", "1000000", detect=10.0).end()
    assert (code, [check["outcome"] for check in document["checks"]]) == (1, ["fail"])
    assert document["judgements"][0]["outcome"] == "pass"


@pytest.mark.deep
def test_a_rollout_is_judged_step_by_step_and_taken_back(world, locust):
    server = world()
    run = locust(server, ours("rollout"), "-u", "4", "-r", "4", "--detect", "10", "--drain", "1")
    code, document = run.end()
    assert (code, document["outcome"]) == (0, "pass"), run.said
    assert [one["name"] for one in document["judgements"]] == ["10 %", "50 %", "100 %"]
    assert [one["split"]["challenger"] for one in document["judgements"]] == [10, 50, 100]
    for phase, judgement in zip(
        [one for one in document["phases"] if one["split"]], document["judgements"], strict=True
    ):
        assert phase["from_s"] + 1 <= judgement["from_s"] < judgement["to_s"] <= phase["to_s"]
    _, body = server.call("GET", "/api/2.0/serving-endpoints/fraud")
    assert [one["traffic_percentage"] for one in json.loads(body)["config"]["traffic_config"]["routes"]] == [90, 10]


@pytest.mark.deep
def test_a_rollout_ends_at_the_step_that_fails(world, locust):
    server = world(more="faults: [{effect: skew, split: {champion: 90, challenger: 10}}]")
    run = locust(server, ours("rollout"), "-u", "4", "-r", "4", "--detect", "10", "--drain", "0", "--no-restore")
    code, document = run.end()
    assert (code, [one["outcome"] for one in document["judgements"]]) == (1, ["pass", "fail"]), run.said
    _, body = server.call("GET", "/api/2.0/serving-endpoints/fraud")
    assert [one["traffic_percentage"] for one in json.loads(body)["config"]["traffic_config"]["routes"]] == [50, 50]


@pytest.mark.deep
def test_a_burst_on_a_sleeping_endpoint_is_answered_in_order(world, locust):
    run = locust(world(profile="load", time=", service_time: 20ms"), ours("cold_start"), "-u", "15", "-r", "100")
    code, document = run.end()
    assert (code, document["outcome"], document["requests"]["count"]) == (0, "pass", 30), run.said
    assert [check["name"] for check in document["checks"]] == [
        "all answered",
        "requests are held",
        "first in, first out",
        "first answer",
    ]
    assert sum(row["cold_starts"] for row in document["capacity"]) >= 2
    assert max(document["series"][-1]["provisioned"].values()) > 0


@pytest.mark.deep
@pytest.mark.parametrize("retired", ["2025-09-15T00:00:00Z", "2025-09-15T00:00:09Z"], ids=["as announced", "late"])
def test_traffic_across_the_end_of_a_surface_is_answered_up_to_it_and_refused_from_it_on(
    locust, server_process, tmp_path, retired
):
    world = tmp_path / "world.yaml"
    shipped = (ROOT / "scenarios/retirement.yaml").read_text(encoding="utf-8")
    world.write_text(f'{shipped}profile: {{calendar: [{{what: legacy, retired_on: "{retired}"}}]}}\n', encoding="utf-8")
    server = server_process("--scenario", str(world), "--clock", "paced")
    run = locust(server, ours("retirement"), "-u", "8", "-r", "8", "--step", "2")
    code, document = run.end()
    assert (code, [one["outcome"] for one in document["checks"]]) == (0, ["pass"] * 4), run.said
    assert f"requests from {retired} on got 404 FEATURE_DISABLED" in document["checks"][1]["why"]


@pytest.mark.deep
def test_a_surface_that_answers_beyond_its_end_is_seen(locust, server_process):
    server = server_process("--scenario", "retirement", "--clock", "paced", "--profile", "instant")
    rule = {"effect": "status", "endpoint": "model/churn", "operation": "query", "status": 500, "share": 0.2}
    server.call("POST", "/_servesim/v1/workspaces/default/faults", rule, admin=True)
    run = locust(server, ours("retirement"), "-u", "8", "-r", "8", "--step", "2")
    code, document = run.end()
    outcomes = {one["name"]: one["outcome"] for one in document["checks"]}
    assert (code, outcomes["answered until its end"], outcomes["the endpoint beside it"]) == (1, "fail", "pass"), (
        run.said
    )


@pytest.mark.deep
def test_a_cold_start_needs_servesim(world, locust):
    run = locust(world(), ours("cold_start"), "-u", "2", admin=False)
    assert run.end() == (5, None)
    assert "needs servesim" in run.said


@pytest.mark.deep
def test_refusals_begin_where_the_config_says_and_go_when_replicas_have_come(world, locust):
    server = world(profile="load", share=100, size=", workload_size: Medium", time=", service_time: 100ms")
    run = locust(server, ours("saturation"), "-u", "110", "-r", "100", "--step", "3")
    code, document = run.end()
    outcomes = {check["name"]: check["outcome"] for check in document["checks"]}
    assert outcomes == dict.fromkeys(
        ["no 429 within the concurrency", "429s appear", "429s go after scale-up"], "pass"
    ), run.said
    assert code == 0
    assert max(row["provisioned"]["champion"] for row in document["series"]) == 16


@pytest.mark.deep
def test_refusals_are_found_without_anything_of_servesim_s_own(world, locust):
    server = world(profile="load", share=100, time=", service_time: 100ms")
    run = locust(
        server, ours("saturation"), "-u", "100", "--step-users", "90", "--step", "2", "--duration", "4", admin=False
    )
    code, document = run.end()
    assert (code, document["outcome"], document["capacity"]) == (0, "pass", None), run.said
    assert "with 90 users requests were refused" in document["checks"][0]["why"]


@pytest.mark.deep
@pytest.mark.parametrize(("kind", "slash"), [("FastHttpUser", ""), ("HttpUser", "/"), ("HttpUser", "")])
def test_a_file_that_knows_nothing_of_servesim_is_counted_and_judged(world, locust, tmp_path, kind, slash):
    run = locust(world(), script(tmp_path, kind, slash), "-u", "4", "-r", "4", detect=10, test="script")
    code, document = run.end()
    assert (code, document["test"], document["endpoint"], document["outcome"]) == (0, "script", "fraud", "pass"), (
        run.said
    )
    assert sum(document["judgements"][0]["counts"].values()) == document["requests"]["count"] == 600


@pytest.mark.deep
def test_such_a_file_is_held_to_answers_where_its_split_is_not_decided(world, locust, tmp_path):
    run = locust(world(), script(tmp_path), "-u", "4", "-r", "4", detect=1)
    code, document = run.end()
    assert (code, document["judgements"], [one["name"] for one in document["checks"]]) == (0, [], ["all answered"])
    assert "is not judged" in document["notes"][0]
    last = json.loads(run.progress.read_text().splitlines()[-1])
    assert (last["needed"], last["requests"]) == (None, document["requests"]["count"])


@pytest.mark.deep
def test_the_example_runs_as_it_stands(world, locust):
    files = f"{ROOT / 'examples/locustfile.py'},{ROOT / 'simulator/servesim/load/plugin.py'}"
    run = locust(world(), files, "-u", "2", "-r", "2", "-t", "3s")
    code, document = run.end()
    assert (code, document["outcome"], list(document["requests"]["by_status"])) == (0, "pass", ["200"]), run.said


@pytest.mark.deep
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--endpoint", "nothing"], 5, "has no endpoint 'nothing'; there are fraud"),
        (["--detect", "x"], 2, "--detect"),
        (["--payload", "missing.json"], 5, "the payload can't be read"),
        (["--duration", "0"], 2, "duration_s is a time"),
    ],
)
def test_what_cannot_be_run_says_why(world, locust, arguments, code, said):
    run = locust(world(), ours("traffic_split"), *arguments)
    assert run.end() == (code, None)
    assert said in run.said


@pytest.mark.deep
def test_a_run_that_is_ended_leaves_what_there_is(world, locust):
    run = locust(world(), ours("traffic_split"), "-u", "2", "--detect", "1")
    while not run.has_counted() and run.process.poll() is None:
        pass
    run.process.terminate()
    code, document = run.end()
    assert (code, document["outcome"]) == (4, "inconclusive"), run.said
    assert "it was ended before its time" in document["notes"]
