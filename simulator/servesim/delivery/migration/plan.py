"""``servesim migrate plan``: the way to Model Serving, for each model of a retired generation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from servesim.delivery.admin_client import Negative, show
from servesim.delivery.migration.ask import Refused, Workspace, ended_model, inventory_of, public_options
from servesim.delivery.migration.plan_text import describe_plan, plan_lines
from servesim.delivery.migration.script import script_of
from servesim.delivery.migration.steps import LEVELS, MANAGE, Grant, Wishes, plan_of
from servesim.service.documents import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.delivery.migration.served import Inventory, ServedModel
    from servesim.delivery.migration.steps import Plan

KINDS = ("user_name", "group_name", "service_principal_name")
EXAMPLE_LIMIT = 16 * 1024 * 1024
"""Bytes of a request: no endpoint takes a longer one."""

BY_NAME = "For what was served there, name its models: servesim migrate plan MODEL. Their stages tell what was served."
NOTHING = "Nothing is served by legacy serving or the serverless preview."


def parse_examples(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, Any]:
    """Read every ``--example``; raise BadParameter."""
    return dict(map(_example, texts))


def _example(text: str) -> tuple[str, Any]:
    model, _, name = text.partition("=")
    if not model or not name:
        raise click.BadParameter(f"{text!r} is not MODEL=FILE")
    try:
        with Path(name).open("rb") as file:
            content = file.read(EXAMPLE_LIMIT + 1)
        request = json.loads(content, parse_constant=_no_number)
    except (OSError, ValueError, RecursionError) as error:
        raise click.BadParameter(f"{name} holds no request in JSON ({error})") from error
    if not isinstance(request, dict) or len(content) > EXAMPLE_LIMIT:
        raise click.BadParameter(
            f'{name} holds no request of at most 16 MiB: write one of the new form, e.g. {{"dataframe_split": ...}}'
        )
    return model, request


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


@click.command("plan", short_help="Print the way to Model Serving, or write it as a script.")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@public_options
@click.option("--catalog", default="main", show_default=True, metavar="NAME", help="Where models are registered.")
@click.option("--schema", default="default", show_default=True, metavar="NAME", help="And in which schema of it.")
@click.option("--keep-registry", is_flag=True, help="Serve the models of the workspace registry; register nothing.")
@click.option(
    "--scale-to-zero/--no-scale-to-zero",
    default=None,
    help="For every endpoint.  [default: as the preview has it; with legacy serving yes, as published]",
)
@click.option(
    "--example",
    "examples",
    multiple=True,
    callback=parse_examples,
    metavar="MODEL=FILE",
    help="A request for the comparison, in JSON; repeatable.  [default: the version's input example]",
)
@click.option("--cut-over", is_flag=True, help="Turn the old serving off at the end.")
@click.option("--script", "as_script", is_flag=True, help="Print a Python script that does it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def command(workspace: Workspace, models: tuple[str, ...], *, as_script: bool, as_json: bool, **wishes: Any) -> None:
    """Plan the way of each MODEL, all that are served without one, to Model Serving. Nothing is changed.

    \b
    servesim migrate plan                                    what is to be done, to read
    servesim migrate plan --catalog prod --schema ml churn   one model, to prod.ml.churn
    servesim migrate plan --script > migrate.py              the same as a script
    servesim migrate plan --script --cut-over > migrate.py   one that turns the old serving off at its end

    It asks the workspace as its clients do: servesim's, to rehearse, and with --host a real one. The script registers
    each served version in Unity Catalog, creates an endpoint for each stage, waits, grants what was granted on the
    model, compares predictions, and says where callers go. It runs again where it stopped. A model whose serving has
    ended is planned for if it is named: its stages in the registry tell what was served.

    Exit code 0: printed, 1: refused, or there is no such model, 2: wrong usage, 5: no server was reached.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    if as_script and as_json:
        raise click.UsageError("--script and --json are two forms of the plan: ask for one.")
    plan = _plan(workspace, inventory_of(workspace), models, Wishes(**wishes))
    if as_json:
        show(describe_plan(plan))
    elif as_script and plan.moves:
        click.echo(script_of(plan), nl=False)
    elif plan.moves or plan.staying:
        for line in plan_lines(plan):
            click.echo(line, err=as_script)
    else:
        for line in (NOTHING, *plan.notes, *([BY_NAME] if plan.notes else [])):
            click.echo(plain(line), err=as_script)


def _plan(workspace: Workspace, inventory: Inventory, models: tuple[str, ...], wishes: Wishes) -> Plan:
    """Plan for some models, or all; raise Negative."""
    served = {one.model for one in inventory.models}
    ended = [_ended(workspace, inventory, name) for name in sorted(set(models) - served)]
    chosen = inventory.only(models, ended) if models else inventory
    for name in wishes.examples:
        if name not in {one.model for one in chosen.models}:
            raise click.BadParameter(f"'{plain(name)}' is not planned for", param_hint="--example")
    grants, notes = {}, []
    for model in sorted({one.model for one in chosen.models}):
        try:
            grants[model] = list(_grants(workspace, model))
        except Refused as refusal:
            notes.append(f"What was granted on {model} is not known, grant it by hand: {refusal.message}")
    return plan_of(replace(chosen, notes=(*chosen.notes, *notes)), grants, wishes)


def _ended(workspace: Workspace, inventory: Inventory, model: str) -> ServedModel:
    """Return what a generation that cannot be asked served of a model by the registry; raise Negative."""
    for generation in inventory.closed:
        found = ended_model(workspace, generation, model)
        if found is not None:
            return found
    known = ", ".join(sorted({plain(one.model) for one in inventory.models})) or "none"
    raise Negative(
        f"'{plain(model)}' is on neither legacy serving nor the serverless preview, nor has it a version that was; "
        f"on them: {known}."
    )


def _grants(workspace: Workspace, model: str) -> Iterator[Grant]:
    """Yield what was granted on a model itself, as levels of an endpoint; raise Refused."""
    found = workspace.get("/api/2.0/mlflow/databricks/registered-models/get", name=model)
    number = found["registered_model_databricks"]["id"]
    acl = workspace.get(f"/api/2.0/permissions/registered-models/{number}")
    for entry in acl.get("access_control_list", ()):
        levels = {LEVELS.get(one["permission_level"]) for one in entry["all_permissions"] if not one.get("inherited")}
        kind = next((kind for kind in KINDS if kind in entry), None)
        if kind and levels - {None}:
            yield Grant(kind, entry[kind], MANAGE if MANAGE in levels else "CAN_QUERY")
