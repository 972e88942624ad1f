"""The control plane of GA Model Serving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.access import Level
from servesim.core.commands import DeleteEndpoint
from servesim.core.endpoint import check_config
from servesim.core.errors import Code, Rejected
from servesim.core.rollout import shows_fault
from servesim.generations import ga, ga_requests
from servesim.http.kept import Kept
from servesim.http.reply import INJECTED, Reply, encode
from servesim.service import sources
from servesim.service.healing import OPERATION

if TYPE_CHECKING:
    from servesim.core.commands import CreateEndpoint, UpdateConfig
    from servesim.core.endpoint import Endpoint
    from servesim.core.workspace import Workspace
    from servesim.http.calls import Call
    from servesim.service.hub import Session


class Rendered:
    """The bytes of endpoints by who reads them, kept until that reader would see something else."""

    def __init__(self) -> None:
        """Start with none."""
        self._kept = Kept()

    def full(self, call: Call, endpoint: Endpoint) -> bytes:
        """Return an endpoint as GET gives it to a caller; raise NOT_PERMITTED."""
        world = call.session.workspace.world
        level = world.level(call.session.principal, endpoint)
        if level is None:
            raise Rejected(Code.NOT_PERMITTED, endpoint=endpoint.name, needed=Level.CAN_VIEW)
        if endpoint.route_optimized:
            # Not kept: it tells where it is queried by the address that each caller came to.
            return encode(ga.render_endpoint(world, endpoint, level, call.base_url))
        return self._kept.get(
            endpoint, endpoint.revision, level, lambda: encode(ga.render_endpoint(world, endpoint, level))
        )

    def whole(self, call: Call, endpoint: Endpoint, grade: str = "recorded") -> Reply:
        """Return the answer that is a whole endpoint: what an ordered fault did to it is ``injected``."""
        shown = INJECTED if shows_fault(call.session.workspace.world, endpoint) else grade
        return Reply(200, self.full(call, endpoint), grade=shown)

    def all(self, session: Session) -> bytes:
        """Return every endpoint that a caller may see as LIST gives it."""
        world = session.workspace.world
        member = world.directory.find(session.principal.name)
        if member is None or not member.is_admin:
            return self._joined(session)
        # Admins may see everything, and see the same.
        return self._kept.get(session.workspace, world.revision, "list", lambda: self._joined(session))

    def _joined(self, session: Session) -> bytes:
        world = session.workspace.world
        levels = ((found, world.level(session.principal, found)) for found in world.endpoints.values())
        return b'{"endpoints":[%b]}' % b",".join(
            self._brief_of(world, found, level) for found, level in levels if level
        )

    def _brief_of(self, world: Workspace, endpoint: Endpoint, level: Level) -> bytes:
        return self._kept.get(
            endpoint, endpoint.revision, ("brief", level), lambda: encode(ga.render_summary(world, endpoint, level))
        )


class ControlPlane:
    """How endpoints come, change their config and go."""

    def __init__(self, rendered: Rendered) -> None:
        """Share the rendered bytes among calls."""
        self._rendered = rendered

    async def create(self, call: Call) -> Reply:
        """Create an endpoint and answer with it as it is at that instant."""
        workspace = call.session.workspace
        command = ga_requests.read_create(await call.json(), call.session.principal)
        if command.config and command.name not in workspace.world.endpoints:
            check_config(command.config, workspace.world.profile)
            await sources.provide(workspace, command.config)
        return await self._change(call, command)

    async def update_config(self, call: Call) -> Reply:
        """Replace the config of an endpoint."""
        workspace = call.session.workspace
        name = call.parameters["name"]
        command = ga_requests.read_update(name, await call.json(), call.session.principal)
        workspace.clock.now()
        endpoint = workspace.world.get(name)
        workspace.world.require(call.session.principal, endpoint, Level.CAN_MANAGE)
        check_config(command.config, workspace.world.profile)
        await workspace.clock.healing.updated(endpoint)
        if not endpoint.in_transition:
            await sources.provide(workspace, command.config)
        try:
            return await self._change(call, command)
        except Rejected as rejected:
            if rejected.code is Code.UPDATING:
                workspace.clock.healing.left_updating(workspace.world.endpoints[name])
            raise

    async def _change(self, call: Call, command: CreateEndpoint | UpdateConfig) -> Reply:
        clock = call.session.workspace.clock
        await clock.healing.healed(OPERATION)
        try:
            endpoint = clock.execute(command)
        except Rejected as refusal:
            clock.healing.left(OPERATION, refusal)
            raise
        reply = self._rendered.whole(call, endpoint)
        await clock.settle()
        return reply

    async def get(self, call: Call) -> Reply:
        """Answer with an endpoint; a read of one in transition moves time (``--poll``)."""
        workspace = call.session.workspace
        clock = workspace.clock
        clock.now()
        endpoint = workspace.world.get(call.parameters["name"])
        workspace.world.require(call.session.principal, endpoint, Level.CAN_VIEW)
        if not endpoint.in_transition:
            return self._rendered.whole(call, endpoint)
        await clock.before_status(endpoint)
        # While time moved, somebody may have deleted it, or made another of that name.
        endpoint = workspace.world.get(call.parameters["name"])
        reply = self._rendered.whole(call, endpoint)
        await clock.after_status(endpoint)
        return reply

    async def list(self, call: Call) -> Reply:
        """Answer with every endpoint in brief; never moves time."""
        workspace = call.session.workspace
        workspace.clock.now()
        return Reply(200, self._rendered.all(call.session), grade="recorded")

    async def delete(self, call: Call) -> Reply:
        """Delete an endpoint in any state."""
        clock = call.session.workspace.clock
        clock.execute(DeleteEndpoint(call.parameters["name"], call.session.principal))
        await clock.settle()
        return Reply(200, b"{}", grade="recorded")
