"""The HTTP server: every call is authenticated, routed, answered in JSON and written to the request log."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from typing import TYPE_CHECKING
from urllib.parse import unquote

from aiohttp import web

from servesim.core.errors import Code, Rejected
from servesim.http import data, login
from servesim.http.calls import BodyTooLarge, Call
from servesim.http.control import ControlPlane
from servesim.http.reply import Reply, encode, error, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from servesim.service.hub import Hub, Session

logger = logging.getLogger("servesim")

Handler = "Callable[[Call], Awaitable[Reply]]"

HEALTH = "/_servesim/v1/health"
WELL_KNOWN = "/.well-known/databricks-config"
ENDPOINTS = "/api/2.0/serving-endpoints"
_SCORING = "/serving-endpoints/"

NO_CREDENTIAL = "Credential was not sent or was of an unsupported type for this API."
"""Recorded, with an integer error_code."""
BAD_TOKEN = "Invalid access token."  # noqa: S105 - the recorded refusal, not a token


class Unauthenticated(Exception):  # noqa: N818 - an answer for the client, not a failure of ours
    """No credential (401) or an unknown one (403)."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the recorded status and text."""
        super().__init__(message)
        self.status = status


class Server:
    """One HTTP server in front of a hub of workspaces."""

    def __init__(
        self, hub: Hub, *, log_call: Callable[[str], None] | None = None, grace_s: float = 0.0
    ) -> None:
        """Prepare the routes; ``log_call`` gets one line for each call, ``grace_s`` is real seconds."""
        self.hub = hub
        self._grace_s = grace_s
        self._log_call = log_call
        self._control = ControlPlane()
        self._routes = self._make_routes()
        self._site: web.TCPSite | None = None
        self._runner: web.ServerRunner | None = None
        self._errors = 0
        self.host = ""
        self.port = 0

    def _make_routes(self) -> web.UrlDispatcher:
        control = self._control
        routes = web.UrlDispatcher()
        table: list[tuple[str, str, Callable[[Call], Awaitable[Reply]]]] = [
            ("POST", ENDPOINTS, control.create),
            ("GET", ENDPOINTS, control.list),
            ("GET", ENDPOINTS + "/{name}", control.get),
            ("DELETE", ENDPOINTS + "/{name}", control.delete),
            ("PUT", ENDPOINTS + "/{name}/config", control.update_config),
            ("GET", "/api/2.0/preview/scim/v2/Me", login.me),
        ]
        for method, path, handler in table:
            routes.add_route(method, path, handler)  # type: ignore[arg-type] - called by this server alone
        return routes

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 picks a free one."""
        # Bodies are passed on as they came: like the scoring server, Content-Encoding is not looked at.
        server = web.Server(self._answer, access_log=None, auto_decompress=False)
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=self._grace_s)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, host, port)
        await self._site.start()
        self.host, self.port = self._runner.addresses[0][:2]

    async def stop(self) -> None:
        """Stop listening, let what runs end within the grace, and close everything."""
        if self._site is not None:
            await self._site.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        await self.hub.close()

    # --- one call ---------------------------------------------------------------------------------

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        principal = "-"
        session: Session | None = None
        path = request.raw_path.partition("?")[0]
        try:
            if path == WELL_KNOWN:
                reply = login.databricks_config(request)
            elif path == HEALTH:
                reply = Reply(200, encode({"status": "ok"}))
            else:
                session = self._authenticate(request)
                principal = session.principal.name
                reply = await self._dispatch(request, session, path)
        except Rejected as rejected:
            reply = refusal(rejected, self._request_id(session))
        except BodyTooLarge as excess:
            reply = data.too_large(excess, self._request_id(session))
        except Unauthenticated as refused:
            request_id = self._request_id(None)
            message = f"{refused} [ReqId: {request_id}]"
            reply = Reply(
                refused.status, encode({"error_code": refused.status, "message": message}), grade="recorded"
            )
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception:  # the one place that keeps our own failures from clients
            reply = self._broken(request, session)
        if self._log_call is not None:
            self._log_call(_line(principal, request, reply))
        return web.Response(
            status=reply.status,
            body=reply.body,
            headers={"Content-Type": reply.content_type, **reply.headers},
        )

    async def _dispatch(self, request: web.BaseRequest, session: Session, path: str) -> Reply:
        if request.method == "POST" and path.startswith(_SCORING):
            parts = path.removesuffix("/")[len(_SCORING) :].split("/")
            if len(parts) == 2 and parts[1] == "invocations":
                return await data.invoke(request, session, unquote(parts[0]), None)
            if len(parts) == 4 and parts[1] == "served-models" and parts[3] == "invocations":
                return await data.invoke(request, session, unquote(parts[0]), unquote(parts[2]))
        if path.endswith("/") and len(path) > 1:
            request = request.clone(rel_url=request.rel_url.with_path(request.path.rstrip("/")))
        match = await self._routes.resolve(request)  # type: ignore[arg-type] - it reads method and path only
        if match.http_exception is not None:
            self._not_simulated(request, session, path)
        handler: Callable[[Call], Awaitable[Reply]] = match.handler  # type: ignore[assignment]
        return await handler(Call(request, session, dict(match)))

    def _not_simulated(self, request: web.BaseRequest, session: Session, path: str) -> None:
        what = f"{request.method} {path[:200]}"
        workspace = session.workspace
        workspace.not_simulated[what] += 1
        workspace.world.note("not simulated", "", session.principal.name, what)
        advice = "Check the path and method; see the README for what is simulated."
        raise Rejected(Code.NOT_SIMULATED, what=what, advice=advice)

    def _authenticate(self, request: web.BaseRequest) -> Session:
        kind, _, credential = request.headers.get("Authorization", "").partition(" ")
        scheme = kind.lower()
        if scheme == "basic":
            credential = _basic_token(credential)
        elif scheme != "bearer":
            credential = ""
        if not credential:
            raise Unauthenticated(401, NO_CREDENTIAL)
        session = self.hub.find(credential.strip())
        if session is None:
            raise Unauthenticated(403, BAD_TOKEN)
        return session

    def _request_id(self, session: Session | None) -> str:
        if session is not None:
            return session.workspace.next_request_id()
        self._errors += 1
        return f"00000000-0000-0000-0000-{self._errors:012x}"

    def _broken(self, request: web.BaseRequest, session: Session | None) -> Reply:
        request_id = self._request_id(session)
        logger.exception("request %s failed: %s %s", request_id, request.method, request.path)
        message = f"servesim failed to answer this call; its log has the reason under request {request_id}."
        return error(500, "INTERNAL_ERROR", message, request_id, "chosen")


def _basic_token(credential: str) -> str:
    """Return the token of ``token:TOKEN``; anything else is no credential."""
    try:
        user, _, token = base64.b64decode(credential, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return token if user == "token" else ""


def _line(principal: str, request: web.BaseRequest, reply: Reply) -> str:
    served = reply.headers.get(data.SERVED_MODEL_HEADER, "")
    grade = f" ({reply.grade})" if reply.grade and reply.status >= 400 else ""
    return f"{principal} {request.method} {request.raw_path[:500]} -> {reply.status}{' ' + served if served else ''}{grade}"
