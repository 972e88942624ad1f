"""The end of a run: what is missing of it, its files, and the exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from servesim.load import summary
from servesim.load.checks import all_answered, users_code
from servesim.load.document import FAIL, INCONCLUSIVE, PASS, write_run

if TYPE_CHECKING:
    from servesim.load.calls import CannotRun
    from servesim.load.checks import Check
    from servesim.load.conductor import Conductor

CODES = {PASS: 0, FAIL: 1, INCONCLUSIVE: 4}
WRONG_USAGE, COULD_NOT_RUN = 2, 5


def missing(run: Conductor, settled: int, *, cut_short: bool) -> list[str]:
    """Say what a run has not done, and what makes its figures doubtful; ``settled`` is its first open second."""
    notes = []
    if run.failure is not None:
        notes.append(f"it could not run to its end: {run.failure}")
    elif cut_short:
        notes.append("it was ended before its time")
    if not run.tally.seconds:
        notes.append("no scoring request was seen: those to /serving-endpoints/{name}/invocations are counted")
    elif settled <= run.last_second:
        late = ", ".join(run.tally.late(run.last_second))
        whose = f", of workers {late}" if late else ""
        notes.append(f"the last seconds are not judged: requests of them have not been answered{whose}")
    if getattr(run.environment.runner, "cpu_warning_emitted", False):
        notes.append("locust's own processor was busy: latencies may be its own; give it --processes")
    return notes


def raised(run: Conductor) -> list[Check]:
    """Say how often the users' own code raised, on this machine and on those of workers."""
    return users_code(sum(one["count"] for one in run.environment.runner.exceptions.values()))


def lower_what_is_asked(run: Conductor) -> None:
    """Hold somebody's own file to its split only if that is decided, and else to its limits, or to answers."""
    judged = [phase.judging for phase in run.phases if phase.judging is not None]
    if len(run.queried) > 1:
        run.note(f"no split is judged: several endpoints were queried, {', '.join(run.queried)}")
    elif judged and not judged[-1].is_decided:
        run.note(f"the split {judged[-1].name} is not judged: {judged[-1].verdict.why}")
    elif judged:
        return
    for phase in run.phases:
        phase.judging = None
    run.needed = None
    asked = run.settings
    if run.tally.seconds and (asked.max_error_rate, asked.p99_ms, asked.min_rps) == (None, None, None):
        run.checks.append(all_answered(run.tally))


def write(document: dict[str, Any], result: str, failure: CannotRun | None) -> int:
    """Write a run's document to a path, if there is one, say it in words, and return the exit code."""
    if result:
        write_run(Path(result), document)
    sys.stdout.write("".join(f"{line}\n" for line in summary.words(document)))
    sys.stdout.flush()
    return COULD_NOT_RUN if failure is not None else CODES[document["outcome"]]


def give_up(reason: Exception, code: int) -> NoReturn:
    """End this process, and say why."""
    sys.stderr.write(f"Error: {reason}\n")
    sys.stderr.flush()
    sys.exit(code)
