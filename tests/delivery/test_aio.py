"""The async handle: the same workspace, for coroutines, beside the caller's event loop."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
import urllib.request

import aiohttp
import pytest

import servesim as package
from servesim.delivery import facade, parts
from servesim.delivery.operations import Part

COLD = {"entity_name": "m", "entity_version": "1", "scale_to_zero_enabled": True}


def in_a_loop(scene):
    """Make a test of a scene."""

    def test():
        asyncio.run(scene())

    test.__name__ = scene.__name__
    return test


async def send(session, sim, path, body=None):
    method = "GET" if body is None else "POST"
    headers = {"Authorization": f"Bearer {sim.token}"}
    async with session.request(method, sim.host + path, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def asleep(session, sim):
    """Have an endpoint that has scaled to zero."""
    await sim.models.stub("m", "constant", value=7)
    await send(session, sim, "/api/2.0/serving-endpoints", {"name": "e", "config": {"served_entities": [COLD]}})
    await sim.clock.advance("41m")


async def query(session, sim):
    return (await send(session, sim, "/serving-endpoints/e/invocations", {"inputs": [1]}))[1]["predictions"]


def blocking_query(sim):
    request = urllib.request.Request(f"{sim.host}/serving-endpoints/e/invocations", b'{"inputs": [1]}')
    request.add_header("Authorization", f"Bearer {sim.token}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["predictions"]


@in_a_loop
async def test_run_gives_coroutines():
    async with package.run(clock="frozen", seed=2) as sim:
        assert await sim.clock.now() == "2026-01-05T09:00:00Z"
        assert await sim.clock.advance("31m") == "2026-01-05T09:31:00Z"
        assert await sim.clock.run_until("2026-01-05T10:00:00Z") == "2026-01-05T10:00:00Z"
        assert await sim.models.function("m", lambda rows: rows) == "1"
        assert await sim.routes.add("GET", "/x", 1) == 1
        assert (await sim.routes.list())[0]["path"] == "/x"
        assert (sim.clock.mode, sim.workspace.settings.seed) == ("frozen", 2)
        with pytest.raises(ValueError, match="time does not run backwards"):
            await sim.clock.advance(-1)
    with pytest.raises(RuntimeError, match="has stopped"):
        await sim.clock.now()


@in_a_loop
async def test_the_event_loop_of_the_caller_goes_on():
    """A callable that only the caller's loop can end shows that nothing blocks it."""
    ended = threading.Event()
    async with package.run() as sim, aiohttp.ClientSession() as session:
        await sim.models.function("m", lambda rows: [ended.wait() for _ in rows])
        await send(session, sim, "/api/2.0/serving-endpoints", {"name": "e", "config": {"served_entities": [COLD]}})
        await sim.clock.advance("41m")
        asked = asyncio.create_task(query(session, sim))
        while not any(
            line.what == "deployment ready" and line.instant > sim.workspace.settings.start + 2_000_000
            for line in sim.log
        ):
            await asyncio.wait({asked}, timeout=0)
        moving = asyncio.create_task(sim.clock.advance("1m"))  # waits for the request that a cold start has let go
        asyncio.get_running_loop().call_soon(ended.set)
        assert await asked == [True]
        assert await moving


@in_a_loop
async def test_start_look_advance_result_with_coroutines():
    async with package.run(clock="frozen") as sim, aiohttp.ClientSession() as session:
        await asleep(session, sim)
        pending = await sim.start(query, session, sim)
        assert (pending.state, pending.request) == ("held", "POST /serving-endpoints/e/invocations")
        assert (await pending.waits_for()).startswith("its cold start, due at 2026-01-05T09:41:")
        with pytest.raises(TimeoutError, match=r"query has not ended within 0.01 .*servesim.clock.run_until"):
            await pending.result(timeout=0.01)
        await sim.clock.advance("20s")
        assert await pending.result() == [7]
        assert (pending.state, pending.done, await pending.exception()) == ("done", True, None)


@in_a_loop
async def test_several_calls_share_a_session():
    async with package.run(clock="frozen") as sim, aiohttp.ClientSession() as session:
        await asleep(session, sim)
        calls = [await sim.start(query, session, sim) for _ in range(4)]
        calls += await asyncio.gather(*(sim.start(query, session, sim) for _ in range(4)))
        assert [call.state for call in calls] == ["held"] * 8
        await sim.clock.advance("20s")
        assert [await call.result() for call in calls] == [[7]] * 8


@in_a_loop
async def test_a_call_that_is_no_coroutine_gets_a_thread():
    async with package.run(clock="frozen") as sim, aiohttp.ClientSession() as session:
        await asleep(session, sim)
        pending = await sim.start(blocking_query, sim)
        assert pending.state == "held"
        await sim.clock.advance("20s")
        assert await pending.result() == [7]


def test_an_event_loop_that_sends_beneath_python():
    """What uvloop sends is not seen: it belongs to the call that is starting."""
    uvloop = pytest.importorskip("uvloop")

    async def scene():
        async with package.run(clock="frozen") as sim, aiohttp.ClientSession() as session:
            await asleep(session, sim)
            calls = [await sim.start(query, session, sim) for _ in range(3)]
            assert [call.state for call in calls] == ["held"] * 3
            await sim.clock.advance("20s")
            assert [await call.result() for call in calls] == [[7]] * 3

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scene())


@in_a_loop
async def test_what_a_coroutine_raises_is_raised():
    async def wrong():
        raise LookupError("nothing there")

    async with package.run() as sim:
        pending = await sim.start(wrong)
        assert isinstance(await pending.exception(), LookupError)
        with pytest.raises(LookupError, match="nothing there"):
            await pending.result()


@in_a_loop
async def test_who_stops_waiting_for_time_stops_it():
    async with package.run(clock="frozen") as sim:
        moving = asyncio.create_task(sim.clock.advance("1d"))
        moving.cancel()
        await asyncio.wait({moving})
        assert moving.cancelled()
        assert await sim.clock.advance("1s")


def test_both_handles_are_one_workspace(servesim):
    async def scene():
        async with aiohttp.ClientSession() as session:
            assert await servesim.aio.models.stub("m") == "1"
            return (await send(session, servesim.aio, "/api/2.0/serving-endpoints"))[1]

    assert asyncio.run(scene()) == {"endpoints": []}
    assert servesim.models.stub("m") == "2"
    assert servesim.aio is servesim.aio


def test_an_async_handle_closes_its_workspace(servesim_server):
    sim = servesim_server.open()

    async def scene():
        async with sim.aio as same:
            assert await same.clock.now()
        assert sim.workspace not in servesim_server.server.hub.workspaces()

    asyncio.run(scene())


@in_a_loop
async def test_a_task_that_is_cancelled_says_so():
    never = asyncio.Event()

    async def called():
        await send(session, sim, "/api/2.0/serving-endpoints")
        await never.wait()

    async with package.run() as sim, aiohttp.ClientSession() as session:
        pending = await sim.start(called)
        assert (pending.state, pending.request) == ("running", "GET /api/2.0/serving-endpoints")
        (task,) = sim._tasks
        task.cancel()
        assert isinstance(await pending.exception(), asyncio.CancelledError)


PARTS = [
    (parts.ClockHandle, parts.AsyncClockHandle),
    (parts.ModelsHandle, parts.AsyncModelsHandle),
    (parts.RoutesHandle, parts.AsyncRoutesHandle),
    (parts.SecretsHandle, parts.AsyncSecretsHandle),
    (parts.PrincipalsHandle, parts.AsyncPrincipalsHandle),
    (parts.FaultsHandle, parts.AsyncFaultsHandle),
    (facade.Servesim, facade.AsyncServesim),
]


@pytest.mark.parametrize(("sync", "aio"), PARTS, ids=lambda part: part.__name__)
def test_the_handles_have_the_same_methods_with_the_same_arguments(sync, aio):
    def methods(part):
        return {name for name in dir(part) if not name.startswith("_") and callable(getattr(part, name))}

    names = methods(sync)
    assert names == methods(aio)
    assert names
    for name in names - {"start"}:  # whose types differ as calls and coroutine functions do
        one, other = (inspect.signature(getattr(part, name)) for part in (sync, aio))
        assert list(one.parameters.values()) == list(other.parameters.values())
        assert not inspect.iscoroutinefunction(getattr(sync, name))
        assert inspect.iscoroutinefunction(getattr(aio, name))
        assert getattr(sync, name).__doc__
    assert issubclass(sync, Part)


@pytest.mark.sdk
@in_a_loop
async def test_the_sdk_beside_coroutines():
    async with package.run(clock="frozen") as sim, aiohttp.ClientSession() as session:
        await asleep(session, sim)
        client = await sim.client()
        pending = await sim.start(client.serving_endpoints.query, "e", inputs=[1])
        assert pending.state == "held"
        await sim.clock.advance("20s")
        assert (await pending.result()).predictions == [7]
