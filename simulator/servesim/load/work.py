"""What users send, and how their requests come into the tally; the same in every process that has users."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.load.calls import scoring_path
from servesim.load.settings import HEADER, Settings, changed
from servesim.load.tally import GOOD, NO_ANSWER, Sent, Tally
from servesim.payloads.encode import Payload
from servesim.service.clock import wall_second

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCORING = re.compile(
    r"/(?:serving-endpoints/([^/?#]+)|((?:model|model-endpoint)/[^/?#]+)/[^/?#]+)/invocations(?:[?#]|$)"
)
"""Of Model Serving with the endpoint, or of the retired surfaces with what the event log calls one of theirs."""
ATTEMPT, FORM = "servesim_attempt", "servesim_format"
"""Keys of locust's context of a request; one without them is a first attempt."""


class Work(NamedTuple):
    """What the users of a test are to do."""

    settings: Settings
    payloads: tuple[Payload, ...]

    @property
    def path(self) -> str:
        """The path of the scoring requests."""
        return scoring_path(self.settings.endpoint)

    @property
    def retiring_path(self) -> str:
        """The path of those to the surface that retires."""
        return f"/{self.settings.retiring}/invocations"

    def as_message(self) -> dict[str, Any]:
        """Return it as a message to workers."""
        return {"settings": self.settings.as_json(), "payloads": [list(payload) for payload in self.payloads]}


def work_of(message: Mapping[str, Any]) -> Work:
    """Read such a message."""
    payloads: Sequence[Sequence[Any]] = message["payloads"]
    return Work(changed(Settings(), message["settings"]), tuple(Payload(*payload) for payload in payloads))


class Counting:
    """Counts the scoring requests of one process, whoever sends them."""

    def __init__(self, tally: Tally, header: str = HEADER) -> None:
        """Count into a tally; the header's value names the entity that answered."""
        self.tally = tally
        self.header = header
        self.only = ""
        """The one endpoint whose requests are counted; all are if there is none."""

    def on_request(self, **event: Any) -> None:
        """Count a request that locust reports as ended."""
        found = SCORING.search(event.get("url") or event.get("name") or "")
        if found is None or (self.only and found[1] != self.only):
            return
        endpoint = found[1] or found[2]
        context = event.get("context") or {}
        response, failed = event.get("response"), event.get("exception") is not None
        status = int(getattr(response, "status_code", 0) or NO_ANSWER)
        sent = Sent(
            None if failed or status not in GOOD else self._entity(response),
            status,
            int(context.get(ATTEMPT, 1)) > 1,
        )
        second = int(event.get("start_time") or wall_second())
        self.tally.count(second, sent, event["response_time"] or 0.0, str(context.get(FORM, "")), endpoint)

    def _entity(self, response: Any) -> str | None:
        headers = getattr(response, "headers", None)
        return headers.get(self.header) if headers else None
