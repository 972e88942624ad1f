"""Commands in the wrong place: a server that is none of ours, credentials with a slip, names with a sting."""

from __future__ import annotations

import http.server
import os
import shlex
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner

from servesim.delivery.cli import main

SERVESIM = [sys.executable, "-c", "from servesim.delivery.cli import main; main()"]
ASKING = [
    "clock now",
    "clock pending",
    "clock advance 1h",
    "timeline",
    "requests list",
    "requests export --endpoint x",
    "workspace list",
    "workspace new",
    "workspace reset x",
    "why 1",
]


class _Else(http.server.BaseHTTPRequestHandler):
    """Answers every call alike."""

    def _answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = self.server.body
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 - the names that the base class looks for

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def other():
    """A server of something else."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Else) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


ANSWERS = {"fine": b'{"status": "ok"}', "odd": b'{"requests": 7, "workspaces": 7, "events": 7}', "deep": b"[" * 100_000}


@pytest.mark.parametrize("body", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("words", ASKING)
def test_a_server_of_something_else_is_told_apart(other, words, body):
    other.body = body
    result = CliRunner().invoke(main, [*words.split(), "--url", f"http://127.0.0.1:{other.server_port}"])
    assert isinstance(result.exception, SystemExit)
    assert (result.exit_code, "is it servesim?" in result.output) == (1, True)


@pytest.fixture(scope="module")
def host(modules_process):
    """Where a server of these tests is."""
    return modules_process().exports["DATABRICKS_HOST"]


@pytest.mark.parametrize("credential", ["planted\n", "planted€"])
@pytest.mark.parametrize(
    "words", ["clock now", "doctor", "invoke x --data 1", "wait --endpoint x --timeout 1s", "requests list"]
)
def test_a_credential_that_no_header_can_hold_is_not_shown(host, words, credential):
    names = ("DATABRICKS_TOKEN", "SERVESIM_ADMIN_TOKEN")
    result = CliRunner(env={**dict.fromkeys(names, credential), "DATABRICKS_HOST": host}).invoke(
        main, [*words.split(), "--url", host]
    )
    assert isinstance(result.exception, SystemExit)
    assert "planted" not in result.output


@pytest.mark.parametrize("words", ["clock now", "invoke x --data 1", "wait --timeout 1s"])
@pytest.mark.parametrize("url", ["http://user:planted@127.0.0.1:9", "http://user:planted@[::1"])
def test_a_password_in_a_url_is_refused_and_not_shown(words, url):
    result = CliRunner().invoke(main, [*words.split(), "--url", url])
    assert result.exit_code == 2
    assert "planted" not in result.output


def test_a_name_in_the_export_lines_cannot_run_anything(server_process, tmp_path):
    names = ["first", "x\ntouch stung\n#", "$(touch stung)", "\x1b[2J"]
    users = [word for name in names for word in ("--user", name)]
    url = server_process().exports["DATABRICKS_HOST"]
    result = CliRunner().invoke(main, ["workspace", "new", *users, "--url", url])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert all(line.isprintable() and line.startswith(("export ", "# ")) for line in lines)
    assert len(lines) == 2 + len(names)
    subprocess.run(["sh", "-c", f"eval {shlex.quote(result.stdout)}"], cwd=tmp_path, check=True)
    assert not (tmp_path / "stung").exists()


def test_what_others_wrote_changes_nothing_on_a_terminal(server_process):
    server = server_process("--unknown-models", "stub")
    sting = {"effect": "fail", "message": "a\x1b[2Jb\nc"}
    admin = "/_servesim/v1/workspaces/default"
    assert server.call("POST", f"{admin}/faults", sting, admin=True)[0] == 201
    config = {"served_entities": [{"entity_name": "main.ml.fraud", "entity_version": "1"}]}
    server.call("POST", "/api/2.0/serving-endpoints", {"name": "fraud", "config": config})
    result = CliRunner().invoke(main, ["timeline", "--url", server.exports["DATABRICKS_HOST"]])
    assert "fail: a\\x1b[2Jb\\nc" in result.output


@pytest.mark.parametrize("variable", ["DATABRICKS_CONFIG_FILE", "NETRC"])
@pytest.mark.parametrize("kind", ["without an end", "that waits"])
def test_doctor_reads_no_file_that_is_none(tmp_path, monkeypatch, variable, kind):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    monkeypatch.setenv(variable, "/dev/zero" if kind == "without an end" else str(path))
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(main, ["doctor", "--url", "http://127.0.0.1:9", "--json"])
    assert isinstance(result.exception, SystemExit)
    assert ("no ordinary file" in result.output) == (variable == "DATABRICKS_CONFIG_FILE")


def test_doctor_reads_no_more_of_profiles_than_anybody_has(tmp_path, monkeypatch):
    path = tmp_path / "config"
    path.write_text("".join(f"[{number}]\nhost = http://x\ntoken = planted\n" for number in range(10_000)))
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(main, ["doctor", "--url", "http://127.0.0.1:9", "--json"])
    assert "longer than 262,144 characters" in result.output
    assert "planted" not in result.output


@pytest.mark.parametrize("words", ["doctor", "timeline", "clock pending --json"])
@pytest.mark.parametrize("output", [">&-", ">/dev/full"])
def test_an_output_that_takes_nothing_is_no_failure_of_ours(host, words, output):
    servesim = f"{shlex.quote(SERVESIM[0])} {SERVESIM[1]} {shlex.quote(SERVESIM[2])} {words} --url {host} {output}"
    ended = subprocess.run(["sh", "-c", servesim], stderr=subprocess.PIPE, text=True, check=False)
    assert "Traceback" not in ended.stderr
    assert ("no room" in ended.stderr) == (output == ">/dev/full")


def test_doctor_takes_no_folder_for_a_file_of_authorities(tmp_path, monkeypatch):
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path))
    result = CliRunner().invoke(main, ["doctor", "--url", "https://127.0.0.1:9", "--json"])
    assert result.output.count("would not trust the server: the file cannot be read (Is a directory)") == 2
