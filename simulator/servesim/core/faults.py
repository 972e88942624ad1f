"""Trouble that somebody ordered: which deployments and requests it strikes, when, and how often.

Rules: an order counts every request that it matches; skip, share and times decide by that count alone, so no order
changes what another one draws; of the orders of one kind that would strike a request the oldest does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from servesim.core.errors import Code, Rejected
from servesim.core.spread import Spread

if TYPE_CHECKING:
    from servesim.core.commands import AddFault, RemoveFault
    from servesim.core.draws import Stream
    from servesim.core.timeline import Timer
    from servesim.core.workspace import Workspace

FAULT_LIMIT = 1_000
"""More orders than this do not wait at once, and no more are remembered once they are used up."""

DEPLOYMENT = "deployment"
QUERY = "query"
OF_MODELS = {"model-endpoint": "query_preview_version", "model": "query_legacy_version"}
"""The operations that score with a registered model, by what the names of their endpoints begin with."""
QUERIES = ("query_endpoint", "query_served_entity", *OF_MODELS.values())
"""The operations that are meant by a query."""
STALE_READS = ("get_endpoint", "list_endpoints", "get_permissions")
"""The operations whose answer can be an old one."""
OF_DEPLOYMENTS = ("fail", "delay", "hang")
OF_QUERIES = ("crash", "skew")
EFFECTS = (
    *OF_DEPLOYMENTS,
    "status",
    *OF_QUERIES,
    "reset",
    "truncate",
    "garble",
    "lose_reply",
    "stale",
    "expire_token",
)
UNHEARD = frozenset({"reset", "expire_token"})
"""Effects of which the world hears nothing: a request that they strike is not let in."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, where, when and how often; a None is any."""

    effect: str
    """One of EFFECTS: what becomes of a deployment or an update, of a request, or of its answer."""
    endpoint: str | None = None
    entity: str | None = None
    message: str = ""
    delay_ms: int = 0
    """Of a delay, or its median."""
    times: int | None = 1
    """How often it strikes; None for ever."""
    operation: str | None = DEPLOYMENT
    """A contract's operation, ``query`` or ``deployment``; None is every operation."""
    principal: str | None = None
    delay_p99_ms: int = 0
    """Of a delay that is drawn; 0 for one that is always the same."""
    skip: int = 0
    """How many it lets by first."""
    after: int | None = None
    before: int | None = None
    """The instants between which it matches; the second is not one of them."""
    share: float | None = None
    """With which probability it strikes what it matches."""
    status: int = 0
    error_code: str = ""
    body: str | None = None
    """Of the answer in place of the service's own error."""
    headers: tuple[tuple[str, str], ...] = ()
    cut_at: int | None = None
    """How many bytes of a truncated body are sent; None for half of them."""
    lag_ms: int | None = None
    """How old a stale answer is; None for what was so before the last change."""
    split: tuple[tuple[str, int], ...] = ()
    """What the router deals by instead, in whole percent."""


class Asked(NamedTuple):
    """A request, or a deployment, as orders are held against it."""

    operation: str
    endpoint: str
    entity: str
    principal: str
    entities: frozenset[str] = frozenset()
    """Those among which the router chooses."""


@dataclass(slots=True, eq=False)
class Order:
    """A fault that was ordered, and how it fared."""

    number: int
    fault: Fault
    chance: Stream
    work: Stream
    matched: int = 0
    struck: int = 0

    @property
    def left(self) -> int | None:
        """How often it strikes yet; None for ever."""
        return None if self.fault.times is None else self.fault.times - self.struck

    def standing(self) -> Fault:
        """Return the fault with the times that are left."""
        return replace(self.fault, times=self.left)

    def fits(self, asked: Asked, now: int) -> bool:
        """Tell whether it is about a request."""
        fault = self.fault
        if (fault.endpoint or asked.endpoint) != asked.endpoint or (fault.entity or asked.entity) != asked.entity:
            return False  # most that do not fit are of another place
        if (fault.after is not None and now < fault.after) or (fault.before is not None and now >= fault.before):
            return False
        return (
            (fault.principal or asked.principal) == asked.principal
            and fault.operation in {None, asked.operation, QUERY if asked.operation in QUERIES else asked.operation}
            and (fault.effect != "stale" or asked.operation in STALE_READS)
            and (fault.effect != "skew" or {entity for entity, share in fault.split if share} <= asked.entities)
        )

    def would_strike(self) -> bool:
        """Tell whether the next request that it matches is one to strike."""
        fault = self.fault
        if self.matched < fault.skip or (fault.times is not None and self.struck >= fault.times):
            return False
        return fault.share is None or self.chance.fraction(self.matched + 1) < fault.share

    def delay(self) -> int:
        """Draw how long what it strikes now takes longer, in milliseconds."""
        return Spread(self.fault.delay_ms, self.fault.delay_p99_ms).drawn(self.work, self.struck)


@dataclass(slots=True, eq=False)
class Wait:
    """A call of the control plane that an order delays."""

    number: int
    fault: int
    timer: Timer
    over: bool = False


@dataclass(slots=True, eq=False)
class Faults:
    """The orders of one workspace."""

    orders: dict[int, Order] = field(default_factory=dict)
    """What is still to come, by number, the oldest first."""
    used: deque[Order] = field(default_factory=lambda: deque(maxlen=FAULT_LIMIT))
    """What is used up, the oldest first."""
    ordered: int = 0
    deployments: list[Order] = field(default_factory=list)
    queries: list[Order] = field(default_factory=list)
    calls: list[Order] = field(default_factory=list)
    """Those that could strike a deployment, a scoring request, and a call of the control plane."""
    skews: list[Order] = field(default_factory=list)
    """Those of the scoring requests' that have the router deal otherwise."""
    waits: dict[int, Wait] = field(default_factory=dict)
    """Calls of the control plane that are delayed, by number."""
    waited: int = 0

    def sort(self) -> None:
        """Work out which orders could strike what."""
        orders = self.orders.values()
        self.deployments = [one for one in orders if one.fault.operation == DEPLOYMENT]
        others = [one for one in orders if one.fault.operation != DEPLOYMENT]
        self.queries = [one for one in others if _is_of_queries(one.fault)]
        self.calls = [one for one in others if _is_of_calls(one.fault)]
        self.skews = [one for one in self.queries if one.fault.effect == "skew"]


def _is_of_queries(fault: Fault) -> bool:
    return fault.operation in {None, QUERY, *QUERIES} and fault.effect != "stale"


def _is_of_calls(fault: Fault) -> bool:
    return fault.operation not in {QUERY, *QUERIES} and fault.effect not in OF_QUERIES


def add(world: Workspace, command: AddFault) -> int:
    """Order a fault and return its number; raise FAULT_LIMIT."""
    faults, fault = world.faults, command.fault
    if len(faults.orders) >= FAULT_LIMIT:
        raise Rejected(Code.FAULT_LIMIT, limit=FAULT_LIMIT)
    faults.ordered += 1
    number = str(faults.ordered)
    chance, work = world.draws.stream("fault", number), world.draws.stream("fault delay", number)
    faults.orders[faults.ordered] = Order(faults.ordered, fault, chance, work)
    faults.sort()
    world.note("fault ordered", fault.endpoint or "", fault.entity or "", fault.effect)
    return faults.ordered


def remove(world: Workspace, command: RemoveFault) -> None:
    """Take an order back; raise FAULT_MISSING."""
    if world.faults.orders.pop(command.number, None) is None:
        raise Rejected(Code.FAULT_MISSING, number=command.number)
    world.faults.sort()


def unused(world: Workspace) -> list[Order]:
    """List the orders that have struck nothing, the oldest first."""
    return [order for order in world.faults.orders.values() if not order.struck]
