"""Phases of a load test, each with the split that is in force and a verdict on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from servesim.verification import Judge, Outcome, Plan, Verdict, plan
from servesim.verification.split import read_split
from servesim.verification.stored import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servesim.load.settings import Settings
    from servesim.load.tally import Tally


@dataclass(slots=True)
class Phase:
    """Some seconds of a run; those in which a split is judged have one."""

    name: str
    since: int
    """A second since 1970, as all here."""
    split: dict[str, float] | None = None
    until: int | None = None
    """The first second that is no more part of it; None while it goes on."""
    judging: Judging | None = field(default=None, repr=False)


class Judging:
    """Judges a split by whole, settled seconds of sending, with a look after each of them."""

    def __init__(self, name: str, split: Mapping[str, float], since: int, settings: Settings) -> None:
        """Judge what is sent from a second on; raise ValueError as ``plan`` does."""
        self.name = name
        self.since = since
        self.until: int | None = None
        self._split = dict(split)
        self._floor = settings.floor
        self._settings = settings
        self._begin()

    def _begin(self) -> None:
        asked = self._settings
        self._judge = Judge(self._split, detect=asked.detect, alpha=asked.alpha, power=asked.power, floor=asked.floor)
        self.next = self.since
        self.log_e: dict[int, float] = {}
        self.verdict: Verdict = self._judge.look()

    @property
    def plan(self) -> Plan:
        """What the verdict promises."""
        return self._judge.plan

    def advance(self, tally: Tally, settled: int) -> Verdict:
        """Take the seconds that have been settled since, look after each, and return the last verdict."""
        until = settled if self.until is None else min(settled, self.until)
        for second in range(self.next, until):
            counts = tally.of_second(second)
            self._judge.add(counts.entities, unattributed=counts.unattributed, retries=counts.retries)
            self.verdict = self._judge.look()
            self.log_e[second] = self.verdict.log_e
        self.next = max(self.next, until)
        return self.verdict

    def anew(self, tally: Tally, settled: int) -> Verdict:
        """Judge again from the first second, with what was counted late."""
        self._begin()
        return self.advance(tally, settled)

    @property
    def is_decided(self) -> bool:
        """Whether more requests would change nothing: enough were counted, or a fail is sure."""
        if self.verdict.outcome is Outcome.PASS:
            return True
        return self.verdict.outcome is Outcome.FAIL and (
            not self._floor or bool(self.verdict.strays) or self.verdict.requests >= self.plan.requests
        )

    @property
    def is_passed(self) -> bool:
        """Whether the split is kept, as far as is known now."""
        return self.verdict.outcome is Outcome.PASS

    def as_json(self, origin: int) -> dict[str, Any]:
        """Return the verdict with its seconds since the run's first one."""
        until = self.next if self.until is None else self.until
        return {
            "name": self.name,
            "from_s": float(self.since - origin),
            "to_s": float(max(until, self.since) - origin),
            **self.verdict.as_json(),
        }


def name_of(split: Mapping[str, float]) -> str:
    """Name a split by its shares, in the order of its routes."""
    return "/".join(f"{share:g}" for share in split.values())


def planned(split: Mapping[str, float], settings: Settings) -> Plan:
    """Return the plan for a split; raise ValueError."""
    return plan(split, settings.detect, settings.alpha, settings.power)


def is_stored(split: Mapping[str, float], settings: Settings) -> bool:
    """Tell whether the plan for a split is at hand; to compute another one takes seconds. Raises ValueError."""
    percentages = tuple(sorted(read_split(split).percentages, reverse=True))
    cell = (percentages, float(settings.detect), settings.alpha, settings.power)
    return len(percentages) == 1 or any(cell == stored for stored in REQUESTS)
