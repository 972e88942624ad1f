"""What every process of a load test has, worker or not: its tally, and what its users are to do."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from gevent import get_hub, spawn
from gevent.event import Event

from servesim.load import messages
from servesim.load.tally import Tally
from servesim.load.work import Counting, Work, work_of

if TYPE_CHECKING:
    from servesim.load.settings import Settings
_A_MOMENT_S = 0.2


def catch_up() -> None:
    """Tell gevent what time it is: what has taken long without a wait, imports too, would count as time passed."""
    get_hub().loop.update_now()


class Process:
    """Counts the requests that this process sends and knows what its users send."""

    def __init__(self, environment: Any, settings: Settings) -> None:
        """Listen to locust; ``environment.servesim`` is this from now on."""
        self.environment = environment
        self.tally = Tally()
        self.counting = Counting(self.tally, settings.header)
        self.breath_s = 0.05
        self.drains = False
        self.round = 0
        self.round_began = Event()
        self._work: Work | None = None
        self._told = Event()
        self._numbers = itertools.count()
        self._took_part: WeakKeyDictionary[object, int] = WeakKeyDictionary()
        environment.servesim = self
        environment.events.request.add_listener(self.counting.on_request)
        messages.share_tally(environment, self.tally)
        messages.listen(environment, messages.WORK, lambda data: self.set_work(work_of(data)))
        messages.answer(environment, messages.ASK, self._told_work)
        messages.listen(environment, messages.ROUND, self.begin_round)
        messages.listen(environment, messages.DRAIN, self._drain)
        catch_up()

    def ask_for_work(self) -> None:
        """Ask the master, which may not be ready yet, until it has said what users are to do."""
        spawn(self._ask)

    def _ask(self) -> None:
        while not self._told.is_set():
            messages.tell(self.environment, messages.ASK, None)
            self._told.wait(_A_MOMENT_S)

    def _told_work(self) -> tuple[str, Any] | None:
        return None if self._work is None else (messages.WORK, self._work.as_message())

    def set_work(self, work: Work) -> None:
        """Say what the users are to do."""
        self._work = work
        self.counting.header = work.settings.header
        self._told.set()

    def await_work(self, seconds: float) -> Work:
        """Return what users are to do once it is known; raise TimeoutError."""
        if not self._told.wait(seconds) or self._work is None:
            raise TimeoutError(f"the master has not said within {seconds:g} s what to send")
        return self._work

    def next_number(self) -> int:
        """Return 0, 1, 2 ..., so that users begin with different requests."""
        return next(self._numbers)

    def begin_round(self, number: int) -> None:
        """Let the users that wait for a round send theirs."""
        self.round = number
        self.round_began.set()
        self.round_began.clear()

    def take_part(self, user: object) -> bool:
        """Tell whether a user is to send in a round that has begun; wait a moment if there is none."""
        if self._took_part.get(user, 0) >= self.round:
            self.round_began.wait(_A_MOMENT_S)
            return False
        self._took_part[user] = self.round
        return not self.drains

    def _drain(self, _: Any) -> None:
        self.drains = True
