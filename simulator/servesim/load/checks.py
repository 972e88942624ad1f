"""What a run is held to beside its split: each check with what is allowed, what was seen, and the reason in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.load.document import FAIL, INCONCLUSIVE, PASS
from servesim.load.tally import errors
from servesim.load.words import number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servesim.load.settings import Settings
    from servesim.load.tally import Tally


class Check(NamedTuple):
    """One of them."""

    name: str
    outcome: str
    why: str
    limit: float | None = None
    value: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"name": self.name, "outcome": self.outcome, "limit": self.limit, "value": self.value, "why": self.why}


def held(name: str, *, kept: bool, why: str, limit: float | None = None, value: float | None = None) -> Check:
    """Return a check that passes or fails."""
    return Check(name, PASS if kept else FAIL, why, limit, value)


def all_answered(tally: Tally) -> Check:
    """Check that no request failed."""
    statuses = tally.statuses()
    failed = errors(statuses)
    why = f"{failed:,} of {sum(statuses.values()):,} requests failed"
    return held("all answered", kept=not failed, why=why, limit=0.0, value=float(failed))


def users_code(raised: int) -> list[Check]:
    """Check that users went on as they were written: one whose code raises sends too little, or the wrong thing."""
    why = f"{raised:,} errors were raised in the users' own code; locust's log has them"
    return [Check("users' code", INCONCLUSIVE, why, 0.0, float(raised))] if raised else []


def thresholds(tally: Tally, settings: Settings, seconds: float) -> list[Check]:
    """Check what the settings ask for; nothing that they don't name."""
    asked = [settings.max_error_rate, settings.p99_ms, settings.min_rps]
    statuses = tally.statuses()
    count = sum(statuses.values())
    if not count:
        names = ("max error rate", "p99", "min rps")
        return [
            Check(name, INCONCLUSIVE, "no request was answered", limit)
            for name, limit in zip(names, asked, strict=True)
            if limit is not None
        ]
    found = [_error_rate(errors(statuses), count, asked[0]), _p99(tally, asked[1]), _rps(count, seconds, asked[2])]
    return [check for check in found if check is not None]


def _error_rate(failed: int, count: int, limit: float | None) -> Check | None:
    if limit is None:
        return None
    rate = failed / count
    why = f"{failed:,} of {count:,} requests failed, {number(rate * 100)} %; at most {number(limit * 100)} % may"
    return held("max error rate", kept=rate <= limit, why=why, limit=limit, value=rate)


def _p99(tally: Tally, limit: float | None) -> Check | None:
    if limit is None:
        return None
    value = tally.latency().percentile(0.99)
    why = f"99 % of the answers came within {number(value)} ms; {number(limit)} ms are allowed"
    return held("p99", kept=value is not None and value <= limit, why=why, limit=limit, value=value)


def _rps(count: int, seconds: float, limit: float | None) -> Check | None:
    if limit is None:
        return None
    rate = count / max(seconds, 1.0)
    why = f"{number(rate)} requests a second; at least {number(limit)} are asked for"
    return held("min rps", kept=rate >= limit, why=why, limit=limit, value=round(rate, 3))


def worst(outcomes: Iterable[str]) -> str:
    """Return the outcome of several: a fail wins, then what is not decided; inconclusive if there are none."""
    found = set(map(str, outcomes))
    return FAIL if FAIL in found else INCONCLUSIVE if INCONCLUSIVE in found or not found else PASS
