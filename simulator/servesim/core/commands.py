"""Everything that changes the world, as frozen values that can be written down and executed again.

A recorded run is the list of these in order: what clients asked for, how time moved, and how each effect
on the real world (loading a model, a worker's death) came out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from servesim.core.access import Principal  # noqa: TC001 - a command that was written down is rebuilt from its type hints
from servesim.core.registry import ModelVersion  # noqa: TC001 - commands are rebuilt from their annotations


class Signal(StrEnum):
    """What can happen to a deployment."""

    BUILT = "built"
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


@dataclass(frozen=True, slots=True)
class AddModel:
    """Register a model version."""

    model: ModelVersion


@dataclass(frozen=True, slots=True)
class CreateEndpoint:
    """Create an endpoint; without a config it exists and serves nothing."""

    name: str
    principal: Principal
    config: ConfigRequest | None = None
    description: str = ""
    route_optimized: bool = False
    extras: str = "{}"
    """Fields that are kept and given back unchanged (tags, AI Gateway, budget policy), as JSON."""
    serving: bool = False
    """Begin with every deployment ready, as in a world that is read from a scenario."""


@dataclass(frozen=True, slots=True)
class UpdateConfig:
    """Replace an endpoint's config once the new one is ready."""

    name: str
    principal: Principal
    config: ConfigRequest


@dataclass(frozen=True, slots=True)
class CancelUpdate:
    """Give up an update in progress; the real service offers it in its UI only."""

    name: str


@dataclass(frozen=True, slots=True)
class DeleteEndpoint:
    """Delete an endpoint, in any state."""

    name: str


@dataclass(frozen=True, slots=True)
class Admit:
    """Let a request in: by the split, or to one served entity."""

    endpoint: str
    entity: str | None = None
    timed: bool = False
    """Whether its model takes simulated time, so that the execution limit can reach it while it runs."""


@dataclass(frozen=True, slots=True)
class Finish:
    """A request was answered by its model, with an HTTP status."""

    request: int
    status: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """A request that is held or running will never be answered by its model."""

    request: int
    why: str


@dataclass(frozen=True, slots=True)
class LoadFinished:
    """How loading a deployment's model came out; ``error`` is the real reason if it failed."""

    deployment_id: str
    error: str | None = None
    log: str = ""


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """The process behind a deployment ended by itself."""

    deployment_id: str


@dataclass(frozen=True, slots=True)
class NotSimulated:
    """Somebody called what is not simulated; the event log says so."""

    principal: str
    call: str


@dataclass(frozen=True, slots=True)
class Step:
    """Let the next event happen if it is due at or before ``until``."""

    until: int


@dataclass(frozen=True, slots=True)
class MoveTo:
    """Move time to an instant before which nothing is due."""

    instant: int


Command = (
    AddModel
    | CreateEndpoint
    | UpdateConfig
    | CancelUpdate
    | DeleteEndpoint
    | Admit
    | Finish
    | GiveUp
    | LoadFinished
    | WorkerDied
    | NotSimulated
    | Step
    | MoveTo
)


@dataclass(frozen=True, slots=True)
class LoadModel:
    """An effect: load a deployment's model for real and report with LoadFinished."""

    deployment_id: str
    model: ModelVersion
    environment: tuple[tuple[str, str], ...]
