"""Requests and wishes that come at the moment at which a workspace ends."""

import asyncio
import http.client
import json

import pytest

from servesim.core.access import ADMINS, Member, Principal
from servesim.core.commands import ConfigRequest, CreateEndpoint, EntitySpec
from servesim.core.model_commands import AddModel
from servesim.models.host import ModelHost
from servesim.models.stubs import Stub
from servesim.service.hub import Hub, WorkspaceSettings
from servesim.service.instants import LAST_MS
from servesim.service.mover import Stopping
from servesim.service.versions import stub_version

USER = Principal("user@example.com")


async def asleep():
    """Return a hub and a workspace whose endpoint ``e`` has scaled to zero."""
    hub = Hub(ModelHost())
    workspace = hub.open(WorkspaceSettings(mode="frozen", hold_timeout_s=3600), {"token": Member(USER, (ADMINS,))})
    workspace.clock.execute(AddModel(stub_version("m", "1", Stub("echo"))))
    config = ConfigRequest((EntitySpec("a", "m", "1", scale_to_zero=True),))
    workspace.clock.execute(CreateEndpoint("e", USER, config, serving=True))
    await workspace.clock.advance(31 * 60_000)
    return hub, workspace


async def ask(workspace):
    return await workspace.gateway.answer(workspace.gateway.admit("e"), b'{"inputs": [1]}', "application/json")


def test_a_request_that_would_be_held_once_the_server_stops_is_refused():
    async def scene():
        hub, workspace = await asleep()
        workspace.clock.refuse_held()
        with pytest.raises(Stopping):
            await ask(workspace)
        assert workspace.world.tickets == {}
        await hub.close()

    asyncio.run(scene())


def test_who_waits_for_time_that_will_never_move_is_told():
    async def scene():
        hub, workspace = await asleep()
        granted = workspace.clock._mover.ask(lambda: False, lambda: None)
        await hub.drop(workspace)  # before the mover has had a turn
        assert granted.cancelled()
        await hub.close()

    asyncio.run(scene())


def test_a_stop_waits_for_nobody_who_follows_the_event_log(server_process):
    server = server_process("--grace", "60")
    index = json.loads(server.call("GET", "/_servesim/v1/workspaces/default/events?limit=1", admin=True)[1])
    path = f"/_servesim/v1/workspaces/default/events?after={index['next']}&wait=30"
    connection = http.client.HTTPConnection(server.address, timeout=60)
    connection.request("GET", path, headers={"Authorization": f"Bearer {server.token(admin=True)}"})
    server.call("GET", "/api/2.0/serving-endpoints")  # once this is answered, what came before has been read
    server.end()  # fails after 30 s; the grace would be 60
    assert connection.getresponse().status == 200
    connection.close()


def test_time_that_runs_ends_with_the_year_9999(servesim_server):
    with servesim_server.open(clock="paced", rate=1e9, start="9999-12-31T00:00:00Z") as sim:
        while sim.clock.now() < "9999-12-31T23:59:59":
            pass
        assert sim.workspace.world.timeline.now == LAST_MS  # a moment later it would be thousands of years beyond
