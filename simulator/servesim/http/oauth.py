"""OAuth for machines: discovery, and access tokens for a client's secret or for another access token."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from servesim.core.access import Level
from servesim.http import trouble
from servesim.http.auth import SCORING, basic_pair
from servesim.http.calls import Call, read_body
from servesim.http.oauth_paths import DISCOVERY, OIDC, TOKEN
from servesim.http.reply import Reply, encode

if TYPE_CHECKING:
    from aiohttp import web

    from servesim.http.server import Server
    from servesim.service.hub import HostedWorkspace, Session
    from servesim.service.tokens import Grant

CLIENT_CREDENTIALS = "client_credentials"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "all-apis"
BAD_DETAILS = "invalid_authorization_details"
"""The error of RFC 9396 for details that are malformed, or that ask for what their bearer may not do."""

FORM_LIMIT = 64 * 1024
"""Bytes of a form: ours."""
FIELDS_LIMIT = 20
DETAILS_LIMIT = 100

_HOST = re.compile(r"[A-Za-z0-9._\-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
_NOT_STORED = {"Cache-Control": "no-store"}
_ADVICE = {401: {"WWW-Authenticate": "Basic"}, 405: {"Allow": "POST"}}
"""Headers that belong to a status (RFC 9110)."""


class Refusal(Exception):  # noqa: N818 - an answer for the client, not a failure of ours
    """An error as OAuth has it (RFC 6749, 5.2)."""

    def __init__(self, status: int, error: str, description: str, grade: str = "chosen") -> None:
        """Keep what is answered."""
        super().__init__(error)
        body = encode({"error": error, "error_description": description})
        self.reply = Reply(status, body, headers={**_NOT_STORED, **_ADVICE.get(status, {})}, grade=grade)


def databricks_config(server: Server, request: web.BaseRequest) -> Reply:
    """Answer host discovery: outside authentication, for the server and no workspace of it."""
    return Reply(200, encode({"oidc_endpoint": _base_url(server, request) + OIDC, "cloud": "AWS"}), grade="observed")


async def answer(server: Server, request: web.BaseRequest, path: str, bound: HostedWorkspace | None) -> Reply:
    """Answer a call below ``/oidc``: it brings its own credentials."""
    try:
        if path == DISCOVERY and request.method == "GET":
            return _discovery(server, request)
        _check_call(request, path)
        session, objects = await _asked(server, request, bound)
    except Refusal as refusal:
        return refusal.reply

    async def grant(_call: Call) -> Reply:
        return _granted(server.hub.grant(session, objects))

    call = Call(request, session, {})
    return await (trouble.answer(call, "get_token", grant) if session.workspace.world.faults.calls else grant(call))


def _granted(grant: Grant) -> Reply:
    document = {
        "access_token": grant.token,
        "token_type": "Bearer",
        "expires_in": grant.expires_in,
        "scope": SCOPE,
    }
    return Reply(200, encode(document), headers=_NOT_STORED, grade="documented")


def _check_call(request: web.BaseRequest, path: str) -> None:
    if path != TOKEN:
        description = f"servesim simulates {DISCOVERY} and {TOKEN} of OAuth; nobody can log in by a browser here."
        raise Refusal(501, "unsupported_endpoint", description)
    if request.method != "POST":
        raise Refusal(405, "invalid_request", "Send a POST with a form.")


def _discovery(server: Server, request: web.BaseRequest) -> Reply:
    base = _base_url(server, request) + OIDC
    document = {
        "issuer": base,
        "authorization_endpoint": f"{base}/v1/authorize",
        "token_endpoint": f"{base}/v1/token",
        "grant_types_supported": [CLIENT_CREDENTIALS, JWT_BEARER],
        "scopes_supported": [SCOPE],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }
    return Reply(200, encode(document), grade="documented")


def _base_url(server: Server, request: web.BaseRequest) -> str:
    """Return this server's address as the client knows it, if what it says can be one."""
    host = request.headers.get("Host", "")
    return f"{server.scheme}://{host if _HOST.fullmatch(host) else server.address}"


async def _asked(
    server: Server, request: web.BaseRequest, bound: HostedWorkspace | None
) -> tuple[Session, frozenset[str]]:
    form = await _form(request)
    kind = form.get("grant_type")
    if kind == CLIENT_CREDENTIALS:
        session = _client(server, request, form)
    elif kind == JWT_BEARER:
        session = _holder(server, form)
    elif kind is None:
        raise Refusal(400, "invalid_request", "The form has no grant_type.")
    else:
        description = f"servesim simulates grant_type {CLIENT_CREDENTIALS} and {JWT_BEARER}."
        raise Refusal(400, "unsupported_grant_type", description)
    if bound is not None and session.workspace is not bound:
        raise Refusal(401, "invalid_client", "Client authentication failed", "recorded")
    if SCOPE not in form.get("scope", SCOPE).split():
        raise Refusal(400, "invalid_scope", f"The scope that is known here is {SCOPE}.")
    objects = _objects(form.get("authorization_details"))
    if not all(_may_query(session, path.removeprefix(SCORING)) for path in objects):
        description = "User is not authorized to the requested authorizations"
        raise Refusal(401, BAD_DETAILS, description, "recorded")
    return session, objects


async def _form(request: web.BaseRequest) -> dict[str, str]:
    body = await read_body(request, FORM_LIMIT)
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refusal(400, "invalid_request", "Send the fields as application/x-www-form-urlencoded.")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_LIMIT)
    except ValueError:
        raise Refusal(400, "invalid_request", "The form cannot be read.") from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise Refusal(400, "invalid_request", "A field stands twice in the form.")
    return form


def _client(server: Server, request: web.BaseRequest, form: dict[str, str]) -> Session:
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        name, secret = basic_pair(credential)
    else:
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
    session = server.hub.tokens.authenticate(name, secret)
    if session is None:
        raise Refusal(401, "invalid_client", "Client authentication failed", "recorded")
    return session


def _holder(server: Server, form: dict[str, str]) -> Session:
    """Return who holds the access token that is exchanged for one of some endpoints."""
    grant = server.hub.tokens.find_grant(form.get("assertion", ""))
    if grant is None or grant.objects:
        raise Refusal(400, "invalid_grant", "The assertion is no living access token of a client.")
    if "authorization_details" not in form:
        raise Refusal(400, "invalid_request", "The form has no authorization_details.")
    return grant.session


def _objects(text: str | None) -> frozenset[str]:
    """Return the endpoints that some authorization details name."""
    if text is None:
        return frozenset()
    try:
        details: Any = json.loads(text)
        paths = [str(detail["object_path"]) for detail in details]
    except (ValueError, TypeError, KeyError, RecursionError):
        paths = []
    if not 0 < len(paths) <= DETAILS_LIMIT or not all(path.startswith(SCORING) for path in paths):
        description = f"authorization_details is a JSON list of objects, each with an object_path {SCORING}<id>."
        raise Refusal(400, BAD_DETAILS, description)
    return frozenset(paths)


def _may_query(session: Session, endpoint_id: str) -> bool:
    """Tell whether somebody may query the endpoint with an id; nobody may where there is none."""
    world = session.workspace.world
    endpoint = world.by_id.get(endpoint_id)
    level = None if endpoint is None else world.level(session.principal, endpoint)
    return level is not None and level >= Level.CAN_QUERY
