"""Runs a load test in the process that judges: its phases, a look every second, and what is written in the end."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent

from servesim.load import ending, endpoint, messages, summary
from servesim.load.admin import admin_of
from servesim.load.calls import LONGEST_S, CannotRun
from servesim.load.judging import Judging, Phase, is_stored, name_of, planned
from servesim.load.process import catch_up
from servesim.load.summary import Finished, Looked
from servesim.service.clock import Stopwatch, rest, wall_second

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from servesim.load.calls import Server
    from servesim.load.checks import Check
    from servesim.load.process import Process
    from servesim.load.settings import Settings
    from servesim.verification import Plan

_POLL_S = 0.1
_METRICS_EVERY_S = 5
_LAST_REPORTS_S = 2 * messages.REPORT_S


class Conductor:
    """One run. Its body, a function of it, begins phases, changes the number of users, and ends with the run."""

    def __init__(
        self,
        process: Process,
        settings: Settings,
        server: Server,
        body: Callable[[Conductor], None],
        *,
        open_ended: bool = False,
    ) -> None:
        """Prepare; the run begins with locust's ``test_start``, and an open-ended one goes on until locust ends it."""
        self.process = process
        self.environment = process.environment
        self.settings = settings
        self.server = server
        self.tally = process.tally
        self.admin = admin_of(server.url, settings.workspace) if settings.simulated else None
        self.metrics_every_s = _METRICS_EVERY_S
        self.needed: int | None = None
        self.users = int(self.environment.parsed_options.num_users or 1)
        self.phases: list[Phase] = []
        self.checks: list[Check] = []
        self.notes: list[str] = []
        self._body = body
        self._open_ended = open_ended
        self.looked: dict[int, Looked] = {}
        self._origin: int | None = None
        self._watch = Stopwatch()
        self._elapsed_s: float | None = None
        self._last_begun = 0
        self._ended = False
        self._processes = 1
        self.failure: CannotRun | None = None
        self._written = False
        events = self.environment.events
        events.test_start.add_listener(self._begin)
        events.quitting.add_listener(self._finish)

    # --- for the body -----------------------------------------------------------------------------

    def plans(self, splits: Sequence[dict[str, float]]) -> list[Plan]:
        """Return the plans for splits, and know how many requests they need together. Raises CannotRun."""
        made = []
        for split in splits:
            try:
                if not is_stored(split, self.settings):
                    shares = name_of(split)
                    self._say(f"computing how many requests it takes to judge {shares} (some seconds)")
                    self._progress({"phase": f"planning {shares}"})
                # in a thread: others go on meanwhile
                made.append(gevent.get_hub().threadpool.apply(planned, (split, self.settings)))
            except ValueError as error:
                raise CannotRun(f"{split} can't be judged: {error}") from error
        catch_up()
        self.needed = sum(plan.requests for plan in made)
        return made

    def phase(self, name: str, split: dict[str, float] | None = None, *, judged_after_s: float | None = None) -> Phase:
        """Begin a phase, and end the one before; it is judged from so many seconds on, if it has such a number.

        A second in which one phase gives way to another is judged in neither of them.
        """
        now = wall_second()
        self._end_phase(now)
        begun = Phase(name, now if self.phases else self.origin, split)
        if split is not None and judged_after_s is not None:
            since = begun.since if not self.phases and not judged_after_s else now + 1 + round(judged_after_s)
            begun.judging = Judging(name, split, since, self.settings)
        self.phases.append(begun)
        return begun

    def end_judging(self) -> None:
        """Judge nothing more that is sent from this second on."""
        self._end_phase(wall_second(), judging_only=True)

    def until_decided(self, phase: Phase, seconds: float) -> bool:
        """Wait until a phase's verdict is sure, or for so many seconds; tell whether it is."""
        judging = phase.judging
        if judging is None:
            raise ValueError(f"nothing is judged in phase {phase.name!r}")
        self.until(lambda: judging.is_decided, seconds)
        return judging.is_decided

    def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is so, or for so many seconds; tell whether it is."""
        for _ in range(round(seconds / _POLL_S)):
            if done():
                return True
            rest(_POLL_S)
        return done()

    def set_users(self, users: int) -> None:
        """Have so many users, at once or nearly so."""
        self.environment.runner.start(users, spawn_rate=min(max(users, 1), 100))

    @property
    def running(self) -> int:
        """How many users there are now."""
        return int(self.environment.runner.user_count)

    @property
    def counted(self) -> int:
        """How many requests have been answered, or failed."""
        return sum(self.tally.statuses().values())

    @property
    def step_users(self) -> int:
        """How many users a step adds."""
        return min(self.settings.step_users or max(1, self.users // 10), self.users)

    def begin_small(self) -> None:
        """Have locust begin with one user, and leave the others to the body."""
        self.environment.parsed_options.num_users = 1

    @property
    def queried(self) -> list[str]:
        """The endpoints that were sent requests."""
        return sorted(name for name in self.tally.endpoints if name)

    @property
    def origin(self) -> int:
        """The first second of the run, since 1970."""
        return wall_second() if self._origin is None else self._origin

    def note(self, text: str) -> None:
        """Keep something to be told with the result."""
        if text not in self.notes:
            self.notes.append(text)

    # --- the run ----------------------------------------------------------------------------------

    def _begin(self, **_: Any) -> None:
        if self._origin is not None:
            return
        self._origin = wall_second()
        self._watch = Stopwatch()
        self._processes = max(len(messages.workers(self.environment)), 1)
        for worker in messages.workers(self.environment):
            self.tally.expect(worker, self._origin)
        gevent.spawn(self._look_every_second)
        gevent.spawn(self._conduct)

    def _conduct(self) -> None:
        try:
            self._body(self)
        except CannotRun as failure:
            self.failure = failure
        except Exception as error:  # whatever it was, users must not go on for ever
            logging.getLogger(__name__).exception("the load test broke off")
            self.failure = CannotRun(f"{type(error).__name__}: {error}")
        self._ended = True
        self._elapsed_s = self._watch.seconds()
        self._last_begun = wall_second()
        self.drain()
        runner = self.environment.runner
        if self.environment.parsed_options.headless:
            runner.quit()
        else:
            runner.stop()
            self._finish()

    def drain(self) -> None:
        """Let the users send nothing more, and wait for the answers: cut off are those of the slowest entity."""
        messages.tell(self.environment, messages.DRAIN, None)
        rest(_LAST_REPORTS_S if messages.is_master(self.environment) else 0)
        self.until(self._is_answered, LONGEST_S)

    def _is_answered(self) -> bool:
        settled = self.tally.settled(wall_second() + 1) > self.last_second
        return settled or messages.are_lost(self.environment, self.tally.late(self.last_second))

    def _look_every_second(self) -> None:
        while not self._ended:
            rest(1.0)
            self.look()
            self._progress(summary.progress(self._finished(wall_second()), self.needed))

    def look(self) -> None:
        """Judge what is settled by now, and see how many users and replicas there are."""
        now = wall_second()
        self._observe(now)
        self._judge(now)

    def _observe(self, now: int) -> None:
        users = self.running
        last = self.looked.get(max(self.looked, default=0), Looked(users, None, None))._replace(users=users)
        names = {name for phase in self.phases for name in phase.split or ()}
        if len(self.looked) % self.metrics_every_s == 0 and self.settings.endpoint:
            last = Looked(users, endpoint.provisioned(self.server, self.settings.endpoint, names), *self._used())
        self.looked[now] = last

    def _used(self) -> tuple[dict[str, float] | None, float | None]:
        rows = self.admin.usage(self.settings.endpoint) if self.admin is not None else None
        if rows is None:
            return None, None
        waiting = sum(float(row["held"]) + float(row["in_flight"]) for row in rows)
        return {str(row["entity"]): float(row["held"]) for row in rows}, waiting

    def _judge(self, now: int) -> None:
        settled = self.tally.settled(now)
        for phase in self.phases:
            if phase.judging is not None:
                phase.judging.advance(self.tally, settled)

    def _end_phase(self, now: int, *, judging_only: bool = False) -> None:
        if not self.phases:
            return
        last = self.phases[-1]
        if last.until is None and not judging_only:
            last.until = now
        if last.judging is not None and last.judging.until is None:
            last.judging.until = max(now, last.judging.since)

    # --- its end ----------------------------------------------------------------------------------

    def _finish(self, **_: Any) -> None:
        if self._written or self._origin is None:
            return
        self._written = True
        end = max(self.last_second, self._last_begun) + 1
        settled = min(self.tally.settled(wall_second() + 1), end)
        for phase in self.phases:
            if phase.judging is not None:
                phase.judging.anew(self.tally, settled)
        self.notes += ending.missing(self, settled, cut_short=not self._ended and not self._open_ended)
        if self._open_ended:
            ending.lower_what_is_asked(self)
        self.checks += ending.raised(self)
        finished = self._finished(end)
        self._progress(summary.progress(finished, self.needed))
        code = ending.write(summary.document(finished), self.settings.result, self.failure)
        self.environment.process_exit_code = code or self.environment.process_exit_code or 0

    @property
    def last_second(self) -> int:
        """The last second in which anything was sent."""
        return max(self.tally.seconds, default=self.origin)

    def _finished(self, end: int) -> Finished:
        rows = self.admin.usage(self.settings.endpoint) if self.admin is not None and self._written else None
        return Finished(
            self.settings,
            self.tally,
            self.phases,
            self.looked,
            self.checks,
            self.notes,
            self.origin,
            max(end, self.origin),
            self._watch.seconds() if self._elapsed_s is None else self._elapsed_s,
            self.users,
            self._processes,
            rows,
        )

    def _progress(self, line: dict[str, Any]) -> None:
        if self.settings.progress:
            with Path(self.settings.progress).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def _say(self, text: str) -> None:
        logging.getLogger("servesim").info(text)
