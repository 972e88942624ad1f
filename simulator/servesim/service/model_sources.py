"""What the source of a version means: a folder of this machine, another version, or what servesim cannot read."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.core.registry import RegisteredModel, Registry, Version

_LOGGED = re.compile(r"models:(?://[^/]*)?/+(m-[0-9a-z]+)/?")
_REGISTERED = re.compile(r"models:(?://[^/]*)?/+(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[^/@]+))/?")
_LATEST = "latest"
_LAYOUTS = ("mlruns/*/models", "*/models")
"""Where MLflow keeps logged models, below the folder of a tracking store and beside its database."""


class Elsewhere(NamedTuple):
    """A place that servesim cannot read: the version is registered, and nobody answers for it."""

    why: str


class Another(NamedTuple):
    """Another version of this registry."""

    model: RegisteredModel
    version: Version


def meaning(source: str, registry: Registry, roots: tuple[str, ...]) -> Path | Another | Elsewhere:
    """Say what a source is; raise SOURCE_UNREADABLE or SOURCE_OUTSIDE.

    A relative path begins at the first of the roots; whatever a path leads to lies below one of them.
    """
    if not source.strip():
        raise unreadable(source, "it is empty. Name the model's folder")
    if logged := _LOGGED.fullmatch(source):
        found = next(_logged(logged[1], roots), None)
        return _elsewhere(source, roots) if found is None else below(source, found, roots)
    if registered := _REGISTERED.fullmatch(source):
        return _another(source, registry, **registered.groupdict())
    path = _local(source)
    return _elsewhere(source, roots) if path is None else below(source, path, roots)


def below(source: str, path: str, roots: tuple[str, ...]) -> Path:
    """Return the folder that a path leads to, links followed; raise SOURCE_OUTSIDE or SOURCE_UNREADABLE."""
    try:
        allowed = [os.path.realpath(root) for root in roots]
        folder = os.path.realpath(os.path.join(allowed[0], path))  # noqa: PTH118 - Path.resolve is no realpath
    except (OSError, ValueError) as error:
        raise unreadable(source, str(error)) from error
    if not any(os.path.commonpath((root, folder)) == root for root in allowed):
        raise Rejected(Code.SOURCE_OUTSIDE, source=source, root=" and ".join(allowed))
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises where a name is too long
        raise unreadable(source, f"there is no folder {folder}")
    return Path(folder)


def unreadable(source: str, reason: str) -> Rejected:
    """Return the refusal of a source."""
    return Rejected(Code.SOURCE_UNREADABLE, source=source, reason=reason)


def _local(source: str) -> str | None:
    """The path that a source without a scheme, or with ``file``, means on this machine."""
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise unreadable(source, str(error)) from error
    if parts.scheme == "file":
        return unquote(parts.path) if parts.netloc in {"", "localhost"} else None
    return None if parts.scheme else source


def _logged(model_id: str, roots: tuple[str, ...]) -> Iterator[str]:
    """Yield the folders in which MLflow may keep a logged model whose tracking store is on this machine."""
    for base in (*_tracking_folder(), *roots):
        for layout in _LAYOUTS:
            pattern = f"{glob.escape(os.path.realpath(base))}/{layout}/{model_id}/artifacts"
            yield from sorted(glob.glob(pattern))  # noqa: PTH207 - Path.glob stops at what may not be read


def _tracking_folder() -> Iterator[str]:
    """The folder of the tracking store that this process was told of, if it is on this machine.

    MLflow's clients set the variable, so the one of a test in this process is known.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if uri.startswith("sqlite:///"):
        yield os.path.dirname(uri.removeprefix("sqlite:///").partition("?")[0]) or "."  # noqa: PTH120 - text of an URI
    elif uri:
        path = _local(uri)
        if path is not None:
            yield os.path.dirname(path.rstrip("/")) or "."  # noqa: PTH120 - as above


def _another(source: str, registry: Registry, name: str, alias: str | None, version: str | None) -> Another:
    model = registry.models.get(name)
    if model is None:
        raise unreadable(source, f"there is no registered model '{name}' here")
    if alias is not None and alias not in model.aliases:
        raise unreadable(source, f"registered model '{name}' has no alias '{alias}'")
    number = model.aliases[alias] if alias is not None else _number(model, str(version))
    if number not in model.versions:
        known = ", ".join(registry.versions(name)) or "none"
        wanted = f"version {number}" if number.isdecimal() else f"version in stage '{number}'"
        raise unreadable(source, f"registered model '{name}' has no {wanted}; it has {known}")
    found = model.versions[number]
    if found.model is None:
        raise unreadable(source, f"the status of version {number} is {found.status}")
    return Another(model, found)


def _number(model: RegisteredModel, written: str) -> str:
    """The number that ``3``, ``Staging`` or ``latest`` means."""
    latest = [
        number
        for number, version in model.versions.items()
        if written.lower() in {_LATEST, version.stage.lower()} and number.isdecimal()
    ]
    return max(latest, key=int) if latest else written


def _elsewhere(source: str, roots: tuple[str, ...]) -> Elsewhere:
    kept = " and ".join(os.path.realpath(root) for root in roots)
    if source.startswith("models:"):
        what = f"servesim finds no logged model {source} where MLflow keeps them, in mlruns below {kept}"
    else:
        what = f"servesim cannot read {source}: it reads folders below {kept}, and versions of its own registry"
    return Elsewhere(
        f"{what}. Register the model by the path of its folder, use the registry 'databricks-uc', "
        "whose client uploads it, or have a stub answer for it (servesim serve --unknown-models stub)."
    )
