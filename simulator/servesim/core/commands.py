"""Everything that changes the world, as frozen values that can be written down and executed again.

A recorded run is the list of these in order: what clients asked for, how time moved, and how each effect
on the real world (loading a model, a worker's death) came out. They are named tuples, which are made in a third of
the time that a frozen dataclass takes: two of them are made for every request.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from servesim.core.access import (  # noqa: TC001 - a command that was written down is rebuilt from its type hints
    Grants,
    Member,
    Principal,
)
from servesim.core.faults import Fault  # noqa: TC001 - commands are rebuilt from their annotations
from servesim.core.model_commands import ModelCommand
from servesim.core.model_endpoint_commands import ModelEndpointCommand
from servesim.core.registry import ModelVersion  # noqa: TC001 - commands are rebuilt from their annotations


class Signal(StrEnum):
    """What can happen to a deployment."""

    BUILT = "built"
    BUILD_FAILED = "build failed"
    PROVISIONED = "provisioned"
    LOADED = "loaded"
    LOAD_FAILED = "load failed"
    IDLE = "idle"
    DEMAND = "demand"
    STARTED = "started"
    DIED = "died"
    RECOVERED = "recovered"
    TIMED_OUT = "timed out"
    ABANDONED = "abandoned"
    RETIRED = "retired"
    DRAINED = "drained"


class Alarm(StrEnum):
    """What a timer can be set for, beside the signals of a deployment."""

    CONFIG_SETTLED = "config settled"
    IDLE_CHECK = "idle check"
    DRAIN_LIMIT = "drain limit"
    EXECUTION_LIMIT = "execution limit"
    ANSWER_DUE = "answer due"
    REPLICA_UP = "replica up"
    SCALE_DOWN = "scale down"
    CALL_DELAY = "call delay"
    REGISTERED = "registered"
    MODEL_ENDPOINT_UP = "model endpoint up"
    SURFACE_ENDS = "surface ends"


class Due(NamedTuple):
    """What a timer stands for: a signal or alarm, of which endpoint, deployment and request."""

    what: Signal | Alarm
    endpoint_id: str
    deployment_id: str = ""
    request: int = 0


@dataclass(frozen=True, slots=True)
class EntitySpec:
    """A served entity as asked for: everything that makes another deployment when it changes."""

    name: str
    model: str
    version: str
    workload_type: str = "CPU"
    workload_size: str | None = None
    min_concurrency: int | None = None
    max_concurrency: int | None = None
    scale_to_zero: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    instance_profile_arn: str | None = None


class Route(NamedTuple):
    """A share of the traffic, in whole percent."""

    entity: str
    percentage: int


@dataclass(frozen=True, slots=True)
class ConfigRequest:
    """A config as asked for; ``routes`` None stands for the default of a single entity."""

    entities: tuple[EntitySpec, ...]
    routes: tuple[Route, ...] | None = None
    auto_capture: str = ""
    """The older inference table, as JSON; empty for none."""


Tags = tuple[tuple[str, str | None], ...]
"""Tags by key, each perhaps with a value."""


class CreateEndpoint(NamedTuple):
    """Create an endpoint; without a config it exists and serves nothing."""

    name: str
    principal: Principal
    config: ConfigRequest | None = None
    description: str = ""
    route_optimized: bool = False
    tags: Tags = ()
    settings: tuple[tuple[str, str], ...] = ()
    """What is kept as it was sent (AI Gateway, budget policy): JSON by the field's name."""
    serving: bool = False
    """Begin with every deployment ready, as in a world that is read from a scenario."""


class UpdateConfig(NamedTuple):
    """Replace an endpoint's config once the new one is ready."""

    name: str
    principal: Principal
    config: ConfigRequest


class CancelUpdate(NamedTuple):
    """Give up an update in progress; the real service offers it in its UI only."""

    name: str


class DeleteEndpoint(NamedTuple):
    """Delete an endpoint, in any state. Without a principal servesim itself asks, as everywhere below."""

    name: str
    principal: Principal | None = None


class StopEndpoint(NamedTuple):
    """Let an endpoint's compute go and keep its config."""

    name: str
    principal: Principal | None = None


class StartEndpoint(NamedTuple):
    """Deploy the config of a stopped endpoint again."""

    name: str
    principal: Principal | None = None


class ChangeTags(NamedTuple):
    """Add or replace some tags of an endpoint and take others away."""

    name: str
    principal: Principal | None
    added: Tags
    removed: tuple[str, ...]


class ChangeSetting(NamedTuple):
    """Replace one of an endpoint's settings; an empty text takes it away."""

    name: str
    principal: Principal | None
    setting: str
    """The name of its field, e.g. ``ai_gateway``."""
    value: str
    """JSON."""


class SetPermissions(NamedTuple):
    """Replace what was granted on an endpoint, or add to it."""

    endpoint_id: str
    principal: Principal | None
    grants: Grants
    replace: bool


class PutMember(NamedTuple):
    """Add a principal to the workspace, or change its groups and entitlements."""

    member: Member


class RemoveMember(NamedTuple):
    """Take a principal out of the workspace; what it created stays."""

    name: str


class SetModelAccess(NamedTuple):
    """Say who may execute a registered model: names of principals and groups, or everybody."""

    model: str
    allowed: tuple[str, ...] | None


class AddFault(NamedTuple):
    """Order trouble for what fits from now on."""

    fault: Fault


class RemoveFault(NamedTuple):
    """Take back an order for trouble."""

    number: int


class Strike(NamedTuple):
    """A call of the control plane has come, which faults may strike."""

    operation: str
    """As the contracts name it."""
    endpoint: str
    entity: str
    principal: Principal | None


class EndWait(NamedTuple):
    """A call that a fault delays has been given up."""

    number: int


class Admit(NamedTuple):
    """Let a request in: by the split, or to one served entity."""

    endpoint: str
    entity: str | None = None
    timed: bool = False
    """Whether its model takes simulated time, so that the execution limit can reach it while it runs."""
    principal: Principal | None = None


class Finish(NamedTuple):
    """A request was answered by its model, with an HTTP status."""

    request: int
    status: int


class GiveUp(NamedTuple):
    """A request that is held or running will never be answered by its model.

    ``status`` is what its client is answered instead, and is counted; None if the client is gone.
    """

    request: int
    why: str
    status: int | None = None


class LoadFinished(NamedTuple):
    """How loading a deployment's model came out; ``error`` is the real reason if it failed."""

    deployment_id: str
    error: str | None = None
    log: str = ""


class WorkerDied(NamedTuple):
    """The process behind a deployment ended by itself."""

    deployment_id: str


class NotSimulated(NamedTuple):
    """Somebody called what is not simulated; the event log says so."""

    principal: str
    call: str


class CreateScope(NamedTuple):
    """Make a secret scope; ``manager`` None gives it to whoever makes it."""

    scope: str
    principal: Principal | None
    manager: str | None = None


class DeleteScope(NamedTuple):
    """Delete a secret scope with all its secrets."""

    scope: str
    principal: Principal | None


class PutSecret(NamedTuple):
    """Add a secret, or give it another value; the value itself is in no command."""

    scope: str
    key: str
    principal: Principal | None


class DeleteSecret(NamedTuple):
    """Delete a secret."""

    scope: str
    key: str
    principal: Principal | None


class PutSecretAcl(NamedTuple):
    """Give a user or group a level on a secret scope."""

    scope: str
    principal: Principal | None
    grantee: str
    access: str
    """``READ``, ``WRITE`` or ``MANAGE``."""


class DeleteSecretAcl(NamedTuple):
    """Take back what a user or group was given on a secret scope."""

    scope: str
    principal: Principal | None
    grantee: str


class Step(NamedTuple):
    """Let the next event happen if it is due at or before ``until``."""

    until: int


class MoveTo(NamedTuple):
    """Move time to an instant before which nothing is due."""

    instant: int


Command = (
    ModelCommand
    | ModelEndpointCommand
    | CreateEndpoint
    | UpdateConfig
    | CancelUpdate
    | DeleteEndpoint
    | StopEndpoint
    | StartEndpoint
    | ChangeTags
    | ChangeSetting
    | SetPermissions
    | PutMember
    | RemoveMember
    | SetModelAccess
    | AddFault
    | RemoveFault
    | Strike
    | EndWait
    | Admit
    | Finish
    | GiveUp
    | LoadFinished
    | WorkerDied
    | NotSimulated
    | CreateScope
    | DeleteScope
    | PutSecret
    | DeleteSecret
    | PutSecretAcl
    | DeleteSecretAcl
    | Step
    | MoveTo
)


class LoadModel(NamedTuple):
    """An effect: load a deployment's model for real and report with LoadFinished."""

    deployment_id: str
    model: ModelVersion
    environment: tuple[tuple[str, str], ...]
