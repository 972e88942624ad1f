"""Handles and callables treated badly: by the interpreter's own exceptions, other event loops, interrupts."""

from __future__ import annotations

import asyncio
import http.client
import signal
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

import servesim
from servesim.core.access import Member, Principal
from servesim.models.pool_process import Ring


class Own(BaseException):
    """What nobody expects."""


class Speechless(Exception):  # noqa: N818 - a name for the test
    """An exception whose text fails too."""

    def __str__(self):
        raise RuntimeError


def get(sim, path):
    connection = http.client.HTTPConnection(sim.host.removeprefix("http://"), timeout=60)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {sim.token}"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "problem",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        StopIteration(),
        asyncio.CancelledError(),
        Own(),
        Speechless(),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_a_route_that_raises_anything_leaves_the_server_alone(servesim, problem):
    def answer(_request):
        raise problem

    servesim.routes.add("GET", "/stung", answer)
    status, text = get(servesim, "/stung")
    assert (status, f"raised {type(problem).__name__}" in text) == (500, True)
    assert get(servesim, "/elsewhere")[0] == 501


def test_a_run_ends_where_another_event_loop_runs():
    async def within():
        with servesim.run() as sim:
            return sim.clock.now()

    assert asyncio.run(within()) == "2026-01-05T09:00:00Z"


def waits_for_the_server(thread):
    """Whether a thread is within the wait for a call's outcome."""
    frame = sys._current_frames().get(thread.ident)
    while frame is not None:
        if frame.f_code is Future.result.__code__:
            return True
        frame = frame.f_back
    return False


def test_a_start_that_was_interrupted_leaves_the_next_one_alone(servesim):
    go_on = threading.Event()
    gone_on = []

    def interrupt():
        while not waits_for_the_server(threading.main_thread()):
            pass
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        gone_on.append(go_on.wait(60))

    def interrupted(*_):
        raise Own

    before = signal.signal(signal.SIGUSR1, interrupted)
    try:
        with pytest.raises(Own):
            servesim.start(interrupt)
        assert servesim.start(get, servesim, "/elsewhere").result()[0] == 501
        assert gone_on == [], "the next one has waited for the one that was interrupted"
    finally:
        go_on.set()
        signal.signal(signal.SIGUSR1, before)


def test_a_profiler_that_a_started_call_sets_stays_set(servesim):
    def own(_frame, _event, _argument):
        """Measure nothing."""

    def act():
        with servesim._does.start.senders.act(object()):
            sys.setprofile(own)
        try:
            return sys.getprofile()
        finally:
            sys.setprofile(None)

    with ThreadPoolExecutor(1) as thread:  # the profiler of this one may be somebody's
        assert thread.submit(act).result() is own


def test_who_comes_and_goes_during_a_reset_is_who_came_and_went(servesim):
    workspace, hub = servesim.workspace, servesim._local.server.hub
    servesim.principals.add("goes@example.com")
    servesim.principals.add("changes@example.com")
    token = servesim.principals.add("stays@example.com", groups=["g"])

    async def begin(_fresh):
        """Stand for a world that takes long to make."""
        hub.add_principal(workspace, Member(Principal("comes@example.com")))
        hub.add_principal(workspace, Member(Principal("changes@example.com"), ("analysts",)))
        hub.remove_principal(workspace, "goes@example.com")

    workspace.begin = begin
    servesim._server.run(workspace.reset())
    found = servesim.principals.list()
    assert found.keys() >= {"comes@example.com", "changes@example.com", "stays@example.com"}
    assert "goes@example.com" not in found
    assert (found["changes@example.com"], found["stays@example.com"]) == (["analysts"], ["g"])
    assert token


def test_of_a_line_that_was_cut_nothing_is_kept():
    ring = Ring(20)
    ring.add(b"a planted-secret\nsecond line\nthird\n")
    assert ring.text() == "second line\nthird\n"
    ring.add(b"x" * 50)
    assert ring.text() == "x" * 20  # of one line that is longer than everything, its end
