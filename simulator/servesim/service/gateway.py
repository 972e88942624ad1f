"""The data plane: a request is admitted, perhaps held, answered by its model, and recorded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from servesim.core.commands import Finish, GiveUp, WorkerDied
from servesim.core.errors import Code, Rejected
from servesim.core.routing import Ticket, TicketState
from servesim.models import pool_types
from servesim.models.answer import Answer

if TYPE_CHECKING:
    from servesim.models.host import ModelHost
    from servesim.service.clock import Clock


class Served(NamedTuple):
    """An answer and the served entity that gave it."""

    answer: Answer
    entity: str


class Gateway:
    """Answers the requests of one workspace."""

    def __init__(self, clock: Clock, models: ModelHost) -> None:
        """Answer on this clock with these models."""
        self._clock = clock
        self._models = models

    async def invoke(self, endpoint: str, entity: str | None, body: bytes, content_type: str | None) -> Served:
        """Answer a scoring request; raise Rejected or HeldTooLong."""
        ticket = self._clock.admit(endpoint, entity)
        if ticket.state is TicketState.HELD:
            await self._clock.hold(ticket)
        if ticket.refusal is not None:
            raise ticket.refusal
        try:
            answer = self._models.answer_now(ticket.deployment.model, body, content_type)
            if answer is None:
                answer = await self._real(ticket, body, content_type)
        except BaseException as error:
            if ticket.state is TicketState.RUNNING:
                self._clock.end(GiveUp(ticket.number, type(error).__name__))
            raise
        self._clock.end(Finish(ticket.number, answer.status))
        return Served(answer, ticket.entity)

    async def _real(self, ticket: Ticket, body: bytes, content_type: str | None) -> Answer:
        deployment = ticket.deployment
        work = asyncio.ensure_future(
            self._models.answer(deployment.model, deployment.spec.environment, body, content_type)
        )
        try:
            outcome = await self._clock.race(ticket, work)
        finally:
            work.cancel()
        if ticket.refusal is not None:
            raise ticket.refusal
        if isinstance(outcome, Answer):
            return outcome
        raise self._failed(ticket, outcome)

    def _failed(self, ticket: Ticket, outcome: object) -> Rejected:
        """Return why a model gave no answer: its worker ended, hung, cannot load it, or has too much to do."""
        self._clock.end(GiveUp(ticket.number, str(outcome)))
        match outcome:
            case pool_types.TimedOut(cap_s):
                return Rejected(Code.EXECUTION_LIMIT, limit_ms=round(cap_s * 1000))
            case pool_types.QueueFull():
                return Rejected(Code.QUEUE_FULL)
            case pool_types.LoadFailed(reason):
                return Rejected(Code.RELOAD_FAILED, entity=ticket.entity, reason=reason)
            case _:
                self._clock.execute(WorkerDied(ticket.deployment.id))
                return Rejected(Code.WORKER_ENDED, entity=ticket.entity)
