"""How a config becomes what serves.

Rules: what serves goes on serving until every entity of the next config is ready; an entity that is equal
in all but its share keeps its deployment; a deployment that no config names any more is retired.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from servesim.core import endpoint as endpoints
from servesim.core import express, lifecycle, permissions, striking
from servesim.core.commands import Alarm, Due, Signal
from servesim.core.deployment import BROKEN, UP, Cause, Deployment, Phase
from servesim.core.endpoint import DEPLOYED_KEPT, Config, Deployed, Endpoint, EndpointSignal, ServedEntity
from servesim.core.eventlog import keep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from servesim.core.access import Principal
    from servesim.core.commands import ConfigRequest, EntitySpec, Route, UpdateConfig
    from servesim.core.registry import ModelVersion
    from servesim.core.timeline import Timer
    from servesim.core.workspace import Workspace

_WHY_ABANDONED = {EndpointSignal.FAIL: Cause.ANOTHER_FAILED, EndpointSignal.CANCEL: Cause.CANCELED}


# --- a new config ---------------------------------------------------------------------------------


def check(world: Workspace, creator: Principal, config: ConfigRequest) -> tuple[Route, ...]:
    """Return the routes of a config that a creator's endpoint can have; raise what is wrong with it."""
    routes = endpoints.check_config(config, world.profile)
    for entity in config.entities:
        world.registry.get(entity.model, entity.version)
    permissions.check_creator(world, creator, config)
    return routes


def begin(
    world: Workspace,
    endpoint: Endpoint,
    principal: Principal,
    request: ConfigRequest,
    routes: tuple[Route, ...],
    *,
    signal: EndpointSignal,
    phase: Phase = Phase.BUILDING,
) -> None:
    """Begin to serve a config that is sound; ``phase`` is where its new deployments begin."""
    given_up, endpoint.pending = endpoint.pending, None
    retire(world, endpoint, given_up)
    endpoint.versions += 1
    kept, fresh = _split(world, endpoint, principal, request)
    _next_config(world, endpoint, principal, routes, kept=kept, fresh=fresh, auto_capture=request.auto_capture)
    move(world, endpoint, signal)
    for deployment in fresh:
        if phase is Phase.BUILDING:
            deployment.fault = striking.take(world, endpoint.name, deployment.spec.name, principal)
            lifecycle.begin(world, deployment, Phase.PROVISIONING if deployment.built else phase)
        else:
            deployment.built = True
            lifecycle.begin(world, deployment, phase)
    endpoint.fault = None
    if not fresh:
        endpoint.fault = striking.take(world, endpoint.name, "", principal)
        endpoint.settling = _settle_later(world, endpoint)
    _switch_if_ready(world, endpoint)


def _next_config(
    world: Workspace,
    endpoint: Endpoint,
    principal: Principal,
    routes: tuple[Route, ...],
    *,
    kept: list[ServedEntity],
    fresh: list[Deployment],
    auto_capture: str,
) -> None:
    now = world.timeline.now
    made = [ServedEntity(one.spec, one.id, principal, now) for one in fresh]
    entities = sorted([*kept, *made], key=lambda entity: entity.spec.name)
    endpoint.pending = Config(endpoint.versions, tuple(entities), routes, now, auto_capture)
    for one in [*(world.deployments[entity.deployment_id] for entity in kept), *fresh]:
        endpoint.deployed = keep(endpoint.deployed, Deployed(endpoint.versions, one.spec.name, one), DEPLOYED_KEPT)
    world.happened(endpoint, "config asked for", principal.name, _numbered(endpoint.versions))


def put_stopped(world: Workspace, endpoint: Endpoint, command: UpdateConfig, routes: tuple[Route, ...]) -> None:
    """Replace the config of a stopped endpoint at once; nothing is deployed before it is started."""
    left = endpoint.active
    endpoint.versions += 1
    specs = sorted(command.config.entities, key=lambda spec: spec.name)
    fresh = deploy(world, endpoint, specs, [command.principal] * len(specs))
    capture = command.config.auto_capture
    _next_config(world, endpoint, command.principal, routes, kept=[], fresh=fresh, auto_capture=capture)
    for deployment in fresh:
        before = left.find(deployment.spec.name) if left else None
        deployment.built = before is not None and before.spec == deployment.spec and _was_built(world, before)
        lifecycle.begin(world, deployment, Phase.STOPPED)
    endpoint.active, endpoint.pending = endpoint.pending, None
    move(world, endpoint, EndpointSignal.PUT_CONFIG)
    retire(world, endpoint, left)


def _was_built(world: Workspace, entity: ServedEntity) -> bool:
    return world.deployments[entity.deployment_id].built


def deploy(
    world: Workspace, endpoint: Endpoint, specs: Sequence[EntitySpec], creators: Sequence[Principal]
) -> list[Deployment]:
    """Make a deployment for each spec, which has not begun yet."""
    models = [world.registry.get(spec.model, spec.version) for spec in specs]
    return deploy_models(world, endpoint, specs, creators, models)


def deploy_models(
    world: Workspace,
    endpoint: Endpoint,
    specs: Sequence[EntitySpec],
    creators: Sequence[Principal],
    models: Sequence[ModelVersion],
) -> list[Deployment]:
    """Make a deployment for each spec, of a model that need not be registered any more."""
    return [
        Deployment(world.next_id("deployment"), endpoint.id, endpoint.name, spec, model, creator=creator)
        for spec, creator, model in zip(specs, creators, models, strict=True)
    ]


def _split(
    world: Workspace, endpoint: Endpoint, principal: Principal, request: ConfigRequest
) -> tuple[list[ServedEntity], list[Deployment]]:
    """Return the entities that keep their deployment, and new deployments for the others."""
    kept, fresh, built = [], [], []
    for spec in sorted(request.entities, key=lambda spec: spec.name):
        serving = endpoint.active.find(spec.name) if endpoint.active else None
        found = world.deployments[serving.deployment_id] if serving and serving.spec == spec else None
        if serving and found and found.phase is not Phase.STOPPED and found.phase not in BROKEN:
            kept.append(serving)
        else:
            fresh.append(spec)
            # What was stopped keeps its container: chosen, nothing is known about the time that a start takes.
            kept_container = found is not None and found.phase is Phase.STOPPED and found.built
            built.append(kept_container or express.is_express(world, spec))
    deployments = deploy(world, endpoint, fresh, [principal] * len(fresh))
    for deployment, was_built in zip(deployments, built, strict=True):
        deployment.built = was_built
    return kept, deployments


def _settle_later(world: Workspace, endpoint: Endpoint) -> Timer:
    stream = world.draws.stream("switch", endpoint.id)
    delay = stream.between(endpoint.versions, *world.profile.config_switch_ms)
    if endpoint.fault:
        # An update that hangs ends at the time limit of a deployment: chosen.
        hangs = endpoint.fault.effect == "hang"
        delay = world.profile.deploy_timeout_cpu_ms if hangs else delay + endpoint.fault.delay_ms
    return world.timeline.schedule(delay, Due(Alarm.CONFIG_SETTLED, endpoint.id))


def deployments_of(world: Workspace, *configs: Config | None, without: Config | None = None) -> list[Deployment]:
    """List the deployments that some configs name, each once, and another does not."""
    left_out = without.deployment_ids() if without else frozenset()
    named = dict.fromkeys(found for config in configs if config for found in config.deployment_ids())
    return [world.deployments[found] for found in named if found not in left_out]


def shows_fault(world: Workspace, endpoint: Endpoint) -> bool:
    """Return whether a reader sees an update that a fault holds up or has failed."""
    if endpoint.pending is None:
        return False
    if endpoint.fault is not None:
        return True
    return any(found.fault and found.phase not in UP for found in deployments_of(world, endpoint.pending))


# --- what happens to an update --------------------------------------------------------------------


def on_deployment_moved(world: Workspace, endpoint: Endpoint, deployment: Deployment, *, seen: bool) -> None:
    """Work out what a deployment's new phase means for its endpoint; ``seen`` if a reader can tell."""
    if seen:
        show(world, endpoint)
    if endpoint.pending is None or not endpoint.in_transition:
        return
    if deployment.phase in BROKEN and deployment.id in endpoint.pending.deployment_ids():
        end(world, endpoint, EndpointSignal.FAIL)
    else:
        _switch_if_ready(world, endpoint)


def on_settled(world: Workspace, due: Due) -> None:
    """Go on with an update that had nothing to deploy and has waited for it."""
    endpoint = world.by_id[due.endpoint_id]
    endpoint.settling = None
    if endpoint.fault and endpoint.fault.effect != "delay":
        end(world, endpoint, EndpointSignal.FAIL)
    else:
        _switch_if_ready(world, endpoint)


def _switch_if_ready(world: Workspace, endpoint: Endpoint) -> None:
    pending = endpoint.pending
    if pending is None or endpoint.settling is not None:
        return
    if any(deployment.phase not in UP for deployment in deployments_of(world, pending)):
        return
    left, endpoint.active, endpoint.pending = endpoint.active, pending, None
    move(world, endpoint, EndpointSignal.SWITCH)
    world.happened(endpoint, "config serving", "", _numbered(pending.version))
    retire(world, endpoint, left)


def end(world: Workspace, endpoint: Endpoint, signal: EndpointSignal) -> None:
    """Fail or cancel the update in progress; what serves goes on serving."""
    move(world, endpoint, signal)
    stop_settling(world, endpoint)
    world.happened(endpoint, str(endpoint.phase), "", _numbered(endpoint.versions))
    for deployment in deployments_of(world, endpoint.pending, without=endpoint.active):
        lifecycle.send(world, deployment, Signal.ABANDONED, _WHY_ABANDONED[signal])


def retire(world: Workspace, endpoint: Endpoint, left: Config | None) -> None:
    """Let the deployments go that only ``left`` named."""
    for deployment in deployments_of(world, left, without=endpoint.active):
        lifecycle.send(world, deployment, Signal.RETIRED)


def move(world: Workspace, endpoint: Endpoint, signal: EndpointSignal) -> None:
    """Move an endpoint along its table."""
    endpoint.phase = endpoints.TABLE[endpoint.phase, signal]
    if signal not in {EndpointSignal.SWITCH, EndpointSignal.FAIL}:  # recorded: becoming ready is no update
        endpoint.updated = world.timeline.now
    show(world, endpoint)


def show(world: Workspace, endpoint: Endpoint) -> None:
    """Tell who keeps what readers see that this endpoint looks different now."""
    endpoint.revision += 1
    world.revision += 1


def stop_settling(world: Workspace, endpoint: Endpoint) -> None:
    """End the wait of an update that had nothing to deploy, if there is one."""
    if endpoint.settling is not None:
        world.timeline.cancel(endpoint.settling)
        endpoint.settling = None


@lru_cache(maxsize=256)
def _numbered(version: int) -> str:
    """Return a config as the event log names it: one string for all endpoints."""
    return f"version {version}"
