"""Calls from commands to a server, whichever it is."""

from __future__ import annotations

import http.client
import io
import ipaddress
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPErrorProcessor, HTTPHandler, HTTPSHandler, ProxyHandler, Request, build_opener

import click

from servesim.delivery.defaults import DEFAULT_TOKEN, DEFAULT_URL

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

LONGEST_S = 600.0
"""Real seconds after which no answer is expected: more than the longest that an answer may take."""

BODY_LIMIT = 64 * 1024 * 1024
"""Bytes of an answer: four times the longest request that the service takes, and no memory is filled."""

UNSENDABLE = "the token has a character that no header can hold, e.g. a line break at its end"

ENDPOINTS = "/api/2.0/serving-endpoints"

JSON = "application/json"
CSV = "text/csv"


host_option = click.option("--url", envvar="DATABRICKS_HOST", show_envvar=True, default=DEFAULT_URL, show_default=True)
"""Gives a command ``url``: the server that the clients of this shell reach."""
token_option = click.option(
    "--token",
    envvar="DATABRICKS_TOKEN",
    show_envvar=True,
    default=DEFAULT_TOKEN,
    show_default="that of `servesim serve`",
)
"""Gives a command ``token``: that of the workspace which is asked."""


class Unreachable(Exception):  # noqa: N818 - named for what is so
    """Nobody answered, or what answered does not speak HTTP."""

    answers = False
    """Whether something is there all the same, so that waiting for it is of no use."""


class Untrusted(Unreachable):
    """The certificate that was shown is signed by nobody whom this process trusts."""

    answers = True


def no_answer(reason: Unreachable) -> str:
    """Say why there was no answer."""
    if reason.answers:
        return (
            f"what answers there shows a certificate that is not trusted here ({reason}). Set the lines that "
            "`servesim serve --tls` printed: SSL_CERT_FILE names its authority"
        )
    return f"nothing answers there ({reason})"


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked, and as whom."""

    url: str
    token: str


@dataclass(frozen=True, slots=True)
class Answered:
    """Any answer at all, an error too."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def well(self) -> bool:
        """Whether it is what was asked for."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the class of HTTP statuses

    @property
    def document(self) -> Any:
        """The body as JSON; as text where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return self.body.decode("utf-8", "replace")


class _AsItCame(HTTPErrorProcessor):
    """An error is an answer, and so is a redirect: the token goes nowhere else."""

    def http_response(self, request: Request, response: Any) -> Any:  # noqa: ARG002 - urllib's signature
        """Leave it alone."""
        return response

    https_response = http_response


class _Timed(io.RawIOBase):
    """What a socket receives within one limit; the socket's own timeout is for each of its reads."""

    def __init__(self, connection: socket.socket) -> None:
        """Give all that comes from now on the time that the socket gives one read."""
        from servesim.service.clock import Stopwatch  # noqa: PLC0415 - most commands call nobody, and it takes long

        self._socket = connection
        self._stream = connection.makefile("rb", buffering=0)
        self._limit_s = connection.gettimeout() or LONGEST_S
        self._watch = Stopwatch()

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Receive what comes next; raise TimeoutError."""
        left_s = self._limit_s - self._watch.seconds()
        try:
            if left_s > 0:
                self._socket.settimeout(left_s)
                return self._stream.readinto(buffer)
        except TimeoutError:
            pass
        raise TimeoutError(f"its answer had not ended after {self._limit_s:g} s")

    def close(self) -> None:
        """Let the socket go."""
        self._stream.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that has one limit for all of it."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Timed(sock))


class _Connection(http.client.HTTPConnection):
    response_class = _Response


class _SecureConnection(http.client.HTTPSConnection):
    response_class = _Response


class _Http(HTTPHandler):
    """Plain HTTP with one limit for an answer."""

    def http_open(self, request: Request) -> http.client.HTTPResponse:
        """Ask."""
        return self.do_open(_Connection, request)


class _Https(HTTPSHandler):
    """HTTP over TLS with one limit for an answer."""

    def https_open(self, request: Request) -> http.client.HTTPResponse:
        """Ask."""
        return self.do_open(_SecureConnection, request)


def call(
    target: Target,
    path: str,
    body: bytes | None = None,
    content_type: str = JSON,
    *,
    method: str | None = None,
    timeout_s: float = LONGEST_S,
    headers: Mapping[str, str] | None = None,
) -> Answered:
    """Send a POST, a GET without a body; no proxy stands before loopback. Raise Unreachable, ValueError.

    The answer has ``timeout_s`` real seconds from its first byte to its last, and `BODY_LIMIT` bytes. An empty token
    is not sent; ``headers`` stand beside the others, or in place of one.
    """
    if not is_header_text(target.token):
        raise ValueError(UNSENDABLE)  # http.client's own error would show it
    sent = {"Authorization": f"Bearer {target.token}"} if target.token else {}
    if body is not None:
        sent["Content-Type"] = content_type
    request = Request(target.url + path, body, {**sent, **(headers or {})}, method=method)  # noqa: S310 - whoever made the target checked it
    opener = build_opener(
        _AsItCame, _Http, _Https, *([ProxyHandler({})] if is_loopback(urlsplit(target.url).hostname or "") else [])
    )
    try:
        with opener.open(request, timeout=timeout_s) as response:
            return Answered(response.status, _body(response), response.headers)
    except URLError as error:
        untrusted = isinstance(error.reason, ssl.SSLCertVerificationError)
        raise (Untrusted if untrusted else Unreachable)(str(error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(str(error) or type(error).__name__) from error


def _body(response: Any) -> bytes:
    """Return all of a body; raise Unreachable for one beyond the limit, HTTPException for one that was cut off."""
    body: bytes = response.read(BODY_LIMIT + 1)
    if len(body) > BODY_LIMIT:
        raise Unreachable(f"its answer is longer than {BODY_LIMIT:,} bytes")
    if response.length:  # what is missing of the length that was told
        raise http.client.IncompleteRead(body, response.length)
    return body


def is_header_text(credential: str) -> bool:
    """Tell whether a header can hold a credential."""
    return credential.isascii() and credential.isprintable()


def endpoint_path(endpoint: str) -> str:
    """Return the path of an endpoint in the control plane."""
    return f"{ENDPOINTS}/{quote(endpoint, safe='')}"


def example_path(endpoint: str) -> str:
    """Return the path at which servesim alone tells a request that an endpoint accepts."""
    return f"/_servesim/v1/examples/{quote(endpoint, safe='')}"


def scoring_path(endpoint: str, entity: str | None = None) -> str:
    """Return the path of an endpoint, or of one entity whatever its share."""
    path = f"/serving-endpoints/{quote(endpoint, safe='')}"
    return f"{path}/invocations" if entity is None else f"{path}/served-models/{quote(entity, safe='')}/invocations"


def checked_url(url: str) -> str:
    """Return a base URL; like the SDK's, one without a scheme is https."""
    full = (url if "://" in url else f"https://{url}").rstrip("/")
    try:
        parts = urlsplit(full)
        bad = parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0 or "@" in parts.netloc
    except ValueError:
        bad = True
    if bad:
        shown = "what has a user or password in it" if "@" in url else repr(url)
        raise click.BadParameter(f"{shown} is not the URL of a server; write e.g. {DEFAULT_URL}", param_hint="--url")
    return full


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
