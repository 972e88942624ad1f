"""The contracts as they ship: OpenAPI 3.1, one document for each surface, shared components in files of their own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from servesim.service.contract_source import source

if TYPE_CHECKING:
    from collections.abc import Iterator

OF_A_WORKSPACE = ("control", "data", "workspace", "registry", "unity_catalog", "serverless_preview", "legacy")
"""Surfaces that a workspace has; the others are of other servers."""
SURFACES = (*OF_A_WORKSPACE, "scoring", "admin")
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
"""Keys of a path's operations; the others are parameters and texts."""


def surfaces(*names: str) -> tuple[str, ...]:
    """Return the named surfaces in the documents' order, all of them for none; raise ValueError."""
    if unknown := sorted(set(names) - set(SURFACES)):
        raise ValueError(f"there is no surface {unknown[0]!r}: there are {', '.join(SURFACES)}")
    return tuple(name for name in SURFACES if not names or name in names)


def document(*names: str) -> dict[str, Any]:
    """Return the contract of some surfaces as one document that refers to itself alone; raise ValueError.

    The dicts are shared: read them, or take a copy.
    """
    return _bundled(surfaces(*names))


@cache
def _bundled(names: tuple[str, ...]) -> dict[str, Any]:
    first = source(names[0])
    bundle = _Bundle()
    merged = {key: bundle.localized(names[0], value) for key, value in first.items() if key not in _MERGED}
    if len(names) > 1:
        merged["info"] = {
            "title": "Databricks Model Serving, as servesim knows it",
            "version": first["info"]["version"],
            "description": f"The contracts of {', '.join(names)} as one document.",
        }
    for listed in _LISTS:
        merged[listed] = [one for name in names for one in source(name).get(listed, [])]
    merged["paths"] = {
        path: bundle.localized(name, item) for name in names for path, item in source(name)["paths"].items()
    }
    for name in names:
        for scheme in source(name).get("components", {}).get("securitySchemes", {}):
            bundle.take(name, "securitySchemes", scheme)
    rules = [(name, source(name)["x-anywhere"]) for name in names if "x-anywhere" in source(name)]
    merged["x-anywhere"] = [bundle.localized(name, rule) for name, rule in rules]
    merged["components"] = bundle.components
    _drop_links(merged)
    return merged


_LISTS = ("tags", "x-not-simulated")
_MERGED = (*_LISTS, "paths", "components", "x-anywhere")


class _Bundle:
    """The components that a document refers to, copied from their files as they are met."""

    def __init__(self) -> None:
        self.components: dict[str, dict[str, Any]] = {}
        self._origin: dict[tuple[str, str], str] = {}

    def localized(self, file: str, value: Any) -> Any:
        """Return a value of a file with each reference made local, and what it refers to taken along."""
        if isinstance(value, list):
            return [self.localized(file, item) for item in value]
        if not isinstance(value, dict):
            return value
        copy = {key: self.localized(file, item) for key, item in value.items()}
        if isinstance(reference := value.get("$ref"), str):
            other, _, pointer = reference.partition("#")
            _, _, kind, name = pointer.split("/")
            self.take(other.removesuffix(".yaml") or file, kind, name)
            copy["$ref"] = "#" + pointer
        return copy

    def take(self, file: str, kind: str, name: str) -> None:
        """Copy a component; raise ValueError where two files mean different things by its name."""
        if (known := self._origin.setdefault((kind, name), file)) != file:
            if source(known)["components"][kind][name] == source(file)["components"][kind][name]:
                return
            raise ValueError(f"contracts: {kind}/{name} stands in {known}.yaml and in {file}.yaml")
        if name not in self.components.setdefault(kind, {}):
            self.components[kind][name] = {}  # a component may refer to itself
            self.components[kind][name] = self.localized(file, source(file)["components"][kind][name])


def _drop_links(merged: dict[str, Any]) -> None:
    """Leave out links to operations of other documents."""
    known = {operation["operationId"] for _, _, operation in raw_operations(merged)}
    shared: dict[str, Any] = merged["components"].get("links", {})
    inline = [response for _, _, operation in raw_operations(merged) for response in operation["responses"].values()]
    for response in [*inline, *merged["components"].get("responses", {}).values()]:
        if "links" in response:
            response["links"] = {
                name: link
                for name, link in response["links"].items()
                if shared.get(link.get("$ref", "").rpartition("/")[2], link).get("operationId") in known
            }
    for name in [name for name, link in shared.items() if link["operationId"] not in known]:
        del shared[name]


def raw_operations(contract: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and description of each operation, in the document's order."""
    for path, item in contract["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]
