"""Secret scopes: which keys they have and who may do what with them; the values are kept outside the world."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from servesim.core.access import USERS
from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servesim.core.access import Principal
    from servesim.core.commands import (
        CreateScope,
        DeleteScope,
        DeleteSecret,
        DeleteSecretAcl,
        PutSecret,
        PutSecretAcl,
    )
    from servesim.core.workspace import Workspace

SCOPE_LIMIT = 1_000
"""Scopes of a workspace: documented, once as 100."""
SECRET_LIMIT = 1_000
"""Secrets of a scope: documented."""
ACL_LIMIT = 1_000
"""Grants on a scope: ours, no limit is published."""

_NAME = re.compile(r"[\w.\-]{1,128}", re.ASCII)
_NAME_RULE = "1 to 128 letters, digits, dashes, underscores and periods"
_REFERENCE = re.compile(r"\{\{secrets/([\w.\-]{1,128})/([\w.\-]{1,128})\}\}", re.ASCII)


class Access(IntEnum):
    """What somebody may do with a scope; each level includes the ones below it."""

    READ = 1
    WRITE = 2
    MANAGE = 3


@dataclass(slots=True, eq=False)
class Scope:
    """A scope: its keys with the instant of their last change, and its grants by name of user or group."""

    name: str
    keys: dict[str, int] = field(default_factory=dict)
    acl: dict[str, Access] = field(default_factory=dict)


class Reference(NamedTuple):
    """What ``{{secrets/scope/key}}`` refers to."""

    scope: str
    key: str


# --- commands -------------------------------------------------------------------------------------


def create_scope(world: Workspace, command: CreateScope) -> None:
    """Make an empty scope that its maker manages, or all users; raise SCOPE_EXISTS, SCOPE_LIMIT or BAD_FIELD."""
    _check_name("scope", command.scope)
    if command.manager not in {None, USERS}:
        raise Rejected(
            Code.BAD_FIELD,
            field="initial_manage_principal",
            expected="left out, or the group 'users'",
            got=command.manager,
        )
    if command.scope in world.secrets:
        raise Rejected(Code.SCOPE_EXISTS, scope=command.scope)
    if len(world.secrets) >= SCOPE_LIMIT:
        raise Rejected(Code.SCOPE_LIMIT, limit=SCOPE_LIMIT)
    scope = world.secrets[command.scope] = Scope(command.scope)
    manager = command.manager or (command.principal and command.principal.name)
    if manager:
        scope.acl[manager] = Access.MANAGE
    _note(world, "secret scope created", command.principal, command.scope)


def delete_scope(world: Workspace, command: DeleteScope) -> None:
    """Delete a scope with everything in it; raise SCOPE_MISSING or SCOPE_DENIED."""
    require(world, command.principal, command.scope, Access.MANAGE)
    del world.secrets[command.scope]
    _note(world, "secret scope deleted", command.principal, command.scope)


def put_secret(world: Workspace, command: PutSecret) -> None:
    """Add or change a key; raise SCOPE_MISSING, SCOPE_DENIED, SECRET_LIMIT or BAD_FIELD."""
    scope = require(world, command.principal, command.scope, Access.WRITE)
    _check_name("key", command.key)
    if command.key not in scope.keys and len(scope.keys) >= SECRET_LIMIT:
        raise Rejected(Code.SECRET_LIMIT, scope=scope.name, limit=SECRET_LIMIT)
    scope.keys[command.key] = world.timeline.now
    _note(world, "secret put", command.principal, f"{scope.name}/{command.key}")


def delete_secret(world: Workspace, command: DeleteSecret) -> None:
    """Take a key away; raise SCOPE_MISSING, SCOPE_DENIED or SECRET_MISSING."""
    scope = require(world, command.principal, command.scope, Access.WRITE)
    if scope.keys.pop(command.key, None) is None:
        raise Rejected(Code.SECRET_MISSING, scope=scope.name, key=command.key)
    _note(world, "secret deleted", command.principal, f"{scope.name}/{command.key}")


def put_acl(world: Workspace, command: PutSecretAcl) -> None:
    """Give a user or group a level; raise SCOPE_MISSING, SCOPE_DENIED or BAD_FIELD."""
    scope = require(world, command.principal, command.scope, Access.MANAGE)
    known = world.directory.find(command.grantee) is not None or command.grantee in world.directory.groups()
    if not known or (command.grantee not in scope.acl and len(scope.acl) >= ACL_LIMIT):
        expected = "a user, service principal or group of this workspace"
        raise Rejected(Code.BAD_FIELD, field="principal", expected=expected, got=command.grantee)
    scope.acl[command.grantee] = Access[command.access]
    _note(world, "secret permission put", command.principal, f"{scope.name} {command.grantee} {command.access}")


def delete_acl(world: Workspace, command: DeleteSecretAcl) -> None:
    """Take a grant away; raise SCOPE_MISSING, SCOPE_DENIED or SECRET_ACL_MISSING."""
    scope = require(world, command.principal, command.scope, Access.MANAGE)
    if scope.acl.pop(command.grantee, None) is None:
        raise Rejected(Code.SECRET_ACL_MISSING, scope=scope.name, grantee=command.grantee)
    _note(world, "secret permission deleted", command.principal, f"{scope.name} {command.grantee}")


# --- questions ------------------------------------------------------------------------------------


def require(world: Workspace, principal: Principal | None, scope: str, access: Access) -> Scope:
    """Return a scope that a principal may use so; raise SCOPE_MISSING or SCOPE_DENIED. None is servesim itself."""
    found = world.secrets.get(scope)
    if found is None:
        raise Rejected(Code.SCOPE_MISSING, scope=scope)
    if principal is not None and access_of(world, principal.name, found) < access:
        raise Rejected(Code.SCOPE_DENIED, scope=scope, access=access.name, principal=principal.name)
    return found


def access_of(world: Workspace, name: str, scope: Scope) -> int:
    """Return the highest level that a member has by itself or by a group; 0 for none."""
    if world.directory.is_open:
        return Access.MANAGE
    member = world.directory.find(name)
    if member is None:
        return 0
    if member.is_admin:
        return Access.MANAGE
    return max((scope.acl.get(one, 0) for one in world.directory.names(name)), default=0)


def reference(value: str) -> Reference | None:
    """Return what the value of an environment variable refers to; None for a plain value."""
    found = _REFERENCE.fullmatch(value)
    return Reference(found[1], found[2]) if found else None


def missing(world: Workspace, principal: Principal | None, environment: Iterable[tuple[str, str]]) -> str | None:
    """Say which secret of an environment a principal cannot have, by scope and key; None if there is none."""
    for variable, value in environment:
        if not (value.startswith("{{secrets/") and value.endswith("}}")):
            continue
        named = reference(value)
        head = f"environment variable '{variable}'"
        if named is None:
            return f"{head} is no reference to a secret: write {{{{secrets/<scope>/<key>}}}}"
        scope = world.secrets.get(named.scope)
        if scope is None:
            return f"{head} needs secret '{named.key}' of scope '{named.scope}': there is no such scope"
        if principal is not None and access_of(world, principal.name, scope) < Access.READ:
            return (
                f"{head} needs secret '{named.key}' of scope '{named.scope}': "
                f"{principal.name}, who created the served entity, has no READ permission on the scope"
            )
        if named.key not in scope.keys:
            return f"{head} needs secret '{named.key}' of scope '{named.scope}': the scope has no such key"
    return None


def _check_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Rejected(Code.BAD_FIELD, field=what, expected=_NAME_RULE, got=name)


def _note(world: Workspace, what: str, principal: Principal | None, subject: str) -> None:
    world.note(what, "", principal.name if principal else "", subject)
