"""How an endpoint comes, changes, and goes: the commands; ``rollout`` is what a new config sets going."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core import endpoint as endpoints
from servesim.core import lifecycle, rollout, tickets
from servesim.core.access import Level, own_acl
from servesim.core.commands import Signal
from servesim.core.deployment import Phase
from servesim.core.endpoint import Endpoint, EndpointPhase, EndpointSignal
from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from servesim.core.commands import (
        CancelUpdate,
        ChangeSetting,
        ChangeTags,
        CreateEndpoint,
        DeleteEndpoint,
        UpdateConfig,
    )
    from servesim.core.workspace import Workspace

TAG_LIMIT = 1_000
"""Tags of an endpoint: ours, no limit is published."""


def create(world: Workspace, command: CreateEndpoint) -> Endpoint:
    """Make an endpoint; raise ENDPOINT_EXISTS, ENDPOINT_LIMIT, OPERATION_LIMIT or what is wrong with its config."""
    if command.name in world.endpoints:
        raise Rejected(Code.ENDPOINT_EXISTS, endpoint=command.name)
    if len(world.endpoints) >= world.profile.endpoint_limit:
        raise Rejected(Code.ENDPOINT_LIMIT, limit=world.profile.endpoint_limit)
    routes = rollout.check(world, command.principal, command.config) if command.config else ()
    if not command.serving:
        world.limits.admit_operation(world)
    endpoint = _new_endpoint(world, command)
    world.endpoints[endpoint.name] = world.by_id[endpoint.id] = endpoint
    rollout.show(world, endpoint)
    world.happened(endpoint, "endpoint created", command.principal.name)
    if command.config:
        phase = Phase.READY if command.serving else Phase.BUILDING
        signal = EndpointSignal.PUT_CONFIG
        rollout.begin(world, endpoint, command.principal, command.config, routes, signal=signal, phase=phase)
    return endpoint


def update(world: Workspace, command: UpdateConfig) -> Endpoint:
    """Begin to replace a config; raise ENDPOINT_MISSING, NOT_PERMITTED, UPDATING or what is wrong with the new one."""
    endpoint = world.get(command.name)
    world.require(command.principal, endpoint, Level.CAN_MANAGE)
    if (endpoint.phase, EndpointSignal.PUT_CONFIG) not in endpoints.TABLE:
        raise Rejected(Code.UPDATING, endpoint=endpoint.name)
    routes = rollout.check(world, endpoint.creator, command.config)
    world.limits.admit_operation(world)
    if endpoint.phase is EndpointPhase.STOPPED:
        rollout.put_stopped(world, endpoint, command, routes)
    else:
        rollout.begin(world, endpoint, command.principal, command.config, routes, signal=EndpointSignal.PUT_CONFIG)
    return endpoint


def cancel(world: Workspace, command: CancelUpdate) -> Endpoint:
    """Give up an update in progress; raise ENDPOINT_MISSING or NO_UPDATE."""
    endpoint = world.get(command.name)
    if (endpoint.phase, EndpointSignal.CANCEL) not in endpoints.TABLE:
        raise Rejected(Code.NO_UPDATE, endpoint=endpoint.name)
    rollout.end(world, endpoint, EndpointSignal.CANCEL)
    return endpoint


def delete(world: Workspace, command: DeleteEndpoint) -> None:
    """Delete an endpoint; its held requests are refused, its running ones drain.

    Raise ENDPOINT_MISSING or NOT_PERMITTED.
    """
    endpoint = world.get(command.name)
    world.require(command.principal, endpoint, Level.CAN_MANAGE)
    left = rollout.deployments_of(world, endpoint.active, endpoint.pending)
    rollout.move(world, endpoint, EndpointSignal.DELETE)
    rollout.stop_settling(world, endpoint)
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
    rollout.show(world, endpoint)
    world.note("tags changed", endpoint.name, "", ", ".join([key for key, _ in command.added] + [*command.removed]))
    return endpoint


def change_setting(world: Workspace, command: ChangeSetting) -> Endpoint:
    """Replace a setting or take it away; raise ENDPOINT_MISSING or NOT_PERMITTED."""
    endpoint = world.get(command.name)
    world.require(command.principal, endpoint, Level.CAN_MANAGE)
    if command.value:
        endpoint.settings = {**endpoint.settings, command.setting: command.value}
    else:
        endpoint.settings = {name: kept for name, kept in endpoint.settings.items() if name != command.setting}
    rollout.show(world, endpoint)
    world.note("setting changed", endpoint.name, command.setting, "" if command.value else "removed")
    return endpoint


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
        tags=dict(command.tags) or endpoints.NOTHING,
        settings=dict(command.settings) or endpoints.NOTHING,
        acl=own_acl(command.principal),
    )
