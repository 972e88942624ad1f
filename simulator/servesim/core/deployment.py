"""The deployment: one model version on compute. Its life is the table below and nothing else.

Rules: a signal that the table does not list for a state changes nothing; entering a state is what starts
its timer or effect (see ``lifecycle.py``); GONE is left by nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from servesim.core.commands import EntitySpec, Signal

if TYPE_CHECKING:
    from servesim.core.access import Principal
    from servesim.core.capacity import Usage
    from servesim.core.faults import Fault
    from servesim.core.registry import ModelVersion
    from servesim.core.routing import Ticket
    from servesim.core.timeline import Timer
    from servesim.core.traffic import Traffic


class Phase(StrEnum):
    """Where a deployment is in its life."""

    BUILDING = "building"
    PROVISIONING = "provisioning"
    LOADING = "loading"
    READY = "ready"
    SCALED_TO_ZERO = "scaled to zero"
    STARTING = "starting"
    RECOVERING = "recovering"
    RELOADING = "reloading"
    LEAVING = "leaving"
    DRAINING = "draining"
    FAILED = "failed"
    ABORTED = "aborted"
    STOPPED = "stopped"
    GONE = "gone"


class Cause(StrEnum):
    """Why a deployment was aborted."""

    TIMED_OUT = "the update timed out"
    ANOTHER_FAILED = "another served entity of the update failed"
    CANCELED = "the update was canceled"


TABLE: dict[tuple[Phase, Signal], Phase] = {
    (Phase.BUILDING, Signal.BUILT): Phase.PROVISIONING,
    (Phase.BUILDING, Signal.BUILD_FAILED): Phase.FAILED,
    (Phase.PROVISIONING, Signal.PROVISIONED): Phase.LOADING,
    (Phase.LOADING, Signal.LOADED): Phase.READY,
    (Phase.LOADING, Signal.LOAD_FAILED): Phase.FAILED,
    (Phase.READY, Signal.IDLE): Phase.SCALED_TO_ZERO,
    (Phase.SCALED_TO_ZERO, Signal.DEMAND): Phase.STARTING,
    (Phase.STARTING, Signal.STARTED): Phase.READY,
    (Phase.READY, Signal.DIED): Phase.RECOVERING,
    (Phase.RECOVERING, Signal.RECOVERED): Phase.RELOADING,
    (Phase.RELOADING, Signal.LOADED): Phase.READY,
    (Phase.RELOADING, Signal.LOAD_FAILED): Phase.FAILED,
    (Phase.PROVISIONING, Signal.TIMED_OUT): Phase.ABORTED,
    (Phase.LOADING, Signal.TIMED_OUT): Phase.ABORTED,
    # Another entity of the same update failed, or the update was cancelled.
    (Phase.BUILDING, Signal.ABANDONED): Phase.ABORTED,
    (Phase.PROVISIONING, Signal.ABANDONED): Phase.ABORTED,
    (Phase.LOADING, Signal.ABANDONED): Phase.ABORTED,
    (Phase.READY, Signal.ABANDONED): Phase.ABORTED,
    (Phase.SCALED_TO_ZERO, Signal.ABANDONED): Phase.ABORTED,
    (Phase.STARTING, Signal.ABANDONED): Phase.ABORTED,
    (Phase.RECOVERING, Signal.ABANDONED): Phase.ABORTED,
    (Phase.RELOADING, Signal.ABANDONED): Phase.ABORTED,
    # No config names it any more.
    (Phase.BUILDING, Signal.RETIRED): Phase.GONE,
    (Phase.PROVISIONING, Signal.RETIRED): Phase.GONE,
    (Phase.LOADING, Signal.RETIRED): Phase.GONE,
    (Phase.READY, Signal.RETIRED): Phase.DRAINING,
    (Phase.SCALED_TO_ZERO, Signal.RETIRED): Phase.DRAINING,
    (Phase.FAILED, Signal.RETIRED): Phase.DRAINING,
    (Phase.ABORTED, Signal.RETIRED): Phase.GONE,
    (Phase.STOPPED, Signal.RETIRED): Phase.GONE,
    # Its cold start or recovery goes on for the requests that it holds.
    (Phase.STARTING, Signal.RETIRED): Phase.LEAVING,
    (Phase.RECOVERING, Signal.RETIRED): Phase.LEAVING,
    (Phase.RELOADING, Signal.RETIRED): Phase.LEAVING,
    (Phase.LEAVING, Signal.STARTED): Phase.DRAINING,
    (Phase.LEAVING, Signal.RECOVERED): Phase.DRAINING,
    (Phase.LEAVING, Signal.LOADED): Phase.DRAINING,
    # They are let go on, and hear from the model itself why it does not answer.
    (Phase.LEAVING, Signal.LOAD_FAILED): Phase.DRAINING,
    (Phase.DRAINING, Signal.DRAINED): Phase.GONE,
}

CREATING = frozenset({Phase.BUILDING, Phase.PROVISIONING, Phase.LOADING})
"""Phases that look alike to every reader."""

UP = frozenset({Phase.READY, Phase.SCALED_TO_ZERO, Phase.STARTING})
"""Phases in which an entity counts as ready: one that scaled to zero still does."""

BROKEN = frozenset({Phase.FAILED, Phase.ABORTED})

SERVES = frozenset({Phase.READY, Phase.DRAINING})
"""Phases in which a slot that gets free is given to who waits."""

WAITING = frozenset({Phase.STARTING, Phase.RECOVERING, Phase.RELOADING})
"""Phases that a request waits out."""


@dataclass(slots=True, eq=False)
class Deployment:
    """One model version on compute, of one endpoint."""

    id: str
    endpoint_id: str
    endpoint: str
    """The endpoint's name, for the event log."""
    spec: EntitySpec
    model: ModelVersion
    phase: Phase = Phase.BUILDING
    reason: str = ""
    """Why it failed (the real reason) or was aborted (a Cause)."""
    last_active: int = 0
    cold_starts: int = 0
    deaths: int = 0
    deadline: int = 0
    """Until when it may become ready, once built."""
    in_flight: int = 0
    held: dict[int, Ticket] | None = None
    """Who waits for a slot, by number, the oldest first; None if nobody ever did, as for most of ten thousand."""
    provisioned: int = 0
    """How many requests may be in flight."""
    provisioned_since: int = 0
    peak: int = 0
    """The most that were in flight or waited since replicas were last looked at."""
    replicas_ordered: int = 0
    used: Usage | None = None
    """The account of its served entity, once there is one."""
    timers: list[Timer] = field(default_factory=list)
    """Pending timers of the present phase: cancelled when it is left."""
    creator: Principal | None = None
    """Whose rights its secrets are read with."""
    built: bool = False
    """Whether its container was ever built, or needs no build; one that is started again keeps it."""
    build_log: str = ""
    fault: Fault | None = None
    doom: str = ""
    """Why it will fail once what is due comes."""
    traffic: Traffic | None = None
    """Its last minute; None if it never had a request."""
