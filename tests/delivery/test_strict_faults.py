"""Faults that struck nothing: named at the end of a run, and what a strict run fails by."""

from __future__ import annotations

import pytest

from servesim.delivery.complaints import BadAnswers
from servesim.delivery.handle import LocalServer

TESTS = """
import urllib.request, urllib.error
import pytest

def get(servesim):
    request = urllib.request.Request(servesim.host + "/api/2.0/serving-endpoints")
    request.add_header("Authorization", "Bearer " + servesim.token)
    urllib.request.urlopen(request).close()

@pytest.mark.servesim(MARKED)
def test_struck(servesim):
    servesim.faults.add("status", operation="list_endpoints", status=500)
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(servesim)
    caught.value.close()

@pytest.mark.servesim(MARKED)
def test_missed(servesim):
    servesim.faults.add("status", operation="list_endpoints", status=500, skip=1)
    servesim.faults.fail_next(endpoint="fraud")
    get(servesim)

@pytest.mark.servesim(MARKED)
def test_taken_back(servesim):
    servesim.faults.remove(servesim.faults.add("reset", operation="query"))
"""
MISSED = "fault 1: status 500 at list_endpoints (matched 1)"


@pytest.mark.parametrize("workers", [(), ("-p", "xdist.plugin", "-n", "2")], ids=["here", "xdist"])
def test_the_end_of_a_run_names_them(pytester, guests, workers):
    pytester.makepyfile(test_a=TESTS.replace("MARKED", ""))
    result = guests(*workers)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "*servesim: faults that struck nothing*",
            f"test_a.py::test_missed  {MISSED}",
            "test_a.py::test_missed  fault 2: fail at deployment, endpoint fraud",
        ]
    )
    assert "test_struck" not in result.stdout.str().partition("struck nothing")[2]


@pytest.mark.parametrize("how", ["marker", "option", "variable"])
def test_a_strict_test_fails_at_its_end(pytester, guests, monkeypatch, how):
    if how == "variable":
        monkeypatch.setenv("SERVESIM_STRICT_FAULTS", "1")
    pytester.makepyfile(TESTS.replace("MARKED", "strict_faults=True" if how == "marker" else ""))
    result = guests(*(["--servesim-strict-faults"] if how == "option" else []))
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(
        ["servesim has faults that struck nothing that this run does not accept:", f"struck nothing: {MISSED}"]
    )


def test_a_workspace_that_is_left_open_is_asked_at_the_end():
    server = LocalServer().start()
    sim = server.open(strict_faults=True)
    sim.faults.add("reset", operation="query")
    with pytest.raises(BadAnswers, match="struck nothing: fault 1: reset at query"):
        server.stop()


@pytest.mark.parametrize("options", [(), ("--strict-faults",)], ids=["told", "strict"])
def test_serve_tells_at_its_end(server_process, options):
    server = server_process(*options)
    for rule in ({"effect": "status", "status": 500, "operation": "list_endpoints"}, {"effect": "crash"}):
        assert server.call("POST", "/_servesim/v1/workspaces/default/faults", rule, admin=True)[0] == 201
    assert server.call("GET", "/api/2.0/serving-endpoints")[0] == 500
    server.end()
    said = [line for line in server.lines if "struck nothing" in line]
    told = "struck nothing in workspace 'default': fault 2: crash at query"
    strict = "not accepted: struck nothing: fault 2: crash at query"
    assert (server.process.returncode, said) == ((1, [strict]) if options else (0, [told]))
