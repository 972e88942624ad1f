"""servesim's own calls, for the tests that say that they need servesim."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from servesim.core.profile import PROFILES
from servesim.load.calls import CannotRun, Server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servesim.core.profile import Profile
    from servesim.load.settings import Settings

TOKEN = "SERVESIM_ADMIN_TOKEN"  # noqa: S105 - the variable's name
BASE = "/_servesim/v1"


class Admin:
    """The admin API of the server under load, for one workspace."""

    def __init__(self, url: str, workspace: str, token: str) -> None:
        """Take the server's own address and the admin token."""
        self._server = Server(url, token)
        self._path = f"{BASE}/workspaces/{quote(workspace, safe='')}"

    def advance(self, seconds: float) -> None:
        """Move the clock; raise CannotRun."""
        self._asked("POST", "/clock/advance", {"by": seconds})

    def clock(self) -> dict[str, Any]:
        """Return where the clock stands: ``now``, ``mode``, ``rate``; raise CannotRun."""
        return self._asked("GET", "/clock")

    def requests(self) -> list[dict[str, Any]]:
        """Return the last thousand requests of any kind, the newest first; raise CannotRun."""
        listed: list[dict[str, Any]] = self._asked("GET", "/requests?limit=1000")["requests"]
        return listed

    def profile(self) -> Profile | None:
        """Return the workspace's profile; None if it is a file's."""
        settings = self._asked("GET", "").get("settings", {})
        found = PROFILES.get(str(settings.get("profile")))
        return None if found is None else found.with_limits(str(settings.get("limits", "profile")))

    def stories(self, endpoint: str, most: int) -> list[dict[str, Any]]:
        """Return what became of an endpoint's last requests; raise CannotRun."""
        listed = self._asked("GET", f"/requests?kind=scoring&endpoint={quote(endpoint, safe='')}&limit={most}")
        return [self.story(one["number"]) for one in listed["requests"]]

    def story(self, number: int) -> dict[str, Any]:
        """Return what became of a request; raise CannotRun."""
        return self._asked("GET", f"/requests/{number}/why")

    def usage(self, endpoint: str) -> list[dict[str, Any]] | None:
        """Return what an endpoint's entities have used; None if the server doesn't say."""
        try:
            rows = self._asked("GET", "/usage").get("usage")
        except CannotRun:
            return None
        return [row for row in rows if row.get("endpoint") == endpoint] if isinstance(rows, list) else None

    def _asked(self, method: str, path: str, document: Any = None) -> dict[str, Any]:
        answer = (
            self._server.get(self._path + path)
            if document is None
            else self._server.send(method, self._path + path, document)
        )
        found = answer.document()
        if not answer.well or not isinstance(found, dict):
            raise CannotRun(f"servesim's admin API refused {method} {self._path}{path} ({answer.said})")
        return found


def is_simulated(settings: Settings) -> bool:
    """Tell whether a server is servesim: it was looked at, or an admin token is set."""
    return settings.simulated or bool(os.environ.get(TOKEN, "").strip())


def admin_of(url: str, workspace: str, environ: Mapping[str, str] = os.environ) -> Admin | None:
    """Return the admin API of a server; None where no admin token is set, as with a real workspace."""
    token = environ.get(TOKEN, "").strip()
    return Admin(url, workspace, token) if token else None
