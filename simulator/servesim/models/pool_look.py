"""Looks at model folders and registries, each in a worker of its own that ends with it.

So the server imports neither MLflow nor a database driver, and what such a look leaves in memory is gone.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from servesim.models.pool_nursery import Nurseries, NurseryFailed
from servesim.models.pool_process import Frame, Ring, WorkerEnded, current_folder
from servesim.models.pool_types import ReadFailed

if TYPE_CHECKING:
    from servesim.models.pool_process import Worker

_AT_ONCE = 2
_OUTPUT_BYTES = 64 * 1024


class Looks:
    """At most two looks at once, each capped in real seconds."""

    def __init__(self, nurseries: Nurseries, *, cap_s: float) -> None:
        """Start nothing yet."""
        self._nurseries = nurseries
        self._cap_s = cap_s
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._running: set[asyncio.Task[Any]] = set()

    async def take(self, job: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Do one job: its result as JSON, or ReadFailed."""
        task = asyncio.create_task(self._one(job))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await task

    async def close(self) -> None:
        """Cut short what is running."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _one(self, job: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        async with self._places:
            try:
                head, body = await self._ask({**job, "folder": current_folder()})
            except NurseryFailed as failure:
                return ReadFailed(failure.args[0], log=failure.args[1])
            except TimeoutError:
                return ReadFailed(f"reading took longer than {self._cap_s:g} s")
            except WorkerEnded as ended:
                return ReadFailed(f"the process that read it {ended}")
        if "failed" in head:
            return ReadFailed(head["failed"], head["code"], head["log"])
        return json.loads(body)

    async def _ask(self, job: dict[str, Any]) -> Frame:
        nursery = await self._nurseries.get()
        worker: Worker = await nursery.fork(Ring(_OUTPUT_BYTES))
        try:
            return await worker.ask(job, cap_s=self._cap_s)
        except WorkerEnded:
            raise WorkerEnded(await worker.end()) from None
        except BaseException:
            worker.kill()
            raise
        finally:
            await worker.end()
