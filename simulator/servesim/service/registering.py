"""Registers versions: takes their artifacts in, reads what they say, and tells the world how that came out."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from servesim.core.errors import Rejected
from servesim.core.model_access import ModelLevel, require
from servesim.core.model_commands import FinishRegistration
from servesim.core.registry import ModelVersion, Status
from servesim.generations import ga_texts
from servesim.service import dbfs
from servesim.service.model_folder import UnreadableModel, read_model
from servesim.service.model_sources import Another, Elsewhere, meaning, unreadable
from servesim.service.sources import unknown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from servesim.core.access import Principal
    from servesim.core.model_commands import CreateModelVersion
    from servesim.core.registry import RegisteredModel, Version
    from servesim.service.artifact_files import Tree
    from servesim.service.hub import HostedWorkspace

INTERRUPTED = "The registration was interrupted. Register another version."


async def check_source(
    workspace: HostedWorkspace, source: str, principal: Principal | None = None
) -> Path | Another | Elsewhere:
    """Return what a source is; raise SOURCE_OUTSIDE, SOURCE_UNREADABLE, UPLOADS_NEED_LOOPBACK, MODEL_NOT_PERMITTED."""
    uploaded = dbfs.named(source)
    found: Path | Another | Elsewhere | None = await workspace.uploads.tree(uploaded) if uploaded else None
    if found is None:
        found = meaning(source, workspace.world.registry, workspace.settings.model_roots)
    if isinstance(found, Another):
        require(workspace.world, principal, found.model, ModelLevel.CAN_READ)
    if isinstance(found, Path):
        workspace.store.check_host()
        try:
            await asyncio.to_thread(read_model, found, "")
        except UnreadableModel as error:
            raise unreadable(source, str(error)) from error
    return found


async def create(workspace: HostedWorkspace, command: CreateModelVersion) -> Version:
    """Register a version with the artifacts of its source; raise what the command and ``check_source`` raise.

    A version whose source servesim cannot read is there all the same: its status is FAILED_REGISTRATION.
    """
    model = workspace.world.registry.model(command.name)
    require(workspace.world, command.principal, model, ModelLevel.CAN_EDIT)
    found = await check_source(workspace, command.source, command.principal)
    version: Version = workspace.clock.execute(command)
    registering = _Registration(workspace, workspace.world.registry.model(command.name), version)
    if isinstance(found, Elsewhere):
        return registering.fail(found.why)
    if isinstance(found, Another):
        return registering.copy(found)
    return await registering.take(lambda key: workspace.artifacts.take(key, found))


async def finalize(workspace: HostedWorkspace, name: str, version: str, principal: Principal | None) -> Version:
    """Register a version with what was uploaded for it; one that is finished already stays as it is."""
    model = workspace.world.registry.model(name)
    require(workspace.world, principal, model, ModelLevel.CAN_EDIT)
    found = workspace.world.registry.version(name, version)
    if found.status is not Status.PENDING or found.due:
        return found
    return await _Registration(workspace, model, found).take(workspace.artifacts.seal)


async def bring(workspace: HostedWorkspace, model: RegisteredModel, version: Version) -> None:
    """Take in the folder of a version that was named when its workspace began, for somebody who reads its files.

    Raise SOURCE_UNREADABLE, SOURCE_OUTSIDE, PATH_INVALID or UPLOAD_QUOTA. What lies in an MLflow registry stays there.
    """
    answers, key = version.model, (model.number, version.number)
    if answers is None or answers.kind != "mlflow" or answers.registry_uri is not None:
        return
    async with workspace.artifacts.bringing:
        if not workspace.artifacts.files(key):
            folder = await asyncio.to_thread(Path(answers.source).resolve)
            await workspace.artifacts.take(key, folder)


async def settled(workspace: HostedWorkspace, version: Version) -> None:
    """Let time pass that a version waits for, where time moves to what somebody waits for."""
    if version.due and workspace.clock.mode == "autojump":
        await workspace.clock.advance_to(version.due)


class _Registration:
    """One version that is being registered; it may be renamed, deleted or reset away meanwhile."""

    def __init__(self, workspace: HostedWorkspace, model: RegisteredModel, version: Version) -> None:
        self._workspace = workspace
        self._artifacts = workspace.artifacts
        self._registry = workspace.world.registry
        self._model = model
        self._version = version
        self._key = (model.number, version.number)

    async def take(self, takes: Callable[[tuple[int, str]], Awaitable[Tree]]) -> Version:
        """Have a tree of the version's files, and finish by what it says."""
        try:
            tree = await takes(self._key)
            facts = await asyncio.to_thread(read_model, tree.folder, tree.digest)
        except Rejected as rejected:
            return self.fail(ga_texts.describe(rejected)[1])
        except (UnreadableModel, OSError) as error:
            return self.fail(f"The model cannot be read: {error}.")
        except BaseException:
            with suppress(Rejected):
                self.fail(INTERRUPTED)
            raise
        return self._finish(facts.of(ModelVersion(self._model.name, self._version.number, "mlflow", str(tree.folder))))

    def copy(self, another: Another) -> Version:
        """Finish as another version did, with its files."""
        answers = another.version.model
        if answers is None:
            return self.fail(INTERRUPTED)
        other = (another.model.number, another.version.number)
        if self._artifacts.files(other):  # what was named when the server started lies where it lay
            self._artifacts.share(self._key, other)
        return self._finish(replace(answers, name=self._model.name, version=self._version.number))

    def fail(self, why: str) -> Version:
        """Finish without anybody who answers, unless a stub does for what is not known."""
        if self._workspace.settings.unknown_models == "stub":
            return self._finish(unknown(self._model.name, self._version.number))
        return self._finish(None, why)

    def _finish(self, model: ModelVersion | None, error: str = "") -> Version:
        if not self._is_there():
            self._artifacts.forget(self._key)
            raise self._workspace.world.registry.missing(self._model.name, self._version.number)
        if model is None and self._version.status is Status.PENDING:  # else another call has finished it
            self._artifacts.forget(self._key)
        command = FinishRegistration(self._model.name, self._version.number, model, error)
        version: Version = self._workspace.clock.execute(command)
        return version

    def _is_there(self) -> bool:
        model = self._registry.models.get(self._model.name)
        here = self._workspace.world.registry is self._registry and model is self._model
        return here and self._model.versions.get(self._version.number) is self._version
