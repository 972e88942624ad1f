"""What a model answers, before any transport adds to it."""

from typing import NamedTuple


class Answer(NamedTuple):
    """One answer of the scoring layer: HTTP status, content type and the exact bytes of the body."""

    status: int
    content_type: str
    body: bytes
