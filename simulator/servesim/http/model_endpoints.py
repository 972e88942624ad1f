"""What the control planes of both retired generations have in common: how a model is named, polled, listed, changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.core import model_endpoints
from servesim.core.model_access import level_of
from servesim.http.kept import Kept
from servesim.http.parameters import fields_of
from servesim.http.reply import Reply, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.core.commands import Command
    from servesim.core.model_endpoint import Generation, ModelEndpoint
    from servesim.core.workspace import Workspace
    from servesim.generations.fields import Fields
    from servesim.http.calls import Call

_KEPT = Kept()


class Surface(NamedTuple):
    """A generation as calls find it; each method raises Rejected where it does not answer, before what is wrong."""

    generation: Generation
    read_model: Callable[[Fields], str]

    def open(self, call: Call) -> Workspace:
        """Return the world as it is now; raise SURFACE_RETIRED or PREVIEW_DISABLED."""
        workspace = call.session.workspace
        workspace.clock.now()
        model_endpoints.check(workspace.world, self.generation)
        return workspace.world

    async def fields(self, call: Call) -> Fields:
        """Return the parameters of a call."""
        self.open(call)
        return await fields_of(call)

    def find(self, call: Call, fields: Fields) -> ModelEndpoint:
        """Return the endpoint that a call names; raise BAD_FIELD, MODEL_NOT_PERMITTED or that it is not enabled."""
        workspace, name = call.session.workspace, self.read_model(fields)
        workspace.clock.now()  # time may have moved since the call came
        return model_endpoints.find(workspace.world, self.generation, name, call.session.principal)

    async def asked(self, call: Call) -> tuple[ModelEndpoint, Fields]:
        """Return the endpoint that a call names, and what else it says."""
        fields = await self.fields(call)
        return self.find(call, fields), fields

    async def polled(
        self, call: Call, render: Callable[[ModelEndpoint, Fields], bytes], grade: str = "observed"
    ) -> Reply:
        """Answer a read of what may be in transition, which moves time (``--poll``): also one that is refused."""
        clock = call.session.workspace.clock
        endpoint, fields = await self.asked(call)
        if not endpoint.in_transition:
            return Reply(200, render(endpoint, fields), grade=grade)
        await clock.before_status(endpoint)
        # While time moved, somebody may have switched it off, or on again, or the surface has ended.
        endpoint = self.find(call, fields)
        try:
            return Reply(200, render(endpoint, fields), grade=grade)
        finally:
            await clock.after_status(endpoint)

    def listed(self, call: Call, key: str, render: Callable[[ModelEndpoint], bytes]) -> Reply:
        """Answer with each endpoint whose model the caller may read; never moves time."""
        world, principal = self.open(call), call.session.principal
        parts = (
            render(endpoint)
            for endpoint in world.model_endpoints.values()
            if endpoint.generation is self.generation and level_of(world, principal, endpoint.model) is not None
        )
        return Reply(200, b'{"%b":[%b]}' % (key.encode(), b",".join(parts)), grade="observed")


async def done(call: Call, command: Command) -> Reply:
    """Execute a command; what the real services answer is not known, their clients do not look."""
    clock = call.session.workspace.clock
    clock.execute(command)
    await clock.settle()
    return Reply(200, b"{}", grade="chosen")


def kept(endpoint: ModelEndpoint, key: object, make: Callable[[], dict[str, Any]]) -> bytes:
    """Return bytes that are kept until endpoint or model change: either can show, and neither's revision ever falls."""
    return _KEPT.get(endpoint, endpoint.revision + endpoint.model.revision, key, lambda: encode(make()))


def observed(document: dict[str, Any]) -> Reply:
    """Answer with a document whose shape is observed."""
    return Reply(200, encode(document), grade="observed")
