"""Configs of endpoints that break one rule each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from servesim.core.endpoint import WHOLE
from servesim.core.errors import Code
from servesim.core.profile import FAITHFUL
from servesim.generations.ga_texts import TEXTS
from servesim.strategies.configs import DEFAULT_MODELS, Drawn, OfferedModel, endpoint_configs, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class BrokenConfig(NamedTuple):
    """A config that must be refused, and how."""

    body: dict[str, Any]
    reason: Code
    """The one rule that it breaks."""
    status: int
    error_code: str


def broken_configs(
    models: Sequence[OfferedModel | tuple[str, str] | str] = DEFAULT_MODELS,
) -> st.SearchStrategy[BrokenConfig]:
    """Give configs that break one rule each and must be refused, with the rule, the status and the ``error_code``.

    ``MODEL_MISSING`` and ``VERSION_MISSING`` hold where models have to be registered before they are served.
    """
    return st.builds(lambda breaks, config: _broken(config, *breaks), st.sampled_from(BREAKS), endpoint_configs(models))


def _broken(body: Drawn, reason: Code, do: Callable[[list[Drawn], str], Drawn]) -> BrokenConfig:
    twins = "served_entities" if "served_entities" in body else "served_models"
    entities = [dict(entity) for entity in body[twins]]
    named = {**body, twins: entities}
    text = TEXTS[reason]
    return BrokenConfig({**named, **do(entities, twins)}, reason, text.status, text.error_code)


def _routes_of(*shares: tuple[str, Any]) -> Drawn:
    routes = [{"served_entity_name": name, "traffic_percentage": share} for name, share in shares]
    return {"traffic_config": {"routes": routes}}


def _sum(entities: list[Drawn], _: str) -> Drawn:
    return _routes_of(*((name_of(entity), 0) for entity in entities[1:]), (name_of(entities[0]), WHOLE - 1))


def _unknown_route(entities: list[Drawn], _: str) -> Drawn:
    return _routes_of(("x" + name_of(entities[0])[:40] + "-of-no-entity", WHOLE))


def _route_twice(entities: list[Drawn], _: str) -> Drawn:
    return _routes_of((name_of(entities[0]), WHOLE // 2), (name_of(entities[0]), WHOLE // 2))


def _no_routes(entities: list[Drawn], twins: str) -> Drawn:
    return {twins: [{**entities[0], "name": "first"}, {**entities[0], "name": "second"}], "traffic_config": None}


def _entity_twice(entities: list[Drawn], twins: str) -> Drawn:
    return {twins: [entities[0], entities[0]], **_routes_of((name_of(entities[0]), WHOLE))}


def _too_many(entities: list[Drawn], twins: str) -> Drawn:
    names = [f"entity-{number}" for number in range(FAITHFUL.entity_limit + 1)]
    return {twins: [{**entities[0], "name": name} for name in names], **_routes_of((names[0], WHOLE))}


def _too_many_variables(entities: list[Drawn], _: str) -> Drawn:
    entities[0]["environment_vars"] = {f"V{number}": "" for number in range(FAITHFUL.environment_limit + 1)}
    return {}


def _both_twins(entities: list[Drawn], twins: str) -> Drawn:
    name, version = (entities[0].get(f"entity_{part}") or entities[0].get(f"model_{part}") for part in _PARTS)
    other, kind = ("served_models", "model") if twins == "served_entities" else ("served_entities", "entity")
    return {other: [{f"{kind}_name": name, f"{kind}_version": version}]}


_PARTS = ("name", "version")


def _field(name: str, value: Any) -> Callable[[list[Drawn], str], Drawn]:
    """Give the first entity a field that no entity can have; sizes that stand beside it go."""

    def put(entities: list[Drawn], _: str) -> Drawn:
        sizes = dict.fromkeys(("workload_size", "min_provisioned_concurrency", "max_provisioned_concurrency"))
        entities[0].update({"name": name_of(entities[0]), **sizes, name: value})
        return {}

    return put


def _two_sizes(entities: list[Drawn], _: str) -> Drawn:
    entities[0].update(workload_size="Small", max_provisioned_concurrency=4, min_provisioned_concurrency=None)
    return {}


def _turned_range(entities: list[Drawn], _: str) -> Drawn:
    entities[0].update(workload_size=None, max_provisioned_concurrency=4, min_provisioned_concurrency=8)
    return {}


def _share_out_of_range(entities: list[Drawn], _: str) -> Drawn:
    return _routes_of((name_of(entities[0]), WHOLE + 1))


def _unregistered(part: str) -> Callable[[list[Drawn], str], Drawn]:
    def put(entities: list[Drawn], twins: str) -> Drawn:
        kind = "entity" if twins == "served_entities" else "model"
        return _field(f"{kind}_{part}", "main.default.nobody" if part == "name" else "999999")(entities, twins)

    return put


def _fixed(**fields: Any) -> Callable[[list[Drawn], str], Drawn]:
    return lambda _entities, _twins: fields


def _without_entities(_: list[Drawn], twins: str) -> Drawn:
    return {twins: [], "traffic_config": None}


BREAKS: tuple[tuple[Code, Callable[[list[Drawn], str], Drawn]], ...] = (
    (Code.TRAFFIC_SUM, _sum),
    (Code.ROUTE_UNKNOWN, _unknown_route),
    (Code.DUPLICATE_ROUTE, _route_twice),
    (Code.ROUTES_MISSING, _no_routes),
    (Code.DUPLICATE_ENTITY, _entity_twice),
    (Code.ENTITIES_MISSING, _without_entities),
    (Code.ENTITY_LIMIT, _too_many),
    (Code.ENVIRONMENT_LIMIT, _too_many_variables),
    (Code.MIXED_TWINS, _both_twins),
    (Code.SIZE_TWICE, _two_sizes),
    (Code.INFERENCE_TABLE_RETIRED, _fixed(auto_capture_config={"enabled": True})),
    (Code.MODEL_MISSING, _unregistered("name")),
    (Code.VERSION_MISSING, _unregistered("version")),
    (Code.BAD_FIELD, _turned_range),
    (Code.BAD_FIELD, _share_out_of_range),
    (Code.BAD_FIELD, _field("name", "not a name")),
    (Code.BAD_FIELD, _field("workload_size", "Tiny")),
    (Code.BAD_FIELD, _field("workload_type", "TPU")),
    (Code.BAD_FIELD, _field("scale_to_zero_enabled", "perhaps")),
)
"""Rules of a config, and what breaks each: changes the entities in place or returns what the body has instead."""
