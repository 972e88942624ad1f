"""Which versions of a model its endpoint serves, on what, and where the URLs of its stages lead.

Rules: what should be served follows from the registry and the generation; what a stage's URL leads to is deployed; an
update of a version's compute is launched beside what serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core import lifecycle, striking
from servesim.core.access import Principal
from servesim.core.commands import EntitySpec, Signal
from servesim.core.deployment import BROKEN, UP, WAITING, Deployment, Phase
from servesim.core.model_endpoint import GENERATIONS, EndpointState, ModelEndpoint, ServedVersion
from servesim.core.registry import ACTIVE, Stage, Status

if TYPE_CHECKING:
    from servesim.core.model_compute import Compute
    from servesim.core.registry import RegisteredModel, Version
    from servesim.core.workspace import Workspace

SERVESIM = Principal("")
"""Who asks where nobody does."""
_WORKED = UP | WAITING
"""Phases of a deployment that has been ready."""


def show(world: Workspace, endpoint: ModelEndpoint) -> None:
    """Tell who keeps what readers see that this endpoint looks different now."""
    endpoint.revision += 1
    world.revision += 1


def follow(world: Workspace, model: RegisteredModel) -> None:
    """Let the endpoints of a model serve what its registry says now."""
    if not world.model_endpoints:
        return
    for generation in GENERATIONS:
        endpoint = world.model_endpoints.get((generation, model.name))
        if endpoint is not None and endpoint.model is model:
            reconcile(world, endpoint)


def rename(world: Workspace, before: str, name: str) -> None:
    """Let the endpoints of a model go by its new name (chosen)."""
    for generation in GENERATIONS:
        endpoint = world.model_endpoints.pop((generation, before), None)
        if endpoint is not None:
            world.model_endpoints[generation, name] = endpoint
            for served in endpoint.served.values():
                for deployment in served.deployments:
                    deployment.endpoint = endpoint.name
            show(world, endpoint)


def reconcile(world: Workspace, endpoint: ModelEndpoint, phase: Phase = Phase.BUILDING) -> None:
    """Deploy the versions that should be served and are not, and let those go that no stage and no URL needs."""
    if endpoint.state is not EndpointState.READY:
        return
    staged = wanted(endpoint)
    for number, version in staged.items():
        served = endpoint.served.get(number)
        compute = _compute(endpoint, version)
        if served is None:
            _deploy(world, endpoint, version, compute, phase)
        elif not (served.next_compute or served.compute).asks_for_same(compute):
            update(world, endpoint, served, compute)
        elif served.next_compute is None and served.compute is not compute:
            served.compute = compute  # alike, and another stage's
            show(world, endpoint)
    endpoint.served = dict(sorted(endpoint.served.items(), key=lambda item: _order(item[0])))
    _point(world, endpoint, staged)


def wanted(endpoint: ModelEndpoint) -> dict[str, Version]:
    """Return the versions that should be served by their numbers, the lowest first."""
    serves = endpoint.generation.serves
    return {
        number: version
        for number, version in sorted(endpoint.model.versions.items(), key=lambda item: _order(item[0]))
        if version.stage in serves and version.status is Status.READY and version.model is not None
    }


def _order(number: str) -> tuple[int, str]:
    return len(number), number


def _compute(endpoint: ModelEndpoint, version: Version) -> Compute:
    return endpoint.compute[version.stage if endpoint.generation.by_stage else None]


def _deploy(world: Workspace, endpoint: ModelEndpoint, version: Version, compute: Compute, phase: Phase) -> None:
    deployment = _deployment(world, endpoint, version.number, compute)
    endpoint.served[version.number] = ServedVersion(version.number, deployment, compute)
    show(world, endpoint)
    if phase is Phase.BUILDING:
        deployment.fault = striking.take(world, endpoint.name, version.number, endpoint.creator or SERVESIM)
    else:
        deployment.built = True
    lifecycle.begin(world, deployment, phase)


def _deployment(world: Workspace, endpoint: ModelEndpoint, number: str, compute: Compute) -> Deployment:
    model = world.registry.get(endpoint.model.name, number)
    spec = EntitySpec(
        number, endpoint.model.name, number, workload_size=compute.size, scale_to_zero=compute.scale_to_zero
    )
    creator = compute.by or endpoint.creator
    return Deployment(world.next_id("deployment"), endpoint.id, endpoint.name, spec, model, creator=creator)


def update(world: Workspace, endpoint: ModelEndpoint, served: ServedVersion, compute: Compute) -> None:
    """Give a version other compute: what serves goes on until the next is ready."""
    left, served.next = served.next, None
    served.next_compute, served.failure, served.retried = compute, "", False
    show(world, endpoint)
    if left is not None:
        lifecycle.send(world, left, Signal.RETIRED)
    if served.deployment.phase not in BROKEN and served.compute.asks_for_same(compute):
        served.compute, served.next_compute = compute, None
        return
    served.next = deployment = _deployment(world, endpoint, served.number, compute)
    deployment.built = served.deployment.built
    deployment.fault = striking.take(world, endpoint.name, served.number, compute.by or SERVESIM)
    lifecycle.begin(world, deployment, Phase.PROVISIONING if deployment.built else Phase.BUILDING)


def on_deployment_moved(world: Workspace, endpoint: ModelEndpoint, deployment: Deployment, *, seen: bool) -> None:
    """Work out what a deployment's new phase means for its endpoint; ``seen`` if a reader can tell."""
    served = endpoint.served.get(deployment.spec.name)
    if served is None or deployment not in served.deployments:
        return
    if seen:
        show(world, endpoint)
    if deployment is served.next and deployment.phase in UP:
        _take_over(world, endpoint, served, deployment)
    elif deployment is served.next and deployment.phase in BROKEN:
        served.next, served.failure, served.retried = None, deployment.reason or str(deployment.phase), False
        world.happened(endpoint, "compute update failed", served.number, served.failure)
        lifecycle.send(world, deployment, Signal.RETIRED)
    if deployment.phase in UP | BROKEN:
        _point(world, endpoint, wanted(endpoint))


def _take_over(world: Workspace, endpoint: ModelEndpoint, served: ServedVersion, deployment: Deployment) -> None:
    left, served.deployment, served.next = served.deployment, deployment, None
    served.compute, served.next_compute, served.retried = served.next_compute or served.compute, None, False
    world.happened(endpoint, "compute updated", served.number, f"version {served.compute.version}")
    lifecycle.send(world, left, Signal.RETIRED)


def _point(world: Workspace, endpoint: ModelEndpoint, staged: dict[str, Version]) -> None:
    """Let each stage's URL lead where it should, then let go what nothing leads to any more."""
    before = endpoint.aliases
    endpoint.aliases = {stage: number for stage in ACTIVE if (number := _target(endpoint, stage, staged))}
    for stage in ACTIVE:
        number = endpoint.aliases.get(stage, "")
        if number != before.get(stage, ""):
            show(world, endpoint)
            world.happened(endpoint, "stage points to", number, str(stage))
    needed = staged.keys() | set(endpoint.aliases.values())
    for number in [number for number in endpoint.served if number not in needed]:
        left = endpoint.served.pop(number)
        show(world, endpoint)
        for deployment in left.deployments:
            lifecycle.send(world, deployment, Signal.RETIRED)


def _target(endpoint: ModelEndpoint, stage: Stage, staged: dict[str, Version]) -> str:
    """Return the version that a stage's URL leads to: the newest, or the newest that is ready (documented)."""
    newest = [number for number, version in reversed(staged.items()) if version.stage is stage]
    if not endpoint.generation.ready_aliases or not newest:
        return newest[0] if newest else ""
    for number in newest:
        if endpoint.served[number].deployment.phase in _WORKED:
            return number
    now = endpoint.aliases.get(stage, "")
    return now if now in endpoint.served else ""
