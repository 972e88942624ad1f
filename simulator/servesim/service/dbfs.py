"""What MLflow's client leaves in DBFS for the workspace registry when its runs are kept elsewhere.

It uploads a model's files one by one into a folder below ``ROOT`` and then registers that folder. Of DBFS, this is all
that there is here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from servesim.service.artifact_paths import confined

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from servesim.service.artifact_files import Entry
    from servesim.service.artifacts import Artifacts

ROOT = "/databricks/mlflow/tmp-external-source"
FOLDERS = 100
"""What is kept of a workspace; the oldest goes first."""

_SOURCE = re.compile(rf"dbfs:(?://[^/]*)?/*(?P<path>{ROOT}(?:/.*)?)", re.DOTALL)


class Uploads:
    """The folders that were uploaded to one workspace."""

    def __init__(self, files: Artifacts) -> None:
        """Keep them in ``files``, which nobody else uses."""
        self._files = files
        self._folders: dict[str, None] = {}

    async def write(self, path: str, chunks: AsyncGenerator[bytes], announced: int | None) -> None:
        """Keep a file below the root; raise what ``Artifacts.write`` raises."""
        folder, _, inner = confined(path).partition("/")
        await self._files.write((0, folder), inner, chunks, announced)
        self._folders.setdefault(folder)
        if len(self._folders) > FOLDERS:
            oldest = next(iter(self._folders))
            del self._folders[oldest]
            self._files.forget((0, oldest))

    def listing(self, path: str) -> list[Entry]:
        """Return what lies in a folder below the root, or the file itself; nothing where there is neither."""
        folder, _, inner = path.partition("/")
        files = self._files.files((0, folder))
        if inner in files:
            return [
                entry for entry in self._files.listing((0, folder), inner.rpartition("/")[0]) if entry.path == inner
            ]
        return self._files.listing((0, folder), inner) if self._files.has_folder((0, folder), inner) else []

    async def tree(self, path: str) -> Path | None:
        """Return an uploaded folder; from then on it takes no more files.

        The client names the last part of where the model came from, also for a logged model, whose files it has put
        into the folder above: that is meant then.
        """
        folder, _, inner = path.partition("/")
        key = (0, folder)
        if not self._files.files(key):
            return None
        tree = (await self._files.seal(key)).folder
        return tree / inner if inner and self._files.has_folder(key, inner) else tree

    async def close(self) -> None:
        """Let all of it go."""
        await self._files.close()


def below(path: str) -> str | None:
    """Return what follows the root in a path of DBFS, without doubled slashes; None for one that lies elsewhere."""
    plain = re.sub("/+", "/", path)
    return plain.removeprefix(ROOT).strip("/") if f"{plain}/".startswith(f"{ROOT}/") else None


def named(source: str) -> str | None:
    """Return the same of a version's source; None for any other."""
    found = _SOURCE.fullmatch(source)
    return below(unquote(found["path"])) if found else None
