"""Where artifacts lie: one folder of a server, each content once, under one quota; it ends with the server.

A content is named by its SHA-256 and goes with the last reader of it. All of this may be called from any thread.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from servesim.core.errors import Code, Rejected
from servesim.service.mover import Stopping

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "servesim-artifacts-"
"""What the folder of every server begins with in the folder for temporary files."""
MAKING = "servesim-making-"
"""The same before its lock is held: nobody looks at those."""

_LOCK = "lock"
_READ_ONLY_FILE = 0o444
_READ_ONLY_FOLDER = 0o555
_PRIVATE = 0o700


class Content(NamedTuple):
    """What one file holds."""

    sha256: str
    size: int


class Disk:
    """The artifacts of one server; its folder is made when the first byte comes."""

    def __init__(self, quota: int) -> None:
        """Take the bytes that all of it may have together; what is on its way counts as well."""
        self.quota = quota
        self.used = 0
        self._gate = threading.RLock()
        self._planting = threading.Lock()
        """Held while a folder is planted: what goes meanwhile would be made anew below it."""
        self._folder: Path | None = None
        self._is_closed = False
        self._lock = -1
        self._readers: dict[str, int] = {}
        self._numbers = 0

    @property
    def folder(self) -> Path | None:
        """Where everything lies; None while there is nothing."""
        return self._folder

    def begin(self) -> Part:
        """Return a new file to write into; OSError if the machine has no room for one."""
        with self._gate:
            return Part(self, self._number("parts"))

    def reserve(self, size: int, asked: int) -> None:
        """Take some of the quota for a file of ``asked`` bytes; raise UPLOAD_QUOTA."""
        with self._gate:
            if self.used + size > self.quota:
                raise Rejected(Code.UPLOAD_QUOTA, limit=self.quota, size=max(size, asked))
            self.used += size

    def give_back(self, size: int) -> None:
        """Let others have some of the quota."""
        with self._gate:
            self.used = max(0, self.used - size)  # nothing is used any more once it was closed

    def where(self, content: Content) -> Path:
        """Return the file that holds a content."""
        return self._root() / "contents" / content.sha256[:2] / content.sha256

    def keep(self, written: Path, content: Content) -> None:
        """Have a written file as a content with one more reader; one that is there already is not kept twice."""
        with self._gate:
            readers = self._readers.get(content.sha256, 0)
            if readers:
                written.unlink()
                self.used -= content.size
            else:
                kept = self.where(content)
                kept.parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
                written.replace(kept)
            self._readers[content.sha256] = readers + 1

    def release(self, content: Content) -> None:
        """Take a reader away from a content, which goes with its last."""
        with self._gate:
            self._readers[content.sha256] -= 1
            if self._readers[content.sha256]:
                return
            del self._readers[content.sha256]
            gone = self._number("gone")
            self.where(content).replace(gone)
            self.used -= content.size
        gone.unlink()  # which may take a while, and whoever brings the same content anew need not wait

    def plant(self, files: Mapping[str, Content]) -> tuple[Path, int]:
        """Make a read-only folder of these files; return it and the bytes that it took beside the contents."""
        with self._planting:
            return self._plant(files)

    def _plant(self, files: Mapping[str, Content]) -> tuple[Path, int]:
        folder = self._number("trees")
        folder.mkdir(mode=_PRIVATE)
        copied = 0
        try:
            for path, content in files.items():
                copied += self._place(content, folder / path)
            for root, _, _ in os.walk(folder):
                Path(root).chmod(_READ_ONLY_FOLDER)
        except BaseException:
            self.fell(folder, copied)
            raise
        return folder, copied

    def _place(self, content: Content, target: Path) -> int:
        """Put a content where it belongs: by a hard link, or by a copy where the file system has none."""
        target.parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        source = self.where(content)
        try:
            target.hardlink_to(source)
        except FileExistsError:  # a file system that takes two names for one
            raise Rejected(
                Code.PATH_INVALID, path=target.name, reason="this machine's disk takes it for another file's name"
            ) from None
        except OSError:
            self.reserve(content.size, content.size)
            try:
                shutil.copyfile(source, target)
                target.chmod(_READ_ONLY_FILE)
            except BaseException:
                self.give_back(content.size)
                raise
            return content.size
        return 0

    def fell(self, folder: Path, copied: int) -> None:
        """Remove a folder that was planted."""
        _remove(folder)
        self.give_back(copied)

    def close(self) -> None:
        """Remove everything, for good; who still writes fails."""
        self._is_closed = True  # which ends what is being planted
        with self._planting, self._gate:
            folder, self._folder = self._folder, None
            self._readers.clear()
            self.used = 0
            if folder is not None:
                _remove(folder)
                os.close(self._lock)

    def _number(self, kind: str) -> Path:
        with self._gate:
            self._numbers += 1
            folder = self._root() / kind
            folder.mkdir(mode=_PRIVATE, exist_ok=True)
            return folder / str(self._numbers)

    def _root(self) -> Path:
        with self._gate:
            if self._is_closed:
                raise Stopping
            if self._folder is None:
                remove_leftovers()
                self._folder, self._lock = _make()
            return self._folder


class Part:
    """A file that is being written; nothing is left of one that is not finished."""

    def __init__(self, disk: Disk, path: Path) -> None:
        """Open it."""
        self._disk = disk
        self._path = path
        self._gate = threading.Lock()
        self._hash = hashlib.sha256()
        self._file = path.open("xb", buffering=0)
        self._ended = False
        self.size = 0

    def write(self, block: bytes) -> None:
        """Write on; raise UPLOAD_QUOTA, or ValueError once it has been given up."""
        with self._gate:
            self._disk.reserve(len(block), self.size + len(block))
            self.size += len(block)
            rest = memoryview(block)
            while rest:
                rest = rest[self._file.write(rest) :]
            self._hash.update(block)

    def finish(self) -> Content:
        """Keep what was written, and return what it is."""
        with self._gate:
            os.fchmod(self._file.fileno(), _READ_ONLY_FILE)
            self._file.close()
            content = Content(self._hash.hexdigest(), self.size)
            self._disk.keep(self._path, content)
            self._ended, self.size = True, 0
            return content

    def discard(self) -> None:
        """Give it up; one that is finished stays."""
        with self._gate:
            if not self._ended:
                self._file.close()
                self._path.unlink(missing_ok=True)
            self._disk.give_back(self.size)
            self._ended, self.size = True, 0


def remove_leftovers(within: Path | None = None) -> None:
    """Remove what servers that were killed have left behind; whatever may be another living server's stays.

    A server holds a lock in its folder for as long as it lives, and its folder gets its name once the lock is held.
    """
    for folder in (within or Path(tempfile.gettempdir())).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            _remove_if_left(folder)


def _remove_if_left(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        return
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(folder)
    finally:
        os.close(lock)


def _make() -> tuple[Path, int]:
    making = Path(tempfile.mkdtemp(prefix=MAKING)).resolve()
    lock = os.open(making / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return making.rename(making.with_name(PREFIX + making.name.removeprefix(MAKING))), lock


def _remove(folder: Path) -> None:
    """Remove a folder whose folders may be read-only; what somebody else has put there and cannot go stays."""
    for root, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            Path(root).chmod(_PRIVATE)
    shutil.rmtree(folder, ignore_errors=True)
