"""The variables that point clients at a workspace, and those that they find in a serverless notebook of it."""

from __future__ import annotations

import atexit
import os
import re
import shutil
from functools import cache
from importlib.metadata import distributions
from tempfile import NamedTemporaryFile, mkdtemp
from typing import TYPE_CHECKING, Any, Self

from servesim.core.container import fits, normalized

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from servesim.service.hub import HostedWorkspace

ARCHITECTURES = ("x86_64", "amd64", "aarch64", "arm64")

_ENVIRONMENT = re.compile(r"(\d{1,3})(-gpu)?")
_REGISTRY = "MLFLOW_REGISTRY_URI"
_NOWHERE = "file:///a-private-library-that-this-workspace-cannot-install"


class Environment(dict[str, str]):
    """Variables for clients, as a dict; ``with`` sets them for a while, a call gives those of a notebook.

    While they are set, no other variable of Databricks is: a stray credential or runtime would count as well. Without
    internet no other variable of pip is either.
    """

    def __init__(self, workspace: HostedWorkspace, variables: dict[str, str]) -> None:
        """Begin with the variables that point clients at a workspace."""
        super().__init__(variables)
        self._workspace = workspace
        self._hides: tuple[str, ...] = ("DATABRICKS_",)
        self._before: list[dict[str, str | None]] = []

    def __call__(self, serverless_environment: int | str | None = None, cpu_arch: str | None = None) -> Environment:
        """Return these variables and what clients look at in a serverless notebook; raise ValueError.

        ``serverless_environment`` is its version: ``4``, or ``"4-gpu"``. Where the workspace has no internet pip finds
        nothing, and nowhere does it find the workspace's private libraries.
        """
        workspace = self._workspace
        found = Environment(workspace, {**self, **_runtime(serverless_environment), **_architecture(cpu_arch)})
        if not workspace.settings.internet:
            found._hides += ("PIP_",)
            found.update(_OFFLINE)
        if workspace.world.private_libraries:
            file = _constraints(tuple(sorted(workspace.world.private_libraries)))
            own = () if "PIP_" in found._hides else os.environ.get("PIP_CONSTRAINT", "").split()
            found["PIP_CONSTRAINT"] = " ".join(dict.fromkeys((*own, file)))
        return found

    def changes(self) -> dict[str, str | None]:
        """Return what setting them does to the variables of this process: the value of each, None for one that goes."""
        hidden = (name for name in os.environ if name.startswith(self._hides) and name not in self)
        return {**dict.fromkeys(hidden), **self}

    def __enter__(self) -> Self:
        """Set them; what was there before comes back at the end."""
        changes = self.changes()
        self._before.append({name: os.environ.get(name) for name in changes})
        _set(changes)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Put everything back."""
        _set(self._before.pop())


def _set(changes: Mapping[str, str | None]) -> None:
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


_OFFLINE = {
    "PIP_NO_INDEX": "1",
    # A machine's own settings may name folders to install from.
    "PIP_CONFIG_FILE": os.devnull,
    # What this machine has installed already says nothing about a notebook: chosen.
    "PIP_IGNORE_INSTALLED": "1",
}
"""What keeps pip from finding anything."""


def _runtime(version: Any) -> dict[str, str]:
    """Return what MLflow and the SDK know a serverless notebook by: newer MLflow asks for the second one first.

    The registry of such a notebook is Unity Catalog, unless somebody has named another.
    """
    if version is None:
        return {}
    read = None if isinstance(version, bool) else _ENVIRONMENT.fullmatch(str(version))
    if read is None or int(read[1]) == 0:
        message = (
            f"serverless_environment is {version!r}; it must be the version of a serverless environment, such as 4, "
            'or "4-gpu" for one with a GPU'
        )
        raise ValueError(message)
    number, gpu = read[1], read[2] or ""
    # The minor number of the real ones changes with every release of theirs: chosen.
    return {
        "DATABRICKS_RUNTIME_VERSION": f"client.{number}.0{gpu}",
        "DATABRICKS_ENV_VERSION": number,
        **({"DATABRICKS_ACCELERATOR": "GPU_1xA10"} if gpu else {}),
        **({} if _REGISTRY in os.environ else {_REGISTRY: "databricks-uc"}),
    }


def _architecture(name: str | None) -> dict[str, str]:
    if name is None:
        return {}
    if name not in ARCHITECTURES:
        message = f"cpu_arch is {name!r}; it must be one of {', '.join(ARCHITECTURES)}"
        raise ValueError(message)
    return {"DATABRICKS_CPU_ARCH": name}


@cache
def _folder() -> str:
    folder = mkdtemp(prefix="servesim-pip-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _constraints(patterns: tuple[str, ...]) -> str:
    """Write the constraints by which pip looks for private libraries where nothing is, and asks no index for them."""
    lines = (f"{name} @ {_NOWHERE}/{name.replace('-', '_')}-0-py3-none-any.whl\n" for name in _names(patterns))
    with NamedTemporaryFile("w", encoding="utf-8", dir=_folder(), suffix=".txt", delete=False) as file:
        file.writelines(lines)
    return file.name


def _names(patterns: Iterable[str]) -> list[str]:
    """Name the libraries that patterns stand for: those with wildcards speak of what is installed here."""
    plain = {pattern for pattern in patterns if not set(pattern) & set("*?[")}
    installed = {normalized(name) for found in distributions() if (name := found.metadata["Name"])}
    return sorted(plain | {name for name in installed if fits(name, patterns)})
