"""``servesim serve`` as a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest
from click.testing import CliRunner

from servesim.delivery import serve, serve_run
from servesim.delivery.cli import main
from servesim.service.hub import WorkspaceSettings
from servesim.service.settings import SETTINGS, settings_from

SERVE = [sys.executable, "-c", "from servesim.delivery.cli import main; main()", "serve", "--port", "0"]


class Serving:
    """A running `servesim serve`."""

    def __init__(self, process):
        self.process = process
        self.lines = []
        self.exports = {}
        for line in process.stdout:
            name, _, value = line.strip().removeprefix("export ").partition("=")
            self.exports[name] = value
            if name == "NO_PROXY":  # the last of them
                break
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        self.lines.extend(line.rstrip("\n") for line in self.process.stdout)

    def call(self, path, body=None, *, token=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.exports["DATABRICKS_HOST"] + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", f"Bearer {token or self.exports['DATABRICKS_TOKEN']}")
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def ask(self, path, body):
        """Send a scoring request and return the connection that its answer will come on."""
        connection = http.client.HTTPConnection(self.exports["DATABRICKS_HOST"].removeprefix("http://"), timeout=60)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.exports['DATABRICKS_TOKEN']}"}
        connection.request("POST", path, json.dumps(body), headers)
        return connection

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        self.reader.join(timeout=30)
        return code


@contextlib.contextmanager
def serving(*options, cwd=None, **variables):
    environment = {**os.environ, **variables}
    process = subprocess.Popen(
        [*SERVE, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        cwd=cwd,
    )
    try:
        server = Serving(process)
        yield server
        if process.poll() is None:
            server.end()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def is_listening(server):
    try:
        server.call("/_servesim/v1/health")
    except OSError:
        return False
    return True


def refusal(*options, **variables):
    """Run a serve that can't begin and return its exit code and what it said."""
    run = subprocess.run(
        [*SERVE, *options],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return run.returncode, run.stderr


def entity(model, **rest):
    return {"config": {"served_entities": [{"entity_name": model, "entity_version": "1", **rest}]}}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_exports_and_a_line_for_each_request_and_ends_cleanly(number):
    with serving("--unknown-models", "stub") as server:
        assert list(server.exports) == [
            "DATABRICKS_HOST",
            "DATABRICKS_TOKEN",
            "SERVESIM_URL",
            "SERVESIM_ADMIN_TOKEN",
            "NO_PROXY",
        ]
        assert server.exports["SERVESIM_URL"] == server.exports["DATABRICKS_HOST"]
        assert server.exports["SERVESIM_ADMIN_TOKEN"] == "servesim-admin"
        server.call("/api/2.0/serving-endpoints", {"name": "e", **entity("m")})
        server.call("/api/2.0/serving-endpoints/e")
        assert server.call("/serving-endpoints/e/invocations", {"inputs": [1]})[0] == 200
        assert server.call("/api/2.0/serving-endpoints/none")[0] == 404
        assert server.call("/api/2.1/jobs/list")[0] == 501
        assert server.call("/api/2.0/serving-endpoints", token="wrong")[0] == 403
        assert server.end(number) == 0
    assert server.lines == [
        "user@example.com POST /api/2.0/serving-endpoints -> 200 (recorded)",
        "user@example.com GET /api/2.0/serving-endpoints/e -> 200 (recorded)",
        "user@example.com POST /serving-endpoints/e/invocations -> 200 m-1 (recorded)",
        "user@example.com GET /api/2.0/serving-endpoints/none -> 404 (recorded)",
        "user@example.com GET /api/2.1/jobs/list -> 501 (chosen)",
        "- GET /api/2.0/serving-endpoints -> 403 (recorded)",
        "not simulated, answered 501: 1 x GET /api/2.1/jobs/list",
    ]


def test_options_are_variables_too(tmp_path):
    (tmp_path / "answers.py").write_text("def predict(rows):\n    return [len(row) for row in rows]\n")
    variables = {
        "SERVESIM_TOKEN": "secret-one",
        "SERVESIM_CLOCK": "frozen",
        "SERVESIM_MODEL": "m=answers:predict",
    }
    with serving("--quiet", cwd=tmp_path, **variables) as server:
        assert server.exports["DATABRICKS_TOKEN"] == "secret-one"
        server.call("/api/2.0/serving-endpoints", {"name": "e", **entity("m")})
        for _ in range(3):
            assert server.call("/api/2.0/serving-endpoints/e")[1]["state"]["ready"] == "NOT_READY"
    assert server.lines == []


def test_a_scenario_serves_at_once_and_a_callable_answers(tmp_path):
    (tmp_path / "answers.py").write_text("def predict(rows, params):\n    return [params['x']] * len(rows)\n")
    world = tmp_path / "world.yaml"
    world.write_text("endpoints:\n  - {name: e, config: {served_entities: [{entity_name: m, entity_version: 1}]}}")
    other = tmp_path / "other.yaml"
    other.write_text("workspace: other\nseed: 8\nprincipals: [{user: o@example.com, token: other-token}]")
    options = ("--scenario", str(world), "--scenario", str(other), "--model", "m=answers:predict")
    with serving(*options, cwd=tmp_path) as server:
        body = {"dataframe_records": [{"a": 1}], "params": {"x": 7}}
        assert server.call("/serving-endpoints/e/invocations", body) == (200, {"predictions": [7]})
        assert server.call("/api/2.0/serving-endpoints", token="other-token")[1] == {"endpoints": []}
        assert server.call("/serving-endpoints/e/invocations", body, token="other-token")[0] == 404


def test_held_requests_get_503_and_running_ones_end_when_it_stops(tmp_path):
    (tmp_path / "answers.py").write_text(
        "import threading\nstarted = threading.Event()\n"
        "def predict(rows):\n    print('started', flush=True)\n    threading.Event().wait(1)\n    return rows\n"
    )
    world = tmp_path / "world.yaml"
    world.write_text(
        "clock: paced\nprofile: {cold_start: 1h, idle_to_zero: 1ms}\n"
        "models: [{name: cold, stub: echo}]\n"
        "endpoints:\n"
        "  - {name: e, config: {served_entities: [{entity_name: m, entity_version: 1}]}}\n"
        "  - {name: c, config: {served_entities: [{entity_name: cold, entity_version: 1, "
        "scale_to_zero_enabled: true}]}}\n"
    )
    with serving("--scenario", str(world), "--model", "m=answers:predict", cwd=tmp_path) as server:
        while "Scaled to zero" not in json.dumps(server.call("/api/2.0/serving-endpoints/c")):
            pass
        asked = {name: server.ask(f"/serving-endpoints/{name}/invocations", {"inputs": [1]}) for name in ("e", "c")}
        # What a model prints can stand in one line with a call that is logged at that moment.
        while not any("started" in line for line in list(server.lines)):
            pass
        # Answered after what was sent before them, so both requests are in the server's hands by now.
        for _ in range(3):
            server.call("/_servesim/v1/health")
        assert server.end() == 0
    answers = {}
    for name, connection in asked.items():
        response = connection.getresponse()
        answers[name] = (response.status, json.load(response))
        connection.close()
    assert answers["e"] == (200, {"predictions": [1]})
    assert answers["c"][0] == 503
    assert answers["c"][1]["error_code"] == "TEMPORARILY_UNAVAILABLE"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--host", "0.0.0.0"), "Add --allow-remote if that is what you want"),  # noqa: S104 - it is refused
        (("--host", "example.com"), "example.com can be reached from other machines"),
        (("--profile", "swift"), "there is no profile 'swift': give faithful, faithful@2026-11, instant"),
        (("--profile", "faithful@2026-10"), "there is no profile 'faithful@2026-10': give faithful, faithful@2026-11"),
        (("--clock", "sundial"), "'sundial' is not one of 'autojump', 'frozen', 'paced'"),
        (("--rate", "0", "--clock", "paced"), "rate must be a positive number"),
        (("--start-time", "noon"), "'noon' is not an instant in ISO 8601"),
        (("--hold-timeout", "long"), "'long' is not a duration"),
        (("--hold-timeout", "nan"), "'nan' is no span of real time"),
        (("--grace", "nan"), "'nan' is no span of real time"),
        (("--grace", "inf"), "at most a week"),
        (("--admin-token", "a b"), "visible ASCII"),
        (("--allowed-host", "http://sim"), "'http://sim' is no host"),
        (("--scenario", "none.yaml"), "none.yaml: No such file"),
        (("--model", "m"), "'m' is not NAME=WHAT"),
        (("--model", "m=constant:x"), "constant:x is not JSON"),
        (("--model", "m=json:nothing"), "json:nothing cannot be imported"),
        (("--model", "m=json:__name__"), "json:__name__ is no plain callable"),
        (("--model", "m=wat"), "'wat' is none of echo, hash"),
    ],
)
def test_what_cannot_begin_says_why(options, said):
    result = CliRunner().invoke(main, ["serve", "--port", "0", *options])
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code in {1, 2}
    assert said in " ".join(result.stderr.split())


def test_the_command_that_cannot_begin_ends_with_a_code_and_a_sentence():
    code, error = refusal("--profile", "swift")
    assert code == 1
    assert "there is no profile 'swift'" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_grace(tmp_path, number):
    (tmp_path / "answers.py").write_text(
        "import threading\ndef predict(rows):\n    print('started', flush=True)\n    threading.Event().wait(600)\n"
    )
    world = tmp_path / "world.yaml"
    world.write_text("endpoints:\n  - {name: e, config: {served_entities: [{entity_name: m, entity_version: 1}]}}")
    options = ("--scenario", str(world), "--model", "m=answers:predict", "--grace", "10m", "--hold-timeout", "5")
    with serving(*options, cwd=tmp_path) as server:
        asked = server.ask("/serving-endpoints/e/invocations", {"inputs": [1]})
        # What a model prints can stand in one line with a call that is logged at that moment.
        while not any("started" in line for line in list(server.lines)):
            pass
        server.process.send_signal(signal.SIGTERM)
        while is_listening(server):
            pass
        assert server.process.poll() is None
        assert server.end(number) == 128 + number
        asked.close()


def test_admin_token_and_hosts_reach_the_server(monkeypatch):
    seen = {}

    def server(_hub, **settings):
        seen.update(settings)
        raise ValueError

    monkeypatch.setattr(serve_run, "Server", server)
    options = ["--admin-token", "of-mine", "--allowed-host", "Sim:8765", "--allowed-host", "other"]
    result = CliRunner().invoke(serve.command, options)
    assert result.exit_code == 1
    assert seen["admin_token"] == "of-mine"
    assert seen["allowed_hosts"] == ("127.0.0.1", "sim:8765", "other")


def test_what_listens_everywhere_is_called_on_loopback():
    with serving("--host", "0.0.0.0", "--allow-remote") as server:  # noqa: S104 - as in a container
        assert server.exports["DATABRICKS_HOST"].startswith("http://127.0.0.1:")
        assert server.call("/_servesim/v1/health")[0] == 200


def test_every_default_is_the_workspace_s_own(monkeypatch):
    monkeypatch.delenv("SERVESIM_VALIDATE_RESPONSES")
    shown = serve.command.make_context("serve", []).params
    given = {name: shown[name] for name in SETTINGS if name in shown}
    assert len(given) > 8
    assert settings_from(given) == WorkspaceSettings()


def test_a_port_that_is_taken_is_named():
    with serving() as server:
        port = server.exports["DATABRICKS_HOST"].rpartition(":")[2]
        code, error = refusal("--port", port)
    assert code == 1
    assert port in error
    assert "Traceback" not in error


def test_a_workspace_nobody_can_call_is_refused(tmp_path):
    world = tmp_path / "world.yaml"
    world.write_text("workspace: other")
    code, error = refusal("--scenario", str(world))
    assert code == 1
    assert "workspace 'other' has no principals" in error


def test_help_teaches():
    run = subprocess.run([*SERVE[:3], "serve", "--help"], capture_output=True, text=True, check=True)
    for word in ("servesim serve --unknown-models stub", "SERVESIM_PORT", "--grace", "--allow-remote"):
        assert word in run.stdout


def test_the_command_is_imported_without_what_its_first_answer_does_not_need():
    later = ("http.control", "http.operations", "http.secrets", "http.oauth", "http.admin", "service.yaml_text")
    heavy = [*(f"servesim.{name}" for name in later), "yaml", "jsonschema_rs", "trustme", "pandas", "mlflow"]
    code = (
        "import gc, sys; from servesim.delivery import cli; cli.main.get_command(None, 'serve'); "
        f"print(gc.isenabled(), [name for name in {heavy} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "True []\n"


@pytest.mark.parametrize(("path", "code"), [("/api/2.0/serving-endpoints", 0), ("/api/2.0/nothing", 1)])
def test_a_strict_run_that_rested_on_a_choice_has_failed(server_process, path, code):
    server = server_process("--strict-evidence")
    server.call("GET", path)
    server.end()
    assert server.process.returncode == code
    said = [line for line in server.lines if line.startswith("not accepted: ")]
    chosen = "not accepted: rests on what servesim chose: GET /api/2.0/nothing -> 501 NOT_IMPLEMENTED"
    assert said == ([chosen] if code else [])
