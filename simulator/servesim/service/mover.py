"""Moves simulated time for wishes; of real time it knows nothing.

Rules: one wish after the other, one event after the other; the effect of an event (loading a model) and the requests
that it releases are waited for before the next event, unless the model of such a request itself asks for time, by a
request of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from servesim.core.commands import LoadFinished, MoveTo, Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from servesim.core.commands import LoadModel
    from servesim.core.workspace import Workspace
    from servesim.service.holds import Holds

logger = logging.getLogger("servesim")

EVENTS_PER_MOVE = 1_000_000
"""More events than this in one move of time is a runaway."""


class Runaway(RuntimeError):  # noqa: N818 - named for what it is
    """Time was asked to move and events kept making events."""


class Stopping(Exception):  # noqa: N818 - an answer for the client, not a failure of ours
    """The server stops while somebody waits for time."""


@dataclass(slots=True)
class _Wish:
    """Somebody waits for simulated time: until ``done``, and not beyond ``limit()``."""

    done: Callable[[], bool]
    limit: Callable[[], int | None]
    granted: asyncio.Future[None]
    to: int | None = None


class Mover:
    """Moves the time of one workspace from event to event."""

    def __init__(
        self,
        workspace: Workspace,
        holds: Holds,
        load: Callable[[LoadModel], Awaitable[LoadFinished]],
        wake: Callable[[], None],
    ) -> None:
        """Begin at rest; ``load`` performs an effect, ``wake`` tells whom an event let go on."""
        self._workspace = workspace
        self._holds = holds
        self._load = load
        self._wake = wake
        self._wishes: deque[_Wish] = deque()
        self._task: asyncio.Task[None] | None = None
        self._tells = False

    @property
    def moves(self) -> bool:
        """Whether there is a wish that is not yet granted."""
        return self._task is not None and not self._task.done()

    async def rest(self) -> None:
        """Wait until every wish is granted."""
        while self._task is not None and self.moves:
            await asyncio.wait({self._task})

    async def wish(self, done: Callable[[], bool], limit: Callable[[], int | None], to: int | None = None) -> None:
        """Wait while time moves until ``done`` or to ``limit``, then to ``to``; raise Stopping as ``close`` says."""
        granted = self.ask(done, limit, to)
        with self._holds.asked_by_model(granted):
            try:
                await granted
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if self._tells and task is not None and not task.cancelling():
                    raise Stopping from None  # this clock has ended, not whoever waits for it
                raise

    def ask(
        self, done: Callable[[], bool], limit: Callable[[], int | None], to: int | None = None
    ) -> asyncio.Future[None]:
        """Make a wish and return the future that is done when it is granted."""
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wishes.append(_Wish(done, limit, granted, to))
        if not self.moves:
            self._task = asyncio.create_task(self._grant_all())
        return granted

    def move_to(self, instant: int) -> None:
        """Move to an instant and wait for nothing that happens on the way."""
        for _ in range(EVENTS_PER_MOVE):
            if not self._workspace.execute(Step(instant)):
                self._workspace.execute(MoveTo(instant))
                return
        self._run_away()

    async def loaded(self, effect: LoadModel) -> LoadFinished:
        """Perform an effect; a failure of ours is an outcome as well, or the deployment would wait for ever."""
        try:
            return await self._load(effect)
        except Exception as error:
            logger.exception("loading %s failed", effect.model.name)
            return LoadFinished(effect.deployment_id, f"servesim failed to load it: {error!r}")

    async def close(self, *, telling: bool) -> None:
        """Stop; whoever made a wish is cancelled, or told by Stopping."""
        self._tells = telling
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._cancel_wishes()  # a task that was cancelled before it began has told nobody

    def _cancel_wishes(self) -> None:
        for wish in self._wishes:
            wish.granted.cancel()
        self._wishes.clear()

    async def _grant_all(self) -> None:
        while self._wishes:
            wish = self._wishes.popleft()
            try:
                await self._grant(wish)
            except asyncio.CancelledError:
                wish.granted.cancel()
                self._cancel_wishes()
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
                await self._holds.finished()
            limit = wish.limit()
            if wish.done() or wish.granted.done() or limit is None:
                return
            if not self._workspace.execute(Step(limit)):
                if wish.to is not None:
                    self._workspace.execute(MoveTo(wish.to))
                return
            self._wake()
        self._run_away()

    async def _perform_effects(self) -> None:
        effects = self._workspace.effects
        while effects:
            self._workspace.execute(await self.loaded(effects.popleft()))
            self._wake()

    def _run_away(self) -> NoReturn:
        message = (
            f"{EVENTS_PER_MOVE:,} events happened in one move of time; the last was at {self._workspace.timeline.now}"
        )
        raise Runaway(message)
