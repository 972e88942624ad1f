"""The HTTP server: every call is authenticated, routed, answered in JSON and written to the request log."""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web
from yarl import URL

from servesim.core.errors import Rejected
from servesim.generations import ga_texts
from servesim.http import data, dates, examples, login, oauth_paths, routed, serving, trouble
from servesim.http.auth import MODEL_SCORING, SCORED, SCORING, Unauthenticated, find_session, token_of
from servesim.http.calls import Call, not_simulated
from servesim.http.log import line, shown, wire_logger
from servesim.http.reply import EVIDENCE_HEADER, Reply, encode, error, graded, refusal
from servesim.http.rim import Rim, room_for_connections
from servesim.http.sent import heard
from servesim.http.whole import respond
from servesim.service.mover import Stopping
from servesim.service.operation_names import operation_of
from servesim.service.patterns import Pattern, simulated
from servesim.service.record import Managed, Sent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine
    from ssl import SSLContext

    from aiohttp.http import RawRequestMessage

    from servesim.http.admin import Admin
    from servesim.http.model_scoring import AskedVersion
    from servesim.http.rim import AnswerNow
    from servesim.service.hub import HostedWorkspace, Hub, Session

logger = logging.getLogger("servesim")

ADMIN = "/_servesim/v1"
HEALTH = ADMIN + "/health"
EXAMPLES = ADMIN + "/examples/"
LEAST_GRACE_S = 0.01
"""aiohttp takes 0 for no limit at all, and would wait for whoever has connected and sends nothing."""
SCORING_PATHS = (
    SCORING + "{name}/invocations",
    SCORING + "{name}/served-models/{entity}/invocations",
    *(head + "{model}/{version}/invocations" for head in MODEL_SCORING),
)
SERVING = ("/api/2.0/serving-endpoints", "/api/2.0/permissions/serving-endpoints")
"""What the control plane's paths of model serving begin with."""

SIGNED = "/_servesim/signed/"
"""What URLs begin with that carry all that they need."""
OUTSIDE = (ADMIN, oauth_paths.OIDC + "/", SIGNED)
"""What paths begin with that no workspace's token is needed for; one that is read as a whole stands beside it."""
RUNS = tuple(f"/api/2.0/mlflow/{kind}/" for kind in ("runs", "experiments", "logged-models"))
"""What MLflow's calls begin with that track runs."""


class Server:
    """One HTTP server in front of a hub of workspaces."""

    def __init__(
        self,
        hub: Hub,
        *,
        log_call: Callable[[str], None] | None = None,
        grace_s: float = 0.0,
        admin_token: str | None = None,
        allowed_hosts: Collection[str] = (),
        validate_responses: bool = False,
    ) -> None:
        """Prepare the routes; ``log_call`` gets one line for each call, ``grace_s`` is real seconds.

        ``admin_token`` opens the admin API, ``allowed_hosts`` are names that its Host header may have.
        ``validate_responses`` is for answers outside every workspace; a workspace has a setting of its own.
        """
        self.hub = hub
        self.admin_token = admin_token
        self.allowed_hosts = frozenset(allowed_hosts)
        self.complaints: Counter[str] = Counter()
        """Those about answers outside every workspace."""
        self._validates = validate_responses
        self._admin: Admin | None = None
        self._grace_s = grace_s
        self._log_call = log_call
        self._routes = self._make_routes()
        self._listeners: list[_Listener] = []
        self._ssl: SSLContext | None = None
        self._errors = 0
        self.scheme = "http"
        self.host = ""
        self.port = 0
        self.ports: dict[HostedWorkspace, int] = {}
        """Ports of workspaces that have one of their own."""

    def _make_routes(self) -> web.UrlDispatcher:
        routes = web.UrlDispatcher()
        table: list[tuple[str, str, Callable[[Call], Awaitable[Reply]]]] = [
            *serving.routes(),
            ("GET", "/api/2.0/preview/scim/v2/Me", login.me),
            ("GET", EXAMPLES + "{endpoint}", examples.get),
        ]
        for method, path, handler in table:
            whole = path.removesuffix("/*") + "/{rest:[\\s\\S]*}" if path.endswith("/*") else path
            routes.add_route(method, whole, handler)  # type: ignore[arg-type]  # this server alone calls it
        known = [
            ("GET", oauth_paths.WELL_KNOWN),
            ("GET", oauth_paths.DISCOVERY),
            ("POST", oauth_paths.TOKEN),
            *(("POST", path) for path in SCORING_PATHS),
            *((method, path) for method, path, _ in table),
        ]
        self.hub.simulated = partial(simulated, [(method, Pattern(path)) for method, path in known])
        return routes

    async def start(self, host: str = "127.0.0.1", port: int = 0, ssl: SSLContext | None = None) -> None:
        """Listen, with TLS if there is a context for it; port 0 picks a free one."""
        self._ssl = ssl
        self.scheme = "http" if ssl is None else "https"
        self.host, self.port = await self._listen(host, port, None)
        self.hub.store.host = self.host
        for workspace in self.hub.workspaces():
            if workspace.wants_port is not None:
                await self.open_port(workspace, workspace.wants_port)

    async def open_port(self, workspace: HostedWorkspace, port: int = 0) -> int:
        """Listen for one workspace alone, once the server has started; return the port.

        There, tokens of other workspaces are refused. The port closes with its workspace.
        """
        _, opened = await self._listen(self.host, port, workspace)
        self.ports[workspace] = opened
        return opened

    async def _listen(self, host: str, port: int, bound: HostedWorkspace | None) -> tuple[str, int]:
        listener = _Listener(partial(self._answer, bound), partial(self._answer_now, bound), self._grace_s)
        await listener.open(host, port, self._ssl)
        self._listeners.append(listener)
        if bound is not None:
            bound.at_end.append(partial(self._close, listener, bound))
        return listener.address

    async def _close(self, listener: _Listener, workspace: HostedWorkspace) -> None:
        self.ports.pop(workspace, None)
        if listener in self._listeners:
            self._listeners.remove(listener)
            await listener.close()

    async def stop(self) -> None:
        """Stop listening, let what runs end within the grace, and close everything."""
        for listener in self._listeners:
            await listener.refuse()
        for workspace in self.hub.workspaces():
            workspace.clock.refuse_held()
        for listener in self._listeners:
            await listener.close()
        self._listeners.clear()
        await self.hub.close()

    @property
    def address(self) -> str:
        """Where the server listens, as it stands in a URL."""
        return self._address(self.port)

    def _address(self, port: int) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{port}"

    def url_of(self, workspace: HostedWorkspace) -> str:
        """Return the base URL for clients of a workspace: with its own port if it has one."""
        return f"{self.scheme}://{self._address(self.ports.get(workspace, self.port))}"

    # --- one call ---------------------------------------------------------------------------------

    async def _answer(self, bound: HostedWorkspace | None, request: web.BaseRequest) -> web.StreamResponse:
        principal = "-"
        session: Session | None = None
        path = request.raw_path.partition("?")[0]
        if not path.startswith("/"):
            path = request.rel_url.raw_path  # a proxy's form of the target: http://host/path
        try:
            if (path.startswith(OUTSIDE) and not path.startswith(EXAMPLES)) or _is_discovery(request.method, path):
                reply = await self._outside(bound, request, path)
            else:
                session = find_session(self.hub.tokens, request.headers.get("Authorization", ""), path, bound)
                principal = session.principal.name
                answer = self._dispatch(request, session, path)
                if self.hub.models.senders.acting:
                    answer = heard(self.hub.models.senders, request, session, answer)
                reply = await answer
        except Exception as problem:  # noqa: BLE001 - the one place that keeps our own failures from clients
            if isinstance(problem, ConnectionError) and request.transport is None:
                return web.Response(status=trouble.CLIENT_GONE)  # aiohttp wants an answer, and nobody is there
            reply = self._refused(request.method, session, path, problem)
        if trouble.ends_token(reply):
            self.hub.tokens.end(token_of(request.headers.get("Authorization", "")))
        if session is not None:
            reply = dates.told(reply, session.workspace, request, path)
        if session is not None and not path.startswith(SCORED):
            await session.workspace.tidy_artifacts()
            sent = Sent(reply.status, reply.body, reply.content_type, reply.grade)
            managed = Managed(request.method, path, principal, sent, reply.trouble)
            session.workspace.record.managed(session.workspace.world, managed)
        reply = self._looked_at(session, request, path, reply)
        if self._log_call is not None:
            self._log_call(line(principal, request.method, path, reply))
        return respond(request, reply)

    def _answer_now(self, bound: HostedWorkspace | None, message: RawRequestMessage, body: bytes) -> Reply | None:
        """Answer a POST if it is a scoring request that waits for nothing; None for any other."""
        path = message.path.partition("?")[0]
        session = self.hub.tokens.find_header(message.headers.get("Authorization", ""))
        asked = _asked_for(message.path, path, message.headers.get("Content-Type"))
        if session is None or asked is None or self.hub.models.senders.acting:
            return None
        workspace = session.workspace
        if (bound is not None and workspace is not bound) or workspace.serving_disabled:
            return None
        if not asked.waits_for_nothing(workspace.gateway, len(body), session.principal):
            return None
        try:
            reply = data.invoke_now(session, asked, body)
        except Exception as problem:  # noqa: BLE001 - as in `_answer`
            reply = self._refused(message.method, session, path, problem)
        if not isinstance(asked, data.Asked):
            reply = dates.announced(reply, workspace, asked.generation)
        reply = self._looked_at(session, message, path, reply)
        if self._log_call is not None:
            self._log_call(line(session.principal.name, message.method, path, reply))
        return reply

    def _looked_at(
        self, session: Session | None, asked: web.BaseRequest | RawRequestMessage, path: str, reply: Reply
    ) -> Reply:
        """Return an answer, with its grade if that was asked for, once complaints about it are kept."""
        if session is None:
            if self._validates:
                _look(self.complaints, asked.method, path, reply, validate=True)
        elif session.workspace.is_inspected:
            settings = session.workspace.settings
            # The contracts say nothing of the refusals that a file of answers words.
            is_ours = reply.status < HTTPStatus.BAD_REQUEST or settings.texts is ga_texts.TEXTS
            checks = {"validate": settings.validate_responses and is_ours, "strict": settings.strict_evidence}
            _look(session.workspace.complaints, asked.method, path, reply, **checks)
        return graded(reply) if EVIDENCE_HEADER in asked.headers else reply

    def _admin_api(self) -> Admin:
        if self._admin is None:
            from servesim.http.admin import Admin  # noqa: PLC0415 - a server starts sooner without it

            self._admin = Admin(self)
        return self._admin

    async def _outside(self, bound: HostedWorkspace | None, request: web.BaseRequest, path: str) -> Reply:
        """Answer what no workspace's token is needed for."""
        if path == HEALTH:
            return Reply(200, encode({"status": "ok"}))
        if path.startswith(ADMIN):
            return await self._admin_api().answer(request, path)
        if path.startswith(SIGNED):
            from servesim.http import files_signed  # noqa: PLC0415 - as above

            return await files_signed.answer(self, bound, request, path.removeprefix(SIGNED))
        from servesim.http import oauth  # noqa: PLC0415 - as above

        if path == oauth_paths.WELL_KNOWN:
            return oauth.databricks_config(self, request)
        return await oauth.answer(self, request, path, bound)

    def _dispatch(self, request: web.BaseRequest, session: Session, path: str) -> Coroutine[Any, Any, Reply]:
        """Return who answers: a scoring request, most of the traffic, is found without the routing table."""
        disabled = session.workspace.serving_disabled
        if request.method == "POST" and path.startswith(SCORED):
            if disabled and path.startswith(SCORING):
                session.workspace.check_serving()
            asked = _asked_for(request.raw_path, path, request.headers.get("Content-Type"))
            if asked is not None:
                return data.invoke(request, session, asked)
        if disabled and path.startswith(SERVING):
            session.workspace.check_serving()
        return self._from_table(request, session, path)

    async def _from_table(self, request: web.BaseRequest, session: Session, path: str) -> Reply:
        asked, target = request, request.rel_url.raw_path
        if target.endswith("/") and len(target) > 1:
            # As it was sent: an encoded slash in a name stays part of the name.
            query = request.rel_url.raw_query_string
            asked = request.clone(rel_url=URL.build(path=target[:-1], query_string=query, encoded=True))
        found = await self._routes.resolve(asked)  # type: ignore[arg-type]  # reads method and path
        if found.http_exception is not None:
            if (route := session.workspace.routes.find(request.method, path)) is not None:
                return await routed.answer(request, session, route)
            advice = _advice(path, getattr(found.http_exception, "allowed_methods", ()))
            raise not_simulated(request, session, advice)
        handler: Callable[[Call], Awaitable[Reply]] = found.handler  # type: ignore[assignment]  # one of the table
        call = Call(request, session, dict(found))
        strikes, is_dated = session.workspace.world.faults.calls, session.workspace.dates.name_operations
        if strikes or is_dated:
            resource = found.route.resource
            operation = operation_of(request.method, "" if resource is None else resource.canonical)
            if operation is not None:
                call = call._replace(operation=operation)
                if is_dated:
                    dates.check_operation(call)
                if strikes:
                    return await trouble.answer(call, operation, handler)
        return await handler(call)

    def _refused(self, method: str, session: Session | None, path: str, problem: Exception) -> Reply:
        """Answer a call that was refused, or that we failed to answer."""
        if session is None:
            self._errors += 1
            request_id = f"00000000-0000-0000-0000-{self._errors:012x}"
        else:
            request_id = session.workspace.next_request_id()
        match problem:
            case Rejected():
                texts = ga_texts.TEXTS if session is None else session.workspace.settings.texts
                return refusal(problem, request_id, texts)
            case Unauthenticated():
                return problem.reply(request_id)
            case Stopping():
                return error(503, "TEMPORARILY_UNAVAILABLE", ga_texts.STOPPING, request_id, "chosen")
        logger.error("request %s failed: %s %s", request_id, method, shown(path, 500), exc_info=problem)
        message = ga_texts.BROKEN.format(request_id=request_id)
        return error(500, "INTERNAL_ERROR", message, request_id, "chosen")


def _asked_for(target: str, path: str, content_type: str | None) -> data.Asked | AskedVersion | None:
    """Return what a path of any generation asks to be scored; None for a path that asks for anything else."""
    if not path.startswith(MODEL_SCORING):
        return data.asked_for(target, path, content_type)
    from servesim.http import model_scoring  # noqa: PLC0415 - a server starts sooner without it

    return model_scoring.asked_for(target, path, content_type)


def _is_discovery(method: str, path: str) -> bool:
    return path == oauth_paths.WELL_KNOWN and method == "GET"


class _Listener:
    """One port: the server's, or a workspace's own."""

    def __init__(
        self, answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], answer_now: AnswerNow, grace_s: float
    ) -> None:
        # Bodies are passed on as they came: like the scoring server, Content-Encoding is not looked at.
        options = {"access_log": None, "auto_decompress": False, "logger": wire_logger()}
        rim = Rim(answer, answer_now=answer_now, most=room_for_connections(), **options)
        self._runner = web.ServerRunner(rim, handle_signals=False, shutdown_timeout=max(grace_s, LEAST_GRACE_S))
        self._site: web.TCPSite | None = None

    async def open(self, host: str, port: int, ssl: SSLContext | None) -> None:
        """Listen."""
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, host, port, ssl_context=ssl)
        try:
            await self._site.start()
        except BaseException:
            await self._runner.cleanup()
            raise

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self._runner.addresses[0][:2]
        return host, port

    async def refuse(self) -> None:
        """Take no new connections."""
        if self._site is not None:
            await self._site.stop()

    async def close(self) -> None:
        """Let what runs end within the grace."""
        await self._runner.cleanup()


def _look(complaints: Counter[str], method: str, path: str, reply: Reply, **checks: bool) -> None:
    from servesim.http.inspection import look  # noqa: PLC0415 - reads the contracts, which most runs do not

    look(complaints, method, path, reply, **checks)


def _advice(path: str, methods: Collection[str]) -> str:
    known = f"On this path it knows {', '.join(sorted(methods))}." if methods else "It knows no such path."
    if path.startswith(RUNS):
        known = (
            "It has registries, no runs: track them in a store of yours, e.g. MLFLOW_TRACKING_URI=sqlite:///mlflow.db."
        )
    return f"{known} Check method and path, or give it an answer of your own: a route."
