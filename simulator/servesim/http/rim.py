"""Where connections come in: as many at once as the process has room for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import HttpVersion11, web
from aiohttp.http import HttpRequestParser, RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from servesim.http.whole import send

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from servesim.http.reply import Reply

    AnswerNow = Callable[[RawRequestMessage, bytes], Reply | None]
    """Answers what waits for nothing, and returns None for any other request."""

MOST_CONNECTIONS = 10_000

HEADS_KEPT = 256
"""How many heads of requests are kept as they were read; then all are read anew."""
_END = b"\r\n\r\n"
_COUNTS_WAITING = hasattr(HttpRequestParser, "message_consumed")
"""aiohttp's parser counts the requests that wait since 3.14."""


_READ_HERE = ("_waiter", "_messages", "_paused", "_reading_paused", "_parser", "_next_keepalive_close_time")
KNOWS_AIOHTTP = all(hasattr(RequestHandler, name) for name in _READ_HERE)
"""Whether this aiohttp keeps what `_Connection` reads; one that does not answers everything by itself."""


class Rim(web.Server):
    """aiohttp's server with a bound: one connection more than ``most`` lets the oldest go.

    It goes at once if it is idle, else after the answer that it waits for; who needs it connects anew.
    """

    def __init__(self, *arguments: Any, answer_now: AnswerNow, most: int, **options: Any) -> None:
        """Take what ``web.Server`` takes, and what answers without it."""
        super().__init__(*arguments, **options)
        self._answer_now = answer_now
        self._most = most
        self._by_age: dict[RequestHandler, None] = {}
        self._heads: dict[bytes, _Head] = {}

    def __call__(self) -> RequestHandler:
        """Make the protocol of one more connection."""
        if not KNOWS_AIOHTTP:
            return super().__call__()
        return _Connection(self, self._answer_now, self._heads, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Let one in, and perhaps another one go."""
        super().connection_made(handler, transport)
        self._by_age[handler] = None
        if len(self._by_age) > self._most:
            oldest = next(iter(self._by_age))
            del self._by_age[oldest]
            if oldest._current_request is None:  # noqa: SLF001 - aiohttp says nowhere else whether one is idle
                oldest.force_close()
            else:
                oldest.close()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Forget one that has ended."""
        self._by_age.pop(handler, None)
        super().connection_lost(handler, exc)


class _Head(NamedTuple):
    """The head of a POST that may be answered at once, as aiohttp read it."""

    message: RawRequestMessage
    length: int
    """Bytes of the body that follows."""


class _Connection(RequestHandler):
    """aiohttp's connection, which answers at once what waits for nothing: a request alone that came whole.

    aiohttp's task, request and response cost more than such an answer, and so does reading the same head again. Its
    own loop sleeps on and never hears of it.
    """

    __slots__ = ("_answer_now", "_heads", "_missing")

    def __init__(self, manager: web.Server, answer_now: AnswerNow, heads: dict[bytes, _Head], **options: Any) -> None:
        """Take what ``RequestHandler`` takes, and the heads that have been read."""
        super().__init__(manager, **options)
        self._answer_now = answer_now
        self._heads = heads
        self._missing = 0
        """Bytes until the next head begins; below 0 once nobody knows."""

    def data_received(self, data: bytes) -> None:
        """Take what came; a turn later while aiohttp's loop is about to sleep.

        uvloop reads before that loop resumes after an answer. A client that is quick would never get out of the long
        way: each of its requests would find the loop awake.
        """
        if self._waiter is None and self._current_request is None:
            self._loop.call_soon(self._take, data)
        else:
            self._take(data)

    def resume_reading(self, *arguments: Any, **options: Any) -> None:
        """Go on reading; where nothing was paused aiohttp would parse an empty piece for every body."""
        if self._reading_paused:
            super().resume_reading(*arguments, **options)

    def _take(self, data: bytes) -> None:
        """Answer what came, or leave it to aiohttp."""
        if self._missing:
            self._missing -= len(data)
            super().data_received(data)
            return
        end = data.find(_END) + len(_END)
        head = self._heads.get(data[:end])
        if head is None:
            self._read(data, end)
        elif end + head.length != len(data) or not self._has_answered(head.message, data[end:]):
            self._missing = end + head.length - len(data)
            super().data_received(data)

    def _read(self, data: bytes, end: int) -> None:
        """Have a head read, and answer it or wake the loop that will."""
        waiter, before = self._waiter, len(self._messages)
        self._waiter = None  # parsing shall not wake it
        try:
            super().data_received(data)
        finally:
            self._waiter = waiter
        is_one = len(self._messages) == before + 1
        message = self._messages[-1][0] if is_one else None
        if not isinstance(message, RawRequestMessage) or message.chunked or message.upgrade:
            self._missing = -1  # in a head, after several, after what is none
        else:
            length = int(message.headers.get("Content-Length", 0))
            self._missing = end + length - len(data)
            if message.method == "POST" and message.version == HttpVersion11 and not message.should_close:
                self._keep(data[:end], _Head(message, length))
                if not (self._missing or before) and self._has_answered(message, data[end:]):
                    self._messages.popleft()
                    if _COUNTS_WAITING and self._parser is not None:
                        self._parser.message_consumed()
                    return
        if self._messages and waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _keep(self, read: bytes, head: _Head) -> None:
        if len(self._heads) >= HEADS_KEPT:
            self._heads.clear()
        self._heads[read] = head

    def _has_answered(self, message: RawRequestMessage, body: bytes) -> bool:
        transport, waiter = self.transport, self._waiter
        if waiter is None or waiter.done() or self._paused or transport is None or transport.is_closing():
            return False
        reply = self._answer_now(message, body)
        if reply is None:
            return False
        self._next_keepalive_close_time = self._loop.time() + self.keepalive_timeout
        send(transport, reply)
        return True


def room_for_connections() -> int:
    """Return how many connections may be open at once: three quarters of the files that this process may open."""
    try:
        resource = importlib.import_module("resource")
    except ImportError:  # not on Windows
        return MOST_CONNECTIONS
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_CONNECTIONS if files < 0 else max(1, min(files * 3 // 4, MOST_CONNECTIONS))
