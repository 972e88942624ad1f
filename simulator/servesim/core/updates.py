"""How an endpoint comes, changes its config, and goes.

Rules: what serves goes on serving until every entity of the next config is ready; an entity that is equal
in all but its share keeps its deployment; a deployment that no config names any more is retired.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core import endpoint as endpoints
from servesim.core import lifecycle, tickets
from servesim.core.commands import Alarm, Due, Signal, UpdateConfig
from servesim.core.deployment import BROKEN, UP, Cause, Deployment, Phase
from servesim.core.endpoint import Config, Endpoint, EndpointSignal, ServedEntity
from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from servesim.core.commands import (
        CancelUpdate,
        ConfigRequest,
        CreateEndpoint,
        DeleteEndpoint,
        Route,
    )
    from servesim.core.timeline import Timer
    from servesim.core.workspace import Workspace

_WHY_ABANDONED = {EndpointSignal.FAIL: Cause.ANOTHER_FAILED, EndpointSignal.CANCEL: Cause.CANCELED}


# --- commands -------------------------------------------------------------------------------------


def create(world: Workspace, command: CreateEndpoint) -> Endpoint:
    """Make an endpoint; raise ENDPOINT_EXISTS, ENDPOINT_LIMIT or what is wrong with its config."""
    if command.name in world.endpoints:
        raise Rejected(Code.ENDPOINT_EXISTS, endpoint=command.name)
    if len(world.endpoints) >= world.profile.endpoint_limit:
        raise Rejected(Code.ENDPOINT_LIMIT, limit=world.profile.endpoint_limit)
    routes = _check(world, command.config) if command.config else ()
    endpoint = _new_endpoint(world, command)
    world.endpoints[endpoint.name] = world.by_id[endpoint.id] = endpoint
    _show(world, endpoint)
    world.note("endpoint created", endpoint.name, command.principal.name, "")
    if command.config:
        asked = UpdateConfig(command.name, command.principal, command.config)
        _put(world, endpoint, asked, routes, Phase.READY if command.serving else Phase.BUILDING)
    return endpoint


def update(world: Workspace, command: UpdateConfig) -> Endpoint:
    """Begin to replace a config; raise ENDPOINT_MISSING, UPDATING or what is wrong with the new one."""
    endpoint = world.get(command.name)
    if (endpoint.phase, EndpointSignal.PUT_CONFIG) not in endpoints.TABLE:
        raise Rejected(Code.UPDATING, endpoint=endpoint.name)
    routes = _check(world, command.config)
    _put(world, endpoint, command, routes, Phase.BUILDING)
    return endpoint


def cancel(world: Workspace, command: CancelUpdate) -> Endpoint:
    """Give up an update in progress; raise ENDPOINT_MISSING or NO_UPDATE."""
    endpoint = world.get(command.name)
    if (endpoint.phase, EndpointSignal.CANCEL) not in endpoints.TABLE:
        raise Rejected(Code.NO_UPDATE, endpoint=endpoint.name)
    _end_update(world, endpoint, EndpointSignal.CANCEL)
    return endpoint


def delete(world: Workspace, command: DeleteEndpoint) -> None:
    """Delete an endpoint; its held requests are refused, its running ones drain. Raise ENDPOINT_MISSING."""
    endpoint = world.get(command.name)
    left = _deployments(world, endpoint.active, endpoint.pending)
    _move(world, endpoint, EndpointSignal.DELETE)
    _stop_settling(world, endpoint)
    del world.endpoints[endpoint.name], world.by_id[endpoint.id]
    world.note("endpoint deleted", endpoint.name, "", "")
    for deployment in left:
        tickets.refuse_held(world, deployment)
        lifecycle.send(world, deployment, Signal.RETIRED)


# --- what happens to an update --------------------------------------------------------------------


def on_deployment_moved(world: Workspace, deployment: Deployment, *, seen: bool) -> None:
    """Work out what a deployment's new phase means for its endpoint; ``seen`` if a reader can tell."""
    endpoint = world.by_id.get(deployment.endpoint_id)
    if endpoint is None:
        return
    if seen:
        _show(world, endpoint)
    if endpoint.pending is None or not endpoint.in_transition:
        return
    if deployment.phase in BROKEN and deployment.id in endpoint.pending.deployment_ids():
        _end_update(world, endpoint, EndpointSignal.FAIL)
    else:
        _switch_if_ready(world, endpoint)


def on_settled(world: Workspace, due: Due) -> None:
    """End the wait of an update that had nothing to deploy."""
    endpoint = world.by_id[due.endpoint_id]
    endpoint.settling = None
    _switch_if_ready(world, endpoint)


def _switch_if_ready(world: Workspace, endpoint: Endpoint) -> None:
    pending = endpoint.pending
    if pending is None or endpoint.settling is not None:
        return
    if any(deployment.phase not in UP for deployment in _deployments(world, pending)):
        return
    left, endpoint.active, endpoint.pending = endpoint.active, pending, None
    _move(world, endpoint, EndpointSignal.SWITCH)
    world.note("config serving", endpoint.name, "", f"version {pending.version}")
    _retire(world, endpoint, left)


def _end_update(world: Workspace, endpoint: Endpoint, signal: EndpointSignal) -> None:
    """Fail or cancel the update in progress; what serves goes on serving."""
    _move(world, endpoint, signal)
    _stop_settling(world, endpoint)
    world.note(str(endpoint.phase), endpoint.name, "", f"version {endpoint.versions}")
    for deployment in _deployments(world, endpoint.pending, without=endpoint.active):
        lifecycle.send(world, deployment, Signal.ABANDONED, _WHY_ABANDONED[signal])


def _retire(world: Workspace, endpoint: Endpoint, left: Config | None) -> None:
    """Let the deployments go that only ``left`` named."""
    for deployment in _deployments(world, left, without=endpoint.active):
        lifecycle.send(world, deployment, Signal.RETIRED)


def _move(world: Workspace, endpoint: Endpoint, signal: EndpointSignal) -> None:
    endpoint.phase = endpoints.TABLE[endpoint.phase, signal]
    endpoint.updated = world.timeline.now
    _show(world, endpoint)


def _show(world: Workspace, endpoint: Endpoint) -> None:
    """Tell who keeps what readers see that this endpoint looks different now."""
    endpoint.revision += 1
    world.revision += 1


def _stop_settling(world: Workspace, endpoint: Endpoint) -> None:
    if endpoint.settling is not None:
        world.timeline.cancel(endpoint.settling)
        endpoint.settling = None


# --- a new config ---------------------------------------------------------------------------------


def _check(world: Workspace, config: ConfigRequest) -> tuple[Route, ...]:
    routes = endpoints.check_config(config, world.profile)
    for entity in config.entities:
        world.registry.get(entity.model, entity.version)
    return routes


def _new_endpoint(world: Workspace, command: CreateEndpoint) -> Endpoint:
    endpoint_id = world.next_id("endpoint")
    return Endpoint(
        id=endpoint_id,
        name=command.name,
        creator=command.principal,
        created=world.timeline.now,
        updated=world.timeline.now,
        route_stream=world.draws.stream("route", endpoint_id),
        description=command.description,
        route_optimized=command.route_optimized,
        extras=command.extras,
    )


def _put(world: Workspace, endpoint: Endpoint, command: UpdateConfig, routes: tuple[Route, ...], phase: Phase) -> None:
    given_up, endpoint.pending = endpoint.pending, None
    _retire(world, endpoint, given_up)
    endpoint.versions += 1
    kept, fresh = _split(world, endpoint, command.config)
    made = [ServedEntity(one.spec, one.id, command.principal, world.timeline.now) for one in fresh]
    entities = sorted([*kept, *made], key=lambda entity: entity.spec.name)
    endpoint.pending = Config(endpoint.versions, tuple(entities), routes, world.timeline.now)
    _move(world, endpoint, EndpointSignal.PUT_CONFIG)
    world.note("config asked for", endpoint.name, command.principal.name, f"version {endpoint.versions}")
    for deployment in fresh:
        lifecycle.begin(world, deployment, phase)
    if not fresh:
        endpoint.settling = _settle_later(world, endpoint)
    _switch_if_ready(world, endpoint)


def _split(world: Workspace, endpoint: Endpoint, request: ConfigRequest) -> tuple[list[ServedEntity], list[Deployment]]:
    """Return the entities that keep their deployment, and new deployments for the others."""
    kept, fresh = [], []
    for spec in sorted(request.entities, key=lambda spec: spec.name):
        serving = endpoint.active.find(spec.name) if endpoint.active else None
        if serving and serving.spec == spec and world.deployments[serving.deployment_id].phase not in BROKEN:
            kept.append(serving)
        else:
            model = world.registry.get(spec.model, spec.version)
            fresh.append(Deployment(world.next_id("deployment"), endpoint.id, endpoint.name, spec, model))
    return kept, fresh


def _settle_later(world: Workspace, endpoint: Endpoint) -> Timer:
    stream = world.draws.stream("switch", endpoint.id)
    delay = stream.between(endpoint.versions, *world.profile.config_switch_ms)
    return world.timeline.schedule(delay, Due(Alarm.CONFIG_SETTLED, endpoint.id))


def _deployments(world: Workspace, *configs: Config | None, without: Config | None = None) -> list[Deployment]:
    """List the deployments that some configs name, each once, and another does not."""
    left_out = without.deployment_ids() if without else frozenset()
    named = dict.fromkeys(found for config in configs if config for found in config.deployment_ids())
    return [world.deployments[found] for found in named if found not in left_out]
