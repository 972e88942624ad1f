"""The one place that knows real time: how the simulated time of a workspace moves, and who waits for it how long.

Rules: in ``frozen`` and ``autojump`` time moves only for a wish (see ``mover``); in ``paced`` it follows the wall clock
and waits for nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Literal

from servesim.core.commands import Admit, GiveUp
from servesim.core.errors import Rejected
from servesim.core.routing import WAITS
from servesim.models.senders import sent_by
from servesim.service import waiting
from servesim.service.delays import Delays
from servesim.service.healing import Healing
from servesim.service.holds import HeldTooLong, Holds
from servesim.service.instants import LAST_MS
from servesim.service.mover import Mover, Stopping

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from servesim.core.access import Principal
    from servesim.core.commands import Command, Finish, LoadFinished, LoadModel
    from servesim.core.endpoint import Endpoint
    from servesim.core.model_endpoint import ModelEndpoint
    from servesim.core.model_endpoint_commands import AdmitVersion
    from servesim.core.routing import Ticket, TicketState
    from servesim.core.workspace import Workspace

Mode = Literal["autojump", "frozen", "paced"]
Poll = Literal["step", "settle"]

MODES: tuple[Mode, ...] = ("autojump", "frozen", "paced")
POLLS: tuple[Poll, ...] = ("step", "settle")


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
        self.holds = Holds(workspace)
        self._mover = Mover(workspace, self.holds, load, self._wake)
        self.delays = Delays(self, self._mover)
        self._loads: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_due = 0
        self._base = (workspace.timeline.now, time.monotonic())
        self._switched = asyncio.Event()
        self.healing = Healing(self)
        self._refusing = False
        self._closed = False

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

    def admit(
        self, endpoint: str, entity: str | None, principal: Principal | None = None, *, at_once: bool = False
    ) -> Ticket:
        """Let a request in; in ``paced`` its model's work takes simulated time.

        One that is answered ``at_once`` takes none, and comes at the instant that was looked at last.
        """
        timed = self.mode == "paced" and not at_once
        return self._let_in((endpoint, principal), Admit(endpoint, entity, timed, principal))

    def admit_version(self, command: AdmitVersion, place: str, *, at_once: bool = False) -> Ticket:
        """Let a request in to a version of a model, as ``admit``; ``place`` is what its next try is known by."""
        timed = self.mode == "paced" and not at_once
        return self._let_in((place, command.principal), command._replace(timed=True) if timed else command)

    def _let_in(self, call: tuple[str, Principal | None], command: Admit | AdmitVersion) -> Ticket:
        try:
            execute = self.execute if command.timed else self.workspace.execute
            ticket: Ticket = execute(command)
        except Rejected as refusal:
            self.healing.left(call, refusal)
            raise
        if ticket.refusal is not None:
            self.healing.left(call, ticket.refusal)
        sender = sent_by.get()
        if sender is not None:
            sender.admitted(ticket)
        return ticket

    def end(self, command: Finish | GiveUp) -> None:
        """Carry out the end of a request."""
        self.execute(command)
        self.holds.over(command.request)

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
            self._silence_alarm()  # what is due next is due sooner
            self._catch_up()
            return
        to = max(instant, self.workspace.timeline.now)
        await self._mover.wish(lambda: False, lambda: to, to=to)

    async def advance(self, by_ms: int) -> None:
        """Move by a number of milliseconds."""
        await self.advance_to(self.now() + by_ms)

    async def set_mode(self, mode: Mode, rate: float | None = None) -> None:
        """Let time move another way from now on; the moves that were asked for are made first.

        Who is held starts to wait anew, as the new mode has it.
        """
        await self._mover.rest()
        instant = self.now()
        self.mode = mode
        self.rate = rate or self.rate
        self._base = (instant, time.monotonic())
        self._silence_alarm()
        self._after_change()
        switched, self._switched = self._switched, asyncio.Event()
        switched.set()
        self.delays.begin_anew()

    async def next_change(self, endpoint: Endpoint | ModelEndpoint) -> None:
        """Move until a reader of this endpoint would see another answer, if time alone can do that."""
        seen = endpoint.revision
        await self._mover.wish(lambda: endpoint.revision != seen, lambda: waiting.next_for(self.workspace, endpoint))

    async def until_settled(self, endpoint: Endpoint | ModelEndpoint) -> None:
        """Move until no update of this endpoint is in progress, if time alone can do that."""
        await self._mover.wish(lambda: not endpoint.in_transition, lambda: waiting.next_for(self.workspace, endpoint))

    async def before_status(self, endpoint: Endpoint | ModelEndpoint) -> None:
        """Move time for a status read that is answered after it (``--poll settle``)."""
        if self.mode == "autojump" and self.poll == "settle" and endpoint.in_transition:
            await self.until_settled(endpoint)

    async def after_status(self, endpoint: Endpoint | ModelEndpoint) -> None:
        """Move time for a status read that was answered with what was so (``--poll step``)."""
        if self.mode == "autojump" and endpoint.in_transition:
            await self.next_change(endpoint)

    async def hold(self, ticket: Ticket) -> None:
        """Wait until a held request may run or is refused, or the time of an answered one's work is over.

        Raise HeldTooLong if time does not come.
        """
        state = ticket.state
        if state not in WAITS:
            return
        try:
            with self.holds.waiter(ticket) as waiter, self.holds.asked_by_model(waiter):
                while not await self._let_go_in_this_mode(ticket, state, waiter):
                    pass
                waiter.result()
        except BaseException:
            # Also if it was let go at this very moment: nobody is left to run it.
            self.end(GiveUp(ticket.number, "the client or the hold time-out ended the wait"))
            raise

    async def _let_go_in_this_mode(self, ticket: Ticket, state: TicketState, waiter: asyncio.Future[None]) -> bool:
        """Wait until a request is let go; return False if it has to begin anew, for time moves another way."""
        if self._refusing:
            raise Stopping
        switched = asyncio.ensure_future(self._switched.wait())
        try:
            if self.mode == "autojump":
                moved = self._mover.ask(
                    lambda: ticket.state is not state, lambda: waiting.next_of(self.workspace, ticket)
                )
                # However long real work takes that is done first: only a wait that no time ends is cut short.
                await asyncio.wait({waiter, moved}, return_when=asyncio.FIRST_COMPLETED)
                if not waiter.done():
                    moved.result()
            limit = None if self.mode == "paced" else self.hold_timeout_s
            first = asyncio.FIRST_COMPLETED
            either: set[asyncio.Future[Any]] = {waiter, switched}
            while not (await asyncio.wait(either, timeout=limit, return_when=first))[0]:
                if self._mover.moves or waiting.is_behind_work(self.workspace, ticket):
                    continue
                timer = waiting.timer_of(self.workspace, ticket)
                if self.mode == "autojump" and timer is not None:
                    return False  # what it waited for was no matter of time before
                raise HeldTooLong(ticket, timer, self.now(), self.hold_timeout_s)
            return waiter.done()
        finally:
            switched.cancel()

    async def race(self, ticket: Ticket, work: asyncio.Future[Any]) -> Any:
        """Wait for a running request's work; return None as soon as the request is refused."""
        if self.mode != "paced":
            # Real work takes no simulated time here, so the execution limit cannot reach it.
            return await work
        with self.holds.waiter(ticket) as refused:
            try:
                await asyncio.wait({work, refused}, return_when=asyncio.FIRST_COMPLETED)
                return None if refused.done() else work.result()
            finally:
                work.cancel()

    @property
    def stopping(self) -> bool:
        """Whether nobody is to be held any more: the server, or the workspace, is about to end."""
        return self._refusing

    def refuse_held(self) -> None:
        """End the wait of every held request with Stopping, of later ones too; running ones go on."""
        self._refusing = True
        for waiter in self.holds.held():
            waiter.set_exception(Stopping())
        self.delays.refuse()

    async def close(self, *, telling: bool = False) -> None:
        """Stop moving; who still waits for time is cancelled, or told by Stopping where the server goes on."""
        self._closed = True
        self._silence_alarm()
        for waiter in self.holds.held():
            waiter.cancel()
        loads = list(self._loads)
        for task in loads:
            task.cancel()
        await self._mover.close(telling=telling)
        await asyncio.gather(*loads, return_exceptions=True)

    # --- after an event ---------------------------------------------------------------------------

    def _wake(self) -> None:
        self.holds.wake(awaited=self.mode != "paced")
        if self.delays:
            self.delays.wake()

    def _after_change(self) -> None:
        if self.workspace.released or self.delays:
            self._wake()
        if self.mode == "paced":
            self._start_loads()
            self._set_alarm()

    # --- paced ------------------------------------------------------------------------------------

    def _ring(self) -> None:
        self._alarm = None
        self._catch_up()

    def _catch_up(self) -> None:
        start, since = self._base
        passed_ms = int((time.monotonic() - since) * 1000 * self.rate)
        self._mover.move_to(min(start + passed_ms, LAST_MS))
        self._after_change()

    def _start_loads(self) -> None:
        while self.workspace.effects:
            task = asyncio.get_running_loop().create_task(self._load_now(self.workspace.effects.popleft()))
            self._loads.add(task)
            task.add_done_callback(self._loads.discard)

    async def _load_now(self, effect: LoadModel) -> None:
        self.execute(await self._mover.loaded(effect))

    def _silence_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _set_alarm(self) -> None:
        head = self.workspace.timeline.peek()
        if self._alarm is not None and head is not None and head.due == self._alarm_due:
            return
        self._silence_alarm()
        if head is not None and not self._closed:
            self._alarm_due = head.due
            delay = (head.due - self.workspace.timeline.now) / 1000 / self.rate
            # Rounded up, so that the event is due when the alarm rings.
            self._alarm = asyncio.get_running_loop().call_later(delay + 0.001, self._ring)


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


def wall_second() -> int:
    """Return whole seconds since 1970 by this machine's clock, for what several machines count together."""
    return int(time.time())
