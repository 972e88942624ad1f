"""``servesim serve`` in the hands of a shell: readers that go or stop reading, options that are nonsense."""

import http.client
import os
import signal
import subprocess
import sys

import pytest

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


def test_without_standard_streams_it_serves_all_the_same(tmp_path):
    closing = "import os, sys; [os.close(fd) for fd in (0, 1, 2)]; os.execv(sys.executable, sys.argv[1:])"
    registry = ["--clock", "frozen"]
    process = subprocess.Popen([sys.executable, "-c", closing, *SERVE, *registry], cwd=tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=3)
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
        (["--model", "a=broken_module:predict"], "ZeroDivisionError"),
        (["--model", "a=ending_module:predict"], "SystemExit: 7"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(tmp_path, options, said):
    (tmp_path / "broken_module.py").write_text("1 / 0\n", encoding="utf-8")
    (tmp_path / "ending_module.py").write_text("raise SystemExit(7)\n", encoding="utf-8")
    run = subprocess.run(
        [*SERVE, *options], cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode in {1, 2}
    assert said in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr


def test_the_token_that_is_printed_is_one_word_of_the_shell():
    process = started("--token", "$(x)'")
    process.stdout.readline()
    assert process.stdout.readline() == """export DATABRICKS_TOKEN='$(x)'"'"''\n"""
    assert ended(process) == (0, "")
