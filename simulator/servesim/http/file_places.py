"""Which file of which version a call names, and what the caller may do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

from servesim.core.errors import Code, Rejected
from servesim.core.model_access import ModelLevel, level_of, require
from servesim.core.registry import Status, in_unity_catalog
from servesim.http.calls import not_simulated
from servesim.service import registering
from servesim.service.artifact_paths import confined, invalid

if TYPE_CHECKING:
    from aiohttp import web

    from servesim.core.registry import RegisteredModel, Version
    from servesim.http.calls import Call
    from servesim.service.hub import Session

MODELS = "/Models/"
_BASE_PARTS = 6
"""Of ``/api/2.0/fs/files/Models/…``: what stands before the catalog."""
_VERSION_PARTS = 4
"""Catalog, schema, model and version."""


class Place(NamedTuple):
    """A file or folder of a version, on behalf of somebody."""

    session: Session
    model: RegisteredModel
    version: Version
    path: str
    """Below the version; empty for its own folder."""

    @property
    def key(self) -> tuple[int, str]:
        """What the version's files are known by."""
        return self.model.number, self.version.number

    @property
    def full_path(self) -> str:
        """As the Files API of Unity Catalog names it; of the workspace registry alike, by the model's name."""
        return MODELS + "/".join(self._parts())

    @property
    def target(self) -> str:
        """The same in a URL."""
        return MODELS.removeprefix("/") + "/".join(quote(part, safe="") for part in self._parts())

    def _parts(self) -> list[str]:
        levels = self.model.name.split(".") if in_unity_catalog(self.model.name) else [self.model.name]
        return [*levels, self.version.number, *(self.path.split("/") if self.path else [])]

    def may_read(self) -> Place:
        """Return it; raise MODEL_NOT_PERMITTED."""
        require(self.session.workspace.world, self.session.principal, self.model, ModelLevel.CAN_READ)
        return self

    async def opened(self) -> Place:
        """Return it with the files of its version; raise MODEL_NOT_PERMITTED, or what ``registering.bring`` does."""
        self.may_read()
        await registering.bring(self.session.workspace, self.model, self.version)
        return self

    def may_write(self) -> Place:
        """Return it; raise UPLOADS_NEED_LOOPBACK, MODEL_NOT_PERMITTED or, of one that is registered, VERSION_SEALED."""
        workspace, principal = self.session.workspace, self.session.principal
        workspace.store.check_host()
        level = level_of(workspace.world, principal, self.model)
        is_creator = self.version.creator is not None and self.version.creator.name == principal.name
        if not (is_creator and level is not None):
            require(workspace.world, principal, self.model, ModelLevel.CAN_MANAGE)
        confined(self.path)
        self.check_open()
        return self

    def check_open(self) -> None:
        """Raise VERSION_MISSING, MODEL_MISSING or VERSION_SEALED unless the version still waits for its files."""
        registry = self.session.workspace.world.registry
        if registry.version(self.model.name, self.version.number) is not self.version:
            raise registry.missing(self.model.name, self.version.number)
        artifacts = self.session.workspace.artifacts
        if self.version.status is not Status.PENDING or artifacts.is_sealed(self.key):
            raise Rejected(Code.VERSION_SEALED, model=self.model.name, version=self.version.number)


def sent_to(call: Call, *, folder: bool = False) -> Place:
    """Return the place that the path of a call names; a folder may have a slash at its end."""
    path = call.request.rel_url.raw_path
    parts = path.split("/")[_BASE_PARTS:]
    if folder and not parts[-1]:
        parts.pop()
    return _find(call.session, [_decoded(part, path) for part in parts])


def named(call: Call, path: str) -> Place:
    """Return the place that a path in a body or a query names; raise NOT_SIMULATED for one outside of the models."""
    if not path.startswith(MODELS):
        raise not_simulated(call.request, call.session, f"Of files, it knows those below {MODELS} alone.")
    return _find(call.session, path.removeprefix(MODELS).split("/"))


def _find(session: Session, parts: list[str]) -> Place:
    path = MODELS + "/".join(parts)
    name = ".".join(parts[: _VERSION_PARTS - 1])
    if len(parts) < _VERSION_PARTS or not in_unity_catalog(name):
        raise invalid(path, f"it is {MODELS}<catalog>/<schema>/<model>/<version>/<file>")
    session.workspace.clock.now()
    registry = session.workspace.world.registry
    model, number = registry.model(name), parts[_VERSION_PARTS - 1]
    require(session.workspace.world, session.principal, model, ModelLevel.CAN_READ)
    inner = "/".join(parts[_VERSION_PARTS:])
    if len(parts) > _VERSION_PARTS:
        confined(inner)
    return Place(session, model, registry.version(name, number), inner)


def _decoded(part: str, path: str) -> str:
    try:
        name = unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise invalid(path, "it is not UTF-8") from None
    if "/" in name:
        raise invalid(path, "a name in it has a slash")
    return name


def asks_for(request: web.BaseRequest, name: str, *, usual: bool) -> bool:
    """Read a yes or no of the query; raise BAD_FIELD."""
    text = request.query.get(name)
    if text is None:
        return usual
    if text.lower() not in {"true", "false"}:
        raise Rejected(Code.BAD_FIELD, field=name, expected="true or false", got=text)
    return text.lower() == "true"
