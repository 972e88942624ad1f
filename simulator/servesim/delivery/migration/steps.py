"""The way of each model from a retired generation to Model Serving; pure.

Rules: one endpoint per stage, named as published (``modelA-Staging``), with the version that the stage's URL calls now;
a model without a version in a stage gets one endpoint with its newest version. Sizes come from the preview's compute;
legacy serving has none, and gets `LEGACY_SIZE`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from servesim.core.calendar import LEGACY, SERVERLESS_PREVIEW
from servesim.core.registry import ACTIVE, in_unity_catalog
from servesim.delivery.migration.served import SURFACES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from servesim.delivery.migration.served import Inventory, ServedModel, ServedVersion

LEGACY_SIZE = "Small"
"""Chosen: the size of the published example. A cluster of legacy serving has no counterpart among workload sizes."""

LONGEST_NAME = 63
"""Characters of an endpoint's name."""

QUERY, MANAGE = "CAN_QUERY", "CAN_MANAGE"
LEVELS: Mapping[str, str] = MappingProxyType(
    {
        "CAN_READ": QUERY,
        "CAN_EDIT": QUERY,
        "CAN_MANAGE_STAGING_VERSIONS": QUERY,
        "CAN_MANAGE_PRODUCTION_VERSIONS": QUERY,
        "CAN_MANAGE": MANAGE,
    }
)
"""A model's level and what becomes of it on the endpoint. Chosen: whoever could read a model could score it, whoever
manages the model manages its endpoint, and moving versions between stages is no right on an endpoint."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A level on an endpoint, and whose it is: ``user_name``, ``group_name`` or ``service_principal_name``."""

    kind: str
    name: str
    level: str


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint of Model Serving and what it takes the place of."""

    name: str
    stage: str
    """Empty for the only endpoint of a model without stages."""
    version: str
    """Of the model in the workspace registry."""
    size: str
    scale_to_zero: bool
    old_path: str

    @property
    def new_path(self) -> str:
        """Where it is scored."""
        return f"/serving-endpoints/{self.name}/invocations"


@dataclass(frozen=True, slots=True)
class Move:
    """What is to be done for one model."""

    model: str
    generations: tuple[str, ...]
    """Those that serve it now; it is compared with the first."""
    entity: str
    """The model that the endpoints serve."""
    versions: tuple[str, ...]
    """Those to register, the oldest first; empty if the endpoints serve them where they are."""
    targets: tuple[Target, ...]
    grants: tuple[Grant, ...] | None = ()
    """None where it may not be known what was granted."""
    notes: tuple[str, ...] = ()
    example: Any = None
    """A request for the comparison; None for the input example that was logged with the version."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The way of every model, and why some cannot go."""

    moves: tuple[Move, ...]
    staying: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    cut_over: bool = False
    """Whether the old serving is turned off at the end."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What whoever plans has decided."""

    catalog: str = "main"
    schema: str = "default"
    keep_registry: bool = False
    """Whether endpoints serve the models of the workspace registry, and none is copied to Unity Catalog."""
    scale_to_zero: bool | None = None
    """None for what the preview has, and for legacy serving what the published example has: yes."""
    examples: Mapping[str, Any] = field(default_factory=dict)
    cut_over: bool = False


def plan_of(inventory: Inventory, grants: Mapping[str, Sequence[Grant]], wishes: Wishes) -> Plan:
    """Plan the way of all that is served; ``grants`` by model are as endpoints have them, where they are known."""
    moves: list[Move] = []
    staying: list[tuple[str, str]] = []
    names: set[str] = set()  # of endpoints and, with three parts, of models; neither registry looks at case
    for model, group in groupby(inventory.models, attrgetter("model")):
        served = sorted(group, key=lambda one: one.generation == LEGACY)  # the preview's compute has sizes
        why = _obstacle(served)
        if why:
            staying.append((model, why))
            continue
        move = _move(served, tuple(grants[model]) if model in grants else None, wishes, names)
        names |= {move.entity.casefold(), *(target.name.casefold() for target in move.targets)}
        moves.append(move)
    return Plan(tuple(moves), tuple(staying), inventory.notes, wishes.cut_over)


def _obstacle(served: list[ServedModel]) -> str:
    """Say why a model cannot go; empty if it can."""
    (model,) = {one.model for one in served}
    if in_unity_catalog(model):
        return "it is in Unity Catalog already: create an endpoint with it"
    versions = [version for one in served for version in one.versions]
    if not versions:
        return "no version of it is served: turn it off, or move a version to Staging or Production first"
    if not _usable(versions):
        whys = "; ".join(f"version {one.number}: {one.message or one.state}" for one in versions)
        return f"no version of it works where it is, so that nothing can be compared ({whys})"
    return ""


def _usable(versions: Iterable[ServedVersion]) -> list[ServedVersion]:
    return [one for one in versions if one.state != "FAILED"]


def _move(served: list[ServedModel], grants: tuple[Grant, ...] | None, wishes: Wishes, taken: set[str]) -> Move:
    first = served[0]
    copied = f"{wishes.catalog}.{wishes.schema}.{identifier(first.model)}"
    numbers = {version.number for one in served for version in _usable(one.versions)}
    versions = tuple(sorted(numbers, key=_order))
    targets = tuple(_targets(first, versions, wishes, taken))
    return Move(
        first.model,
        tuple(one.generation for one in served),
        first.model if wishes.keep_registry else _free(copied, taken),
        () if wishes.keep_registry else versions,
        targets,
        grants,
        tuple(_notes(served, targets, versions, wishes)),
        wishes.examples.get(first.model),
    )


def _order(number: str) -> tuple[int, str]:
    return (int(number) if number.isdecimal() else 0, number)


def _targets(served: ServedModel, versions: tuple[str, ...], wishes: Wishes, taken: set[str]) -> Iterator[Target]:
    surface = SURFACES[served.generation]
    called = dict(served.aliases)
    staged = [(str(stage), called[stage]) for stage in ACTIVE if called.get(stage) in versions]
    for stage, number in staged or [("", versions[-1])]:
        size, scales = _compute(served, stage)
        yield Target(
            _free(endpoint_name(served.model, stage), taken),
            stage,
            number,
            size,
            scales if wishes.scale_to_zero is None else wishes.scale_to_zero,
            surface.scoring(served.model, stage or number),
        )


def _compute(served: ServedModel, stage: str) -> tuple[str, bool]:
    """Return size and scale to zero for a stage of a model."""
    for one in served.compute:
        if served.generation == SERVERLESS_PREVIEW and one.stage == stage and one.size:
            return one.size, one.scale_to_zero
    return LEGACY_SIZE, served.generation == LEGACY


def endpoint_name(model: str, stage: str) -> str:
    """Return the published name of a stage's endpoint, of the characters that endpoints' names may have."""
    end = f"-{stage}" if stage else ""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", model).strip("-_") or "model"
    return f"{name[: LONGEST_NAME - len(end)]}{end}"


def _free(name: str, taken: set[str]) -> str:
    """Return a name that nothing else of the plan has."""
    room = None if "." in name else LONGEST_NAME
    free, number = name, 1
    while free.casefold() in taken:
        number += 1
        end = f"-{number}"
        free = f"{name[: room and room - len(end)]}{end}"
    return free


def identifier(model: str) -> str:
    """Return a model's name as Unity Catalog takes it: no spaces, periods or slashes."""
    return re.sub(r"[^\w-]+", "_", model).strip("_") or "model"


def _notes(
    served: list[ServedModel], targets: tuple[Target, ...], versions: tuple[str, ...], wishes: Wishes
) -> Iterator[str]:
    called = {target.version for target in targets}
    left = [number for number in versions if number not in called]
    if left:
        yield (
            f"version {', '.join(left)} can be scored by number alone and gets no endpoint; callers of "
            f"{SURFACES[served[0].generation].scoring(served[0].model, left[0])} need another"
        )
    failed = sorted(
        {version.number for one in served for version in one.versions if version.state == "FAILED"}, key=_order
    )
    if failed:
        yield f"version {', '.join(failed)} has failed where it is and does not go along"
    if any(one.generation == LEGACY for one in served):
        yield from _legacy_notes(targets, wishes)


def _legacy_notes(targets: tuple[Target, ...], wishes: Wishes) -> Iterator[str]:
    yield f"the cluster of legacy serving has no size here: {LEGACY_SIZE} is chosen, look at its load"
    if wishes.scale_to_zero is None and any(target.scale_to_zero for target in targets):
        yield "the cluster never slept; the endpoint scales to zero, and its first request waits (--no-scale-to-zero)"
