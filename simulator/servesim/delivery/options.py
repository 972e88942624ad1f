"""Options that commands share, and models as they are written on the command line."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from servesim.core.model_commands import AddModel
from servesim.models.stubs import Stub
from servesim.service import sources
from servesim.service.settings import seconds
from servesim.service.versions import function_version, stub_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.service.hub import HostedWorkspace

# Compiled when they are used: most starts need none but the token's.
_MODEL = r"(?s)(?P<name>[^=@]+)(?:@(?P<version>[^=]+))?=(?P<what>.+)"
_VISIBLE = r"[\x21-\x7e]+"
_HOST = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?"
_SIZE = r"(?P<number>\d{1,15}(?:\.\d{1,3})?) ?(?P<unit>|B|KB|MB|GB|TB|KIB|MIB|GIB|TIB)"
_CALLABLE = r"(?P<module>[A-Za-z_][\w.]*):(?P<attribute>[A-Za-z_][\w.]*)"

GIB = 1024**3
_UNITS = {
    "": 1,
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KIB": 1024,
    "MIB": 1024**2,
    "GIB": GIB,
    "TIB": 1024**4,
}


def option(*names: str, **settings: Any) -> Callable[[Any], Any]:
    """Declare an option that can also be given as ``SERVESIM_…``."""
    variable = "SERVESIM_" + names[0].partition("/")[0].removeprefix("--").upper().replace("-", "_")
    return click.option(*names, envvar=variable, show_envvar=True, show_default=True, **settings)


class ModelOption(NamedTuple):
    """``NAME[@VERSION]=WHAT``, checked as far as it can be before a server runs."""

    name: str
    version: str | None
    stub: Stub | None = None
    function: Callable[..., Any] | None = None
    path: str = ""

    async def register(self, workspace: HostedWorkspace) -> None:
        """Register the version; raise SourceUnreadable."""
        version = self.version or workspace.world.registry.next_version(self.name)
        if self.stub is not None:
            model = stub_version(self.name, version, self.stub)
        elif self.function is not None:
            model = function_version(self.name, version, workspace.models.keep(self.function))
        else:
            model = await sources.model_at(self.name, version, self.path)
        workspace.clock.execute(AddModel(model))


def parse_model(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> list[ModelOption]:
    """Read every ``--model``; raise BadParameter."""
    return [_model(text) for text in texts]


def parse_token(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    """Return a token that a header can carry; raise BadParameter."""
    if not re.fullmatch(_VISIBLE, text):
        raise click.BadParameter("a token is one or more visible ASCII characters, without spaces")
    return text


def parse_seconds(_context: click.Context, _parameter: click.Parameter, text: str) -> float:
    """Return a span of real time in seconds; raise BadParameter."""
    try:
        return seconds(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def parse_size(_context: click.Context, _parameter: click.Parameter, text: str) -> int:
    """Return a number of bytes; raise BadParameter."""
    match = re.fullmatch(_SIZE, text.strip(), re.IGNORECASE)
    if match is None:
        raise click.BadParameter(f"{text!r} is no size: write 500MB, 10GiB or a number of bytes")
    return int(float(match["number"]) * _UNITS[match["unit"].upper()])


def parse_hosts(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a Host header may be, in small letters; raise BadParameter."""
    for text in texts:
        if not re.fullmatch(_HOST, text):
            raise click.BadParameter(f"{text!r} is no host: write a name, or a name and a port, e.g. servesim:8765")
    return tuple(text.lower() for text in texts)


def _model(text: str) -> ModelOption:
    match = re.fullmatch(_MODEL, text)
    if match is None:
        raise click.BadParameter(f"{text!r} is not NAME=WHAT or NAME@VERSION=WHAT")
    name, version, what = match["name"], match["version"], match["what"]
    behaviour, _, argument = what.partition(":")
    if behaviour == "constant":
        return ModelOption(name, version, stub=Stub("constant", _json(argument)))
    if behaviour == "fail":
        return ModelOption(name, version, stub=Stub("fail", message=argument) if argument else Stub("fail"))
    if what in {"echo", "hash"}:
        return ModelOption(name, version, stub=Stub(what))  # type: ignore[arg-type]  # one of the two
    if Path(what).is_dir():
        return ModelOption(name, version, path=what)
    function = re.fullmatch(_CALLABLE, what)
    if function is None:
        expected = "echo, hash, constant:JSON, fail, module:function, or the folder of an MLflow model"
        raise click.BadParameter(f"{what!r} is none of {expected}")
    return ModelOption(name, version, function=_callable(function["module"], function["attribute"]))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"constant:{text} is not JSON ({error}); write e.g. constant:0.5") from error


def _callable(module: str, attribute: str) -> Callable[..., Any]:
    # As `python -m` does: a module of the working directory can be named.
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"  # a module may raise anything, exit included
        raise click.BadParameter(f"{module}:{attribute} cannot be imported: {reason}") from error
    if not callable(found) or inspect.iscoroutinefunction(found):
        raise click.BadParameter(f"{module}:{attribute} is no plain callable")
    return found  # type: ignore[no-any-return]  # callable, as was checked
