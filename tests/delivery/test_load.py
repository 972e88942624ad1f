"""``servesim load``: what it asks for, refuses and leaves; the runs themselves are short and on loopback."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from servesim.delivery.cli import main
from servesim.delivery.load_server import end

EXTRA = all(importlib.util.find_spec(name) for name in ("locust", "matplotlib", "numpy", "scipy"))
needs_the_extra = pytest.mark.skipif(not EXTRA, reason="the extra `load` is not installed")

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-c", "from servesim.delivery.cli import main; main()", "load"]
QUICK = ["--detect", "5", "--users", "4"]
SECRET = "dapi-very-secret-0123456789"
WORLD = """
seed: 3
models:
  - {name: main.ml.fraud, version: 1, stub: {constant: 0.1}, example: {inputs: [1]}}
  - {name: main.ml.fraud, version: 2, stub: {constant: 0.9}, example: {inputs: [1]}}
principals:
  - {user: me@example.com, token: TOKEN, admin: true}
endpoints:
  - name: fraud
    config:
      served_entities:
        - {name: champion, entity_name: main.ml.fraud, entity_version: "1"}
        - {name: challenger, entity_name: main.ml.fraud, entity_version: "2"}
      traffic_config:
        routes:
          - {served_entity_name: champion, traffic_percentage: 90}
          - {served_entity_name: challenger, traffic_percentage: 10}
""".replace("TOKEN", SECRET)


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Run the command in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "SERVESIM_ADMIN_TOKEN", "SERVESIM_URL"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        return CliRunner().invoke(main, ["load", *arguments], catch_exceptions=False)

    return run


# --- what needs no load ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["traffic_split", "traffic-split", "rollout", "cold_start", "retirement", "saturation", "script"]
)
def test_the_help_of_every_test_says_its_exit_codes(load, name):
    shown = " ".join(load(name, "--help").output.split())
    assert "Exit code 0: pass, 1: fail, 2: wrong usage, 4: inconclusive, 5: it could not run." in shown


def test_the_help_imports_nothing_heavy():
    program = (
        "import sys; from servesim.delivery.cli import main; main(['load', '--help'], standalone_mode=False);"
        "print([name for name in ('locust', 'gevent', 'matplotlib', 'numpy', 'aiohttp') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["traffic_spilt"], "No such command 'traffic_spilt'"),
        (["traffic_split", "--detect", "100"], "--detect"),
        (["traffic_split", "--detect", "2", "--floor", "1.5"], "at most half of --detect 2, not 1.5"),
        (["traffic_split", "--p99", "soon"], "'soon' is not a duration"),
        (["traffic_split", "--p99", "300"], "has no unit: write 300ms or 0.3s"),
        (["traffic_split", "--duration", "0s"], "a time is longer than nothing"),
        (["traffic_split", "--max-error-rate", "2"], "--max-error-rate"),
        (["traffic_split", "--users", "0"], "--users"),
        (["traffic_split", "--detect", "nan"], "nan is no number to go by"),
        (["traffic_split", "--min-rps", "inf"], "inf is no number to go by"),
        (["traffic_split", "--steps", "10"], "No such option"),
        (["rollout", "--steps", "10,200"], "a percentage from 1 to 100"),
        (["rollout", "--url", "http://a:b@c"], "--url"),
        (["rollout", "--url", "http://x.test", "--token", "a\nb"], "no header can hold"),
        (["script", "missing.py"], "does not exist"),
        (["script", __file__, "--run-time", "5s"], "No such option '--run-time'. Options of locust follow `--`."),
        (["report", "missing.json"], "does not exist"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_wrong_usage_is_told(load, arguments, why):
    run = load(*arguments)
    assert run.exit_code == 2
    assert why in run.output
    assert not list(Path().iterdir())


def test_a_world_is_for_the_server_that_is_started(load, tmp_path):
    (tmp_path / "world.yaml").write_text(WORLD)
    run = load("traffic_split", "--url", "http://127.0.0.1:9", "--scenario", "world.yaml")
    assert run.exit_code == 2
    assert "with --url none is" in run.output


def test_the_extra_that_is_missing_is_named(load, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "locust" else found(name))
    run = load("traffic_split")
    assert run.exit_code == 5
    assert "pip install 'servesim[load]'" in run.output
    assert "locust" in run.output


@needs_the_extra
def test_a_report_needs_the_extra_too(ran, load, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else found(name))
    run = load("report", str(ran[1] / "run.json"))
    assert run.exit_code == 5
    assert "pip install 'servesim[load]'" in run.output


def test_a_file_that_is_no_run_gives_no_report(load, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    run = load("report", "run.json")
    assert run.exit_code == 2
    assert "says format 1" in run.output


# --- what is looked at before any load ------------------------------------------------------------


@needs_the_extra
def test_nobody_there(load, tmp_path):
    """What an older run left is gone: it isn't this one's."""
    old = tmp_path / "servesim-load" / "report.html"
    old.parent.mkdir()
    old.write_text("pass")
    run = load("traffic_split", "--url", "http://127.0.0.1:9")
    assert not old.exists()
    assert run.exit_code == 5
    assert "http://127.0.0.1:9 doesn't answer" in run.output
    assert "Leave --url out" in run.output


@needs_the_extra
def test_a_token_that_is_refused_is_told_and_not_shown(load, here, monkeypatch):
    monkeypatch.setenv("DATABRICKS_TOKEN", SECRET)
    run = load("traffic_split", "--url", here.host)
    assert run.exit_code == 5
    assert "refuses the token" in run.output
    assert SECRET not in run.output


@needs_the_extra
def test_an_endpoint_that_is_not_there_is_told_with_those_there_are(load, here, deploy):
    deploy("other")
    run = load("traffic_split", "--url", here.host, "--token", here.token, "--endpoint", "fraud")
    assert run.exit_code == 5
    assert "has no endpoint 'fraud'; there are other." in run.output


@needs_the_extra
def test_of_several_endpoints_one_is_to_be_named(load, here, deploy):
    for name in ("a", "b"):
        deploy(name)
    run = load("rollout", "--url", here.host, "--token", here.token)
    assert run.exit_code == 5
    assert "Name one with --endpoint; there are a, b." in run.output


@needs_the_extra
def test_a_cold_start_needs_servesim(load, here, deploy, monkeypatch):
    deploy("fraud")
    monkeypatch.setattr("servesim.delivery.load_run.is_servesim", lambda _server: False)
    run = load("cold_start", "--url", here.host, "--token", here.token)
    assert run.exit_code == 5
    assert "is no servesim" in run.output


@needs_the_extra
def test_a_world_that_cannot_be_read_is_told(load, tmp_path):
    (tmp_path / "world.yaml").write_text("models: 3")
    run = load("traffic_split", "--scenario", "world.yaml")
    assert run.exit_code == 5
    assert "servesim did not start" in run.output
    assert "models" in run.output


@needs_the_extra
def test_a_folder_that_cannot_be_written_is_told(load, tmp_path):
    (tmp_path / "file").write_text("")
    run = load("traffic_split", "--out", "file/below")
    assert run.exit_code == 5
    assert "--out file/below can't be written" in run.output


# --- runs -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run one test against a servesim that the command starts, as a program does."""
    folder = tmp_path_factory.mktemp("load")
    (folder / "world.yaml").write_text(WORLD)
    environment = {**os.environ, "SERVESIM_PORT": "1", "SERVESIM_HOST": "192.0.2.1", "DATABRICKS_TOKEN": SECRET}
    command = [*PROGRAM, "traffic_split", *QUICK, "--scenario", "world.yaml", "--max-error-rate", "0", "--json"]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=100)
    return run, folder / "servesim-load"


@needs_the_extra
def test_a_right_router_passes_and_the_files_are_there(ran):
    run, out = ran
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert document.pop("files") == {
        "report": "servesim-load/report.html", "run": "servesim-load/run.json", "junit": "servesim-load/junit.xml"
    }  # fmt: skip
    assert json.loads((out / "run.json").read_text()) == document
    assert (document["outcome"], document["test"], document["endpoint"]) == ("pass", "traffic_split", "fraud")
    assert document["judgements"][0]["split"] == {"champion": 90, "challenger": 10}
    assert document["judgements"][0]["requests"] >= document["judgements"][0]["requests_planned"] == 1880
    assert [check["outcome"] for check in document["checks"]] == ["pass"]
    assert "✓ pass" in (out / "report.html").read_text()
    suite = ET.parse(out / "junit.xml").getroot()[0]  # noqa: S314 - made here
    assert suite.attrib["tests"] == "2"


@needs_the_extra
def test_what_it_starts_and_how_far_it_is_stands_on_standard_error(ran):
    run, _ = ran
    first, *lines = run.stderr.splitlines()
    assert first.startswith("servesim at http://127.0.0.1:")
    assert "with world.yaml, in real time. Profile load, beside faithful: " in first
    assert "cold start 1s to 2s (1/10)" in first
    assert lines[-1].startswith("90/10: ")
    assert " of 1,880 requests, " in lines[-1]


@needs_the_extra
def test_no_token_is_left_anywhere(ran):
    run, out = ran
    assert SECRET not in run.stdout + run.stderr
    assert not [path.name for path in out.iterdir() if SECRET.encode() in path.read_bytes()]


@needs_the_extra
def test_a_report_is_made_again_from_its_document(ran, load, tmp_path):
    _, out = ran
    run = load("report", str(out / "run.json"), "--out", "again")
    assert run.exit_code == 0
    assert run.output.splitlines() == ["again/report.html", "again/junit.xml"]
    for name in ("report.html", "junit.xml"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()


@pytest.fixture
def world(server_process, tmp_path):
    """A server of somebody's, with two routes at 90 to 10."""
    path = tmp_path / "world.yaml"
    path.write_text(WORLD)
    return server_process("--quiet", "--scenario", str(path), "--clock", "paced", "--profile", "instant")


@needs_the_extra
def test_a_limit_that_is_not_kept_fails(world, tmp_path):
    """The token is read from the environment alone."""
    out = tmp_path / "out"
    command = [*PROGRAM, "traffic-split", *QUICK, "--url", world.exports["DATABRICKS_HOST"], "--min-rps", "1000000"]
    command += ["--out", str(out), "--duration", "3s"]
    environment = {**os.environ, "DATABRICKS_TOKEN": SECRET}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert run.returncode == 1, run.stderr
    head, split, limit, *_, last = run.stdout.splitlines()
    assert head.startswith("FAIL  traffic_split of fraud at http://127.0.0.1:")
    assert split.split()[0] == "90/10"
    assert limit.split()[:3] == ["min", "rps", "fail"]
    assert last == f"report: {out}/report.html"
    assert "✗ fail" in (out / "report.html").read_text()
    assert "servesim at" not in run.stderr


@needs_the_extra
@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.deep)],
    ids=["ctrl-c", "sigterm"],
)
def test_a_run_that_is_stopped_reports_what_there_is_and_ends_what_it_started(tmp_path, number):
    command = [*PROGRAM, "traffic_split", "--detect", "1", "--users", "2", "--spawn-rate", "2", "--duration", "60s"]
    (tmp_path / "world.yaml").write_text(WORLD)
    with subprocess.Popen(
        [*command, "--scenario", "world.yaml"], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        server = run.stderr.readline()
        while "requests, " not in run.stderr.readline():
            pass
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(run.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        run.send_signal(number)
        shown, _ = run.communicate(timeout=60)
    assert server.startswith("servesim at ")
    assert run.returncode == 4, shown
    assert shown.startswith("INCONCLUSIVE  traffic_split of fraud")
    assert "note: stopped by Ctrl-C or a signal" in shown
    assert "? inconclusive" in (tmp_path / "servesim-load" / "report.html").read_text()
    assert len(children) == 2
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def test_who_outlives_the_leader_of_its_group_is_ended_too():
    """What is killed, and has no time to, does not end its own workers."""
    alive, held = os.pipe()
    worker = (
        f"import subprocess, sys; subprocess.Popen(['sleep', '600'], pass_fds=[{held}]); print(flush=True); input()"
    )
    leader = subprocess.Popen(
        [sys.executable, "-c", worker], pass_fds=[held], start_new_session=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    os.close(held)
    assert leader.stdout.readline()
    leader.kill()
    leader.wait()
    end(leader, 60)
    with leader.stdin, os.fdopen(alive, "rb") as ends:
        assert ends.read() == b""


@needs_the_extra
def test_any_locustfile_runs_with_locust_s_own_arguments_and_gets_a_report(world, tmp_path):
    command = [*PROGRAM, "script", str(ROOT / "examples" / "locustfile.py"), "--url", world.exports["DATABRICKS_HOST"]]
    command += ["--out", str(tmp_path / "out"), "--json", "--", "--users", "3", "--spawn-rate", "3", "--run-time", "2s"]
    environment = {**os.environ, "DATABRICKS_TOKEN": SECRET}
    run = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=100, cwd=ROOT / "examples"
    )
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert (document["test"], document["outcome"]) == ("script", "pass")
    assert document["requests"]["by_status"] == {"200": document["requests"]["count"]}
    assert "✓ pass" in (tmp_path / "out" / "report.html").read_text()


@needs_the_extra
def test_a_locustfile_that_breaks_is_told_without_the_token(world, tmp_path):
    script = tmp_path / "broken.py"
    script.write_text("import os\nraise RuntimeError('no good: ' + os.environ['DATABRICKS_TOKEN'])\n")
    command = [
        *PROGRAM,
        "script",
        str(script),
        "--url",
        world.exports["DATABRICKS_HOST"],
        "--out",
        str(tmp_path / "out"),
    ]
    environment = {**os.environ, "DATABRICKS_TOKEN": SECRET}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert run.returncode == 5
    assert "RuntimeError: no good: ***" in run.stderr
    assert SECRET not in run.stderr + (tmp_path / "out" / "locust.log").read_text()


@needs_the_extra
def test_users_whose_code_raises_are_told(world, tmp_path):
    script = tmp_path / "raising.py"
    script.write_text(
        "import locust\n"
        "class Raising(locust.FastHttpUser):\n"
        "    wait_time = locust.constant(0.1)\n"
        "    @locust.task\n"
        "    def ask(self):\n"
        "        raise ValueError('no good')\n"
    )
    asked = ["script", str(script), "--url", world.exports["DATABRICKS_HOST"], "--out", str(tmp_path / "out")]
    locusts = ["--", "--users", "1", "--run-time", "2s"]
    environment = {**os.environ, "DATABRICKS_TOKEN": world.token()}
    run = subprocess.run(
        [*PROGRAM, *asked, *locusts], env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert run.returncode == 4
    assert "errors were raised in the users' own code" in run.stdout
    assert "ValueError: no good" in (tmp_path / "out" / "locust.log").read_text()


@needs_the_extra
def test_what_is_started_gets_its_token_by_its_environment_alone(load, monkeypatch, here, deploy):
    deploy("fraud")
    here.clock.advance("20m")
    started = []

    class Ended:
        """A process that has ended at once."""

        pid, returncode, stdout = 0, 5, None

        def __init__(self, command, *, env, **_):
            started.append((command, env))

        def poll(self):
            return self.returncode

    monkeypatch.setattr("servesim.delivery.load_run.subprocess.Popen", Ended)
    run = load("rollout", "--url", here.host, "--token", here.token, "--drain", "1s", "--seed", "7", "--no-restore")
    assert run.exit_code == 5
    assert "locust left no result" in run.output
    ((command, environment),) = started
    assert not any(here.token in argument for argument in command)
    assert environment["DATABRICKS_TOKEN"] == here.token
    settings = json.loads(environment["SERVESIM_LOAD"])
    assert here.token not in environment["SERVESIM_LOAD"]
    assert {name: settings[name] for name in ("test", "endpoint", "drain_s", "seed", "restore", "simulated")} == {
        "test": "rollout", "endpoint": "fraud", "drain_s": 1.0, "seed": 7, "restore": False, "simulated": True
    }  # fmt: skip


@needs_the_extra
@pytest.mark.parametrize(
    "case",
    [("traffic_split", 0, 0), ("traffic_split", None, 4), ("script", None, 0), ("traffic_split", 5, 5)],
    ids=["ended", "stopped", "script-stopped", "broke-off"],
)
def test_a_pass_is_one_if_the_run_came_to_its_end(load, here, deploy, monkeypatch, case):
    test, code, exit_code = case
    deploy("fraud")
    here.clock.advance("20m")
    Path("plain.py").write_text("")
    document = {
        "format": 1,
        "test": test,
        "outcome": "pass",
        "seconds": 1,
        "judgements": [],
        "checks": [],
        "series": [],
    }
    document |= {"requests": {"count": 1, "errors": 0, "rps": 1}, "notes": ["the endpoint went away"]}

    def ran(asked, *_):
        (asked.out / "run.json").write_text(json.dumps(document))
        return code

    monkeypatch.setattr("servesim.delivery.load_run._locust", ran)
    run = load(test, *(["plain.py"] if test == "script" else []), "--url", here.host, "--token", here.token)
    assert run.exit_code == exit_code, run.output
    stopped = ["stopped by Ctrl-C or a signal"] if code is None else []
    assert json.loads(Path("servesim-load/run.json").read_text()).get("notes") == [
        *document["notes"],
        *stopped,
    ]
    assert ("Error: the endpoint went away." in run.output) == (exit_code == 5)
    assert Path("servesim-load/report.html").exists()


@needs_the_extra
def test_a_locustfile_that_never_begins_is_ended(load, here, monkeypatch, tmp_path):
    (tmp_path / "stuck.py").write_text("import os\nos.read(os.pipe()[0], 1)\n")  # nothing of gevent's notices
    monkeypatch.setattr("servesim.delivery.load_run._SILENT_S", 1.0)
    run = load("script", "stuck.py", "--url", here.host, "--token", here.token)
    assert run.exit_code == 5
    assert "locust has said nothing for 1 s and was ended" in run.output
