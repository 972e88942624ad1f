"""Threads for Python callables and large bodies.

They are daemons, unlike those of concurrent.futures, which the interpreter waits for when it ends: a callable that
never returns would keep the whole process.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class _Job(NamedTuple):
    """Work, and who waits for it on which event loop."""

    work: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]


class _Here(threading.local):
    """What the present thread works for."""

    kind = ""


_here = _Here()


def inside_model() -> bool:
    """Tell whether this thread is one that answers for models."""
    return _here.kind == "model"


class Threads:
    """At most ``limit`` threads, started when there is work; used from one event loop."""

    def __init__(self, limit: int, kind: str = "model") -> None:
        """Start none yet; ``kind`` is what they work for."""
        self._limit = limit
        self._kind = kind
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._started = 0
        self._unfinished = 0

    async def run(self, work: Callable[[], _T]) -> _T:
        """Have a thread do the work; whoever stops waiting stops nothing that has begun."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_T] = loop.create_future()
        self._unfinished += 1
        if self._started < min(self._unfinished, self._limit):
            self._started += 1
            threading.Thread(target=self._serve, name=f"servesim-{self._kind}_{self._started}", daemon=True).start()
        self._jobs.put(_Job(work, loop, answer))
        return await answer

    def close(self) -> None:
        """Let threads end once they are done with what they have begun, and begin nothing more."""
        with contextlib.suppress(Empty):
            while job := self._jobs.get_nowait():
                job.answer.cancel()
        for _ in range(self._started):
            self._jobs.put(None)

    def _serve(self) -> None:
        _here.kind = self._kind
        while job := self._jobs.get():
            result: Any = None
            problem: BaseException | None = None
            if not job.answer.cancelled():
                try:
                    result = job.work()
                except BaseException as error:  # noqa: BLE001 - whoever waits is told; the thread goes on
                    problem = error
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                job.loop.call_soon_threadsafe(self._settle, job.answer, result, problem)
            del job, result, problem  # nothing is kept alive by waiting for the next

    def _settle(self, answer: asyncio.Future[Any], result: object, problem: BaseException | None) -> None:
        self._unfinished -= 1
        if answer.done():
            return
        if problem is None:
            answer.set_result(result)
        else:
            answer.set_exception(problem)
