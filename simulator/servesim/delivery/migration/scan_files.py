"""Which files ``servesim migrate scan`` reads, and which it passes over and why; everything is bounded."""

from __future__ import annotations

import os
import stat
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FILE_LIMIT = 2 * 1024 * 1024
"""Bytes of a file; nobody writes a longer one by hand."""
NOTEBOOK_LIMIT = 32 * 1024 * 1024
"""Bytes of a notebook, which holds what its cells showed as well."""
MOST_FILES = 50_000
DEEPEST = 60
"""Folders within folders."""
MODEL_FILE = "MLmodel"

SUFFIXES = frozenset((
    "py", "ipynb", "sh", "bash", "zsh", "ps1", "js", "jsx", "mjs", "cjs", "ts", "tsx", "java", "scala", "kt", "cs",
    "go", "r", "rb", "php", "sql", "m", "pq", "tf", "tfvars", "hcl", "yaml", "yml", "json", "jsonc", "toml", "ini",
    "cfg", "conf", "env", "properties", "http", "rest",
))  # fmt: skip
NAMES = frozenset({"Dockerfile", "Jenkinsfile", "Makefile", ".env"})
COMPILED = "__pycache__"
"""So many of these are there that nobody is told."""
NOT_OURS = frozenset((
    ".git", ".hg", ".svn", ".tox", ".nox", ".venv", "venv", "node_modules", "site-packages", COMPILED,
    ".ipynb_checkpoints", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".terraform", ".idea",
))  # fmt: skip
"""Folders of what others wrote, or programs."""

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Skipped(NamedTuple):
    """What was passed over."""

    path: str
    why: str


class Walk:
    """The files below some paths, in order, each once; ``skipped`` tells what was passed over."""

    def __init__(self, paths: Sequence[Path], exclude: Sequence[str] = ()) -> None:
        """Read nothing yet."""
        self.skipped: list[Skipped] = []
        self.others = 0
        """Files of kinds that are not read."""
        self.models: list[Path] = []
        """``MLmodel`` files that were met."""
        self._exclude = exclude
        self._seen: set[tuple[int, int]] = set()
        self.files = [file for path in paths for file in self._below(path)]

    def _below(self, path: Path) -> Iterator[Path]:
        if not path.is_dir():
            yield from self._file(path, is_named=True)
            return
        top = len(path.parts)
        for folder, folders, names in os.walk(path, onerror=self._unreadable):
            here = Path(folder)
            folders[:] = sorted(name for name in folders if self._enters(here / name, len(here.parts) - top))
            for name in sorted(names):
                yield from self._file(here / name)

    def _enters(self, folder: Path, depth: int) -> bool:
        why = ""
        if folder.name in NOT_OURS or (folder / "pyvenv.cfg").is_file():
            why = "what others wrote, or programs"
        elif folder.is_symlink():
            why = "a link to a folder; name it to scan it"
        elif self._is_excluded(folder):
            why = "excluded"
        elif depth >= DEEPEST:
            why = f"more than {DEEPEST} folders deep"
        if why and folder.name != COMPILED:
            self.skipped.append(Skipped(str(folder), why))
        return not why

    def _file(self, path: Path, *, is_named: bool = False) -> Iterator[Path]:
        if path.name == MODEL_FILE:
            self.models.append(path)
        elif not is_named and suffix_of(path) not in SUFFIXES and path.name not in NAMES:
            self.others += 1
        elif self._is_excluded(path):
            self.skipped.append(Skipped(str(path), "excluded"))
        elif len(self._seen) >= MOST_FILES:
            self.skipped.append(Skipped(str(path), f"more than {MOST_FILES:,} files"))
        elif self._is_new(path):
            yield path

    def _is_new(self, path: Path) -> bool:
        try:
            found = path.stat()
        except OSError as error:
            self._unreadable(error)
            return False
        key = (found.st_dev, found.st_ino)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _is_excluded(self, path: Path) -> bool:
        return any(fnmatchcase(path.name, one) or fnmatchcase(path.as_posix(), one) for one in self._exclude)

    def _unreadable(self, error: OSError) -> None:
        self.skipped.append(Skipped(str(error.filename), f"cannot be read: {error.strerror}"))

    def read(self, path: Path) -> str | None:
        """Return the text of a file; None for one that is passed over."""
        limit = NOTEBOOK_LIMIT if suffix_of(path) == "ipynb" else FILE_LIMIT
        try:
            with os.fdopen(os.open(path, _READ), "rb") as file:
                is_ordinary = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
                data = file.read(limit + 1) if is_ordinary else b""
        except OSError as error:
            self.skipped.append(Skipped(str(path), f"cannot be read: {error.strerror}"))
            return None
        text = _decoded(data)
        why = ""
        if not is_ordinary:
            why = "no ordinary file"
        elif len(data) > limit:
            why = f"larger than {limit:,} bytes"
        elif text is None:
            why = "no text"
        if why:
            self.skipped.append(Skipped(str(path), why))
            return None
        return text


def suffix_of(path: Path) -> str:
    """Return what a name ends in, without the dot."""
    return path.suffix.removeprefix(".").lower()


def _decoded(data: bytes) -> str | None:
    """Return a text; None for what is none. What is not UTF-8 is read as Latin-1, in which every byte is a letter."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _lines(data.decode("utf-16", errors="replace"))
    if b"\0" in data[:8192]:
        return None
    try:
        return _lines(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return _lines(data.decode("latin-1"))


def _lines(text: str) -> str:
    """Return a text with one kind of line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", " ")
