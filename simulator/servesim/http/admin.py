"""The admin API under ``/_servesim/v1``: servesim's own, with a token of its own.

Rules: a call needs the admin token, and a Host that this server goes by, so that no web page reaches it under a
name of its own (DNS rebinding). No call is in the record of requests. A token is in no answer but the one that
makes it.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from aiohttp import web
from yarl import URL

from servesim.core.errors import Rejected
from servesim.generations import ga_texts
from servesim.http import admin_clock, admin_model_endpoints, admin_requests, admin_workspaces, admin_world
from servesim.http.admin_call import BASE, AdminCall, Operation, Refused, answer, missing
from servesim.service.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from servesim.http.reply import Reply
    from servesim.http.server import Server


async def _index(_call: AdminCall) -> Reply:
    operations = [{"method": row.method, "path": row.path, "summary": row.summary} for row in OPERATIONS]
    return answer({"api": "servesim admin", "version": 1, "operations": operations})


OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", BASE, _index, "list these operations"),
    *admin_workspaces.OPERATIONS,
    *admin_clock.OPERATIONS,
    *admin_world.OPERATIONS,
    *admin_model_endpoints.OPERATIONS,
    *admin_requests.OPERATIONS,
)


class Admin:
    """The admin API of one server."""

    def __init__(self, server: Server) -> None:
        """Hold on to the server whose workspaces it looks after."""
        self._server = server
        self._routes = web.UrlDispatcher()
        for row in OPERATIONS:
            self._routes.add_route(row.method, row.path, row.handler)  # type: ignore[arg-type]  # only called here

    async def answer(self, request: web.BaseRequest, path: str) -> Reply:
        """Answer one call; it checks its own token."""
        try:
            _check_host(request, self._server)
            _check_token(request, self._server.admin_token)
            handler, parameters = await self._find(request, path)
            return await handler(AdminCall(self._server, request, parameters))
        except Refused as refused:
            return refused.reply
        except Rejected as rejected:
            text, message = ga_texts.describe(rejected)
            return Refused(text.status, text.error_code, message).reply

    async def _find(
        self, request: web.BaseRequest, path: str
    ) -> tuple[Callable[[AdminCall], Awaitable[Reply]], dict[str, str]]:
        asked = request.clone(rel_url=URL.build(path=path.rstrip("/"), encoded=True))
        found = await self._routes.resolve(asked)  # type: ignore[arg-type]  # reads method and path
        if found.http_exception is None:
            return found.handler, dict(found)  # type: ignore[return-value]  # one of the table
        methods: Collection[str] = getattr(found.http_exception, "allowed_methods", ())
        if methods:
            allowed = ", ".join(sorted(methods))
            message = f"{path} takes {allowed}, not {request.method}."
            raise Refused(405, "METHOD_NOT_ALLOWED", message, {"Allow": allowed})
        raise missing(f"The admin API has no {path}; GET {BASE} lists what it has.")


def _check_host(request: web.BaseRequest, server: Server) -> None:
    given = request.headers.getall("Host", [])
    host = _without_port(given[0]) if len(given) == 1 else ""
    allowed = {_without_port(name) for name in (server.host, *server.allowed_hosts)}
    if host and (is_loopback(host) or host in allowed):
        return
    shown = ascii(given[0][:200]) if given else "none"
    raise Refused(
        403,
        "PERMISSION_DENIED",
        f"The admin API does not answer to the Host {shown}. Call it by a loopback address, or start the server with "
        "--allowed-host and that name.",
    )


def _without_port(host: str) -> str:
    """Return a Host in lower case without port, brackets and the dot of a full name."""
    name = host.strip().lower()
    if name.startswith("["):
        return name.partition("]")[0].removeprefix("[")
    return name.partition(":")[0].rstrip(".") if name.count(":") == 1 else name.rstrip(".")


def _check_token(request: web.BaseRequest, token: str | None) -> None:
    if token is None:
        raise Refused(403, "PERMISSION_DENIED", "This server has no admin token, so its admin API is closed.")
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        raise Refused(
            401,
            "UNAUTHENTICATED",
            "The admin API needs the header 'Authorization: Bearer <admin token>': `servesim serve` prints the token "
            "as SERVESIM_ADMIN_TOKEN.",
        )
    if not hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode()):
        raise Refused(
            403,
            "PERMISSION_DENIED",
            "This is not the admin token (a workspace's token opens the workspace alone). `servesim serve` prints it "
            "as SERVESIM_ADMIN_TOKEN.",
        )
