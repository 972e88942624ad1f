"""MLflow models in worker processes: load, score, look at registries.

Loading a model and scoring with it are effects on the real world: each has a cap in real seconds, and
whatever happens comes back as a value. The simulated world sees neither how many workers there are nor
which of them are alive.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import OrderedDict
from typing import Any

from servesim.models.answer import Answer
from servesim.models.pool_lane import Lane
from servesim.models.pool_look import Looks
from servesim.models.pool_nursery import Nurseries, NurseryFailed
from servesim.models.pool_process import NotBegun, Ring, Worker, WorkerEnded, current_folder
from servesim.models.pool_types import (
    FolderContents,
    Loaded,
    LoadFailed,
    Outcome,
    QueueFull,
    ReadFailed,
    RegistryVersion,
    TimedOut,
    WorkerDied,
    WorkerKey,
    loaded,
)

__all__ = [
    "Answer",
    "FolderContents",
    "LoadFailed",
    "Loaded",
    "Outcome",
    "QueueFull",
    "ReadFailed",
    "RegistryVersion",
    "TimedOut",
    "WorkerDied",
    "WorkerKey",
    "WorkerPool",
]

KEPT_OUTPUTS = 256  # the number of keys whose printed output is kept

_CLOSED = "the pool is closed"


class WorkerPool:
    """At most `limit` live workers, each shared by every caller with its key.

    `load_cap_s`, in real seconds, is for starting an interpreter, loading a model or looking at a registry,
    `score_cap_s` for one request. `python` is the interpreter of the keys that name none.
    """

    def __init__(
        self,
        *,
        limit: int = 4,
        load_cap_s: float = 120.0,
        score_cap_s: float = 120.0,
        python: str = sys.executable,
        queue_limit: int = 1000,
        output_bytes: int = 1024 * 1024,
    ) -> None:
        """Start nothing yet; RuntimeError on Windows, which can't fork."""
        if sys.platform == "win32":
            message = "MLflow models need a system that can fork, which Windows can't: use WSL or stub models"
            raise RuntimeError(message)
        self._limit = limit
        self._load_cap_s = load_cap_s
        self._score_cap_s = score_cap_s
        self._queue_limit = queue_limit
        self._output_bytes = output_bytes
        self._lanes: dict[WorkerKey, Lane] = {}
        self._live: OrderedDict[WorkerKey, Lane] = OrderedDict()  # by use, the longest unused first
        self._outputs: OrderedDict[WorkerKey, Ring] = OrderedDict()
        self._nurseries = Nurseries(python, cap_s=load_cap_s)
        self._looks = Looks(self._nurseries, cap_s=load_cap_s)
        self._door = asyncio.Lock()
        self._changed = asyncio.Event()
        self._closed = False

    async def load(self, key: WorkerKey) -> Loaded | LoadFailed:
        """Have the model in memory."""
        if self._closed:
            return LoadFailed(_CLOSED)
        lane = self._enter(key)
        try:
            return await self._started(lane)
        finally:
            self._leave(lane)

    async def score(self, key: WorkerKey, body: bytes, content_type: str | None) -> Outcome:
        """Answer one request, in the order of the calls with this key; loads the model if need be.

        A caller that goes away loses its answer; a worker that has begun finishes it all the same.
        """
        lane = self._enter(key)
        try:
            if lane.users > self._queue_limit:
                return QueueFull(lane.users - 1)
            while (outcome := await self._try(lane, body, content_type)) is None:
                pass  # the worker's place was wanted before it came to this request
            return outcome
        finally:
            self._leave(lane)

    def output(self, key: WorkerKey) -> str:
        """The last that this key's workers printed, also after their end."""
        lane = self._lanes.get(key)
        if lane is not None and lane.worker is not None:
            lane.worker.collect()
        return self._outputs[key].text() if key in self._outputs else ""

    def workers(self) -> dict[WorkerKey, int]:
        """The process ids of the workers that live, the longest unused first."""
        return {key: lane.worker.pid for key, lane in self._live.items() if lane.worker is not None}

    async def list_registry(self, uri: str) -> list[RegistryVersion] | ReadFailed:
        """Every model version in an MLflow registry, by name and number."""
        return await self._looks.list(uri)

    async def find(self, uri: str, name: str, version: str) -> RegistryVersion | ReadFailed:
        """One model version in an MLflow registry; code RESOURCE_DOES_NOT_EXIST when there's none."""
        return await self._looks.find(uri, name, version)

    async def close(self) -> None:
        """End every process of the pool; calls that still wait are told so."""
        self._closed = True
        starts = [lane.starting for lane in self._lanes.values() if lane.starting is not None]
        for task in starts:
            task.cancel()
        await asyncio.gather(*starts, return_exceptions=True)
        await asyncio.gather(*(self._close_lane(lane) for lane in list(self._live.values())))
        await self._looks.close()
        await self._nurseries.close()

    async def _close_lane(self, lane: Lane) -> None:
        if lane.worker is not None and lane.users:
            lane.worker.kill()
        await self._end(lane, lane.worker)

    def _enter(self, key: WorkerKey) -> Lane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key)
        lane.users += 1
        return lane

    def _leave(self, lane: Lane) -> None:
        lane.users -= 1
        if lane.users == 0:
            self._changed.set()
            self._forget(lane)

    def _forget(self, lane: Lane) -> None:
        """Keep no lane that holds nothing: keys come and go."""
        if lane.idle and lane.worker is None:
            self._lanes.pop(lane.key, None)

    async def _try(self, lane: Lane, body: bytes, content_type: str | None) -> Outcome | None:
        """One attempt; None when the worker went before it began, and another is to be asked."""
        if self._closed:
            return WorkerDied(_CLOSED)
        worker = lane.worker
        if worker is not None and worker.died and not worker.told:
            return await self._died(lane, worker)
        if lane.ready is None:
            started = await self._started(lane)
            if isinstance(started, LoadFailed):
                return started
            worker = lane.worker
        return None if worker is None else await self._ask(lane, worker, body, content_type)

    async def _ask(self, lane: Lane, worker: Worker, body: bytes, content_type: str | None) -> Outcome | None:
        question = {"job": "score", "content_type": content_type}
        self._live.move_to_end(lane.key)
        try:
            head, answer = await worker.ask(question, body, cap_s=self._score_cap_s)
        except NotBegun:
            return None
        except TimeoutError:
            await self._died(lane, worker)
            return TimedOut(self._score_cap_s)
        except WorkerEnded:
            return await self._died(lane, worker)
        if not lane.served:
            lane.served = True
            self._changed.set()
        return Answer(head["status"], head["content_type"], answer)

    async def _died(self, lane: Lane, worker: Worker) -> WorkerDied:
        """Tell one caller of a worker's death, once."""
        worker.told = True
        return WorkerDied(await self._end(lane, worker))

    async def _started(self, lane: Lane) -> Loaded | LoadFailed:
        """Wait for the lane's worker; whoever comes first starts it, and it starts even if they go away."""
        if (loaded := lane.ready) is not None:
            return loaded
        if lane.starting is None:
            lane.starting = asyncio.create_task(self._start(lane))
        task = lane.starting
        await asyncio.wait([task])  # unlike awaiting the task, this doesn't cancel it with one caller
        return LoadFailed(_CLOSED) if task.cancelled() else task.result()

    async def _start(self, lane: Lane) -> Loaded | LoadFailed:
        try:
            if lane.worker is not None:
                await self._end(lane, lane.worker)
            await self._make_room(lane)
            outcome = await self._load(lane)
            if isinstance(outcome, LoadFailed):
                await self._end(lane, lane.worker)
            else:
                lane.loaded = outcome
        except asyncio.CancelledError:  # by close, which ends the worker
            outcome = LoadFailed(_CLOSED)
        finally:
            lane.starting = None
            self._changed.set()
            self._forget(lane)
        return outcome

    async def _load(self, lane: Lane) -> Loaded | LoadFailed:
        """Fork a worker for a lane and have it load the model."""
        key = lane.key
        source = await self._looks.locate(key)
        if isinstance(source, ReadFailed):
            return LoadFailed(source.reason, source.log)
        try:
            nursery = await self._nurseries.get(key.python)
            lane.worker = await nursery.fork(self._ring(key))
            head, body = await lane.worker.ask(_load_job(key, source), cap_s=self._load_cap_s)
        except NurseryFailed as failure:
            return LoadFailed(*failure.args)
        except TimeoutError:
            return LoadFailed(f"loading took longer than {self._load_cap_s:g} s", self.output(key))
        except (WorkerEnded, NotBegun):
            how = "" if lane.worker is None else await lane.worker.end()
            return LoadFailed(f"the process that loaded the model {how}", self.output(key))
        if "failed" in head:
            return LoadFailed(head["failed"], head["log"])
        return loaded(json.loads(body), nursery.greeting)

    async def _make_room(self, lane: Lane) -> None:
        """Wait for a place among the live workers and take it; who comes first is served first."""
        async with self._door:
            while len(self._live) >= self._limit:
                await self._free_one()
            self._live[lane.key] = lane

    async def _free_one(self) -> None:
        """End the worker that was idle longest, or the longest unused one after its answer, or wait."""
        lanes = self._live.values()
        idle = (lane for lane in lanes if lane.idle)
        victim = next(idle, None) or next((lane for lane in lanes if lane.movable), None)
        if victim is not None:
            await self._end(victim, victim.worker)
            return
        self._changed.clear()
        await self._changed.wait()

    async def _end(self, lane: Lane, worker: Worker | None) -> str:
        """End a worker and give its place free; how it ended."""
        how = "" if worker is None else await worker.end()
        if lane.drop(worker):
            self._live.pop(lane.key, None)
            self._changed.set()
            self._forget(lane)
        return how

    def _ring(self, key: WorkerKey) -> Ring:
        ring = self._outputs.setdefault(key, Ring(self._output_bytes))
        self._outputs.move_to_end(key)
        while len(self._outputs) > KEPT_OUTPUTS:
            self._outputs.popitem(last=False)
        return ring


def _load_job(key: WorkerKey, source: str) -> dict[str, Any]:
    return {
        "job": "load",
        "source": source,
        "registry_uri": key.registry_uri,
        "environment": key.environment,
        "folder": current_folder(),
    }
