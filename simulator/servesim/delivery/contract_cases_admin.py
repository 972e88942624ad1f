"""Cases of servesim's admin API: reads, and a workspace that is made, moved and forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from servesim.delivery.admin_client import BASE, inside
from servesim.delivery.contract_cases_control import MISSING, NO_TOKEN
from servesim.delivery.contract_talk import CouldNotRun, NotRun, dig, named, rows

if TYPE_CHECKING:
    from servesim.delivery.client import Answered
    from servesim.delivery.contract_talk import Talk

NAME = "servesim-contract"
MODEL = "main.servesim.contract"
USER = "contract@example.com"


def health(talk: Talk) -> None:
    """The health check needs no token."""
    talk.status(talk.get(BASE + "/health", token=""))


def needs_the_admin_token(talk: Talk) -> None:
    """Without a token the admin API answers 401, with a wrong one 403; a workspace's token is a wrong one."""
    talk.hide(NO_TOKEN)
    for path in ("", "/workspaces"):
        talk.refused(talk.get(BASE + path, token=""), 401, "UNAUTHENTICATED")
        talk.refused(talk.get(BASE + path, token=NO_TOKEN), 403, "PERMISSION_DENIED")


def lists_its_operations(talk: Talk) -> None:
    """The root lists every operation."""
    answered = _get(talk, "")
    if talk.status(answered):
        paths = {one.get("path") for one in rows(answered.document, "operations")}
        talk.that(BASE + "/workspaces" in paths, "the workspaces among the operations")


def workspace_readings(talk: Talk) -> None:
    """Settings, principals, clock, models, faults, routes, events and requests of a workspace can be read."""
    listed = _get(talk, "/workspaces")
    talk.status(listed)
    for name in named(rows(listed.document, "workspaces"))[: talk.plan.most_endpoints]:
        answered = _get(talk, inside(name))
        if talk.status(answered):
            talk.same("name", dig(answered.document, "name"), name)
        for part in ("principals", "clock", "models", "faults", "routes", "events?limit=5", "requests?limit=5"):
            talk.status(_get(talk, inside(name, f"/{part}")))


def missing_things(talk: Talk) -> None:
    """What is not there is refused with 404, a wrong method with 405."""
    for path in (inside(MISSING), inside(MISSING, "/clock"), "/unknown"):
        talk.refused(_get(talk, path), 404, "RESOURCE_DOES_NOT_EXIST")
    talk.refused(_send(talk, "PUT", "/workspaces", {}), 405, "METHOD_NOT_ALLOWED")


def new_workspace(talk: Talk) -> None:
    """A workspace is made with principals, and its answer alone shows their tokens."""
    if dig(_get(talk, inside(NAME)).document, "name") == NAME:
        raise CouldNotRun(
            f"there is a workspace {NAME} already, left by a check that was cut off: servesim workspace remove {NAME}"
        )
    body = {"workspace": NAME, "clock": "frozen", "principals": [{"user": USER, "admin": True}]}
    answered = _send(talk, "POST", "/workspaces", body)
    if not talk.status(answered, 200, 201):
        return
    talk.undo[f"workspace {NAME}"] = lambda: _send(talk, "DELETE", inside(NAME))
    talk.kept["workspace"] = NAME
    token = dig(answered.document, "tokens", USER)
    if talk.that(isinstance(token, str) and token, "a token for the new principal"):
        talk.hide(token)
    talk.same("name", dig(answered.document, "name"), NAME)


def time_moves(talk: Talk) -> None:
    """Time moves by a span and to an instant, never backwards."""
    _made(talk)
    before = dig(_get(talk, inside(NAME, "/clock")).document, "now")
    advanced = _send(talk, "POST", inside(NAME, "/clock/advance"), {"by": "31m"})
    if talk.status(advanced):
        talk.same("from", dig(advanced.document, "from"), before)
    back = _send(talk, "POST", inside(NAME, "/clock/run-until"), {"instant": before})
    talk.refused(back, 400, "INVALID_PARAMETER_VALUE")
    talk.refused(_send(talk, "POST", inside(NAME, "/clock/advance"), {"by": "-1m"}), 400, "INVALID_PARAMETER_VALUE")
    later = dig(advanced.document, "now")
    talk.status(_send(talk, "POST", inside(NAME, "/clock/run-until"), {"instant": later}))
    talk.status(_send(talk, "POST", inside(NAME, "/clock/mode"), {"mode": "autojump"}))
    talk.refused(
        _send(talk, "POST", inside(NAME, "/clock/mode"), {"mode": "backwards"}), 400, "INVALID_PARAMETER_VALUE"
    )


def models_faults_and_routes(talk: Talk) -> None:
    """Models are registered; trouble and routes are ordered, listed and taken back."""
    _made(talk)
    talk.status(_send(talk, "POST", inside(NAME, "/models"), {"name": MODEL, "stub": {"constant": 0.5}}), 200, 201)
    access = inside(NAME, f"/models/{quote(MODEL, safe='')}/access")
    talk.status(_send(talk, "PUT", access, {"allowed": None}))
    for kind, body in (
        ("faults", {"effect": "fail", "message": "out of memory"}),
        ("routes", {"method": "GET", "path": "/api/2.1/jobs/{job_id}", "json": {"name": "nightly"}}),
    ):
        made = _send(talk, "POST", inside(NAME, f"/{kind}"), body)
        if not talk.status(made, 200, 201):
            continue
        number = dig(made.document, "number")
        listed = [one.get("number") for one in rows(_get(talk, inside(NAME, f"/{kind}")).document, kind)]
        talk.same(f"numbers of the {kind}", listed, [number])
        if not talk.that(isinstance(number, int), "a number, which its path needs"):
            continue
        talk.status(_send(talk, "DELETE", inside(NAME, f"/{kind}/{number}")))
        talk.refused(_send(talk, "DELETE", inside(NAME, f"/{kind}/{number}")), 404, "RESOURCE_DOES_NOT_EXIST")


def principals_come_and_go(talk: Talk) -> None:
    """A principal is added, which shows its token once, and taken out."""
    _made(talk)
    added = _send(talk, "POST", inside(NAME, "/principals"), {"service_principal": "contract-job"})
    if talk.status(added, 200, 201) and isinstance(token := dig(added.document, "token"), str):
        talk.hide(token)
    names = [one.get("name") for one in rows(_get(talk, inside(NAME, "/principals")).document, "principals")]
    talk.that("contract-job" in names, "the new principal in the list")
    talk.status(_send(talk, "POST", inside(NAME, "/expire-tokens"), {"principal": "contract-job"}))
    talk.status(_send(talk, "DELETE", inside(NAME, "/principals/contract-job")))


def forgotten_workspace(talk: Talk) -> None:
    """A workspace begins again with a reset, and is gone with a DELETE."""
    _made(talk)
    answered = _send(talk, "POST", inside(NAME, "/reset"), None)
    if talk.status(answered):
        talk.same("models", rows(_get(talk, inside(NAME, "/models")).document, "models"), [])
    if talk.status(_send(talk, "DELETE", inside(NAME))):
        talk.undo.pop(f"workspace {NAME}", None)
    talk.refused(_get(talk, inside(NAME)), 404, "RESOURCE_DOES_NOT_EXIST")


READING = (health, needs_the_admin_token, lists_its_operations, workspace_readings, missing_things)
WORKSPACE = (new_workspace, time_moves, models_faults_and_routes, principals_come_and_go, forgotten_workspace)


def _made(talk: Talk) -> None:
    if "workspace" not in talk.kept:
        raise NotRun("the workspace was not made")


def _get(talk: Talk, path: str) -> Answered:
    return talk.get(BASE + path, token=talk.admin_token)


def _send(talk: Talk, method: str, path: str, body: Any = None) -> Answered:
    return talk.send(method, BASE + path, body, token=talk.admin_token)
