"""One call: who makes it, where to, and its body within bounds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.core.commands import NotSimulated
from servesim.core.errors import Code, Rejected
from servesim.http import dates
from servesim.http.log import shown
from servesim.payloads.decode import loads
from servesim.payloads.refusal import Refused
from servesim.service.clock import patience

if TYPE_CHECKING:
    from aiohttp import web

    from servesim.service.hub import Session

CONTROL_BODY_LIMIT = 1024 * 1024
"""Bytes of a control-plane body: ours, no limit is published."""
BODY_CAP_S = 60.0
"""Real seconds that a body may take to arrive once its call is being answered: ours."""
KEPT_CALLS = 1_000
"""How many different calls are kept for the summary of what is not simulated."""


class Call(NamedTuple):
    """One authenticated call with the parameters of its path."""

    request: web.BaseRequest
    session: Session
    parameters: dict[str, str]
    kept: bytes | None = None
    """Its body, if that was read already."""
    operation: str = ""
    """What the contracts call it, where dates or faults ask for that."""

    @property
    def base_url(self) -> str:
        """The URL of this server as the caller wrote it."""
        return f"{self.request.scheme}://{self.request.host}"

    async def json(self) -> Any:
        """Read a control-plane body; raise MALFORMED_BODY, BODY_TOO_LARGE, or what is wrong with it by its dates."""
        body = await read_body(self.request, CONTROL_BODY_LIMIT) if self.kept is None else self.kept
        if not body:
            raise Rejected(Code.MALFORMED_BODY, reason="it is empty; send a JSON object")
        try:
            document = loads(body)
        except Refused as refused:
            raise Rejected(Code.MALFORMED_BODY, reason=_first_line(refused.message)) from refused
        if not _is_finite(document):
            raise Rejected(Code.MALFORMED_BODY, reason="NaN and Infinity are not JSON")
        if self.session.workspace.dates.rules:
            dates.check_body(self, body, document)
        return document


def body_at_hand(request: web.BaseRequest, limit: int) -> tuple[bytes, bool]:
    """Return what has come of a body, and whether that is all of it, as it nearly always is; raise BODY_TOO_LARGE."""
    announced = request.content_length
    if announced is not None and announced > limit:
        raise _too_large(limit)
    part = request.content.read_nowait()
    return part, len(part) == announced


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """Read a body of at most ``limit`` bytes; what is announced or sent beyond that is never kept."""
    part, is_whole = body_at_hand(request, limit)
    return part if is_whole else await read_on(request, part, limit)


async def read_on(request: web.BaseRequest, part: bytes, limit: int) -> bytes:
    """Read the rest of a body and return it whole; raise BODY_TOO_LARGE or SLOW_BODY."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        # curl waits a second for this before it sends a large body.
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    parts = [part]
    try:
        async with patience(BODY_CAP_S):
            await _read_on(request, parts, limit)
    except TimeoutError:
        size = f"{sum(map(len, parts)):,}"
        raise Rejected(Code.SLOW_BODY, limit=f"{BODY_CAP_S:g}", size=size) from None
    return b"".join(parts)


async def _read_on(request: web.BaseRequest, parts: list[bytes], limit: int) -> None:
    size = len(parts[0])
    while size <= limit:
        part = await request.content.readany()
        if not part:
            return
        size += len(part)
        parts.append(part)
    raise _too_large(limit)


def not_simulated(request: web.BaseRequest, session: Session, advice: str) -> Rejected:
    """Return the refusal of a call that servesim does not know, once it is on record."""
    what = f"{request.method} {shown(request.raw_path.partition('?')[0], 200)}"
    workspace = session.workspace
    workspace.clock.execute(NotSimulated(session.principal.name, what))
    if what in workspace.not_simulated or len(workspace.not_simulated) < KEPT_CALLS:
        workspace.not_simulated[what] += 1
    return Rejected(Code.NOT_SIMULATED, what=what, advice=advice)


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
