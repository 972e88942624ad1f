"""Who waits for word of a request, and for which requests time waits in its turn."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from servesim.core.routing import WAITS, TicketState
from servesim.models.senders import sent_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.core.routing import Ticket
    from servesim.core.timeline import Timer
    from servesim.core.workspace import Workspace


class HeldTooLong(Exception):  # noqa: N818 - an answer for the client, not a failure of ours
    """A held request waited for real seconds and simulated time did not come."""

    def __init__(self, ticket: Ticket, timer: Timer | None, now: int, waited_s: float) -> None:
        """Keep what it waited for: the timer, if one is pending."""
        super().__init__(ticket.endpoint)
        self.ticket = ticket
        self.timer = timer
        self.now = now
        self.waited_s = waited_s


class Holds:
    """The requests of one workspace that wait for time, and those that time let go on and waits for."""

    def __init__(self, workspace: Workspace) -> None:
        """Begin with none."""
        self.ended = asyncio.Event()
        """Set when a request has ended, or its model begins to wait for time."""
        self._workspace = workspace
        self._waiters: dict[int, asyncio.Future[None]] = {}
        self._let_go: dict[int, Ticket] = {}
        """By number, what runs since time, or a slot, let it go on."""
        self._asking: dict[int, list[asyncio.Future[None]]] = {}
        """By number of a request: what its model waits for, by requests of its own that wait for time."""

    @contextlib.contextmanager
    def waiter(self, ticket: Ticket) -> Iterator[asyncio.Future[None]]:
        """Give the future that is done as soon as a request is let go or refused."""
        waiter = self._waiters[ticket.number] = asyncio.get_running_loop().create_future()
        try:
            yield waiter
        finally:
            self._waiters.pop(ticket.number, None)

    def held(self) -> Iterator[asyncio.Future[None]]:
        """List the waiters of the requests that are held."""
        for number, waiter in self._waiters.items():
            ticket = self._workspace.tickets.get(number)
            if ticket is not None and ticket.state in WAITS and not waiter.done():
                yield waiter

    def wake(self, *, awaited: bool) -> None:
        """Tell whoever waits for a request that was released; if ``awaited``, time waits for its end."""
        while self._workspace.released:
            ticket = self._workspace.released.popleft()
            waiter = self._waiters.get(ticket.number)
            if waiter is None or waiter.done():
                continue
            waiter.set_result(None)
            if awaited and ticket.state is TicketState.RUNNING:
                self._let_go[ticket.number] = ticket

    def over(self, number: int) -> None:
        """Take note that a request's work has ended; time need not wait for it, even if it never moves again."""
        self._let_go.pop(number, None)
        self.ended.set()

    async def finished(self) -> None:
        """Wait for requests that earlier events let go on: their work belongs to those instants."""
        while any(self._is_at_work(ticket) for ticket in self._let_go.values()):
            self.ended.clear()
            await self.ended.wait()
        running = (ticket for ticket in self._let_go.values() if ticket.state is TicketState.RUNNING)
        self._let_go = {ticket.number: ticket for ticket in running}

    def _is_at_work(self, ticket: Ticket) -> bool:
        """Tell whether a request runs and its model does not itself wait for time."""
        asking = self._asking.get(ticket.number, ())
        return ticket.state is TicketState.RUNNING and all(granted.done() for granted in asking)

    def awaited_by(self, ticket: Ticket) -> tuple[Ticket, ...]:
        """Return which requests the next event waits for while the model of this one works: it, and who sent it."""
        sender = sent_by.get()
        senders = () if sender is None else sender.works_for
        return (ticket, *senders) if ticket.number in self._let_go else senders

    @contextlib.contextmanager
    def asked_by_model(self, granted: asyncio.Future[None]) -> Iterator[None]:
        """Let time go on where it waits for a model that waits here for time."""
        sender = sent_by.get()
        tickets = () if sender is None else sender.works_for
        for ticket in tickets:
            self._asking.setdefault(ticket.number, []).append(granted)
        if tickets:
            self.ended.set()
        try:
            yield
        finally:
            for ticket in tickets:
                self._asking[ticket.number].remove(granted)
                if not self._asking[ticket.number]:
                    del self._asking[ticket.number]
