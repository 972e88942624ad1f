"""Calls that somebody in this process sent, who is told how far they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.models.senders import sent_by

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiohttp import web

    from servesim.http.reply import Reply
    from servesim.models.senders import Senders
    from servesim.service.hub import Session


async def heard(senders: Senders, request: web.BaseRequest, session: Session, answer: Awaitable[Reply]) -> Reply:
    """Return the answer to a call; whoever sent it is told that it came, and that it was answered."""
    peer = None if request.transport is None else request.transport.get_extra_info("peername")
    sender = senders.find(peer[:2], session.workspace) if isinstance(peer, tuple) else None
    token = sent_by.set(sender)
    if sender is not None:
        sender.came(f"{request.method} {request.raw_path.partition('?')[0][:500]}")
    try:
        return await answer
    finally:
        sent_by.reset(token)
        if sender is not None:
            sender.answered()
