"""Which entity answers a request, and the ticket that a request holds until it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from servesim.core.endpoint import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servesim.core.access import Principal
    from servesim.core.deployment import Deployment
    from servesim.core.endpoint import Config
    from servesim.core.errors import Rejected
    from servesim.core.striking import Struck
    from servesim.core.timeline import Timer


class TicketState(StrEnum):
    """Where a request stands."""

    HELD = "held"
    RUNNING = "running"
    ANSWERED = "answered"
    """Its model has answered, and the time that its work takes is not over."""
    DONE = "done"
    REFUSED = "refused"


WAITS = frozenset({TicketState.HELD, TicketState.ANSWERED})
"""States in which a request waits for simulated time."""


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
    """Its execution limit, or when its answer is due; a running one has none if its work takes no simulated time."""
    principal: Principal | None = None
    config_version: int = 0
    draw: float | None = None
    """Where the split's draw fell, in [0, 1); None if the request named its entity."""
    admitted: int = 0
    started: int = 0
    """When its model began; its admission, unless it was held."""
    struck: Struck | None = None
    """The faults that strike it."""
    delay_ms: int = 0
    """What its work takes longer than it would, by a fault."""
    until: int = 0
    """When its work is over at the earliest; 0 if it takes no simulated time."""
    status: int = 0
    """What its model answered."""
    ended: int = 0


def pick(config: Config, fraction: float, split: Iterable[tuple[str, int]] = ()) -> str:
    """Return the entity that a draw in [0, 1) falls on; the shares, or those of a split, lie end to end in order."""
    point = fraction * WHOLE
    edge = 0
    for entity, percentage in split or config.routes:
        edge += percentage
        if point < edge:
            return entity
    message = "the shares of a config add up to 100 and a draw is below 1"
    raise AssertionError(message)
