"""Counted answers, judged against the configured split."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy

from servesim.verification.evidence import log_e, log_e_path
from servesim.verification.plan import plan
from servesim.verification.regularity import Regularity
from servesim.verification.split import WHOLE, read_split
from servesim.verification.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CHUNK = 65_536
_ELSEWHERE = -1


class Judge:
    """Takes answers as they come and can be looked at after each of them.

    What is counted are first attempts. One that failed, or whose answer doesn't say which entity gave it, is
    ``unattributed``, whatever a retry brought later.
    """

    def __init__(
        self,
        split: Mapping[str, float],
        *,
        detect: float = 1.0,
        alpha: float = 0.001,
        power: float = 0.99,
        floor: float = 0.0,
    ) -> None:
        """Take percentages by served entity; ``detect`` and ``floor`` are in percentage points.

        A router whose estimate is off by no more than ``floor`` doesn't fail. Raises ValueError as ``plan`` does, and
        for a floor above half of ``detect``, with which the promised power would not be kept.
        """
        if not 0 <= floor <= detect / 2:
            message = f"a floor is at most half of what is to be detected: 0 to {detect / 2:g} points, not {floor:g}"
            raise ValueError(message)
        self.plan = plan(split, detect, alpha, power)
        self._floor = floor
        names, percentages, _ = read_split(split)
        self._index = {name: index for index, name in enumerate(names)}
        self._shares = numpy.asarray(percentages) / WHOLE
        self._counts: Any = numpy.zeros(len(names), dtype=numpy.int64)
        self._strays: Counter[str] = Counter()
        self._retries: Counter[str] = Counter()
        self._unattributed = 0
        self._greatest = 0.0
        self._regularity = Regularity(self._shares)

    def add(
        self, counts: Mapping[str, int], *, unattributed: int = 0, retries: Mapping[str, int] | None = None
    ) -> None:
        """Add answers by entity, in any order; those that came on a retry by themselves.

        Raises ValueError for a negative count, and then nothing is added.
        """
        retried = retries or {}
        if min([unattributed, *counts.values(), *retried.values()]) < 0:
            message = f"answers are counted from 0 up, not {dict(counts)}, {unattributed} unattributed, {dict(retried)}"
            raise ValueError(message)
        added = numpy.asarray([counts.get(name, 0) for name in self._index], dtype=numpy.int64)
        self._counts += added
        self._regularity.add(added)
        self._strays.update({name: count for name, count in counts.items() if count and name not in self._index})
        self._retries.update({name: count for name, count in retried.items() if count})
        self._unattributed += unattributed

    def add_in_order(self, answers: Iterable[str | None]) -> None:
        """Add one answer after the other and look after each; None is an unattributed one."""
        following = iter(answers)
        while chunk := list(islice(following, _CHUNK)):
            self._add_chunk(chunk)

    def _add_chunk(self, chunk: list[str | None]) -> None:
        index: dict[str | None, int] = dict(self._index.items())
        order = numpy.fromiter((index.get(name, _ELSEWHERE) for name in chunk), numpy.int64, len(chunk))
        elsewhere = Counter(chunk[place] for place in numpy.flatnonzero(order == _ELSEWHERE))
        self._unattributed += elsewhere.pop(None, 0)
        self._strays.update({name: count for name, count in elsewhere.items() if name is not None})
        order = order[order != _ELSEWHERE]
        if order.size:
            path = log_e_path(self._shares, self.plan.concentration, order, self._counts)
            self._greatest = max(self._greatest, float(path.max()))
            self._regularity.add_in_order(order)
            self._counts += numpy.bincount(order, minlength=len(self._shares))

    def look(self) -> Verdict:
        """Judge what has been added. A look at which the e-value passes 1/alpha counts at every later one."""
        now = float(log_e(self._shares, self.plan.concentration, self._counts))
        self._greatest = max(self._greatest, now)
        counts = {name: int(count) for name, count in zip(self._index, self._counts, strict=True)}
        return Verdict(
            plan=self.plan,
            floor=self._floor,
            counts={**counts, **self._strays},
            unattributed=self._unattributed,
            retries=dict(self._retries),
            log_e=now,
            greatest_log_e=self._greatest,
            regularity=self._regularity.chance(),
        )


def judge(
    split: Mapping[str, float],
    counts: Mapping[str, int],
    *,
    detect: float = 1.0,
    alpha: float = 0.001,
    power: float = 0.99,
    floor: float = 0.0,
    unattributed: int = 0,
    retries: Mapping[str, int] | None = None,
) -> Verdict:
    """Judge counted first answers by entity with one look; for the arguments see ``Judge``."""
    judging = Judge(split, detect=detect, alpha=alpha, power=power, floor=floor)
    judging.add(counts, unattributed=unattributed, retries=retries)
    return judging.look()
