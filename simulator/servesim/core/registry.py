"""The registered models of a workspace: the only truth about which versions exist."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from servesim.core.errors import Code, Rejected
from servesim.core.spread import Spread  # noqa: TC001 - a command that was written down is rebuilt from its type hints

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One registered version and what answers for it."""

    name: str
    version: str
    kind: str
    """``stub``, ``function`` or ``mlflow``: who answers."""
    source: str
    """For a stub its behaviour as JSON, for a function its key, for MLflow a path or URI."""
    digest: str = ""
    signature: str | None = None
    """The MLflow signature as JSON, ``{"inputs": …, "params": …}``."""
    example: str | None = None
    """A scoring request that the model accepts, as JSON text."""
    registry_uri: str | None = None
    python: str | None = None
    """Another interpreter to load the model with."""
    service_time: Spread | None = None
    """The simulated time that a request takes; None for what its work takes by itself."""


class Registry:
    """Registered models by name and version."""

    __slots__ = ("_models", "restricted")

    def __init__(self) -> None:
        """Start empty."""
        self._models: dict[str, dict[str, ModelVersion]] = {}
        self.restricted: dict[str, frozenset[str]] = {}
        """Who may execute a model, by name of principal or group; everybody, if it does not stand here."""

    def add(self, model: ModelVersion) -> None:
        """Register a version, or replace what stood there."""
        self._models.setdefault(model.name, {})[model.version] = model

    def restrict(self, name: str, allowed: tuple[str, ...] | None) -> None:
        """Let some alone execute a model, or everybody; raise MODEL_MISSING."""
        if name not in self._models:
            raise self._missing(name)
        if allowed is None:
            self.restricted.pop(name, None)
        else:
            self.restricted[name] = frozenset(allowed)

    def may_execute(self, name: str, names: set[str]) -> bool:
        """Tell whether somebody with these names (their own, their groups') may execute a model."""
        return name not in self.restricted or not names.isdisjoint(self.restricted[name])

    def _missing(self, name: str) -> Rejected:
        near = get_close_matches(name, self._models, n=1)
        return Rejected(Code.MODEL_MISSING, model=name, near=near[0] if near else None, known=sorted(self._models))

    def find(self, name: str, version: str) -> ModelVersion | None:
        """Return a version if it is registered."""
        return self._models.get(name, {}).get(version)

    def get(self, name: str, version: str) -> ModelVersion:
        """Return a version; raise MODEL_MISSING or VERSION_MISSING, each with the near names."""
        versions = self._models.get(name)
        if versions is None:
            raise self._missing(name)
        if version not in versions:
            raise Rejected(Code.VERSION_MISSING, model=name, version=version, known=self.versions(name))
        return versions[version]

    def versions(self, name: str) -> list[str]:
        """List a model's versions, oldest first."""
        return sorted(self._models.get(name, {}), key=lambda version: (len(version), version))

    def next_version(self, name: str) -> str:
        """Return the number that follows a model's highest."""
        return str(max((int(version) for version in self._models.get(name, ()) if version.isdecimal()), default=0) + 1)

    def __iter__(self) -> Iterator[ModelVersion]:
        """Yield every version, models in the order of their registration."""
        for versions in self._models.values():
            yield from versions.values()
