"""locust users that send scoring requests; a locust file makes a subclass of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from locust import FastHttpUser, task

from servesim.load.calls import AGAIN, LONGEST_S, TOO_MANY, told_to_wait
from servesim.load.work import ATTEMPT, FORM
from servesim.service.clock import rest, wall_second

if TYPE_CHECKING:
    from servesim.load.process import Process
    from servesim.load.work import Work
    from servesim.payloads.encode import Payload

PATIENCE_S = 60.0
"""For which a user waits to be told what to send."""


class ScoringUser(FastHttpUser):  # type: ignore[misc]  # locust is read as Any
    """Sends requests, each in the next of the formats, and counts them."""

    abstract = True
    insecure = False  # a token is sent to nobody who can't prove who they are
    network_timeout = LONGEST_S
    connection_timeout = 30.0

    def on_start(self) -> None:
        """Wait for what is to be sent."""
        self.process: Process = self.environment.servesim
        self.work: Work = self.process.await_work(PATIENCE_S)
        token = os.environ.get("DATABRICKS_TOKEN", "").strip()
        self.sent_headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.next_payload = self.process.next_number()

    @property
    def path(self) -> str:
        """Where its requests go."""
        return self.work.path

    def send(self) -> int:
        """Send the next request and return the status of the last attempt; 0 if there was no answer."""
        payload = self.work.payloads[self.next_payload % len(self.work.payloads)]
        self.next_payload += 1
        for attempt in range(1, self.work.settings.retries + 2):
            response = self._post(payload, attempt)
            status = int(response.status_code or 0)
            if status not in AGAIN or attempt > self.work.settings.retries:
                break
            rest(told_to_wait(response.headers))
        return status

    def _post(self, payload: Payload, attempt: int) -> Any:
        second = wall_second()
        self.process.tally.begin(second)
        response = self.client.post(
            self.path,
            data=payload.body,
            headers={**self.sent_headers, "Content-Type": payload.content_type},
            name=f"invocations, {payload.format}",
            context={ATTEMPT: attempt, FORM: payload.format},
        )
        self.process.tally.end(second)  # not if the user is killed: what it waited for then is never known
        return response


class LoopingUser(ScoringUser):
    """Sends one request after the other, no faster than answers come."""

    abstract = True

    @task  # type: ignore[untyped-decorator]  # as above
    def score(self) -> None:
        """Send the next request; who is refused breathes before the one after it. None is sent once the run ends."""
        if self.process.drains or self.send() == TOO_MANY:
            rest(self.process.breath_s)


class TurningUser(LoopingUser):
    """Every other one asks the surface that retires in place of the endpoint; each takes a breath between requests."""

    abstract = True

    def on_start(self) -> None:
        """Choose where to send."""
        super().on_start()
        self.retires = self.next_payload % 2 == 0

    @property
    def path(self) -> str:
        """Where its requests go."""
        return self.work.retiring_path if self.retires else self.work.path

    @task  # type: ignore[untyped-decorator]  # as above
    def score(self) -> None:
        """Send the next request; none is sent once the run ends."""
        if not self.process.drains:
            self.send()
        rest(self.process.breath_s)


class BurstingUser(ScoringUser):
    """Sends one request in each round, at the same instant as all others."""

    abstract = True

    @task  # type: ignore[untyped-decorator]  # as above
    def score(self) -> None:
        """Wait for the next round; locust can end the user now and then."""
        if self.process.take_part(self):
            self.send()
