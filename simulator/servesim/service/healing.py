"""Refusals that time alone heals: in ``autojump`` the next try of the same call moves time to where it is let in.

So no retry loop is ever stuck, and none that a client gives up moves anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from servesim.core.endpoint import Endpoint
    from servesim.core.errors import Rejected
    from servesim.service.clock import Clock

CALLS_KEPT = 1_000
"""How many refused calls are remembered; the oldest is forgotten, and its next try is refused once more."""
OPERATION = "operation"
"""Stands for every create and update: they share a budget."""


class Healing:
    """What was refused in one workspace and would be let in later."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing."""
        self._clock = clock
        self._updating: set[str] = set()
        self._calls: dict[Hashable, int] = {}

    def left_updating(self, endpoint: Endpoint) -> None:
        """Remember that a call was refused while an endpoint is updated."""
        if self._clock.mode == "autojump":
            self._updating &= self._clock.workspace.by_id.keys()
            self._updating.add(endpoint.id)

    async def updated(self, endpoint: Endpoint | None) -> None:
        """Move time to the end of an endpoint's update if a call was refused for it."""
        if endpoint is not None and endpoint.id in self._updating:
            self._updating.discard(endpoint.id)
            await self._clock.until_settled(endpoint)

    def left(self, call: Hashable, refusal: Rejected) -> None:
        """Remember the refusal of a call, if time heals it."""
        if refusal.heals_at is not None and self._clock.mode == "autojump":
            self._calls.pop(call, None)
            if len(self._calls) >= CALLS_KEPT:
                del self._calls[next(iter(self._calls))]
            self._calls[call] = refusal.heals_at

    def awaits(self, call: Hashable) -> bool:
        """Tell whether time has to move before this call."""
        return bool(self._calls) and call in self._calls

    async def healed(self, call: Hashable) -> None:
        """Move time to where a call is let in that was refused."""
        instant = self._calls.pop(call, None)
        if instant is not None and self._clock.mode == "autojump" and instant > self._clock.now():
            await self._clock.advance_to(instant)
