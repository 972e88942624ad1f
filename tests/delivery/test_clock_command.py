"""`servesim clock` against a server of this process: what it prints, and its exit codes."""

from __future__ import annotations

import json
import socket

import pytest

START = "2026-01-05T09:00:00Z"


@pytest.fixture
def here(server):
    handle = server.open(clock="frozen", unknown_models="stub")
    yield handle
    handle.close()


@pytest.fixture
def clock(command):
    return lambda *arguments: command("clock", *arguments)


def test_now_prints_the_instant_and_remarks_beside_it(clock):
    result = clock("now")
    assert (result.exit_code, result.stdout) == (0, f"{START}\n")
    assert result.stderr == "frozen; nothing is pending\n"


@pytest.mark.parametrize(
    ("by", "reached"),
    [("31m", "2026-01-05T09:31:00Z"), ("1h30m", "2026-01-05T10:30:00Z"), ("1500ms", "2026-01-05T09:00:01.500Z")],
)
def test_advance_prints_the_instant_reached(clock, by, reached):
    assert clock("advance", by).stdout == f"{reached}\n"
    assert clock("now").stdout == f"{reached}\n"


def test_run_until_prints_the_instant_reached(clock):
    assert clock("run-until", "2026-01-05T10:00:00").stdout == "2026-01-05T10:00:00Z\n"


@pytest.mark.parametrize(
    "arguments",
    [("advance", "-5m"), ("advance", "soon"), ("run-until", "2020-01-01"), ("run-until", "tomorrow")],
    ids=str,
)
def test_what_cannot_be_is_refused(clock, arguments):
    result = clock(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert clock("now").stdout == f"{START}\n"


def test_the_mode_is_changed_while_it_runs(clock, here):
    result = clock("mode", "paced", "--rate", "0.5")
    assert (result.exit_code, result.stderr) == (0, "paced at 0.5 x; nothing is pending\n")
    assert here.clock.mode == "paced"
    assert clock("mode", "frozen").stderr == "frozen; nothing is pending\n"
    assert clock("mode", "sundial").exit_code == 2
    assert clock("mode", "paced", "--rate", "0").exit_code == 1


def test_pending_lists_what_is_ahead(clock, deploy):
    assert clock("pending").stdout == "Nothing is pending.\n"
    deploy("fraud")
    heads, line = clock("pending").stdout.splitlines()
    assert heads.split() == ["DUE", "WHERE", "WHAT"]
    assert line == "2026-01-05T09:08:00Z  in 8m  fraud/fraud-1  its container is built"
    assert clock("now").stderr == "frozen; next in 8m: its container is built (fraud/fraud-1)\n"


def test_pending_lists_who_is_held(clock, here, deploy, score):
    deploy("fraud")
    clock("advance", "41m")
    call = score("fraud")
    while "Request" not in (listed := clock("pending").stdout):
        pass
    assert "Request 1 of tester@example.com to fraud/fraud-1 waits for its cold start, due 2026-01-05T09:41:" in listed
    assert clock("now").stderr.endswith("; 1 request is held\n")
    clock("advance", "1m")
    assert call.result().status == 200


def test_json_is_the_whole_clock(clock):
    document = json.loads(clock("now", "--json").stdout)
    assert (document["now"], document["mode"], document["pending"], document["held"]) == (START, "frozen", [], [])


def test_nobody_there_is_exit_code_5(clock):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        result = clock("now", "--url", url)
    assert result.exit_code == 5
    assert f"asked {url}; nothing answers there" in result.stderr
    assert "servesim serve" in result.stderr


@pytest.mark.parametrize(("option", "value"), [("--admin-token", "wrong"), ("--workspace", "nobody")])
def test_a_refusal_of_the_server_is_told(clock, option, value):
    result = clock("now", option, value)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "SERVESIM_ADMIN_TOKEN" in result.stderr or "no workspace 'nobody'" in result.stderr


@pytest.mark.parametrize(
    "arguments", [("now", "--url", "nonsense://"), ("now", "--admin-token", "a\nb"), ("advance",), ("then",)], ids=str
)
def test_wrong_usage_is_exit_code_2(clock, arguments):
    assert clock(*arguments).exit_code == 2


def test_help_teaches(clock):
    for arguments in ((), ("advance",), ("run-until",), ("mode",), ("pending",), ("now",)):
        result = clock(*arguments, "--help")
        assert result.exit_code == 0
        assert max(map(len, result.stdout.splitlines())) <= 100
