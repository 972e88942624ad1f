"""What counted answers say of a router."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from servesim.verification.split import WHOLE

if TYPE_CHECKING:
    from servesim.verification.plan import Plan

_GREATEST_LOG = 690.0
"""Beyond it the e-value is given as exp(690), about 1e299: a float that every reader of JSON takes."""


class Outcome(StrEnum):
    """How a verdict ends."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The counts, the evidence in them, and what follows."""

    plan: Plan
    floor: float
    """In percentage points; an estimate that is off by no more doesn't fail."""
    counts: dict[str, int]
    """First answers by entity: the routes with traffic, and whoever else answered."""
    unattributed: int
    """First attempts that failed, or whose answer names no entity."""
    retries: dict[str, int]
    """Answers to later attempts; counted, and no evidence."""
    log_e: float
    greatest_log_e: float
    """The greatest at any look so far."""
    regularity: float | None
    """The chance, at most, that random draws are as regular as these; None if there are too few to tell."""

    @property
    def requests(self) -> int:
        """Answers that count."""
        return sum(self.counts.values())

    @property
    def estimate(self) -> dict[str, float]:
        """Percentages by entity; empty before the first answer."""
        requests = self.requests
        return {name: WHOLE * count / requests for name, count in self.counts.items()} if requests else {}

    @property
    def deviations(self) -> dict[str, float]:
        """Estimate less configured percentage, in points, by entity."""
        requests = self.requests
        whole = {name: WHOLE * count - self.plan.split.get(name, 0) * requests for name, count in self.counts.items()}
        return {name: off / requests for name, off in whole.items()} if requests else {}

    @property
    def strays(self) -> dict[str, int]:
        """Answers of entities at 0 %, and of those that the split doesn't name."""
        return {name: count for name, count in self.counts.items() if not self.plan.split.get(name)}

    @property
    def e_value(self) -> float:
        """How many times likelier the counts are under the mixture of all other splits; see ``evidence``."""
        return math.exp(min(self.log_e, _GREATEST_LOG))

    @property
    def greatest_e_value(self) -> float:
        """The greatest at any look so far."""
        return math.exp(min(self.greatest_log_e, _GREATEST_LOG))

    @property
    def crossed(self) -> bool:
        """Whether the e-value reached 1/alpha at any look."""
        return self.greatest_log_e >= -math.log(self.plan.alpha)

    @property
    def too_regular(self) -> bool:
        """Whether random draws are as regular with a chance below alpha only."""
        return self.regularity is not None and self.regularity < self.plan.alpha

    @property
    def too_many_unattributed(self) -> bool:
        """Whether those without an entity could hide half of what is to be detected."""
        return WHOLE * self.unattributed > self.plan.detect / 2 * (self.requests + self.unattributed)

    @property
    def outcome(self) -> Outcome:
        """The verdict."""
        return self._reached()[0]

    @property
    def why(self) -> str:
        """The reason, in a sentence."""
        return self._reached()[1]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What else is to be known; it changes no verdict."""
        made = []
        if self.unattributed:
            made.append(f"{self.unattributed:,} first attempts failed or name no entity; they are not counted")
        if self.retries:
            made.append(f"{sum(self.retries.values()):,} answers came on a retry; they are not counted")
        if self.too_regular:
            made.append(f"too regular for random draws (chance {self.regularity:.1g}): routes may be dealt out in turn")
        return tuple(made)

    def _reached(self) -> tuple[Outcome, str]:
        # Of two routes that are equally far off, the smaller one's share says more.
        split, off = self.plan.split, {name: abs(points) for name, points in self.deviations.items()}
        name = max(off, key=lambda one: (round(off[one], 9), -split.get(one, 0)), default="")
        if self.strays:
            return Outcome.FAIL, f"entities at 0 % answered: {_listed(self.strays)}"
        if self.too_many_unattributed:
            share = WHOLE * self.unattributed / (self.requests + self.unattributed)
            limit = f"{self.plan.detect / 2:g} % or less would do to detect {_points(self.plan.detect)}"
            return Outcome.INCONCLUSIVE, f"{share:.2g} % of the first attempts name no entity; {limit}"
        evidence = f"e-value {self.greatest_e_value:.3g} at its greatest, limit {1 / self.plan.alpha:,.0f}"
        if self.crossed and off[name] > self.floor:
            shares = f"{name!r} has {self.estimate[name]:.4g} % and is to have {split[name]:g} %"
            return Outcome.FAIL, f"of {self.requests:,} requests {shares} ({evidence})"
        if self.requests < self.plan.requests:
            return Outcome.INCONCLUSIVE, f"{self.requests:,} of {self.plan.requests:,} requests so far ({evidence})"
        within = f"the split is kept within {off[name]:.2g} points after {self.requests:,} requests ({evidence})"
        floor = f"; the difference is real, and below the floor of {_points(self.floor)}" if self.crossed else ""
        return Outcome.PASS, within + floor

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return {
            "outcome": str(self.outcome),
            "why": self.why,
            "remarks": [*self.remarks],
            "split": self.plan.split,
            "detect": self.plan.detect,
            "alpha": self.plan.alpha,
            "power": self.plan.power,
            "floor": self.floor,
            "requests": self.requests,
            "requests_planned": self.plan.requests,
            "counts": self.counts,
            "estimate": self.estimate,
            "unattributed": self.unattributed,
            "retries": self.retries,
            "e_value": self.e_value,
            "greatest_e_value": self.greatest_e_value,
            "regularity": self.regularity,
        }


def _points(count: float) -> str:
    return f"{count:g} point{'s' * (count != 1)}"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name!r} ({count:,})" for name, count in counts.items())
