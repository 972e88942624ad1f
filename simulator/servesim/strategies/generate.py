"""Values of a strategy without a test: the same for the same seed."""

from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


def drawn(strategy: SearchStrategy[T], count: int, *, start: int = 0) -> list[T]:
    """Return `count` different values, or fewer if there are no more; the plainest comes first.

    The same `start` gives the same values with the same versions of servesim, hypothesis and Python.
    """
    found: dict[T, None] = {}
    before, at = -1, start
    while before < len(found) < count:
        before = len(found)
        found |= dict.fromkeys(_round(strategy, count, at))
        at += 1
    return list(found)[:count]


def _round(strategy: SearchStrategy[T], count: int, start: int) -> list[T]:
    found: list[T] = []

    @seed(start)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def keep(value: T) -> None:
        found.append(value)

    keep()
    return found
