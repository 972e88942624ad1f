"""Plain HTTP to the server under test, beside the load, and the error that ends a run which can't go on."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

from servesim.service.clock import rest

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDPOINTS = "/api/2.0/serving-endpoints"
JSON = "application/json"
LONGEST_S = 330.0
"""More than the 297 seconds for which a model may work."""
BODY_LIMIT = 64 * 1024 * 1024
TOO_MANY = 429
_SHOWN = 300
AGAIN = frozenset({TOO_MANY, 503})
"""Statuses that time heals."""
_TRIES = 5
_LONGEST_WAIT_S = 10.0


class CannotRun(Exception):  # noqa: N818 - named for what is so
    """The test can't be run, or not be run to its end: nobody answers, no such endpoint, a call that is refused."""


class Answer(NamedTuple):
    """An answer, an error too."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def well(self) -> bool:
        """Whether it is what was asked for."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the class of HTTP statuses

    def document(self) -> Any:
        """Return the body as JSON; None if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def said(self) -> str:
        """The status, and what the body says of it, cut short."""
        document = self.document()
        message = document.get("message") if isinstance(document, dict) else None
        text = str(message or self.body.decode("utf-8", "replace"))
        return f"{self.status}: {text[:_SHOWN]}" if text else str(self.status)


@dataclass(frozen=True, slots=True)
class Server:
    """Who is asked, and as whom; no proxy stands between, as none does for the users."""

    url: str
    token: str = field(repr=False)

    def get(self, path: str) -> Answer:
        """Ask, again where it is told to wait, as Databricks' SDKs do; raise CannotRun if nobody answers."""
        return self._patiently("GET", path)

    def send(self, method: str, path: str, document: Any) -> Answer:
        """Send JSON, again where it is told to wait; raise CannotRun if nobody answers."""
        return self._patiently(method, path, json.dumps(document).encode())

    def _patiently(self, method: str, path: str, body: bytes | None = None) -> Answer:
        for _ in range(_TRIES - 1):
            answer = self.call(method, path, body)
            if answer.status not in AGAIN:
                return answer
            rest(told_to_wait(answer.headers))
        return self.call(method, path, body)

    def call(self, method: str, path: str, body: bytes | None = None, content_type: str = JSON) -> Answer:
        """Make one call on a connection of its own; raise CannotRun if nobody answers."""
        parts = urlsplit(self.url)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            headers["Content-Type"] = content_type
        connection = _connect(parts.scheme, parts.hostname or "", parts.port)
        try:
            connection.request(method, parts.path + path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read(BODY_LIMIT), dict(response.headers.items()))
        except (OSError, http.client.HTTPException) as error:
            raise CannotRun(f"{self.url} doesn't answer: {str(error) or type(error).__name__}") from error
        finally:
            connection.close()


def server(url: str, token: str) -> Server:
    """Return who is asked; raise CannotRun for what is no address, or no token that a header can hold."""
    full = (url if "://" in url else f"https://{url}").rstrip("/")
    try:
        parts = urlsplit(full)
        bad = parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0 or "@" in parts.netloc
        bad = bad or bool(parts.query or parts.fragment)
    except ValueError:
        bad = True
    if bad:
        shown = "what has a user, a password or a query in it" if set("@?") & set(url) else repr(url)
        raise CannotRun(f"{shown} is not the URL of a server: set DATABRICKS_HOST, or give --host")
    if not (token.isascii() and token.isprintable()):
        raise CannotRun("DATABRICKS_TOKEN has a sign that no header can hold, e.g. a line break at its end")
    return Server(full, token)


def told_to_wait(headers: Mapping[str, str] | None) -> float:
    """Return the seconds of Retry-After, 1 without it."""
    text = (headers or {}).get("Retry-After") or "1"
    return min(float(text), _LONGEST_WAIT_S) if text.isdecimal() else 1.0


def scoring_path(endpoint: str) -> str:
    """Return the path of an endpoint's scoring requests."""
    return f"/serving-endpoints/{quote(endpoint, safe='')}/invocations"


def endpoint_path(endpoint: str) -> str:
    """Return the path of an endpoint in the control plane."""
    return f"{ENDPOINTS}/{quote(endpoint, safe='')}"


def _connect(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=LONGEST_S, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=LONGEST_S)
