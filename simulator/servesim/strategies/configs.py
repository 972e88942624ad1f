"""Configs of endpoints as clients send them, and the shares of their traffic."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from servesim.core.endpoint import WHOLE
from servesim.generations.ga_requests import WORKLOAD_SIZES, default_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Drawn = dict[str, Any]

CPU_TYPES = ("CPU", "CPU_MEDIUM", "CPU_LARGE")


class OfferedModel(NamedTuple):
    """A registered model version that configs may name."""

    name: str
    version: str = "1"
    predicts: Any = None
    """The value that it gives for every row, None if that is not known: tells who has answered."""


DEFAULT_MODELS = (OfferedModel("main.default.model", "1"), OfferedModel("main.default.model", "2"))
"""What configs name unless told otherwise: `servesim serve --unknown-models stub` serves them."""


def traffic_configs(entities: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Give traffic configs with a route for each served entity: whole percents from 0 that add up to 100.

    A share is an integer, the same as text, or a float without a fraction; a route names its entity in
    ``served_entity_name``, in the older ``served_model_name``, or in both.
    """
    if not entities:
        raise ValueError("a traffic config shares out traffic to at least one served entity; got none")
    return _traffic(list(entities))


@st.composite
def _traffic(draw: st.DrawFn, entities: list[str]) -> Drawn:
    shares = draw(_shares(len(entities)))
    pairs = zip(entities, shares, strict=True)
    return {"routes": [_route(entity, share, *draw(_SPELLINGS)) for entity, share in pairs]}


_SPELLINGS: st.SearchStrategy[tuple[tuple[str, ...], Callable[[int], Any]]] = st.tuples(
    st.sampled_from([("served_entity_name",), ("served_model_name",), ("served_entity_name", "served_model_name")]),
    st.sampled_from([int, str, float]),
)
"""By which keys a route names its entity, and how its share is written."""


def _route(entity: str, share: int, keys: tuple[str, ...], written: Callable[[int], Any]) -> Drawn:
    return {**dict.fromkeys(keys, entity), "traffic_percentage": written(share)}


# Strategies are kept: to make and validate one takes longer than to draw from it.
@lru_cache
def _shares(count: int) -> st.SearchStrategy[list[int]]:
    """Cut the whole at some points, so that every drawn list adds up; the simplest gives all to the first."""
    cuts = st.lists(st.integers(0, WHOLE), min_size=count - 1, max_size=count - 1)

    def parts(points: list[int]) -> list[int]:
        ordered = [0, *sorted(points), WHOLE]
        return [upper - lower for lower, upper in pairwise(ordered)][::-1]

    return cuts.map(parts)


def endpoint_configs(
    models: Sequence[OfferedModel | tuple[str, str] | str] = DEFAULT_MODELS, *, most: int = 3
) -> st.SearchStrategy[dict[str, Any]]:
    """Give bodies of a config update, which are also what a create has under ``config``.

    They serve one to ``most`` entities of the models offered (a name alone stands for its version 1), as
    ``served_entities`` or as the older ``served_models``, named or not, sized by a word or by a range of provisioned
    concurrency, with flags and numbers as JSON or as text. More than one entity has a traffic config; it adds up to
    100. The simplest is one entity with nothing but its model.
    """
    offered = tuple(_offered(model) for model in models)
    if not offered:
        raise ValueError("a config serves a registered model: offer at least one in models=")
    return _configs(offered, most)


def create_bodies(
    name: str, models: Sequence[OfferedModel | tuple[str, str] | str] = DEFAULT_MODELS, *, most: int = 3
) -> st.SearchStrategy[dict[str, Any]]:
    """Give bodies of a create with a config: see `endpoint_configs`; tags and a description may stand beside it."""
    configs = endpoint_configs(models, most=most)
    beside = {"tags": _TAGS, "description": _DESCRIPTIONS, "route_optimized": _FLAGS}
    return st.fixed_dictionaries({"name": st.just(name), "config": configs}, optional=beside)


def _offered(model: OfferedModel | tuple[str, str] | str) -> tuple[str, str]:
    return (model, "1") if isinstance(model, str) else (model[0], model[1])


@lru_cache
def _configs(models: tuple[tuple[str, str], ...], most: int) -> st.SearchStrategy[Drawn]:
    return st.one_of(_with_entities(models, "entity", most), _with_entities(models, "model", most))


@st.composite
def _with_entities(draw: st.DrawFn, models: tuple[tuple[str, str], ...], kind: str, most: int) -> Drawn:
    entities = draw(_lists_of_entities(models, kind, most))
    body: Drawn = {"served_entities" if kind == "entity" else "served_models": entities}
    if len(entities) > 1 or draw(_BOOLEANS):
        body["traffic_config"] = draw(traffic_configs([name_of(entity) for entity in entities]))
    if draw(_BOOLEANS):
        body["auto_capture_config"] = {"enabled": draw(_OFF)}
    return body


_NAMES = st.sampled_from([*"abcdefghijklmnopqrst", "Champion_2", "the-challenger", "n" * 63])
"""One choice, so that it shrinks at once; the last is as long as a name may be."""
_VARIABLES = st.sampled_from([{"MODE": "fast"}, {}, {"MODE": "", "REGION": "eu"}])
_BOOLEANS = st.booleans()
_OFF = st.sampled_from([False, "false"])
_FLAGS = st.sampled_from([False, True, "false", "true"])
_DESCRIPTIONS = st.text(max_size=20)
_TAGS = st.lists(
    st.fixed_dictionaries(
        {"key": st.text("abcdefghij_-", min_size=1, max_size=8)}, optional={"value": st.text("abc", max_size=5)}
    ),
    max_size=3,
    unique_by=lambda tag: tag["key"],
)


def name_of(entity: Drawn) -> str:
    """Return the name that an entity has or is given."""
    model = entity.get("entity_name") or entity["model_name"]
    version = entity.get("entity_version") or entity["model_version"]
    return str(entity.get("name") or default_name(model, str(version)))


@lru_cache
def _lists_of_entities(models: tuple[tuple[str, str], ...], kind: str, most: int) -> st.SearchStrategy[list[Drawn]]:
    return st.lists(
        st.one_of(*(_entity(*model, kind) for model in models)), min_size=1, max_size=most, unique_by=name_of
    )


def _entity(model: str, version: str, kind: str) -> st.SearchStrategy[Drawn]:
    versions = [version, int(version)] if _is_number(version) else [version]
    described = st.fixed_dictionaries(
        {f"{kind}_name": st.just(model), f"{kind}_version": st.sampled_from(versions)},
        optional={
            "name": _NAMES,
            "workload_type": st.sampled_from(CPU_TYPES),
            "scale_to_zero_enabled": _FLAGS,
            "environment_vars": _VARIABLES,
        },
    )
    return st.builds(lambda entity, sizes: {**entity, **sizes}, described, _sizes())


def _sizes() -> st.SearchStrategy[Drawn]:
    """A word, a range, or neither; the service takes ranges in steps of four."""
    steps = st.integers(0, 4).map(lambda step: 4 * step)
    ranges = st.tuples(steps, steps.filter(bool)).map(sorted)

    def span(bounds: list[int], written: Callable[[int], Any]) -> Drawn:
        return {"min_provisioned_concurrency": written(bounds[0]), "max_provisioned_concurrency": written(bounds[1])}

    return st.one_of(
        st.just({}),
        st.sampled_from(WORKLOAD_SIZES).map(lambda size: {"workload_size": size}),
        st.builds(span, ranges, st.sampled_from([int, str])),
    )


def _is_number(version: str) -> bool:
    return version.isascii() and version.isdigit() and str(int(version)) == version
