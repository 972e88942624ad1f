"""Which entity answers a request, and the ticket that a request holds until it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from servesim.core.endpoint import WHOLE

if TYPE_CHECKING:
    from servesim.core.access import Principal
    from servesim.core.deployment import Deployment
    from servesim.core.endpoint import Config
    from servesim.core.errors import Rejected
    from servesim.core.timeline import Timer


class TicketState(StrEnum):
    """Where a request stands."""

    HELD = "held"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"


@dataclass(slots=True, eq=False)
class Ticket:
    """One admitted request."""

    number: int
    endpoint: str
    entity: str
    deployment: Deployment
    state: TicketState
    refusal: Rejected | None = None
    """Why it gets no answer of its model, once it is REFUSED."""
    timer: Timer | None = None
    """Its execution limit; a running request has one only if its work takes simulated time."""
    principal: Principal | None = None
    config_version: int = 0
    draw: float | None = None
    """Where the split's draw fell, in [0, 1); None if the request named its entity."""
    admitted: int = 0
    started: int = 0
    """When its model began; its admission, unless it was held."""
    ended: int = 0


def pick(config: Config, fraction: float) -> str:
    """Return the entity that a draw in [0, 1) falls on; the shares lie end to end in route order."""
    point = fraction * WHOLE
    edge = 0
    for route in config.routes:
        edge += route.percentage
        if point < edge:
            return route.entity
    message = "the shares of a config add up to 100 and a draw is below 1"
    raise AssertionError(message)
