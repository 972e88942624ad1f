"""What a test sets up beside models and time: secrets, principals, and trouble to come; as operations, coroutines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.access import ADMINS, Member, Principal
from servesim.core.commands import CreateScope, DeleteSecret, PutSecret, RemoveFault
from servesim.core.faults import unused
from servesim.service.fault_rules import FAILED_MESSAGE, describe, order, words
from servesim.service.tokens import Client

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servesim.core.faults import Fault
    from servesim.service.hub import HostedWorkspace, Hub


class SecretOperations:
    """The secrets of a workspace; what they hold can be given to served entities and never be read."""

    def __init__(self, workspace: HostedWorkspace) -> None:
        """Hold on to a workspace."""
        self._workspace = workspace

    async def put(self, scope: str, key: str, value: str | bytes) -> None:
        """Keep a secret, in a new scope if there is none of that name; raise Rejected.

        A served entity gets it by ``environment_vars={"NAME": "{{secrets/scope/key}}"}``.
        """
        here, content = self._workspace, value.encode() if isinstance(value, str) else value
        here.vault.check(scope, key, content)
        if scope not in here.world.secrets:
            here.clock.execute(CreateScope(scope, None, None))
        here.clock.execute(PutSecret(scope, key, None))
        here.vault.put(scope, key, content)

    async def delete(self, scope: str, key: str) -> None:
        """Delete a secret; raise Rejected."""
        self._workspace.clock.execute(DeleteSecret(scope, key, None))
        self._workspace.vault.delete(scope, key)

    async def list(self) -> dict[str, list[str]]:
        """Return the keys of each scope."""
        return {name: sorted(scope.keys) for name, scope in self._workspace.world.secrets.items()}


class PrincipalOperations:
    """Who may call a workspace."""

    def __init__(self, hub: Hub, workspace: HostedWorkspace) -> None:
        """Hold on to a workspace of a hub."""
        self._hub = hub
        self._workspace = workspace

    async def add(
        self,
        user: str | None = None,
        *,
        service_principal: str | None = None,
        groups: Iterable[str] = (),
        entitlements: Iterable[str] = (),
        admin: bool = False,
        token: str | None = None,
        client_secret: str | None = None,
    ) -> str:
        """Add a user, or a service principal by its application id, and return a token for it; raise ValueError.

        With a ``client_secret`` a service principal can ask for access tokens by OAuth too. Whoever is added again
        has from now on what is said this time.
        """
        if (user is None) == (service_principal is None):
            raise ValueError("a principal is a user= or a service_principal=")
        if client_secret is not None and service_principal is None:
            raise ValueError("client_secret is for a service_principal=")
        name = str(user or service_principal)
        kind = "User" if service_principal is None else "ServicePrincipal"
        everywhere = dict.fromkeys((*((ADMINS,) if admin else ()), *groups))
        rights = tuple(one.replace("-", "_") for one in entitlements)
        member = Member(Principal(name, name.partition("@")[0], kind), tuple(everywhere), rights)
        given = self._hub.add_principal(self._workspace, member, token)
        if client_secret is not None:
            self._hub.add_client(self._workspace, Client(name, client_secret, member))
        return given

    async def remove(self, name: str) -> None:
        """Take a principal out of the workspace, its tokens end; raise Rejected if it is none."""
        self._hub.remove_principal(self._workspace, name)

    async def list(self) -> dict[str, list[str]]:
        """Return the groups of each principal."""
        members = self._workspace.world.directory.members
        return {name: list(member.groups) for name, member in members.items()}


class FaultOperations:
    """Trouble that is ordered: for deployments, scoring requests, and calls of the control plane."""

    def __init__(self, workspace: HostedWorkspace) -> None:
        """Hold on to a workspace."""
        self._workspace = workspace

    async def add(self, /, effect: str, **rule: Any) -> int:
        """Order a fault with the keys of a scenario's ``faults:`` and return its number; raise ValueError.

        Which: ``operation``, ``endpoint``, ``entity``, ``principal``; when: ``skip``, ``times``, ``after``, ``before``,
        ``share``; what: the ``effect`` with its own keys. See docs/faults.md.
        """
        return order(self._workspace, {"effect": effect, **rule})

    async def fail_next(
        self, message: str = FAILED_MESSAGE, *, endpoint: str | None = None, entity: str | None = None, times: int = 1
    ) -> int:
        """Let the next deployment that fits fail with a message; return the number of this order."""
        return await self.add("fail", message=message, endpoint=endpoint, entity=entity, times=times)

    async def delay_next(
        self, by: str | float, *, endpoint: str | None = None, entity: str | None = None, times: int = 1
    ) -> int:
        """Let the next deployment that fits take ``"20m"`` longer; return the number of this order."""
        return await self.add("delay", delay=by, endpoint=endpoint, entity=entity, times=times)

    async def hang_next(self, *, endpoint: str | None = None, entity: str | None = None, times: int = 1) -> int:
        """Let the next deployment that fits hang until it times out; return the number of this order."""
        return await self.add("hang", endpoint=endpoint, entity=entity, times=times)

    async def remove(self, number: int) -> None:
        """Take back an order that has not been used up; raise Rejected if there is none."""
        self._workspace.clock.execute(RemoveFault(number))

    async def report(self) -> list[dict[str, Any]]:
        """Return every order that was not taken back, the oldest first: what it does, ``matched`` and ``struck``."""
        faults = self._workspace.world.faults
        known = sorted([*faults.orders.values(), *faults.used], key=lambda order: order.number)
        return [describe(order) for order in known]

    async def unused(self) -> list[str]:
        """Name the orders that have struck nothing."""
        return [words(order) for order in unused(self._workspace.world)]

    async def list(self) -> dict[int, Fault]:
        """Return the orders that are not used up by number, the oldest first, each with the times that are left."""
        orders = self._workspace.world.faults.orders
        return {number: order.standing() for number, order in orders.items()}
