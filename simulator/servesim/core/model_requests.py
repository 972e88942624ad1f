"""How a scoring request gets in to a version of a model that a retired generation serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core import calendar, requests, striking
from servesim.core.deployment import BROKEN, CREATING
from servesim.core.errors import Code, Rejected
from servesim.core.model_access import ModelLevel, level_of, require
from servesim.core.model_endpoint import GENERATIONS, EndpointState, ModelEndpoint, label
from servesim.core.registry import Stage
from servesim.core.routing import Ticket, TicketState

if TYPE_CHECKING:
    from servesim.core.model_endpoint import Generation, ServedVersion
    from servesim.core.model_endpoint_commands import AdmitVersion
    from servesim.core.workspace import Workspace

_STAGES = {str(stage): stage for stage in Stage}


def admit(world: Workspace, command: AdmitVersion) -> Ticket:
    """Let a request in, running or held.

    Raise SURFACE_RETIRED, WRONG_SCORING_URL, VERSION_NOT_SERVED, VERSION_NOT_UP or MODEL_NOT_PERMITTED. Reading a model
    is enough for scoring it (chosen). Limits of GA endpoints say nothing about these.
    """
    generation = GENERATIONS[command.generation]
    endpoint = world.model_endpoints.get((generation.name, command.model))
    if endpoint is None or endpoint.state is EndpointState.ENDED:
        _check_url(world, generation, command)
        calendar.check_open(world, generation.name)
        raise _not_served(generation, command, "serving is not enabled for this model")
    calendar.check_open(world, generation.name)
    require(world, command.principal, endpoint.model, ModelLevel.CAN_READ)
    served = _served(world, endpoint, command)
    ticket = _ticket(world, endpoint, served, command)
    if world.faults.queries and not striking.strike_request(world, ticket, None):
        requests.turn_away(world, ticket, Rejected(Code.NOT_SERVED, endpoint=endpoint.name), "by a fault")
        return ticket
    requests.seat(world, ticket, served.deployment, timed=command.timed)
    return ticket


def _ticket(world: Workspace, endpoint: ModelEndpoint, served: ServedVersion, command: AdmitVersion) -> Ticket:
    now = world.timeline.now
    endpoint.calls += 1
    endpoint.last_called = now
    endpoint.last_caller = command.principal.name if command.principal else ""
    world.tickets_given += 1
    return Ticket(
        world.tickets_given,
        endpoint.name,
        served.number,
        served.deployment,
        TicketState.RUNNING,
        principal=command.principal,
        admitted=now,
        started=now,
    )


def _served(world: Workspace, endpoint: ModelEndpoint, command: AdmitVersion) -> ServedVersion:
    """Return the version that a URL leads to, if requests can wait for it."""
    served = named(endpoint, command)
    if endpoint.state is not EndpointState.READY:
        raise _not_up(world, endpoint, command, f"the endpoint of the model is {endpoint.state}")
    if served is None:
        stage = _STAGES.get(command.version)
        # A stage whose first version is on its way has no URL yet, and will have one.
        if stage is not None and endpoint.awaited() and stage in {_stage(endpoint, one) for one in endpoint.served}:
            raise _not_up(world, endpoint, command, f"no version in {stage} is ready yet")
        raise _not_served(endpoint.generation, command, _listed(endpoint))
    if served.deployment.phase in CREATING:
        raise _not_up(world, endpoint, command, f"version {served.number} is being deployed")
    if served.deployment.phase in BROKEN:
        raise _not_up(world, endpoint, command, f"version {served.number} failed: {served.deployment.reason}")
    return served


def named(endpoint: ModelEndpoint, command: AdmitVersion) -> ServedVersion | None:
    """Return the version that a URL names by its number, or by the stage that points to it; None for none."""
    stage = _STAGES.get(command.version)
    return endpoint.served.get(endpoint.aliases.get(stage, "") if stage else command.version)


def _stage(endpoint: ModelEndpoint, number: str) -> Stage | None:
    version = endpoint.model.versions.get(number)
    return version.stage if version else None


def _listed(endpoint: ModelEndpoint) -> str:
    stages = ", ".join(sorted(endpoint.generation.serves))
    names = [*(str(stage) for stage in endpoint.aliases), *(f"version {number}" for number in endpoint.served)]
    return f"served are versions in the stages {stages}; here: {', '.join(names) or 'none'}"


def _path(generation: Generation, command: AdmitVersion) -> str:
    return f"/{label(generation, command.model)}/{command.version}/invocations"


def _not_served(generation: Generation, command: AdmitVersion, why: str) -> Rejected:
    return Rejected(Code.VERSION_NOT_SERVED, path=_path(generation, command), why=why)


def _not_up(world: Workspace, endpoint: ModelEndpoint, command: AdmitVersion, state: str) -> Rejected:
    refusal = Rejected(Code.VERSION_NOT_UP, path=_path(endpoint.generation, command), state=state)
    awaited = endpoint.awaited()
    timer = world.timeline.soonest(
        lambda event: event.endpoint_id == endpoint.id and (event.deployment_id in awaited or not event.deployment_id)
    )
    return refusal.healing_at(timer.due if timer is not None and endpoint.in_transition else None)


def _check_url(world: Workspace, generation: Generation, command: AdmitVersion) -> None:
    """Raise WRONG_SCORING_URL if another generation serves the model: a published page names the wrong URL."""
    for other in GENERATIONS.values():
        endpoint = world.model_endpoints.get((other.name, command.model))
        if endpoint is None or other is generation or endpoint.state is EndpointState.ENDED:
            continue
        if level_of(world, command.principal, endpoint.model) is not None:  # others learn nothing of it
            raise Rejected(Code.WRONG_SCORING_URL, path=_path(generation, command), right=_path(other, command))
