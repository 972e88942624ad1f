"""How an endpoint comes, changes its config, and goes.

Rules: what serves goes on serving until every entity of the next config is ready; an entity that is equal
in all but its share keeps its deployment; a deployment that no config names any more is retired.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core import endpoint as endpoints
from servesim.core import faults, lifecycle, permissions, tickets
from servesim.core.access import Level, grantee_of
from servesim.core.commands import Alarm, Due, Signal
from servesim.core.deployment import BROKEN, UP, Cause, Deployment, Phase
from servesim.core.endpoint import Config, Deployed, Endpoint, EndpointPhase, EndpointSignal, ServedEntity
from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from servesim.core.access import Principal
    from servesim.core.commands import (
        CancelUpdate,
        ChangeSetting,
        ChangeTags,
        ConfigRequest,
        CreateEndpoint,
        DeleteEndpoint,
        EntitySpec,
        Route,
        UpdateConfig,
    )
    from servesim.core.timeline import Timer
    from servesim.core.workspace import Workspace

TAG_LIMIT = 1_000
"""Tags of an endpoint: ours, no limit is published."""

_WHY_ABANDONED = {EndpointSignal.FAIL: Cause.ANOTHER_FAILED, EndpointSignal.CANCEL: Cause.CANCELED}


# --- commands -------------------------------------------------------------------------------------


def create(world: Workspace, command: CreateEndpoint) -> Endpoint:
    """Make an endpoint; raise ENDPOINT_EXISTS, ENDPOINT_LIMIT or what is wrong with its config."""
    if command.name in world.endpoints:
        raise Rejected(Code.ENDPOINT_EXISTS, endpoint=command.name)
    if len(world.endpoints) >= world.profile.endpoint_limit:
        raise Rejected(Code.ENDPOINT_LIMIT, limit=world.profile.endpoint_limit)
    routes = _check(world, command.principal, command.config) if command.config else ()
    endpoint = _new_endpoint(world, command)
    world.endpoints[endpoint.name] = world.by_id[endpoint.id] = endpoint
    show(world, endpoint)
    world.happened(endpoint, "endpoint created", command.principal.name)
    if command.config:
        phase = Phase.READY if command.serving else Phase.BUILDING
        signal = EndpointSignal.PUT_CONFIG
        begin(world, endpoint, command.principal, command.config, routes, signal=signal, phase=phase)
    return endpoint


def update(world: Workspace, command: UpdateConfig) -> Endpoint:
    """Begin to replace a config; raise ENDPOINT_MISSING, NOT_PERMITTED, UPDATING or what is wrong with the new one."""
    endpoint = world.get(command.name)
    world.require(command.principal, endpoint, Level.CAN_MANAGE)
    if (endpoint.phase, EndpointSignal.PUT_CONFIG) not in endpoints.TABLE:
        raise Rejected(Code.UPDATING, endpoint=endpoint.name)
    routes = check_sound(world, endpoint, command.config)
    if endpoint.phase is EndpointPhase.STOPPED:
        _put_stopped(world, endpoint, command, routes)
    else:
        begin(world, endpoint, command.principal, command.config, routes, signal=EndpointSignal.PUT_CONFIG)
    return endpoint


def cancel(world: Workspace, command: CancelUpdate) -> Endpoint:
    """Give up an update in progress; raise ENDPOINT_MISSING or NO_UPDATE."""
    endpoint = world.get(command.name)
    if (endpoint.phase, EndpointSignal.CANCEL) not in endpoints.TABLE:
        raise Rejected(Code.NO_UPDATE, endpoint=endpoint.name)
    _end_update(world, endpoint, EndpointSignal.CANCEL)
    return endpoint


def delete(world: Workspace, command: DeleteEndpoint) -> None:
    """Delete an endpoint; its held requests are refused, its running ones drain.

    Raise ENDPOINT_MISSING or NOT_PERMITTED.
    """
    endpoint = world.get(command.name)
    world.require(command.principal, endpoint, Level.CAN_MANAGE)
    left = _deployments(world, endpoint.active, endpoint.pending)
    move(world, endpoint, EndpointSignal.DELETE)
    _stop_settling(world, endpoint)
    del world.endpoints[endpoint.name], world.by_id[endpoint.id]
    world.note("endpoint deleted", endpoint.name, "", "")
    for deployment in left:
        tickets.refuse_held(world, deployment)
        lifecycle.send(world, deployment, Signal.RETIRED)


def change_tags(world: Workspace, command: ChangeTags) -> Endpoint:
    """Add, replace and take away tags; raise ENDPOINT_MISSING, NOT_PERMITTED or BAD_FIELD."""
    endpoint = world.get(command.name)
    world.require(command.principal, endpoint, Level.CAN_MANAGE)
    tags = {**endpoint.tags, **dict(command.added)}
    for key in command.removed:
        tags.pop(key, None)
    if len(tags) > TAG_LIMIT:
        raise Rejected(Code.BAD_FIELD, field="add_tags", expected=f"{TAG_LIMIT} tags at most", got=len(tags))
    endpoint.tags = tags
    show(world, endpoint)
    world.note("tags changed", endpoint.name, "", ", ".join([key for key, _ in command.added] + [*command.removed]))
    return endpoint


def change_setting(world: Workspace, command: ChangeSetting) -> Endpoint:
    """Replace a setting or take it away; raise ENDPOINT_MISSING or NOT_PERMITTED."""
    endpoint = world.get(command.name)
    world.require(command.principal, endpoint, Level.CAN_MANAGE)
    if command.value:
        endpoint.settings[command.setting] = command.value
    else:
        endpoint.settings.pop(command.setting, None)
    show(world, endpoint)
    world.note("setting changed", endpoint.name, command.setting, "" if command.value else "removed")
    return endpoint


# --- what happens to an update --------------------------------------------------------------------


def on_deployment_moved(world: Workspace, deployment: Deployment, *, seen: bool) -> None:
    """Work out what a deployment's new phase means for its endpoint; ``seen`` if a reader can tell."""
    endpoint = world.by_id.get(deployment.endpoint_id)
    if endpoint is None:
        return
    if seen:
        show(world, endpoint)
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
    if endpoint.fault and endpoint.fault.effect != "delay":
        _end_update(world, endpoint, EndpointSignal.FAIL)
    else:
        _switch_if_ready(world, endpoint)


def _switch_if_ready(world: Workspace, endpoint: Endpoint) -> None:
    pending = endpoint.pending
    if pending is None or endpoint.settling is not None:
        return
    if any(deployment.phase not in UP for deployment in _deployments(world, pending)):
        return
    left, endpoint.active, endpoint.pending = endpoint.active, pending, None
    move(world, endpoint, EndpointSignal.SWITCH)
    world.happened(endpoint, "config serving", "", f"version {pending.version}")
    retire(world, endpoint, left)


def _end_update(world: Workspace, endpoint: Endpoint, signal: EndpointSignal) -> None:
    """Fail or cancel the update in progress; what serves goes on serving."""
    move(world, endpoint, signal)
    _stop_settling(world, endpoint)
    world.happened(endpoint, str(endpoint.phase), "", f"version {endpoint.versions}")
    for deployment in _deployments(world, endpoint.pending, without=endpoint.active):
        lifecycle.send(world, deployment, Signal.ABANDONED, _WHY_ABANDONED[signal])


def retire(world: Workspace, endpoint: Endpoint, left: Config | None) -> None:
    """Let the deployments go that only ``left`` named."""
    for deployment in _deployments(world, left, without=endpoint.active):
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


def _stop_settling(world: Workspace, endpoint: Endpoint) -> None:
    if endpoint.settling is not None:
        world.timeline.cancel(endpoint.settling)
        endpoint.settling = None


# --- a new config ---------------------------------------------------------------------------------


def check_sound(world: Workspace, endpoint: Endpoint, config: ConfigRequest) -> tuple[Route, ...]:
    """Return the routes of a config that an endpoint can have; raise what is wrong with it."""
    return _check(world, endpoint.creator, config)


def _check(world: Workspace, creator: Principal, config: ConfigRequest) -> tuple[Route, ...]:
    routes = endpoints.check_config(config, world.profile)
    for entity in config.entities:
        world.registry.get(entity.model, entity.version)
    permissions.check_creator(world, creator, config)
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
        tags=dict(command.tags),
        settings=dict(command.settings),
        acl={grantee_of(command.principal): Level.CAN_MANAGE},
    )


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
    _next_config(world, endpoint, principal, routes, kept=kept, fresh=fresh)
    move(world, endpoint, signal)
    for deployment in fresh:
        if phase is Phase.BUILDING:
            deployment.fault = faults.take(world, endpoint.name, deployment.spec.name)
            lifecycle.begin(world, deployment, Phase.PROVISIONING if deployment.built else phase)
        else:
            deployment.built = True
            lifecycle.begin(world, deployment, phase)
    if not fresh:
        endpoint.fault = faults.take(world, endpoint.name, "")
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
) -> None:
    now = world.timeline.now
    made = [ServedEntity(one.spec, one.id, principal, now) for one in fresh]
    entities = sorted([*kept, *made], key=lambda entity: entity.spec.name)
    endpoint.pending = Config(endpoint.versions, tuple(entities), routes, now)
    for one in [*(world.deployments[entity.deployment_id] for entity in kept), *fresh]:
        endpoint.deployed.append(Deployed(endpoint.versions, one.spec.name, one))
    world.happened(endpoint, "config asked for", principal.name, f"version {endpoint.versions}")


def _put_stopped(world: Workspace, endpoint: Endpoint, command: UpdateConfig, routes: tuple[Route, ...]) -> None:
    """Replace the config of a stopped endpoint at once; nothing is deployed before it is started."""
    left = endpoint.active
    endpoint.versions += 1
    specs = sorted(command.config.entities, key=lambda spec: spec.name)
    fresh = deploy(world, endpoint, specs, [command.principal] * len(specs))
    _next_config(world, endpoint, command.principal, routes, kept=[], fresh=fresh)
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
    made = []
    for spec, creator in zip(specs, creators, strict=True):
        model = world.registry.get(spec.model, spec.version)
        found = Deployment(world.next_id("deployment"), endpoint.id, endpoint.name, spec, model, creator=creator)
        made.append(found)
    return made


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
            built.append(found is not None and found.phase is Phase.STOPPED and found.built)
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


def _deployments(world: Workspace, *configs: Config | None, without: Config | None = None) -> list[Deployment]:
    """List the deployments that some configs name, each once, and another does not."""
    left_out = without.deployment_ids() if without else frozenset()
    named = dict.fromkeys(found for config in configs if config for found in config.deployment_ids())
    return [world.deployments[found] for found in named if found not in left_out]
