"""What stands for a principal: tokens that last, access tokens that end, and the clients that may ask for them."""

from __future__ import annotations

import hmac
from collections import defaultdict, deque
from typing import TYPE_CHECKING, NamedTuple

from servesim.service.clock import Stopwatch

if TYPE_CHECKING:
    from servesim.core.access import Member
    from servesim.service.hub import HostedWorkspace, Session

KEPT_HEADERS = 1_000
KEPT_GRANTS = 100
"""Access tokens of one principal that are alive at once; one more ends the oldest."""

TAKEN = "a token can stand for one principal of one workspace only"
CLIENT_TAKEN = "an OAuth client can stand for one principal of one workspace only"


class Client(NamedTuple):
    """A service principal that asks for access tokens with a secret."""

    id: str
    secret: str
    member: Member

    def __repr__(self) -> str:
        """Show everything but the secret."""
        return f"Client(id={self.id!r}, member={self.member!r})"


class Grant(NamedTuple):
    """An access token and how long it lives, on both clocks: the one of the workspace's mode counts."""

    token: str
    session: Session
    expires_in: int
    """What its client is told, in seconds of the client's own clock."""
    ends_real_s: float
    ends_ms: int
    objects: frozenset[str] = frozenset()
    """The endpoints (``/serving-endpoints/<id>``) that it is good for; empty for everything."""

    def __repr__(self) -> str:
        """Show everything but the token."""
        return f"Grant(session={self.session!r}, expires_in={self.expires_in!r}, objects={self.objects!r})"


class Tokens:
    """Every token of one server."""

    def __init__(self) -> None:
        """Begin with none."""
        self._watch = Stopwatch()
        self._lasting: dict[str, Session] = {}
        self._headers: dict[str, Session] = {}
        self._grants: dict[str, Grant] = {}
        self._granted: defaultdict[Session, deque[str]] = defaultdict(deque)
        self._clients: dict[str, tuple[Client, Session]] = {}

    def __repr__(self) -> str:
        return f"<{len(self._lasting)} tokens, {len(self._grants)} access tokens>"

    # --- who is who -------------------------------------------------------------------------------

    def add(self, token: str, session: Session) -> None:
        """Let a token stand for somebody until it is dropped; ValueError if it is taken."""
        if self.is_taken(token):
            raise ValueError(TAKEN)
        self._lasting[token] = session

    def add_client(self, client: Client, session: Session) -> None:
        """Let a client ask for access tokens; ValueError if its id is taken."""
        if client.id in self._clients:
            raise ValueError(CLIENT_TAKEN)
        self._clients[client.id] = client, session

    def is_taken(self, token: str) -> bool:
        """Tell whether a token stands for somebody, or once did as an access token that nobody has used since."""
        return token in self._lasting or token in self._grants

    def has_client(self, client_id: str) -> bool:
        """Tell whether a client of that id is known."""
        return client_id in self._clients

    def find_header(self, header: str) -> Session | None:
        """Return who an Authorization header stands for if it has been kept."""
        return self._headers.get(header)

    def keep_header(self, header: str, token: str) -> None:
        """Keep the header of a lasting token, so that it need not be read again."""
        session = self._lasting.get(token)
        if session is not None and len(self._headers) < KEPT_HEADERS:
            self._headers[header] = session

    def find(self, token: str) -> Session | None:
        """Return who a lasting token stands for."""
        return self._lasting.get(token)

    def find_grant(self, token: str) -> Grant | None:
        """Return the access token while it lives."""
        grant = self._grants.get(token)
        if grant is not None and self._has_ended(grant):
            self._end(token)
            return None
        return grant

    def authenticate(self, client_id: str, secret: str) -> Session | None:
        """Return whom a client stands for if its secret is right."""
        client, session = self._clients.get(client_id, (None, None))
        expected = client.secret if client else ""
        right = hmac.compare_digest(expected.encode("utf-8", "replace"), secret.encode("utf-8", "replace"))
        return session if right else None

    # --- making and ending ------------------------------------------------------------------------

    def draw(self, workspace: HostedWorkspace, kind: str, name: str) -> str:
        """Return a token that nobody has, drawn by its index among those of this kind and name."""
        stream = workspace.world.draws.stream("token", kind, name)
        while True:
            workspace.tokens_drawn[kind, name] += 1
            token = f"{kind}-{stream.hexadecimal(workspace.tokens_drawn[kind, name])}"
            if not self.is_taken(token):
                return token

    def grant(self, session: Session, name: str, objects: frozenset[str] = frozenset()) -> Grant:
        """Make an access token that lives for the workspace's time; the oldest of too many ends."""
        workspace = session.workspace
        lives_s = workspace.settings.token_lifetime_s
        clock = workspace.clock
        grant = Grant(
            self.draw(workspace, "oauth", name),
            session,
            int(lives_s / clock.rate if clock.mode == "paced" else lives_s),
            self._watch.seconds() + lives_s,
            clock.now() + round(lives_s * 1000),
            objects,
        )
        self._grants[grant.token] = grant
        mine = self._granted[session]
        mine.append(grant.token)
        if len(mine) > KEPT_GRANTS:
            self._grants.pop(mine.popleft(), None)
        return grant

    def expire(self, workspace: HostedWorkspace, principal: str | None = None) -> int:
        """End the access tokens of a workspace, or of one principal in it; return how many there were."""
        ended = [token for token, grant in self._grants.items() if _is(grant.session, workspace, principal)]
        for token in ended:
            self._end(token)
        return len(ended)

    def end(self, token: str) -> None:
        """End one access token; a lasting token is left as it is."""
        if token in self._grants:
            self._end(token)

    def drop(self, workspace: HostedWorkspace, principal: str | None = None) -> None:
        """Forget every token and client of a workspace, or of one principal in it."""
        self.expire(workspace, principal)
        self._headers.clear()
        self._lasting = {
            token: session for token, session in self._lasting.items() if not _is(session, workspace, principal)
        }
        self._clients = {key: found for key, found in self._clients.items() if not _is(found[1], workspace, principal)}

    def of(self, workspace: HostedWorkspace) -> dict[str, Session]:
        """Return the lasting tokens of a workspace, the oldest first."""
        return {token: session for token, session in self._lasting.items() if session.workspace is workspace}

    def _has_ended(self, grant: Grant) -> bool:
        clock = grant.session.workspace.clock
        if clock.mode == "paced":
            return clock.now() >= grant.ends_ms
        return self._watch.seconds() >= grant.ends_real_s

    def _end(self, token: str) -> None:
        grant = self._grants.pop(token)
        mine = self._granted[grant.session]
        mine.remove(token)
        if not mine:
            del self._granted[grant.session]


def _is(session: Session, workspace: HostedWorkspace, principal: str | None) -> bool:
    return session.workspace is workspace and principal in {None, session.principal.name}
