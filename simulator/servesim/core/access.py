"""Who calls, which groups they are in, and what was granted to them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ADMINS = "admins"
"""The group whose members may do everything."""
USERS = "users"
"""The group that everybody is in."""
GRANT_LIMIT = 1_000
"""Grantees of an endpoint or a model: ours, no limit is published."""

_L = TypeVar("_L", bound=IntEnum)


@dataclass(frozen=True, slots=True)
class Principal:
    """A user, or a service principal named by its application id."""

    name: str
    display_name: str = ""
    kind: str = "User"
    """``User`` or ``ServicePrincipal``: the two values of ``creator_kind``."""


@dataclass(frozen=True, slots=True)
class Member:
    """A principal of a workspace, with its groups and entitlements."""

    principal: Principal
    groups: tuple[str, ...] = ()
    entitlements: tuple[str, ...] = ()

    @property
    def is_admin(self) -> bool:
        """Whether it may do everything."""
        return ADMINS in self.groups


class Level(IntEnum):
    """What somebody may do with an endpoint; each level includes the ones below it."""

    CAN_VIEW = 1
    CAN_QUERY = 2
    CAN_MANAGE = 3


class Grantee(NamedTuple):
    """Whom a permission is given to."""

    kind: str
    """``user``, ``group`` or ``service_principal``."""
    name: str


Grants = tuple[tuple[Grantee, Level], ...]


def grantee_of(principal: Principal) -> Grantee:
    """Return a principal as a permission names it."""
    return Grantee("user" if principal.kind == "User" else "service_principal", principal.name)


def granted(before: Mapping[Grantee, _L], grants: Iterable[tuple[Grantee, _L]], *, replace: bool) -> dict[Grantee, _L]:
    """Return what is granted once some grants have replaced those before, or were added to them; raise BAD_FIELD.

    Of two grants to one grantee the later counts: chosen.
    """
    acl = {**({} if replace else before), **dict(grants)}
    if len(acl) > GRANT_LIMIT:
        expected = f"{GRANT_LIMIT} grantees at most"
        raise Rejected(Code.BAD_FIELD, field="access_control_list", expected=expected, got=len(acl))
    return acl


def given(member: Member, grants: Iterable[tuple[Grantee, _L]]) -> _L | None:
    """Return the highest level that some grants give a member, itself or by its groups; None for no right at all."""
    # As the workspace knows it: a token may have been made before it changed its kind.
    own = grantee_of(member.principal)
    groups = {USERS, *member.groups}
    levels = (
        level for grantee, level in grants if grantee == own or (grantee.kind == "group" and grantee.name in groups)
    )
    return max(levels, default=None)


@lru_cache(maxsize=1_000)
def own_acl(principal: Principal) -> Mapping[Grantee, Level]:
    """Return what an endpoint grants at first: everything to its creator, the same object for all that it creates."""
    return MappingProxyType({grantee_of(principal): Level.CAN_MANAGE})


class Directory:
    """The members of a workspace by name."""

    __slots__ = ("members", "revision")

    def __init__(self) -> None:
        """Start with nobody."""
        self.members: dict[str, Member] = {}
        self.revision = 0
        """Grows with every change: what was worked out before it may be wrong."""

    def put(self, member: Member) -> None:
        """Add a member, or replace what is known of it."""
        self.members[member.principal.name] = member
        self.revision += 1

    def remove(self, name: str) -> bool:
        """Forget a member; false if there was none."""
        if self.members.pop(name, None) is None:
            return False
        self.revision += 1
        return True

    @property
    def is_open(self) -> bool:
        """Whether nobody was ever a member: such a workspace belongs to nobody in particular."""
        return self.revision == 0

    def find(self, name: str) -> Member | None:
        """Return a member."""
        return self.members.get(name)

    def names(self, name: str) -> set[str]:
        """Return a member's own name and those of its groups; nobody is in the groups of a stranger."""
        member = self.members.get(name)
        return {name, USERS, *member.groups} if member else set()

    def groups(self) -> list[str]:
        """List the groups that somebody is in, and the two that always exist."""
        named = {group for member in self.members.values() for group in member.groups}
        return sorted(named | {ADMINS, USERS})

    def level(self, principal: Principal, grants: Iterable[tuple[Grantee, Level]]) -> Level | None:
        """Return the highest level that some grants give a principal; None for no right at all."""
        member = self.members.get(principal.name)
        if member is None:
            return None
        return Level.CAN_MANAGE if member.is_admin else given(member, grants)
