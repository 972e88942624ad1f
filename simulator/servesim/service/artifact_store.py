"""What the workspaces of one server have in common for the artifacts of their models; made when it is needed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from servesim.core.errors import Code, Rejected
from servesim.service.clock import patience
from servesim.service.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from servesim.models.threads import Threads
    from servesim.service.artifact_disk import Disk
    from servesim.service.artifacts import Artifacts
    from servesim.service.hub import HostedWorkspace
    from servesim.service.signed import SignedUrls

_T = TypeVar("_T")

QUOTA = 10 * 1024**3
"""Bytes of a server's artifacts unless it is told otherwise."""
UPLOADS_AT_ONCE = 8
UPLOAD_WAIT_S = 60.0
"""Real seconds that an upload waits for one of the others to end: ours."""
THREADS = 4
"""Who read and write files, so that the event loop need not."""


class ArtifactStore:
    """One disk with one quota for every workspace of a server."""

    def __init__(self, quota: int = QUOTA) -> None:
        """Make nothing yet."""
        self.quota = quota
        self.host = ""
        """Where the server listens; empty before it does."""
        self._disk: Disk | None = None
        self._is_closed = False
        self._threads: Threads | None = None
        self._signed: SignedUrls | None = None
        self._turns = asyncio.Semaphore(UPLOADS_AT_ONCE)

    @property
    def disk(self) -> Disk:
        """Where everything lies."""
        if self._disk is None:
            from servesim.service.artifact_disk import Disk  # noqa: PLC0415 - most servers never have an artifact

            self._disk = Disk(self.quota)
        return self._disk

    @property
    def signed(self) -> SignedUrls:
        """The URLs that are good without a token."""
        if self._signed is None:
            from servesim.service.signed import SignedUrls  # noqa: PLC0415 - as above

            self._signed = SignedUrls()
        return self._signed

    def drop_signed(self, workspace: HostedWorkspace) -> None:
        """End the URLs of a workspace."""
        if self._signed is not None:
            self._signed.drop(workspace)

    def check_host(self) -> None:
        """Raise UPLOADS_NEED_LOOPBACK where others than this machine's own reach the server: a model runs its code."""
        if self.host and not is_loopback(self.host):
            raise Rejected(Code.UPLOADS_NEED_LOOPBACK)

    def open(self, now: Callable[[], int]) -> Artifacts:
        """Return the artifacts of one more workspace, whose clock says ``now()``."""
        from servesim.service.artifacts import Artifacts  # noqa: PLC0415 - as above

        return Artifacts(self, now)

    async def run(self, work: Callable[[], _T]) -> _T:
        """Have a thread do work on files; once everything is removed, what is left to do is little."""
        if self._is_closed:
            return work()
        if self._threads is None:
            from servesim.models.threads import Threads  # noqa: PLC0415 - as above

            self._threads = Threads(THREADS, "artifact")
        return await self._threads.run(work)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until one more upload may begin; raise UPLOADS_BUSY if that takes too long."""
        try:
            async with patience(UPLOAD_WAIT_S):
                await self._turns.acquire()
        except TimeoutError:
            raise Rejected(Code.UPLOADS_BUSY, limit=UPLOADS_AT_ONCE, seconds=f"{UPLOAD_WAIT_S:g}") from None
        try:
            yield
        finally:
            self._turns.release()

    async def close(self) -> None:
        """Remove everything."""
        if self._disk is not None:
            await self.run(self._disk.close)
        self._is_closed = True
        if self._threads is not None:
            self._threads.close()
            self._threads = None
