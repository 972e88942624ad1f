"""An answer that is whole when it is sent: head and body leave in one piece.

aiohttp's own Response prepares headers that nobody here reads (Date, Server) and writes head and body apart, which
together cost as much as everything that servesim does for a scoring request (`docs/performance.md`). Without a date
the same answer is the same bytes.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import HttpVersion11, web

from servesim.service.clock import patience

if TYPE_CHECKING:
    from servesim.http.reply import FilePart, Reply

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: " for status in HTTPStatus}
_UNKNOWN = "HTTP/1.1 %d \r\nContent-Type: "
_ONE_PIECE_BYTES = 64 * 1024
"""A larger body is not copied behind its head."""
BLOCK_BYTES = 256 * 1024
"""What is read of a file at once."""
BLOCK_CAP_S = 60.0
"""Real seconds that a client may take for a block of a file: ours."""


def respond(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    """Return the response for a reply; HEAD and HTTP/1.0, which nobody uses here, are left to aiohttp."""
    ends = None if reply.trouble is None else reply.trouble.ends
    if reply.file is not None and (ends is None or ends >= 0):
        return _FileResponse(request, reply, reply.file, ends)
    if ends is not None:
        return _BrokenResponse(request, reply, ends)
    if request.version == HttpVersion11 and request.method != "HEAD":
        return _WholeResponse(request, reply)
    headers = {"Content-Type": reply.content_type, **reply.headers}
    return web.Response(status=reply.status, body=reply.body, headers=headers)


class _WholeResponse(web.StreamResponse):
    """One reply to one request; aiohttp's server calls the three methods in the order in which they stand."""

    __slots__ = ("_reply", "_to", "_wants_more")

    def __init__(self, request: web.BaseRequest, reply: Reply) -> None:
        """Keep both; nothing of the base class's headers is used."""
        self._to = request
        self._reply = reply
        self._wants_more = request.keep_alive

    async def prepare(self, request: web.BaseRequest) -> None:
        """Make nothing ready."""

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open."""
        return self._wants_more

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002 - the base class's signature
        """Send everything; raise ConnectionResetError if nobody is there."""
        transport = self._to.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        send(transport, self._reply, stays=self._wants_more)
        if transport.get_write_buffer_size():
            await self._to.writer.drain()


class _FileResponse(_WholeResponse):
    """A reply whose body is read from disk as fast as the client takes it."""

    __slots__ = ("_ends", "_part")

    def __init__(self, request: web.BaseRequest, reply: Reply, part: FilePart, ends: int | None) -> None:
        """Keep which bytes to send, and after how many of them the connection ends if a fault ordered that."""
        super().__init__(request, reply)
        self._wants_more = request.keep_alive and request.version == HttpVersion11 and ends is None
        self._part = part
        self._ends = ends

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002 - the base class's signature
        """Send everything, or end the connection early if the file is gone or nobody takes it."""
        transport, (path, offset, length) = self._to.transport, self._part
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        try:
            file = None if self._to.method == "HEAD" else await asyncio.to_thread(path.open, "rb", buffering=0)
            transport.write(_head(self._reply, length, stays=self._wants_more))
            if file is None:
                return
            left = length if self._ends is None else min(self._ends, length)
            with file:
                file.seek(offset)
                while left and (block := await asyncio.to_thread(file.read, min(left, BLOCK_BYTES))):
                    transport.write(block)
                    left -= len(block)
                    async with patience(BLOCK_CAP_S):
                        await self._to.writer.drain()
        except (OSError, TimeoutError) as error:
            transport.abort()
            raise ConnectionResetError("the file could not be sent") from error
        if left:
            transport.abort()
        elif self._ends is not None:
            transport.close()


class _Pieces(list[bytes]):
    """What would be written, as pieces."""

    write = list.append
    writelines = list.extend


class _BrokenResponse(_WholeResponse):
    """A reply whose connection ends before all of it was sent, as a fault ordered."""

    __slots__ = ("_ends",)

    def __init__(self, request: web.BaseRequest, reply: Reply, ends: int) -> None:
        """Keep where it ends: after so many bytes of the body; -1 before the answer, -2 by a reset."""
        super().__init__(request, reply)
        self._wants_more = False
        self._ends = ends

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002 - the base class's signature
        """Send what is sent, and end the connection."""
        transport = self._to.transport
        if transport is None or transport.is_closing():
            return
        if self._ends < -1:
            _reset(transport)
            return
        if self._ends >= 0:
            pieces = _Pieces()
            send(pieces, self._reply)  # type: ignore[arg-type]  # it writes, and no more is asked of a transport here
            whole = b"".join(pieces)
            transport.write(whole[: len(whole) - len(self._reply.body) + self._ends])
        transport.close()


def _reset(transport: asyncio.Transport) -> None:
    """End a connection with a TCP reset: one that lingers for no time sends it when it is closed."""
    found = transport.get_extra_info("socket")
    if found is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def send(transport: asyncio.Transport, reply: Reply, *, stays: bool = True) -> None:
    """Write a whole answer in HTTP/1.1; say so if the connection does not stay open."""
    head = _head(reply, len(reply.body), stays=stays)
    if len(reply.body) <= _ONE_PIECE_BYTES:
        transport.write(head + reply.body)
    else:
        transport.writelines((head, reply.body))


def _head(reply: Reply, length: int, *, stays: bool) -> bytes:
    status_line = _STATUS_LINES.get(reply.status) or _UNKNOWN % reply.status
    parts = [status_line, reply.content_type, "\r\nContent-Length: ", str(length)]
    for name, value in reply.headers.items():
        parts += ("\r\n", name, ": ", value)
    parts.append("\r\n\r\n" if stays else "\r\nConnection: close\r\n\r\n")
    return "".join(parts).encode("ascii")
