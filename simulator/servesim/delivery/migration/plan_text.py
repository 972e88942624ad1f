"""A plan as people read it, and as JSON: each step with the calls that it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from servesim.core.calendar import LEGACY
from servesim.delivery.admin_client import columns, wrapped
from servesim.delivery.migration.served import SURFACES
from servesim.service.documents import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from servesim.delivery.migration.steps import Grant, Move, Plan, Target

ENDPOINTS = "/api/2.0/serving-endpoints"

BODIES = (
    ('{"columns": [...], "data": [...]}', '{"dataframe_split": {"columns": [...], "data": [...]}}'),
    ('[{"a": 1}], format=pandas-records', '{"dataframe_records": [{"a": 1}]}, no format='),
    ("inputs, instances, CSV", "the same"),
    ("the answer [0.5]", '{"predictions": [0.5]}'),
)
"""What callers of a model logged with MLflow 1.x send and get, and what the new URL takes and gives."""

OWNER = "The copies in Unity Catalog belong to whoever runs the script; grants there are not carried over."
ADVICE = (
    "A version that moves to another stage changes no endpoint any more: PUT the endpoint's config.",
    "Callers do best with OAuth of a service principal, not with a user's token.",
)


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield a plan, model by model."""
    for move in plan.moves:
        yield from _move_lines(move, cut_over=plan.cut_over)
        yield ""
    for model, why in plan.staying:
        yield from wrapped(f"{model} cannot go: {why}.", rest="  ")
    if plan.staying:
        yield ""
    owner = [OWNER] if any(move.versions for move in plan.moves) else []
    for note in (*owner, *(ADVICE if plan.moves else ()), *plan.notes):
        yield from wrapped(note, rest="  ")


def _move_lines(move: Move, *, cut_over: bool) -> Iterator[str]:
    surfaces = " and ".join(SURFACES[one].title for one in move.generations)
    yield f"{plain(move.model)}, from {surfaces} to Model Serving"
    for number, (title, lines) in enumerate(_steps(move, cut_over=cut_over), 1):
        yield from wrapped(f"{number}. {title}", "  ", "     ")
        yield from (f"     {line}" for line in lines)
    for note in move.notes:
        yield from wrapped(f"Note: {note}.", "  ", "     ")


def _steps(move: Move, *, cut_over: bool) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield what is done, each step with its details."""
    if move.versions:
        yield _registration(move), ()
    else:
        yield "Register nothing: the endpoints serve the model of the workspace registry (--keep-registry).", ()
    yield "Create", _endpoints(move.targets)
    yield "Wait until READY", [f"GET {ENDPOINTS}/{one.name}" for one in move.targets]
    if move.grants:
        yield "Grant, on each endpoint", columns(*_grant_table(move.grants))
    elif move.grants is None:
        yield "Grant by hand what was granted on the model: see below", ()
    else:
        yield "Grant nothing: nobody was given a level on the model. Creator and admins alone may query.", ()
    what = "the input example of each version" if move.example is None else "the request that was given"
    yield f"Compare the predictions for {what}, old against new", ()
    yield "Send callers elsewhere", _callers(move)
    when = "" if cut_over else ", once nobody calls it: with --cut-over"
    yield f"Turn {' and '.join(SURFACES[one].title for one in move.generations)} off{when}", _disables(move)


def _registration(move: Move) -> str:
    copied = f"version{'s' if len(move.versions) > 1 else ''} {', '.join(move.versions)}"
    aliases = ", ".join(f"{one.stage.lower()} for version {one.version}" for one in move.targets if one.stage)
    return f"Register {copied} in Unity Catalog as {move.entity}" + (f"; aliases {aliases}" if aliases else "")


def _endpoints(targets: Iterable[Target]) -> list[str]:
    rows = [
        (one.name, f"version {one.version}", one.size, "scales to zero" if one.scale_to_zero else "never sleeps")
        for one in targets
    ]
    first, *rest = rows
    return columns(first, rest)


def _grant_table(grants: Iterable[Grant]) -> tuple[tuple[str, str], list[tuple[str, str]]]:
    first, *rest = [(plain(one.name), one.level) for one in grants]
    return first, rest


def _callers(move: Move) -> Iterator[str]:
    for target in move.targets:
        yield f"POST {target.old_path}"
        yield f"  -> {target.new_path}"
    if LEGACY in move.generations:
        yield "Callers of a model logged with MLflow 1.x send and read otherwise:"
        for old, new in BODIES:
            yield from (f"  {old}", f"    -> {new}")
    else:
        yield "Bodies and answers stay as they are."


def _disables(move: Move) -> Iterator[str]:
    for generation in move.generations:
        yield f"POST {SURFACES[generation].api}/disable"
        yield f"  {json.dumps({'registered_model_name': move.model})}"


def describe_plan(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON; ``entity_version`` is null where it is the number that a copy will get."""
    return {
        "moves": [_describe(move, cut_over=plan.cut_over) for move in plan.moves],
        "staying": [{"model": model, "why": why} for model, why in plan.staying],
        "notes": list(plan.notes),
    }


def _describe(move: Move, *, cut_over: bool) -> dict[str, Any]:
    return {
        "model": move.model,
        "generations": list(move.generations),
        "entity": move.entity,
        "register": [{"source": f"models:/{move.model}/{one}", "target": move.entity} for one in move.versions],
        "endpoints": [_endpoint(move, target) for target in move.targets],
        "permissions": [{one.kind: one.name, "permission_level": one.level} for one in move.grants or ()],
        "example": move.example,
        "disable": [
            {
                "method": "POST",
                "path": f"{SURFACES[one].api}/disable",
                "body": {"registered_model_name": move.model},
                "cut_over": cut_over,
            }
            for one in move.generations
        ],
        "notes": list(move.notes),
    }


def _endpoint(move: Move, target: Target) -> dict[str, Any]:
    entity = {
        "entity_name": move.entity,
        "entity_version": None if move.versions else target.version,
        "workload_size": target.size,
        "scale_to_zero_enabled": target.scale_to_zero,
    }
    return {
        "method": "POST",
        "path": ENDPOINTS,
        "body": {"name": target.name, "config": {"served_entities": [entity]}},
        "stage": target.stage or None,
        "version": target.version,
        "old_path": target.old_path,
        "new_path": target.new_path,
    }
