"""The files of one version: which there are, where one may be, and what they are together."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from servesim.service.artifact_disk import Content
from servesim.service.artifact_paths import folders_of, invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FILES = 10_000
"""Of one version: ours, no limit is published."""
WRITTEN_LATER = frozenset({"__pycache__", "registered_model_meta"})
"""Names that Python and MLflow add to a folder when it is used: no part of its digest, as in models/worker_facts.py."""


class File(NamedTuple):
    """One file of a version."""

    path: str
    size: int
    sha256: str
    modified: int = 0
    """The instant of its upload."""

    @property
    def content(self) -> Content:
        """What it holds."""
        return Content(self.sha256, self.size)


class Entry(NamedTuple):
    """What a folder holds, at one of its names."""

    path: str
    """From the version's folder on."""
    file: File | None
    """None for a folder."""


class Tree(NamedTuple):
    """The files of a version as a folder that nobody writes to."""

    folder: Path
    digest: str


class Held:
    """What is kept of one version, or of several that are copies of each other."""

    __slots__ = ("copied", "files", "folders", "is_sealed", "tree", "users")

    def __init__(self) -> None:
        """Begin without files."""
        self.files: dict[str, File] = {}
        self.folders: Counter[str] = Counter()
        """How many files lie below each folder."""
        self.users = 1
        self.is_sealed = False
        self.tree: Tree | None = None
        self.copied = 0

    def add(self, file: File) -> File | None:
        """Put a file in its place; return the one that stood there."""
        before = self.files.get(file.path)
        self.files[file.path] = file
        if before is None:
            self.folders.update(folders_of(file.path))
        return before

    def take(self, tree: Tree, copied: int) -> None:
        """Have a tree, unless there is one."""
        if self.tree is None:
            self.tree, self.copied = tree, copied

    def drop(self, path: str) -> File:
        """Take a file out and return it."""
        file = self.files.pop(path)
        self.folders.subtract(folders_of(path))
        self.folders += Counter()  # without those that are empty
        return file


def digest(files: Iterable[File]) -> str:
    """Return SHA-256 over the sorted paths and contents of a version's files, as ``models/worker_facts.py`` does."""
    total = hashlib.sha256()
    for file in sorted(files):
        if WRITTEN_LATER.isdisjoint(file.path.split("/")):
            total.update(file.path.encode() + b"\0" + bytes.fromhex(file.sha256))
    return total.hexdigest()


def check_place(path: str, files: Mapping[str, File], folders: Mapping[str, int]) -> None:
    """Raise PATH_INVALID for a file that would be a folder as well, or lie in a file."""
    if path in folders:
        raise invalid(path, "it is a folder already")
    for folder in folders_of(path):
        if folder in files:
            raise invalid(path, f"'{folder}' is a file already")
