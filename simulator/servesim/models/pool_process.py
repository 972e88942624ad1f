"""The server's side of one worker: its channel, what it prints, its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from servesim.models.worker_serve import HEADER, MAX_FRAME_BYTES, pack

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

END_GRACE_S = 2.0
"""Real seconds that a worker has to end by itself once its channel is closed."""

_SENT_AHEAD = 4
_LINGER_S = 1.0
_READ_BYTES = 64 * 1024

Frame = tuple[dict[str, Any], bytes]


class WorkerEnded(Exception):  # noqa: N818 - an event more than an error; the caller turns it into a value
    """The worker's process is gone; the text says how it ended."""


class NotBegun(Exception):  # noqa: N818 - likewise
    """The worker will not answer and hasn't begun: somebody else can be asked."""


class Ring:
    """The last bytes that were printed, up to a limit, in whole lines: of a value cut in two the rest would show."""

    def __init__(self, limit: int) -> None:
        """Start empty; `limit` in bytes."""
        self._limit = limit
        self._kept = bytearray()
        self._cut = False

    def add(self, data: bytes) -> None:
        """Append, and forget what is over the limit at the front."""
        self._kept += data
        if len(self._kept) > self._limit:
            del self._kept[: -self._limit]
            self._cut = True

    def text(self) -> str:
        """Everything kept, without the rest of a line that was cut; bytes that aren't UTF-8 are replaced."""
        begin = self._kept.find(b"\n") + 1 if self._cut else 0
        return self._kept[begin:].decode("utf-8", "replace")


@dataclass(slots=True, eq=False)
class Question:
    """One frame that waits to be answered; its cap counts from when the worker can begin with it."""

    frame: bytes
    cap_s: float
    answer: asyncio.Future[Frame]

    def fail(self, error: Exception) -> None:
        """Tell whoever asked, if they are still there."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Channel(asyncio.Protocol):
    """Frames to and from one worker, answered in the order in which they were asked.

    A few questions are sent before their turn, so that the worker needn't wait for the server between two;
    it begins with one only when it has answered the one before, so what was merely sent has had no effect.
    """

    def __init__(self, on_late: Callable[[], None]) -> None:
        """Start unconnected; `on_late` is called when an answer takes longer than its cap."""
        self._loop = asyncio.get_running_loop()
        self._on_late = on_late
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = bytearray()
        self._waiting: deque[Question] = deque()
        self._sent: deque[Question] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.accepts = False
        self.lost = False
        self.quiet: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio's callback)."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is none by its class
        self.accepts = True

    def data_received(self, data: bytes) -> None:
        """Take complete frames out of what has come (asyncio's callback)."""
        self._buffer += data
        while (frame := self._frame()) is not None:
            self._deliver(*frame)

    def _frame(self) -> tuple[bytes, bytes] | None:
        if len(self._buffer) < HEADER.size:
            return None
        head, body = HEADER.unpack_from(self._buffer)
        middle = HEADER.size + head
        if max(head, body) > MAX_FRAME_BYTES:
            self.close()
        if max(head, body) > MAX_FRAME_BYTES or len(self._buffer) < middle + body:
            return None
        frame = bytes(self._buffer[HEADER.size : middle]), bytes(self._buffer[middle : middle + body])
        del self._buffer[: middle + body]
        return frame

    def _deliver(self, head: bytes, body: bytes) -> None:
        """Give the answer to whoever waits; something else than an answer ends the channel."""
        try:
            fields = json.loads(head)
            question = self._sent.popleft()
        except (ValueError, IndexError):  # the model's code wrote into the channel
            self.close()
            return
        if not question.answer.done():
            question.answer.set_result((fields, body))
        self._watch()
        self._fill()

    def _fill(self) -> None:
        """Send what may be sent."""
        while self.accepts and self._waiting and len(self._sent) < _SENT_AHEAD:
            question = self._waiting.popleft()
            if question.answer.done() or self._transport is None:
                continue  # whoever asked has gone away
            self._transport.write(question.frame)
            self._sent.append(question)
            if len(self._sent) == 1:
                self._watch()
        if not self.accepts and not self._sent and not self.quiet.done():
            self.quiet.set_result(None)

    def _watch(self) -> None:
        """Count the cap of the question that the worker is busy with."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._sent[0].cap_s, self._late) if self._sent else None

    def _late(self) -> None:
        self._sent[0].fail(TimeoutError())
        self.stop()
        self._on_late()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits (asyncio's callback)."""
        self.lost = True
        if self._timer is not None:
            self._timer.cancel()
        if self._sent:
            self._sent.popleft().fail(WorkerEnded(str(exc or "")))
        while self._sent:
            self._sent.popleft().fail(NotBegun())
        self.stop()

    async def ask(self, head: dict[str, Any], body: bytes, cap_s: float) -> Frame:
        """Wait for one answer; NotBegun, WorkerEnded or TimeoutError when there's none."""
        if not self.accepts:
            raise NotBegun
        question = Question(pack(head, body), cap_s, self._loop.create_future())
        self._waiting.append(question)
        self._fill()
        return await question.answer

    def stop(self) -> None:
        """Send nothing more; `quiet` is done once nothing is being answered either."""
        self.accepts = False
        while self._waiting:
            self._waiting.popleft().fail(NotBegun())
        self._fill()

    def close(self) -> None:
        """Close at once, whatever is still to be answered."""
        if self._transport is not None:
            self._transport.abort()


class Worker:
    """One forked process, from its fork to its end.

    `told`: somebody has been told that it died.
    """

    def __init__(self, pid: int, exited: asyncio.Future[int | None], output: int, ring: Ring) -> None:
        """Take over a fresh fork; `output` is the reading end of its standard output and error."""
        self.pid = pid
        self.told = False
        self._ending = False
        self._exited = exited
        self._output = output
        self._ring = ring
        self._channel = Channel(on_late=self.kill)
        self._loop = asyncio.get_running_loop()
        os.set_blocking(output, False)
        self._loop.add_reader(output, self.collect)
        exited.add_done_callback(self._on_exit)

    async def connect(self, end: socket.socket) -> None:
        """Speak over this end of the worker's channel."""
        await self._loop.create_unix_connection(lambda: self._channel, sock=end)

    @property
    def alive(self) -> bool:
        """Whether it takes questions."""
        return self._channel.accepts and not self._exited.done()

    @property
    def died(self) -> bool:
        """Whether it's gone without having been asked to go."""
        return not self._ending and (self._channel.lost or self._exited.done())

    async def ask(self, head: dict[str, Any], body: bytes = b"", *, cap_s: float) -> Frame:
        """One answer, with what was printed for it already kept.

        NotBegun: the worker takes no more questions, ask another. WorkerEnded: it's gone, perhaps while it
        was busy with this. TimeoutError: past the cap, in real seconds; the process is being killed.
        """
        answer = await self._channel.ask(head, body, cap_s)
        self.collect()
        return answer

    def collect(self) -> None:
        """Keep what was printed since the last time; at most a pipe's content at once."""
        if self._output < 0:
            return
        try:
            data = os.read(self._output, _READ_BYTES)
        except BlockingIOError:
            return
        if data:
            self._ring.add(data)
        else:
            self._close_output()

    def _on_exit(self, _: asyncio.Future[int | None]) -> None:
        """Let the channel end by itself, after its last answer, unless a child of the model holds it open."""
        self._loop.call_later(_LINGER_S, self._channel.close)

    def _close_output(self) -> None:
        if self._output >= 0:
            self._loop.remove_reader(self._output)
            os.close(self._output)
            self._output = -1

    def kill(self) -> None:
        """End the process, and what it has started, without asking."""
        if not self._exited.done():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    async def end(self, *, grace_s: float = END_GRACE_S) -> str:
        """Let it answer what it's busy with and wait for the process to be gone; how it ended."""
        self._ending = self._ending or not self.died
        self._channel.stop()
        await asyncio.shield(self._channel.quiet)
        self._channel.close()
        try:
            async with asyncio.timeout(grace_s):
                await asyncio.shield(self._exited)
        except TimeoutError:
            self.kill()
            await asyncio.shield(self._exited)
        self.collect()
        self._close_output()
        return ending(self._exited.result())


def ending(status: int | None) -> str:
    """How a process ended, by its exit status as `subprocess` gives it."""
    if status is None:
        return "ended together with the process it was forked from"
    if status >= 0:
        return f"ended with exit status {status}"
    return f"was killed by {signal.Signals(-status).name}"


def current_folder() -> str:
    """Where relative paths start; the root when the server's own folder has been removed."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return "/"
