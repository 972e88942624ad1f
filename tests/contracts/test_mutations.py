"""A server that is wrong in one way is caught by the contract suite; the real one passes every case of it."""

from __future__ import annotations

import http.client
import http.server
import json
import re
import threading
from collections.abc import Callable
from typing import NamedTuple
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner

from servesim.contracts.documents import OF_A_WORKSPACE
from servesim.delivery.cli import main
from servesim.delivery.contract_cases_workspace import SECRET_VALUE
from servesim.delivery.handle import LocalServer
from servesim.http.reply import encode

ADMIN_TOKEN = "admin-of-tests"
SURFACES = (*OF_A_WORKSPACE, "admin")
ENDPOINTS = "/api/2.0/serving-endpoints"
CHAIN = f"{ENDPOINTS}/servesim-contract-chain"
REGISTRY = "/api/2.0/mlflow"

MODELS = [
    {"name": "main.ml.fraud", "version": 1, "stub": {"constant": 0.1}, "signature": {"amount": "double"}},
    {"name": "main.ml.fraud", "version": 2, "stub": {"constant": 0.9}, "signature": {"amount": "double"}},
]
OTHERS = [{"name": name, "version": 1, "stub": "echo"} for name in ("churn", "scores")]
"""Of the workspace's own registry."""
SERVED = [
    {"name": name, "version": version, "stub": "echo", "stage": stage}
    for name in ("iris", "elastic")
    for version, stage in ((1, "Production"), (2, "Staging"))
]
WORLD = {
    "start": "2025-06-01T00:00:00Z",  # while every generation answers
    "serverless_preview": "enabled",
    "enabled_models": [
        {"name": "iris", "generation": "legacy"},
        {"name": "elastic", "generation": "serverless_preview"},
    ],
    "models": [
        *({**model, "example": {"dataframe_records": [{"amount": 12.5}]}} for model in MODELS),
        *OTHERS,
        *SERVED,
    ],
    "endpoints": [
        {
            "name": "fraud",
            "tags": [{"key": "team", "value": "risk"}],
            "config": {
                "served_entities": [
                    {"name": "champion", "entity_name": "main.ml.fraud", "entity_version": "1"},
                    {"name": "challenger", "entity_name": "main.ml.fraud", "entity_version": "2"},
                ],
                "traffic_config": {
                    "routes": [
                        {"served_entity_name": "champion", "traffic_percentage": 90},
                        {"served_entity_name": "challenger", "traffic_percentage": 10},
                    ]
                },
            },
        },
    ],
}


@pytest.fixture(scope="module")
def server():
    with LocalServer() as local:
        local.server.admin_token = ADMIN_TOKEN
        yield local


@pytest.fixture
def here(server, tmp_path):
    scenario = tmp_path / "world.json"
    scenario.write_text(json.dumps(WORLD))
    handle = server.open(scenario=scenario)
    yield handle
    handle.close()


class Asked(NamedTuple):
    """A request on its way through."""

    method: str
    path: str
    authorization: str


class Said(NamedTuple):
    """An answer on its way back."""

    status: int
    headers: dict[str, str]
    body: bytes


class Middleman(http.server.BaseHTTPRequestHandler):
    """Passes calls on to the real server, and answers what ``change`` makes of its answers."""

    address = ""
    change: Callable[[Asked, Said], Said]

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection(self.address, timeout=60)
        connection.request(self.command, self.path, body or None, dict(self.headers))
        answer = connection.getresponse()
        said = Said(answer.status, dict(answer.getheaders()), answer.read())
        connection.close()
        status, headers, body = type(self).change(
            Asked(self.command, self.path, self.headers.get("Authorization", "")), said
        )
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base class's names

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def mutant(here):
    """Start servers that change the answers of the real one; return their URL."""
    started = []

    def start(change):
        address = here.host.removeprefix("http://")
        handler = type("Mutant", (Middleman,), {"address": address, "change": staticmethod(change)})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.fixture
def check(here):
    """Run the suite against a URL and return its exit code and what it found."""

    def run(url, *options):
        login = ["--url", url, "--token", here.token, "--admin-token", ADMIN_TOKEN]
        result = CliRunner().invoke(main, ["contract", "check", *login, "--json", *options], catch_exceptions=False)
        return result.exit_code, json.loads(result.stdout) if result.stdout else result.stderr

    return run


EVERYTHING = [part for name in SURFACES for part in ("--surface", name)]


@pytest.mark.parametrize("way", ["direct", "through a middleman who changes nothing"])
def test_the_server_passes_every_case(check, here, mutant, way):
    code, found = check(here.host if way == "direct" else mutant(lambda _asked, said: said), *EVERYTHING)
    assert [(case["name"], case["wrong"], case["why"]) for case in found["cases"] if case["verdict"] != "passed"] == []
    assert (code, found["failed"], found["skipped"]) == (0, 0, 0)
    assert [case["name"] for case in found["cases"] if not case["evidence"]] == ["unknown-routes"]
    assert [one["name"] for one in json.loads(http_get(here, ENDPOINTS))["endpoints"]] == ["fraud"]
    assert http_get(here, "/api/2.0/secrets/scopes/list") == b"{}"


def http_get(here, path):
    """Read a path of the workspace."""
    with urlopen(Request(here.host + path, headers={"Authorization": f"Bearer {here.token}"}), timeout=30) as answer:
        return answer.read()


def edited(change, *, path=ENDPOINTS):
    """Change the JSON of every good said below a path; ``change`` edits one object in place."""

    def mutation(asked, said):
        if not asked.path.startswith(path) or said.status != 200:
            return said
        document = json.loads(said.body)
        for one in [document, *document.get("endpoints", [])]:
            change(one)
        return said._replace(body=encode(document))

    return mutation


def without_served_models(document):
    for part in ("config", "pending_config"):
        if part in document:
            document[part].pop("served_models", None)


def text_for_a_number(document):
    for part in ("config", "pending_config"):
        if "config_version" in document.get(part, {}):
            document[part]["config_version"] = str(document[part]["config_version"])


def number_for_a_text(document):
    if "creation_timestamp" in document:
        document["creation_timestamp"] = str(document["creation_timestamp"])


def without_pending_config(document):
    document.pop("pending_config", None)


def serving_early(document):
    if "pending_config" in document:
        document["config"] = document.pop("pending_config")


def resolved(document):
    for part in ("config", "pending_config"):
        for entity in document.get(part, {}).get("served_entities", []):
            for name, value in entity.get("environment_vars", {}).items():
                entity["environment_vars"][name] = re.sub(r"\{\{secrets/.*\}\}", SECRET_VALUE, value)


def a_field_too_many(document):
    if "creator" in document:
        document["rate_limits"] = []


def unknown_routes_answered(asked, said):
    return said._replace(status=200, body=b"{}") if said.status == 501 else said


def no_trailing_slash(asked, said):
    if asked.path.partition("?")[0] != ENDPOINTS + "/":
        return said
    return said._replace(status=404, body=encode({"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found."}))


def token_in_errors(asked, said):
    if said.status != 404:
        return said
    document = json.loads(said.body)
    document["message"] += f" (asked with {asked.authorization})"
    return said._replace(body=encode(document))


def token_in_a_header(asked, said):
    return said._replace(headers={**said.headers, "X-Asked-By": asked.authorization or "-"})


def secret_in_events(asked, said):
    if not asked.path.startswith(f"{CHAIN}/events"):
        return said
    return said._replace(body=said.body.replace(b"Container image", SECRET_VALUE.encode()))


def swapped(ours, theirs):
    """Swap an error_code for another one that clients know."""

    def mutation(_asked, said):
        return said._replace(body=said.body.replace(f'"{ours}"'.encode(), f'"{theirs}"'.encode()))

    return mutation


def integer_as_text(_asked, said):
    return said._replace(body=re.sub(rb'"error_code":(40[13])', rb'"error_code":"\1"', said.body))


def forbidden_for_unauthorized(_asked, said):
    return said._replace(status=401) if b"Invalid access token" in said.body else said


def unnamed_entity(_asked, said):
    kept = {name: value for name, value in said.headers.items() if name != "Served-Model-Name"}
    return said._replace(headers=kept)


def bare_predictions(asked, said):
    if not asked.path.startswith("/serving-endpoints/") or said.status != 200:
        return said
    return said._replace(body=encode(json.loads(said.body)["predictions"]))


def empty_delete(asked, said):
    return said._replace(body=b"") if asked.method == "DELETE" and said.status == 200 else said


def conflicts_forgotten(_asked, said):
    return said._replace(status=400) if said.status == 409 else said


def number_as_version(asked, said):
    """Tell a version's number as a number."""
    return said._replace(body=re.sub(rb'"version":"(\d+)"', rb'"version":\1', said.body))


def nothing_archived(_asked, said):
    return said._replace(body=said.body.replace(b'"Archived"', b'"Staging"'))


def stages_in_small_letters(_asked, said):
    return said._replace(body=said.body.replace(b'"current_stage":"None"', b'"current_stage":"none"'))


def pages_that_begin_anew(asked, said):
    """Answer every page with the first model."""
    if "page_token" not in asked.path:
        return said
    document = json.loads(said.body)
    for model in document.get("registered_models", ()):
        model["name"] = "churn"
    return said._replace(body=encode(document))


def no_older_path(asked, said):
    if "/preview/mlflow/" not in asked.path:
        return said
    return said._replace(status=404, body=encode({"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found."}))


def bodies_of_deletes_ignored(asked, said):
    if asked.method != "DELETE" or "?" in asked.path or REGISTRY not in asked.path:
        return said
    return said._replace(status=400, body=said.body)


def bad_input_is_a_fault(_asked, said):
    return said._replace(status=500) if b'"BAD_REQUEST"' in said.body else said


class Mutation(NamedTuple):
    """A change of the server's replies, which of the suite is run, and which case of it fails at least."""

    change: Callable
    options: tuple[str, ...]
    case: str


READING = ("--read-only", "--surface", "control")
SCORING = ("--read-only", "--surface", "data")
CHAIN_OF = ("--surface", "control")
WITH_SECRET = ("--surface", "control", "--surface", "workspace")


def numbers_as_text(_asked, said):
    """Tell a version's number as a text, where it is a number."""
    return said._replace(body=re.sub(rb'"(version|version_num)":(\d+)', rb'"\1":"\2"', said.body))


def ready_at_once(_asked, said):
    return said._replace(body=said.body.replace(b"PENDING_REGISTRATION", b"READY"))


def another_file(asked, said):
    return said._replace(body=said.body[:-1]) if asked.method == "GET" and asked.path.startswith(FILES) else said


def an_upload_with_an_answer(asked, said):
    return said._replace(status=200, body=b"{}") if asked.method == "PUT" and said.status == 204 else said


def no_levels(_asked, said):
    return said._replace(body=said.body.replace(b"specify all three levels", b"write all of it"))


def bodies_of_gets_ignored(asked, said):
    return said._replace(status=400) if asked.method == "GET" and asked.path.endswith("/get-status") else said


def states_in_small_letters(_asked, said):
    return said._replace(body=said.body.replace(b"ENDPOINT_STATE_READY", b"ready"))


def an_update_of_nothing(asked, said):
    """Tell of an update that there is not."""
    status = b'"config_update_status":{"state":"SERVICE_STATE_UNKNOWN","message":"","config":'
    config = re.search(rb'"config":(\{[^}]*\{[^}]*\}\})', said.body)
    if "/list-versions" not in asked.path or config is None:
        return said
    return said._replace(body=said.body.replace(b'"service_status":', status + config[1] + b'},"service_status":', 1))


def aliases_of_nothing(asked, said):
    if not asked.path.partition("?")[0].endswith("/list-version-aliases"):
        return said
    return said._replace(body=re.sub(rb'"endpoint_version_name":"\d+"', b'"endpoint_version_name":"9"', said.body))


def not_served_is(status):
    """Answer with a status to whatever a model is asked that is not served."""

    def mutation(asked, said):
        return said._replace(status=status) if "=servesim-contract-" in asked.path else said

    return mutation


FILES = "/api/2.0/fs/files"
PREVIEW_OF = ("--surface", "serverless_preview")
LOOKING_AT_PREVIEW = ("--read-only", "--surface", "serverless_preview")
LEGACY_OF = ("--surface", "legacy")
LOOKING_AT_LEGACY = ("--read-only", "--surface", "legacy")
CATALOG_OF = ("--surface", "unity_catalog")
LOOKING_AT_CATALOG = ("--read-only", "--surface", "unity_catalog")
MODELS_OF = ("--surface", "registry")
LOOKING_AT_MODELS = ("--read-only", "--surface", "registry")

MUTATIONS = {
    "served_models dropped": Mutation(edited(without_served_models), READING, "endpoint-details"),
    "unknown routes answered 200": Mutation(unknown_routes_answered, READING, "unknown-routes"),
    "config_version as text": Mutation(edited(text_for_a_number), READING, "endpoint-details"),
    "creation_timestamp as text": Mutation(edited(number_for_a_text), READING, "list-endpoints"),
    "a field that is never echoed": Mutation(edited(a_field_too_many), READING, "endpoint-details"),
    "trailing slash lost": Mutation(no_trailing_slash, READING, "list-with-slash"),
    "the token in errors": Mutation(token_in_errors, READING, "missing-endpoint"),
    "the token in a header": Mutation(token_in_a_header, READING, "list-endpoints"),
    "RESOURCE_DOES_NOT_EXIST swapped": Mutation(
        swapped("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"), READING, "missing-endpoint"
    ),
    "error_code of the gateway as text": Mutation(integer_as_text, READING, "no-token"),
    "a wrong token is answered 401": Mutation(forbidden_for_unauthorized, READING, "wrong-token"),
    "ENDPOINT_NOT_FOUND swapped": Mutation(
        swapped("ENDPOINT_NOT_FOUND", "RESOURCE_DOES_NOT_EXIST"), SCORING, "invoke-a-missing-endpoint"
    ),
    "BAD_REQUEST swapped": Mutation(swapped("BAD_REQUEST", "INVALID_PARAMETER_VALUE"), SCORING, "malformed-rows"),
    "bad input is answered 500": Mutation(bad_input_is_a_fault, SCORING, "malformed-rows"),
    "Served-Model-Name lost": Mutation(unnamed_entity, SCORING, "invoke-one-entity"),
    "predictions not wrapped": Mutation(bare_predictions, SCORING, "invoke-in-each-format"),
    "pending_config forgotten": Mutation(edited(without_pending_config), CHAIN_OF, "update"),
    "the new config serves early": Mutation(edited(serving_early), CHAIN_OF, "update"),
    "RESOURCE_CONFLICT swapped": Mutation(swapped("RESOURCE_CONFLICT", "ABORTED"), CHAIN_OF, "update"),
    "a conflict is answered 400": Mutation(conflicts_forgotten, CHAIN_OF, "update"),
    "RESOURCE_ALREADY_EXISTS swapped": Mutation(
        swapped("RESOURCE_ALREADY_EXISTS", "INVALID_PARAMETER_VALUE"), CHAIN_OF, "create-again"
    ),
    "DELETE answers nothing": Mutation(empty_delete, CHAIN_OF, "delete"),
    "a secret resolved in GET": Mutation(edited(resolved), WITH_SECRET, "updated"),
    "a secret in the events": Mutation(secret_in_events, WITH_SECRET, "readings"),
    "versions as numbers": Mutation(number_as_version, LOOKING_AT_MODELS, "registered-model-details"),
    "stages in small letters": Mutation(stages_in_small_letters, LOOKING_AT_MODELS, "registered-model-details"),
    "pages begin anew": Mutation(pages_that_begin_anew, LOOKING_AT_MODELS, "registered-models-by-pages"),
    "the preview path is gone": Mutation(no_older_path, LOOKING_AT_MODELS, "registered-models"),
    "a model that is missing is NOT_FOUND": Mutation(
        swapped("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"), LOOKING_AT_MODELS, "missing-registered-model"
    ),
    "a transition archives nothing": Mutation(nothing_archived, MODELS_OF, "a-version-and-its-stages"),
    "a model's name taken twice": Mutation(
        swapped("RESOURCE_ALREADY_EXISTS", "INVALID_PARAMETER_VALUE"), MODELS_OF, "a-registered-model"
    ),
    "a hint for MLflow's client lost": Mutation(no_levels, LOOKING_AT_CATALOG, "name-without-levels"),
    "versions of the catalog as text": Mutation(numbers_as_text, LOOKING_AT_CATALOG, "catalog-model-details"),
    "a version is ready before its files are there": Mutation(ready_at_once, CATALOG_OF, "a-version-and-its-files"),
    "a file that is not the one that was uploaded": Mutation(another_file, CATALOG_OF, "a-version-and-its-files"),
    "an upload that is answered 200": Mutation(an_upload_with_an_answer, CATALOG_OF, "a-version-and-its-files"),
    "the preview's older path is gone": Mutation(no_older_path, LOOKING_AT_PREVIEW, "preview-endpoints"),
    "a GET's body is not read": Mutation(bodies_of_gets_ignored, LOOKING_AT_LEGACY, "legacy-endpoints"),
    "states of the preview in small letters": Mutation(states_in_small_letters, PREVIEW_OF, "preview-of-a-model"),
    "an update that there is not": Mutation(an_update_of_nothing, LOOKING_AT_PREVIEW, "preview-versions"),
    "a stage's URL goes nowhere": Mutation(aliases_of_nothing, LOOKING_AT_LEGACY, "legacy-versions"),
    "the preview refuses as legacy serving does": Mutation(
        not_served_is(400), LOOKING_AT_PREVIEW, "preview-missing-model"
    ),
    "legacy serving refuses as the preview does": Mutation(not_served_is(404), LEGACY_OF, "legacy-missing-model"),
    "a DELETE's body is not read": Mutation(bodies_of_deletes_ignored, MODELS_OF, "a-registered-model"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_is_caught(check, mutant, here, name):
    mutation = MUTATIONS[name]
    code, found = check(mutant(mutation.change), *mutation.options)
    failed = {case["name"] for case in found["cases"] if case["verdict"] == "failed"}
    assert code == 1
    assert mutation.case in failed
    for secret in (here.token, ADMIN_TOKEN, SECRET_VALUE):
        assert not re.search(rf"(?<![\w-]){secret}(?![\w-])", json.dumps(found)), "it is shown by the report"
