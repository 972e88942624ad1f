"""Calls of the control plane that an ordered delay holds back until simulated time has come."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from servesim.core.commands import EndWait
from servesim.models.senders import sent_by
from servesim.service.instants import iso
from servesim.service.mover import Stopping

if TYPE_CHECKING:
    from servesim.core.faults import Wait
    from servesim.service.clock import Clock
    from servesim.service.mover import Mover


class DelayedTooLong(Exception):  # noqa: N818 - an answer for the client, not a failure of ours
    """A delayed call waited for real seconds and simulated time did not come; the text says what to do."""


class Delays:
    """The delayed calls of one workspace."""

    def __init__(self, clock: Clock, mover: Mover) -> None:
        """Begin with none."""
        self._clock = clock
        self._mover = mover
        self._waiters: dict[Wait, asyncio.Future[None]] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    async def sit_out(self, wait: Wait) -> None:
        """Wait until a delay is over; raise DelayedTooLong if simulated time does not come."""
        if (sender := sent_by.get()) is not None:
            sender.answered()  # whoever started the call need not wait for more than this
        try:
            while not wait.over:
                if self._clock.mode == "autojump":
                    await self._mover.wish(lambda: wait.over, lambda: wait.timer.due)
                else:
                    await self._wait(wait)
        except BaseException:
            self._clock.execute(EndWait(wait.number))
            raise

    async def _wait(self, wait: Wait) -> None:
        """Wait until a delay is over, or time begins to move another way."""
        clock = self._clock
        if clock.stopping:
            raise Stopping
        waiter = self._waiters[wait] = asyncio.get_running_loop().create_future()
        limit_s = None if clock.mode == "paced" else clock.hold_timeout_s
        try:
            with clock.holds.asked_by_model(waiter):
                while not (await asyncio.wait({waiter}, timeout=limit_s))[0]:
                    if not self._mover.moves:
                        raise self._too_long(wait)
                waiter.result()
        finally:
            del self._waiters[wait]

    def _too_long(self, wait: Wait) -> DelayedTooLong:
        due, now = iso(wait.timer.due), iso(self._clock.now())
        return DelayedTooLong(
            f"Fault {wait.fault} delays this call until {due}, and it was held for {self._clock.hold_timeout_s:g} s of "
            f"real time; simulated time stands at {now}. Move it: `servesim clock run-until {due}`, or in Python "
            f"servesim.clock.run_until('{due}')."
        )

    def wake(self) -> None:
        """Tell whose delay is over."""
        for wait, waiter in self._waiters.items():
            if wait.over and not waiter.done():
                waiter.set_result(None)

    def begin_anew(self) -> None:
        """Have everybody look again: time moves another way."""
        for waiter in self._waiters.values():
            if not waiter.done():
                waiter.set_result(None)

    def refuse(self) -> None:
        """End every wait with Stopping."""
        for waiter in self._waiters.values():
            if not waiter.done():
                waiter.set_exception(Stopping())
