"""What enabling, disabling, the registry, compute and time do to the endpoints of registered models."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from servesim.core import calendar, enrolment, lifecycle, striking, tickets
from servesim.core.commands import Alarm, Due, Signal
from servesim.core.deployment import BROKEN, Phase
from servesim.core.errors import Code, Rejected
from servesim.core.model_access import ModelLevel, require
from servesim.core.model_compute import Compute
from servesim.core.model_endpoint import (
    GENERATIONS,
    SERVERLESS_PREVIEW,
    TABLE,
    EndpointEvent,
    EndpointState,
    ModelEndpoint,
)
from servesim.core.model_rollout import SERVESIM, reconcile, show, update
from servesim.core.registry import ACTIVE, Stage, in_unity_catalog

if TYPE_CHECKING:
    from servesim.core.access import Principal
    from servesim.core.model_endpoint import Generation, ServedVersion
    from servesim.core.model_endpoint_commands import ChangeCompute, DisableModel, EnableModel, RestartUpdate
    from servesim.core.registry import RegisteredModel
    from servesim.core.workspace import Workspace

CLUSTER_CREATION = "allow_cluster_create"
"""The entitlement without which nobody switches serving on: documented."""


# --- commands -------------------------------------------------------------------------------------


def enable(world: Workspace, command: EnableModel) -> ModelEndpoint:
    """Switch a generation on for a model; one that is on stays as it is (chosen).

    Raise SURFACE_RETIRED, SURFACE_CLOSED, PREVIEW_DISABLED, MODEL_MISSING, MODEL_IN_UC, MODEL_NOT_PERMITTED,
    CLUSTERS_NOT_PERMITTED or LEGACY_STILL_ON.
    """
    generation = GENERATIONS[command.generation]
    check(world, generation)
    if not command.serving:  # what serves from the start was enabled before the world began
        calendar.check_new(world, generation.name)
    if in_unity_catalog(command.model):
        raise Rejected(Code.MODEL_IN_UC, model=command.model, surface=generation.name)
    model = world.registry.model(command.model)
    _check_rights(world, generation, command.principal, model)
    found = world.model_endpoints.get((generation.name, model.name))
    if found is not None:
        return found
    others = (world.model_endpoints.get((other, model.name)) for other in generation.after)
    # One that its date ended cannot be disabled any more, and serves nothing.
    if any(other is not None and other.state is not EndpointState.ENDED for other in others):
        raise Rejected(Code.LEGACY_STILL_ON, model=model.name)
    endpoint = _new(world, generation, command, model)
    show(world, endpoint)
    world.happened(endpoint, "model endpoint enabled", command.principal.name if command.principal else "")
    if command.serving:
        _started(world, endpoint, Phase.READY)
    else:
        _start(world, endpoint, command.principal)
    return endpoint


def _new(world: Workspace, generation: Generation, command: EnableModel, model: RegisteredModel) -> ModelEndpoint:
    now = world.timeline.now
    given = dict(command.computes)
    keys: tuple[Stage | None, ...] = ACTIVE if generation.by_stage else (None,)
    computes = {key: replace(given.get(key, Compute()), version=1, created=now, by=command.principal) for key in keys}
    endpoint = ModelEndpoint(
        world.next_id("model endpoint"), generation, model, command.principal, now, computes, computes=1
    )
    world.model_endpoints[generation.name, model.name] = world.model_endpoints_by_id[endpoint.id] = endpoint
    ending = calendar.ending_of(world.profile, generation.name)
    if ending is not None and ending.retired_on is not None:
        endpoint.ending = world.timeline.schedule(ending.retired_on - now, Due(Alarm.SURFACE_ENDS, endpoint.id))
    return endpoint


def disable(world: Workspace, command: DisableModel) -> None:
    """Switch a generation off for a model; held requests are refused, running ones complete.

    Raise what ``find`` raises, MODEL_NOT_PERMITTED or CLUSTERS_NOT_PERMITTED.
    """
    generation = GENERATIONS[command.generation]
    endpoint = find(world, generation, command.model, command.principal)
    _check_rights(world, generation, command.principal, endpoint.model)
    _end(world, endpoint, EndpointEvent.DISABLE)
    world.note("model endpoint disabled", endpoint.name, command.principal.name if command.principal else "", "")


def change_compute(world: Workspace, command: ChangeCompute) -> ModelEndpoint:
    """Give the versions of a stage, or all of them, other compute; raise as ``disable``."""
    generation = GENERATIONS[command.generation]
    endpoint = find(world, generation, command.model, command.principal)
    _check_rights(world, generation, command.principal, endpoint.model)
    endpoint.computes += 1
    compute = replace(command.compute, version=endpoint.computes, created=world.timeline.now, by=command.principal)
    endpoint.compute[command.stage] = compute
    world.happened(endpoint, "compute asked for", str(command.stage or ""), f"version {compute.version}")
    show(world, endpoint)
    for served in endpoint.served.values():
        if served.failure:  # what failed is tried again, even with the same compute
            served.next_compute, served.failure = None, ""
    if generation.by_stage:
        reconcile(world, endpoint)
    else:
        _relaunch(world, endpoint, command.principal)
    return endpoint


def restart(world: Workspace, command: RestartUpdate) -> ModelEndpoint:
    """Try a version's failed update once more; raise as ``disable``, or NO_FAILED_UPDATE."""
    generation = GENERATIONS[command.generation]
    endpoint = find(world, generation, command.model, command.principal)
    _check_rights(world, generation, command.principal, endpoint.model)
    served = version_of(endpoint, command.version)
    if not served.failure and served.deployment.phase not in BROKEN:
        raise Rejected(Code.NO_FAILED_UPDATE, model=endpoint.model.name, version=served.number)
    world.happened(endpoint, "update restarted", served.number)
    update(world, endpoint, served, served.next_compute or served.compute)
    served.retried = True
    return endpoint


# --- look-ups -------------------------------------------------------------------------------------


def check(world: Workspace, generation: Generation) -> None:
    """Raise SURFACE_RETIRED or PREVIEW_DISABLED where a generation answers nothing."""
    calendar.check_open(world, generation.name)
    if generation is SERVERLESS_PREVIEW:
        enrolment.check(world)


def find(world: Workspace, generation: Generation, name: str, principal: Principal | None) -> ModelEndpoint:
    """Return a model's endpoint for somebody who reads it.

    Raise SURFACE_RETIRED, PREVIEW_DISABLED, MODEL_NOT_PERMITTED or the generation's word for a model that it does not
    serve.
    """
    check(world, generation)
    endpoint = world.model_endpoints.get((generation.name, name))
    if endpoint is None:
        raise Rejected(generation.not_enabled, model=name)
    require(world, principal, endpoint.model, ModelLevel.CAN_READ)
    return endpoint


def version_of(endpoint: ModelEndpoint, number: str) -> ServedVersion:
    """Return a version that is served; raise the generation's word for one that is not."""
    served = endpoint.served.get(number)
    if served is None:
        rule = endpoint.generation
        raise Rejected(rule.version_missing, model=endpoint.model.name, version=number, served=list(endpoint.served))
    return served


def _check_rights(
    world: Workspace, generation: Generation, principal: Principal | None, model: RegisteredModel
) -> None:
    require(world, principal, model, generation.enable_level)
    if principal is None or world.directory.is_open:
        return
    member = world.directory.find(principal.name)
    if member is None or not (member.is_admin or CLUSTER_CREATION in member.entitlements):
        raise Rejected(Code.CLUSTERS_NOT_PERMITTED, principal=principal.name, what=generation.name)


# --- the endpoint itself --------------------------------------------------------------------------


def _start(world: Workspace, endpoint: ModelEndpoint, principal: Principal | None) -> None:
    fault = striking.take(world, endpoint.name, "", principal or SERVESIM)
    delay = world.draws.stream("model endpoint", endpoint.id).between(
        endpoint.computes, *getattr(world.profile, endpoint.generation.start_span)
    )
    endpoint.reason = ""
    if fault is not None:
        delay = world.profile.deploy_timeout_cpu_ms if fault.effect == "hang" else delay + fault.delay_ms
        if fault.effect != "delay":
            endpoint.reason = fault.message or "this failure was ordered"
    endpoint.starting = world.timeline.schedule(delay, Due(Alarm.MODEL_ENDPOINT_UP, endpoint.id))


def start_over(world: Workspace, due: Due) -> None:
    """Let an endpoint be ready, or failed, that has started for long enough."""
    endpoint = world.model_endpoints_by_id[due.endpoint_id]
    endpoint.starting = None
    if endpoint.reason:
        _move(world, endpoint, EndpointEvent.START_FAILED, endpoint.reason)
    else:
        _started(world, endpoint, Phase.BUILDING)


def _started(world: Workspace, endpoint: ModelEndpoint, phase: Phase) -> None:
    _move(world, endpoint, EndpointEvent.STARTED)
    reconcile(world, endpoint, phase)


def _relaunch(world: Workspace, endpoint: ModelEndpoint, principal: Principal | None) -> None:
    """Replace a cluster: what ran on the one before is gone until the next one is up."""
    _let_go(world, endpoint, EndpointEvent.RELAUNCH)
    _move(world, endpoint, EndpointEvent.RELAUNCH)
    _start(world, endpoint, principal)


def surface_ends(world: Workspace, due: Due) -> None:
    """End the endpoints of a generation that ends now: all of them, so that nobody sees one that is left."""
    first = world.model_endpoints_by_id[due.endpoint_id]
    first.ending = None
    for endpoint in list(world.model_endpoints_by_id.values()):
        if endpoint.generation is first.generation:
            _end(world, endpoint, EndpointEvent.SURFACE_ENDS)


def _end(world: Workspace, endpoint: ModelEndpoint, event: EndpointEvent) -> None:
    generation = endpoint.generation
    _let_go(world, endpoint, event)
    if endpoint.ending is not None:
        world.timeline.cancel(endpoint.ending)
        endpoint.ending = None
    _move(world, endpoint, event)
    del world.model_endpoints_by_id[endpoint.id]
    if event is EndpointEvent.DISABLE:
        del world.model_endpoints[generation.name, endpoint.model.name]


def _let_go(world: Workspace, endpoint: ModelEndpoint, event: EndpointEvent) -> None:
    """Refuse what is held and let every deployment go."""
    if endpoint.starting is not None:
        world.timeline.cancel(endpoint.starting)
        endpoint.starting = None
    served, endpoint.served, endpoint.aliases = endpoint.served, {}, {}
    for one in served.values():
        for deployment in one.deployments:
            tickets.refuse_held(world, deployment, _why(world, endpoint, event))
            lifecycle.send(world, deployment, Signal.RETIRED)


def _why(world: Workspace, endpoint: ModelEndpoint, event: EndpointEvent) -> Rejected:
    """Return the refusal of who waits while an endpoint lets everything go."""
    path = f"/{endpoint.name}"
    if event is EndpointEvent.RELAUNCH:
        return Rejected(Code.VERSION_NOT_UP, path=path, state="its cluster is being replaced")
    ending = calendar.ending_of(world.profile, endpoint.generation.name)
    if event is EndpointEvent.DISABLE or ending is None:
        return Rejected(Code.VERSION_NOT_SERVED, path=path, why="serving has been disabled for this model")
    return calendar.retired(world, ending, world.timeline.now, Code.SURFACE_RETIRED)


def _move(world: Workspace, endpoint: ModelEndpoint, event: EndpointEvent, detail: str = "") -> None:
    endpoint.state = TABLE[endpoint.state, event]
    show(world, endpoint)
    world.happened(endpoint, f"model endpoint {endpoint.state}", "", detail)


def forget(world: Workspace, model: RegisteredModel) -> None:
    """Switch off what serves a model that is deleted, and forget what its date had ended: others may get its name."""
    for generation in GENERATIONS:
        endpoint = world.model_endpoints.get((generation, model.name))
        if endpoint is not None and endpoint.state is EndpointState.ENDED:
            del world.model_endpoints[generation, model.name]
        elif endpoint is not None:
            _end(world, endpoint, EndpointEvent.DISABLE)
