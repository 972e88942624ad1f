"""The retired generations as a handle has them: the way to the serverless preview, and the models that they serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.enrolment import Step, next_of
from servesim.core.model_endpoint_commands import DisableModel, EnableModel, MoveEnrolment
from servesim.delivery.operations import waits_for_time
from servesim.service.calendar import row
from servesim.service.enabled_models import generation_of, person, rows

if TYPE_CHECKING:
    from servesim.service.hub import HostedWorkspace


class ServerlessPreviewOperations:
    """How a workspace comes to have the serverless preview."""

    def __init__(self, workspace: HostedWorkspace) -> None:
        """Hold on to a workspace."""
        self._workspace = workspace

    async def state(self) -> str:
        """Return how far the workspace has come: ``not enrolled``, ``requested``, ``enrolled``, ..."""
        return str(self._workspace.world.enrolment)

    async def step(self, step: str, *, as_: str | None = None) -> str:
        """Take ``request``, ``enrol``, ``accept terms`` or ``enable`` and return the state after it; raise Rejected.

        ``as_`` is who takes it; without one Databricks does.
        """
        if step not in set(Step):
            message = f"there is no step {step!r}: the steps are {', '.join(Step)}"
            raise ValueError(message)
        return str(self._workspace.clock.execute(MoveEnrolment(Step(step), person(self._workspace, as_))))

    async def enable(self) -> None:
        """Take every step that is left, as Databricks."""
        while (step := next_of(self._workspace.world.enrolment)) is not None:
            self._workspace.clock.execute(MoveEnrolment(step, None))


class ModelEndpointOperations:
    """The registered models that a retired generation serves."""

    def __init__(self, workspace: HostedWorkspace) -> None:
        """Hold on to a workspace."""
        self._workspace = workspace

    @waits_for_time("servesim.model_endpoints.enable")
    async def enable(self, model: str, generation: str, *, by: str | None = None, serving: bool = True) -> None:
        """Have ``legacy`` or ``serverless_preview`` serve a registered model; raise Rejected or ValueError.

        With ``serving`` every version is ready at once, else it starts as a client's call would have it. ``by`` is who
        does it; without one nobody's rights are asked for.
        """
        principal = person(self._workspace, by)
        self._workspace.clock.execute(EnableModel(generation_of(generation), model, principal, serving))
        await self._workspace.clock.settle()

    @waits_for_time("servesim.model_endpoints.disable")
    async def disable(self, model: str, generation: str, *, by: str | None = None) -> None:
        """Have it serve the model no more; raise Rejected or ValueError."""
        principal = person(self._workspace, by)
        self._workspace.clock.execute(DisableModel(generation_of(generation), model, principal))
        await self._workspace.clock.settle()

    async def calendar(self) -> list[dict[str, Any]]:
        """Return what ends when in this workspace."""
        return [row(ending) for ending in self._workspace.world.profile.calendar]

    async def list(self) -> list[dict[str, Any]]:
        """Return every model that is served so, or was when its generation ended, with versions, aliases and calls."""
        return rows(self._workspace)
