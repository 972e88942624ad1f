"""Scoring requests to registered models, as both retired generations have them: by version number or by stage."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from servesim.core.model_endpoint import GENERATIONS, LEGACY
from servesim.core.model_endpoint_commands import AdmitVersion
from servesim.payloads.protocol import NEWEST
from servesim.payloads.scoring_protocols import protocol_of

if TYPE_CHECKING:
    from servesim.core.access import Principal
    from servesim.core.deployment import Deployment
    from servesim.core.routing import Ticket
    from servesim.payloads.protocol import Protocol
    from servesim.service.gateway import Gateway

PATHS_KEPT = 256
"""How many different requests, without their bodies, are kept as they were read."""
_BY_PATH = {generation.path: generation.name for generation in GENERATIONS.values()}


class AskedVersion(NamedTuple):
    """A scoring request to a model, without its body."""

    target: str
    """Path and query."""
    endpoint: str
    """The head of the path, as the model's endpoint is called."""
    entity: str
    """The version or stage that it names."""
    content_type: str | None
    generation: str
    model: str

    def admit(self, gateway: Gateway, principal: Principal, *, at_once: bool = False) -> Ticket:
        """Let it in; raise Rejected."""
        return gateway.admit_version(self._command(principal), self.place, at_once=at_once)

    def waits_for_nothing(self, gateway: Gateway, size: int, principal: Principal) -> bool:
        """Tell whether it may be answered at once; ``size`` is the body's, in bytes. A translation takes a thread."""
        deployment = gateway.at_hand(self._command(principal), self.place, size)
        return deployment is not None and self._spoken(deployment) is None

    def _command(self, principal: Principal) -> AdmitVersion:
        return AdmitVersion(self.generation, self.model, self.entity, principal)

    @property
    def place(self) -> str:
        """What the next try of a refused one is known by."""
        return f"{self.endpoint}/{self.entity}"

    def protocol(self, ticket: Ticket) -> Protocol | None:
        """Return the protocol of the model's environment, which legacy serving speaks; None for the newest."""
        return self._spoken(ticket.deployment)

    def _spoken(self, deployment: Deployment) -> Protocol | None:
        if self.generation != LEGACY.name:
            return None
        spoken = protocol_of(deployment.model.mlflow)
        return None if spoken is NEWEST else spoken


@lru_cache(maxsize=PATHS_KEPT)
def asked_for(target: str, path: str, content_type: str | None) -> AskedVersion | None:
    """Return what a path asks to be scored; None for a path that asks for anything else."""
    match path.removesuffix("/").split("/"):
        case ["", head, model, version, "invocations"] if head in _BY_PATH and model and version:
            name = unquote(model)
            return AskedVersion(target, f"{head}/{name}", unquote(version), content_type, _BY_PATH[head], name)
    return None
