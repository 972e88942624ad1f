"""Trouble that somebody ordered: for the next deployments of an endpoint, or of any."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from servesim.core.commands import AddFault, RemoveFault
    from servesim.core.workspace import Workspace

FAULT_LIMIT = 1_000
"""More orders than this do not wait at once."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, where, and how often; a None is any."""

    effect: str
    """``fail`` with a message, ``delay`` by a time, or ``hang`` until the deployment's own time limit."""
    endpoint: str | None = None
    entity: str | None = None
    message: str = ""
    delay_ms: int = 0
    times: int = 1


def add(world: Workspace, command: AddFault) -> int:
    """Order a fault and return its number; raise FAULT_LIMIT."""
    if len(world.faults) >= FAULT_LIMIT:
        raise Rejected(Code.FAULT_LIMIT, limit=FAULT_LIMIT)
    world.faults_ordered += 1
    world.faults[world.faults_ordered] = command.fault
    world.note("fault ordered", command.fault.endpoint or "", command.fault.entity or "", command.fault.effect)
    return world.faults_ordered


def remove(world: Workspace, command: RemoveFault) -> None:
    """Take an order back; raise FAULT_MISSING."""
    if world.faults.pop(command.number, None) is None:
        raise Rejected(Code.FAULT_MISSING, number=command.number)


def take(world: Workspace, endpoint: str, entity: str) -> Fault | None:
    """Return the oldest order that a new deployment fits, and use it up by one."""
    for number, fault in world.faults.items():
        if fault.endpoint in {None, endpoint} and fault.entity in {None, entity}:
            if fault.times > 1:
                world.faults[number] = replace(fault, times=fault.times - 1)
            else:
                del world.faults[number]
            world.note("fault", endpoint, entity, f"{fault.effect}: {fault.message}" if fault.message else fault.effect)
            return fault
    return None
