"""What changes the endpoints of registered models, in both retired generations, as values."""

from __future__ import annotations

from typing import NamedTuple

from servesim.core.access import (
    Principal,  # noqa: TC001 - a command that was written down is rebuilt from its type hints
)
from servesim.core.enrolment import Step  # noqa: TC001 - as above
from servesim.core.model_compute import Compute
from servesim.core.registry import Stage

Computes = tuple[tuple[Stage | None, Compute], ...]


class EnableModel(NamedTuple):
    """Let a generation serve a registered model. Without a principal servesim itself asks, as everywhere below."""

    generation: str
    model: str
    principal: Principal | None
    serving: bool = False
    """Begin with every version ready, as in a world that is read from a scenario."""
    computes: Computes = ()
    """What to begin with in place of the usual compute."""


class DisableModel(NamedTuple):
    """Let a generation serve a registered model no more."""

    generation: str
    model: str
    principal: Principal | None


class ChangeCompute(NamedTuple):
    """Give the versions of a stage, or all of them, other compute."""

    generation: str
    model: str
    principal: Principal | None
    stage: Stage | None
    compute: Compute


class RestartUpdate(NamedTuple):
    """Try the failed update of a version's compute once more."""

    generation: str
    model: str
    version: str
    principal: Principal | None


class AdmitVersion(NamedTuple):
    """Let a scoring request in, to a version of a model by its number or by its stage."""

    generation: str
    model: str
    version: str
    principal: Principal | None = None
    timed: bool = False
    """As in Admit."""


class MoveEnrolment(NamedTuple):
    """Bring a workspace a step further towards the serverless preview."""

    step: Step
    principal: Principal | None


ModelEndpointCommand = EnableModel | DisableModel | ChangeCompute | RestartUpdate | AdmitVersion | MoveEnrolment
