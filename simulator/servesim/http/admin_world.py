"""Admin operations on what a workspace is made of: models, trouble to come, and reset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from servesim.core.commands import RemoveFault, SetModelAccess
from servesim.http.admin_call import IN_WORKSPACE, AdminCall, Operation, Refused, answer, invalid, missing
from servesim.service.documents import DocumentError, given_document
from servesim.service.fault_rules import KEYS, describe, order
from servesim.service.loopback import is_loopback
from servesim.service.model_rows import model_rows, version_row, without_versions
from servesim.service.routes import read_route
from servesim.service.scenario import add_model

if TYPE_CHECKING:
    from servesim.http.reply import Reply
    from servesim.http.server import Server

# --- models ---------------------------------------------------------------------------------------


async def list_models(call: AdminCall) -> Reply:
    """Answer every registered version, and the models that have none."""
    call.workspace.clock.now()
    world = call.workspace.world
    return answer({"models": model_rows(world), "without_versions": without_versions(world)})


async def post_model(call: AdminCall) -> Reply:
    """Register a version, written as an entry of a scenario's ``models:``."""
    workspace = call.workspace
    entry = await call.body()
    check_code(call.server, {"models": [entry]})
    try:
        model = await add_model(workspace, given_document(entry, "model"), entry)
    except DocumentError as error:
        raise invalid(f"{error}.") from error
    return answer(version_row(workspace.world, model.name, model.version), 201)


async def put_access(call: AdminCall) -> Reply:
    """Say who may execute a model: ``{"allowed": ["data-science"]}``; null for everybody."""
    clock, model = call.workspace.clock, call.parameters["model"]
    body = await call.body("allowed")
    allowed = body.get("allowed")
    if "allowed" not in body or not (allowed is None or _are_names(allowed)):
        raise invalid('Say who may execute it: {"allowed": ["alice@example.com", "a-group"]}, or null for everybody.')
    clock.execute(SetModelAccess(model, None if allowed is None else tuple(allowed)))
    return answer({"model": model, "allowed": allowed})


def check_code(server: Server, scenario: dict[str, Any]) -> None:
    """Refuse models whose code would run for whoever reaches this server; raise Refused."""
    entries = scenario.get("models")
    named = any(isinstance(entry, dict) and "mlflow" in entry for entry in entries) if _is_list(entries) else False
    if (named or "mlflow_registry" in scenario) and not is_loopback(server.host):
        raise Refused(
            403,
            "PERMISSION_DENIED",
            "Loading an MLflow model runs its code, so a folder or registry can be named here only while the server "
            "listens on loopback. Name it when the server starts: --model, --mlflow-registry or a scenario.",
        )


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _are_names(value: Any) -> bool:
    return _is_list(value) and all(isinstance(name, str) and name for name in value)


# --- trouble --------------------------------------------------------------------------------------


async def list_faults(call: AdminCall) -> Reply:
    """Answer the trouble that is still to come, the oldest order first, and under ``used`` what is used up."""
    call.workspace.clock.now()
    faults = call.workspace.world.faults
    to_come = [describe(order) for order in faults.orders.values()]
    return answer({"faults": to_come, "used": [describe(order) for order in faults.used]})


async def post_fault(call: AdminCall) -> Reply:
    """Order trouble for deployments, scoring requests or calls of the control plane."""
    workspace, rule = call.workspace, await call.body(*KEYS)
    try:
        number = order(workspace, rule)
    except (ValueError, OverflowError) as error:
        raise invalid(f"{error}.") from error
    return answer(describe(workspace.world.faults.orders[number]), 201)


async def delete_fault(call: AdminCall) -> Reply:
    """Take an order back."""
    workspace, number = call.workspace, call.parameters["number"]
    if _number(number) not in workspace.world.faults.orders:
        raise missing(f"There is no fault {number[:40]!r}: used up, or never ordered. GET .../faults lists them.")
    workspace.clock.execute(RemoveFault(_number(number)))
    return answer({})


# --- routes ---------------------------------------------------------------------------------------


async def list_routes(call: AdminCall) -> Reply:
    """Answer the routes that answer what is not simulated, the oldest first."""
    return answer({"routes": call.workspace.routes.list()})


async def post_route(call: AdminCall) -> Reply:
    """Add a route with a fixed answer, written as in a scenario's ``routes:``."""
    routes = call.workspace.routes
    try:
        route = read_route(await call.body())
        routes.add(route)
    except ValueError as error:
        raise invalid(f"{error}.") from error
    return answer(route.describe(), 201)


async def delete_route(call: AdminCall) -> Reply:
    """Remove a route."""
    routes, number = call.workspace.routes, call.parameters["number"]
    try:
        routes.remove(_number(number))
    except KeyError as error:
        raise missing(f"There is no route {number[:40]!r}. GET .../routes lists them.") from error
    return answer({})


def _number(text: str) -> int:
    """Read a number of a path; one that nothing has stands for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1  # noqa: PLR2004 - nothing has more digits


OPERATIONS = (
    Operation("GET", IN_WORKSPACE + "/models", list_models, "the registered model versions"),
    Operation("POST", IN_WORKSPACE + "/models", post_model, "register one, written as in a scenario's models:"),
    Operation("PUT", IN_WORKSPACE + "/models/{model}/access", put_access, "say who may execute it"),
    Operation("GET", IN_WORKSPACE + "/faults", list_faults, "the trouble that was ordered: to come, and used up"),
    Operation("POST", IN_WORKSPACE + "/faults", post_fault, "order some, written as in a scenario's faults:"),
    Operation("DELETE", IN_WORKSPACE + "/faults/{number}", delete_fault, "take an order back"),
    Operation("GET", IN_WORKSPACE + "/routes", list_routes, "the routes that answer what is not simulated"),
    Operation("POST", IN_WORKSPACE + "/routes", post_route, "add one, written as in a scenario's routes:"),
    Operation("DELETE", IN_WORKSPACE + "/routes/{number}", delete_route, "remove one"),
)
