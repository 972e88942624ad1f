"""The Secrets API: names and permissions are the world's, values go into the vault and appear in no answer."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from servesim.core.commands import CreateScope, DeleteScope, DeleteSecret, DeleteSecretAcl, PutSecret, PutSecretAcl
from servesim.core.errors import Code, Rejected
from servesim.core.secrets import Access, access_of, require
from servesim.generations.fields import Fields
from servesim.http.calls import not_simulated
from servesim.http.reply import Reply, encode

if TYPE_CHECKING:
    from servesim.core.commands import Command
    from servesim.http.calls import Call

_BACKEND = "DATABRICKS"
_LEVELS = tuple(level.name for level in Access)


async def create_scope(call: Call) -> Reply:
    """Make a scope; raise Rejected."""
    fields = await _body(call)
    backend = fields.text("scope_backend_type", _BACKEND)
    if backend != _BACKEND:
        raise fields.bad("scope_backend_type", f"{_BACKEND}, the only backend that servesim simulates")
    manager = fields.text("initial_manage_principal", "") or None
    return _done(call, CreateScope(fields.filled("scope"), call.session.principal, manager))


async def delete_scope(call: Call) -> Reply:
    """Delete a scope and the values in it; raise Rejected."""
    scope = (await _body(call)).filled("scope")
    reply = _done(call, DeleteScope(scope, call.session.principal))
    call.session.workspace.vault.delete(scope)
    return reply


async def list_scopes(call: Call) -> Reply:
    """List the scopes that the caller may read."""
    world = call.session.workspace.world
    name = call.session.principal.name
    mine = (scope for _, scope in sorted(world.secrets.items()) if access_of(world, name, scope))
    return _listed("scopes", [{"name": scope.name, "backend_type": _BACKEND} for scope in mine])


async def put(call: Call) -> Reply:
    """Keep a secret; raise Rejected."""
    fields = await _body(call)
    scope, key, value = fields.filled("scope"), fields.filled("key"), _value(fields)
    vault = call.session.workspace.vault
    vault.check(scope, key, value)
    reply = _done(call, PutSecret(scope, key, call.session.principal))
    vault.put(scope, key, value)
    return reply


async def delete(call: Call) -> Reply:
    """Delete a secret; raise Rejected."""
    fields = await _body(call)
    scope, key = fields.filled("scope"), fields.filled("key")
    reply = _done(call, DeleteSecret(scope, key, call.session.principal))
    call.session.workspace.vault.delete(scope, key)
    return reply


async def list_secrets(call: Call) -> Reply:
    """List the keys of a scope; raise Rejected."""
    scope = require(call.session.workspace.world, call.session.principal, _asked(call, "scope"), Access.READ)
    keys = sorted(scope.keys.items())
    return _listed("secrets", [{"key": key, "last_updated_timestamp": instant} for key, instant in keys])


async def get(call: Call) -> Reply:
    """Refuse to show a value: the real service shows it to notebooks alone."""
    advice = (
        "A secret's value appears in no answer of servesim. Give it to a served entity instead: "
        'environment_vars {"NAME": "{{secrets/<scope>/<key>}}"}.'
    )
    raise not_simulated(call.request, call.session, advice)


async def put_acl(call: Call) -> Reply:
    """Give somebody a level on a scope; raise Rejected."""
    fields = await _body(call)
    access = fields.choice("permission", _LEVELS, "")
    if not access:
        raise fields.bad("permission", f"one of {', '.join(_LEVELS)}")
    command = PutSecretAcl(fields.filled("scope"), call.session.principal, fields.filled("principal"), access)
    return _done(call, command)


async def delete_acl(call: Call) -> Reply:
    """Take a level on a scope back; raise Rejected."""
    fields = await _body(call)
    return _done(call, DeleteSecretAcl(fields.filled("scope"), call.session.principal, fields.filled("principal")))


async def get_acl(call: Call) -> Reply:
    """Answer what one user or group was given on a scope; raise Rejected."""
    scope = require(call.session.workspace.world, call.session.principal, _asked(call, "scope"), Access.MANAGE)
    grantee = _asked(call, "principal")
    if grantee not in scope.acl:
        raise Rejected(Code.SECRET_ACL_MISSING, scope=scope.name, grantee=grantee)
    return Reply(200, encode(_item(grantee, scope.acl[grantee])), grade="documented")


async def list_acls(call: Call) -> Reply:
    """List what was given on a scope; raise Rejected."""
    scope = require(call.session.workspace.world, call.session.principal, _asked(call, "scope"), Access.MANAGE)
    return _listed("items", [_item(grantee, access) for grantee, access in sorted(scope.acl.items())])


async def _body(call: Call) -> Fields:
    return Fields(await call.json())


def _asked(call: Call, name: str) -> str:
    return Fields({name: call.request.query.get(name)}).filled(name)


def _value(fields: Fields) -> bytes:
    """Read the value of a secret; what is wrong with it is said without it."""
    sent = [name for name in ("string_value", "bytes_value") if fields.has(name)]
    if len(sent) != 1:
        got = " and ".join(sent) or "neither"
        expected = "exactly one of string_value and bytes_value"
        raise Rejected(Code.BAD_FIELD, field="string_value", expected=expected, got=got)
    value: Any = fields.values[sent[0]]
    if not isinstance(value, str):
        raise Rejected(Code.BAD_FIELD, field=sent[0], expected="a string", got="something else")
    try:
        if sent[0] == "bytes_value":
            return base64.b64decode(value, validate=True)
        return value.encode()
    except (binascii.Error, ValueError):
        expected = "Base64" if sent[0] == "bytes_value" else "text that UTF-8 can write"
        raise Rejected(Code.BAD_FIELD, field=sent[0], expected=expected, got="something else") from None


def _done(call: Call, command: Command) -> Reply:
    call.session.workspace.clock.execute(command)
    return Reply(200, encode({}), grade="documented")


def _listed(name: str, items: list[dict[str, Any]]) -> Reply:
    return Reply(200, encode({name: items} if items else {}), grade="documented")


def _item(grantee: str, access: Access) -> dict[str, str]:
    return {"principal": grantee, "permission": access.name}
