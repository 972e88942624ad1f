"""A reverse proxy on loopback that records what passes; it changes nothing but what belongs to one connection."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

from servesim.delivery.client import LONGEST_S, is_loopback
from servesim.delivery.recording import BODY_LIMIT, Exchange, Recording, Side
from servesim.http.log import wire_logger
from servesim.http.reply import encode

if TYPE_CHECKING:
    from asyncio import Event
    from collections.abc import AsyncIterator, Mapping
    from logging import Logger, LogRecord

    from aiohttp import ClientResponse, StreamReader

LOOPBACK = "127.0.0.1"
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers of one connection (RFC 9110, 7.6.1)."""
OURS = frozenset({"host", "accept-encoding", "expect"})
"""Headers that the proxy sends itself: who is asked, that a body is to come as it is, and that it comes at once."""
GRACE_S = 1.0


class RecordingProxy:
    """Passes every call on to an upstream, and each answer back."""

    def __init__(self, upstream: str, recording: Recording, stopping: Event) -> None:
        """Pass calls on to this base URL; ``stopping`` is set when the recording can't be written."""
        self._upstream = upstream
        self._recording = recording
        self._stopping = stopping
        self.failure: OSError | None = None
        """Why the recording could not be written."""
        self.port = 0

    async def __aenter__(self) -> Self:
        """Begin, with a port that the system picks unless one was set; raise OSError."""
        parts = urlsplit(self._upstream)
        host = parts.hostname or ""
        self._proxy = None if is_loopback(host) or proxy_bypass(host) else getproxies().get(parts.scheme)
        connector = TCPConnector(ssl=ssl.create_default_context())
        self._session = ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            timeout=ClientTimeout(total=LONGEST_S),
        )
        options: dict[str, Any] = {"access_log": None, "auto_decompress": False, "logger": _wire_logger()}
        server = web.Server(self._answer, **options)
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=GRACE_S)
        try:
            await self._runner.setup()
            await web.TCPSite(self._runner, LOOPBACK, self.port).start()
        except BaseException:
            await self.__aexit__()
            raise
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take no more calls, and let those that run end within the grace."""
        await self._runner.cleanup()
        await self._session.close()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        target = request.rel_url.raw_path_qs if "://" in request.raw_path else request.raw_path
        if not target.startswith("/") or "upgrade" in request.headers:
            return _refused(400, "the recorder passes on calls to a path, without upgrades")
        sent = _Kept()
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async with self._session.request(
                request.method,
                URL(self._upstream + target, encoded=True),
                headers={**_passed_on(request.headers, OURS), "Accept-Encoding": "identity"},
                skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
                data=sent.through(request.content) if request.can_read_body else None,
                allow_redirects=False,
                proxy=self._proxy,
            ) as response:
                return await self._pass_back(request, target, sent, response)
        except (ClientError, TimeoutError) as error:
            return _refused(502, f"the upstream gave no answer ({type(error).__name__})")

    async def _pass_back(
        self, request: web.BaseRequest, target: str, sent: _Kept, response: ClientResponse
    ) -> web.StreamResponse:
        if not _can_be_passed(response):
            return _refused(502, "the upstream's answer has signs in its head that no header may have")
        headers = _passed_on(response.headers)
        answer = web.StreamResponse(status=response.status, reason=response.reason, headers=headers)
        got = _Kept()
        await answer.prepare(request)
        try:
            async for part in got.through(response.content):
                await answer.write(part)
        except (ClientError, TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()  # half an answer must not look like a whole one
            return answer
        await answer.write_eof()
        path, _, query = target.partition("?")
        exchange = Exchange(
            request.method,
            path,
            query,
            response.status,
            sent.side(request.headers),
            got.side(response.headers),
        )
        try:
            self._recording.add(exchange)
        except OSError as error:
            self.failure = error
            self._stopping.set()
        return answer


class _Kept:
    """What has passed of a body, up to the limit."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    async def through(self, stream: StreamReader) -> AsyncIterator[bytes]:
        """Yield a stream's parts as they come."""
        async for part in stream.iter_any():
            self._size += len(part)
            if self._size <= BODY_LIMIT:
                self._parts.append(part)
            else:
                self._parts.clear()
            yield part

    def side(self, headers: Mapping[str, str]) -> Side:
        """Return it with the headers before it."""
        return Side(tuple(headers.items()), b"".join(self._parts), self._size <= BODY_LIMIT)


def _passed_on(headers: Mapping[str, str], ours: frozenset[str] = frozenset()) -> CIMultiDict[str]:
    """Return the headers that are not for one connection alone."""
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    left = HOP_BY_HOP | named | ours
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in left)


def _can_be_passed(response: ClientResponse) -> bool:
    """Tell whether an answer's head can be written again: no control characters, and text."""
    head = [response.reason or "", *(part for pair in response.headers.items() for part in pair)]
    return not any(
        (sign < " " and sign != "\t") or sign == "\x7f" or "\ud800" <= sign <= "\udfff" for sign in "".join(head)
    )


def _wire_logger() -> Logger:
    """Return the log of what no call can be made of, which tells nothing of what was sent."""
    wire = wire_logger().getChild("recorder")
    wire.addFilter(_without_the_call)  # once: adding it again changes nothing
    return wire


def _without_the_call(record: LogRecord) -> bool:
    if record.exc_info is not None and isinstance(record.exc_info[1], HttpProcessingError):
        record.exc_info, record.msg, record.args = None, "a call was refused that is not HTTP", ()
    return True


def _refused(status: int, message: str) -> web.Response:
    """Answer for the recorder itself; such a call is not recorded."""
    error_code = "BAD_REQUEST" if status == 400 else "TEMPORARILY_UNAVAILABLE"  # noqa: PLR2004 - HTTP's
    body = encode({"error_code": error_code, "message": f"servesim contract record: {message}"})
    return web.Response(status=status, body=body, content_type="application/json")
