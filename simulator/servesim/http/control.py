"""The control plane of GA Model Serving."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from servesim.core.commands import DeleteEndpoint
from servesim.core.endpoint import check_config
from servesim.core.errors import Code, Rejected
from servesim.generations import ga
from servesim.http.reply import Reply, encode
from servesim.service import sources

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from servesim.core.commands import CreateEndpoint, UpdateConfig
    from servesim.core.endpoint import Endpoint
    from servesim.core.workspace import Workspace
    from servesim.http.calls import Call
    from servesim.service.hub import HostedWorkspace

_K = TypeVar("_K")


class Rendered:
    """The bytes of endpoints, kept until a reader would see something else."""

    def __init__(self) -> None:
        """Start with none."""
        self._full: WeakKeyDictionary[Endpoint, tuple[int, bytes]] = WeakKeyDictionary()
        self._brief: WeakKeyDictionary[Endpoint, tuple[int, bytes]] = WeakKeyDictionary()
        self._lists: WeakKeyDictionary[HostedWorkspace, tuple[int, bytes]] = WeakKeyDictionary()

    def full(self, workspace: HostedWorkspace, endpoint: Endpoint) -> bytes:
        """Return an endpoint as GET gives it."""
        world = workspace.world
        return _kept(self._full, endpoint, endpoint.revision, lambda: encode(ga.render_endpoint(world, endpoint)))

    def all(self, workspace: HostedWorkspace) -> bytes:
        """Return every endpoint as LIST gives it."""
        world = workspace.world
        return _kept(self._lists, workspace, world.revision, lambda: self._joined(world))

    def _joined(self, world: Workspace) -> bytes:
        return b'{"endpoints":[%b]}' % b",".join(self._brief_of(world, found) for found in world.endpoints.values())

    def _brief_of(self, world: Workspace, endpoint: Endpoint) -> bytes:
        return _kept(self._brief, endpoint, endpoint.revision, lambda: encode(ga.render_summary(world, endpoint)))


def _kept(kept: MutableMapping[_K, tuple[int, bytes]], key: _K, revision: int, make: Callable[[], bytes]) -> bytes:
    """Return what is kept for a key, made anew if its revision is another."""
    found = kept.get(key)
    if found is None or found[0] != revision:
        found = kept[key] = (revision, make())
    return found[1]


class ControlPlane:
    """The operations under ``/api/2.0/serving-endpoints``."""

    def __init__(self) -> None:
        """Share the rendered bytes among calls."""
        self._rendered = Rendered()

    async def create(self, call: Call) -> Reply:
        """Create an endpoint and answer with it as it is at that instant."""
        workspace = call.session.workspace
        command = ga.read_create(await call.json(), call.session.principal)
        if command.config and command.name not in workspace.world.endpoints:
            check_config(command.config, workspace.world.profile)
            await sources.provide(workspace, command.config)
        return await self._change(workspace, command)

    async def update_config(self, call: Call) -> Reply:
        """Replace the config of an endpoint."""
        workspace = call.session.workspace
        name = call.parameters["name"]
        command = ga.read_update(name, await call.json(), call.session.principal)
        workspace.clock.now()
        endpoint = workspace.world.get(name)
        check_config(command.config, workspace.world.profile)
        await workspace.clock.heal(endpoint)
        if not endpoint.in_transition:
            await sources.provide(workspace, command.config)
        try:
            return await self._change(workspace, command)
        except Rejected as rejected:
            if rejected.code is Code.UPDATING:
                workspace.clock.left_to_heal(workspace.world.endpoints[name])
            raise

    async def _change(self, workspace: HostedWorkspace, command: CreateEndpoint | UpdateConfig) -> Reply:
        endpoint = workspace.clock.execute(command)
        reply = Reply(200, self._rendered.full(workspace, endpoint), grade="recorded")
        await workspace.clock.settle()
        return reply

    async def get(self, call: Call) -> Reply:
        """Answer with an endpoint; a read of one in transition moves time (``--poll``)."""
        workspace = call.session.workspace
        clock = workspace.clock
        clock.now()
        endpoint = workspace.world.get(call.parameters["name"])
        if not endpoint.in_transition:
            return Reply(200, self._rendered.full(workspace, endpoint), grade="recorded")
        await clock.before_status(endpoint)
        # While time moved, somebody may have deleted it, or made another of that name.
        endpoint = workspace.world.get(call.parameters["name"])
        reply = Reply(200, self._rendered.full(workspace, endpoint), grade="recorded")
        await clock.after_status(endpoint)
        return reply

    async def list(self, call: Call) -> Reply:
        """Answer with every endpoint in brief; never moves time."""
        workspace = call.session.workspace
        workspace.clock.now()
        return Reply(200, self._rendered.all(workspace), grade="recorded")

    async def delete(self, call: Call) -> Reply:
        """Delete an endpoint in any state."""
        clock = call.session.workspace.clock
        clock.execute(DeleteEndpoint(call.parameters["name"]))
        await clock.settle()
        return Reply(200, b"{}", grade="recorded")
