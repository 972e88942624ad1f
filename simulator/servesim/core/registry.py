"""The registered models of a workspace: the only truth about which versions exist and who answers for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from servesim.core.errors import Code, Rejected
from servesim.core.spread import Spread  # noqa: TC001 - a command that was written down is rebuilt from its type hints

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from servesim.core.access import Grantee, Principal
    from servesim.core.draws import Draws
    from servesim.core.model_access import ModelLevel

NEAR_MODELS = 200
NEAR_CHARACTERS = 64
"""How many names, and how long ones, are compared with one that is not there."""
LEVELS = 3
"""Parts of a name in Unity Catalog: catalog, schema and model."""


class Stage(StrEnum):
    """The stage of a version in the workspace registry; Unity Catalog has none."""

    NONE = "None"
    STAGING = "Staging"
    PRODUCTION = "Production"
    ARCHIVED = "Archived"


ACTIVE = (Stage.STAGING, Stage.PRODUCTION)
"""Stages whose other versions a transition can archive."""


class Status(StrEnum):
    """How far the registration of a version has come."""

    PENDING = "PENDING_REGISTRATION"
    FAILED = "FAILED_REGISTRATION"
    READY = "READY"


@dataclass(frozen=True, slots=True)
class Packed:
    """What a version says of itself that was packed together with its environment."""

    runtime: str
    """The runtime that it was logged in, e.g. ``client.4.9``."""
    mlflow: str
    environment_bytes: int


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """What answers for one registered version."""

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
    unsupported: str = ""
    """Why no container can be built of it; empty if one can."""
    requirements: tuple[str, ...] = ()
    """Normalized names of the libraries that a container build installs."""
    packed: Packed | None = None
    """None for one that was registered without its environment."""
    mlflow: str = ""
    """The MLflow version that its environment declares, by which legacy serving speaks; empty for the newest."""


class Details(NamedTuple):
    """What is known of a version that comes from elsewhere than a client's call."""

    stage: Stage = Stage.NONE
    aliases: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    description: str = ""
    staged: bool = False
    """Whether it is staged for an express deployment."""


NOTHING: Mapping[str, str] = MappingProxyType({})
"""No tags, no aliases: shared by all that have none."""
NOBODY: Mapping[Grantee, ModelLevel] = MappingProxyType({})


@dataclass(slots=True, eq=False)
class Version:
    """One registered version, as its readers see it."""

    number: str
    model: ModelVersion | None
    """Who answers for it; None until it is ready."""
    created: int
    updated: int
    creator: Principal | None = None
    stage: Stage = Stage.NONE
    status: Status = Status.READY
    status_message: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    run_id: str = ""
    run_link: str = ""
    model_id: str = ""
    """The logged model that it was made of, where MLflow tracks those."""
    source: str = ""
    """Where its registration said that it comes from."""
    staged: bool = False
    """Whether its environment waits for an express deployment."""
    due: int = 0
    """The instant at which it is ready, if time alone is missing; else 0."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class RegisteredModel:
    """A registered model with its versions."""

    name: str
    number: int
    """Which one it is of all that its workspace ever had."""
    created: int
    updated: int
    creator: Principal | None = None
    """None for one that no client made: it is everybody's."""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    acl: Mapping[Grantee, ModelLevel] = field(default_factory=lambda: NOBODY)
    aliases: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """The number of a version by alias."""
    versions: dict[str, Version] = field(default_factory=dict)
    """By number, in the order of their registration."""
    newest: int = 0
    """The highest number that a version ever had."""
    revision: int = 0
    """Grows with every change that a reader could see."""


def in_unity_catalog(name: str) -> bool:
    """Tell whether a name is one of Unity Catalog: three parts, joined by dots; others are the workspace registry's."""
    parts = name.split(".")
    return len(parts) == LEVELS and all(parts) and "/" not in name


class Registry:
    """Registered models by name."""

    __slots__ = ("_draws", "_ever", "models", "restricted", "revision")

    def __init__(self, draws: Draws) -> None:
        """Start empty; ids of models are drawn."""
        self._draws = draws
        self._ever = 0
        self.revision = 0
        """Grows with every change that a reader of any model could see."""
        self.models: dict[str, RegisteredModel] = {}
        self.restricted: dict[str, frozenset[str]] = {}
        """Who may execute a model, by name of principal or group; everybody, if it does not stand here."""

    def create(self, name: str, now: int) -> RegisteredModel:
        """Add a model without versions in the place of none."""
        self._ever += 1
        self.revision += 1
        model = self.models[name] = RegisteredModel(name, self._ever, now, now)
        return model

    def add(self, version: ModelVersion, now: int, details: Details = Details()) -> None:  # noqa: B008 - immutable
        """Register a version that is ready, or replace what stood there."""
        model = self.models.get(version.name) or self.create(version.name, now)
        model.versions[version.version] = Version(
            version.version,
            version,
            now,
            now,
            stage=details.stage,
            description=details.description,
            tags=dict(details.tags) or NOTHING,
            source=version.source if version.kind == "mlflow" else "",
            staged=details.staged,
        )
        if version.version.isdecimal():
            model.newest = max(model.newest, int(version.version))
        if details.aliases:
            model.aliases = {**model.aliases, **dict.fromkeys(details.aliases, version.version)}
        self.touch(model, now)

    def touch(self, model: RegisteredModel, now: int) -> None:
        """Let readers of a model know that something about it is new."""
        model.updated = now
        model.revision += 1
        self.revision += 1

    def restrict(self, name: str, allowed: tuple[str, ...] | None) -> None:
        """Let some alone execute a model, or everybody; raise MODEL_MISSING."""
        self.model(name)
        self.revision += 1
        if allowed is None:
            self.restricted.pop(name, None)
        else:
            self.restricted[name] = frozenset(allowed)

    def may_execute(self, name: str, names: set[str]) -> bool:
        """Tell whether somebody with these names (their own, their groups') may execute a model."""
        return name not in self.restricted or not names.isdisjoint(self.restricted[name])

    def model(self, name: str) -> RegisteredModel:
        """Return a model; raise MODEL_MISSING with the near name."""
        try:
            return self.models[name]
        except KeyError:
            raise Rejected(Code.MODEL_MISSING, model=name, near=self._near(name), known=sorted(self.models)) from None

    def _near(self, name: str) -> str | None:
        """Return the name that was meant, perhaps; comparing takes time that grows with the square of their lengths."""
        short = [known for known in islice(self.models, NEAR_MODELS) if len(known) <= NEAR_CHARACTERS]
        near = get_close_matches(name, short, n=1) if len(name) <= NEAR_CHARACTERS else ()
        return near[0] if near else None

    def version(self, name: str, number: str) -> Version:
        """Return a version, however far it has come; raise MODEL_MISSING or VERSION_MISSING."""
        version = self.model(name).versions.get(number)
        if version is None:
            raise self.missing(name, number)
        return version

    def missing(self, name: str, number: str) -> Rejected:
        """Return the refusal of a version that is not there, or not any more."""
        return Rejected(Code.VERSION_MISSING, model=name, version=number, known=self.versions(name))

    def id_of(self, model: RegisteredModel) -> str:
        """Return the 32 hexadecimal digits that a model is known by where its name may change."""
        return self._draws.stream("id", "registered model").hexadecimal(model.number)

    def by_id(self, model_id: str) -> RegisteredModel:
        """Return the model with an id; raise MODEL_PERMISSIONS_MISSING."""
        for model in self.models.values():
            if self.id_of(model) == model_id:
                return model
        raise Rejected(Code.MODEL_PERMISSIONS_MISSING, id=model_id)

    def find(self, name: str, number: str) -> ModelVersion | None:
        """Return who answers for a version; None for one that is not there or not ready."""
        model = self.models.get(name)
        version = model and model.versions.get(number)
        return version.model if version else None

    def get(self, name: str, number: str) -> ModelVersion:
        """Return who answers for a version; raise MODEL_MISSING, VERSION_MISSING or VERSION_NOT_READY."""
        version = self.version(name, number)
        if version.model is None or version.status is not Status.READY:
            raise Rejected(
                Code.VERSION_NOT_READY,
                model=name,
                version=number,
                status=str(version.status),
                why=version.status_message,
            )
        return version.model

    def versions(self, name: str) -> list[str]:
        """List a model's versions, oldest first."""
        model = self.models.get(name)
        return sorted(model.versions if model else (), key=lambda number: (len(number), number))

    def next_version(self, name: str) -> str:
        """Return the number that follows the highest that a model ever had."""
        model = self.models.get(name)
        return str(model.newest + 1 if model else 1)

    def __iter__(self) -> Iterator[ModelVersion]:
        """Yield who answers for each version, models in the order of their registration."""
        for model in self.models.values():
            for version in model.versions.values():
                if version.model is not None:
                    yield version.model
