"""Hooks for schemathesis: names of what there is for its requests, and a count of what was answered.

A generated name names nothing, and a state that a call needs is rarely there. So each request gets, where it is meant
to be valid, the name of something that exists and is in that state. What is meant to be wrong stays as it is.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections import Counter
from datetime import datetime, timedelta
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import quote

import requests
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase
from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER

from servesim.contracts.conformity import request_violations

ENDPOINTS = "/api/2.0/serving-endpoints"
SECRETS = "/api/2.0/secrets"
ADMIN = "/_servesim/v1"
MODEL = "main.ml.fraud"
LOOKS = 50
"""How often an endpoint is read until its update has ended: the clock of a fresh workspace jumps as it is read."""
OF_THEIR_OWN = {
    "get_open_api": "signed",
    "stop_endpoint": "switched",
    "start_endpoint": "switched",
    "update_config": "updates",
    "update_tags": "settings",
    "update_rate_limits": "settings",
    "update_ai_gateway": "settings",
    "update_notifications": "settings",
    "update_telemetry_config": "settings",
}
"""The endpoint for calls that change or need something; the others get ``fraud``."""


OF_A_SPARE_WORKSPACE = (
    "reset_workspace",
    "advance_clock",
    "run_clock_until",
    "set_clock_mode",
    "expire_tokens",
    "move_serverless_preview",
)
"""Calls of the admin API whose effect on the workspace that others look at would show."""


class Walk(NamedTuple):
    """From a create to a delete of one thing, every step on the way."""

    steps: tuple[str, ...]
    place: str
    """What a DELETE of the thing goes to, before its name."""
    made: str
    """The field of the create's answer that has the name, or the object that has it; empty for the answer itself."""


SERVING_WALK = Walk(
    ("create_endpoint", "get_endpoint", "update_config", "query_endpoint", "delete_endpoint"), f"{ENDPOINTS}/", ""
)


class World:
    """What the hooks know and do of the server under test."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"
        self.numbers = count()
        self.ids = {endpoint["name"]: endpoint["id"] for endpoint in self.get(ENDPOINTS).get("endpoints", ())}
        """Of the endpoints that are there from the beginning and stay."""
        self.made: set[str] = set()
        """Names of things that walks have made, and may have deleted."""
        self.walking: dict[str, int] = {}
        """How many steps were taken with each thing whose walk has not ended."""

    def get(self, path: str) -> Any:
        return self.session.get(self.url + path, timeout=60).json()

    def send(self, method: str, path: str, body: Any = None) -> Any:
        return self.session.request(method, self.url + path, json=body, timeout=60).json()

    def fresh(self) -> str:
        return f"s{next(self.numbers)}"

    def waiting(self, steps: tuple[str, ...], operation: str) -> str | None:
        """Return a thing whose walk goes on with an operation: schemathesis begins walks in their middle as well."""
        return next((name for name, taken in self.walking.items() if steps[taken] == operation), None)

    def settled(self, name: str) -> Any:
        """Return an endpoint once no update of it is in progress."""
        for _ in range(LOOKS):
            endpoint = self.get(f"{ENDPOINTS}/{name}")
            if endpoint.get("state", {}).get("config_update") != "IN_PROGRESS":
                return endpoint
        raise AssertionError(f"the update of {name} does not end")

    def access_token(self) -> str:
        form = {"grant_type": "client_credentials"}
        login = ("pipeline-id", "pipeline-secret")
        answer = requests.post(f"{self.url}/oidc/v1/token", data=form, auth=login, timeout=60)
        return str(answer.json()["access_token"])


class Offers:
    """Gives requests that are meant to be valid what ``names`` has for their operation."""

    def __init__(self, names: Any) -> None:
        self.names = names

    def before_call(self, context: Any, case: Any, kwargs: dict[str, Any]) -> None:
        operation, walks = operation_id(case), is_walk(case)
        if case.path_parameters and is_valid(case, ParameterLocation.PATH):
            case.path_parameters = self.names.path(operation, dict(case.path_parameters), walks)
        if case.query and is_valid(case, ParameterLocation.QUERY):
            case.query = self.names.query(operation, dict(case.query), walks)
        if isinstance(case.body, dict) and is_valid(case, ParameterLocation.BODY):
            case.body = self.names.body(operation, copy.deepcopy(case.body), walks)


class ServingNames:
    """The endpoints, secrets and clients that there are."""

    def __init__(self, world: World) -> None:
        self.world = world

    def path(self, operation: str, given: dict[str, Any], walks: bool) -> dict[str, Any]:
        if "id" in given:
            given["id"] = self.world.ids["settings"]
        if "model" in given:
            given |= {"model": MODEL, "version": "1"}
        if "name" in given:
            if not walks or given["name"] not in self.world.made:
                given["name"] = self.endpoint_for(operation)
            self.prepare(operation, given["name"])
        if "served_model_name" in given and given.get("name") in self.world.ids:
            given["served_model_name"] = "champion"
        return given

    def endpoint_for(self, operation: str) -> str:
        if operation == "delete_endpoint":
            name = self.world.fresh()
            self.world.send("POST", ENDPOINTS, {"name": name})
            return name
        return OF_THEIR_OWN.get(operation, "fraud")

    def prepare(self, operation: str, name: str) -> None:
        """Bring an endpoint into the state that a call needs, if it can be."""
        if operation in {
            "update_config",
            "query_endpoint",
            "stop_endpoint",
            "start_endpoint",
            "update_telemetry_config",
        }:
            stopped = self.world.settled(name).get("state", {}).get("suspend") == "STOPPED"
            if stopped is (operation != "start_endpoint"):
                verb = "start" if stopped else "stop"
                self.world.send("POST", f"{ENDPOINTS}/{name}/config:{verb}", {})
                self.world.settled(name)

    def query(self, operation: str, given: dict[str, Any], walks: bool) -> dict[str, Any]:
        if "config_version" in given:
            given["config_version"] = "1"
        if "scope" in given:
            given["scope"] = "prod"
            if operation == "get_secret_acl":
                self.grant(given)
        return given

    def grant(self, given: dict[str, Any]) -> None:
        given["principal"] = "users"
        self.world.send("POST", f"{SECRETS}/acls/put", {"scope": "prod", "principal": "users", "permission": "READ"})

    def body(self, operation: str, body: dict[str, Any], walks: bool) -> dict[str, Any]:
        match operation:
            case "create_endpoint":
                body["name"] = self.world.fresh()
                if isinstance(body.get("config"), dict):
                    fit_config(body["config"])
                elif walks:
                    body["config"] = {"served_entities": [{"entity_name": MODEL, "entity_version": "1"}]}
            case "update_config":
                fit_config(body)
            case "stage_deployment":
                body |= {"model_name": "main.ml.packed", "model_version": "1"}
            case "get_token":
                self.fit_form(body)
            case _ if "scope" in body:
                self.fit_secret(operation, body)
        return body

    def fit_secret(self, operation: str, body: dict[str, Any]) -> None:
        match operation:
            case "create_scope":
                body["scope"] = self.world.fresh()
            case "delete_scope":
                body["scope"] = self.world.fresh()
                self.world.send("POST", f"{SECRETS}/scopes/create", {"scope": body["scope"]})
            case "put_secret":
                body["scope"] = "prod"
            case "put_secret_acl":
                body |= {"scope": "prod", "principal": "users"}
            case "delete_secret":
                body |= {"scope": "prod", "key": self.world.fresh()}
                self.world.send("POST", f"{SECRETS}/put", {"scope": "prod", "key": body["key"], "string_value": "x"})
            case "delete_secret_acl":
                body["scope"] = "prod"
                self.grant(body)

    def fit_form(self, form: dict[str, Any]) -> None:
        if "client_id" in form or "client_secret" in form:
            form |= {"client_id": "pipeline-id", "client_secret": "pipeline-secret"}
        if "assertion" in form:
            form["assertion"] = self.world.access_token()
        if "authorization_details" in form:
            path = f"/serving-endpoints/{self.world.ids['fraud']}"
            form["authorization_details"] = json.dumps([{"type": "workspace_permission", "object_path": path}])


def fit_config(config: dict[str, Any]) -> None:
    """Have a config name models that are registered, and routes that fit its entities."""
    names = []
    for kind, prefix in (("served_entities", "entity"), ("served_models", "model")):
        for number, entity in enumerate(config.get(kind) or ()):
            entity[f"{prefix}_name"] = MODEL
            entity[f"{prefix}_version"] = 1 if isinstance(entity[f"{prefix}_version"], int) else "2"
            entity["name"] = f"e{number}"
            names.append(entity["name"])
            low, high = (entity.get(f"{end}_provisioned_concurrency") for end in ("min", "max"))
            if low is not None and high is not None and int(low) > int(high):
                entity["max_provisioned_concurrency"] = entity["min_provisioned_concurrency"]
    if routes := (config.get("traffic_config") or {}).get("routes"):
        del routes[len(names) :]
        for number, route in enumerate(routes):
            share = 100 if number == 0 else 0
            route["traffic_percentage"] = str(share) if isinstance(route["traffic_percentage"], str) else share
            for field in ("served_entity_name", "served_model_name"):
                if route.get(field) is not None:
                    route[field] = names[number]


class AdminNames:
    """For the admin API a workspace that calls may change, one that they read, and what those that end take."""

    def __init__(self, world: World, workspace: str) -> None:
        self.world = world
        self.workspace = f"{ADMIN}/workspaces/{workspace}"
        self.names = {"name": workspace, "endpoint": "fraud", "model": MODEL}
        self.spare = self.made({"workspace": "spare"})

    def made(self, body: dict[str, Any]) -> str:
        return str(self.world.send("POST", f"{ADMIN}/workspaces", body)["name"])

    def path(self, operation: str, given: dict[str, Any], walks: bool) -> dict[str, Any]:
        given |= {name: value for name, value in self.names.items() if name in given}
        if "request" in given:
            given["request"] = self.request()
        match operation:
            case "delete_workspace":
                given["name"] = self.made({"workspace": self.world.fresh()})
            case _ if operation in OF_A_SPARE_WORKSPACE:
                given["name"] = self.spare
            case "remove_principal":
                given["principal"] = self.world.fresh()
                self.world.send("POST", f"{self.workspace}/principals", {"user": given["principal"]})
            case "remove_fault":
                fault = {"effect": "fail", "endpoint": "nobody"}
                given["number"] = self.world.send("POST", f"{self.workspace}/faults", fault)["number"]
            case "remove_route":
                route = {"method": "GET", "path": f"/{self.world.fresh()}"}
                given["number"] = self.world.send("POST", f"{self.workspace}/routes", route)["number"]
        return given

    def request(self) -> str:
        """Return the id of a call that is on record."""
        return str(self.world.get(f"{self.workspace}/requests?kind=scoring&limit=1")["requests"][0]["request_id"])

    def next_step(self) -> str:
        """Return the step that the spare workspace waits for, from the first one on again after the last."""
        place = f"{ADMIN}/workspaces/{self.spare}"
        if (step := self.world.get(f"{place}/serverless-preview")["next"]) is None:
            self.world.send("POST", f"{place}/reset")
        return step or "request"

    def later(self) -> str:
        """Return an hour after the instant at which the spare workspace's clock stands."""
        now = datetime.fromisoformat(self.world.get(f"{ADMIN}/workspaces/{self.spare}/clock")["now"])
        return (now + timedelta(hours=1)).isoformat()

    def query(self, operation: str, given: dict[str, Any], walks: bool) -> dict[str, Any]:
        known = {"endpoint": "fraud", "entity": "champion", "wait": "0"}  # nothing waits in real time
        return {name: known.get(name, value) for name, value in given.items()}

    def body(self, operation: str, body: dict[str, Any], walks: bool) -> dict[str, Any]:
        match operation:
            case "move_serverless_preview":
                return {"step": self.next_step()}
            case "create_workspace":
                return {"workspace": self.world.fresh(), "seed": body.get("seed", 1)}
            case "add_principal":
                kind = "user" if "user" in body else "service_principal"
                body[kind] = self.world.fresh()
                for name in body.keys() & {"token", "client_id", "client_secret"}:
                    body[name] = self.world.fresh()
            case "register_model":
                return {"name": self.world.fresh(), "stub": body.get("stub", "echo")}
            case "run_clock_until":
                body["instant"] = self.later()
            case "add_route":
                body["path"] = f"/{self.world.fresh()}/*"
            case "expire_tokens" | "advance_clock" | "order_fault":
                fixed = {"principal": None, "by": "1s", "endpoint": "nobody", "delay": "1s"}
                body |= {name: fixed[name] for name in body.keys() & fixed}
                if operation == "order_fault":
                    body["endpoint"] = "nobody"  # or it would strike the calls that follow
        return body


class Tally:
    """Counts calls, answers by operation, and walks from a create to a delete."""

    def __init__(self, world: World, enough: int, walk: Walk = SERVING_WALK) -> None:
        self.world = world
        self.enough = enough
        """Successes that every operation needs, and walks that the run needs."""
        self.walk = walk
        self.answers: Counter[tuple[str, int]] = Counter()
        self.walks = 0
        """That took every step on the way."""

    @property
    def calls(self) -> int:
        return self.answers.total()

    def after_call(self, context: Any, case: Any, response: Any) -> None:
        operation = operation_id(case)
        self.answers[operation, response.status_code] += 1
        walks_on = operation in self.walk.steps and case.method.upper() == case.operation.method.upper()
        if response.status_code != 200 or not walks_on:
            return
        if operation == self.walk.steps[0]:
            answer = response.json()
            self.made((answer[self.walk.made] if self.walk.made else answer)["name"], is_walk(case))
        elif is_walk(case) and (name := named(case)) in self.world.walking:
            self.step(operation, name)

    def made(self, name: str, walks: bool) -> None:
        if walks:
            self.world.made.add(name)
            self.world.walking[name] = 1
        else:
            self.world.send("DELETE", self.walk.place + quote(name, safe=""))

    def step(self, operation: str, name: str) -> None:
        if operation == self.walk.steps[self.world.walking[name]]:
            self.world.walking[name] += 1
        if self.world.walking[name] == len(self.walk.steps):
            self.walks += 1
            del self.world.walking[name]


def named(case: Any) -> Any:
    """Return the name of the thing that a request is about."""
    for part in (case.path_parameters, case.query, case.body):
        if isinstance(part, dict) and "name" in part:
            return part["name"]
    return None


class Exceptions:
    """Failures that are accepted, each for a reason; keeps which of the entries were needed."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self.entries = [entry for entry in entries if "field" not in entry]
        self.fields = {entry["field"]: entry["instead"] for entry in entries if "field" in entry}
        """Fields whose value is not looked at by the server, and for each one that is as the contract says."""
        self._needed: set[str] = set()

    def filter_failure(self, context: Any, failure: Any, case: Any, response: Any) -> bool:
        """Tell whether a failure counts."""
        kind = type(failure).__name__
        if kind == "AcceptedNegativeData" and isinstance(case.body, dict) and self.is_lenient(case):
            return False
        for entry in self.entries:
            if covers(entry, kind, case, response):
                self._needed.add(entry["reason"])
                return False
        return True

    def is_lenient(self, case: Any) -> bool:
        """Tell whether all that is wrong with a request stands in fields that the server is lenient about."""
        right = {name: self.fields.get(name, value) for name, value in case.body.items()}
        if not is_right(case, right):
            return False
        wrong = [name for name in self.fields if name in right and not is_right(case, {**right, name: case.body[name]})]
        self._needed.update(wrong)
        return bool(wrong)

    def unneeded(self) -> set[str]:
        """Return the reasons and fields that no failure needed."""
        return {*self.fields, *(entry["reason"] for entry in self.entries)} - self._needed


def covers(entry: dict[str, Any], kind: str, case: Any, response: Any) -> bool:
    return (
        entry["failure"] == kind
        and operation_id(case) in entry.get("operations", [operation_id(case)])
        and response.status_code == entry["status"]
        and case.media_type == entry.get("media_type", case.media_type)
        and entry.get("answer", "") in response.text
    )


def is_right(case: Any, body: dict[str, Any]) -> bool:
    sent = json.dumps(body).encode()
    return not request_violations(case.method, case.formatted_path, case.query, case.media_type, sent)


@contextlib.contextmanager
def installed(schema: Any, offers: Any, tally: Tally, exceptions: Exceptions) -> Any:
    """Have every request of a schema's run pass the hooks, for a while."""
    register = schema.hooks.register_hook_with_name
    register(tally.after_call, "after_call")
    register(exceptions.filter_failure, "filter_failure")
    repeat = Repeat(tally.enough, is_for_all=getattr(offers.names, "REPEATS", False))
    register(repeat.before_add_examples, "before_add_examples")
    GLOBAL_HOOK_DISPATCHER.register_hook_with_name(before_call := offers.before_call, "before_call")
    try:
        yield
    finally:
        GLOBAL_HOOK_DISPATCHER.unregister(before_call)


class Repeat:
    """Sends a request as often as answers are wanted.

    Either where names are all that differs, and those are offered, or ``is_for_all`` of a surface where every call can
    be repeated.
    """

    def __init__(self, enough: int, *, is_for_all: bool) -> None:
        self.enough = enough
        self.is_for_all = is_for_all

    def before_add_examples(self, context: Any, examples: list[Any]) -> None:
        if examples and (self.is_for_all or not (context.operation.body or context.operation.query)):
            examples.extend(examples[0].derive(keep_auth=True) for _ in range(self.enough - len(examples)))


def operation_id(case: Any) -> str:
    return str(case.operation.definition.raw["operationId"])


def is_valid(case: Any, location: ParameterLocation) -> bool:
    """Tell whether a part of a request is meant to be valid."""
    return not case.meta.is_negative_at(location)


def is_walk(case: Any) -> bool:
    return case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL
