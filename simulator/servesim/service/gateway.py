"""The data plane: a request is admitted, perhaps held, and answered by its model."""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from servesim.core import capacity
from servesim.core.commands import Finish, GiveUp, WorkerDied
from servesim.core.deployment import Phase
from servesim.core.errors import Code, Rejected
from servesim.core.model_requests import named
from servesim.core.routing import Ticket, TicketState
from servesim.core.striking import could_strike
from servesim.generations.ga_texts import TEXTS
from servesim.models import pool_types
from servesim.models.answer import Answer, refusal
from servesim.models.host import AT_ONCE_BYTES
from servesim.models.senders import ModelAtWork
from servesim.payloads.refusal import Refused
from servesim.service import injected
from servesim.service.vault import Unresolved

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.core.access import Principal
    from servesim.core.deployment import Deployment
    from servesim.core.model_endpoint_commands import AdmitVersion
    from servesim.core.workspace import Workspace
    from servesim.models.host import ModelHost
    from servesim.payloads.protocol import Protocol
    from servesim.service.clock import Clock
    from servesim.service.vault import Vault


_T = TypeVar("_T")


def _is_at_hand(world: Workspace, deployment: Deployment) -> bool:
    """Tell whether a deployment is a stub that is ready and has room."""
    model = deployment.model
    if deployment.phase is not Phase.READY or model.kind != "stub" or model.service_time is not None:
        return False
    return not deployment.held and capacity.has_slot(world, deployment)


class Gateway:
    """Answers the requests of one workspace: ``admit`` each of them, then ``answer`` it."""

    def __init__(self, clock: Clock, models: ModelHost, vault: Vault) -> None:
        """Answer on this clock with these models; ``vault`` has the secrets of their environments."""
        self._clock = clock
        self._models = models
        self._vault = vault

    def admit(
        self, endpoint: str, entity: str | None = None, principal: Principal | None = None, *, at_once: bool = False
    ) -> Ticket:
        """Let a request in, to be answered, held or refused; raise Rejected if it does not even get that far.

        ``at_once`` is for one that `waits_for_nothing`.
        """
        return self._clock.admit(endpoint, entity, principal, at_once=at_once)

    def admit_version(self, command: AdmitVersion, place: str, *, at_once: bool = False) -> Ticket:
        """Let a request in to a version of a model that a retired generation serves; else as ``admit``."""
        return self._clock.admit_version(command, place, at_once=at_once)

    def waits_for_nothing(self, endpoint: str, size: int, principal: Principal) -> bool:
        """Tell whether `answer_now` answers whatever `admit` lets in now: every deployment is a stub that is ready.

        ``size`` is the body's, in bytes.
        """
        if self._clock.healing.awaits((endpoint, principal)):
            return False
        self._clock.now()
        world = self._clock.workspace
        found = world.endpoints.get(endpoint)
        if found is None or found.active is None:
            return False
        if size > AT_ONCE_BYTES or size > world.profile.payload_limit_bytes:
            return False
        for entity in found.active.entities:
            if not _is_at_hand(world, world.deployments[entity.deployment_id]):
                return False
        return not (world.faults.queries and could_strike(world, endpoint))

    def at_hand(self, command: AdmitVersion, place: str, size: int) -> Deployment | None:
        """Return who answers a request to a version of a model, if that `waits_for_nothing`; None if it may wait."""
        if self._clock.healing.awaits((place, command.principal)):
            return None
        self._clock.now()
        world = self._clock.workspace
        endpoint = world.model_endpoints.get((command.generation, command.model))
        served = None if endpoint is None else named(endpoint, command)
        if endpoint is None or served is None or not _is_at_hand(world, served.deployment):
            return None
        if size > AT_ONCE_BYTES or size > world.profile.payload_limit_bytes:
            return None
        return None if world.faults.queries and could_strike(world, endpoint.name) else served.deployment

    async def answer(
        self, ticket: Ticket, body: bytes, content_type: str | None, protocol: Protocol | None = None
    ) -> Answer:
        """Answer a request that was admitted; raise Rejected or HeldTooLong.

        ``protocol`` is what client and model speak, where it is not the newest one.
        """
        if ticket.state is TicketState.HELD:
            await self._clock.hold(ticket)
        if ticket.refusal is not None:
            raise ticket.refusal
        if ticket.struck is not None and injected.crashes(ticket.struck):
            raise self._failed(ticket, injected.CRASHED)
        answer = None if protocol else self.answer_now(ticket, body, content_type)
        if answer is None:
            try:
                answer = await self._spoken(ticket, body, content_type, protocol)
            except BaseException as error:
                self._broken_off(ticket, error)
                raise
            self._clock.end(Finish(ticket.number, answer.status))
        if ticket.state is TicketState.ANSWERED:
            await self._clock.hold(ticket)
        if ticket.refusal is not None:
            raise ticket.refusal
        return answer

    async def _spoken(self, ticket: Ticket, body: bytes, content_type: str | None, protocol: Protocol | None) -> Answer:
        """Return a model's answer in the protocol of its client."""
        if protocol is None:
            return await self._real(ticket, body, content_type)
        if ticket.struck is not None and (ordered := injected.instead(ticket.struck)) is not None:
            return ordered
        try:
            asked = await self._translated(len(body), partial(protocol.request, body, content_type))
        except Refused as refused:
            return refusal(refused)
        answer = self._models.answer_now(ticket.deployment.model, asked.body, asked.content_type)
        if answer is None:
            answer = await self._real(ticket, asked.body, asked.content_type)
        told = partial(protocol.outcome, answer.status, answer.body, asked.form)
        status, body = await self._translated(len(answer.body), told)
        return answer._replace(status=status, body=body)

    async def _translated(self, size: int, work: Callable[[], _T]) -> _T:
        """Return what a translation comes to; a thread does that of a large body."""
        if size <= AT_ONCE_BYTES:
            return work()
        translated: _T = await self._models.call(work)
        return translated

    async def heal(self, endpoint: str, principal: Principal | None) -> None:
        """Move time to where a request is let in, if the last like it was refused for now only."""
        if self._clock.healing.awaits((endpoint, principal)):
            await self._clock.healing.healed((endpoint, principal))

    def answer_now(self, ticket: Ticket, body: bytes, content_type: str | None) -> Answer | None:
        """Answer a request that runs and whose model is a stub; None for any other."""
        if ticket.state is not TicketState.RUNNING:
            return None
        try:
            answer = injected.instead(ticket.struck) if ticket.struck is not None else None
            if answer is None:
                answer = self._models.answer_now(ticket.deployment.model, body, content_type)
        except BaseException as error:
            self._broken_off(ticket, error)
            raise
        if answer is not None:
            self._clock.end(Finish(ticket.number, answer.status))
        return answer

    def _broken_off(self, ticket: Ticket, error: BaseException) -> None:
        if ticket.state is TicketState.RUNNING:
            self._clock.end(GiveUp(ticket.number, type(error).__name__))

    async def _real(self, ticket: Ticket, body: bytes, content_type: str | None) -> Answer:
        deployment = ticket.deployment
        try:
            environment = self._vault.environment(deployment.id, deployment.spec.environment)
        except Unresolved as error:
            raise self._failed(ticket, pool_types.LoadFailed(str(error), "")) from error
        awaited = self._clock.holds.awaited_by(ticket)
        sender = ModelAtWork(awaited) if awaited else None
        work = asyncio.ensure_future(self._models.answer(deployment.model, environment, body, content_type, sender))
        try:
            outcome = await self._clock.race(ticket, work)
        finally:
            work.cancel()
        if ticket.refusal is not None:
            raise ticket.refusal
        if isinstance(outcome, Answer):
            return self._without_secrets(deployment, outcome)
        raise self._failed(ticket, outcome)

    def _without_secrets(self, deployment: Deployment, answer: Answer) -> Answer:
        """Return an answer as it may be shown: what a model fails with can quote its environment."""
        if answer.status < HTTPStatus.BAD_REQUEST or not self._vault.has_secrets(deployment.id):
            return answer
        return answer._replace(body=self._vault.scrub(answer.body.decode(errors="replace")).encode())

    def _failed(self, ticket: Ticket, outcome: object) -> Rejected:
        """Return why a model gave no answer: its worker ended, hung, cannot load it, or has too much to do."""
        match outcome:
            case pool_types.TimedOut(cap_s):
                refused = Rejected(Code.EXECUTION_LIMIT, limit_ms=round(cap_s * 1000))
            case pool_types.QueueFull():
                refused = Rejected(Code.QUEUE_FULL)
            case pool_types.LoadFailed(reason):
                refused = Rejected(Code.RELOAD_FAILED, entity=ticket.entity, reason=self._vault.scrub(reason))
            case _:
                refused = Rejected(Code.WORKER_ENDED, entity=ticket.entity)
        self._clock.end(GiveUp(ticket.number, self._vault.scrub(str(outcome)), TEXTS[refused.code].status))
        if refused.code is Code.WORKER_ENDED:
            self._clock.execute(WorkerDied(ticket.deployment.id))
        return refused
