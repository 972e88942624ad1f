"""One call of the admin API: where to, what was sent, and refusals that say what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.http.calls import CONTROL_BODY_LIMIT, read_body
from servesim.http.reply import Reply, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp import web

    from servesim.http.server import Server
    from servesim.service.hub import HostedWorkspace

BASE = "/_servesim/v1"
IN_WORKSPACE = BASE + "/workspaces/{name}"


class Refused(Exception):  # noqa: N818 - an answer for the client, not a failure of ours
    """What the admin API refuses, in the envelope of every error here."""

    def __init__(
        self, status: int, error_code: str, message: str, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Keep what is answered."""
        super().__init__(message)
        self.reply = Reply(status, encode({"error_code": error_code, "message": message}), headers=headers)


def invalid(message: str) -> Refused:
    """Return the refusal of what cannot be understood."""
    return Refused(400, "INVALID_PARAMETER_VALUE", message)


def missing(message: str) -> Refused:
    """Return the refusal of what names something that is not there."""
    return Refused(404, "RESOURCE_DOES_NOT_EXIST", message)


@dataclass(frozen=True, slots=True)
class AdminCall:
    """One call with the admin token, and the parameters of its path."""

    server: Server
    request: web.BaseRequest
    parameters: dict[str, str]

    @property
    def workspace(self) -> HostedWorkspace:
        """The workspace that the path names."""
        name = self.parameters["name"]
        workspaces = self.server.hub.workspaces()
        for workspace in workspaces:
            if workspace.name == name:
                return workspace
        known = ", ".join(repr(workspace.name) for workspace in workspaces) or "none"
        raise missing(f"There is no workspace {name!r}; this server has {known}.")

    async def body(self, *known: str) -> dict[str, Any]:
        """Read an object with no other keys than these, or any without; nothing at all is an empty one."""
        content = await read_body(self.request, CONTROL_BODY_LIMIT)
        try:
            document = json.loads(content or b"{}")
        except (ValueError, RecursionError) as error:
            raise invalid(f"The request body is not JSON ({error}).") from error
        if not isinstance(document, dict):
            raise invalid("The request body must be a JSON object.")
        unknown = sorted(document.keys() - set(known)) if known else []
        if unknown:
            raise invalid(f"This operation has no field {unknown[0]!r}; it has {', '.join(known)}.")
        return document

    def number(self, name: str, default: int, most: int) -> int:
        """Read a whole number of the query, from 0 to ``most``."""
        text = self.request.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 16) or int(text) > most:  # noqa: PLR2004 - digits of no use
            raise invalid(f"{name}={text[:40]!r} in the query must be a whole number from 0 to {most:,}.")
        return int(text)


class Operation(NamedTuple):
    """One row of the admin API."""

    method: str
    path: str
    handler: Callable[[AdminCall], Awaitable[Reply]]
    summary: str


def answer(document: Any, status: int = 200) -> Reply:
    """Answer with JSON."""
    return Reply(status, encode(document))
