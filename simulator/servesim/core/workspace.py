"""One workspace: the single owner of its endpoints, deployments, requests and time.

Rules: every change is a command given to ``execute``; a command that is refused has changed nothing; what
must happen outside (loading a model) is left in ``effects``, which requests may go on in ``released``.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from servesim.core import (
    capacity,
    enrolment,
    express,
    faults,
    lifecycle,
    model_access,
    model_endpoints,
    model_requests,
    model_rollout,
    permissions,
    registering,
    requests,
    rollout,
    secrets,
    striking,
    suspension,
    updates,
)
from servesim.core.access import Directory, Level, Principal
from servesim.core.commands import (
    AddFault,
    Admit,
    Alarm,
    CancelUpdate,
    ChangeSetting,
    ChangeTags,
    Command,
    CreateEndpoint,
    CreateScope,
    DeleteEndpoint,
    DeleteScope,
    DeleteSecret,
    DeleteSecretAcl,
    Due,
    EndWait,
    Finish,
    GiveUp,
    LoadFinished,
    LoadModel,
    MoveTo,
    NotSimulated,
    PutMember,
    PutSecret,
    PutSecretAcl,
    RemoveFault,
    RemoveMember,
    SetModelAccess,
    SetPermissions,
    Signal,
    StartEndpoint,
    Step,
    StopEndpoint,
    Strike,
    UpdateConfig,
    WorkerDied,
)
from servesim.core.deployment import UP, Deployment
from servesim.core.draws import Draws
from servesim.core.endpoint import EVENTS_KEPT
from servesim.core.enrolment import Enrolment
from servesim.core.errors import Code, Rejected
from servesim.core.eventlog import DETAIL_CHARACTERS, LOG_LINES, LogLine, keep
from servesim.core.limits import Limits
from servesim.core.model_commands import (
    AddModel,
    CreateModelVersion,
    CreateRegisteredModel,
    DeleteModelVersion,
    DeleteRegisteredModel,
    FinishRegistration,
    SetAlias,
    SetModelPermissions,
    StageDeployment,
    TagModel,
    TransitionStage,
    UpdateModelVersion,
    UpdateRegisteredModel,
)
from servesim.core.model_endpoint_commands import (
    AdmitVersion,
    ChangeCompute,
    DisableModel,
    EnableModel,
    MoveEnrolment,
    RestartUpdate,
)
from servesim.core.profile import FAITHFUL, Profile
from servesim.core.registry import Registry
from servesim.core.timeline import START_MS, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.core.endpoint import Endpoint
    from servesim.core.model_endpoint import ModelEndpoint
    from servesim.core.routing import Ticket


class Workspace:
    """The world of one workspace, in plain synchronous code."""

    def __init__(
        self,
        *,
        seed: int = 0,
        profile: Profile = FAITHFUL,
        start: int = START_MS,
        private_libraries: frozenset[str] = frozenset(),
        enrolment: Enrolment = Enrolment.NOT_ENROLLED,
    ) -> None:
        """Begin empty at an instant (milliseconds since 1970).

        No container build can install the private libraries; ``enrolment`` is how far the workspace has come towards
        the serverless preview.
        """
        self.profile = profile
        self.draws = Draws(seed)
        self.timeline = Timeline(start)
        self.registry = Registry(self.draws)
        self.private_libraries = private_libraries
        self.directory = Directory()
        self.secrets: dict[str, secrets.Scope] = {}
        """Secret scopes by name; their values are not here."""
        self.faults = faults.Faults()
        self.limits = Limits()
        self.usage: dict[tuple[str, str], capacity.Usage] = {}
        """What served entities used, by endpoint and entity; what runs at this moment is not yet in it."""
        self.revision = 0
        """Grows with every change that a reader of any endpoint could see."""
        self.endpoints: dict[str, Endpoint] = {}
        self.by_id: dict[str, Endpoint] = {}
        self.model_endpoints: dict[tuple[str, str], ModelEndpoint] = {}
        """Of the retired generations, by the generation's name and the model's, with those that a date has ended."""
        self.model_endpoints_by_id: dict[str, ModelEndpoint] = {}
        self.enrolment = enrolment
        self.deployments: dict[str, Deployment] = {}
        self.tickets: dict[int, Ticket] = {}
        self.effects: deque[LoadModel] = deque()
        self.released: deque[Ticket] = deque()
        self.log: deque[LogLine] = deque(maxlen=LOG_LINES)
        self.logged = 0
        """How many lines were ever written to the log: the number of its newest line."""
        self.recorder: Callable[[Command], None] | None = None
        self.tickets_given = 0
        self._ids = {kind: self.draws.stream("id", kind) for kind in ("endpoint", "deployment", "model endpoint")}
        self._counts = dict.fromkeys(self._ids, 0)

    def execute(self, command: Command) -> Any:
        """Carry out one command and return what it made; raise Rejected with nothing changed."""
        if self.recorder is not None:
            self.recorder(command)
        return _HANDLERS[type(command)](self, command)

    def get(self, name: str) -> Endpoint:
        """Return an endpoint; raise ENDPOINT_MISSING."""
        try:
            return self.endpoints[name]
        except KeyError:
            raise Rejected(Code.ENDPOINT_MISSING, endpoint=name) from None

    def level(self, principal: Principal, endpoint: Endpoint) -> Level | None:
        """Return what a principal may do with an endpoint; None for nothing.

        Where nobody was ever a member, everybody may do everything.
        """
        directory = self.directory
        if directory.is_open:
            return Level.CAN_MANAGE
        levels = endpoint.levels
        if levels is None or endpoint.levels_as_of != directory.revision:
            levels = endpoint.levels = {}
            endpoint.levels_as_of = directory.revision
        try:
            return levels[principal.name]
        except KeyError:
            level = directory.level(principal, endpoint.acl.items())
            if principal.name in directory.members:  # strangers have no end
                levels[principal.name] = level
            return level

    def require(self, principal: Principal | None, endpoint: Endpoint, needed: Level) -> None:
        """Raise NOT_PERMITTED unless a principal has a level; None is servesim itself, which may do everything."""
        if principal is None:
            return
        level = self.level(principal, endpoint)
        if level is None or level < needed:
            raise Rejected(Code.NOT_PERMITTED, endpoint=endpoint.name, needed=needed)

    def is_ready(self, endpoint: Endpoint) -> bool:
        """Tell whether every entity of the active config is ready."""
        return endpoint.active is not None and all(
            self.deployments[entity.deployment_id].phase in UP for entity in endpoint.active.entities
        )

    # --- what others of the core call -------------------------------------------------------------

    def note(self, what: str, endpoint: str, subject: str, detail: str) -> None:
        """Write a line of the event log; a detail without end is cut."""
        self.logged += 1
        self.log.append(LogLine(self.timeline.now, what, endpoint, subject, detail[:DETAIL_CHARACTERS]))

    def happened(self, endpoint: Endpoint | ModelEndpoint, what: str, subject: str = "", detail: str = "") -> None:
        """Write a line that belongs to an endpoint's own history as well."""
        self.note(what, endpoint.name, subject, detail)
        endpoint.events = keep(endpoint.events, self.log[-1], EVENTS_KEPT)

    def next_id(self, kind: str) -> str:
        """Return 32 hexadecimal digits that no other endpoint or deployment has."""
        self._counts[kind] += 1
        return self._ids[kind].hexadecimal(self._counts[kind])

    def owner(self, deployment: Deployment) -> Endpoint | ModelEndpoint | None:
        """Return the endpoint that a deployment is of, of whichever generation; None once that is gone."""
        return self.by_id.get(deployment.endpoint_id) or self.model_endpoints_by_id.get(deployment.endpoint_id)

    def deployment_moved(self, deployment: Deployment, *, seen: bool) -> None:
        """Let the deployment's endpoint know of its new phase; ``seen`` if a reader can tell."""
        if (endpoint := self.by_id.get(deployment.endpoint_id)) is not None:
            rollout.on_deployment_moved(self, endpoint, deployment, seen=seen)
        elif (model := self.model_endpoints_by_id.get(deployment.endpoint_id)) is not None:
            model_rollout.on_deployment_moved(self, model, deployment, seen=seen)


# --- time, models and remarks: what needs no module of its own -------------------------------------


def _step(world: Workspace, command: Step) -> bool:
    timer = world.timeline.pop(command.until)
    if timer is None:
        return False
    _ON_DUE[timer.event.what](world, timer.event)
    return True


def _move_to(world: Workspace, command: MoveTo) -> None:
    world.timeline.move(command.instant)


def _put_member(world: Workspace, command: PutMember) -> None:
    world.directory.put(command.member)
    world.revision += 1
    world.note("principal added", "", command.member.principal.name, ", ".join(command.member.groups))


def _remove_member(world: Workspace, command: RemoveMember) -> None:
    if not world.directory.remove(command.name):
        raise Rejected(Code.MEMBER_MISSING, name=command.name)
    world.revision += 1
    world.note("principal removed", "", command.name, "")


def _set_model_access(world: Workspace, command: SetModelAccess) -> None:
    world.registry.restrict(command.model, command.allowed)
    world.note("model access changed", "", command.model, "everybody" if command.allowed is None else "restricted")


def _not_simulated(world: Workspace, command: NotSimulated) -> None:
    world.note("not simulated", "", command.principal, command.call)


_ON_DUE: dict[Signal | Alarm, Callable[[Workspace, Due], None]] = {
    **dict.fromkeys(Signal, lifecycle.on_signal_due),
    Alarm.IDLE_CHECK: lifecycle.check_idle,
    Alarm.CONFIG_SETTLED: rollout.on_settled,
    Alarm.DRAIN_LIMIT: requests.end_drain,
    Alarm.EXECUTION_LIMIT: requests.expire,
    Alarm.CALL_DELAY: striking.wait_over,
    Alarm.ANSWER_DUE: requests.answer_due,
    Alarm.REPLICA_UP: capacity.replica_up,
    Alarm.SCALE_DOWN: capacity.scale_down,
    Alarm.REGISTERED: registering.registered,
    Alarm.MODEL_ENDPOINT_UP: model_endpoints.start_over,
    Alarm.SURFACE_ENDS: model_endpoints.surface_ends,
}

_HANDLERS: dict[type, Callable[[Workspace, Any], Any]] = {
    AddModel: registering.add,
    CreateRegisteredModel: registering.create_model,
    UpdateRegisteredModel: registering.update_model,
    DeleteRegisteredModel: registering.delete_model,
    TagModel: registering.tag,
    CreateModelVersion: registering.create_version,
    FinishRegistration: registering.finish,
    UpdateModelVersion: registering.update_version,
    DeleteModelVersion: registering.delete_version,
    TransitionStage: registering.transition,
    SetAlias: registering.set_alias,
    SetModelPermissions: model_access.change,
    StageDeployment: express.stage,
    EnableModel: model_endpoints.enable,
    DisableModel: model_endpoints.disable,
    ChangeCompute: model_endpoints.change_compute,
    RestartUpdate: model_endpoints.restart,
    AdmitVersion: model_requests.admit,
    MoveEnrolment: enrolment.move,
    CreateEndpoint: updates.create,
    UpdateConfig: updates.update,
    CancelUpdate: updates.cancel,
    DeleteEndpoint: updates.delete,
    StopEndpoint: suspension.stop,
    StartEndpoint: suspension.start,
    ChangeTags: updates.change_tags,
    ChangeSetting: updates.change_setting,
    SetPermissions: permissions.change,
    PutMember: _put_member,
    RemoveMember: _remove_member,
    SetModelAccess: _set_model_access,
    AddFault: faults.add,
    RemoveFault: faults.remove,
    Strike: striking.strike_call,
    EndWait: striking.end_wait,
    Admit: requests.admit,
    Finish: requests.finish,
    GiveUp: requests.give_up,
    LoadFinished: lifecycle.load_finished,
    WorkerDied: lifecycle.worker_died,
    NotSimulated: _not_simulated,
    CreateScope: secrets.create_scope,
    DeleteScope: secrets.delete_scope,
    PutSecret: secrets.put_secret,
    DeleteSecret: secrets.delete_secret,
    PutSecretAcl: secrets.put_acl,
    DeleteSecretAcl: secrets.delete_acl,
    Step: _step,
    MoveTo: _move_to,
}
