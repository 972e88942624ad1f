"""The one place that knows real time, and the only mover of simulated time.

Rules: in ``frozen`` and ``autojump`` time moves only for a wish, one wish after the other, one event after
the other; the effect of an event (loading a model) and the requests that it releases are waited for before
the next event, unless the model of such a request itself asks for time, by a request of its own. In ``paced`` time
follows the wall clock and waits for nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from servesim.core.commands import Admit, GiveUp, LoadFinished, MoveTo, Step
from servesim.core.routing import Ticket, TicketState
from servesim.models.senders import sent_by
from servesim.service import waiting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from servesim.core.access import Principal
    from servesim.core.commands import Command, LoadModel
    from servesim.core.endpoint import Endpoint
    from servesim.core.timeline import Timer
    from servesim.core.workspace import Workspace

logger = logging.getLogger("servesim")

Mode = Literal["autojump", "frozen", "paced"]
Poll = Literal["step", "settle"]

MODES: tuple[Mode, ...] = ("autojump", "frozen", "paced")
POLLS: tuple[Poll, ...] = ("step", "settle")
EVENTS_PER_MOVE = 1_000_000
"""More events than this in one move of time is a runaway."""


class Runaway(RuntimeError):  # noqa: N818 - named for what it is
    """Time was asked to move and events kept making events."""


class HeldTooLong(Exception):  # noqa: N818 - an answer for the client, not a failure of ours
    """A held request waited for real seconds and simulated time did not come."""

    def __init__(self, ticket: Ticket, timer: Timer | None, now: int, waited_s: float) -> None:
        """Keep what it waited for: the timer, if one is pending."""
        super().__init__(ticket.endpoint)
        self.ticket = ticket
        self.timer = timer
        self.now = now
        self.waited_s = waited_s


class Stopping(Exception):  # noqa: N818 - an answer for the client, not a failure of ours
    """The server stops while a request is held."""


@dataclass(slots=True)
class _Wish:
    """Somebody waits for simulated time: until ``done``, and not beyond ``limit()``."""

    done: Callable[[], bool]
    limit: Callable[[], int | None]
    granted: asyncio.Future[None]
    to: int | None = None


class Clock:
    """The clock of one workspace; everything here runs on the server's event loop."""

    def __init__(
        self,
        workspace: Workspace,
        load: Callable[[LoadModel], Awaitable[LoadFinished]],
        *,
        mode: Mode = "autojump",
        rate: float = 1.0,
        poll: Poll = "step",
        hold_timeout_s: float = 5.0,
    ) -> None:
        """Take charge of a workspace's time; ``load`` is the effect of a deployment's last step."""
        self.workspace = workspace
        self.mode: Mode = mode
        self.rate = rate
        self.poll: Poll = poll
        self.hold_timeout_s = hold_timeout_s
        self._load = load
        self._wishes: deque[_Wish] = deque()
        self._mover: asyncio.Task[None] | None = None
        self._loads: set[asyncio.Task[None]] = set()
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._ended = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._base = (workspace.timeline.now, time.monotonic())
        self._switched = asyncio.Event()
        self._healing: set[str] = set()
        self._let_go: list[Ticket] = []
        self._asking: dict[int, list[asyncio.Future[None]]] = {}
        """By number of a request: what its model waits for, by requests of its own that wait for time."""
        self._refusing = False
        self._closed = False
        self._tells = False

    # --- the present ------------------------------------------------------------------------------

    def now(self) -> int:
        """Return the simulated instant, in milliseconds since 1970."""
        if self.mode == "paced":
            self._catch_up()
        return self.workspace.timeline.now

    def execute(self, command: Command) -> Any:
        """Carry out a command at the present instant and wake whom it concerns."""
        self.now()
        try:
            return self.workspace.execute(command)
        finally:
            self._after_change()

    def admit(self, endpoint: str, entity: str | None, principal: Principal | None = None) -> Ticket:
        """Let a request in; in ``paced`` its model's work takes simulated time."""
        if self.mode == "paced":
            ticket: Ticket = self.execute(Admit(endpoint, entity, timed=True, principal=principal))
        else:
            ticket = self.workspace.execute(Admit(endpoint, entity, principal=principal))
        sender = sent_by.get()
        if sender is not None:
            sender.admitted(ticket)
        return ticket

    def end(self, command: Command) -> None:
        """Carry out the end of a request."""
        self.execute(command)
        self._ended.set()

    # --- moving -----------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Let happen what is due at the present instant."""
        head = self.workspace.timeline.peek()
        if self.mode == "paced":
            self.now()
        elif self.workspace.effects or (head and head.due <= self.workspace.timeline.now):
            await self.advance_to(self.workspace.timeline.now)

    async def advance_to(self, instant: int) -> None:
        """Move to an instant; a past one lets happen what is due now."""
        if self.mode == "paced":
            self._base = (self._base[0] + max(instant - self.now(), 0), self._base[1])
            self._catch_up()
            return
        to = max(instant, self.workspace.timeline.now)
        await self._wish(lambda: False, lambda: to, to=to)

    async def advance(self, by_ms: int) -> None:
        """Move by a number of milliseconds."""
        await self.advance_to(self.now() + by_ms)

    async def set_mode(self, mode: Mode, rate: float | None = None) -> None:
        """Let time move another way from now on; the moves that were asked for are made first.

        Who is held starts to wait anew, as the new mode has it.
        """
        while self._mover is not None and not self._mover.done():
            await asyncio.wait({self._mover})
        instant = self.now()
        self.mode = mode
        self.rate = rate or self.rate
        self._base = (instant, time.monotonic())
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._after_change()
        switched, self._switched = self._switched, asyncio.Event()
        switched.set()

    async def next_change(self, endpoint: Endpoint) -> None:
        """Move until a reader of this endpoint would see another answer, if time alone can do that."""
        seen = endpoint.revision
        await self._wish(lambda: endpoint.revision != seen, lambda: waiting.next_for(self.workspace, endpoint))

    async def until_settled(self, endpoint: Endpoint) -> None:
        """Move until no update of this endpoint is in progress, if time alone can do that."""
        await self._wish(lambda: not endpoint.in_transition, lambda: waiting.next_for(self.workspace, endpoint))

    async def before_status(self, endpoint: Endpoint) -> None:
        """Move time for a status read that is answered after it (``--poll settle``)."""
        if self.mode == "autojump" and self.poll == "settle" and endpoint.in_transition:
            await self.until_settled(endpoint)

    async def after_status(self, endpoint: Endpoint) -> None:
        """Move time for a status read that was answered with what was so (``--poll step``)."""
        if self.mode == "autojump" and endpoint.in_transition:
            await self.next_change(endpoint)

    def left_to_heal(self, endpoint: Endpoint) -> None:
        """Remember a refusal that time would heal: the next try moves to where it is admitted."""
        if self.mode == "autojump":
            self._healing &= self.workspace.by_id.keys()
            self._healing.add(endpoint.id)

    async def heal(self, endpoint: Endpoint | None) -> None:
        """Move time for the next try of a call that only time could heal."""
        if endpoint is not None and endpoint.id in self._healing:
            self._healing.discard(endpoint.id)
            await self.until_settled(endpoint)

    async def hold(self, ticket: Ticket) -> None:
        """Wait until a held request may run or is refused; raise HeldTooLong if time does not come."""
        if ticket.state is not TicketState.HELD:
            return
        waiter = self._waiting[ticket.number] = asyncio.get_running_loop().create_future()
        try:
            with self._asked_by_model(waiter):
                await self._until_let_go(ticket, waiter)
        except BaseException:
            # Also if it was let go at this very moment: nobody is left to run it.
            self.end(GiveUp(ticket.number, "the client or the hold time-out ended the wait"))
            raise
        finally:
            self._waiting.pop(ticket.number, None)

    async def _until_let_go(self, ticket: Ticket, waiter: asyncio.Future[None]) -> None:
        if self._refusing:
            raise Stopping
        while not await self._let_go_in_this_mode(ticket, waiter):
            pass
        waiter.result()

    async def _let_go_in_this_mode(self, ticket: Ticket, waiter: asyncio.Future[None]) -> bool:
        """Wait until a held request is let go; return False if time began to move another way first."""
        switched = asyncio.ensure_future(self._switched.wait())
        try:
            if self.mode == "autojump":
                moved = self._ask(
                    lambda: ticket.state is not TicketState.HELD, lambda: waiting.next_of(self.workspace, ticket)
                )
                # However long real work takes that is done first: only a wait that no time ends is cut short.
                await asyncio.wait({waiter, moved}, return_when=asyncio.FIRST_COMPLETED)
                if not waiter.done():
                    moved.result()
            limit = None if self.mode == "paced" else self.hold_timeout_s
            first = asyncio.FIRST_COMPLETED
            either: set[asyncio.Future[Any]] = {waiter, switched}
            while not (await asyncio.wait(either, timeout=limit, return_when=first))[0]:
                if self._mover is None or self._mover.done():
                    raise HeldTooLong(ticket, waiting.timer_of(self.workspace, ticket), self.now(), self.hold_timeout_s)
            return waiter.done()
        finally:
            switched.cancel()

    async def race(self, ticket: Ticket, work: asyncio.Future[Any]) -> Any:
        """Wait for a running request's work; return None as soon as the request is refused."""
        if self.mode != "paced":
            # Real work takes no simulated time here, so the execution limit cannot reach it.
            return await work
        refused = self._waiting[ticket.number] = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait({work, refused}, return_when=asyncio.FIRST_COMPLETED)
            return None if refused.done() else work.result()
        finally:
            work.cancel()
            self._waiting.pop(ticket.number, None)

    def refuse_held(self) -> None:
        """End the wait of every held request with Stopping, of later ones too; running ones go on."""
        self._refusing = True
        for number, waiter in self._waiting.items():
            if self._is_held(number) and not waiter.done():
                waiter.set_exception(Stopping())

    def _is_held(self, number: int) -> bool:
        ticket = self.workspace.tickets.get(number)
        return ticket is not None and ticket.state is TicketState.HELD

    async def close(self, *, telling: bool = False) -> None:
        """Stop moving; who still waits for time is cancelled, or told by Stopping where the server goes on."""
        self._closed = True
        self._tells = telling
        if self._alarm is not None:
            self._alarm.cancel()
        for number, waiter in self._waiting.items():
            if self._is_held(number):
                waiter.cancel()
        tasks = [*self._loads, *([self._mover] if self._mover else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for wish in self._wishes:  # a mover that was cancelled before it began has told nobody
            wish.granted.cancel()
        self._wishes.clear()

    # --- the mover --------------------------------------------------------------------------------

    async def _wish(self, done: Callable[[], bool], limit: Callable[[], int | None], to: int | None = None) -> None:
        granted = self._ask(done, limit, to)
        with self._asked_by_model(granted):
            try:
                await granted
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if self._tells and task is not None and not task.cancelling():
                    raise Stopping from None  # this clock has ended, not whoever waits for it
                raise

    @contextlib.contextmanager
    def _asked_by_model(self, granted: asyncio.Future[None]) -> Iterator[None]:
        """Let the mover go on where it waits for a model that waits here for time."""
        sender = sent_by.get()
        tickets = () if sender is None else sender.works_for
        for ticket in tickets:
            self._asking.setdefault(ticket.number, []).append(granted)
        if tickets:
            self._ended.set()
        try:
            yield
        finally:
            for ticket in tickets:
                self._asking[ticket.number].remove(granted)
                if not self._asking[ticket.number]:
                    del self._asking[ticket.number]

    def _ask(
        self, done: Callable[[], bool], limit: Callable[[], int | None], to: int | None = None
    ) -> asyncio.Future[None]:
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wishes.append(_Wish(done, limit, granted, to))
        if self._mover is None or self._mover.done():
            self._mover = asyncio.create_task(self._grant_all())
        return granted

    async def _grant_all(self) -> None:
        while self._wishes:
            wish = self._wishes.popleft()
            try:
                await self._grant(wish)
            except asyncio.CancelledError:
                for left in (wish, *self._wishes):
                    left.granted.cancel()
                self._wishes.clear()
                raise
            except Exception as error:  # noqa: BLE001 - whoever made the wish is told, and the next one is granted
                if not wish.granted.done():
                    wish.granted.set_exception(error)
            if not wish.granted.done():
                wish.granted.set_result(None)

    async def _grant(self, wish: _Wish) -> None:
        for _ in range(EVENTS_PER_MOVE):
            await self._perform_effects()
            if not wish.done():
                await self._finished()
            limit = wish.limit()
            if wish.done() or wish.granted.done() or limit is None:
                return
            if not self.workspace.execute(Step(limit)):
                if wish.to is not None:
                    self.workspace.execute(MoveTo(wish.to))
                return
            self._wake()
        self._run_away()

    def _run_away(self) -> NoReturn:
        message = (
            f"{EVENTS_PER_MOVE:,} events happened in one move of time; the last was at {self.workspace.timeline.now}"
        )
        raise Runaway(message)

    async def _perform_effects(self) -> None:
        effects = self.workspace.effects
        while effects:
            self.workspace.execute(await self._loaded(effects.popleft()))
            self._wake()

    async def _finished(self) -> None:
        """Wait for requests that earlier events let go on: their work belongs to those instants."""
        while any(self._is_at_work(ticket) for ticket in self._let_go):
            self._ended.clear()
            await self._ended.wait()
        self._let_go = [ticket for ticket in self._let_go if ticket.state is TicketState.RUNNING]

    def _is_at_work(self, ticket: Ticket) -> bool:
        """Tell whether a request runs and its model does not itself wait for time."""
        asking = self._asking.get(ticket.number, ())
        return ticket.state is TicketState.RUNNING and all(granted.done() for granted in asking)

    def awaited_by(self, ticket: Ticket) -> tuple[Ticket, ...]:
        """Return which requests the next event waits for while the model of this one works: it, and who sent it."""
        sender = sent_by.get()
        senders = () if sender is None else sender.works_for
        return (ticket, *senders) if ticket in self._let_go else senders

    def _wake(self) -> None:
        while self.workspace.released:
            ticket = self.workspace.released.popleft()
            waiter = self._waiting.get(ticket.number)
            if waiter is None or waiter.done():
                continue
            waiter.set_result(None)
            if self.mode != "paced":
                self._let_go.append(ticket)

    def _after_change(self) -> None:
        if self.workspace.released:
            self._wake()
        if self.mode == "paced":
            self._start_loads()
            self._set_alarm()

    async def _loaded(self, effect: LoadModel) -> LoadFinished:
        """Perform an effect; a failure of ours is an outcome as well, or the deployment would wait for ever."""
        try:
            return await self._load(effect)
        except Exception as error:
            logger.exception("loading %s failed", effect.model.name)
            return LoadFinished(effect.deployment_id, f"servesim failed to load it: {error!r}")

    # --- paced ------------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        start, since = self._base
        target = start + int((time.monotonic() - since) * 1000 * self.rate)
        events = 0
        while self.workspace.execute(Step(target)):
            events += 1
            if events >= EVENTS_PER_MOVE:
                self._run_away()
        self.workspace.execute(MoveTo(target))
        self._after_change()

    def _start_loads(self) -> None:
        while self.workspace.effects:
            task = asyncio.get_running_loop().create_task(self._load_now(self.workspace.effects.popleft()))
            self._loads.add(task)
            task.add_done_callback(self._loads.discard)

    async def _load_now(self, effect: LoadModel) -> None:
        self.execute(await self._loaded(effect))

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        head = self.workspace.timeline.peek()
        if head is not None and not self._closed:
            delay = (head.due - self.workspace.timeline.now) / 1000 / self.rate
            # Rounded up, so that the event is due when the alarm rings.
            self._alarm = asyncio.get_running_loop().call_later(delay + 0.001, self._catch_up)


class Stopwatch:
    """Real seconds since it was made, for people who want to know what a run took."""

    def __init__(self) -> None:
        """Start."""
        self._since = time.monotonic()

    def seconds(self) -> float:
        """Return the real seconds so far."""
        return time.monotonic() - self._since


def patience(seconds: float) -> asyncio.Timeout:
    """Return a cap in real seconds on what a client does in its own time; past it, TimeoutError."""
    return asyncio.timeout(seconds)


async def pause(seconds: float) -> None:
    """Let real time pass on the event loop: between two looks at what others change."""
    await asyncio.sleep(seconds)


def rest(seconds: float) -> None:
    """Let real time pass in a command that asks again and again."""
    time.sleep(seconds)
