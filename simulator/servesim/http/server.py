"""The HTTP server: every call is authenticated, routed, answered in JSON and written to the request log."""

from __future__ import annotations

import base64
import binascii
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from servesim.core.commands import NotSimulated
from servesim.core.errors import Code, Rejected
from servesim.http import data, examples, login
from servesim.http.calls import Call
from servesim.http.control import ControlPlane
from servesim.http.reply import Reply, encode, error, refusal
from servesim.http.whole import respond
from servesim.service.clock import Stopping

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from servesim.service.hub import Hub, Session

logger = logging.getLogger("servesim")

HEALTH = "/_servesim/v1/health"
WELL_KNOWN = "/.well-known/databricks-config"
ENDPOINTS = "/api/2.0/serving-endpoints"
LEAST_GRACE_S = 0.01
"""aiohttp takes 0 for no limit at all, and would wait for whoever has connected and sends nothing."""
KEPT_CALLS = 1_000
"""How many different calls are kept for the summary of what is not simulated."""
_SCORING = "/serving-endpoints/"

NO_CREDENTIAL = "Credential was not sent or was of an unsupported type for this API."
"""Recorded, with an integer error_code."""
BAD_TOKEN = "Invalid access token."  # noqa: S105 - the recorded refusal, not a token

CLIENT_GONE = 499
"""A status for nobody: aiohttp wants an answer even where the connection has ended."""

STOPPING = "servesim is stopping; this request was held and will not be answered."


class Unauthenticated(Exception):  # noqa: N818 - an answer for the client, not a failure of ours
    """No credential (401) or an unknown one (403)."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the recorded status and text."""
        super().__init__(message)
        self.status = status


class Server:
    """One HTTP server in front of a hub of workspaces."""

    def __init__(self, hub: Hub, *, log_call: Callable[[str], None] | None = None, grace_s: float = 0.0) -> None:
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
            ("GET", "/_servesim/v1/examples/{endpoint}", examples.get),
        ]
        for method, path, handler in table:
            routes.add_route(method, path, handler)  # type: ignore[arg-type]  # this server alone calls it
        return routes

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 picks a free one."""
        # Bodies are passed on as they came: like the scoring server, Content-Encoding is not looked at.
        server = web.Server(self._answer, access_log=None, auto_decompress=False, logger=_wire_logger())
        self._runner = web.ServerRunner(
            server, handle_signals=False, shutdown_timeout=max(self._grace_s, LEAST_GRACE_S)
        )
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, host, port)
        await self._site.start()
        self.host, self.port = self._runner.addresses[0][:2]

    async def stop(self) -> None:
        """Stop listening, let what runs end within the grace, and close everything."""
        if self._site is not None:
            await self._site.stop()
        for workspace in self.hub.workspaces():
            workspace.clock.refuse_held()
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
        except Unauthenticated as refused:
            request_id = self._request_id(None)
            message = f"{refused} [ReqId: {request_id}]"
            reply = Reply(refused.status, encode({"error_code": refused.status, "message": message}), grade="recorded")
        except Stopping:
            reply = error(503, "TEMPORARILY_UNAVAILABLE", STOPPING, self._request_id(session), "chosen")
        except Exception as problem:  # noqa: BLE001 - the one place that keeps our own failures from clients
            if isinstance(problem, ConnectionError) and request.transport is None:
                return web.Response(status=CLIENT_GONE)  # nobody is there to read it
            reply = self._broken(request, session, problem)
        if self._log_call is not None:
            self._log_call(_line(principal, request, reply))
        return respond(request, reply)

    async def _dispatch(self, request: web.BaseRequest, session: Session, path: str) -> Reply:
        if request.method == "POST" and path.startswith(_SCORING):
            match path[len(_SCORING) :].removesuffix("/").split("/"):
                case [endpoint, "invocations"]:
                    return await data.invoke(request, session, unquote(endpoint), None)
                case [endpoint, "served-models", entity, "invocations"]:
                    return await data.invoke(request, session, unquote(endpoint), unquote(entity))
        asked, target = request, request.rel_url.raw_path
        if target.endswith("/") and len(target) > 1:
            # As it was sent: an encoded slash in a name stays part of the name.
            query = request.rel_url.raw_query_string
            asked = request.clone(rel_url=URL.build(path=target[:-1], query_string=query, encoded=True))
        found = await self._routes.resolve(asked)  # type: ignore[arg-type]  # reads method and path
        if found.http_exception is not None:
            raise _not_simulated(request, session, getattr(found.http_exception, "allowed_methods", ()))
        handler: Callable[[Call], Awaitable[Reply]] = found.handler  # type: ignore[assignment]  # one of the table
        return await handler(Call(request, session, dict(found)))

    def _authenticate(self, request: web.BaseRequest) -> Session:
        header = request.headers.get("Authorization", "")
        session = self.hub.find_header(header)
        if session is None:
            session = self._find(header)
            self.hub.keep_header(header, session)
        return session

    def _find(self, header: str) -> Session:
        kind, _, credential = header.partition(" ")
        scheme = kind.lower()
        if scheme == "basic":
            credential = _basic_token(credential)
        elif scheme != "bearer":
            credential = ""
        if not (token := credential.strip()):
            raise Unauthenticated(401, NO_CREDENTIAL)
        session = self.hub.find(token)
        if session is None:
            raise Unauthenticated(403, BAD_TOKEN)
        return session

    def _request_id(self, session: Session | None) -> str:
        if session is not None:
            return session.workspace.next_request_id()
        self._errors += 1
        return f"00000000-0000-0000-0000-{self._errors:012x}"

    def _broken(self, request: web.BaseRequest, session: Session | None, problem: Exception) -> Reply:
        request_id = self._request_id(session)
        path = _shown(request.raw_path, 500)
        logger.error("request %s failed: %s %s", request_id, request.method, path, exc_info=problem)
        message = f"servesim failed to answer this call; its log has the reason under request {request_id}."
        return error(500, "INTERNAL_ERROR", message, request_id, "chosen")


def _basic_token(credential: str) -> str:
    """Return the token of ``token:TOKEN``; anything else is no credential."""
    try:
        user, _, token = base64.b64decode(credential, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return token if user == "token" else ""


def _not_simulated(request: web.BaseRequest, session: Session, methods: Collection[str]) -> Rejected:
    """Return the refusal of a call that servesim does not know, once it is on record."""
    what = f"{request.method} {_shown(request.raw_path.partition('?')[0], 200)}"
    workspace = session.workspace
    workspace.clock.execute(NotSimulated(session.principal.name, what))
    if what in workspace.not_simulated or len(workspace.not_simulated) < KEPT_CALLS:
        workspace.not_simulated[what] += 1
    known = f"On this path it knows {', '.join(sorted(methods))}." if methods else "It knows no such path."
    advice = f"{known} Check method and path, or leave the call out of this test."
    return Rejected(Code.NOT_SIMULATED, what=what, advice=advice)


def _shown(text: str, most: int) -> str:
    """Return a path or name as a line of a log can hold it, or a terminal: printable ASCII."""
    text = text[:most]
    if text.isascii() and text.isprintable():
        return text
    return "".join(sign if " " <= sign <= "~" else ascii(sign)[1:-1] for sign in text)


def _wire_logger() -> logging.Logger:
    """Return the log of what no call can be made of."""
    wire = logger.getChild("wire")
    wire.addFilter(_in_one_line)  # once: adding it again changes nothing
    return wire


def _in_one_line(record: logging.LogRecord) -> bool:
    """Shorten what is not HTTP (TLS, say): that is the client's mistake, and a traceback says nothing about it."""
    problem = record.exc_info[1] if record.exc_info else None
    if isinstance(problem, HttpProcessingError):
        record.exc_info = None
        record.msg, record.args = "%s: %s", (record.getMessage(), _shown(" ".join(problem.message.split()), 200))
    return True


def _line(principal: str, request: web.BaseRequest, reply: Reply) -> str:
    served = reply.headers.get(data.SERVED_MODEL_HEADER, "")
    line = f"{_shown(principal, 200)} {request.method} {_shown(request.raw_path, 500)} -> {reply.status}"
    if served:
        line = f"{line} {served}"
    return f"{line} ({reply.grade})" if reply.grade and reply.status >= HTTPStatus.BAD_REQUEST else line
