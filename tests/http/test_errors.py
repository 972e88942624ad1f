"""Every refusal on the wire: status, error_code, text, and the envelope around them."""

import re

import pytest

from servesim.models.pool_types import LoadFailed, QueueFull, WorkerDied

ENDPOINTS = "/api/2.0/serving-endpoints"
ENTITY = {"entity_name": "main.ml.fraud", "entity_version": "1"}
SECOND = {**ENTITY, "entity_version": "2"}
BOTH = [{**ENTITY, "name": "a"}, {**SECOND, "name": "b"}]


def split(**shares):
    return {"routes": [{"served_entity_name": name, "traffic_percentage": share} for name, share in shares.items()]}


def one(**fields):
    return {"served_entities": [{**ENTITY, **fields}]}


def assert_refused(answer, status, code, text):
    """Check the envelope, which is the same for every refusal."""
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json")
    assert list(answer.json) == ["error_code", "message", "details"]
    assert (answer.json["error_code"], answer.json["message"]) == (code, text)
    (info,) = answer.json["details"]
    assert list(info) == ["@type", "request_id", "serving_data"]
    assert info["@type"] == "type.googleapis.com/google.rpc.RequestInfo"
    assert len(info["request_id"]) == 36


INVALID = "INVALID_PARAMETER_VALUE"
NAME = "Endpoint name must be maximum 63 characters, and alphanumeric with hyphens and underscores allowed in between."

CREATES = {
    "no name": ({}, NAME),
    "empty name": ({"name": ""}, NAME),
    "64 characters": ({"name": "x" * 64}, NAME),
    "hyphen first": ({"name": "-x"}, NAME),
    "hyphen last": ({"name": "x-"}, NAME),
    "underscore last": ({"name": "x_"}, NAME),
    "a dot": ({"name": "x.y"}, NAME),
    "a slash": ({"name": "x/y"}, NAME),
    "a line feed": ({"name": "x\n"}, NAME),
    "not ASCII": ({"name": "\u00e9"}, NAME),
    "other digits": ({"name": "\u0663"}, NAME),
    "reserved": (
        {"name": "databricks-x"},
        (
            "Endpoint name 'databricks-x' starts with 'databricks-', which is reserved for endpoints of Databricks. "
            "Choose another name."
        ),
    ),
    "gateway without a config": (
        {"name": "x", "ai_gateway": {"usage_tracking_config": {"enabled": True}}},
        "Cannot specify ai_gateway when creating endpoints without a config.",
    ),
    "rate limits without a config": (
        {"name": "x", "rate_limits": [{"calls": 1}]},
        "Cannot specify rate_limits when creating endpoints without a config.",
    ),
    "tag key": (
        {"name": "x", "tags": [{"key": "a.b"}]},
        (
            "Endpoint tag key a.b is either not between 1-255 characters long or contains one or more of the reserved "
            "characters: . , = / or :"
        ),
    ),
}


@pytest.mark.parametrize(("body", "text"), CREATES.values(), ids=CREATES)
def test_create_refuses(wire, body, text):
    assert_refused(wire.call("POST", ENDPOINTS, body), 400, INVALID, text)
    assert wire.list() == b'{"endpoints":[]}'


CONFIGS = {
    "legacy inference table": (
        {**one(), "auto_capture_config": {"enabled": True}},
        (
            "Legacy inference tables have been deprecated. The 'auto_capture_config' field can only be used with "
            "'enabled=false'. Please use AI Gateway inference tables instead."
        ),
    ),
    "no entities": (
        {},
        "A config needs at least one served entity: 'served_entities' is missing or empty.",
    ),
    "both twins": (
        {**one(), "served_models": [{"model_name": "main.ml.fraud", "model_version": "1"}]},
        "Give 'served_entities' or 'served_models' (its deprecated twin), not both.",
    ),
    "size twice": (
        one(workload_size="Small", max_provisioned_concurrency=8),
        "Served entity 'fraud-1' has both 'workload_size' and a range of provisioned concurrency; give one.",
    ),
    "unknown size": (
        one(workload_size="Tiny"),
        "'served_entities[0].workload_size' must be one of Small, Medium, Large; got \"Tiny\".",
    ),
    "same name twice": (
        {"served_entities": [{**ENTITY, "name": "a"}, {**SECOND, "name": "a"}], "traffic_config": split(a=100)},
        "Served entity name 'a' is used more than once; names in a config must differ.",
    ),
    "same default name twice": (
        {"served_entities": [ENTITY, ENTITY], "traffic_config": split(**{"fraud-1": 100})},
        "Served entity name 'fraud-1' is used more than once; names in a config must differ.",
    ),
    "no routes": (
        {"served_entities": BOTH},
        "'traffic_config' is required with more than one served entity: give a share to each of 'a', 'b'.",
    ),
    "route to nothing": (
        {"served_entities": BOTH, "traffic_config": split(a=50, c=50)},
        "Traffic route 'c' names no served entity of this config; it has 'a', 'b'.",
    ),
    "two routes to one": (
        {
            "served_entities": BOTH,
            "traffic_config": {"routes": [*split(a=50)["routes"], *split(a=50)["routes"]]},
        },
        "Served entity 'a' has more than one traffic route.",
    ),
    "sum of 99": (
        {"served_entities": BOTH, "traffic_config": split(a=50, b=49)},
        "The traffic percentages must add up to 100; these add up to 99.",
    ),
    "negative share": (
        {"served_entities": BOTH, "traffic_config": split(a=-1, b=101)},
        "'traffic_config.routes[0].traffic_percentage' must be an integer from 0 to 100; got -1.",
    ),
    "huge share": (
        {"served_entities": BOTH, "traffic_config": split(a=10**30, b=0)},
        "'traffic_config.routes[0].traffic_percentage' must be an integer from 0 to 100; got 1" + "0" * 30 + ".",
    ),
    "half a percent": (
        {"served_entities": BOTH, "traffic_config": split(a=99.5, b=0.5)},
        "'traffic_config.routes[0].traffic_percentage' must be an integer from 0 to 100; got 99.5.",
    ),
    "share of true": (
        {"served_entities": BOTH, "traffic_config": split(a=True, b=99)},
        "'traffic_config.routes[0].traffic_percentage' must be an integer from 0 to 100; got true.",
    ),
    "31 variables": (
        one(environment_vars={f"V{number}": "" for number in range(31)}),
        "Served entity 'fraud-1' has 31 environment variables; it can have 30.",
    ),
    "16 entities": (
        {
            "served_entities": [{**ENTITY, "name": f"e{number}"} for number in range(16)],
            "traffic_config": split(e0=100),
        },
        "The config has 16 served entities; an endpoint can have 15.",
    ),
}


@pytest.mark.parametrize(("config", "text"), CONFIGS.values(), ids=CONFIGS)
def test_a_config_is_refused_on_create_and_on_update(wire, config, text):
    wire.ready("there")
    before = wire.list(), wire.call("GET", f"{ENDPOINTS}/there").body
    on_update = wire.call("PUT", f"{ENDPOINTS}/there/config", config)
    assert_refused(on_update, 400, INVALID, text)
    on_create = wire.call("POST", ENDPOINTS, {"name": "new", "config": config})
    assert (
        on_create.json["message"]
        == text.replace("'served_", "'config.served_", 1).replace("'traffic_config.", "'config.traffic_config.")
        or on_create.json["message"] == text
    )
    assert (wire.list(), wire.call("GET", f"{ENDPOINTS}/there").body) == before


def test_what_is_missing(wire):
    text = "Endpoint with name 'none' does not exist."
    for method, path, body in (
        ("GET", "none", None),
        ("DELETE", "none", None),
        ("PUT", "none/config", {"served_entities": [ENTITY]}),
    ):
        assert_refused(wire.call(method, f"{ENDPOINTS}/{path}", body), 404, "RESOURCE_DOES_NOT_EXIST", text)


def test_an_unknown_model_suggests_the_near_name(wire):
    answer = wire.create(entities=[{"entity_name": "main.ml.farud", "entity_version": "1"}])
    text = "Registered model 'main.ml.farud' does not exist. Did you mean 'main.ml.fraud'?"
    assert_refused(answer, 404, "RESOURCE_DOES_NOT_EXIST", text)


def test_an_unknown_version_names_those_that_exist(wire):
    answer = wire.create(entities=[{**ENTITY, "entity_version": "7"}])
    text = "Version 7 of registered model 'main.ml.fraud' does not exist; it has '1', '2'."
    assert_refused(answer, 404, "RESOURCE_DOES_NOT_EXIST", text)


def test_a_taken_name(wire):
    wire.ready()
    text = "Serving endpoint with name fraud already exists"
    assert_refused(wire.create(), 400, "RESOURCE_ALREADY_EXISTS", text)
    # The name is looked at before whether it is taken.
    assert wire.create("fraud-").json["message"] == NAME


@pytest.mark.servesim(clock="frozen")
def test_an_update_while_one_runs(wire):
    wire.create()
    before = wire.call("GET", f"{ENDPOINTS}/fraud").body
    text = "Endpoint served entities are currently being updated. Wait until the update of 'fraud' has ended."
    for _ in range(2):
        answer = wire.call("PUT", f"{ENDPOINTS}/fraud/config", {"served_entities": [SECOND]})
        assert_refused(answer, 409, "RESOURCE_CONFLICT", text)
    assert wire.call("GET", f"{ENDPOINTS}/fraud").body == before


def test_an_external_model_is_not_simulated(wire):
    entity = {
        "external_model": {"name": "gpt", "provider": "openai", "openai_config": {"openai_api_key_plaintext": "s"}}
    }
    text = (
        "servesim does not simulate 'config.served_entities[0].external_model'. "
        "Serve a registered model with 'entity_name' and 'entity_version'."
    )
    assert_refused(wire.create(entities=[entity]), 501, "NOT_IMPLEMENTED", text)


# --- the data plane -------------------------------------------------------------------------------

NOT_FOUND = (
    "The given endpoint does not exist, please retry after checking the specified model and version deployment exists."
)


def assert_not_served(answer):
    """Check the envelope of the data plane, which is recorded without details."""
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json")
    assert answer.json == {"error_code": "ENDPOINT_NOT_FOUND", "message": NOT_FOUND}
    assert list(answer.json) == ["error_code", "message"]
    assert len(answer.headers["X-Request-Id"]) == 36


def test_scoring_what_is_not_there(wire):
    assert_not_served(wire.score("none"))
    assert_not_served(wire.score("none", "x"))
    wire.ready()
    assert_not_served(wire.score("fraud", "none"))
    wire.call("POST", ENDPOINTS, {"name": "bare"})
    assert_not_served(wire.score("bare"))


@pytest.mark.servesim(clock="frozen")
def test_scoring_what_was_never_ready(wire):
    wire.create()
    assert_not_served(wire.score())


def test_scoring_with_a_name_that_needs_encoding(wire):
    for name in ("a%2Fb", "%C3%A9", "a%00", "%ff", "x" * 5000):
        assert wire.score(name).json["error_code"] == "ENDPOINT_NOT_FOUND"


def test_the_url_of_a_served_entity_ignores_the_split(wire):
    wire.ready(
        entities=BOTH[:1],
    )
    wire.call("PUT", f"{ENDPOINTS}/fraud/config", {"served_entities": BOTH, "traffic_config": split(a=100, b=0)})
    for _ in range(3):
        wire.call("GET", f"{ENDPOINTS}/fraud")
    assert {wire.score().headers["Served-Model-Name"] for _ in range(20)} == {"a"}
    answer = wire.score(served="b")
    assert (answer.json, answer.headers["Served-Model-Name"]) == ({"predictions": [2]}, "b")


@pytest.mark.servesim(clock="frozen", hold_timeout=0.05)
def test_a_request_that_nothing_releases_is_told_what_it_waits_for(wire):
    wire.create(entities=[{**ENTITY, "scale_to_zero_enabled": True}])
    wire.handle.clock.advance("2h")
    answer = wire.score()
    assert (answer.status, answer.json["error_code"]) == (504, "DEADLINE_EXCEEDED")
    due = re.search(
        r"It waits for its cold start, due at (\S+); simulated time stands at (\S+)\.", answer.json["message"]
    )
    assert due[2] == "2026-01-05T11:00:00Z"
    assert f"servesim.clock.run_until('{due[1]}')" in answer.json["message"]
    wire.handle.clock.run_until(due[1])
    assert wire.score().json == {"predictions": [1]}


@pytest.mark.parametrize(
    ("outcome", "expected", "text"),
    [
        (QueueFull(64), (429, "RESOURCE_EXHAUSTED"), "Too many concurrent requests."),
        (LoadFailed("no module named 'x'"), (500, "INTERNAL_ERROR"), "no module named 'x'"),
        (WorkerDied("exit code 9"), (500, "INTERNAL_ERROR"), "process of served entity 'fraud-1' ended"),
    ],
    ids=["too much to do", "does not load again", "died"],
)
def test_a_model_that_gives_no_answer(wire, monkeypatch, outcome, expected, text):
    async def fail(*_arguments):
        return outcome

    wire.ready()
    monkeypatch.setattr(wire.handle.workspace.gateway, "waits_for_nothing", lambda *_: False)
    monkeypatch.setattr(wire.handle.workspace.models, "answer_now", lambda *_: None)
    monkeypatch.setattr(wire.handle.workspace.models, "answer", fail)
    answer = wire.score()
    assert (answer.status, answer.json["error_code"]) == expected
    assert text in answer.json["message"]
    assert list(answer.json) == ["error_code", "message"]


# --- what is not simulated ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "known"),
    [
        ("POST", f"{ENDPOINTS}/pt/fraud", "It knows no such path."),
        ("GET", f"{ENDPOINTS}/fraud/served-models/fraud-1", "It knows no such path."),
        ("PUT", f"{ENDPOINTS}/fraud/tags", "On this path it knows PATCH."),
        ("GET", "/api/2.0/clusters/list", "It knows no such path."),
        ("GET", "/", "It knows no such path."),
        (
            "POST",
            "/api/2.0/mlflow/runs/create",
            "It has registries, no runs: track them in a store of yours, e.g. MLFLOW_TRACKING_URI=sqlite:///mlflow.db.",
        ),
        ("GET", "/serving-endpoints/fraud/invocations", "It knows no such path."),
        ("POST", "/serving-endpoints/chat/completions", "It knows no such path."),
        ("PATCH", f"{ENDPOINTS}/fraud", "On this path it knows DELETE, GET."),
        ("PUT", ENDPOINTS, "On this path it knows GET, POST."),
        ("DELETE", f"{ENDPOINTS}/fraud/config", "On this path it knows PUT."),
        ("OPTIONS", f"{ENDPOINTS}/fraud", "On this path it knows DELETE, GET."),
    ],
)
def test_what_is_not_simulated_is_501_and_on_record(wire, method, path, known):
    call = f"{method} {path}"
    text = (
        f"servesim does not simulate {call}. {known} Check method and path, or give it an answer of your own: a route."
    )
    assert_refused(wire.call(method, path), 501, "NOT_IMPLEMENTED", text)
    assert wire.handle.not_simulated == {call: 1}
    line = wire.handle.log[-1]
    assert (line.what, line.subject, line.detail) == ("not simulated", "tester@example.com", call)
    wire.handle.workspace.not_simulated.clear()  # meant here, no news for the summary


def test_a_query_string_is_not_put_on_record(wire):
    wire.call("GET", "/nowhere?password=planted")
    assert wire.handle.not_simulated == {"GET /nowhere": 1}
    wire.handle.workspace.not_simulated.clear()  # meant here, no news for the summary


# --- our own failures -----------------------------------------------------------------------------


def test_a_failure_of_servesim_is_answered_and_logged_with_one_id(wire, caplog, monkeypatch):
    from servesim.generations import ga

    def broken(*_arguments):
        message = "planted: a detail of the inside"
        raise RuntimeError(message)

    monkeypatch.setattr(ga, "render_endpoint", broken)
    answer = wire.create()
    assert (answer.status, answer.json["error_code"]) == (500, "INTERNAL_ERROR")
    assert "planted" not in answer.body.decode()
    request_id = answer.json["details"][0]["request_id"]
    assert request_id in answer.json["message"]
    (record,) = caplog.records
    assert record.name == "servesim"
    assert request_id in record.getMessage()
    assert "planted" in str(record.exc_info[1])


@pytest.mark.parametrize(
    "clock",
    [pytest.param(mode, marks=pytest.mark.servesim(clock=mode, profile="instant")) for mode in ("autojump", "paced")],
)
def test_a_failure_of_ours_while_a_model_loads_is_a_failed_deployment(wire, caplog, clock):
    async def broken(_effect):
        raise OSError("no such pool")

    assert wire.handle.clock.mode == clock
    wire.handle.workspace.clock._mover._load = broken
    wire.create()
    while (answer := wire.call("GET", f"{ENDPOINTS}/fraud").json)["state"]["config_update"] == "IN_PROGRESS":
        pass
    state = answer["pending_config"]["served_entities"][0]["state"]
    assert state["deployment"] == "DEPLOYMENT_FAILED"
    assert "no such pool" in state["deployment_state_message"]
    assert [record.getMessage() for record in caplog.records] == ["loading main.ml.fraud failed"]


@pytest.mark.parametrize("problem", [ConnectionResetError, BrokenPipeError, TimeoutError, KeyError, RecursionError])
def test_a_failure_of_any_kind_is_answered(wire, caplog, monkeypatch, problem):
    def broken(*_arguments):
        raise problem

    monkeypatch.setattr(wire.handle.workspace.world, "get", broken)
    answer = wire.call("GET", f"{ENDPOINTS}/fraud")
    assert (answer.status, answer.json["error_code"]) == (500, "INTERNAL_ERROR")
    assert [record.name for record in caplog.records] == ["servesim"]
