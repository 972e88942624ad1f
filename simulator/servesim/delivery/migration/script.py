"""A plan as a Python script that an engineer reads, rehearses and runs; the same plan gives the same bytes."""

from __future__ import annotations

import pprint
import textwrap
from typing import TYPE_CHECKING

from servesim.core.calendar import LEGACY
from servesim.delivery.migration import script_texts as texts
from servesim.delivery.migration.served import SURFACES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.delivery.migration.steps import Move, Plan, Target

WIDTH = 110
MLFLOW = "'mlflow>=3.4'"
"""The first that copies versions from the workspace registry to Unity Catalog."""

_ESCAPED = {"\\": "\\\\", '"': '\\"'}

FAILURES = ("DatabricksError", "OperationFailed", "TimeoutError", "RuntimeError", "requests.RequestException")


def script_of(plan: Plan) -> str:
    """Return the script of a plan that moves something."""
    registers = any(move.versions for move in plan.moves)
    loads = any(move.example is None for move in plan.moves)
    names = [f"move_{number}" for number in range(1, len(plan.moves) + 1)]
    parts = [
        _head(plan, registers=registers, loads=loads),
        texts.REGISTER if registers else "",
        texts.BODY,
        texts.EXAMPLE if loads else "",
        *("\n\n" + "\n".join(_function(name, move)) + "\n" for name, move in zip(names, plan.moves, strict=True)),
        texts.MAIN.format(
            moves=", ".join(names) + ("," if len(names) == 1 else ""),
            how="" if plan.cut_over else " (plan with --cut-over, or take the # away)",
            disables="\n".join(_disables(plan)),
        ),
    ]
    return "".join(parts)


def _head(plan: Plan, *, registers: bool, loads: bool) -> str:
    uses_mlflow = registers or loads
    return texts.HEAD.format(
        title=_title(plan),
        install=f"pip install databricks-sdk requests{f' {MLFLOW}' if uses_mlflow else ''}",
        standard="\n".join(
            [*(["import json"] if loads else []), "import math", "import sys", "from datetime import timedelta"]
        ),
        imports="\n".join(["import mlflow", "import requests"] if uses_mlflow else ["import requests"]),
        later="\n".join([*_mlflow_imports(registers=registers, loads=loads), ""]),
        tracking='mlflow.set_tracking_uri("databricks")\n' if uses_mlflow else "",
        errors=", ".join([*FAILURES, *(["MlflowException"] if uses_mlflow else [])]),
    )


def _mlflow_imports(*, registers: bool, loads: bool) -> Iterator[str]:
    if registers:
        yield "from mlflow import MlflowClient"
    if registers or loads:
        yield "from mlflow.exceptions import MlflowException"
    if loads:
        yield "from mlflow.models import convert_input_example_to_serving_input"


def _title(plan: Plan) -> str:
    """Return the first lines of the script, made fit for a docstring."""
    named = ", ".join(_safe(move.model) for move in plan.moves)
    title = f"Move {named} to Model Serving. Planned by `servesim migrate plan`."
    staying = (f"It leaves {_safe(model)} alone: {_safe(why)}." for model, why in plan.staying)
    return "\n".join(line for text in (title, *staying) for line in _wrapped(text, ""))


def _safe(text: str) -> str:
    """Return a text that ends no docstring and no comment."""
    return "".join(char if char.isprintable() else "?" for char in text).replace('"', "'").replace("\\", "/")


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )


def _function(name: str, move: Move) -> Iterator[str]:
    """Yield the lines that move one model."""
    yield f"def {name}():"
    surfaces = " and ".join(SURFACES[one].title for one in move.generations)
    yield f'    """{_safe(move.model)}, from {surfaces}."""'
    for note in move.notes:
        yield from _wrapped(f"Note: {_safe(note)}.", "    # ")
    if move.versions:
        yield from _registration(move)
    for target in move.targets:
        sized = (f"size={_text(target.size)}", f"scale_to_zero={target.scale_to_zero}")
        yield from _call("create", _text(target.name), _text(move.entity), _version(move, target), *sized)
    for target in move.targets:
        yield from _call("wait", _text(target.name))
    grants = [f"({_text(one.kind)}, {_text(one.name)}, {_text(one.level)})" for one in move.grants or ()]
    for target in move.targets if grants else ():
        yield from _call("permit", _text(target.name), *grants)
    yield from _comparison(move)


def _comparison(move: Move) -> Iterator[str]:
    """Yield the lines that hold old against new, and say where callers go."""
    yield f"    if is_on({_text(move.model)}, {_api(move.generations[0])}):"
    for target in move.targets:
        yield from _call("compare", _text(target.old_path), _text(target.new_path), _body(move, target), indent=" " * 8)
    for target in move.targets:
        yield f"    # Callers of {_safe(target.old_path)}"
        yield f"    # go to {_safe(target.new_path)}"
    if LEGACY in move.generations:
        yield "    # Those of a model logged with MLflow 1.x wrap their bodies in dataframe_split or dataframe_records,"
        yield "    # without format= in the content type, and find the answer in predictions."


def _call(name: str, *arguments: str, indent: str = "    ") -> Iterator[str]:
    """Yield the lines of a call: one, or one for each argument."""
    line = f"{indent}{name}({', '.join(arguments)})"
    if len(line) <= WIDTH and "\n" not in line:
        yield line
        return
    yield f"{indent}{name}("
    for argument in arguments:
        yield textwrap.indent(f"{argument},", indent + "    ")
    yield f"{indent})"


def _registration(move: Move) -> Iterator[str]:
    aliases = {target.stage.lower(): target.version for target in move.targets if target.stage}
    versions = ", ".join(map(_text, move.versions))
    aliased = ", ".join(f"{_text(alias)}: {_text(version)}" for alias, version in aliases.items())
    yield f"    versions, aliases = [{versions}], {{{aliased}}}"
    yield from _call("numbers = register", _text(move.model), "versions", _text(move.entity), "aliases")


def _version(move: Move, target: Target) -> str:
    return f"numbers[{_text(target.version)}]" if move.versions else _text(target.version)


def _body(move: Move, target: Target) -> str:
    """Return the request of a comparison; JSON that is given is written as Python has it."""
    if move.example is None:
        return f"example({_text(move.model)}, {_text(target.version)})"
    return pprint.pformat(move.example, width=WIDTH - 16, sort_dicts=False)


def _disables(plan: Plan) -> Iterator[str]:
    for move in plan.moves:
        for generation in move.generations:
            yield f"{'' if plan.cut_over else '# '}disable({_text(move.model)}, {_api(generation)})"


def _api(generation: str) -> str:
    return "LEGACY" if generation == LEGACY else "PREVIEW"


def _text(text: str) -> str:
    """Return a text as Python code, in double quotes."""
    escaped = (_ESCAPED.get(char) or (char if char.isprintable() else ascii(char)[1:-1]) for char in text)
    return f'"{"".join(escaped)}"'
