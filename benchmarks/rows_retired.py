"""The row on the retired surfaces: their reads beside GET of one endpoint, their scoring beside that of an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import load
import servers
from calls import GET_ONE, ONE_ROW, Call

if TYPE_CHECKING:
    from figures import Figure
    from load import Plan
    from processes import Process

CONNECTIONS = 8
MOST = 1.5
"""Times as long as the same on Model Serving."""
WORLD = servers.HERE / "world_retired.yaml"
LEGACY = "/api/2.0/preview/mlflow/endpoints/"
PREVIEW = "/api/2.0/preview/mlflow/endpoints-v2/"
READS = {
    "legacy get-status": LEGACY + "get-status?registered_model_name=churn",
    "legacy list-versions": LEGACY + "list-versions?registered_model_name=churn",
    "preview get-status": PREVIEW + "get-status?registered_model_name=tide",
    "preview list-versions": PREVIEW + "list-versions?registered_model_name=tide",
    "preview list-version-aliases": PREVIEW + "list-version-aliases?registered_model_name=tide",
}
SCORING = {
    "legacy by stage": "/model/churn/Production/invocations",
    "preview by stage": "/model-endpoint/tide/Production/invocations",
}


def retired(plan: Plan) -> list[Figure]:
    """Read states and score on both surfaces, in turn with the same on Model Serving."""
    reads = [GET_ONE, *(Call("GET", path) for path in READS.values())]
    scores = [ONE_ROW, *(Call("POST", path, ONE_ROW.body) for path in SCORING.values())]
    with servers.command_line("fast", WORLD) as server:
        read = load.alternate(plan.rounds, *(_side(server, call, plan) for call in reads))
        scored = load.alternate(plan.rounds, *(_side(server, call, plan) for call in scores))
    return [
        *_figures([f"GET {what} against GET of one endpoint" for what in READS], read),
        *_figures([f"an invocation, {what}, against one of an endpoint" for what in SCORING], scored),
    ]


def _side(server: Process, call: Call, plan: Plan) -> Any:
    return lambda: load.sample(server, call, CONNECTIONS, plan)


def _figures(whats: list[str], measured: list[list[load.Sample]]) -> list[Figure]:
    theirs, *ours = measured
    return [load.times("retired", what, found, theirs, MOST) for what, found in zip(whats, ours, strict=True)]
