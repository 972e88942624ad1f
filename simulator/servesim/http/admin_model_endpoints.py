"""Admin operations on the retired generations: the calendar, the way to the preview, the models that are served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.enrolment import Step, next_of
from servesim.core.model_endpoint_commands import MoveEnrolment
from servesim.http.admin_call import IN_WORKSPACE, AdminCall, Operation, answer, invalid
from servesim.service import enabled_models
from servesim.service.calendar import row
from servesim.service.instants import iso

if TYPE_CHECKING:
    from servesim.http.reply import Reply
    from servesim.service.hub import HostedWorkspace


async def get_calendar(call: AdminCall) -> Reply:
    """Answer what ends when in a workspace, beside its simulated now."""
    workspace = call.workspace
    now = iso(workspace.clock.now())
    return answer({"now": now, "endings": [row(ending) for ending in workspace.world.profile.calendar]})


async def get_enrolment(call: AdminCall) -> Reply:
    """Answer how far a workspace has come towards the serverless preview, and the step that comes next."""
    return answer(_enrolment(call.workspace))


async def post_enrolment(call: AdminCall) -> Reply:
    """Take a step as somebody: ``{"step": "request", "as": "ann@example.com"}``; without ``as`` as Databricks."""
    workspace = call.workspace
    body = await call.body("step", "as")
    step, name = body.get("step"), body.get("as")
    if not isinstance(step, str) or step not in set(Step):
        raise invalid(f"step must be one of {', '.join(Step)}; got {step!r}.")
    if not isinstance(name, str | None):
        raise invalid(f"as must be the name of a principal, null for Databricks; got {name!r}.")
    workspace.clock.execute(MoveEnrolment(Step(step), enabled_models.person(workspace, name)))
    return answer(_enrolment(workspace))


async def list_model_endpoints(call: AdminCall) -> Reply:
    """Answer which models the retired generations serve: by whom, what, with which compute, and who called last."""
    return answer({"model_endpoints": enabled_models.rows(call.workspace)})


def _enrolment(workspace: HostedWorkspace) -> dict[str, Any]:
    state = workspace.world.enrolment
    return {"state": str(state), "next": next_of(state)}


_PREVIEW = IN_WORKSPACE + "/serverless-preview"
OPERATIONS = (
    Operation("GET", IN_WORKSPACE + "/calendar", get_calendar, "what ends when"),
    Operation("GET", _PREVIEW, get_enrolment, "how far the workspace has come towards the serverless preview"),
    Operation("POST", _PREVIEW, post_enrolment, "bring it a step further, as somebody"),
    Operation("GET", IN_WORKSPACE + "/model-endpoints", list_model_endpoints, "the models that retired serving serves"),
)
