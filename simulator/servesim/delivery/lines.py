"""Lines of a running server to its standard output, whatever becomes of who reads them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
from collections import deque
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

KEPT_LINES = 10_000
"""How many lines wait for a reader that has stopped reading; the oldest go first."""
LINE_CHARACTERS = 2_000
TOGETHER_S = 0.01
"""Real seconds for which lines are collected: writing each by itself would cost a busy server a tenth."""
_PIECE = select.PIPE_BUF if hasattr(select, "PIPE_BUF") else 512
"""Bytes that a pipe takes without making the writer wait, once it takes any."""


class LineLog:
    """Lines to a stream, those of a hundredth of a second written together.

    A reader that stops reading (a pager, a paused terminal, a pipe that nobody empties) holds up nothing, and one
    that has gone is not missed.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to ``stream`` until it is closed."""
        self._stream = stream
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._due = False
        self._watched: int | None = None
        self._poll = _poll(stream)

    def write(self, line: str) -> None:
        """Write a line soon."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(TOGETHER_S, self._flush)
        self._lines.append(line)

    def write_now(self, lines: Iterable[str]) -> None:
        """Write lines, and what still waits before them, as far as somebody reads."""
        self._lines.extend(lines)
        self._write()

    def _flush(self) -> None:
        self._due = not self._write()
        if self._due and self._watched is None:
            self._watched = self._stream.fileno()
            asyncio.get_running_loop().add_writer(self._watched, self._flush)
        elif not self._due:
            self._unwatch()

    def _unwatch(self) -> None:
        if self._watched is not None:
            asyncio.get_running_loop().remove_writer(self._watched)
            self._watched = None

    def _write(self) -> bool:
        """Write until nothing is left; false if the reader does not take it now."""
        try:
            while self._lines:
                if self._poll is not None and not self._poll.poll(0):
                    return False
                self._stream.write(self._piece())
                self._stream.flush()
        except (OSError, ValueError):
            self._lines.clear()
            self._unwatch()
            _forget_reader(self._stream)
        return True

    def _piece(self) -> str:
        piece = self._lines.popleft()[:LINE_CHARACTERS] + "\n"
        while self._lines and len(piece) + len(self._lines[0]) < _PIECE:
            piece += self._lines.popleft() + "\n"
        return piece


def _poll(stream: TextIO) -> select.poll | None:
    """Return what tells whether writing would wait; None where it never does or nobody can say (Windows)."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return None
    if not hasattr(select, "poll"):
        return None
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return poll


def _forget_reader(stream: TextIO) -> None:
    """Send what the stream still holds to nowhere; else the interpreter's last flush fails, and the exit code."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
