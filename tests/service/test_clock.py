"""The clock in its three modes, over a world of its own and loads that are told when to end."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from servesim.core.access import Principal
from servesim.core.commands import (
    ConfigRequest,
    CreateEndpoint,
    DeleteEndpoint,
    EntitySpec,
    Finish,
    GiveUp,
    LoadFinished,
    NotSimulated,
    Signal,
    UpdateConfig,
    WorkerDied,
)
from servesim.core.endpoint import EndpointPhase
from servesim.core.errors import Code, Rejected
from servesim.core.model_commands import AddModel
from servesim.core.profile import FAITHFUL, MINUTE, SECOND
from servesim.core.registry import ModelVersion
from servesim.core.timeline import START_MS
from servesim.core.workspace import Workspace
from servesim.models.senders import ModelAtWork, sent_by
from servesim.service import clock as clock_module
from servesim.service import mover as mover_module
from servesim.service.clock import Clock
from servesim.service.holds import HeldTooLong
from servesim.service.mover import Runaway, Stopping

ANA = Principal("ana@example.com", "Ana")
TO_READY = 10 * MINUTE


class Bench:
    """A clock over a small world; loads end at once unless ``gate`` is closed."""

    def __init__(self, mode="autojump", *, profile=FAITHFUL, **settings):
        self.world = Workspace(profile=profile)
        for version in ("1", "2"):
            self.world.execute(AddModel(ModelVersion("m", version, "stub", "{}")))
        self.clock = Clock(self.world, self.load, mode=mode, **settings)
        self.loads = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self, effect):
        self.loads.append(self.world.timeline.now - START_MS)
        await self.gate.wait()
        return LoadFinished(effect.deployment_id)

    @property
    def elapsed(self):
        return self.world.timeline.now - START_MS

    def config(self, version="1", name="a"):
        return ConfigRequest((EntitySpec(name, "m", version, scale_to_zero=True),))

    def create(self, name="e", *, serving=False):
        return self.clock.execute(CreateEndpoint(name, ANA, self.config(), serving=serving))

    def put(self, version="2", name="a"):
        return self.clock.execute(UpdateConfig("e", ANA, self.config(version, name)))

    def deployment(self):
        return self.world.deployments[self.world.get("e").active.entities[0].deployment_id]

    async def asleep(self):
        """Serve, and let it scale to zero."""
        self.create(serving=True)
        await self.clock.advance(30 * MINUTE)
        assert self.deployment().phase == "scaled to zero"
        return self.elapsed

    async def asleep_at_once(self):
        """Serve, and let it scale to zero before anything else is due."""
        self.world.profile = replace(FAITHFUL, idle_to_zero_ms=0)
        self.create(serving=True)
        await self.clock.settle()
        assert self.deployment().phase == "scaled to zero"

    async def invoke(self):
        """Do as the gateway does, with a model that answers at once."""
        ticket = self.clock.admit("e", None)
        await self.clock.hold(ticket)
        if ticket.refusal:
            raise ticket.refusal
        self.clock.end(Finish(ticket.number, 200))
        return self.elapsed


def lived(scene):
    """Run a scene on an event loop whose errors are errors of the test."""
    problems = []

    async def run():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        async with asyncio.timeout(20):
            return await scene()

    outcome = asyncio.run(run())
    assert problems == []
    return outcome


def in_a_loop(scene):
    """Make a test of a scene."""

    def test():
        lived(scene)

    test.__name__ = scene.__name__
    return test


async def turns(count=10):
    """Let everything else have its turn."""
    loop = asyncio.get_running_loop()
    for _ in range(count):
        turn = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn


# --- frozen ---------------------------------------------------------------------------------------


@in_a_loop
async def test_frozen_time_moves_only_when_told():
    bench = Bench("frozen")
    endpoint = bench.create()
    await bench.clock.settle()
    await bench.clock.before_status(endpoint)
    await bench.clock.after_status(endpoint)
    bench.clock.healing.left_updating(endpoint)
    await bench.clock.healing.updated(endpoint)
    assert (bench.elapsed, bench.clock.now()) == (0, START_MS)
    await bench.clock.advance(8 * MINUTE)
    assert (bench.elapsed, endpoint.in_transition) == (8 * MINUTE, True)
    await bench.clock.advance_to(START_MS + TO_READY)
    assert (bench.elapsed, endpoint.in_transition) == (TO_READY, False)


@in_a_loop
async def test_a_past_instant_lets_happen_what_is_due_now():
    bench = Bench("frozen", profile=replace(FAITHFUL, container_build_ms=(0, 0)))
    bench.create()
    await bench.clock.advance_to(START_MS - MINUTE)
    assert bench.elapsed == 0
    assert "deployment provisioning" in [line.what for line in bench.world.log]


@pytest.mark.parametrize("mode", ["frozen", "autojump"])
def test_an_advance_waits_for_loads_and_each_takes_place_at_its_instant(mode):
    async def scene():
        bench = Bench(mode)
        bench.gate.clear()
        bench.create()
        advance = asyncio.create_task(bench.clock.advance(60 * MINUTE))
        await turns()
        assert (bench.loads, bench.elapsed, advance.done()) == ([TO_READY], TO_READY, False)
        bench.gate.set()
        await advance
        assert bench.elapsed == 60 * MINUTE
        assert bench.deployment().phase == "scaled to zero"

    lived(scene)


@in_a_loop
async def test_in_frozen_a_held_request_gives_up_after_real_seconds_and_names_what_it_waits_for():
    bench = Bench("frozen", hold_timeout_s=0.05)
    await bench.asleep()
    ticket = bench.clock.admit("e", None)
    with pytest.raises(HeldTooLong) as caught:
        await bench.clock.hold(ticket)
    held = caught.value
    assert (held.ticket, held.now, held.waited_s) == (ticket, bench.world.timeline.now, 0.05)
    assert held.timer.event.what is Signal.STARTED
    assert held.timer in bench.world.timeline.pending()
    assert (ticket.state, bench.world.tickets) == ("refused", {})


@pytest.mark.parametrize("mode", ["frozen", "autojump"])
def test_an_advance_waits_for_requests_that_it_lets_go(mode):
    async def scene():
        bench = Bench(mode)
        await bench.asleep()
        ticket = bench.clock.admit("e", None)
        holder = asyncio.create_task(bench.clock.hold(ticket))
        advance = asyncio.create_task(bench.clock.advance(60 * MINUTE))
        await holder
        at = bench.elapsed
        await turns()
        assert (ticket.state, bench.elapsed, advance.done()) == ("running", at, False)
        bench.clock.end(Finish(ticket.number, 200))
        await advance
        assert bench.deployment().phase == "scaled to zero"

    lived(scene)


@in_a_loop
async def test_requests_that_a_recovery_lets_go_are_waited_for_too():
    bench = Bench("frozen")
    bench.create(serving=True)
    bench.clock.execute(WorkerDied(bench.deployment().id))
    ticket = bench.clock.admit("e", None)
    holder = asyncio.create_task(bench.clock.hold(ticket))
    await turns()
    advance = asyncio.create_task(bench.clock.advance(60 * MINUTE))
    await holder
    await turns()
    assert (ticket.state, bench.elapsed, bench.loads) == ("running", 30 * SECOND, [30 * SECOND])
    bench.clock.end(Finish(ticket.number, 200))
    await advance


@in_a_loop
async def test_several_held_requests_go_on_in_order():
    bench = Bench("frozen")
    await bench.asleep()
    done = []

    async def one(number):
        await bench.invoke()
        done.append(number)

    requests = [asyncio.create_task(one(number)) for number in range(8)]
    await turns()
    await bench.clock.advance(20 * SECOND)
    await asyncio.gather(*requests)
    assert done == list(range(8))


@in_a_loop
async def test_a_request_held_by_an_endpoint_that_is_deleted_is_refused():
    bench = Bench("frozen")
    await bench.asleep()
    request = asyncio.create_task(bench.invoke())
    await turns()
    bench.clock.execute(DeleteEndpoint("e"))
    with pytest.raises(Rejected) as caught:
        await request
    assert caught.value.code is Code.NOT_SERVED


# --- autojump -------------------------------------------------------------------------------------


@in_a_loop
async def test_a_held_request_moves_time_to_its_cold_start_and_no_further():
    bench = Bench()
    asleep = await bench.asleep()
    cold = bench.world.draws.stream("cold start", bench.deployment().id).between(1, 10_000, 20_000)
    assert await bench.invoke() == asleep + cold
    assert await bench.invoke() == asleep + cold


@in_a_loop
async def test_several_held_requests_move_time_once():
    bench = Bench()
    await bench.asleep()
    reached = await asyncio.gather(*(bench.invoke() for _ in range(20)))
    assert len(set(reached)) == 1
    assert bench.world.tickets == {}


@in_a_loop
async def test_a_request_and_an_advance_at_once_do_not_wait_for_each_other():
    bench = Bench()
    asleep = await bench.asleep()
    advance = asyncio.create_task(bench.clock.advance(60 * MINUTE))
    request = asyncio.create_task(bench.invoke())
    await asyncio.gather(advance, request)
    assert bench.elapsed >= asleep + 60 * MINUTE


@in_a_loop
async def test_others_do_not_move_time_while_a_request_that_was_let_go_runs():
    bench = Bench()
    await bench.asleep()
    bench.put()
    ticket = bench.clock.admit("e", None)
    await bench.clock.hold(ticket)
    at = bench.elapsed
    read = asyncio.create_task(bench.clock.after_status(bench.world.get("e")))
    await turns()
    assert (bench.elapsed, read.done(), ticket.state) == (at, False, "running")
    bench.clock.end(Finish(ticket.number, 200))
    await read
    assert bench.elapsed > at


@pytest.mark.parametrize("mode", ["autojump", "frozen"])
def test_who_got_a_slot_is_forgotten_when_it_ends_though_time_never_moves_again(mode):
    async def scene():
        bench = Bench(mode)
        bench.create(serving=True)
        first, *_, queued = [bench.clock.admit("e", None) for _ in range(5)]
        waiting = asyncio.create_task(bench.clock.hold(queued))
        await turns()
        bench.clock.end(Finish(first.number, 200))
        await waiting
        assert bench.clock.holds.awaited_by(queued) == (queued,)
        bench.clock.end(Finish(queued.number, 200))
        assert bench.clock.holds.awaited_by(queued) == ()

    lived(scene)


@in_a_loop
async def test_real_work_of_others_does_not_end_a_wait():
    """The hold time-out is for time that does not come; here it comes, after a slow load."""
    bench = Bench(hold_timeout_s=0.01)
    bench.create("other")
    await bench.asleep_at_once()
    bench.gate.clear()
    update = asyncio.create_task(bench.clock.until_settled(bench.world.get("other")))
    await turns()
    request = asyncio.create_task(bench.invoke())
    await asyncio.wait({request}, timeout=0.05)
    assert not request.done()
    bench.gate.set()
    await asyncio.gather(update, request)


@in_a_loop
async def test_step_answers_what_is_so_and_then_moves_to_the_next_change():
    bench = Bench()
    endpoint = bench.create()
    await bench.clock.before_status(endpoint)
    assert bench.elapsed == 0
    await bench.clock.after_status(endpoint)
    assert (bench.elapsed, endpoint.in_transition) == (TO_READY, False)
    await bench.clock.after_status(endpoint)
    assert bench.elapsed == TO_READY


@in_a_loop
async def test_settle_moves_first():
    bench = Bench(poll="settle")
    endpoint = bench.create()
    await bench.clock.before_status(endpoint)
    assert (bench.elapsed, endpoint.in_transition) == (TO_READY, False)


@in_a_loop
async def test_a_jump_stops_at_what_it_waits_for():
    """Something else is due in between, and something at the same moment of another endpoint after it."""
    bench = Bench()
    first = bench.create()
    await bench.clock.advance(5 * MINUTE)
    second = bench.create("second")
    await bench.clock.next_change(first)
    assert (bench.elapsed, first.in_transition, second.in_transition) == (TO_READY, False, True)
    await bench.clock.next_change(second)
    assert bench.elapsed == 15 * MINUTE


@in_a_loop
async def test_several_readers_of_one_endpoint_move_time_once():
    bench = Bench()
    endpoint = bench.create()
    await asyncio.gather(*(bench.clock.after_status(endpoint) for _ in range(10)))
    assert bench.elapsed == TO_READY


@in_a_loop
async def test_settle_lets_happen_what_is_due_now():
    bench = Bench(profile=replace(FAITHFUL, container_build_ms=(0, 0), resources_ms=(0, 0)))
    endpoint = bench.create()
    await bench.clock.settle()
    assert (bench.elapsed, endpoint.in_transition) == (0, False)


@in_a_loop
async def test_a_conflict_leaves_the_instant_at_which_the_next_try_is_admitted():
    bench = Bench()
    endpoint = bench.create()
    await bench.clock.healing.updated(endpoint)
    await bench.clock.healing.updated(None)
    assert bench.elapsed == 0
    with pytest.raises(Rejected) as caught:
        bench.put()
    assert caught.value.code is Code.UPDATING
    bench.clock.healing.left_updating(endpoint)
    await bench.clock.healing.updated(endpoint)
    assert bench.elapsed == TO_READY
    bench.put()
    await bench.clock.healing.updated(endpoint)
    assert bench.elapsed == TO_READY


@in_a_loop
async def test_waiting_for_an_endpoint_that_is_deleted_ends():
    bench = Bench()
    bench.gate.clear()
    endpoint = bench.create()
    read = asyncio.create_task(bench.clock.after_status(endpoint))
    await turns()
    bench.clock.execute(DeleteEndpoint("e"))
    bench.gate.set()
    await read
    await bench.clock.until_settled(endpoint)
    assert bench.elapsed == TO_READY


@in_a_loop
async def test_a_reader_who_went_away_moves_no_time():
    bench = Bench()
    bench.gate.clear()
    first = bench.create()
    await bench.clock.advance(MINUTE)
    second = bench.create("second")
    reads = [asyncio.create_task(bench.clock.next_change(one)) for one in (first, second)]
    await turns()
    reads[1].cancel()
    await turns()
    bench.gate.set()
    await reads[0]
    await turns()
    assert (bench.elapsed, second.in_transition) == (TO_READY, True)


@in_a_loop
async def test_a_runaway_is_an_error_with_a_number():
    bench = Bench()
    bench.create()
    before = mover_module.EVENTS_PER_MOVE
    mover_module.EVENTS_PER_MOVE = 2
    try:
        with pytest.raises(Runaway, match="2 events happened in one move of time"):
            await bench.clock.advance(60 * MINUTE)
    finally:
        mover_module.EVENTS_PER_MOVE = before
    await bench.clock.advance(60 * MINUTE)


@in_a_loop
async def test_a_load_that_raises_is_a_failed_deployment_and_the_clock_lives_on():
    bench = Bench()

    async def broken(_):
        raise OSError("no such pool")

    bench.clock._mover._load = broken
    endpoint = bench.create()
    await bench.clock.advance(60 * MINUTE)
    assert bench.elapsed == 60 * MINUTE
    assert endpoint.phase is EndpointPhase.CREATE_FAILED
    (deployment,) = bench.world.deployments.values()
    assert "no such pool" in deployment.reason


@in_a_loop
async def test_a_runaway_reaches_a_held_request_as_well():
    bench = Bench()
    await bench.asleep()
    before = mover_module.EVENTS_PER_MOVE
    mover_module.EVENTS_PER_MOVE = 0
    try:
        with pytest.raises(Runaway):
            await bench.invoke()
    finally:
        mover_module.EVENTS_PER_MOVE = before
    assert bench.world.tickets == {}


# --- going away -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["frozen", "autojump", "paced"])
def test_a_client_who_goes_away_while_held_leaves_nothing(mode):
    async def scene():
        bench = Bench(mode)
        bench.create(serving=True)
        bench.clock.execute(WorkerDied(bench.deployment().id))
        bench.gate.clear()
        ticket = bench.clock.admit("e", None)
        holder = asyncio.create_task(bench.clock.hold(ticket))
        await turns()
        holder.cancel()
        await asyncio.wait({holder})
        assert (ticket.state, bench.world.tickets) == ("refused", {})
        await bench.clock.close()

    lived(scene)


@in_a_loop
async def test_a_client_who_goes_away_at_the_moment_of_its_release_leaves_nothing():
    bench = Bench("frozen")
    bench.create(serving=True)
    bench.clock.execute(WorkerDied(bench.deployment().id))
    ticket = bench.clock.admit("e", None)
    holder = asyncio.create_task(bench.clock.hold(ticket))
    await turns()
    bench.clock.execute(LoadFinished("nobody"))
    advance = asyncio.create_task(bench.clock.advance(60 * MINUTE))
    while ticket.state == "held":
        await turns(1)
    holder.cancel()
    await asyncio.wait({holder})
    await advance
    assert (bench.world.tickets, bench.deployment().in_flight) == ({}, 0)


@pytest.mark.parametrize("mode", ["frozen", "autojump", "paced"])
def test_close_cancels_who_waits(mode):
    async def scene():
        bench = Bench(mode, hold_timeout_s=30)
        bench.create(serving=True)
        bench.gate.clear()
        bench.clock.execute(WorkerDied(bench.deployment().id))
        waits = [asyncio.create_task(bench.invoke()) for _ in range(2)]
        if mode != "paced":
            waits += [asyncio.create_task(bench.clock.advance(60 * MINUTE)) for _ in range(2)]
        await turns()
        assert not any(wait.done() for wait in waits)
        await bench.clock.close()
        done, left = await asyncio.wait(waits, timeout=5)
        assert (len(done), left) == (len(waits), set())
        assert all(wait.cancelled() for wait in done)
        assert bench.clock._alarm is None or bench.clock._alarm.cancelled()
        assert bench.world.tickets == {}

    lived(scene)


@pytest.mark.parametrize("mode", ["frozen", "paced"])
def test_held_requests_can_be_told_that_the_server_stops(mode):
    async def scene():
        bench = Bench(mode)
        bench.create(serving=True)
        running = bench.clock.admit("e", None)
        bench.clock.execute(WorkerDied(bench.deployment().id))
        request = asyncio.create_task(bench.invoke())
        work = asyncio.get_running_loop().create_future()
        race = asyncio.create_task(bench.clock.race(running, work))
        await turns()
        bench.clock.refuse_held()
        with pytest.raises(Stopping):
            await request
        work.set_result("answer")
        assert await race == "answer"
        assert list(bench.world.tickets) == [running.number]
        bench.clock.end(GiveUp(running.number, "done"))
        bench.clock.refuse_held()
        await bench.clock.close()

    lived(scene)


# --- paced ----------------------------------------------------------------------------------------


@pytest.fixture
def wall(monkeypatch):
    """A wall clock that stands still until it is moved."""
    wall = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(clock_module, "time", SimpleNamespace(monotonic=lambda: wall.seconds))
    return wall


def test_paced_time_follows_the_wall_clock_at_its_rate(wall):
    async def scene():
        bench = Bench("paced", rate=60)
        endpoint = bench.create()
        wall.seconds += 9
        assert bench.clock.now() == START_MS + 9 * MINUTE
        wall.seconds += 1
        await bench.clock.settle()
        await turns()
        assert (bench.loads, endpoint.in_transition) == ([TO_READY], False)
        await bench.clock.advance(30 * MINUTE)
        assert (bench.elapsed, bench.deployment().phase) == (TO_READY + 30 * MINUTE, "scaled to zero")
        wall.seconds += 1
        assert bench.clock.now() == START_MS + 41 * MINUTE
        await bench.clock.advance_to(START_MS)
        assert bench.elapsed == 41 * MINUTE
        await bench.clock.close()

    lived(scene)


def test_paced_time_does_not_wait_for_loads(wall):
    async def scene():
        bench = Bench("paced")
        bench.gate.clear()
        endpoint = bench.create()
        await bench.clock.advance(TO_READY)
        await turns()
        await bench.clock.advance(MINUTE)
        assert (bench.elapsed, bench.loads, endpoint.in_transition) == (11 * MINUTE, [TO_READY], True)
        bench.gate.set()
        await turns()
        assert (endpoint.in_transition, endpoint.events[-1].instant) == (False, START_MS + 11 * MINUTE)
        bench.gate.clear()
        bench.clock.execute(WorkerDied(bench.deployment().id))
        await bench.clock.advance(MINUTE)
        await turns()
        await bench.clock.close()
        assert not bench.clock._loads

    lived(scene)


def test_the_execution_limit_reaches_a_request_that_runs(wall):
    async def scene():
        bench = Bench("paced")
        bench.create(serving=True)
        ticket = bench.clock.admit("e", None)
        work = asyncio.get_running_loop().create_future()
        race = asyncio.create_task(bench.clock.race(ticket, work))
        await turns()
        await bench.clock.advance(297 * SECOND)
        assert await race is None
        assert ticket.refusal.code is Code.EXECUTION_LIMIT
        assert work.cancelled()
        await bench.clock.close()

    lived(scene)


def test_the_work_of_a_client_who_goes_away_ends(wall):
    async def scene():
        bench = Bench("paced")
        bench.create(serving=True)
        ticket = bench.clock.admit("e", None)
        work = asyncio.get_running_loop().create_future()
        race = asyncio.create_task(bench.clock.race(ticket, work))
        await turns()
        race.cancel()
        await asyncio.wait({race})
        assert work.cancelled()
        await bench.clock.close()

    lived(scene)


def test_a_runaway_of_paced_time_is_an_error_too(wall, monkeypatch):
    async def scene():
        bench = Bench("paced")
        bench.create()
        monkeypatch.setattr(mover_module, "EVENTS_PER_MOVE", 2)
        with pytest.raises(Runaway):
            await bench.clock.advance(60 * MINUTE)
        await bench.clock.close()

    lived(scene)


@in_a_loop
async def test_fast_paced_time_rings_by_itself():
    """Real time, ten thousand times as fast: build, load and cold start come without a call."""
    bench = Bench("paced", rate=10_000)
    bench.create()
    while bench.world.get("e").in_transition:
        await turns()
    assert bench.elapsed >= TO_READY
    await bench.clock.advance(30 * MINUTE)
    assert bench.deployment().phase == "scaled to zero"
    asked = bench.elapsed
    assert await bench.invoke() >= asked + 10 * SECOND
    await bench.clock.close()


@in_a_loop
async def test_what_is_due_rings_sooner_after_an_advance():
    bench = Bench("paced", rate=0.001)
    bench.create(serving=True)
    await bench.clock.advance(30 * MINUTE - 5)
    bench.clock.execute(NotSimulated("ana", "GET /x"))
    ring = bench.clock._alarm.when()
    await bench.clock.advance(3)
    assert bench.clock._alarm.when() < ring
    await bench.clock.close()


def test_the_end_of_a_request_after_close_sets_no_alarm(wall):
    async def scene():
        bench = Bench("paced")
        bench.create(serving=True)
        ticket = bench.clock.admit("e", None)
        await bench.clock.close()
        bench.clock.end(Finish(ticket.number, 200))
        assert bench.clock._alarm is None

    lived(scene)


# --- models that ask for time ---------------------------------------------------------------------


@in_a_loop
async def test_time_does_not_wait_for_a_model_that_waits_for_time():
    """The work of a request that was let go asks for time: the next event comes, and then the rest of the work."""
    bench = Bench()
    await bench.asleep()
    ticket = bench.clock.admit("e", None)
    await bench.clock.hold(ticket)
    assert bench.clock.holds.awaited_by(ticket) == (ticket,)
    started = bench.elapsed

    later = asyncio.create_task(bench.clock.advance(10 * MINUTE))
    await turns()
    assert (later.done(), bench.elapsed) == (False, started)

    async def ask():
        sent_by.set(ModelAtWork((ticket,)))
        await bench.clock.advance(1 * MINUTE)

    await asyncio.create_task(ask())  # behind the other wish, which is granted first
    assert (later.done(), bench.elapsed) == (True, started + 10 * MINUTE)
    bench.clock.end(Finish(ticket.number, 200))


@in_a_loop
async def test_time_waits_again_as_soon_as_such_a_model_has_its_time():
    bench = Bench()
    await bench.asleep()
    ticket = bench.clock.admit("e", None)
    await bench.clock.hold(ticket)
    started = bench.elapsed

    async def ask():
        sent_by.set(ModelAtWork((ticket,)))
        await bench.clock.advance(1 * MINUTE)

    asking = asyncio.create_task(ask())
    later = asyncio.create_task(bench.clock.advance_to(START_MS + started + 20 * MINUTE))
    await asking
    await turns()
    assert (later.done(), bench.elapsed) == (False, started + 1 * MINUTE)
    bench.clock.end(Finish(ticket.number, 200))
    await later
    assert bench.elapsed == started + 20 * MINUTE
