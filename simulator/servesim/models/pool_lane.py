"""One key's place in the pool: who waits for its worker, and the worker if there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from servesim.models.pool_process import Worker
    from servesim.models.pool_types import Loaded, LoadFailed, WorkerKey


@dataclass(slots=True, eq=False)
class Lane:
    """What the pool knows of one key.

    `users` counts the calls that are under way, waiting ones included; `starting` is shared by all of them;
    `served` says whether this worker has answered a request since it was loaded.
    """

    key: WorkerKey
    users: int = 0
    worker: Worker | None = None
    loaded: Loaded | None = None
    starting: asyncio.Task[Loaded | LoadFailed] | None = None
    served: bool = False

    @property
    def ready(self) -> Loaded | None:
        """The model that can be asked right now."""
        return self.loaded if self.worker is not None and self.worker.alive else None

    @property
    def idle(self) -> bool:
        """Whether its worker can be ended without anybody noticing."""
        return self.users == 0 and self.starting is None

    @property
    def movable(self) -> bool:
        """Whether its worker may be ended after what it's busy with.

        Not before it has served one: two keys in turn for one place would load for ever and answer nothing.
        """
        return self.starting is None and self.served

    def drop(self, worker: Worker | None) -> bool:
        """Forget a worker that has ended; false when it has been replaced since."""
        if self.worker is not worker:
            return False
        self.worker, self.loaded, self.served = None, None, False
        return True
