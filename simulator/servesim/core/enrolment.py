"""How a workspace comes to have the serverless preview: a table of steps, each by whoever may take it (documented)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from servesim.core.access import Principal
    from servesim.core.model_endpoint_commands import MoveEnrolment
    from servesim.core.workspace import Workspace


class Enrolment(StrEnum):
    """How far a workspace has come."""

    NOT_ENROLLED = "not enrolled"
    REQUESTED = "requested"
    ENROLLED = "enrolled"
    TERMS_ACCEPTED = "terms accepted"
    ENABLED = "enabled"


class Step(StrEnum):
    """What brings it further."""

    REQUEST = "request"
    ENROL = "enrol"
    ACCEPT_TERMS = "accept terms"
    ENABLE = "enable"


TABLE: dict[tuple[Enrolment, Step], Enrolment] = {
    (Enrolment.NOT_ENROLLED, Step.REQUEST): Enrolment.REQUESTED,
    (Enrolment.REQUESTED, Step.ENROL): Enrolment.ENROLLED,
    (Enrolment.ENROLLED, Step.ACCEPT_TERMS): Enrolment.TERMS_ACCEPTED,
    (Enrolment.TERMS_ACCEPTED, Step.ENABLE): Enrolment.ENABLED,
}

ADVICE = {
    Enrolment.NOT_ENROLLED: "ask the account team for it (step 'request')",
    Enrolment.REQUESTED: "wait until the workspace is enrolled (step 'enrol', which Databricks takes)",
    Enrolment.ENROLLED: "have a workspace admin accept the terms (step 'accept terms')",
    Enrolment.TERMS_ACCEPTED: "have a workspace admin enable it in the workspace settings (step 'enable')",
}
"""What comes next, by state."""

BY_ADMINS = frozenset({Step.ACCEPT_TERMS, Step.ENABLE})
BY_DATABRICKS = frozenset({Step.ENROL})


def check(world: Workspace) -> None:
    """Raise PREVIEW_DISABLED unless the workspace has the preview."""
    if world.enrolment is not Enrolment.ENABLED:
        raise Rejected(Code.PREVIEW_DISABLED, state=str(world.enrolment), advice=ADVICE[world.enrolment])


def next_of(state: Enrolment) -> Step | None:
    """Return the step that a state waits for."""
    return next((step for known, step in TABLE if known is state), None)


def move(world: Workspace, command: MoveEnrolment) -> Enrolment:
    """Take a step; raise ENROLMENT_STEP for one that is not the next, ENROLMENT_NOT_ADMIN or MEMBER_MISSING."""
    step = command.step
    entered = TABLE.get((world.enrolment, step))
    if entered is None:
        awaited = next_of(world.enrolment)
        raise Rejected(
            Code.ENROLMENT_STEP, step=str(step), state=str(world.enrolment), next=str(awaited) if awaited else "none"
        )
    _check_may(world, step, command.principal)
    world.enrolment = entered
    world.revision += 1
    world.note("serverless preview", "", command.principal.name if command.principal else "", str(entered))
    return entered


def _check_may(world: Workspace, step: Step, principal: Principal | None) -> None:
    if principal is None or world.directory.is_open:
        return
    member = world.directory.find(principal.name)
    if member is None:
        raise Rejected(Code.MEMBER_MISSING, name=principal.name)
    if step in BY_DATABRICKS or (step in BY_ADMINS and not member.is_admin):
        who = "Databricks" if step in BY_DATABRICKS else "a workspace admin"
        raise Rejected(Code.ENROLMENT_NOT_ADMIN, step=str(step), principal=principal.name, who=who)
