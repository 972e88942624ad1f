"""``servesim serve`` in the hands of a shell: readers that go or stop reading, options that are nonsense."""

import http.client
import os
import signal
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

from servesim.delivery.cli import main

SERVE = [sys.executable, "-c", "from servesim.delivery.cli import main; main()", "serve", "--port", "0"]


def started(*options, **settings):
    return subprocess.Popen([*SERVE, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)


def address(process):
    return process.stdout.readline().strip().removeprefix("export DATABRICKS_HOST=http://")


def ended(process):
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def test_a_reader_that_reads_one_line_and_goes_is_not_missed():
    process = started()
    where = address(process)
    process.stdout.close()
    connection = http.client.HTTPConnection(where, timeout=30)
    for _ in range(3):
        connection.request("GET", "/_servesim/v1/health")
        assert connection.getresponse().read() == b'{"status":"ok"}'
    connection.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_reader_that_stops_reading_holds_up_nothing():
    process = started()
    connection = http.client.HTTPConnection(address(process), timeout=30)
    headers = {"Authorization": "Bearer dapi-servesim"}
    for _ in range(150):  # with their lines, more than a pipe holds
        connection.request("GET", "/" + "x" * 1_500, headers=headers)
        assert connection.getresponse().read()
    connection.close()
    assert ended(process) == (0, "")


def is_served(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/_servesim/v1/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_without_standard_streams_it_serves_all_the_same(tmp_path):
    closing = "import os, sys; [os.close(fd) for fd in (0, 1, 2)]; os.execv(sys.executable, sys.argv[1:])"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--clock", "frozen", "--port", str(port)]
    process = subprocess.Popen([sys.executable, "-c", closing, *SERVE, *options], cwd=tmp_path)
    while not is_served(port):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--token", ""], "visible ASCII"),
        (["--token", "a b"], "visible ASCII"),
        (["--token", "a\nb"], "visible ASCII"),
        (["--rate", "1e308", "--clock", "paced"], "at most 1e+09"),
        (["--grace", "-1"], "'-1' is no span of real time"),
        (["--hold-timeout", "9" * 400 + "d"], "year 9999"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(options, said):
    result = CliRunner().invoke(main, ["serve", "--port", "0", *options])
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code in {1, 2}
    assert said in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("model", "said"),
    [("broken_module", "ZeroDivisionError"), ("ending_module", "SystemExit: 7")],
)
def test_a_module_that_cannot_be_imported_is_told_in_a_sentence(tmp_path, model, said):
    (tmp_path / "broken_module.py").write_text("1 / 0\n", encoding="utf-8")
    (tmp_path / "ending_module.py").write_text("raise SystemExit(7)\n", encoding="utf-8")
    command = [*SERVE, "--model", f"a={model}:predict"]
    run = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode in {1, 2}
    assert said in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr


def test_the_token_that_is_printed_is_one_word_of_the_shell():
    process = started("--token", "$(x)'")
    process.stdout.readline()
    assert process.stdout.readline() == """export DATABRICKS_TOKEN='$(x)'"'"''\n"""
    assert ended(process) == (0, "")
