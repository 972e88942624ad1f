"""How an endpoint is stopped, which frees its compute and keeps its config, and started again.

Rules: only an endpoint that serves and is not being updated can be stopped; a config that is put while it is
stopped takes effect at once and waits; a start is an update to an equal config with the next number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core import lifecycle, rollout, tickets
from servesim.core.access import Level
from servesim.core.commands import ConfigRequest, Signal
from servesim.core.deployment import Phase
from servesim.core.endpoint import EndpointPhase, EndpointSignal
from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from servesim.core.commands import StartEndpoint, StopEndpoint
    from servesim.core.endpoint import Config, Endpoint
    from servesim.core.workspace import Workspace


def stop(world: Workspace, command: StopEndpoint) -> Endpoint:
    """Stop an endpoint; raise ENDPOINT_MISSING, NOT_PERMITTED, STOP_WHILE_UPDATING or NOTHING_TO_STOP."""
    endpoint = world.get(command.name)
    world.require(command.principal, endpoint, Level.CAN_MANAGE)
    if endpoint.in_transition:
        raise Rejected(Code.STOP_WHILE_UPDATING, endpoint=endpoint.name)
    if endpoint.phase is EndpointPhase.STOPPED:
        raise Rejected(Code.ALREADY_STOPPED, endpoint=endpoint.name)
    config = endpoint.active
    if config is None:
        raise Rejected(Code.NOTHING_TO_STOP, endpoint=endpoint.name)
    given_up, endpoint.pending = endpoint.pending, None
    rollout.retire(world, endpoint, given_up)
    _replace_by_stopped(world, endpoint, config)
    rollout.move(world, endpoint, EndpointSignal.STOP)
    world.happened(endpoint, "endpoint stopped")
    return endpoint


def start(world: Workspace, command: StartEndpoint) -> Endpoint:
    """Deploy a stopped endpoint's config again; raise ENDPOINT_MISSING, NOT_PERMITTED or NOT_STOPPED."""
    endpoint = world.get(command.name)
    world.require(command.principal, endpoint, Level.CAN_MANAGE)
    config = endpoint.active
    if config is None or endpoint.phase is not EndpointPhase.STOPPED:
        raise Rejected(Code.NOT_STOPPED, endpoint=endpoint.name)
    specs = tuple(entity.spec for entity in config.entities)
    request = ConfigRequest(specs, config.routes, config.auto_capture)
    rollout.check(world, endpoint.creator, request)
    world.happened(endpoint, "endpoint started")
    principal = command.principal or endpoint.creator
    rollout.begin(world, endpoint, principal, request, config.routes, signal=EndpointSignal.START)
    return endpoint


def _replace_by_stopped(world: Workspace, endpoint: Endpoint, config: Config) -> None:
    """Give each entity of a config a deployment without compute; what runs on the old ones ends there."""
    left = [world.deployments[entity.deployment_id] for entity in config.entities]
    specs = [entity.spec for entity in config.entities]
    creators = [entity.creator for entity in config.entities]
    fresh = rollout.deploy_models(world, endpoint, specs, creators, [deployment.model for deployment in left])
    endpoint.active = config.on([deployment.id for deployment in fresh])
    for old, new in zip(left, fresh, strict=True):
        new.built = old.built
        lifecycle.begin(world, new, Phase.STOPPED)
        tickets.refuse_held(world, old)
        lifecycle.send(world, old, Signal.RETIRED)
