"""The document of a run (``run.json``), the line of its progress, and its result in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.load.checks import thresholds, worst
from servesim.load.document import FORMAT
from servesim.load.tally import errors
from servesim.load.words import number, sent_for, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from servesim.load.checks import Check
    from servesim.load.histogram import Histogram
    from servesim.load.judging import Phase
    from servesim.load.settings import Settings
    from servesim.load.tally import Tally

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class Looked(NamedTuple):
    """What was seen in one second beside the answers."""

    users: int
    provisioned: dict[str, float] | None
    held: dict[str, float] | None
    waiting: float | None = None
    """In flight and held at all entities."""


class Finished(NamedTuple):
    """All that a run left behind."""

    settings: Settings
    tally: Tally
    phases: Sequence[Phase]
    looked: Mapping[int, Looked]
    checks: Sequence[Check]
    notes: Sequence[str]
    origin: int
    """The first second, since 1970."""
    end: int
    """The first second after it."""
    elapsed_s: float
    users: int
    processes: int
    capacity: list[dict[str, Any]] | None


def document(run: Finished) -> dict[str, Any]:
    """Return the run as JSON."""
    seconds = float(max(run.end - run.origin, 0))
    checks = [*run.checks, *thresholds(run.tally, run.settings, run.elapsed_s)]
    judged = [phase.judging for phase in run.phases if phase.judging is not None]
    outcomes = [judging.verdict.outcome for judging in judged] + [check.outcome for check in checks]
    return {
        "format": FORMAT,
        "test": run.settings.test,
        "endpoint": run.settings.endpoint or None,
        "url": run.settings.url or None,
        "simulated": run.settings.simulated,
        "users": run.users,
        "processes": run.processes,
        "seconds": seconds,
        "outcome": worst(outcomes),
        "judgements": [judging.as_json(run.origin) for judging in judged],
        "checks": [check.as_json() for check in checks],
        "requests": _requests(run),
        "series": list(_series(run)),
        "phases": [_phase(phase, run) for phase in run.phases],
        "capacity": run.capacity,
        "notes": list(run.notes),
    }


def _requests(run: Finished) -> dict[str, Any]:
    statuses = run.tally.statuses()
    count = sum(statuses.values())
    latency = run.tally.latency()
    seconds = max(run.elapsed_s, 1.0)
    return {
        "count": count,
        "errors": errors(statuses),
        "retries": run.tally.retried(),
        "seconds": round(seconds, 3),
        "rps": round(count / seconds, 3),
        "latency_ms": {**_latency(latency), "max": round(latency.greatest_ms, 3) if count else None},
        "by_status": {str(status): found for status, found in statuses.items()},
        "by_format": dict(sorted(run.tally.formats.items())),
    }


def _latency(latency: Histogram) -> dict[str, float | None]:
    return latency.percentiles(SHARES)


def _series(run: Finished) -> Iterator[dict[str, Any]]:
    looked = run.looked[min(run.looked)] if run.looked else Looked(0, None, None)
    for second in range(run.origin, run.end):
        looked = run.looked.get(second, looked)
        yield _second(run, second, looked)


def _second(run: Finished, second: int, looked: Looked) -> dict[str, Any]:
    phase = _phase_at(run.phases, second)
    counts = run.tally.of_second(second)
    judging = phase.judging if phase is not None else None
    return {
        "s": second - run.origin,
        "users": looked.users,
        "entities": dict(sorted(counts.entities.items())),
        "unattributed": counts.unattributed,
        "statuses": {str(status): count for status, count in run.tally.statuses([second]).items()},
        "latency_ms": _latency(run.tally.latency([second])),
        "log_e": judging.log_e.get(second) if judging is not None else None,
        "split": phase.split if phase is not None else None,
        "provisioned": looked.provisioned,
        "held": looked.held,
    }


def _phase_at(phases: Sequence[Phase], second: int) -> Phase | None:
    return next((phase for phase in reversed(phases) if phase.since <= second), None)


def _phase(phase: Phase, run: Finished) -> dict[str, Any]:
    until = run.end if phase.until is None else phase.until
    return {
        "name": phase.name,
        "from_s": float(max(phase.since - run.origin, 0)),
        "to_s": float(max(until - run.origin, 0)),
        "split": phase.split,
    }


def progress(run: Finished, needed: int | None) -> dict[str, Any]:
    """Return where a run stands, as one line of its progress."""
    statuses = run.tally.statuses()
    phase = run.phases[-1] if run.phases else None
    judging = phase.judging if phase is not None else None
    last = max(run.end - 1, run.origin)
    return {
        "s": last - run.origin,
        "requests": sum(statuses.values()),
        "rps": sum(run.tally.statuses([last]).values()),
        "errors": errors(statuses),
        "judged": sum(_counted(phase) for phase in run.phases) if needed else None,
        "needed": needed,
        "outcome": str(judging.verdict.outcome) if judging is not None else None,
        "log_e": judging.verdict.log_e if judging is not None else None,
        "phase": phase.name if phase is not None else None,
    }


def _counted(phase: Phase) -> int:
    """Return how many of the requests that a phase's verdict needs there are."""
    verdict = phase.judging.verdict if phase.judging is not None else None
    return min(verdict.requests, verdict.plan.requests) if verdict is not None else 0


def words(run: Mapping[str, Any]) -> list[str]:
    """Say a run's result in a few lines."""
    asked = run["requests"]
    latency = asked["latency_ms"]
    lines = [
        f"{run['test']}: {run['outcome']}",
        *(f"  {one['name']}: {one['outcome']}: {one['why']}" for one in run["judgements"]),
        *(f"  {one['name']}: {one['outcome']}: {one['why']}" for one in run["checks"]),
    ]
    if asked["count"]:
        times = ", ".join(f"{name} {number(value)} ms" for name, value in latency.items() if value is not None)
        named = [("no answer" if status == "0" else status, count) for status, count in asked["by_status"].items()]
        counts = ", ".join(f"{status} x {count:,}" for status, count in named)
        how_many = f"{asked['count']:,} requests in {span(sent_for(run))}, {number(asked['rps'])} a second"
        lines.append(f"  {how_many}: {counts}; {times}")
    return [*lines, *(f"  note: {note}" for note in run["notes"])]
