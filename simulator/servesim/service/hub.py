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
        drawn = self.world.draws.stream("id", "request").hexadecimal(0)
        self._request_id_head = f"{drawn[:8]}-{drawn[8:12]}-{drawn[12:16]}-{drawn[16:20]}-"
        self.requests = 0
        self.not_simulated: Counter[str] = Counter()

    def next_request_id(self) -> str:
        """Return an id for a request, in the 8-4-4-4-12 form: the workspace's own digits, then a count."""
        self.requests += 1
        return f"{self._request_id_head}{self.requests:012x}"


KEPT_HEADERS = 1_000


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
        self._headers: dict[str, Session] = {}

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

    def find_header(self, header: str) -> Session | None:
        """Return who an Authorization header stands for if it has been kept."""
        return self._headers.get(header)

    def keep_header(self, header: str, session: Session) -> None:
        """Keep a header that was found to be right, so that it need not be read again."""
        if len(self._headers) < KEPT_HEADERS:
            self._headers[header] = session

    def workspaces(self) -> list[HostedWorkspace]:
        """List the workspaces, the oldest first."""
        return list(dict.fromkeys(session.workspace for session in self._sessions.values()))

    async def drop(self, workspace: HostedWorkspace) -> None:
        """Forget a workspace and every token of it."""
        self._headers.clear()
        self._sessions = {token: found for token, found in self._sessions.items() if found.workspace is not workspace}
        self.models.forget(workspace.world.registry)
        await workspace.clock.close()

    async def close(self) -> None:
        """Forget everything and end what answers."""
        for workspace in self.workspaces():
            await self.drop(workspace)
        await self.models.close()
