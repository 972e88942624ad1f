"""The documents of the control plane and of the workspace: what they claim, and that the server keeps to it."""

from __future__ import annotations

import copy
import http.client
import json
import re
from urllib.parse import urlencode

import pytest

from servesim.contracts.conformity import request_violations, response_violations
from servesim.contracts.documents import OF_A_WORKSPACE, document
from servesim.contracts.operations import operations, responses
from servesim.core.faults import QUERIES
from servesim.core.model_commands import AddModel
from servesim.core.registry import Details
from servesim.generations import ga_texts
from servesim.http import oauth_paths, server, serving
from servesim.service.operation_names import usual_path

SURFACES = ("control", "workspace")
ROUTED = tuple(name for name in OF_A_WORKSPACE if name != "data")
"""Surfaces whose operations stand in one table of routes, and whose refusals in one table of texts."""
ENDPOINTS = "/api/2.0/serving-endpoints"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


# --- the documents --------------------------------------------------------------------------------


SIGNED = {(method, server.SIGNED + "{}") for method in ("GET", "PUT", "DELETE")}
"""What needs no workspace's token stands in no table."""


def table():
    """The operations of these surfaces without their scoring requests, which are data plane."""
    return [one for one in operations(*ROUTED) if one.id not in QUERIES]


def unnamed(path):
    """A path without the names of what varies in it; ``*`` is the rest of one."""
    return re.sub(r"\{\w+\}", "{}", path).replace("*", "{}")


def test_every_operation_is_there_as_it_is_routed():
    routed = {(method, unnamed(usual_path(path))) for method, path, _ in serving.routes()}
    routed |= {("GET", "/api/2.0/preview/scim/v2/Me")}
    routed |= {("GET", oauth_paths.WELL_KNOWN), ("GET", oauth_paths.DISCOVERY), ("POST", oauth_paths.TOKEN)}
    assert {(one.method, unnamed(one.path)) for one in table()} == routed | SIGNED


def codes(surface_documents, schema):
    """The words that a schema pins ``error_code`` to, its references followed."""
    if "$ref" in schema:
        return codes(surface_documents, surface_documents["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    pinned = schema.get("properties", {}).get("error_code", {}).get("enum", [])
    inner = [one for part in ("allOf", "oneOf") for one in schema.get(part, ())]
    return {*pinned}.union(*(codes(surface_documents, one) for one in inner))


def test_every_refusal_has_its_status_and_code_in_a_contract_and_the_other_way_round():
    known = {(text.status, text.error_code) for code, text in ga_texts.TEXTS.items() if code not in ga_texts.SCORING}
    pinned = {
        (int(status), code)
        for one in table()
        for status, (_, response) in responses(one).items()
        for content in response.get("content", {}).values()
        for code in codes(document(), content.get("schema", {}))
    }
    # A server that stops, and HTTP's own refusals of ranges and conditions, have texts elsewhere.
    others = {(503, "TEMPORARILY_UNAVAILABLE"), (412, "PRECONDITION_FAILED"), (416, "OUT_OF_RANGE")}
    assert pinned == known | others


def reached(schema, seen):
    """Collect the components that a schema refers to."""
    if isinstance(schema, dict):
        if "$ref" in schema and schema["$ref"] not in seen:
            kind, name = schema["$ref"].split("/")[-2:]
            seen[schema["$ref"]] = document()["components"][kind][name]
            reached(seen[schema["$ref"]], seen)
        for inner in schema.values():
            reached(inner, seen)
    elif isinstance(schema, list):
        for inner in schema:
            reached(inner, seen)
    return seen


def test_what_is_only_written_stands_in_no_answer():
    told: dict = {}
    for one in operations(*ROUTED):
        for _, response in responses(one).values():
            reached([content.get("schema", {}) for content in response.get("content", {}).values()], told)
    assert len(told) > 50
    for name, schema in told.items():
        assert not name.endswith("In"), name
        assert "writeOnly" not in json.dumps(schema), name
        assert not [field for field in schema.get("properties", {}) if field.endswith("_plaintext")], name


# --- what an answer must be -----------------------------------------------------------------------

READY, CREATING, UPDATING, FAILED, STOPPED = (
    f"Endpoint{word}" for word in ("Ready", "Creating", "Updating", "UpdateFailed", "Stopped")
)


def changed(value, path, new):
    """A copy of a document with another value at a path; ``...`` takes the key away."""
    value = copy.deepcopy(value)
    *way, last = path
    inner = value
    for step in way:
        inner = inner[step]
    if new is ...:
        del inner[last]
    else:
        inner[last] = new
    return value


ENTITY = ("config", "served_entities", 0)


@pytest.mark.parametrize(
    ("example", "path", "new"),
    [
        (READY, ("config", "served_models"), ...),
        (READY, ("config", "served_entities"), []),
        (READY, ("config",), ...),
        (READY, ("id",), "84f4b905-97b9-4fb1-846a-96cb505772f1"),
        (READY, ("description",), ...),
        (READY, ("creation_timestamp",), 1767225600001),
        (READY, ("creation_timestamp",), "1767225600000"),
        (READY, ("permission_level",), "IS_OWNER"),
        (READY, ("state", "suspend"), ...),
        (READY, ("state", "ready"), "NOT_READY"),
        (READY, ("state", "ready"), True),
        (READY, ("state", "config_update"), "IN_PROGRESS"),
        (READY, ("state", "suspend"), "STOPPED"),
        (READY, ("config", "config_version"), "1"),
        (READY, ("config", "config_version"), 0),
        (READY, ("config", "start_time"), 1767225600000),
        (READY, ("config", "traffic_config", "routes", 0, "traffic_percentage"), "100"),
        (READY, ("config", "traffic_config", "routes", 0, "served_model_name"), ...),
        (READY, (*ENTITY, "entity_version"), 1),
        (READY, (*ENTITY, "model_name"), "main.ml.fraud"),
        (READY, (*ENTITY, "type"), ...),
        (READY, (*ENTITY, "state", "deployment"), "DEPLOYMENT_CREATING"),
        (READY, (*ENTITY, "min_provisioned_concurrency"), 4),
        (READY, (*ENTITY, "workload_size"), ...),
        (READY, (*ENTITY, "burst_scaling_enabled"), True),
        (READY, ("rate_limits",), []),
        (READY, ("tags",), []),
        (READY, ("route_optimized",), True),
        (READY, ("endpoint_url",), "http://127.0.0.1/serving-endpoints/fraud/invocations"),
        (READY, ("api_key_plaintext",), "s3cret"),
        (CREATING, ("pending_config",), ...),
        (CREATING, ("pending_config", "start_time"), ...),
        (UPDATING, ("pending_config",), ...),
        (UPDATING, ("pending_config", "config_version"), 1),
        (UPDATING, ("state", "config_update"), "NOT_UPDATING"),
        (FAILED, ("pending_config",), ...),
        (FAILED, ("pending_config", "served_models", 0, "state", "deployment_state_message"), ""),
        (STOPPED, ("config",), ...),
        (STOPPED, ("state", "config_update"), "UPDATE_FAILED"),
    ],
    ids=str,
)
def test_an_endpoint_that_is_not_quite_one_is_not_allowed(example, path, new):
    value = document("control")["components"]["examples"][example]["value"]
    arguments = ("GET", f"{ENDPOINTS}/fraud", 200, JSON)
    assert response_violations(*arguments, json.dumps(value).encode()) == []
    assert response_violations(*arguments, json.dumps(changed(value, path, new)).encode())


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", ENDPOINTS, {CREATING, "EndpointEmpty"}),
        ("PUT", f"{ENDPOINTS}/fraud/config", {CREATING, UPDATING, STOPPED, "EndpointStarting"}),
        ("POST", f"{ENDPOINTS}/fraud/config:stop", {STOPPED}),
    ],
)
def test_an_endpoint_is_told_as_the_change_left_it(method, path, allowed):
    found = document("control")["components"]["examples"].items()
    said = {
        name: response_violations(method, path, 200, JSON, json.dumps(one["value"]).encode()) for name, one in found
    }
    assert {name for name, wrong in said.items() if not wrong} == allowed


# --- what may be asked ----------------------------------------------------------------------------

ONE = {"entity_name": "main.ml.fraud", "entity_version": "1"}
TWIN = {"model_name": "main.ml.fraud", "model_version": "1"}
BOTH = {"routes": [{"served_entity_name": name, "traffic_percentage": 50} for name in ("a", "b")]}


@pytest.mark.parametrize(
    "config",
    [
        {"served_entities": [ONE]},
        {"served_models": [TWIN], "served_entities": None},
        {"served_entities": [ONE], "served_models": [], "traffic_config": None, "unknown": 1},
        {"served_entities": [ONE | {"entity_version": 1, "scale_to_zero_enabled": "TRUE", "name": ""}]},
        {"served_entities": [ONE | {"min_provisioned_concurrency": "0", "max_provisioned_concurrency": 4}]},
        {"served_entities": [ONE], "auto_capture_config": {"enabled": "false", "catalog_name": 1}},
        {"served_entities": [ONE, ONE], "traffic_config": BOTH},
    ],
    ids=json.dumps,
)
def test_a_config_that_is_taken(config):
    assert asked("PUT", "/fraud/config", config) == []


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"served_entities": []},
        {"served_entities": [ONE], "served_models": [TWIN]},
        {"served_entities": [TWIN]},
        {"served_entities": [ONE | {"entity_version": 1.5}]},
        {"served_entities": [ONE | {"name": "a.b"}]},
        {"served_entities": [ONE | {"workload_size": "Tiny"}]},
        {"served_entities": [ONE | {"workload_size": "Small", "max_provisioned_concurrency": 4}]},
        {"served_entities": [ONE | {"environment_vars": {"A=B": "c"}}]},
        {"served_entities": [ONE | {"environment_vars": {"A": 1}}]},
        {"served_entities": [ONE | {"external_model": {"name": "gpt"}}]},
        {"served_entities": [ONE] * 16},
        {"served_entities": [ONE, ONE]},
        {"served_entities": [ONE], "traffic_config": {"routes": [{"traffic_percentage": 100}]}},
        {"served_entities": [ONE], "traffic_config": {"routes": [BOTH["routes"][0]]}},
        {"served_entities": [ONE], "traffic_config": {"routes": [BOTH["routes"][0] | {"traffic_percentage": 101}]}},
        {"served_entities": [ONE], "auto_capture_config": {"enabled": True}},
    ],
    ids=json.dumps,
)
def test_a_config_that_is_refused(config):
    assert asked("PUT", "/fraud/config", config)


@pytest.mark.parametrize("extra", ["ai_gateway", "rate_limits"])
def test_what_needs_a_config(extra):
    value = {} if extra == "ai_gateway" else []
    assert asked("POST", "", {"name": "fraud", "config": {"served_entities": [ONE]}, extra: value}) == []
    assert asked("POST", "", {"name": "fraud", extra: value})
    assert asked("POST", "", {"name": "databricks-fraud"})


def asked(method, path, value):
    return request_violations(method, ENDPOINTS + path, {}, JSON, json.dumps(value).encode())


# --- what is answered -----------------------------------------------------------------------------

SIGNATURE = {"amount": "double"}
GRANT = {"access_control_list": [{"user_name": "a@b", "permission_level": "CAN_QUERY"}]}
PERMISSIONS = "/api/2.0/permissions/serving-endpoints/{id}"
SECRETS = "/api/2.0/secrets/"
WALK = [
    ("GET", "/.well-known/databricks-config", None, 200),
    ("GET", "/oidc/.well-known/oauth-authorization-server", None, 200),
    ("POST", "/oidc/v1/token", {"grant_type": "client_credentials"}, 200),
    ("POST", "/oidc/v1/token", {"grant_type": "password"}, 400),
    ("POST", "/oidc/v1/token", {"grant_type": "client_credentials", "client_secret": "no"}, 401),
    ("GET", "/oidc/v1/authorize", None, 501),
    ("GET", "/oidc/v1/token", None, 405),
    ("GET", "/api/2.0/preview/scim/v2/Me", None, 200),
    ("POST", SECRETS + "scopes/create", {"scope": "s"}, 200),
    ("POST", SECRETS + "scopes/create", {"scope": "s"}, 400),
    ("POST", SECRETS + "put", {"scope": "s", "key": "k", "string_value": "v"}, 200),
    ("GET", SECRETS + "scopes/list", None, 200),
    ("GET", SECRETS + "list?scope=s", None, 200),
    ("GET", SECRETS + "list", None, 400),
    ("GET", SECRETS + "get?scope=s&key=k", None, 501),
    ("POST", SECRETS + "acls/put", {"scope": "s", "principal": "users", "permission": "READ"}, 200),
    ("GET", SECRETS + "acls/get?scope=s&principal=users", None, 200),
    ("GET", SECRETS + "acls/list?scope=s", None, 200),
    ("POST", SECRETS + "acls/delete", {"scope": "s", "principal": "users"}, 200),
    ("POST", SECRETS + "delete", {"scope": "s", "key": "k"}, 200),
    ("POST", SECRETS + "delete", {"scope": "s", "key": "k"}, 404),
    ("POST", SECRETS + "scopes/delete", {"scope": "s"}, 200),
    ("POST", ENDPOINTS + "/", {"name": "fraud", "route_optimized": True, "config": {"served_entities": [ONE]}}, 200),
    ("POST", ENDPOINTS, {"name": "fraud"}, 400),
    ("POST", ENDPOINTS, {"name": "next", "config": {"served_entities": [ONE | {"entity_version": 9}]}}, 404),
    ("POST", ENDPOINTS, {"name": "next", "config": {"served_entities": [ONE | {"external_model": {}}]}}, 501),
    ("GET", ENDPOINTS + "/get-model-optimization-info/main.ml.fraud/1", None, 200),
    ("POST", ENDPOINTS + ":stageDeployment", {"model_name": "main.ml.fraud", "model_version": "1"}, 400),
    ("POST", ENDPOINTS + ":stageDeployment", {"model_name": "main.ml.fraud", "model_version": "9"}, 404),
    ("POST", ENDPOINTS + ":stageDeployment", {"model_name": "main.ml.packed", "model_version": 1}, 200),
    ("PUT", ENDPOINTS + "/fraud/config", {"served_entities": [ONE]}, 409),
    ("GET", ENDPOINTS + "/fraud/metrics", None, 404),
    ("GET", ENDPOINTS + "/fraud/openapi", None, 400),
    ("POST", "ready", None, 200),
    ("GET", ENDPOINTS + "/", None, 200),
    ("GET", ENDPOINTS + "/fraud", None, 200),
    ("PATCH", ENDPOINTS + "/fraud/tags", {"add_tags": [{"key": "team", "value": "risk"}, {"key": "k"}]}, 200),
    ("PUT", ENDPOINTS + "/fraud/rate-limits", {"rate_limits": [{"calls": "1", "key": "user"}]}, 200),
    ("PUT", ENDPOINTS + "/fraud/ai-gateway", {"guardrails": {"input": {"pii": {}}}, "rate_limits": [{}]}, 200),
    ("PATCH", ENDPOINTS + "/fraud/notifications", {"email_notifications": {"on_update_failure": ["a@b"]}}, 200),
    ("PATCH", ENDPOINTS + "/fraud/telemetry-config", {"telemetry_config": {"table_names": {"logs_table": "l"}}}, 200),
    ("GET", ENDPOINTS + "/fraud", None, 200),
    ("GET", ENDPOINTS + "/fraud/events?limit=3", None, 200),
    ("GET", ENDPOINTS + "/fraud/metrics", None, 200),
    ("GET", ENDPOINTS + "/fraud/openapi", None, 200),
    ("GET", ENDPOINTS + "/fraud/served-models/fraud-1/logs?config_version=1", None, 200),
    ("GET", ENDPOINTS + "/fraud/served-models/fraud-1/logs?config_version=7", None, 404),
    ("GET", ENDPOINTS + "/fraud/served-models/fraud-1/build-logs", None, 200),
    ("GET", PERMISSIONS, None, 200),
    ("PUT", PERMISSIONS, GRANT, 200),
    ("PATCH", PERMISSIONS, GRANT, 200),
    ("GET", PERMISSIONS + "/permissionLevels", None, 200),
    ("PUT", ENDPOINTS + "/fraud/config", {"served_entities": [ONE | {"workload_size": "Large"}]}, 200),
    ("POST", ENDPOINTS + "/fraud/config:stop", None, 409),
    ("GET", ENDPOINTS + "/fraud", None, 200),
    ("POST", "ready", None, 200),
    ("POST", ENDPOINTS + "/fraud/config:start", None, 400),
    ("POST", ENDPOINTS + "/fraud/config:stop", None, 200),
    ("PUT", ENDPOINTS + "/fraud/config", {"served_entities": [ONE]}, 200),
    ("POST", ENDPOINTS + "/fraud/config:start", None, 200),
    ("DELETE", ENDPOINTS + "/fraud", None, 200),
    ("DELETE", ENDPOINTS + "/fraud", None, 404),
    ("GET", ENDPOINTS + "/fraud/unknown", None, 501),
]
CLIENT = {"client_id": "robot", "client_secret": "planted-client-secret"}


def sent(handle, method, path, value, token):
    """Make one call and return status, headers and body."""
    form = path.startswith("/oidc")
    body = None if value is None else urlencode(CLIENT | value) if form else json.dumps(value)
    headers = {"Content-Type": FORM if form else JSON} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection = http.client.HTTPConnection(handle.host.removeprefix("http://"), timeout=60)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def kept_to(method, path, status, headers, body):
    return response_violations(method, path.partition("?")[0], status, headers["Content-Type"], body, headers=headers)


@pytest.fixture
def workspace(servesim):
    """A workspace that stands still, with a model and a client of OAuth."""
    servesim.clock.set_mode("frozen")
    servesim.models.stub("main.ml.fraud", "echo", signature=SIGNATURE)
    servesim.models.stub("main.ml.packed", "echo")
    packed = servesim.workspace.world.registry.get("main.ml.packed", "1")
    servesim.workspace.clock.execute(AddModel(packed, Details(staged=True)))
    servesim.principals.add(service_principal=CLIENT["client_id"], client_secret=CLIENT["client_secret"])
    return servesim


def test_every_operation_answers_as_its_contract_says(workspace):
    done, ident = set(), ""
    for method, path, value, expected in WALK:
        if path == "ready":
            workspace.clock.advance("1h")
            continue
        filled = path.replace("{id}", ident)
        status, headers, body = sent(workspace, method, filled, value, workspace.token)
        assert status == expected, (method, path, body)
        assert kept_to(method, filled, status, headers, body) == [], (method, path, body)
        if (method, path) == ("POST", ENDPOINTS + "/"):
            ident = json.loads(body)["id"]
        done.add((method, path.partition("?")[0].rstrip("/"), status))
    fine = {(method, path) for method, path, status in done if status == 200}
    assert len(fine) == len(operations(*SURFACES)) - 1  # no secret is ever shown


@pytest.mark.parametrize(("token", "expected"), [("", 401), ("dapi-wrong", 403)])
def test_who_has_no_credential_is_told_so_by_every_operation(workspace, token, expected):
    for one in operations(*SURFACES):
        if one.spec["security"] == [] or one.id == "get_token":
            continue
        answer = sent(workspace, one.method, one.path.replace("{", "").replace("}", ""), None, token)
        assert answer[0] == expected, one.id
        assert kept_to(one.method, one.path, *answer) == [], one.id
