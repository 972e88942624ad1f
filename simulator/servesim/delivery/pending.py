"""Calls that run beside a test: started, looked at, and waited for once time has moved."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from concurrent.futures import Future, wait
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from servesim.core.routing import WAITS
from servesim.delivery.operations import refuse_inside_model
from servesim.models.senders import Sender, acting
from servesim.service import waiting
from servesim.service.instants import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from servesim.core.routing import Ticket
    from servesim.delivery.operations import Loop
    from servesim.models.senders import Senders
    from servesim.service.hub import HostedWorkspace

T = TypeVar("T")
State = Literal["held", "running", "done"]

RESULT_TIMEOUT_S = 30.0
"""Real seconds that a result is waited for unless somebody says otherwise."""


class Started(Sender, Generic[T]):
    """A call on its way: how far its requests have come, and in the end its outcome."""

    def __init__(self, name: str) -> None:
        """Begin; nothing has been sent."""
        self.name = name
        self.request = ""
        self.ticket: Ticket | None = None
        self.outcome: Future[T] = Future()
        self.under_way = asyncio.Event()

    def came(self, request: str) -> None:
        """Keep the last request that the call has sent."""
        self.request, self.ticket = request, None

    def admitted(self, ticket: Ticket) -> None:
        """Keep what its request holds."""
        self.ticket = ticket
        self.under_way.set()

    def answered(self) -> None:
        """Note that a request of it was answered."""
        self.under_way.set()

    @property
    def state(self) -> State:
        """Whether it is held, runs, or is done."""
        if self.outcome.done():
            return "done"
        ticket = self.ticket
        return "held" if ticket is not None and ticket.state in WAITS else "running"


class StartOperations:
    """Starts calls, one after the other: a request of unknown origin belongs to the call that starts."""

    def __init__(self, workspace: HostedWorkspace) -> None:
        """Start none yet."""
        self._workspace = workspace
        self._starting = asyncio.Lock()

    @property
    def senders(self) -> Senders:
        """The senders that the server knows."""
        return self._workspace.models.senders

    async def launch(self, started: Started[Any], go: Callable[[], Any]) -> None:
        """Let a call go, and return once a request of it is admitted, held or answered, or the call has ended."""
        async with self._starting:
            expected = self.senders.expected
            expected[self._workspace] = started
            started.outcome.add_done_callback(partial(_tell, asyncio.get_running_loop(), started.under_way))
            try:
                go()
                await started.under_way.wait()
            finally:
                del expected[self._workspace]

    async def waits_for(self, started: Started[Any]) -> str | None:
        """Return what a held call waits for and which call would move the clock there; None if it is not held."""
        ticket, clock = started.ticket, self._workspace.clock
        if started.state != "held" or ticket is None:
            return None
        timer = waiting.timer_of(self._workspace.world, ticket)
        if timer is None:
            return "nothing that is pending"
        due = iso(timer.due)
        return (
            f"{waiting.WORDS.get(timer.event.what, timer.event.what)}, due at {due}; simulated time stands at "
            f"{iso(clock.now())}: servesim.clock.run_until('{due}')"
        )


def call_in_thread(senders: Senders, started: Started[T], work: Callable[[], T]) -> None:
    """Have a call made in a thread of its own, which no process waits for at its end."""

    def make() -> None:
        try:
            with senders.act(started):
                result = work()
        except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
            started.outcome.set_exception(error)
        else:
            started.outcome.set_result(result)

    threading.Thread(target=make, name=f"servesim-start {started.name}", daemon=True).start()


async def call_in_task(senders: Senders, started: Started[T], work: Callable[[], Coroutine[Any, Any, T]]) -> None:
    """Make a call as a task of the running event loop."""
    try:
        with senders.act(started):
            result = await work()
    except BaseException as error:
        started.outcome.set_exception(error)
        if not isinstance(error, Exception):
            raise
    else:
        started.outcome.set_result(result)


def refuse_start(call: Any) -> None:
    """Raise TypeError for what cannot be called, RuntimeError where a start would wait for itself."""
    if not callable(call):
        message = (
            f"start takes a call and its arguments, e.g. start(client.serving_endpoints.query, 'fraud'); got {call!r}"
        )
        raise TypeError(message)
    refuse_inside_model("servesim.start")
    outer = acting()
    if isinstance(outer, Started) and not outer.under_way.is_set():
        message = f"start() was called by {outer.name}, whose own start waits for a request of it"
        raise RuntimeError(message)


def name_of(call: Any) -> str:
    """Return a call as an error names it."""
    return getattr(call, "__qualname__", type(call).__qualname__)


def is_coroutine_function(call: Any) -> bool:
    """Tell whether calling it makes a coroutine."""
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(type(call), "__call__", None))  # noqa: B004 - an object with an async __call__


class Look(Generic[T]):
    """A call that ``start`` began, as it can be looked at."""

    def __init__(self, server: Loop, operations: StartOperations, started: Started[T]) -> None:
        """Hold on to a call."""
        self._server = server
        self._operations = operations
        self._started = started

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._started.name}: {self.state}>"

    @property
    def state(self) -> State:
        """``held`` (its request waits for simulated time), ``running`` or ``done``."""
        return self._started.state

    @property
    def done(self) -> bool:
        """Whether the call has returned or raised."""
        return self._started.outcome.done()

    @property
    def request(self) -> str:
        """The last request that it has sent, e.g. ``POST /serving-endpoints/fraud/invocations``."""
        return self._started.request

    def _late(self, timeout: float, waits_for: str | None) -> TimeoutError:
        reason = self.request and f"; its last request was {self.request}"
        if waits_for is not None:
            reason = f": {self.request} is held and waits for {waits_for}"
        return TimeoutError(f"{self._started.name} has not ended within {timeout:g} real seconds{reason}")


class Pending(Look[T]):
    """A call that ``start`` began: look at it, move the clock, and ask for its result."""

    @property
    def waits_for(self) -> str | None:
        """What its held request waits for, when that is due, and the call that moves time there."""
        return self._server.run(self._operations.waits_for(self._started))

    def result(self, timeout: float = RESULT_TIMEOUT_S) -> T:
        """Return what the call returned, or raise what it raised; TimeoutError after so many real seconds."""
        self._wait(timeout)
        return self._started.outcome.result()

    def exception(self, timeout: float = RESULT_TIMEOUT_S) -> BaseException | None:
        """Return what the call raised, None if it returned; TimeoutError after so many real seconds."""
        self._wait(timeout)
        return self._started.outcome.exception()

    def _wait(self, timeout: float) -> None:
        refuse_inside_model("Pending.result")
        if not wait({self._started.outcome}, timeout).done:
            raise self._late(timeout, self.waits_for)


class AsyncPending(Look[T]):
    """A call that the async handle's ``start`` began; whatever waits is a coroutine."""

    async def waits_for(self) -> str | None:
        """Return what its held request waits for, when that is due, and the call that moves time there."""
        return await asyncio.wrap_future(self._server.submit(self._operations.waits_for(self._started)))

    async def result(self, timeout: float = RESULT_TIMEOUT_S) -> T:  # noqa: ASYNC109 - its error says what is waited for
        """Return what the call returned, or raise what it raised; TimeoutError after so many real seconds."""
        await self._wait(timeout)
        return self._started.outcome.result()

    async def exception(self, timeout: float = RESULT_TIMEOUT_S) -> BaseException | None:  # noqa: ASYNC109 - as result
        """Return what the call raised, None if it returned; TimeoutError after so many real seconds."""
        await self._wait(timeout)
        return self._started.outcome.exception()

    async def _wait(self, timeout: float) -> None:  # noqa: ASYNC109 - as result
        refuse_inside_model("AsyncPending.result")
        ended = asyncio.Event()
        tell = partial(_tell, asyncio.get_running_loop(), ended)
        self._started.outcome.add_done_callback(tell)
        waiter = asyncio.ensure_future(ended.wait())
        try:
            await asyncio.wait({waiter}, timeout=timeout)
        finally:
            waiter.cancel()
        if not self._started.outcome.done():
            raise self._late(timeout, await self.waits_for())


def _tell(loop: asyncio.AbstractEventLoop, event: asyncio.Event, _outcome: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
        loop.call_soon_threadsafe(event.set)
