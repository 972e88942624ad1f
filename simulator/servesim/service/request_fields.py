"""The fields that requests may have, as the contracts that ship list them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from servesim.generations.dated import ANY_OPERATION
from servesim.service.contract_source import source
from servesim.service.operation_names import NAMES
from servesim.service.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST = 8
"""Levels of a body that are looked at: schemas may refer to themselves."""
ANY_KEY = "*"
"""Stands in a path where the key is the sender's."""

_COMBINED = ("allOf", "anyOf", "oneOf")
_ALSO = ("if", "then", "else", "items")


def names(operation: str) -> list[str]:
    """Return the paths of the fields in the body of an operation, or of every one; lists are looked through."""
    operations = NAMES if operation == ANY_OPERATION else (operation,)
    return [".".join(path) for name in operations for path in sorted(_paths(name))]


def fits(operation: str, path: str) -> bool:
    """Tell whether a body of an operation can have a field, of any operation at the end of a path."""
    written = tuple(path.split("."))
    if operation != ANY_OPERATION:
        return any(_same(known, written) for known in _paths(operation))
    # A key of the sender's own may be any: a path from anywhere has to name one that is not.
    ends = (known[-len(written) :] for name in NAMES for known in _paths(name))
    return any(_same(end, written) and set(end) != {ANY_KEY} for end in ends)


def _same(known: tuple[str, ...], written: tuple[str, ...]) -> bool:
    return len(known) == len(written) and all(
        one in {ANY_KEY, other} and other for one, other in zip(known, written, strict=True)
    )


@cache
def _paths(operation: str) -> frozenset[tuple[str, ...]]:
    file, schema = _bodies().get(operation, ("", {}))
    return frozenset(_below(file, schema, ()))


@cache
def _bodies() -> dict[str, tuple[str, Any]]:
    """Return the schema of each operation's JSON body, with the file that it stands in."""
    found = {}
    for path in sorted(shipped("contracts").glob("*.yaml")):
        for item in source(path.stem).get("paths", {}).values():
            for operation in item.values():
                content = operation.get("requestBody", {}).get("content", {}) if isinstance(operation, dict) else {}
                if "application/json" in content:
                    found[operation["operationId"]] = (path.stem, content["application/json"].get("schema", {}))
    return found


def _below(file: str, schema: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not isinstance(schema, dict) or len(path) > DEEPEST:
        return
    if "$ref" in schema:
        yield from _below(*_resolved(file, schema["$ref"]), path)
    for part in (*(one for key in _COMBINED for one in schema.get(key, ())), *map(schema.get, _ALSO)):
        yield from _below(file, part, path)
    for name, inner in schema.get("properties", {}).items():
        yield (*path, name)
        yield from _below(file, inner, (*path, name))
    if isinstance(schema.get("additionalProperties"), dict):
        yield (*path, ANY_KEY)
        yield from _below(file, schema["additionalProperties"], (*path, ANY_KEY))


def _resolved(file: str, reference: str) -> tuple[str, Any]:
    other, _, pointer = reference.partition("#/")
    file = other.removesuffix(".yaml") or file
    schema: Any = source(file)
    for part in pointer.split("/"):
        schema = schema[part]
    return file, schema
