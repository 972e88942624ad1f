"""One call: who makes it, where to, and its body within bounds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from servesim.core.errors import Code, Rejected
from servesim.payloads.decode import loads
from servesim.payloads.refusal import Refused

if TYPE_CHECKING:
    from aiohttp import web

    from servesim.service.hub import Session

CONTROL_BODY_LIMIT = 1024 * 1024
"""Bytes of a control-plane body: ours, no limit is published."""


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call with the parameters of its path."""

    request: web.BaseRequest
    session: Session
    parameters: dict[str, str]

    async def json(self) -> Any:
        """Read a control-plane body; raise MALFORMED_BODY or BODY_TOO_LARGE."""
        body = await read_body(self.request, CONTROL_BODY_LIMIT)
        if not body:
            raise Rejected(Code.MALFORMED_BODY, reason="it is empty; send a JSON object")
        try:
            document = loads(body)
        except Refused as refused:
            raise Rejected(Code.MALFORMED_BODY, reason=_first_line(refused.message)) from refused
        if not _is_finite(document):
            raise Rejected(Code.MALFORMED_BODY, reason="NaN and Infinity are not JSON")
        return document


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """Read a body of at most ``limit`` bytes; what is announced or sent beyond that is never kept."""
    announced = request.content_length
    if announced is not None and announced > limit:
        raise _too_large(limit)
    if request.headers.get("Expect", "").lower() == "100-continue":
        # curl waits a second for this before it sends a large body.
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    part = await request.content.readany()
    if len(part) == announced:
        return part
    parts: list[bytes] = []
    size = 0
    while part:
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        part = await request.content.readany()
    return b"".join(parts)


def _is_finite(document: Any) -> bool:
    try:
        json.dumps(document, allow_nan=False)
    except ValueError:
        return False
    return True


def _first_line(message: str) -> str:
    return message.partition("\nInput:")[0].removeprefix("Invalid input. ")


def _too_large(limit: int) -> Rejected:
    return Rejected(Code.BODY_TOO_LARGE, limit=f"{limit:,}")
