"""The splits of a rollout: one entity's share goes up in steps, and the others keep their proportions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.load.calls import CannotRun

if TYPE_CHECKING:
    from collections.abc import Mapping

WHOLE = 100


def challenger_of(split: Mapping[str, float], named: str) -> str:
    """Return the entity that takes over: the one that is named, or the one with the least traffic; raise CannotRun."""
    if len(split) < 2:  # noqa: PLR2004 - who takes over, and from whom
        raise CannotRun(f"a rollout needs two routes, and there is one: {', '.join(split)}")
    if named and named not in split:
        raise CannotRun(f"there is no route to {named!r}; there are {', '.join(split)}")
    return named or min(reversed(list(split)), key=lambda name: split[name])


def stepped(split: Mapping[str, float], challenger: str, share: int) -> dict[str, float]:
    """Return a split in whole percent in which the challenger has this share; the last of the others gets the rest."""
    others = {name: percentage for name, percentage in split.items() if name != challenger}
    whole = sum(others.values())
    left = WHOLE - share
    given: dict[str, float] = {}
    for name, percentage in others.items():
        part = percentage / whole if whole else 1 / len(others)
        given[name] = float(round(left * part))
    last = list(others)[-1]
    given[last] += left - sum(given.values())
    if given[last] < 0:  # many small ones were rounded up
        raise CannotRun(f"{left} % can't be split among {', '.join(others)} in whole percent")
    return {name: float(share) if name == challenger else given[name] for name in split}
