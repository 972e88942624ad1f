"""One workspace: the single owner of its endpoints, deployments, requests and time.

Rules: every change is a command given to ``execute``; a command that is refused has changed nothing; what
must happen outside (loading a model) is left in ``effects``, which requests may go on in ``released``.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.core import endpoint as endpoints
from servesim.core import lifecycle
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
    Signal,
    Step,
    UpdateConfig,
    WorkerDied,
)
from servesim.core.deployment import BROKEN, UP, WAITING, Deployment, Phase
from servesim.core.draws import Draws
from servesim.core.endpoint import Config, Endpoint, EndpointPhase, EndpointSignal, ServedEntity
from servesim.core.errors import Code, Rejected
from servesim.core.profile import FAITHFUL, Profile
from servesim.core.registry import Registry
from servesim.core.routing import Ticket, TicketState, pick
from servesim.core.timeline import START_MS, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.core.access import Principal
    from servesim.core.commands import ConfigRequest, EntitySpec, Route

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
        self.endpoints: dict[str, Endpoint] = {}
        self.by_id: dict[str, Endpoint] = {}
        self.deployments: dict[str, Deployment] = {}
        self.tickets: dict[int, Ticket] = {}
        self.effects: deque[LoadModel] = deque()
        self.released: deque[Ticket] = deque()
        self.log: deque[LogLine] = deque(maxlen=LOG_LINES)
        self.recorder: Callable[[Command], None] | None = None
        self._ids = {kind: self.draws.stream("id", kind) for kind in ("endpoint", "deployment")}
        self._counts = dict.fromkeys(self._ids, 0)
        self._tickets_given = 0

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

    def refuse(self, ticket: Ticket, refusal: Rejected) -> None:
        """End a request without an answer of its model."""
        ticket.state = TicketState.REFUSED
        ticket.refusal = refusal
        if ticket.timer is not None:
            self.timeline.cancel(ticket.timer)
        self.tickets.pop(ticket.number, None)
        self.released.append(ticket)

    def deployment_moved(self, deployment: Deployment, *, seen: bool) -> None:
        """Work out what a deployment's new phase means for its endpoint; ``seen`` if a reader can tell."""
        endpoint = self.by_id.get(deployment.endpoint_id)
        if endpoint is None:
            return
        endpoint.revision += seen
        if endpoint.pending is None or not endpoint.in_transition:
            return
        if deployment.phase in BROKEN and _names(endpoint.pending, deployment.id):
            self._end_update(endpoint, EndpointSignal.FAIL)
        else:
            self._switch_if_ready(endpoint)

    # --- time -------------------------------------------------------------------------------------

    def _step(self, command: Step) -> bool:
        timer = self.timeline.pop(command.until)
        if timer is None:
            return False
        due = timer.event
        if due.what is Alarm.EXECUTION_LIMIT:
            self._expire(due.request)
        elif due.what is Alarm.CONFIG_SETTLED:
            self._settle(due)
        else:
            lifecycle.on_due(self, due)
        return True

    def _move_to(self, command: MoveTo) -> None:
        self.timeline.move(command.instant)

    # --- the registry -----------------------------------------------------------------------------

    def _add_model(self, command: AddModel) -> None:
        self.registry.add(command.model)
        self.note("model added", "", command.model.name, command.model.version)

    # --- endpoints --------------------------------------------------------------------------------

    def _create(self, command: CreateEndpoint) -> Endpoint:
        if command.name in self.endpoints:
            raise Rejected(Code.ENDPOINT_EXISTS, endpoint=command.name)
        if len(self.endpoints) >= self.profile.endpoint_limit:
            raise Rejected(Code.ENDPOINT_LIMIT, limit=self.profile.endpoint_limit)
        routes = self._check(command.config) if command.config else ()
        now = self.timeline.now
        endpoint_id = self._next_id("endpoint")
        endpoint = Endpoint(
            id=endpoint_id,
            name=command.name,
            creator=command.principal,
            created=now,
            updated=now,
            route_stream=self.draws.stream("route", endpoint_id),
            description=command.description,
            route_optimized=command.route_optimized,
            extras=command.extras,
        )
        self.endpoints[endpoint.name] = self.by_id[endpoint.id] = endpoint
        self.note("endpoint created", endpoint.name, command.principal.name, "")
        if command.config:
            begin = lifecycle.begin_ready if command.serving else lifecycle.begin
            self._put(endpoint, command.config, routes, command.principal, begin)
        return endpoint

    def _update(self, command: UpdateConfig) -> Endpoint:
        endpoint = self.get(command.name)
        if (endpoint.phase, EndpointSignal.PUT_CONFIG) not in endpoints.TABLE:
            raise Rejected(Code.UPDATING, endpoint=endpoint.name)
        routes = self._check(command.config)
        self._put(endpoint, command.config, routes, command.principal, lifecycle.begin)
        return endpoint

    def _check(self, config: ConfigRequest) -> tuple[Route, ...]:
        routes = endpoints.check_config(config, self.profile)
        for entity in config.entities:
            self.registry.get(entity.model, entity.version)
        return routes

    def _put(
        self,
        endpoint: Endpoint,
        request: ConfigRequest,
        routes: tuple[Route, ...],
        principal: Principal,
        begin: Callable[[Workspace, Deployment], None],
    ) -> None:
        endpoint.phase = endpoints.TABLE[endpoint.phase, EndpointSignal.PUT_CONFIG]
        given_up, endpoint.pending = endpoint.pending, None
        self._retire(endpoint, given_up)
        endpoint.versions += 1
        fresh: list[Deployment] = []
        entities = []
        for spec in sorted(request.entities, key=lambda spec: spec.name):
            entities.append(self._keep(endpoint, spec) or self._deploy(endpoint, spec, principal, fresh))
        now = self.timeline.now
        endpoint.pending = Config(endpoint.versions, tuple(entities), routes, now)
        endpoint.updated = now
        endpoint.revision += 1
        endpoint.settled = bool(fresh)
        self.note("config asked for", endpoint.name, principal.name, f"version {endpoint.versions}")
        if not fresh:
            due = Due(Alarm.CONFIG_SETTLED, endpoint.id, config_version=endpoint.versions)
            delay = self.draws.stream("switch", endpoint.id).between(
                endpoint.versions, *self.profile.config_switch_ms
            )
            self.timeline.schedule(delay, due)
        for deployment in fresh:
            begin(self, deployment)
        self._switch_if_ready(endpoint)

    def _keep(self, endpoint: Endpoint, spec: EntitySpec) -> ServedEntity | None:
        """Return the serving entity that equals ``spec``: a new share alone rebuilds nothing."""
        entity = endpoint.active.find(spec.name) if endpoint.active else None
        if entity is None or entity.spec != spec or self.deployments[entity.deployment_id].phase in BROKEN:
            return None
        return entity

    def _deploy(
        self, endpoint: Endpoint, spec: EntitySpec, principal: Principal, fresh: list[Deployment]
    ) -> ServedEntity:
        model = self.registry.get(spec.model, spec.version)
        deployment = Deployment(self._next_id("deployment"), endpoint.id, endpoint.name, spec, model)
        fresh.append(deployment)
        return ServedEntity(spec, deployment.id, principal, self.timeline.now)

    def _settle(self, due: Due) -> None:
        endpoint = self.by_id.get(due.endpoint_id)
        if endpoint and endpoint.pending and endpoint.pending.version == due.config_version:
            endpoint.settled = True
            self._switch_if_ready(endpoint)

    def _switch_if_ready(self, endpoint: Endpoint) -> None:
        pending = endpoint.pending
        if pending is None or not endpoint.settled or not endpoint.in_transition:
            return
        if any(self.deployments[entity.deployment_id].phase not in UP for entity in pending.entities):
            return
        left, endpoint.active, endpoint.pending = endpoint.active, pending, None
        endpoint.phase = endpoints.TABLE[endpoint.phase, EndpointSignal.SWITCH]
        endpoint.updated = self.timeline.now
        endpoint.revision += 1
        self.note("config serving", endpoint.name, "", f"version {pending.version}")
        self._retire(endpoint, left)

    def _end_update(self, endpoint: Endpoint, signal: EndpointSignal) -> None:
        """Fail or cancel the update in progress; what serves goes on serving."""
        endpoint.phase = endpoints.TABLE[endpoint.phase, signal]
        endpoint.updated = self.timeline.now
        endpoint.revision += 1
        self.note(str(endpoint.phase), endpoint.name, "", f"version {endpoint.versions}")
        for deployment in self._only_in(endpoint, endpoint.pending):
            lifecycle.send(self, deployment, Signal.ABANDONED, ABANDONED_REASON[signal])

    def _retire(self, endpoint: Endpoint, left: Config | None) -> None:
        """Let the deployments go that only ``left`` named."""
        for deployment in self._only_in(endpoint, left):
            lifecycle.send(self, deployment, Signal.RETIRED)

    def _only_in(self, endpoint: Endpoint, config: Config | None) -> list[Deployment]:
        others = [other for other in (endpoint.active, endpoint.pending) if other is not config]
        kept = {entity.deployment_id for other in others if other for entity in other.entities}
        named = config.entities if config else ()
        return [
            self.deployments[entity.deployment_id] for entity in named if entity.deployment_id not in kept
        ]

    def _cancel(self, command: CancelUpdate) -> Endpoint:
        endpoint = self.get(command.name)
        if (endpoint.phase, EndpointSignal.CANCEL) not in endpoints.TABLE:
            raise Rejected(Code.NO_UPDATE, endpoint=endpoint.name)
        self._end_update(endpoint, EndpointSignal.CANCEL)
        return endpoint

    def _delete(self, command: DeleteEndpoint) -> None:
        endpoint = self.get(command.name)
        self.note("endpoint deleted", endpoint.name, "", "")
        endpoint.phase = EndpointPhase.DELETED
        endpoint.revision += 1
        del self.endpoints[endpoint.name], self.by_id[endpoint.id]
        ids = {
            entity.deployment_id: None
            for config in (endpoint.active, endpoint.pending)
            if config
            for entity in config.entities
        }
        for deployment in [self.deployments[found] for found in ids]:
            lifecycle.refuse_held(self, deployment)
            lifecycle.send(self, deployment, Signal.RETIRED)

    def _load_finished(self, command: LoadFinished) -> None:
        deployment = self.deployments.get(command.deployment_id)
        if deployment is None:
            return
        deployment.build_log += command.log
        signal = Signal.LOADED if command.error is None else Signal.LOAD_FAILED
        lifecycle.send(self, deployment, signal, command.error or "")

    def _worker_died(self, command: WorkerDied) -> None:
        deployment = self.deployments.get(command.deployment_id)
        if deployment is not None:
            lifecycle.send(self, deployment, Signal.DIED)

    # --- requests ---------------------------------------------------------------------------------

    def _admit(self, command: Admit) -> Ticket:
        endpoint = self.endpoints.get(command.endpoint)
        if endpoint is None or endpoint.active is None:
            raise Rejected(Code.NOT_SERVED, endpoint=command.endpoint)
        config = endpoint.active
        if command.entity is None:
            name = pick(config, endpoint.route_stream.fraction(endpoint.requests))
        else:
            name = command.entity
        entity = config.find(name)
        if entity is None:
            raise Rejected(Code.ENTITY_NOT_SERVED, endpoint=endpoint.name, entity=name)
        deployment = self.deployments[entity.deployment_id]
        if deployment.phase not in UP and deployment.phase not in WAITING:
            raise Rejected(Code.NOT_SERVED, endpoint=endpoint.name)
        endpoint.requests += command.entity is None
        return self._seat(endpoint, name, deployment, timed=command.timed)

    def _seat(self, endpoint: Endpoint, name: str, deployment: Deployment, *, timed: bool) -> Ticket:
        now = self.timeline.now
        self._tickets_given += 1
        expires = now + self.profile.execution_limit_ms
        ticket = Ticket(self._tickets_given, endpoint.name, name, deployment, now, expires)
        self.tickets[ticket.number] = ticket
        deployment.last_active = now
        if deployment.phase is Phase.READY:
            deployment.in_flight += 1
        else:
            ticket.state = TicketState.HELD
            deployment.held.append(ticket)
            lifecycle.send(self, deployment, Signal.DEMAND)
        if timed or ticket.state is TicketState.HELD:
            due = Due(Alarm.EXECUTION_LIMIT, endpoint.id, deployment.id, request=ticket.number)
            ticket.timer = self.timeline.schedule(self.profile.execution_limit_ms, due)
        return ticket

    def _finish(self, command: Finish) -> None:
        ticket = self.tickets.pop(command.request, None)
        if ticket is None:
            return
        ticket.state = TicketState.DONE
        if ticket.timer is not None:
            self.timeline.cancel(ticket.timer)
        self.note("answered", ticket.endpoint, ticket.entity, str(command.status))
        ticket.deployment.in_flight -= 1
        lifecycle.request_ended(self, ticket.deployment)

    def _give_up(self, command: GiveUp) -> None:
        ticket = self.tickets.get(command.request)
        if ticket is not None:
            self._drop(ticket, command.why, Rejected(Code.NOT_SERVED, endpoint=ticket.endpoint))

    def _expire(self, number: int) -> None:
        ticket = self.tickets.get(number)
        if ticket is not None:
            refusal = Rejected(Code.EXECUTION_LIMIT, limit_ms=self.profile.execution_limit_ms)
            self._drop(ticket, "execution limit", refusal)

    def _drop(self, ticket: Ticket, why: str, refusal: Rejected) -> None:
        held = ticket.state is TicketState.HELD
        self.refuse(ticket, refusal)
        self.note("not answered", ticket.endpoint, ticket.entity, why)
        if held:
            ticket.deployment.held.remove(ticket)
        else:
            ticket.deployment.in_flight -= 1
            lifecycle.request_ended(self, ticket.deployment)

    def _next_id(self, kind: str) -> str:
        self._counts[kind] += 1
        return self._ids[kind].hexadecimal(self._counts[kind])


def _names(config: Config, deployment_id: str) -> bool:
    return any(entity.deployment_id == deployment_id for entity in config.entities)


ABANDONED_REASON = {
    EndpointSignal.FAIL: "Served entity creation aborted because another served entity of this update failed.",
    EndpointSignal.CANCEL: "Served entity creation aborted because the update was canceled.",
}

_HANDLERS: dict[type, Callable[[Workspace, Any], Any]] = {
    AddModel: Workspace._add_model,  # noqa: SLF001 - the table of the class beside it
    CreateEndpoint: Workspace._create,  # noqa: SLF001
    UpdateConfig: Workspace._update,  # noqa: SLF001
    CancelUpdate: Workspace._cancel,  # noqa: SLF001
    DeleteEndpoint: Workspace._delete,  # noqa: SLF001
    Admit: Workspace._admit,  # noqa: SLF001
    Finish: Workspace._finish,  # noqa: SLF001
    GiveUp: Workspace._give_up,  # noqa: SLF001
    LoadFinished: Workspace._load_finished,  # noqa: SLF001
    WorkerDied: Workspace._worker_died,  # noqa: SLF001
    Step: Workspace._step,  # noqa: SLF001
    MoveTo: Workspace._move_to,  # noqa: SLF001
}
