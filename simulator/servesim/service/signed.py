"""URLs that are good without a token: each for one method and one file of one version, for a while."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from servesim.service.clock import Stopwatch

if TYPE_CHECKING:
    from servesim.service.hub import HostedWorkspace, Session

LIFETIME_S = 3600.0
"""Real seconds, as clients go by their own clock: ours."""
KEPT = 20_000
"""More than a version may have files; one more ends the oldest."""


class Signed(NamedTuple):
    """What a URL is good for."""

    method: str
    target: str
    """What follows the token in the URL, as it is sent."""
    session: Session
    """On whose behalf."""
    model: str
    number: int
    """Of the model: one of the same name that came later is another."""
    version: str
    file: str
    ends_s: float = 0.0


class SignedUrls:
    """Every URL of one server that is good."""

    def __init__(self) -> None:
        """Begin with none."""
        self._watch = Stopwatch()
        self._good: OrderedDict[str, Signed] = OrderedDict()

    def __repr__(self) -> str:
        return f"<{len(self._good)} signed URLs>"

    def make(self, signed: Signed) -> str:
        """Return the token of a URL that is good from now on, drawn by its index."""
        workspace = signed.session.workspace
        stream = workspace.world.draws.stream("token", "signed", workspace.name)
        while True:
            workspace.tokens_drawn["signed", ""] += 1
            token = stream.hexadecimal(workspace.tokens_drawn["signed", ""])
            if token not in self._good:
                break
        self._good[token] = signed._replace(ends_s=self._watch.seconds() + LIFETIME_S)
        if len(self._good) > KEPT:
            self._good.popitem(last=False)
        return token

    def find(self, token: str, method: str, target: str) -> Signed | None:
        """Return what a URL is good for; None if it is not, for this method and file, or not any more."""
        signed = self._good.get(token)
        if signed is None or (signed.method, signed.target) != (method, target):
            return None
        if self._watch.seconds() >= signed.ends_s:
            del self._good[token]
            return None
        return signed

    def drop(self, workspace: HostedWorkspace) -> None:
        """End the URLs of a workspace."""
        for token in [token for token, signed in self._good.items() if signed.session.workspace is workspace]:
            del self._good[token]
