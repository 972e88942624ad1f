"""Registered models and their versions: how they come, change and go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from servesim.core import model_endpoints, model_rollout
from servesim.core import model_rules as rules
from servesim.core.access import grantee_of
from servesim.core.commands import Alarm, Due
from servesim.core.errors import Code, Rejected
from servesim.core.model_access import TRANSITIONS, ModelLevel, require
from servesim.core.registry import ACTIVE, NOBODY, NOTHING, Stage, Status, Version, in_unity_catalog

if TYPE_CHECKING:
    from servesim.core.access import Principal
    from servesim.core.model_commands import (
        AddModel,
        CreateModelVersion,
        CreateRegisteredModel,
        DeleteModelVersion,
        DeleteRegisteredModel,
        FinishRegistration,
        SetAlias,
        TagModel,
        TransitionStage,
        UpdateModelVersion,
        UpdateRegisteredModel,
    )
    from servesim.core.registry import RegisteredModel
    from servesim.core.workspace import Workspace


# --- models ---------------------------------------------------------------------------------------


def add(world: Workspace, command: AddModel) -> None:
    """Register a version that was declared or imported."""
    world.registry.add(command.model, world.timeline.now, command.details)
    world.note("model added", "", command.model.name, command.model.version)
    model_rollout.follow(world, world.registry.model(command.model.name))


def create_model(world: Workspace, command: CreateRegisteredModel) -> RegisteredModel:
    """Make a model; raise MODEL_NAME_INVALID, MODEL_EXISTS, MODEL_LIMIT, MODEL_TAG_INVALID or BAD_FIELD."""
    rules.check_name(command.name)
    rules.check_text("description", command.description)
    tags = rules.checked_tags(command.tags)
    if command.name in world.registry.models:
        raise Rejected(Code.MODEL_EXISTS, model=command.name)
    _check_room(world)
    model = world.registry.create(command.name, world.timeline.now)
    model.creator, model.description, model.tags = command.principal, command.description, tags
    model.acl = {grantee_of(command.principal): ModelLevel.CAN_MANAGE} if command.principal else NOBODY
    _note(world, "registered model created", command.principal, command.name)
    return model


def update_model(world: Workspace, command: UpdateRegisteredModel) -> RegisteredModel:
    """Change a model; raise MODEL_MISSING, MODEL_NOT_PERMITTED, MODEL_NAME_INVALID, MODEL_EXISTS or BAD_FIELD."""
    model = world.registry.model(command.name)
    needed = ModelLevel.CAN_EDIT if command.new_name is None and command.owner is None else ModelLevel.CAN_MANAGE
    require(world, command.principal, model, needed)
    rules.check_text("description", command.description)
    owner = model.creator if command.owner is None else _member(world, command.owner)
    if command.new_name is not None and command.new_name != model.name:
        _rename(world, model, command.new_name)
    if command.description is not None:
        model.description = command.description
    model.creator = owner
    world.registry.touch(model, world.timeline.now)
    _note(world, "registered model changed", command.principal, model.name)
    return model


def _rename(world: Workspace, model: RegisteredModel, name: str) -> None:
    """Give a model another name; the versions that serve keep the one that they were deployed under."""
    rules.check_name(name)
    if in_unity_catalog(name) != in_unity_catalog(model.name):
        raise Rejected(Code.MODEL_NAME_INVALID, model=name, why="a model stays in the registry that it was made in")
    if name in world.registry.models:
        raise Rejected(Code.MODEL_EXISTS, model=name)
    models, restricted = world.registry.models, world.registry.restricted
    before = model.name
    del models[before]
    if model.name in restricted:
        restricted[name] = restricted.pop(model.name)
    model.name = name
    models[name] = model
    for version in model.versions.values():
        if version.model is not None:
            version.model = replace(version.model, name=name)
    model_rollout.rename(world, before, name)


def delete_model(world: Workspace, command: DeleteRegisteredModel) -> RegisteredModel:
    """Delete a model with its versions; raise MODEL_MISSING, MODEL_NOT_PERMITTED or VERSION_ACTIVE."""
    model = world.registry.model(command.name)
    require(world, command.principal, model, ModelLevel.CAN_MANAGE)
    for version in model.versions.values():
        _check_inactive(model, version)
    model_endpoints.forget(world, model)
    del world.registry.models[model.name]
    world.registry.restricted.pop(model.name, None)
    world.registry.touch(model, world.timeline.now)
    _note(world, "registered model deleted", command.principal, model.name)
    return model


def tag(world: Workspace, command: TagModel) -> None:
    """Set a tag or take it away; raise MODEL_MISSING, VERSION_MISSING, MODEL_NOT_PERMITTED, MODEL_TAG_INVALID."""
    model = world.registry.model(command.name)
    require(world, command.principal, model, ModelLevel.CAN_EDIT)
    holder = model if command.version is None else world.registry.version(command.name, command.version)
    tags = dict(holder.tags)
    if command.value is None:
        tags.pop(command.key, None)
    else:
        tags |= rules.checked_tags(((command.key, command.value),))
    rules.check_tag_count("key", len(tags))
    holder.tags = tags or NOTHING
    if isinstance(holder, Version):
        holder.updated = world.timeline.now
    world.registry.touch(model, world.timeline.now)
    _note(world, "model tags changed", command.principal, _full(command.name, command.version))


def set_alias(world: Workspace, command: SetAlias) -> None:
    """Let an alias name a version, or nothing any more; no endpoint changes by it.

    Raise MODEL_MISSING, VERSION_MISSING, MODEL_NOT_PERMITTED, ALIAS_INVALID or BAD_FIELD.
    """
    model = world.registry.model(command.name)
    require(world, command.principal, model, ModelLevel.CAN_EDIT)
    rules.check_alias(command.alias)
    aliases = dict(model.aliases)
    if command.version is None:
        aliases.pop(command.alias, None)
    else:
        world.registry.version(command.name, command.version)
        aliases[command.alias] = command.version
    rules.check_alias_count(len(aliases))
    model.aliases = aliases or NOTHING
    world.registry.touch(model, world.timeline.now)
    _note(world, "alias changed", command.principal, f"{command.name}@{command.alias} {command.version or 'removed'}")


# --- versions -------------------------------------------------------------------------------------


def create_version(world: Workspace, command: CreateModelVersion) -> Version:
    """Begin to register a version.

    Raise MODEL_MISSING, MODEL_NOT_PERMITTED, MODEL_LIMIT, MODEL_TAG_INVALID or BAD_FIELD.
    """
    model = world.registry.model(command.name)
    require(world, command.principal, model, ModelLevel.CAN_EDIT)
    for name in ("source", "run_id", "run_link", "model_id", "description"):
        rules.check_text(name, getattr(command, name))
    tags = rules.checked_tags(command.tags)
    if len(model.versions) >= world.profile.model_version_limit:
        what = f"versions of registered model '{model.name}'"
        raise Rejected(Code.MODEL_LIMIT, what=what, limit=world.profile.model_version_limit)
    now = world.timeline.now
    number = world.registry.next_version(model.name)
    model.newest = int(number)
    version = model.versions[number] = Version(
        number,
        None,
        now,
        now,
        creator=command.principal,
        status=Status.PENDING,
        description=command.description,
        tags=tags,
        run_id=command.run_id,
        run_link=command.run_link,
        model_id=command.model_id,
        source=command.source,
    )
    world.registry.touch(model, now)
    _note(world, "model version created", command.principal, _full(model.name, number))
    return version


def finish(world: Workspace, command: FinishRegistration) -> Version:
    """Take the outcome of reading a version's artifacts; raise MODEL_MISSING or VERSION_MISSING.

    One that brings its environment is ready once that is staged; one that is finished already stays as it is.
    """
    version = world.registry.version(command.name, command.version)
    if version.status is not Status.PENDING or version.due:
        return version
    model = world.registry.model(command.name)
    version.model = command.model
    if command.model is not None and command.model.packed is not None:
        stream = world.draws.stream("staging", world.registry.id_of(model))
        delay = stream.between(int(version.number), *world.profile.staging_ms)
        version.due = world.timeline.now + delay
        world.timeline.schedule(delay, Due(Alarm.REGISTERED, str(model.number), version.number))
        _change(world, model, version)
    else:
        _finished(world, model, version, command.error)
    return version


def registered(world: Workspace, due: Due) -> None:
    """Let a version be ready whose environment has been staged, if it is still there."""
    for model in world.registry.models.values():
        if str(model.number) == due.endpoint_id:
            version = model.versions.get(due.deployment_id)
            if version is not None and version.due:
                version.due = 0
                _finished(world, model, version, "")


def _finished(world: Workspace, model: RegisteredModel, version: Version, error: str) -> None:
    version.status = Status.FAILED if version.model is None else Status.READY
    version.status_message = error
    _change(world, model, version)
    what = "model version failed" if version.model is None else "model version registered"
    world.note(what, "", _full(model.name, version.number), error)
    model_rollout.follow(world, model)


def update_version(world: Workspace, command: UpdateModelVersion) -> Version:
    """Change a version's description; raise MODEL_MISSING, VERSION_MISSING, MODEL_NOT_PERMITTED or BAD_FIELD."""
    model = world.registry.model(command.name)
    require(world, command.principal, model, ModelLevel.CAN_EDIT)
    version = world.registry.version(command.name, command.version)
    rules.check_text("description", command.description)
    if command.description is not None:
        version.description = command.description
    _change(world, model, version)
    _note(world, "model version changed", command.principal, _full(model.name, version.number))
    return version


def delete_version(world: Workspace, command: DeleteModelVersion) -> Version:
    """Delete a version and its aliases.

    Raise MODEL_MISSING, VERSION_MISSING, MODEL_NOT_PERMITTED or VERSION_ACTIVE.
    """
    model = world.registry.model(command.name)
    require(world, command.principal, model, ModelLevel.CAN_MANAGE)
    version = world.registry.version(command.name, command.version)
    _check_inactive(model, version)
    del model.versions[version.number]
    model.aliases = {alias: number for alias, number in model.aliases.items() if number != version.number} or NOTHING
    world.registry.touch(model, world.timeline.now)
    _note(world, "model version deleted", command.principal, _full(model.name, version.number))
    model_rollout.follow(world, model)
    return version


def transition(world: Workspace, command: TransitionStage) -> Version:
    """Move a version to a stage, and the others there to Archived if that was asked for.

    Raise STAGE_IN_UC, MODEL_MISSING, VERSION_MISSING, MODEL_NOT_PERMITTED, ARCHIVE_INACTIVE or BAD_FIELD. No GA
    endpoint changes by it: documented.
    """
    if in_unity_catalog(command.name):
        raise Rejected(Code.STAGE_IN_UC, model=command.name)
    model = world.registry.model(command.name)
    found = model.versions.get(command.version)
    left = found.stage if found else Stage.NONE
    require(world, command.principal, model, max(TRANSITIONS[left], TRANSITIONS[command.stage]))
    version = world.registry.version(command.name, command.version)
    rules.check_text("comment", command.comment)
    if command.archive_existing and command.stage not in ACTIVE:
        raise Rejected(Code.ARCHIVE_INACTIVE, stage=str(command.stage))
    others = [one for one in model.versions.values() if one.stage is command.stage and one is not version]
    for other in others if command.archive_existing else ():
        other.stage = Stage.ARCHIVED
        _change(world, model, other)
        world.note("model version archived", "", _full(model.name, other.number), "")
    version.stage = command.stage
    _change(world, model, version)
    subject = f"{_full(model.name, version.number)} {command.stage}"
    _note(world, "model version moved", command.principal, subject)
    model_rollout.follow(world, model)
    return version


# --- checks ---------------------------------------------------------------------------------------


def _change(world: Workspace, model: RegisteredModel, version: Version) -> None:
    version.updated = world.timeline.now
    world.registry.touch(model, world.timeline.now)


def _check_inactive(model: RegisteredModel, version: Version) -> None:
    """Raise VERSION_ACTIVE for a version in a stage that it cannot be deleted from: documented."""
    if version.stage in ACTIVE:
        raise Rejected(Code.VERSION_ACTIVE, model=model.name, version=version.number, stage=str(version.stage))


def _check_room(world: Workspace) -> None:
    limit = world.profile.registered_model_limit
    if len(world.registry.models) >= limit:
        raise Rejected(Code.MODEL_LIMIT, what="registered models", limit=limit)


def _member(world: Workspace, name: str) -> Principal:
    member = world.directory.find(name)
    if member is None:
        raise Rejected(Code.BAD_FIELD, field="owner", expected="a principal of this workspace", got=name)
    return member.principal


def _full(name: str, version: str | None) -> str:
    return name if version is None else f"{name}/{version}"


def _note(world: Workspace, what: str, principal: Principal | None, subject: str) -> None:
    world.note(what, "", principal.name if principal else "", subject)
