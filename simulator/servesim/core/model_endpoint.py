"""The endpoint of a registered model, in both retired generations: what it serves follows from the registry.

Rules: which versions are served, when an alias moves and what changes their compute are the generation's, as data
below; what a deployment does is the table of every deployment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from servesim.core import calendar
from servesim.core.deployment import CREATING
from servesim.core.errors import Code
from servesim.core.minutes import Minutes
from servesim.core.model_access import ModelLevel
from servesim.core.registry import ACTIVE, Stage

if TYPE_CHECKING:
    from servesim.core.access import Principal
    from servesim.core.deployment import Deployment
    from servesim.core.eventlog import LogLine
    from servesim.core.model_compute import Compute
    from servesim.core.registry import RegisteredModel
    from servesim.core.timeline import Timer


class Generation(NamedTuple):
    """How a retired generation serves a registered model."""

    name: str
    path: str
    """Of its scoring URLs."""
    serves: frozenset[Stage]
    """Versions of which stages."""
    by_stage: bool
    """Whether each stage has compute of its own, changed beside what serves; else a cluster serves them all, and a
    changed one begins anew."""
    ready_aliases: bool
    """Whether a stage goes on naming the version before until the next one is ready."""
    after: tuple[str, ...]
    """Generations that must be off for a model first."""
    enable_level: ModelLevel
    not_enabled: Code
    version_missing: Code
    start_span: str
    """The profile's name for how long the endpoint takes to start."""
    build_span: str
    """And for what a version takes until it is deployed on it."""


SERVERLESS_PREVIEW = Generation(
    name=calendar.SERVERLESS_PREVIEW,
    path="model-endpoint",
    serves=frozenset(ACTIVE),
    by_stage=True,
    ready_aliases=True,
    after=(calendar.LEGACY,),
    enable_level=ModelLevel.CAN_MANAGE_PRODUCTION_VERSIONS,
    not_enabled=Code.PREVIEW_NOT_ENABLED,
    version_missing=Code.PREVIEW_VERSION_MISSING,
    start_span="preview_enable_ms",
    build_span="container_build_ms",
)

LEGACY = Generation(
    name=calendar.LEGACY,
    path="model",
    serves=frozenset(Stage) - {Stage.ARCHIVED},
    by_stage=False,
    ready_aliases=False,
    after=(),
    enable_level=ModelLevel.CAN_MANAGE,
    not_enabled=Code.LEGACY_NOT_ENABLED,
    version_missing=Code.LEGACY_VERSION_MISSING,
    start_span="cluster_start_ms",
    build_span="environment_build_ms",
)

GENERATIONS = {generation.name: generation for generation in (SERVERLESS_PREVIEW, LEGACY)}


class EndpointState(StrEnum):
    """Where the endpoint of a model is in its life."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"
    OFF = "off"
    ENDED = "ended"


class EndpointEvent(StrEnum):
    """What can happen to it."""

    STARTED = "started"
    START_FAILED = "start failed"
    RELAUNCH = "relaunch"
    DISABLE = "disable"
    SURFACE_ENDS = "surface ends"


_ON = (EndpointState.PENDING, EndpointState.READY, EndpointState.FAILED)

TABLE: dict[tuple[EndpointState, EndpointEvent], EndpointState] = {
    (EndpointState.PENDING, EndpointEvent.STARTED): EndpointState.READY,
    (EndpointState.PENDING, EndpointEvent.START_FAILED): EndpointState.FAILED,
    **{(state, EndpointEvent.RELAUNCH): EndpointState.PENDING for state in _ON},
    **{(state, EndpointEvent.DISABLE): EndpointState.OFF for state in _ON},
    **{(state, EndpointEvent.SURFACE_ENDS): EndpointState.ENDED for state in _ON},
}


@dataclass(slots=True, eq=False)
class ServedVersion:
    """One version of a model and what serves it."""

    number: str
    deployment: Deployment
    compute: Compute
    next: Deployment | None = None
    """What takes over once it is ready."""
    next_compute: Compute | None = None
    """What an update in progress, or one that failed, gives it."""
    failure: str = ""
    """Why its last update failed."""
    retried: bool = False
    """Whether the update in progress is another try of one that failed."""
    minutes: Minutes | None = None

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """What serves it, and what takes over."""
        return (self.deployment,) if self.next is None else (self.deployment, self.next)


@dataclass(slots=True, eq=False, weakref_slot=True)
class ModelEndpoint:
    """A registered model that a retired generation serves; switched off and on again it is another, with another id."""

    id: str
    generation: Generation
    model: RegisteredModel
    creator: Principal | None
    created: int
    compute: dict[Stage | None, Compute]
    """By stage; that of a cluster under None."""
    state: EndpointState = EndpointState.PENDING
    reason: str = ""
    """Why it failed."""
    served: dict[str, ServedVersion] = field(default_factory=dict)
    """By number, the lowest first."""
    aliases: dict[Stage, str] = field(default_factory=dict)
    """Which version a stage's URL leads to."""
    starting: Timer | None = None
    ending: Timer | None = None
    computes: int = 0
    """How many computes were ever asked for."""
    events: tuple[LogLine, ...] = ()
    revision: int = 0
    """Grows with every change that a reader could see."""
    calls: int = 0
    last_called: int = 0
    last_caller: str = ""

    @property
    def name(self) -> str:
        """What the event log, the record of requests, usage and faults call it: the head of its scoring URLs."""
        return label(self.generation, self.model.name)

    @property
    def in_transition(self) -> bool:
        """Whether time alone will change it."""
        return self.state is EndpointState.PENDING or bool(self.awaited())

    def awaited(self) -> set[str]:
        """Return the ids of the deployments that are on their way."""
        found = {one.deployment.id for one in self.served.values() if one.deployment.phase in CREATING}
        return found | {one.next.id for one in self.served.values() if one.next is not None}

    def count(self, deployment: Deployment, now: int, status: int, duration: int) -> None:
        """Count a request that a deployment answered now, after so many milliseconds."""
        served = self.served.get(deployment.spec.name)
        if served is not None:
            served.minutes = served.minutes or Minutes()
            served.minutes.note(now, status, duration, deployment.provisioned)


def label(generation: Generation, model: str) -> str:
    """Return the name of a model's endpoint."""
    return f"{generation.path}/{model}"
