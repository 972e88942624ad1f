"""Worlds that are made in the core itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calls import ENDPOINT

from servesim.core.access import Principal
from servesim.core.commands import Admit, ConfigRequest, CreateEndpoint, EntitySpec, Finish, Route
from servesim.core.model_commands import AddModel
from servesim.core.registry import ModelVersion

if TYPE_CHECKING:
    from servesim.core.workspace import Workspace

USER = Principal("bench@example.com", "Bench")
MODEL = "main.ml.fraud"
STUB = '{"behaviour": "constant", "value": 0.1}'


def entity(name: str, version: str, *, scale_to_zero: bool = True) -> EntitySpec:
    """Return a served entity of the one model."""
    return EntitySpec(name, MODEL, version, workload_size="Small", scale_to_zero=scale_to_zero)


def two_entities() -> ConfigRequest:
    """Return a champion and a challenger, 90 to 10."""
    routes = (Route("champion", 90), Route("challenger", 10))
    return ConfigRequest((entity("champion", "1"), entity("challenger", "2")), routes)


def add_models(world: Workspace) -> None:
    """Register two versions of the one model."""
    for version in ("1", "2"):
        world.execute(AddModel(ModelVersion(MODEL, version, "stub", STUB)))


def fill(world: Workspace, count: int) -> None:
    """Create endpoints that serve; the first has the name that the requests ask for."""
    add_models(world)
    for number in range(count):
        name = f"{ENDPOINT}-{number}" if number else ENDPOINT
        world.execute(CreateEndpoint(name, USER, two_entities(), serving=True))


def answer(world: Workspace, count: int) -> None:
    """Let requests in and out again, through every step that the core takes for one."""
    execute = world.execute
    for _ in range(count):
        execute(Finish(execute(Admit(ENDPOINT)).number, 200))
