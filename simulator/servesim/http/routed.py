"""Calls that a route answers: paths that servesim does not simulate."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from servesim.http.calls import read_body
from servesim.http.reply import Reply, error
from servesim.service.routes import ANSWER_LIMIT, GRADE, RouteRequest, answered

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from servesim.service.hub import Session
    from servesim.service.routes import Answered, Found

logger = logging.getLogger("servesim")


async def answer(request: web.BaseRequest, session: Session, found: Found) -> Reply:
    """Answer as the route says; raise BODY_TOO_LARGE."""
    body = await read_body(request, ANSWER_LIMIT)
    route = found.route
    if route.fixed is not None:
        return _reply(route.fixed)
    assert route.function is not None  # noqa: S101 - a route has one or the other
    headers = {name.lower(): value for name, value in request.headers.items() if name.lower() != "authorization"}
    path = request.raw_path.partition("?")[0]
    asked = RouteRequest(request.method, path, found.params, dict(request.rel_url.query), headers, body)
    try:
        return _reply(await session.workspace.models.call(partial(_call, route.function, asked)))
    except TimeoutError:
        reason = f"did not answer within {session.workspace.models.settings.score_cap_s:g} real seconds"
    except _Raised as problem:
        logger.info("route %s %s failed", route.method, route.pattern.path, exc_info=problem.__cause__)
        reason = f"raised {problem}"
    message = f"The callable of route {route.number} ({route.method} {route.pattern.path}) {reason}."
    return error(500, "INTERNAL_ERROR", message, session.workspace.next_request_id(), GRADE)


class _Raised(Exception):  # noqa: N818 - an answer for the client, not a failure of ours
    """What a callable raised, by name and text."""


def _call(function: Callable[[RouteRequest], Any], asked: RouteRequest) -> Answered:
    try:
        return answered(function(asked))
    except BaseException as problem:  # of some, such as SystemExit, the server's event loop would end
        raise _Raised(_named(problem)) from problem


def _reply(ready: Answered) -> Reply:
    return Reply(ready.status, ready.body, ready.content_type, ready.headers, GRADE)


def _named(problem: BaseException) -> str:
    try:
        return f"{type(problem).__name__}: {str(problem)[:1000]}"
    except Exception:  # noqa: BLE001 - an exception's own __str__ may fail too
        return type(problem).__name__
