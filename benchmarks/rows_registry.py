"""The row on registries: what reading a registered model takes beside reading an endpoint, of the same server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import load
import servers
from calls import GET_ONE, Call

if TYPE_CHECKING:
    from figures import Figure
    from load import Plan
    from processes import Process

CONNECTIONS = 8
MOST = 1.5
"""Times as long as the endpoint."""
WORKSPACE = "/api/2.0/mlflow/"
UNITY_CATALOG = WORKSPACE + "unity-catalog/"
PUBLIC = "/api/2.1/unity-catalog/models/"
READS = {
    "registered-models/get": WORKSPACE + "registered-models/get?name=churn",
    "model-versions/get": WORKSPACE + "model-versions/get?name=churn&version=1",
    "UC 2.0 registered-models/get": UNITY_CATALOG + "registered-models/get?name=main.ml.fraud",
    "UC 2.0 model-versions/get": UNITY_CATALOG + "model-versions/get?name=main.ml.fraud&version=1",
    "UC 2.1 models/{name}": PUBLIC + "main.ml.fraud",
    "UC 2.1 versions/{version}": PUBLIC + "main.ml.fraud/versions/1",
}


def registry(plan: Plan) -> list[Figure]:
    """Read a model, and a version, in each registry and by each face, in turn with one endpoint."""
    calls = [GET_ONE, *(Call("GET", path) for path in READS.values())]
    with servers.command_line("fast") as server:
        theirs, *ours = load.alternate(plan.rounds, *(_side(server, call, plan) for call in calls))
    wholes = (f"GET {what} against GET of one endpoint" for what in READS)
    return [load.times("registry", what, found, theirs, MOST) for what, found in zip(wholes, ours, strict=True)]


def _side(server: Process, call: Call, plan: Plan) -> Any:
    return lambda: load.sample(server, call, CONNECTIONS, plan)
