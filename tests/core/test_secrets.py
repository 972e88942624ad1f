"""Scopes, keys and who may do what with them: a value is nowhere in the world."""

from __future__ import annotations

import re

import pytest

from servesim.core import secrets
from servesim.core.access import Member, Principal
from servesim.core.commands import (
    CreateScope,
    DeleteScope,
    DeleteSecret,
    DeleteSecretAcl,
    PutMember,
    PutSecret,
    PutSecretAcl,
    RemoveMember,
)
from servesim.core.errors import Code, Rejected
from servesim.core.workspace import Workspace

ADMIN, OWNER, OTHER = (Principal(name) for name in ("admin", "owner", "other"))


@pytest.fixture
def world():
    """Give a world with a scope that OWNER made and one key in it."""
    world = Workspace()
    world.execute(PutMember(Member(ADMIN, ("admins",))))
    world.execute(PutMember(Member(OWNER)))
    world.execute(PutMember(Member(OTHER, ("team",))))
    world.execute(CreateScope("s", OWNER))
    world.execute(PutSecret("s", "k", OWNER))
    return world


def refused(world, command):
    """Return why a command is refused, once it is seen that nothing has changed."""
    before = state(world)
    with pytest.raises(Rejected) as refusal:
        world.execute(command)
    assert state(world) == before
    return refusal.value.code


def state(world):
    return {name: (dict(scope.keys), dict(scope.acl)) for name, scope in world.secrets.items()}, len(world.log)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (CreateScope("s", OTHER), Code.SCOPE_EXISTS),
        (CreateScope("", OTHER), Code.BAD_FIELD),
        (CreateScope("a b", OTHER), Code.BAD_FIELD),
        (CreateScope("a/b", OTHER), Code.BAD_FIELD),
        (CreateScope("x" * 129, OTHER), Code.BAD_FIELD),
        (CreateScope("é", OTHER), Code.BAD_FIELD),
        (CreateScope("t", OTHER, "somebody"), Code.BAD_FIELD),
        (DeleteScope("none", OWNER), Code.SCOPE_MISSING),
        (DeleteScope("s", OTHER), Code.SCOPE_DENIED),
        (PutSecret("none", "k", OWNER), Code.SCOPE_MISSING),
        (PutSecret("s", "k", OTHER), Code.SCOPE_DENIED),
        (PutSecret("s", "a b", OWNER), Code.BAD_FIELD),
        (DeleteSecret("s", "none", OWNER), Code.SECRET_MISSING),
        (DeleteSecret("s", "k", OTHER), Code.SCOPE_DENIED),
        (PutSecretAcl("s", OTHER, "other", "READ"), Code.SCOPE_DENIED),
        (PutSecretAcl("s", OWNER, "nobody", "READ"), Code.BAD_FIELD),
        (DeleteSecretAcl("s", OWNER, "other"), Code.SECRET_ACL_MISSING),
        (DeleteSecretAcl("s", OTHER, "owner"), Code.SCOPE_DENIED),
    ],
    ids=repr,
)
def test_what_is_refused_changes_nothing(world, command, code):
    assert refused(world, command) is code


def test_limits(world, monkeypatch):
    monkeypatch.setattr(secrets, "SCOPE_LIMIT", 1)
    monkeypatch.setattr(secrets, "SECRET_LIMIT", 1)
    monkeypatch.setattr(secrets, "ACL_LIMIT", 1)
    assert refused(world, CreateScope("t", OWNER)) is Code.SCOPE_LIMIT
    assert refused(world, PutSecret("s", "l", OWNER)) is Code.SECRET_LIMIT
    world.execute(PutSecret("s", "k", OWNER))  # one that is there may change
    assert refused(world, PutSecretAcl("s", OWNER, "other", "READ")) is Code.BAD_FIELD


@pytest.mark.parametrize(
    ("principal", "access"),
    [(OWNER, "MANAGE"), (ADMIN, "MANAGE"), (OTHER, None), (Principal("stranger"), None), (None, "MANAGE")],
    ids=str,
)
def test_the_maker_and_admins_manage_a_scope(world, principal, access):
    if access:
        secrets.require(world, principal, "s", secrets.Access[access])
    else:
        with pytest.raises(Rejected) as refusal:
            secrets.require(world, principal, "s", secrets.Access.READ)
        assert refusal.value.code is Code.SCOPE_DENIED


@pytest.mark.parametrize("grantee", ["other", "team", "users"])
def test_a_grant_to_a_user_or_to_one_of_its_groups_counts(world, grantee):
    world.execute(PutSecretAcl("s", OWNER, grantee, "WRITE"))
    world.execute(PutSecret("s", "mine", OTHER))
    assert refused(world, DeleteScope("s", OTHER)) is Code.SCOPE_DENIED
    world.execute(DeleteSecretAcl("s", OWNER, grantee))
    assert refused(world, PutSecret("s", "mine", OTHER)) is Code.SCOPE_DENIED


def test_a_scope_can_begin_with_everybody_as_its_manager(world):
    world.execute(CreateScope("open", OWNER, "users"))
    assert world.secrets["open"].acl == {"users": secrets.Access.MANAGE}
    world.execute(DeleteScope("open", OTHER))


# --- references -----------------------------------------------------------------------------------


def test_who_has_everything_misses_nothing(world):
    assert secrets.missing(world, OWNER, (("A", "{{secrets/s/k}}"), ("B", "plain"), ("C", "{{secrets/"))) is None
    assert secrets.missing(world, None, (("A", "{{secrets/s/k}}"),)) is None


@pytest.mark.parametrize(
    ("principal", "value", "said"),
    [
        (OWNER, "{{secrets/none/k}}", "needs secret 'k' of scope 'none': there is no such scope"),
        (OWNER, "{{secrets/s/none}}", "needs secret 'none' of scope 's': the scope has no such key"),
        (OTHER, "{{secrets/s/k}}", "needs secret 'k' of scope 's': other, who created .* no READ permission"),
        (OTHER, "{{secrets/s/none}}", "no READ permission"),  # nor does it learn which keys there are
        (OWNER, "{{secrets/s}}", "is no reference to a secret: write {{secrets/<scope>/<key>}}"),
        (OWNER, "{{secrets/s/a b}}", "is no reference to a secret"),
    ],
)
def test_what_is_missing_is_named_by_scope_and_key(world, principal, value, said):
    fine = "{{secrets/s/k}}" if principal is OWNER else "plain"
    found = secrets.missing(world, principal, (("FINE", fine), ("A", value)))
    assert found is not None
    assert found.startswith("environment variable 'A' ")
    assert re.search(said.replace("{{", r"\{\{"), found)


def test_rights_that_were_lost_are_lost_for_the_next_deployment(world):
    world.execute(PutSecretAcl("s", OWNER, "other", "READ"))
    assert secrets.missing(world, OTHER, (("A", "{{secrets/s/k}}"),)) is None
    world.execute(RemoveMember("other"))
    assert secrets.missing(world, OTHER, (("A", "{{secrets/s/k}}"),)) is not None


def test_the_event_log_says_who_did_what(world):
    world.execute(DeleteSecret("s", "k", ADMIN))
    assert [(line.what, line.subject, line.detail) for line in world.log][-3:] == [
        ("secret scope created", "owner", "s"),
        ("secret put", "owner", "s/k"),
        ("secret deleted", "admin", "s/k"),
    ]
