"""Folders of this machine that are copied in: ordinary files alone, and no link that leads out. All in a thread."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from servesim.core.errors import Code, Rejected
from servesim.service.artifact_files import FILES, File
from servesim.service.artifact_paths import confined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.service.artifact_disk import Content, Disk, Part
    from servesim.service.artifact_files import Held

BLOCK_BYTES = 1024 * 1024
"""What is kept of a file in memory."""

# Without O_PATH, a folder that may be passed and not be read cannot be opened.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def take_in(disk: Disk, folder: Path, taken: Held, now: int) -> None:
    """Copy a folder's files in; raise Rejected, and nothing is left of them.

    It ends early once nobody uses what is taken.
    """
    try:
        for path, source in _found(folder):
            if not taken.users:
                return
            content = _copy(disk.begin(), folder, source)
            taken.add(File(confined(path), content.size, content.sha256, now))
    except BaseException:
        release_all(disk, [file.content for file in taken.files.values()])
        taken.files.clear()
        raise


def _found(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a folder, with their paths in it; its own path has no link in it."""
    root, count = folder, 0
    if not root.is_dir():
        raise Rejected(Code.SOURCE_UNREADABLE, source=str(folder), reason="there is no such folder")
    for place, folders, names in os.walk(root):
        folders.sort()
        for name in sorted([*names, *(one for one in folders if (Path(place) / one).is_symlink())]):
            found = Path(place) / name
            confined(found.relative_to(root).as_posix())
            target = Path(os.path.realpath(found))
            if not target.is_relative_to(root):
                raise Rejected(Code.SOURCE_OUTSIDE, source=str(found), root=str(folder))
            count += 1
            if count > FILES:
                raise Rejected(Code.SOURCE_UNREADABLE, source=str(folder), reason=f"it has more than {FILES:,} files")
            yield found.relative_to(root).as_posix(), target


def _copy(part: Part, folder: Path, source: Path) -> Content:
    try:
        opened = _open(source)
        try:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise Rejected(Code.SOURCE_UNREADABLE, source=str(folder), reason=f"{source} is no ordinary file")
            while block := os.read(opened, BLOCK_BYTES):
                part.write(block)
        finally:
            os.close(opened)
        return part.finish()
    except OSError as error:
        raise Rejected(Code.SOURCE_UNREADABLE, source=str(folder), reason=f"{source}: {error.strerror}") from error
    finally:
        part.discard()


def _open(path: Path) -> int:
    """Open a file by names alone: a link that has taken the place of a folder meanwhile is an error."""
    *folders, name = path.parts[1:]
    place = os.open(path.anchor, _FOLDER)
    try:
        for folder in folders:
            inner = os.open(folder, _FOLDER, dir_fd=place)
            os.close(place)
            place = inner
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
    finally:
        os.close(place)


def release_all(disk: Disk, contents: list[Content]) -> None:
    """Give up what was kept; nothing of it is there any more if the disk was closed meanwhile."""
    for content in contents:
        with suppress(FileNotFoundError, KeyError):
            disk.release(content)
