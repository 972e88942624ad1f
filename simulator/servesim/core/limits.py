"""What a workspace and an endpoint's owner allow: requests a second, in parallel, by rate limit; creates and updates.

Rules: a call is counted only if every limit lets it in; a refusal says when the same call would be let in; a window
begins with its first call (chosen: nothing is published about how the service counts).
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from servesim.core.commands import Alarm
from servesim.core.errors import Code, Rejected
from servesim.core.traffic import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.core.access import Principal
    from servesim.core.endpoint import Endpoint
    from servesim.core.workspace import Workspace

RENEWAL_MS = 60 * SECOND
"""Of a rate limit: ``minute`` is the only renewal period that the API knows."""
WINDOWS_KEPT = 10_000
"""How many users and endpoints are counted at once; the one that began longest ago is forgotten."""

_Key = tuple[str, ...]


class Rate(NamedTuple):
    """A rate limit of an endpoint, as its settings have it."""

    calls: int
    key: str
    """Who is counted: ``endpoint``, ``user`` (each), ``user_group`` or ``service_principal`` (the one named)."""
    principal: str


@dataclass(slots=True)
class _Window:
    start: int
    calls: int


class Limits:
    """How much of its limits a workspace has used."""

    __slots__ = ("_operations", "_windows")

    def __init__(self) -> None:
        """Start with none."""
        self._windows: dict[_Key, _Window] = {}
        self._operations: deque[int] = deque()

    def admit_request(self, world: Workspace, endpoint: Endpoint, principal: Principal | None) -> None:
        """Count a scoring request; raise PARALLEL_LIMIT, RATE_LIMIT or QPS_LIMIT with nothing counted."""
        limits = world.profile.limits
        if "parallel" in limits and len(world.tickets) >= world.profile.parallel_limit:
            _check_parallel(world, endpoint)
        counted: list[tuple[_Key, int]] = []
        if endpoint.settings and "rates" in limits:
            counted += self._within_rates(world, endpoint, principal)
        if "qps" in limits and not endpoint.route_optimized:
            if (opens_at := self._opens_at(world, ("qps",), world.profile.qps_limit, SECOND)) is not None:
                raise Rejected(Code.QPS_LIMIT).healing_at(opens_at)
            counted.append((("qps",), SECOND))
        for key, length in counted:
            self._count(world.timeline.now, key, length)

    def admit_operation(self, world: Workspace) -> None:
        """Count a create or update; raise OPERATION_LIMIT with nothing counted."""
        if "operations" not in world.profile.limits:
            return
        profile, now = world.profile, world.timeline.now
        while self._operations and self._operations[0] <= now - profile.operation_window_ms:
            self._operations.popleft()
        if len(self._operations) >= profile.operation_limit:
            refusal = Rejected(Code.OPERATION_LIMIT, limit=profile.operation_limit)
            raise refusal.healing_at(self._operations[0] + profile.operation_window_ms)
        self._operations.append(now)

    def _within_rates(
        self, world: Workspace, endpoint: Endpoint, principal: Principal | None
    ) -> Iterator[tuple[_Key, int]]:
        for setting in ("rate_limits", "ai_gateway"):
            for index, rate in enumerate(rates_of(endpoint.settings.get(setting, ""))):
                subject = _subject(world, rate, principal)
                if subject is None:
                    continue
                key = (endpoint.id, setting, str(index), subject)
                opens_at = self._opens_at(world, key, rate.calls, RENEWAL_MS)
                if opens_at is not None or not rate.calls:
                    refusal = Rejected(Code.RATE_LIMIT, endpoint=endpoint.name, key=rate.key, calls=rate.calls)
                    # Of none at all nobody is let in at any time.
                    raise refusal.healing_at(opens_at) if rate.calls else refusal
                yield key, RENEWAL_MS

    def _opens_at(self, world: Workspace, key: _Key, calls: int, length: int) -> int | None:
        """Return when a call more would be let in; None if that is now."""
        window = self._windows.get(key)
        if window is None or window.calls < calls or world.timeline.now >= window.start + length:
            return None
        return window.start + length

    def _count(self, now: int, key: _Key, length: int) -> None:
        window = self._windows.get(key)
        if window is not None and now < window.start + length:
            window.calls += 1
            return
        self._windows.pop(key, None)  # a window that begins anew is the youngest
        if len(self._windows) >= WINDOWS_KEPT:
            del self._windows[next(iter(self._windows))]
        self._windows[key] = _Window(now, 1)


def _check_parallel(world: Workspace, endpoint: Endpoint) -> None:
    if endpoint.route_optimized:
        return  # documented: they have no such limit
    ends = world.timeline.soonest(lambda event: event.what in {Alarm.ANSWER_DUE, Alarm.EXECUTION_LIMIT})
    refusal = Rejected(Code.PARALLEL_LIMIT, limit=world.profile.parallel_limit)
    raise refusal.healing_at(ends.due if ends else None)


def _subject(world: Workspace, rate: Rate, principal: Principal | None) -> str | None:
    """Return whom a limit counts a principal's request for; None if it is not about them."""
    if rate.key == "endpoint":
        return ""
    if principal is None:
        return None
    if rate.key == "user":
        return principal.name
    return rate.principal if rate.principal in world.directory.names(principal.name) else None


@lru_cache(maxsize=1024)
def rates_of(setting: str) -> tuple[Rate, ...]:
    """Read the rate limits of a setting, a list of them or an AI Gateway; those of tokens are left out."""
    kept = json.loads(setting) if setting else []
    entries = kept.get("rate_limits", []) if isinstance(kept, dict) else kept
    return tuple(
        Rate(entry["calls"], entry.get("key", "endpoint"), entry.get("principal", ""))
        for entry in entries
        if "calls" in entry
    )
