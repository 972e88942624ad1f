"""Every workspace of one server, found by token."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from servesim.core.profile import FAITHFUL, Profile
from servesim.core.timeline import START_MS
from servesim.core.workspace import Workspace
from servesim.service.clock import Clock, Mode, Poll
from servesim.service.gateway import Gateway

if TYPE_CHECKING:
    from servesim.core.access import Principal
    from servesim.core.draws import Stream
    from servesim.models.host import ModelHost


class WorkspaceSettings(NamedTuple):
    """How a workspace begins and how its time moves."""

    seed: int = 0
    profile: Profile = FAITHFUL
    start: int = START_MS
    mode: Mode = "autojump"
    rate: float = 1.0
    poll: Poll = "step"
    hold_timeout_s: float = 5.0
    unknown_models: str = "reject"
    """``reject`` or ``stub``: what a create with an unknown model gets."""
    mlflow_registry: str | None = None


class HostedWorkspace:
    """A workspace with what surrounds it: clock, gateway and the record of what it could not answer."""

    def __init__(self, settings: WorkspaceSettings, models: ModelHost) -> None:
        """Begin an empty workspace."""
        self.settings = settings
        self.models = models
        self.world = Workspace(seed=settings.seed, profile=settings.profile, start=settings.start)
        self.clock = Clock(
            self.world,
            models.load,
            mode=settings.mode,
            rate=settings.rate,
            poll=settings.poll,
            hold_timeout_s=settings.hold_timeout_s,
        )
        self.gateway = Gateway(self.clock, models)
        self.id = str(self.world.draws.stream("id", "workspace").between(0, 10**15, 10**16 - 1))
        self.request_ids: Stream = self.world.draws.stream("id", "request")
        self.requests = 0
        self.not_simulated: Counter[str] = Counter()

    def next_request_id(self) -> str:
        """Return an id for a request, in the 8-4-4-4-12 form."""
        self.requests += 1
        digits = self.request_ids.hexadecimal(self.requests)
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class Session(NamedTuple):
    """Who a token stands for, and in which workspace."""

    workspace: HostedWorkspace
    principal: Principal


class Hub:
    """The workspaces of one server by token."""

    def __init__(self, models: ModelHost) -> None:
        """Begin with none."""
        self.models = models
        self._sessions: dict[str, Session] = {}

    def open(self, settings: WorkspaceSettings, principals: dict[str, Principal]) -> HostedWorkspace:
        """Make a workspace for these tokens; ValueError if one is taken."""
        taken = principals.keys() & self._sessions.keys()
        if taken:
            message = "a token can stand for one principal of one workspace only"
            raise ValueError(message)
        workspace = HostedWorkspace(settings, self.models)
        for token, principal in principals.items():
            self._sessions[token] = Session(workspace, principal)
        return workspace

    def find(self, token: str) -> Session | None:
        """Return who a token stands for."""
        return self._sessions.get(token)

    def workspaces(self) -> list[HostedWorkspace]:
        """List the workspaces, the oldest first."""
        return list(dict.fromkeys(session.workspace for session in self._sessions.values()))

    async def drop(self, workspace: HostedWorkspace) -> None:
        """Forget a workspace and every token of it."""
        self._sessions = {token: found for token, found in self._sessions.items() if found.workspace is not workspace}
        self.models.forget(workspace.world.registry)
        await workspace.clock.close()

    async def close(self) -> None:
        """Forget everything and end what answers."""
        for workspace in self.workspaces():
            await self.drop(workspace)
        await self.models.close()
