"""The GA endpoint: an active config, perhaps a pending one, and the table of how one becomes the other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.core.commands import ConfigRequest, EntitySpec, Route
from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servesim.core.access import Grantee, Level, Principal
    from servesim.core.deployment import Deployment
    from servesim.core.draws import Stream
    from servesim.core.eventlog import LogLine
    from servesim.core.faults import Fault
    from servesim.core.profile import Profile
    from servesim.core.timeline import Timer

NOTHING: Mapping[Any, Any] = MappingProxyType({})

EVENTS_KEPT = 64
"""Events of an endpoint: ours, how many the service keeps is not known."""
DEPLOYED_KEPT = 64

WHOLE = 100
"""The shares of a config add up to this, in percent."""


class EndpointPhase(StrEnum):
    """Which configs an endpoint has and how its last update went."""

    EMPTY = "empty"
    CREATING = "creating"
    CREATE_FAILED = "create failed"
    CREATE_CANCELED = "create canceled"
    SERVING = "serving"
    UPDATING = "updating"
    UPDATE_FAILED = "update failed"
    UPDATE_CANCELED = "update canceled"
    STOPPED = "stopped"
    STARTING = "starting"
    DELETED = "deleted"


class EndpointSignal(StrEnum):
    """What can happen to an endpoint."""

    PUT_CONFIG = "put config"
    SWITCH = "all entities ready"
    FAIL = "an entity failed"
    CANCEL = "cancel update"
    STOP = "stop"
    START = "start"
    DELETE = "delete"


_STARTS_CREATE = (EndpointPhase.EMPTY, EndpointPhase.CREATE_FAILED, EndpointPhase.CREATE_CANCELED)
_STARTS_UPDATE = (EndpointPhase.SERVING, EndpointPhase.UPDATE_FAILED, EndpointPhase.UPDATE_CANCELED)

TABLE: dict[tuple[EndpointPhase, EndpointSignal], EndpointPhase] = {
    **{(phase, EndpointSignal.PUT_CONFIG): EndpointPhase.CREATING for phase in _STARTS_CREATE},
    **{(phase, EndpointSignal.PUT_CONFIG): EndpointPhase.UPDATING for phase in _STARTS_UPDATE},
    **{(phase, EndpointSignal.STOP): EndpointPhase.STOPPED for phase in _STARTS_UPDATE},
    (EndpointPhase.STOPPED, EndpointSignal.PUT_CONFIG): EndpointPhase.STOPPED,
    (EndpointPhase.STOPPED, EndpointSignal.START): EndpointPhase.STARTING,
    (EndpointPhase.STARTING, EndpointSignal.SWITCH): EndpointPhase.SERVING,
    (EndpointPhase.STARTING, EndpointSignal.FAIL): EndpointPhase.UPDATE_FAILED,
    (EndpointPhase.STARTING, EndpointSignal.CANCEL): EndpointPhase.UPDATE_CANCELED,
    (EndpointPhase.CREATING, EndpointSignal.SWITCH): EndpointPhase.SERVING,
    (EndpointPhase.CREATING, EndpointSignal.FAIL): EndpointPhase.CREATE_FAILED,
    (EndpointPhase.CREATING, EndpointSignal.CANCEL): EndpointPhase.CREATE_CANCELED,
    (EndpointPhase.UPDATING, EndpointSignal.SWITCH): EndpointPhase.SERVING,
    (EndpointPhase.UPDATING, EndpointSignal.FAIL): EndpointPhase.UPDATE_FAILED,
    (EndpointPhase.UPDATING, EndpointSignal.CANCEL): EndpointPhase.UPDATE_CANCELED,
    **{
        (phase, EndpointSignal.DELETE): EndpointPhase.DELETED
        for phase in EndpointPhase
        if phase is not EndpointPhase.DELETED
    },
}

IN_TRANSITION = frozenset({EndpointPhase.CREATING, EndpointPhase.UPDATING, EndpointPhase.STARTING})


@dataclass(frozen=True, slots=True)
class ServedEntity:
    """A served entity of a config and the deployment that serves it."""

    spec: EntitySpec
    deployment_id: str
    creator: Principal
    created: int


@dataclass(frozen=True, slots=True)
class Config:
    """A numbered config: its entities by name, its shares, and since when."""

    version: int
    entities: tuple[ServedEntity, ...]
    routes: tuple[Route, ...]
    started: int
    auto_capture: str = ""
    """The older inference table, as JSON; empty for none."""

    def find(self, name: str) -> ServedEntity | None:
        """Return the entity of that name."""
        for entity in self.entities:
            if entity.spec.name == name:
                return entity
        return None

    def on(self, deployment_ids: list[str]) -> Config:
        """Return the same config served by other deployments, in the order of its entities."""
        pairs = zip(self.entities, deployment_ids, strict=True)
        return replace(self, entities=tuple(replace(entity, deployment_id=found) for entity, found in pairs))

    def deployment_ids(self) -> list[str]:
        """List what serves it, in the order of its entities."""
        return [entity.deployment_id for entity in self.entities]


class Deployed(NamedTuple):
    """Which deployment served an entity of a config."""

    version: int
    entity: str
    deployment: Deployment


@dataclass(slots=True, eq=False, weakref_slot=True)
class Endpoint:
    """One endpoint; a recreated one of the same name is another, with another id."""

    id: str
    name: str
    creator: Principal
    created: int
    updated: int
    route_stream: Stream
    description: str = ""
    route_optimized: bool = False
    # These three are replaced, never changed in place: ten thousand endpoints share what is alike.
    tags: Mapping[str, str | None] = field(default_factory=lambda: NOTHING)
    settings: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """JSON by the name of its field, for what is only kept: ``ai_gateway``, ``rate_limits``, …"""
    acl: Mapping[Grantee, Level] = field(default_factory=lambda: NOTHING)
    phase: EndpointPhase = EndpointPhase.EMPTY
    active: Config | None = None
    pending: Config | None = None
    settling: Timer | None = None
    """Set while an update that had nothing to deploy takes its time all the same."""
    fault: Fault | None = None
    """The trouble that was ordered for such an update."""
    versions: int = 0
    """How many configs were ever asked for."""
    requests: int = 0
    """How many requests the split has routed: the ordinal of the next draw."""
    revision: int = 0
    """Grows with every change that a reader could see."""
    events: tuple[LogLine, ...] = ()
    """What happened to it and its deployments, the oldest first."""
    deployed: tuple[Deployed, ...] = ()
    """Who served which entity of which config, kept for their logs; the oldest first."""
    levels: dict[str, Level | None] | None = None
    """What principals may do, worked out for ``levels_as_of``: a revision of the directory."""
    levels_as_of: int = -1

    @property
    def in_transition(self) -> bool:
        """Whether time alone will change it."""
        return self.phase in IN_TRANSITION


def check_config(request: ConfigRequest, profile: Profile) -> tuple[Route, ...]:
    """Return the routes of a config that is sound in itself; raise Rejected otherwise."""
    if not request.entities:
        raise Rejected(Code.ENTITIES_MISSING)
    if len(request.entities) > profile.entity_limit:
        raise Rejected(Code.ENTITY_LIMIT, count=len(request.entities), limit=profile.entity_limit)
    names = [entity.name for entity in request.entities]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise Rejected(Code.DUPLICATE_ENTITY, entity=twice[0])
    for entity in request.entities:
        if len(entity.environment) > profile.environment_limit:
            raise Rejected(
                Code.ENVIRONMENT_LIMIT,
                entity=entity.name,
                count=len(entity.environment),
                limit=profile.environment_limit,
            )
    if request.routes is None:
        return _default_route(names)
    _check_routes(request.routes, names)
    return request.routes


def _default_route(names: list[str]) -> tuple[Route, ...]:
    if len(names) > 1:
        raise Rejected(Code.ROUTES_MISSING, entities=sorted(names))
    return (Route(names[0], WHOLE),)


def _check_routes(routes: tuple[Route, ...], names: list[str]) -> None:
    seen: set[str] = set()
    for route in routes:
        if route.entity not in names:
            raise Rejected(Code.ROUTE_UNKNOWN, route=route.entity, entities=sorted(names))
        if route.entity in seen:
            raise Rejected(Code.DUPLICATE_ROUTE, route=route.entity)
        seen.add(route.entity)
    total = sum(route.percentage for route in routes)
    if total != WHOLE:
        raise Rejected(Code.TRAFFIC_SUM, total=total)
