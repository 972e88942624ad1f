"""Counts and judges the scoring requests of any locust file, one that knows nothing of servesim.

It is a locust file itself, to be given beside the other: ``-f plugin.py,FILE``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from locust import events
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession

from servesim.load import endpoint, messages
from servesim.load.admin import is_simulated
from servesim.load.calls import CannotRun, Server
from servesim.load.conductor import Conductor
from servesim.load.ending import WRONG_USAGE, give_up
from servesim.load.judging import name_of
from servesim.load.process import Process
from servesim.load.register import server_under_load
from servesim.load.settings import from_environment
from servesim.load.work import SCORING
from servesim.service.clock import wall_second

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.load.settings import Settings

_DAY_S = 86_400.0


def course(run: Conductor) -> None:
    """Judge the split of the endpoint that is queried, as long as locust runs."""
    if run.until(lambda: bool(run.queried), _DAY_S):
        _judge(run)
        run.until(lambda: False, _DAY_S)


def _judge(run: Conductor) -> None:
    if not run.server.url:
        run.note("no split is judged: set DATABRICKS_HOST, or give --host, so that the endpoint's routes can be read")
        return
    name = run.queried[0]
    try:
        found = endpoint.read(run.server, name)
        run.plans([found.split])
    except CannotRun as reason:
        run.note(f"no split is judged: {reason}")
        return
    run.settings = replace(run.settings, endpoint=name)
    run.phase(name_of(found.split), found.split, judged_after_s=0)


def _watched(request: Callable[..., Any], process: Process) -> Callable[..., Any]:
    """Return a session's method that also knows which requests are under way."""

    def watched(self: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        url = _joined(self.base_url or "", url)
        if SCORING.search(url) is None:
            return request(self, method, url, *args, **options)
        second = wall_second()
        process.tally.begin(second)
        try:
            answer = request(self, method, url, *args, **options)
        except Exception:
            process.tally.end(second)
            raise
        process.tally.end(second)  # not if the user is killed: what it waited for then is never known
        return answer

    return watched


def _joined(base: str, url: str) -> str:
    """Return a path as it can be put behind an address: published files leave it to --host to end with a slash."""
    whole = "://" in url or url.startswith("/") or not base or base.endswith("/")
    return url if whole else f"/{url}"


def _server(environment: Any, settings: Settings) -> Server:
    try:
        return server_under_load(environment, settings)
    except CannotRun:
        return Server("", "")


@events.init.add_listener  # type: ignore[untyped-decorator]  # locust is read as Any
def _begin(environment: Any, **_: Any) -> None:
    """Take part; what is asked for stands in SERVESIM_LOAD, because the arguments are the file's own."""
    try:
        settings = from_environment()
    except ValueError as error:
        give_up(error, WRONG_USAGE)
    process = Process(environment, settings)
    process.counting.only = settings.endpoint
    for session in (HttpSession, FastHttpSession):
        session.request = _watched(session.request, process)
    if not messages.is_worker(environment):
        asked = _server(environment, settings)
        simulated = is_simulated(settings)
        settings = replace(settings, test=settings.test or "script", url=asked.url, simulated=simulated)
        Conductor(process, settings, asked, course, open_ended=True)
