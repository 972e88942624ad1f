"""How ordered faults strike: deployments, scoring requests, and calls of the control plane."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from servesim.core.commands import Alarm, Due
from servesim.core.faults import DEPLOYMENT, OF_MODELS, QUERIES, UNHEARD, Asked, Wait

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servesim.core.access import Principal
    from servesim.core.commands import EndWait, Strike
    from servesim.core.endpoint import Config
    from servesim.core.faults import Fault, Order
    from servesim.core.routing import Ticket
    from servesim.core.workspace import Workspace

_ANSWER = "answer"


class Struck(NamedTuple):
    """What strikes one request: a delay, another split and one that changes its answer, each at most once."""

    numbers: tuple[int, ...]
    effects: tuple[str, ...]
    """Of each number."""
    fault: Fault | None
    """What becomes of its answer; None if it is the usual one."""
    delay_ms: int = 0
    wait: Wait | None = None
    """What a call of the control plane waits for."""

    @property
    def lets_in(self) -> bool:
        """Whether the world hears of the request."""
        return self.fault is None or self.fault.effect not in UNHEARD


def strike(world: Workspace, orders: Iterable[Order], asked: Asked) -> dict[str, Order]:
    """Count a request at every order that matches it; return those that strike it, the oldest of each kind.

    A delay and a skew of a request are kinds of their own, and everything else is of its answer's.
    """
    now = world.timeline.now
    striking: dict[str, Order] = {}
    for order in orders:
        if order.fits(asked, now):
            if order.would_strike():
                striking.setdefault(_kind(asked, order.fault), order)
            order.matched += 1
    for order in striking.values():
        order.struck += 1
        what = f"{order.fault.effect}: {order.fault.message}" if order.fault.message else order.fault.effect
        world.note("fault", asked.endpoint, asked.entity, what)
        if order.left == 0:
            world.faults.used.append(world.faults.orders.pop(order.number))
            world.faults.sort()
    return striking


def _kind(asked: Asked, fault: Fault) -> str:
    if asked.operation == DEPLOYMENT or fault.effect not in {"delay", "skew"}:
        return _ANSWER
    return fault.effect


def _told(struck: dict[str, Order]) -> Struck | None:
    if not struck:
        return None
    orders = struck.values()
    numbers, effects = tuple(order.number for order in orders), tuple(order.fault.effect for order in orders)
    fault = struck[_ANSWER].fault if _ANSWER in struck else None
    return Struck(numbers, effects, fault, struck["delay"].delay() if "delay" in struck else 0)


# --- deployments ----------------------------------------------------------------------------------


def take(world: Workspace, endpoint: str, entity: str, principal: Principal) -> Fault | None:
    """Return what strikes a new deployment, or an update without one: the oldest order that fits, used up by one."""
    if not world.faults.deployments:
        return None
    struck = strike(world, world.faults.deployments, Asked(DEPLOYMENT, endpoint, entity, principal.name))
    order = struck.get(_ANSWER)
    return replace(order.fault, delay_ms=order.delay()) if order else None


# --- scoring requests -----------------------------------------------------------------------------


def could_strike(world: Workspace, endpoint: str) -> bool:
    """Tell whether an order could strike a scoring request to an endpoint, now or later."""
    now = world.timeline.now
    return any(
        order.fault.endpoint in {None, endpoint} and (order.fault.before is None or now < order.fault.before)
        for order in world.faults.queries
    )


def split_of(
    world: Workspace, endpoint: str, config: Config, principal: Principal | None
) -> tuple[tuple[str, int], ...]:
    """Return the shares by which a skewed router deals a request; none if it is sound. Nothing is counted yet."""
    asked, now = _asked(endpoint, "", config, principal, named=False), world.timeline.now
    fitting = (order for order in world.faults.skews if order.fits(asked, now))
    return next((order.fault.split for order in fitting if order.would_strike()), ())


def strike_request(world: Workspace, ticket: Ticket, config: Config | None) -> bool:
    """Strike a scoring request that is about to be seated; return whether it is let in."""
    seen = config if world.faults.skews else None
    asked = _asked(ticket.endpoint, ticket.entity, seen, ticket.principal, named=ticket.draw is None)
    ticket.struck = struck = _told(strike(world, world.faults.queries, asked))
    if struck is None:
        return True
    ticket.delay_ms = struck.delay_ms
    return struck.lets_in


def _asked(endpoint: str, entity: str, config: Config | None, principal: Principal | None, *, named: bool) -> Asked:
    entities = frozenset(one.spec.name for one in config.entities) if config and not named else frozenset[str]()
    head, of_model, _ = endpoint.partition("/")
    operation = OF_MODELS[head] if of_model else QUERIES[named]
    return Asked(operation, endpoint, entity, principal.name if principal else "", entities)


# --- calls of the control plane -------------------------------------------------------------------


def strike_call(world: Workspace, command: Strike) -> Struck | None:
    """Return what strikes a call of the control plane; a delay begins now."""
    principal = command.principal.name if command.principal else ""
    asked = Asked(command.operation, command.endpoint, command.entity, principal)
    orders = strike(world, world.faults.calls, asked)
    struck = _told(orders)
    if struck is None or not struck.delay_ms:
        return struck
    faults = world.faults
    faults.waited += 1
    timer = world.timeline.schedule(struck.delay_ms, Due(Alarm.CALL_DELAY, "", request=faults.waited))
    faults.waits[faults.waited] = Wait(faults.waited, orders["delay"].number, timer)
    return struck._replace(wait=faults.waits[faults.waited])


def wait_over(world: Workspace, due: Due) -> None:
    """Let a delayed call go on."""
    world.faults.waits.pop(due.request).over = True


def end_wait(world: Workspace, command: EndWait) -> None:
    """Forget a delayed call whose caller is gone; one that goes on already is left as it is."""
    wait = world.faults.waits.pop(command.number, None)
    if wait is not None:
        world.timeline.cancel(wait.timer)
