"""Every workspace of one server, found by token."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from servesim.core.commands import LoadFinished, PutMember, RemoveMember
from servesim.core.enrolment import Enrolment
from servesim.core.errors import Code, Rejected
from servesim.core.faults import unused
from servesim.core.profile import FAITHFUL, Profile
from servesim.core.timeline import START_MS
from servesim.core.workspace import Workspace
from servesim.generations.dated import dated
from servesim.generations.ga_texts import TEXTS
from servesim.service.artifact_store import QUOTA, ArtifactStore
from servesim.service.calendar import Entry, on_dates
from servesim.service.clock import Clock, Mode, Poll
from servesim.service.fault_rules import words
from servesim.service.gateway import Gateway
from servesim.service.record import Requests
from servesim.service.routes import Routes, no_path
from servesim.service.tokens import CLIENT_TAKEN, TAKEN, Client, Grant, Tokens
from servesim.service.vault import Unresolved, Vault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from servesim.core.access import Member, Principal
    from servesim.core.commands import LoadModel
    from servesim.core.deployment import Deployment
    from servesim.generations.text import Text
    from servesim.models.host import ModelHost
    from servesim.service.artifacts import Artifacts
    from servesim.service.dbfs import Uploads

COMPLAINTS_KEPT = 100
"""Different ones about answers; a run that has so many has failed."""
TOKEN_LIFETIME_S = 3600.0
"""Documented for access tokens."""


class WorkspaceSettings(NamedTuple):
    """How a workspace begins and how its time moves."""

    seed: int = 0
    profile: Profile = FAITHFUL
    start: int = START_MS
    mode: Mode = "autojump"
    rate: float = 1.0
    poll: Poll = "step"
    hold_timeout_s: float = 5.0
    limits: str = "profile"
    """``none``, ``all`` of core.profile.LIMITS, or those of the ``profile``."""
    unknown_models: str = "reject"
    """``reject`` or ``stub``: what a create with an unknown model gets."""
    mlflow_registry: str | None = None
    model_roots: tuple[str, ...] = (".",)
    """Folders below which a client may register a model by its path."""
    private_libraries: frozenset[str] = frozenset()
    """Normalized names, or patterns of them, of libraries that no public index has."""
    internet: bool = True
    """Whether what runs in the workspace reaches the internet."""
    model_serving: str = "enabled"
    """``enabled`` or ``disabled``: where it is disabled every serving call is refused."""
    token_lifetime_s: float = TOKEN_LIFETIME_S
    """How long an OAuth access token lives: in real seconds, in ``paced`` in simulated ones."""
    validate_responses: bool = False
    """Whether an answer that the contracts do not allow is a complaint."""
    strict_evidence: bool = False
    """Whether an answer that rests on ``chosen`` is a complaint."""
    strict_faults: bool = False
    """Whether a fault that struck nothing is a complaint."""
    dates: tuple[Entry, ...] = ()
    """What ends when, in place of what the profile's calendar says of the same things."""
    sunset_headers: bool = True
    """Whether answers announce the end of what they rest on."""
    serverless_preview: Enrolment = Enrolment.NOT_ENROLLED
    """How far the workspace has come towards the serverless preview when it begins."""
    texts: Mapping[Code, Text] = TEXTS
    """How refusals are worded: servesim's own table, or one with the answers of a real workspace in it."""


async def _nothing(_workspace: HostedWorkspace) -> None:
    """Add nothing to a new workspace."""


class HostedWorkspace:
    """A workspace with what surrounds it: clock, gateway, secrets and the record of its calls."""

    def __init__(
        self, settings: WorkspaceSettings, models: ModelHost, name: str = "default", store: ArtifactStore | None = None
    ) -> None:
        """Begin an empty workspace; ``store`` is what it shares with the other ones of its server."""
        self.name = name
        """What the admin API calls it."""
        self.settings = settings
        self.models = models
        self.store = store or ArtifactStore()
        self._artifacts: Artifacts | None = None
        self._uploads: Uploads | None = None
        self.begin: Callable[[HostedWorkspace], Awaitable[None]] = _nothing
        """Fills it with what it began with; a reset does that again."""
        self.vault = Vault()
        self.world = Workspace(
            seed=settings.seed,
            profile=on_dates(settings.profile.with_limits(settings.limits), settings.dates),
            start=settings.start,
            private_libraries=settings.private_libraries,
            enrolment=settings.serverless_preview,
        )
        self.dates = dated(self.world.profile.calendar)
        self.clock = Clock(
            self.world,
            self._load,
            mode=settings.mode,
            rate=settings.rate,
            poll=settings.poll,
            hold_timeout_s=settings.hold_timeout_s,
        )
        self.gateway = Gateway(self.clock, models, self.vault)
        self.id = str(self.world.draws.stream("id", "workspace").between(0, 10**15, 10**16 - 1))
        drawn = self.world.draws.stream("id", "request").hexadecimal(0)
        self._request_id_head = f"{drawn[:8]}-{drawn[8:12]}-{drawn[12:16]}-{drawn[16:20]}-"
        self.record = Requests()
        self.requests = 0
        self.not_simulated: Counter[str] = Counter()
        self.is_inspected = settings.validate_responses or settings.strict_evidence
        self.complaints: Counter[str] = Counter()
        """What was wrong with answers, if they are looked at; a reset keeps it, a run fails by it."""
        self.serving_disabled = settings.model_serving == "disabled"
        self.tokens_drawn: Counter[tuple[str, str]] = Counter()
        """How many tokens were drawn, by kind and name."""
        self.wants_port: int | None = None
        """The port of its own that it is to have once the server starts; 0 for a free one."""
        self.routes = Routes()
        self.at_end: list[Callable[[], Awaitable[None]]] = []
        """What is called when the workspace ends."""

    async def reset(self) -> None:
        """Go back to how it began, under the same tokens; who is held or waits for time is refused.

        If it cannot begin again (a model's folder is gone, say), nothing has changed.
        """
        fresh = HostedWorkspace(self.settings, self.models, self.name, self.store)
        began_with = dict(self.world.directory.members)
        for member in began_with.values():
            fresh.world.execute(PutMember(member))
        fresh.routes.simulated = self.routes.simulated
        try:
            await self.begin(fresh)
        except BaseException:
            await fresh.end_artifacts()
            raise
        self._catch_up(fresh, began_with)
        left, clock = self.world, self.clock
        # Whoever keeps what readers saw compares revisions: none may come twice.
        fresh.world.revision += left.revision + 1
        self.world, self.clock, self.gateway, self.vault = fresh.world, fresh.clock, fresh.gateway, fresh.vault
        self.requests, self.record, self.not_simulated = fresh.requests, fresh.record, fresh.not_simulated
        self.routes, self.serving_disabled = fresh.routes, fresh.serving_disabled
        artifacts, self._artifacts = self._artifacts, fresh._artifacts
        clock.refuse_held()
        await clock.close(telling=True)
        self.models.forget(left.registry)
        await self._end(artifacts)

    @property
    def artifacts(self) -> Artifacts:
        """The files of the versions that are registered here, made when the first one is asked for."""
        if self._artifacts is None:
            clock = self.clock
            self._artifacts = self.store.open(clock.now)
        return self._artifacts

    @property
    def uploads(self) -> Uploads:
        """What clients left in DBFS for the workspace registry, made when it is asked for."""
        if self._uploads is None:
            from servesim.service.dbfs import Uploads  # noqa: PLC0415 - most workspaces have none

            self._uploads = Uploads(self.store.open(self.clock.now))
        return self._uploads

    async def tidy_artifacts(self) -> None:
        """Let the files of versions go that are not registered any more."""
        if self._artifacts is not None:
            await self._artifacts.tidy(self.world)

    async def end_artifacts(self) -> None:
        """Let every file go."""
        artifacts, self._artifacts = self._artifacts, None
        await self._end(artifacts)

    async def _end(self, artifacts: Artifacts | None) -> None:
        self.store.drop_signed(self)
        uploads, self._uploads = self._uploads, None
        if artifacts is not None:
            await artifacts.close()
        if uploads is not None:
            await uploads.close()

    def _catch_up(self, fresh: HostedWorkspace, began_with: dict[str, Member]) -> None:
        """Let a fresh workspace have who came, changed and went while it was made: their tokens did so at once."""
        members = self.world.directory.members
        for name, member in members.items():
            if began_with.get(name) != member:
                fresh.world.execute(PutMember(member))
        for name in began_with.keys() - members.keys():
            fresh.world.execute(RemoveMember(name))

    def next_request_id(self) -> str:
        """Return an id for a request, in the 8-4-4-4-12 form: the workspace's own digits, then a count."""
        self.requests += 1
        return f"{self._request_id_head}{self.requests:012x}"

    def check_serving(self) -> None:
        """Raise SERVING_DISABLED where model serving is."""
        if self.serving_disabled:
            raise Rejected(Code.SERVING_DISABLED)

    def printed(self, deployment: Deployment) -> str:
        """Return the last that the worker behind a deployment printed, without the values of secrets."""
        environment = self.vault.known(deployment.id, deployment.spec.environment)
        return "" if environment is None else self.vault.scrub(self.models.printed(deployment.model, environment))

    async def _load(self, effect: LoadModel) -> LoadFinished:
        """Load a deployment's model with its secrets; nothing that comes back holds one."""
        self.vault.keep_only(self.world.deployments)
        try:
            environment = self.vault.environment(effect.deployment_id, effect.environment)
        except Unresolved as error:
            return LoadFinished(effect.deployment_id, str(error))
        outcome = await self.models.load(effect._replace(environment=environment))
        error_text = None if outcome.error is None else self.vault.scrub(outcome.error)
        return LoadFinished(outcome.deployment_id, error_text, self.vault.scrub(outcome.log))


class Session(NamedTuple):
    """Who a token stands for, and in which workspace."""

    workspace: HostedWorkspace
    principal: Principal


class Hub:
    """The workspaces of one server by token."""

    def __init__(self, models: ModelHost, artifact_quota: int = QUOTA) -> None:
        """Begin with none; ``artifact_quota`` is how many bytes the files of their models may have together."""
        self.models = models
        self.store = ArtifactStore(artifact_quota)
        self.simulated: Callable[[str], Collection[str]] = no_path
        """Which methods whoever serves these workspaces answers on a path."""
        self.tokens = Tokens()
        self.complaints: Counter[str] = Counter()
        """Those about the answers of workspaces that have ended."""
        self._workspaces: list[HostedWorkspace] = []

    def open(
        self, settings: WorkspaceSettings, principals: Mapping[str, Member], clients: Collection[Client] = ()
    ) -> HostedWorkspace:
        """Make a workspace for these members by token and these OAuth clients; ValueError if one is taken."""
        if any(self.tokens.is_taken(token) for token in principals):
            raise ValueError(TAKEN)
        if any(self.tokens.has_client(client.id) for client in clients):
            raise ValueError(CLIENT_TAKEN)
        workspace = HostedWorkspace(settings, self.models, store=self.store)
        workspace.routes.simulated = self.simulated
        self._workspaces.append(workspace)
        for token, member in principals.items():
            self.add_principal(workspace, member, token)
        for client in clients:
            self.add_client(workspace, client)
        return workspace

    def add_principal(self, workspace: HostedWorkspace, member: Member, token: str | None = None) -> str:
        """Add a member, or change what is known of it, and return a token for it; ValueError if that is taken."""
        token = self.tokens.draw(workspace, "dapi", member.principal.name) if token is None else token
        self.tokens.add(token, Session(workspace, member.principal))
        workspace.clock.execute(PutMember(member))
        return token

    def add_client(self, workspace: HostedWorkspace, client: Client) -> None:
        """Add a member that asks for access tokens; ValueError if the client's id is taken."""
        self.tokens.add_client(client, Session(workspace, client.member.principal))
        workspace.clock.execute(PutMember(client.member))

    def remove_principal(self, workspace: HostedWorkspace, name: str) -> None:
        """Take a member out of a workspace; its tokens and clients end. Raise MEMBER_MISSING."""
        workspace.clock.execute(RemoveMember(name))
        self.tokens.drop(workspace, name)

    def expire_tokens(self, workspace: HostedWorkspace, principal: str | None = None) -> int:
        """End the OAuth access tokens of a workspace, or of one member; return how many there were."""
        return self.tokens.expire(workspace, principal)

    def grant(self, session: Session, objects: frozenset[str] = frozenset()) -> Grant:
        """Make an access token for somebody, for some endpoints alone if they are named."""
        return self.tokens.grant(session, session.principal.name, objects)

    def find(self, token: str) -> Session | None:
        """Return who a token stands for, a lasting one or a living access token."""
        session = self.tokens.find(token)
        if session is not None:
            return session
        grant = self.tokens.find_grant(token)
        return None if grant is None else grant.session

    def workspaces(self) -> list[HostedWorkspace]:
        """List the workspaces, the oldest first."""
        return list(self._workspaces)

    async def drop(self, workspace: HostedWorkspace) -> None:
        """Forget a workspace and every token of it."""
        self.tokens.drop(workspace)
        if workspace in self._workspaces:
            self._workspaces.remove(workspace)
            if workspace.settings.strict_faults:
                workspace.complaints.update(f"struck nothing: {words(order)}" for order in unused(workspace.world))
            if len(self.complaints) < COMPLAINTS_KEPT:
                self.complaints.update(workspace.complaints)
        self.models.forget(workspace.world.registry)
        workspace.clock.refuse_held()  # who is held is told so before the clock stops
        await workspace.clock.close()
        for end in workspace.at_end:
            await end()
        await workspace.end_artifacts()

    async def close(self) -> None:
        """Forget everything and end what answers."""
        for workspace in self.workspaces():
            await self.drop(workspace)
        await self.models.close()
        await self.store.close()
