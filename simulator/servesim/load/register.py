"""Makes a locust file of servesim's: its arguments, its users' work and its course."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from locust import events

from servesim.load import admin, endpoint, messages, options, payloads
from servesim.load.calls import CannotRun, Server, server
from servesim.load.conductor import Conductor
from servesim.load.ending import COULD_NOT_RUN, WRONG_USAGE, give_up
from servesim.load.process import Process
from servesim.load.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from servesim.load.endpoint import Endpoint
    from servesim.load.settings import Settings


def load_test(
    name: str,
    course: Callable[[Conductor], None],
    arguments: Iterable[str],
    *,
    splits: Callable[[Settings, Endpoint], list[dict[str, float]]] = lambda _settings, _found: [],
    needs_servesim: bool = False,
    ramps: bool = False,
) -> None:
    """Register a test with locust: what it is called, its course once users are there, and its arguments.

    ``splits`` are those that it will judge: how many requests they take is computed before there are users. One that
    ramps begins with one user and says itself how many there are.
    """
    named = (*options.ALWAYS, *options.SENDING, *arguments)

    @events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]  # locust is read as Any
    def _arguments(parser: Any, **_: Any) -> None:
        try:
            options.add(parser, named)
        except ValueError as error:
            give_up(error, WRONG_USAGE)

    @events.init.add_listener  # type: ignore[untyped-decorator]  # as above
    def _begin(environment: Any, **_: Any) -> None:
        try:
            settings = options.read(environment.parsed_options, name)
        except ValueError as error:
            give_up(error, WRONG_USAGE)
        process = Process(environment, settings)
        if messages.is_worker(environment):
            process.ask_for_work()
            return
        try:
            if needs_servesim and not admin.is_simulated(settings):
                raise CannotRun(f"{name} moves servesim's clock: it needs servesim, and its {admin.TOKEN}")  # noqa: TRY301 - as those of the others
            conductor, found = _prepare(process, settings, course)
            conductor.plans(splits(conductor.settings, found))
            if ramps:
                conductor.begin_small()
        except CannotRun as reason:
            environment.runner.quit()  # workers would wait for a minute
            give_up(reason, COULD_NOT_RUN)


def _prepare(process: Process, settings: Settings, course: Callable[[Conductor], None]) -> tuple[Conductor, Endpoint]:
    """Find out whom to load and with what, and tell the users; raise CannotRun."""
    asked = server_under_load(process.environment, settings)
    process.environment.host = asked.url
    settings = replace(settings, url=asked.url, simulated=admin.is_simulated(settings))
    settings = replace(settings, endpoint=settings.endpoint or endpoint.only(asked))
    found = endpoint.read(asked, settings.endpoint)
    sent = payloads.accepted(asked, settings)
    conductor = Conductor(process, settings, asked, course)
    conductor.notes += sent.notes
    process.set_work(Work(settings, sent.payloads))
    return conductor, found


def server_under_load(environment: Any, settings: Settings) -> Server:
    """Return the server that locust was pointed at; raise CannotRun."""
    url = environment.host or settings.url or os.environ.get("DATABRICKS_HOST", "").strip()
    if not url:
        raise CannotRun("set DATABRICKS_HOST, or give --host: which server is to be loaded?")
    return server(url, os.environ.get("DATABRICKS_TOKEN", "").strip())
