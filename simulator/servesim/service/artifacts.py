"""The files of registered versions: streamed to disk while they are hashed, sealed into read-only folders.

A version is known by the number of its model and its own. What belongs to none any more goes with ``tidy``.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from servesim.core.errors import Code, Rejected
from servesim.service.artifact_files import FILES, Entry, File, Held, Tree, check_place, digest
from servesim.service.artifact_folders import release_all, take_in
from servesim.service.artifact_paths import confined, invalid

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from pathlib import Path

    from servesim.core.workspace import Workspace
    from servesim.service.artifact_disk import Content
    from servesim.service.artifact_store import ArtifactStore

    Key = tuple[int, str]
    """The numbers of a model and of its version."""


class Artifacts:
    """The files of one workspace's versions."""

    def __init__(self, store: ArtifactStore, now: Callable[[], int]) -> None:
        """Begin without any; ``now`` is the instant in milliseconds."""
        self.store = store
        self._now = now
        self._held: dict[Key, Held] = {}
        self._removals: set[asyncio.Future[None]] = set()
        self._seen = -1
        self._closed = False
        self.bringing = asyncio.Lock()
        """Held while the folder of a version that was named is taken in, which is done once."""

    # --- one file ---------------------------------------------------------------------------------

    async def write(
        self,
        key: Key,
        path: str,
        chunks: AsyncGenerator[bytes],
        announced: int | None = None,
        *,
        overwrite: bool = True,
        check: Callable[[], object] | None = None,
    ) -> File:
        """Keep what comes as a file of a version that is not sealed; of a failed upload nothing is left.

        ``check`` is asked before and after, since the version may have gone meanwhile: it raises Rejected. Raise
        PATH_INVALID, FILE_EXISTS, UPLOAD_QUOTA, UPLOAD_TRUNCATED or UPLOADS_BUSY.
        """
        confined(path)
        self._check(key, path, overwrite=overwrite, check=check)
        disk, run = self.store.disk, self.store.run
        if announced:
            disk.reserve(announced, announced)  # so that it is refused before it comes
            disk.give_back(announced)
        async with self.store.turn(), aclosing(chunks):
            content = await self._received(path, chunks, announced)
        file = File(path, content.size, content.sha256, self._now())
        try:
            self._check(key, path, overwrite=overwrite, check=check)
        except Rejected:
            await run(partial(disk.release, content))
            raise
        before = self._held.setdefault(key, Held()).add(file)
        if before is not None:
            await run(partial(disk.release, before.content))
        return file

    async def _received(self, path: str, chunks: AsyncGenerator[bytes], announced: int | None) -> Content:
        run = self.store.run
        part = await run(self.store.disk.begin)
        try:
            async for block in chunks:
                await run(partial(part.write, block))
            if announced is not None and part.size != announced:
                raise Rejected(Code.UPLOAD_TRUNCATED, path=path, announced=announced, size=part.size)
            return await run(part.finish)
        finally:
            await run(part.discard)

    def _check(self, key: Key, path: str, *, overwrite: bool, check: Callable[[], object] | None) -> None:
        if check is not None:
            check()
        if self._closed:
            raise Rejected(Code.FOLDER_MISSING, path=path)
        held = self._held.get(key)
        if held is None:
            return
        if held.is_sealed:
            raise invalid(path, "its version is registered, and its files do not change any more")
        if path in held.files:
            if not overwrite:
                raise Rejected(Code.FILE_EXISTS, path=path)
        elif len(held.files) >= FILES:
            raise invalid(path, f"its version has {FILES:,} files, which is as many as it may have")
        check_place(path, held.files, held.folders)

    def remove(self, key: Key, path: str) -> None:
        """Take a file away; raise FILE_MISSING, or PATH_INVALID once its version is sealed."""
        self.file(key, path)
        held = self._held[key]
        if held.is_sealed:
            raise invalid(path, "its version is registered, and its files do not change any more")
        content = held.drop(path).content
        self._later(partial(self.store.disk.release, content))

    # --- reading ----------------------------------------------------------------------------------

    def files(self, key: Key) -> Mapping[str, File]:
        """Return the files of a version by path; none for one that has none."""
        held = self._held.get(key)
        return held.files if held else {}

    def file(self, key: Key, path: str) -> File:
        """Return one; raise FILE_MISSING."""
        file = self.files(key).get(path)
        if file is None:
            raise Rejected(Code.FILE_MISSING, path=path)
        return file

    def where(self, key: Key, path: str) -> Path:
        """Return the read-only file on disk that holds one; raise FILE_MISSING."""
        return self.store.disk.where(self.file(key, path).content)

    def listing(self, key: Key, folder: str = "") -> list[Entry]:
        """Return what lies in a folder, by name; '' is the version's own. Raise FOLDER_MISSING."""
        held = self._held.get(key)
        if folder and (held is None or folder not in held.folders):
            raise Rejected(Code.FOLDER_MISSING, path=folder)
        if held is None:
            return []
        begin = len(folder) + 1 if folder else 0
        inner = [path for path in held.folders if _lies_in(path, folder, begin)]
        files = [file for path, file in held.files.items() if _lies_in(path, folder, begin)]
        return sorted([*(Entry(path, None) for path in inner), *(Entry(file.path, file) for file in files)])

    def is_sealed(self, key: Key) -> bool:
        """Tell whether the files of a version change no more."""
        held = self._held.get(key)
        return held is not None and held.is_sealed

    def has_folder(self, key: Key, folder: str) -> bool:
        """Tell whether a version has a folder; '' is its own."""
        held = self._held.get(key)
        return not folder or (held is not None and folder in held.folders)

    # --- whole versions ---------------------------------------------------------------------------

    async def seal(self, key: Key) -> Tree:
        """Let the files of a version change no more; return them as a folder. OSError if the disk has no room."""
        held = self._held.setdefault(key, Held())
        held.is_sealed = True
        if held.tree is None:
            disk, files = self.store.disk, dict(held.files)
            try:
                contents = {path: file.content for path, file in files.items()}
                folder, copied = await self.store.run(partial(disk.plant, contents))
            except BaseException:
                held.is_sealed = False
                raise
            tree = Tree(folder, digest(files.values()))
            if self._held.get(key) is held:
                held.take(tree, copied)
            if held.tree is not tree:
                self._later(partial(disk.fell, folder, copied))  # forgotten meanwhile, or sealed twice
        if held.tree is None:
            raise Rejected(Code.FOLDER_MISSING, path="")
        return held.tree

    async def take(self, key: Key, folder: Path) -> Tree:
        """Copy a local folder, whose path has no link in it, and seal the copy.

        Raise SOURCE_UNREADABLE, SOURCE_OUTSIDE for a link that leads out of it, PATH_INVALID or UPLOAD_QUOTA.
        """
        disk, taken = self.store.disk, Held()
        async with self.store.turn():
            taking = asyncio.ensure_future(self.store.run(partial(take_in, disk, folder, taken, self._now())))
            try:
                await asyncio.shield(taking)
            except asyncio.CancelledError:
                taken.users = 0
                self._removals.add(taking)
                taking.add_done_callback(partial(self._given_up, taken))
                raise
        if self._closed or key in self._held:
            self._release(taken)
            raise Rejected(Code.FOLDER_MISSING, path="")
        self._held[key] = taken
        return await self.seal(key)

    def share(self, key: Key, other: Key) -> Tree:
        """Let a version have the files of another one that is sealed; raise FOLDER_MISSING."""
        held = self._held.get(other)
        if held is None or held.tree is None:
            raise Rejected(Code.FOLDER_MISSING, path="")
        held.users += 1
        self.forget(key)
        self._held[key] = held
        return held.tree

    def forget(self, key: Key) -> None:
        """Let the files of a version go; ``settled`` waits until they are gone."""
        held = self._held.pop(key, None)
        if held is None:
            return
        held.users -= 1
        if not held.users:
            if held.tree is not None:
                self._later(partial(self.store.disk.fell, held.tree.folder, held.copied))
            self._release(held)

    def _given_up(self, taken: Held, taking: asyncio.Future[None]) -> None:
        """Release what a thread took for nobody."""
        self._removals.discard(taking)
        if not taking.cancelled():
            taking.exception()  # nobody else asks for it
        self._release(taken)

    def _release(self, held: Held) -> None:
        self._later(partial(release_all, self.store.disk, [file.content for file in held.files.values()]))

    async def tidy(self, world: Workspace) -> None:
        """Forget the versions that are not registered any more; one that is deployed still keeps its files."""
        if self._held and self._seen != world.registry.revision:
            registered = {model.number: model.versions for model in world.registry.models.values()}
            left = {key: held for key, held in self._held.items() if key[1] not in registered.get(key[0], ())}
            served = {deployment.model.source for deployment in world.deployments.values()} if left else set()
            deployed = [key for key, held in left.items() if held.tree and str(held.tree.folder) in served]
            for key in left.keys() - deployed:
                self.forget(key)
            self._seen = -1 if deployed else world.registry.revision
        await self.settled()

    async def settled(self) -> None:
        """Wait until everything that was forgotten is gone from the disk."""
        while self._removals:
            await asyncio.wait(set(self._removals))

    async def close(self) -> None:
        """Forget everything, for good."""
        self._closed = True
        for key in list(self._held):
            self.forget(key)
        await self.settled()

    def _later(self, work: Callable[[], None]) -> None:
        removal = asyncio.ensure_future(self.store.run(work))
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)


def _lies_in(path: str, folder: str, begin: int) -> bool:
    return path.startswith(folder) and path.rfind("/") + 1 == begin
