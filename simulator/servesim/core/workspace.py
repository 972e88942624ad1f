"""One workspace: the single owner of its endpoints, deployments, requests and time.

Rules: every change is a command given to ``execute``; a command that is refused has changed nothing; what
must happen outside (loading a model) is left in ``effects``, which requests may go on in ``released``.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.core import lifecycle, requests, updates
from servesim.core.commands import (
    AddModel,
    Admit,
    Alarm,
    CancelUpdate,
    Command,
    CreateEndpoint,
    DeleteEndpoint,
    Due,
    Finish,
    GiveUp,
    LoadFinished,
    LoadModel,
    MoveTo,
    NotSimulated,
    Signal,
    Step,
    UpdateConfig,
    WorkerDied,
)
from servesim.core.deployment import UP, Deployment
from servesim.core.draws import Draws
from servesim.core.errors import Code, Rejected
from servesim.core.profile import FAITHFUL, Profile
from servesim.core.registry import Registry
from servesim.core.timeline import START_MS, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.core.endpoint import Endpoint
    from servesim.core.routing import Ticket

LOG_LINES = 10_000
"""How much of the event log is kept; the oldest lines go first."""


class LogLine(NamedTuple):
    """One line of the event log."""

    instant: int
    what: str
    endpoint: str
    subject: str
    detail: str


class Workspace:
    """The world of one workspace, in plain synchronous code."""

    def __init__(self, *, seed: int = 0, profile: Profile = FAITHFUL, start: int = START_MS) -> None:
        """Begin empty at an instant (milliseconds since 1970)."""
        self.profile = profile
        self.draws = Draws(seed)
        self.timeline = Timeline(start)
        self.registry = Registry()
        self.revision = 0
        """Grows with every change that a reader of any endpoint could see."""
        self.endpoints: dict[str, Endpoint] = {}
        self.by_id: dict[str, Endpoint] = {}
        self.deployments: dict[str, Deployment] = {}
        self.tickets: dict[int, Ticket] = {}
        self.effects: deque[LoadModel] = deque()
        self.released: deque[Ticket] = deque()
        self.log: deque[LogLine] = deque(maxlen=LOG_LINES)
        self.recorder: Callable[[Command], None] | None = None
        self.tickets_given = 0
        self._ids = {kind: self.draws.stream("id", kind) for kind in ("endpoint", "deployment")}
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

    def is_ready(self, endpoint: Endpoint) -> bool:
        """Tell whether every entity of the active config is ready."""
        return endpoint.active is not None and all(
            self.deployments[entity.deployment_id].phase in UP for entity in endpoint.active.entities
        )

    # --- what others of the core call -------------------------------------------------------------

    def note(self, what: str, endpoint: str, subject: str, detail: str) -> None:
        """Write a line of the event log."""
        self.log.append(LogLine(self.timeline.now, what, endpoint, subject, detail))

    def next_id(self, kind: str) -> str:
        """Return 32 hexadecimal digits that no other endpoint or deployment has."""
        self._counts[kind] += 1
        return self._ids[kind].hexadecimal(self._counts[kind])

    def deployment_moved(self, deployment: Deployment, *, seen: bool) -> None:
        """Let the deployment's endpoint know of its new phase; ``seen`` if a reader can tell."""
        updates.on_deployment_moved(self, deployment, seen=seen)


# --- time, models and remarks: what needs no module of its own -------------------------------------


def _step(world: Workspace, command: Step) -> bool:
    timer = world.timeline.pop(command.until)
    if timer is None:
        return False
    _ON_DUE[timer.event.what](world, timer.event)
    return True


def _move_to(world: Workspace, command: MoveTo) -> None:
    world.timeline.move(command.instant)


def _add_model(world: Workspace, command: AddModel) -> None:
    world.registry.add(command.model)
    world.note("model added", "", command.model.name, command.model.version)


def _not_simulated(world: Workspace, command: NotSimulated) -> None:
    world.note("not simulated", "", command.principal, command.call)


_ON_DUE: dict[Signal | Alarm, Callable[[Workspace, Due], None]] = {
    **dict.fromkeys(Signal, lifecycle.on_signal_due),
    Alarm.IDLE_CHECK: lifecycle.check_idle,
    Alarm.CONFIG_SETTLED: updates.on_settled,
    Alarm.DRAIN_LIMIT: requests.end_drain,
    Alarm.EXECUTION_LIMIT: requests.expire,
}

_HANDLERS: dict[type, Callable[[Workspace, Any], Any]] = {
    AddModel: _add_model,
    CreateEndpoint: updates.create,
    UpdateConfig: updates.update,
    CancelUpdate: updates.cancel,
    DeleteEndpoint: updates.delete,
    Admit: requests.admit,
    Finish: requests.finish,
    GiveUp: requests.give_up,
    LoadFinished: lifecycle.load_finished,
    WorkerDied: lifecycle.worker_died,
    NotSimulated: _not_simulated,
    Step: _step,
    MoveTo: _move_to,
}
