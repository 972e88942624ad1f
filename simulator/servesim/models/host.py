"""Who answers for a model version: a stub at once, a callable in a thread, an MLflow model in its worker."""

from __future__ import annotations

import asyncio
import inspect
import json
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.core.commands import LoadFinished
from servesim.models import stubs
from servesim.models.answer import Answer, refusal
from servesim.models.pool_types import LoadFailed, QueueFull, TimedOut, WorkerDied, WorkerKey
from servesim.models.senders import Senders
from servesim.models.threads import Threads
from servesim.payloads.refusal import Refused
from servesim.payloads.signature import Signature, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.core.commands import LoadModel
    from servesim.core.registry import ModelVersion, Registry
    from servesim.models.pool import WorkerPool
    from servesim.models.senders import Sender

CALLABLE_THREADS = 8

AT_ONCE_BYTES = 64 * 1024
"""A larger body is read in a thread: megabytes of JSON would keep every other request waiting."""


KEPT = 1_000
"""How many stubs, and how many signatures, are kept as they were read; then all are read anew."""


class Settings(NamedTuple):
    """Bounds of the real work behind models; times are real seconds."""

    workers: int = 4
    load_cap_s: float = 120.0
    score_cap_s: float = 120.0


class ModelHost:
    """Everything that answers, for all workspaces of one server."""

    def __init__(self, settings: Settings | None = None) -> None:
        """Start nothing yet: threads and workers come with the first model that needs them."""
        self.settings = settings or Settings()
        self.functions: dict[str, Callable[..., Any]] = {}
        self._kept = 0
        self._stubs: dict[str, stubs.Stub] = {}
        self._signatures: dict[str, Signature] = {}
        self.senders = Senders()
        self._threads = Threads(CALLABLE_THREADS)
        self._others = Threads(CALLABLE_THREADS, "route")
        self._pool: WorkerPool | None = None

    def keep(self, function: object) -> str:
        """Keep a Python callable and return the key that a version names it by; raise TypeError for what is none."""
        if not callable(function) or inspect.iscoroutinefunction(function):
            message = f"a model is a plain function of rows, called in a thread; got {function!r}"
            raise TypeError(message)
        self._kept += 1
        key = f"{getattr(function, '__qualname__', type(function).__qualname__)}#{self._kept}"
        self.functions[key] = function
        return key

    def forget(self, registry: Registry) -> None:
        """Let the callables of a workspace go that has ended."""
        for model in registry:
            self.functions.pop(model.source, None)

    def pool(self) -> WorkerPool:
        """Return the pool of MLflow workers, made on first use."""
        if self._pool is None:
            from servesim.models.pool import WorkerPool  # noqa: PLC0415 - costs nothing when no model needs it

            caps = self.settings
            self._pool = WorkerPool(limit=caps.workers, load_cap_s=caps.load_cap_s, score_cap_s=caps.score_cap_s)
        return self._pool

    async def load(self, effect: LoadModel) -> LoadFinished:
        """Load a deployment's model for real; a failure is an outcome, with its reason."""
        model = effect.model
        if model.kind == "function" and model.source not in self.functions:
            return LoadFinished(effect.deployment_id, f"no Python callable is registered as {model.source!r}")
        if model.kind != "mlflow":
            return LoadFinished(effect.deployment_id)
        outcome = await self.pool().load(worker_key(model, effect.environment))
        if isinstance(outcome, LoadFailed):
            return LoadFinished(effect.deployment_id, outcome.reason, outcome.log)
        return LoadFinished(effect.deployment_id, log="\n".join(outcome.build_log) + "\n")

    def answer_now(self, model: ModelVersion, body: bytes, content_type: str | None) -> Answer | None:
        """Return a stub's answer to a request of ordinary size; None for what needs time."""
        if model.kind != "stub" or len(body) > AT_ONCE_BYTES:
            return None
        return self._score(model, body, content_type)

    async def answer(
        self,
        model: ModelVersion,
        environment: tuple[tuple[str, str], ...],
        body: bytes,
        content_type: str | None,
        sender: Sender | None = None,
    ) -> Answer | LoadFailed | QueueFull | TimedOut | WorkerDied:
        """Return the answer of any model, or why there is none, without holding up the event loop.

        With a ``sender`` the requests that a callable sends are known as its own.
        """
        if model.kind == "mlflow":
            return await self.pool().score(worker_key(model, environment), body, content_type)
        work = partial(self._score, model, body, content_type)
        if sender is not None and model.kind == "function":
            work = partial(self._score_as, sender, work)
        try:
            async with asyncio.timeout(self.settings.score_cap_s):
                return await self._threads.run(work)
        except TimeoutError:
            return TimedOut(self.settings.score_cap_s)

    async def call(self, work: Callable[[], Any]) -> Any:
        """Do a Python callable's work that is no model's, in a thread; raise what it raises, or TimeoutError."""
        async with asyncio.timeout(self.settings.score_cap_s):
            return await self._others.run(work)

    def printed(self, model: ModelVersion, environment: tuple[tuple[str, str], ...]) -> str:
        """Return the last that a version's worker printed, in the environment that it was loaded with."""
        if model.kind != "mlflow":
            return ""
        return self.pool().output(worker_key(model, environment))

    async def close(self) -> None:
        """End workers; threads end with what they run."""
        self._threads.close()
        self._others.close()
        if self._pool is not None:
            await self._pool.close()

    def _score_as(self, sender: Sender, work: Callable[[], Answer]) -> Answer:
        with self.senders.act(sender):
            return work()

    def _score(self, model: ModelVersion, body: bytes, content_type: str | None) -> Answer:
        try:
            signature = self._signature(model)
        except Refused as refused:
            return refusal(refused)
        if model.kind == "function":
            function = self.functions.get(model.source, _forgotten)
            return stubs.score_callable(function, body, content_type, signature)
        return stubs.score(self._stub(model.source), body, content_type, signature)

    def _stub(self, source: str) -> stubs.Stub:
        stub = self._stubs.get(source)
        if stub is None:
            if len(self._stubs) >= KEPT:
                self._stubs.clear()
            stub = self._stubs[source] = stubs.Stub(**json.loads(source))
        return stub

    def _signature(self, model: ModelVersion) -> Signature | None:
        if model.signature is None:
            return None
        signature = self._signatures.get(model.signature)
        if signature is None:
            if len(self._signatures) >= KEPT:
                self._signatures.clear()
            signature = self._signatures[model.signature] = _read_signature(model.signature)
        return signature


def worker_key(model: ModelVersion, environment: tuple[tuple[str, str], ...]) -> WorkerKey:
    """Return what a worker for this version is known by."""
    return WorkerKey(model.source, model.registry_uri, model.digest, environment, model.python)


def _forgotten(_rows: Any) -> Any:
    raise Refused(503, "TEMPORARILY_UNAVAILABLE", "The workspace of this request was closed.", evidence="chosen")


def _read_signature(text: str) -> Signature:
    stored = json.loads(text)
    try:
        return Signature.from_mlflow(stored.get("inputs"), stored.get("params"))
    except Unsupported as unsupported:
        raise unsupported.refused() from unsupported
