"""Drives the core directly, or the verification, and prints what it cost.

Arguments: ``month ENDPOINTS DAYS``, ``virtual REQUESTS`` or ``judge ANSWERS``.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter, process_time

from worlds import USER, add_models, answer, entity, fill

from servesim.core.commands import (
    Admit,
    ConfigRequest,
    CreateEndpoint,
    Finish,
    LoadFinished,
    MoveTo,
    Step,
    UpdateConfig,
)
from servesim.core.draws import Draws
from servesim.core.profile import FAITHFUL, UNLIMITED, override
from servesim.core.routing import TicketState
from servesim.core.workspace import Workspace

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
REDEPLOYED_AT = 60 * MINUTE
ASKED_AT = 180 * MINUTE
"""By then the new deployment has scaled to zero, so the first request of the day starts it cold."""
ASKED_MINUTES = 10


class Driver:
    """Moves a world's time and does what would happen outside of it."""

    def __init__(self, world: Workspace) -> None:
        """Count what it carries out."""
        self.world = world
        self.commands = 0

    def move(self, to: int) -> None:
        """Let everything happen up to an instant."""
        while self.world.execute(Step(to)):
            self.commands += 1
            self._outside()
        self.world.execute(MoveTo(to))
        self.commands += 2

    def ask(self, endpoint: str) -> None:
        """Send a request; one that is held is answered once it is let go on."""
        ticket = self.world.execute(Admit(endpoint))
        self.commands += 1
        if ticket.state is TicketState.RUNNING:
            self._finish(ticket.number)

    def _finish(self, number: int) -> None:
        self.world.execute(Finish(number, 200))
        self.commands += 1

    def _outside(self) -> None:
        world = self.world
        while world.effects:
            world.execute(LoadFinished(world.effects.popleft().deployment_id))
            self.commands += 1
        while world.released:
            ticket = world.released.popleft()
            if ticket.state is TicketState.RUNNING:
                self._finish(ticket.number)


def month(endpoints: int, days: int) -> dict[str, float]:
    """Return the processor seconds of a redeployment a day and one request a minute for ten minutes a day."""
    world = Workspace(profile=override(FAITHFUL, "unlimited", {"endpoint_limit": UNLIMITED}))
    add_models(world)
    names = [f"endpoint-{number}" for number in range(endpoints)]
    configs = [ConfigRequest((entity("champion", version),)) for version in ("1", "2")]
    for name in names:
        world.execute(CreateEndpoint(name, USER, configs[0], serving=True))
    driver = Driver(world)
    start = world.timeline.now
    began = process_time()
    for day in range(days):
        _live_a_day(driver, start + day * DAY, names, configs[(day + 1) % 2])
    driver.move(start + days * DAY)
    cpu_s = process_time() - began
    _check(world, names, endpoints * days * ASKED_MINUTES)
    return {"cpu_s": cpu_s, "commands": driver.commands}


def _live_a_day(driver: Driver, midnight: int, names: list[str], config: ConfigRequest) -> None:
    apart = MINUTE / len(names)
    plan = [(midnight + REDEPLOYED_AT + int(at * apart), None, name) for at, name in enumerate(names)]
    plan += [
        (midnight + ASKED_AT + minute * MINUTE + int(at * apart), minute, name)
        for minute in range(ASKED_MINUTES)
        for at, name in enumerate(names)
    ]
    for instant, minute, name in plan:  # redeployments come before all requests, each in order of time
        driver.move(instant)
        if minute is None:
            driver.world.execute(UpdateConfig(name, USER, config))
            driver.commands += 1
        else:
            driver.ask(name)


def _check(world: Workspace, names: list[str], requests: int) -> None:
    assert world.tickets_given == requests
    assert not world.tickets
    deployments = list(world.deployments.values())
    assert len(deployments) == len(names)
    assert all(deployment.phase == "scaled to zero" and deployment.cold_starts == 1 for deployment in deployments)


def virtual(requests: int) -> dict[str, float]:
    """Return how many requests a processor second takes in and out again."""
    world = Workspace()
    fill(world, 1)
    answer(world, requests // 10)
    began = process_time()
    answer(world, requests)
    return {"per_cpu_second": requests / (process_time() - began)}


def judge(answers: int) -> dict[str, float]:
    """Return the seconds in which answers of a right split are judged, with a look after each."""
    from servesim.verification import Judge  # noqa: PLC0415 - numpy, which the other figures do not need

    draws = Draws(0).stream("answers")
    order = ["champion" if draws.fraction(number) < 0.9 else "challenger" for number in range(answers)]  # noqa: PLR2004 - the split below
    began = perf_counter()
    judging = Judge({"champion": 90, "challenger": 10})
    judging.add_in_order(order)
    assert judging.look().requests == answers
    return {"seconds": perf_counter() - began}


if __name__ == "__main__":
    kind, *numbers = sys.argv[1:]
    json.dump({"month": month, "virtual": virtual, "judge": judge}[kind](*map(int, numbers)), sys.stdout)
