"""Who calls: the credential of a request, and the refusal of those who have none, a wrong one or one of elsewhere."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING
from urllib.parse import unquote

from servesim.generations import ga_texts
from servesim.http.reply import Reply, encode

if TYPE_CHECKING:
    from servesim.service.hub import HostedWorkspace, Session
    from servesim.service.tokens import Grant, Tokens

SCORING = "/serving-endpoints/"
MODEL_SCORING = ("/model-endpoint/", "/model/")
"""What the scoring paths of the retired generations begin with."""
SCORED = (SCORING, *MODEL_SCORING)


class Unauthenticated(Exception):  # noqa: N818 - an answer for the client, not a failure of ours
    """No credential (401), or one that is not good for this call (403)."""

    def __init__(self, text: ga_texts.GatewayText) -> None:
        """Keep what is answered."""
        super().__init__(text.message)
        self.text = text

    def reply(self, request_id: str) -> Reply:
        """Answer as the gateway does, with an integer ``error_code``."""
        text = self.text
        message = f"{text.message} [ReqId: {request_id}]" if text.has_request_id else text.message
        return Reply(text.status, encode({"error_code": text.status, "message": message}), grade=text.grade)


def find_session(tokens: Tokens, header: str, path: str, bound: HostedWorkspace | None) -> Session:
    """Return whom an Authorization header stands for; raise Unauthenticated.

    ``bound`` is the workspace whose own port the call came to: there, nobody else's token is good.
    """
    session = tokens.find_header(header) or _read(tokens, header, path)
    if bound is not None and session.workspace is not bound:
        raise Unauthenticated(ga_texts.OTHER_WORKSPACE)
    return session


def token_of(header: str) -> str:
    """Return the token of a Bearer header, or of a Basic one of the user ``token``; empty for anything else."""
    kind, _, credential = header.partition(" ")
    scheme = kind.lower()
    if scheme == "basic":
        user, token = basic_pair(credential)
        return token.strip() if user == "token" else ""
    return credential.strip() if scheme == "bearer" else ""


def basic_pair(credential: str) -> tuple[str, str]:
    """Return user and password of a Basic credential, both empty if it is none."""
    try:
        user, _, password = base64.b64decode(credential, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    return user, password


def _read(tokens: Tokens, header: str, path: str) -> Session:
    token = token_of(header)
    if not token:
        raise Unauthenticated(ga_texts.NO_CREDENTIAL)
    session = tokens.find(token)
    if session is not None:
        tokens.keep_header(header, token)
        return session
    grant = tokens.find_grant(token)
    if grant is None:
        raise Unauthenticated(ga_texts.BAD_TOKEN)
    if grant.objects and not _is_good_for(grant, path):
        raise Unauthenticated(ga_texts.OTHER_OBJECT)
    return grant.session


def _is_good_for(grant: Grant, path: str) -> bool:
    """Tell whether an access token for some endpoints is good for this path: to score one of them."""
    if not path.startswith(SCORING):
        return False
    name = unquote(path[len(SCORING) :].partition("/")[0])
    endpoint = grant.session.workspace.world.endpoints.get(name)
    return endpoint is not None and f"{SCORING}{endpoint.id}" in grant.objects
