"""The operations of the contracts, found by method and path."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from servesim.contracts.documents import SURFACES, document, raw_operations, surfaces
from servesim.service.contract_source import source
from servesim.service.operation_names import usual_path
from servesim.service.patterns import ANY, Pattern


class Evidence(NamedTuple):
    """How something is known: ``documented``, ``recorded``, ``observed`` or ``chosen``, and from where."""

    grade: str
    source: str
    not_modelled: str = ""


class Operation(NamedTuple):
    """An operation of a surface; ``spec`` is its part of the document of all surfaces."""

    surface: str
    method: str
    path: str
    id: str
    evidence: Evidence
    spec: dict[str, Any]

    @property
    def pointer(self) -> str:
        """Where the operation stands in the document of all surfaces."""
        return f"/paths/{_escaped(self.path)}/{self.method.lower()}"


def operations(*names: str) -> tuple[Operation, ...]:
    """Return the operations of some surfaces, of all for none, in the documents' order; raise ValueError."""
    return tuple(operation for name in surfaces(*names) for operation in _of(name))


def find(method: str, path: str, among: tuple[str, ...] = SURFACES) -> Operation | None:
    """Return the operation that a path as it was sent (without a query) asks for.

    A slash at its end is no matter, nor which of two names of the registry it goes by.
    """
    path = usual_path(path)
    candidates = [*_by_shape().get((method.upper(), _segments(path)), ()), *_with_rest()]
    fitting = [
        operation
        for pattern, operation in candidates
        if operation.method == method.upper() and operation.surface in among and pattern.match(path) is not None
    ]
    return min(fitting, key=lambda operation: operation.path.count("{"), default=None)


def evidence(holder: dict[str, Any]) -> Evidence:
    """Return the evidence of an operation or a response as its document gives it."""
    return Evidence(**holder["x-evidence"])


def responses(operation: Operation) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return where each response of an operation stands and what it says, by status."""
    return _found(f"{operation.pointer}/responses", operation.spec["responses"])


def anywhere(path: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return, as ``responses`` does, what a path is answered with that is no operation's."""
    rules = [(index, rule) for index, rule in enumerate(document()["x-anywhere"]) if path.startswith(rule["below"])]
    if not rules:
        return {}
    index, rule = max(rules, key=lambda numbered: len(numbered[1]["below"]))
    return _found(f"/x-anywhere/{index}/responses", rule["responses"])


def ended() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return, as ``responses`` does, what any operation is answered with once a date has ended it."""
    return _found("/x-ended/responses", document()["x-ended"]["responses"])


def _found(pointer: str, given: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    return {str(status): resolved(f"{pointer}/{status}", response) for status, response in given.items()}


def resolved(pointer: str, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return where a part of the document stands and what it says; for a reference, those of what it refers to."""
    if "$ref" not in given:
        return pointer, given
    shared = given["$ref"].removeprefix("#")
    _, _, kind, name = shared.split("/")
    return shared, document()["components"][kind][name]


def _escaped(part: str) -> str:
    """Return a key as a part of a JSON pointer in a URL's fragment."""
    return part.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


@cache
def _of(name: str) -> tuple[Operation, ...]:
    everything = document()["paths"]
    return tuple(
        Operation(name, method, path, spec["operationId"], evidence(spec), everything[path][method.lower()])
        for method, path, spec in raw_operations(source(name))
    )


@cache
def _by_shape() -> dict[tuple[str, int], list[tuple[Pattern, Operation]]]:
    shapes: dict[tuple[str, int], list[tuple[Pattern, Operation]]] = {}
    for operation in operations():
        if not _rest_of(operation):
            shapes.setdefault((operation.method, _segments(operation.path)), []).append(
                (Pattern(operation.path), operation)
            )
    return shapes


@cache
def _with_rest() -> tuple[tuple[Pattern, Operation], ...]:
    """Return the operations whose last parameter holds slashes."""
    return tuple(
        (Pattern(operation.path.replace(f"{{{name}}}", ANY)), operation)
        for operation in operations()
        if (name := _rest_of(operation))
    )


def _rest_of(operation: Operation) -> str:
    """Return the name of the parameter that stands for the rest of a path; empty for none."""
    return str(document()["paths"][operation.path].get("x-rest", ""))


def _segments(path: str) -> int:
    return path.removesuffix("/").count("/")
