"""What is served on the retired generations, as the commands that lead away from them see it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from servesim.core.calendar import CALENDAR, LEGACY, SERVERLESS_PREVIEW
from servesim.service.instants import iso

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

DAY_MS = 86_400_000
NO_STAGE = "None"


class Surface(NamedTuple):
    """A retired generation, as its clients call it."""

    title: str
    """In a sentence."""
    api: str
    """Where its operations are."""
    path: str
    """Of its scoring URLs."""

    def scoring(self, model: str, version: str) -> str:
        """Return the path at which a version or a stage of a model is scored."""
        return f"/{self.path}/{quote(model, safe='')}/{version}/invocations"


SURFACES: Mapping[str, Surface] = MappingProxyType(
    {
        LEGACY: Surface("legacy serving", "/api/2.0/preview/mlflow/endpoints", "model"),
        SERVERLESS_PREVIEW: Surface("the serverless preview", "/api/2.0/preview/mlflow/endpoints-v2", "model-endpoint"),
    }
)


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """A version that is served, or should be."""

    number: str
    stage: str
    """``Staging``, ``Production``, ``Archived``, or ``None``."""
    state: str
    """``READY``, ``FAILED``, or what it is on its way to be."""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ServedCompute:
    """What versions run on: a size by stage, or one cluster without a stage."""

    stage: str = ""
    size: str = ""
    scale_to_zero: bool = False
    node_type: str = ""

    def __str__(self) -> str:
        """Write it as the table shows it."""
        if not self.stage:
            return f"one cluster for every version, {self.node_type or 'of the default node type'}"
        return f"{self.stage}: {self.size}{', scales to zero' if self.scale_to_zero else ''}"


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A registered model with legacy serving or the preview on; None stands for what was not told."""

    model: str
    generation: str
    state: str
    versions: tuple[ServedVersion, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    """Stage and number of the version that is called by it."""
    compute: tuple[ServedCompute, ...] = ()
    enabled_by: str | None = None
    enabled_at: str | None = None
    calls: int | None = None
    last_called: str | None = None
    """Empty if it never was."""
    last_caller: str | None = None


class End(NamedTuple):
    """When a generation ends; instants in milliseconds, None where no day is known."""

    no_new_from: int | None
    retired_on: int | None
    instead: str
    link: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """What is served on the retired generations at one instant."""

    now: int
    models: tuple[ServedModel, ...]
    ends: Mapping[str, End]
    notes: tuple[str, ...] = ()
    """What could not be asked, and what the answers do not tell."""
    closed: tuple[str, ...] = ()
    """Generations that cannot be asked: ended, or never begun."""

    def only(self, models: Collection[str], ended: Iterable[ServedModel] = ()) -> Inventory:
        """Return the inventory of some models, and of what served some until its end."""
        kept = [one for one in self.models if one.model in models]
        return replace(self, models=tuple(sorted([*kept, *ended], key=lambda one: (one.model, one.generation))))

    def breaking(self, by: int | None) -> list[ServedModel]:
        """Return what answers no more from a day before ``by`` on."""
        if by is None:
            return []
        days = {name: end.retired_on for name, end in self.ends.items()}
        return [one for one in self.models if (day := days[one.generation]) is not None and day < by]

    def days_left(self, generation: str) -> int | None:
        """Return the whole days until a generation answers no more, 0 once it does not; None without a day."""
        day = self.ends[generation].retired_on
        return None if day is None else max(0, (day - self.now) // DAY_MS)


def published_ends() -> dict[str, End]:
    """Return when the generations end by the pages that were published."""
    return {
        one.what: End(one.no_new_from, one.retired_on, one.instead, one.link)
        for one in CALENDAR
        if one.what in SURFACES
    }


def describe(inventory: Inventory, by: int | None) -> dict[str, Any]:
    """Return an inventory as JSON; what was not told is null."""
    return {
        "now": iso(inventory.now),
        "models": [_row(inventory, one) for one in inventory.models],
        "breaking": [{"model": one.model, "generation": one.generation} for one in inventory.breaking(by)],
        "notes": list(inventory.notes),
    }


def _row(inventory: Inventory, one: ServedModel) -> dict[str, Any]:
    end = inventory.ends[one.generation]
    return {
        "model": one.model,
        "generation": one.generation,
        "state": one.state,
        "enabled_by": one.enabled_by,
        "enabled_at": one.enabled_at,
        "versions": [
            {"version": each.number, "stage": each.stage, "state": each.state, "message": each.message}
            for each in one.versions
        ],
        "aliases": dict(one.aliases),
        "compute": [
            {
                "stage": each.stage or None,
                "workload_size": each.size or None,
                "scale_to_zero": each.scale_to_zero,
                "node_type": each.node_type or None,
            }
            for each in one.compute
        ],
        "calls": one.calls,
        "last_called": one.last_called or None,
        "last_caller": one.last_caller,
        "retired_on": None if end.retired_on is None else iso(end.retired_on),
        "days_left": inventory.days_left(one.generation),
        "instead": end.instead,
        "link": end.link,
    }
