"""What readers of a world could have seen before, for answers that are stale; kept once a fault asks for it.

Rules: what is so is noted before each command that follows, so a moment holds what stood between two commands; it
begins when the first stale fault is ordered, and the oldest of many moments goes.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.generations import ga, ga_permissions

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.core.access import Grantee, Level
    from servesim.core.commands import Command
    from servesim.core.endpoint import Endpoint
    from servesim.core.workspace import Workspace

MOMENTS_KEPT = 1_000


class Seen(NamedTuple):
    """One endpoint as readers saw it."""

    name: str
    revision: int
    document: dict[str, Any]
    summary: dict[str, Any]
    permissions: dict[str, Any]
    acl: tuple[tuple[Grantee, Level], ...]


class Moment(NamedTuple):
    """What stood from an instant on: endpoints by id."""

    since: int
    endpoints: dict[str, Seen]

    def named(self, name: str) -> Seen | None:
        """Return the endpoint of a name."""
        return next((seen for seen in self.endpoints.values() if seen.name == name), None)


class Past:
    """The moments of one world, the oldest first; it sees the commands before they are carried out."""

    def __init__(self, world: Workspace, recorder: Callable[[Command], None] | None = None) -> None:
        """Begin with what is so; ``recorder`` sees the commands as well."""
        self._world = world
        self._recorder = recorder
        self._revision = -1
        self._moments: deque[Moment] = deque(maxlen=MOMENTS_KEPT)
        self.note()

    def __call__(self, command: Command) -> None:
        """Keep what is so before a command changes it."""
        self.note()
        if self._recorder is not None:
            self._recorder(command)

    def note(self) -> None:
        """Keep what is so, if it is something else than before."""
        world = self._world
        if world.revision == self._revision:
            return
        self._revision = world.revision
        before = self._moments[-1].endpoints if self._moments else {}
        endpoints = {key: _seen(world, endpoint, before.get(key)) for key, endpoint in world.by_id.items()}
        self._moments.append(Moment(world.timeline.now, endpoints))

    def find(self, lag_ms: int | None, part: Callable[[Moment], Any]) -> Any:
        """Return a part of what was so a time ago; without a lag, what it was before it last changed."""
        self.note()
        if lag_ms is not None:
            instant = self._world.timeline.now - lag_ms
            older = (moment for moment in reversed(self._moments) if moment.since <= instant)
            return part(next(older, self._moments[0]))
        present = part(self._moments[-1])
        parts = (part(moment) for moment in reversed(self._moments))
        return next((found for found in parts if found != present), present)

    def name_of(self, endpoint_id: str) -> str:
        """Return the name that an endpoint of this id has or had; empty if there was none."""
        found = (moment.endpoints.get(endpoint_id) for moment in reversed(self._moments))
        return next((seen.name for seen in found if seen is not None), "")


def _seen(world: Workspace, endpoint: Endpoint, before: Seen | None) -> Seen:
    if before is not None and before.revision == endpoint.revision:
        return before
    return Seen(
        endpoint.name,
        endpoint.revision,
        ga.render_endpoint(world, endpoint),
        ga.render_summary(world, endpoint),
        ga_permissions.render_permissions(world, endpoint),
        tuple(endpoint.acl.items()),
    )


def watch(world: Workspace) -> Past:
    """Keep the past of a world from now on; return it."""
    if not isinstance(world.recorder, Past):
        world.recorder = Past(world, world.recorder)
    return world.recorder
