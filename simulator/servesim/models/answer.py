"""What a model answers, before any transport adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from servesim.payloads.refusal import Refused


class Answer(NamedTuple):
    """One answer of the scoring layer: HTTP status, content type and the exact bytes of the body."""

    status: int
    content_type: str
    body: bytes
    grade: str = "recorded"
    """How it is known: what MLflow's own functions make of a request has been recorded."""


def refusal(refused: Refused) -> Answer:
    """Return a refusal as an answer."""
    return Answer(refused.status, refused.content_type, refused.body(), refused.evidence)
