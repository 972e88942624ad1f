"""The handle on a workspace: models, clock, cancel, event log."""

from __future__ import annotations

import json
import sys
import threading
import urllib.request

import pytest

from servesim.core.errors import Rejected
from servesim.delivery.extras import MissingExtra, needs


def call(sim, path, body=None, method=None):
    """Make a plain call and return status, answer, headers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(sim.host + path, data=data, method=method)
    request.add_header("Authorization", f"Bearer {sim.token}")
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), error.headers


def create(sim, name, model, **entity):
    spec = {"entity_name": model, "entity_version": "1", **entity}
    assert call(sim, "/api/2.0/serving-endpoints", {"name": name, "config": {"served_entities": [spec]}})[0] == 200
    while call(sim, f"/api/2.0/serving-endpoints/{name}")[1]["state"]["config_update"] == "IN_PROGRESS":
        pass


def score(sim, name, *rows, **rest):
    return call(sim, f"/serving-endpoints/{name}/invocations", {"dataframe_records": list(rows), **rest})


def test_a_callable_answers_in_a_thread_of_its_own(servesim):
    seen = []

    def predict(rows, params):
        seen.append(threading.current_thread().name)
        return [row["a"] * params.get("by", 1) for row in rows]

    servesim.models.function("m", predict)
    create(servesim, "e", "m")
    assert score(servesim, "e", {"a": 2}, {"a": 3}, params={"by": 10})[1] == {"predictions": [20, 30]}
    assert seen[0].startswith("servesim-model")


def test_a_callable_that_raises_is_a_model_that_raised(servesim):
    def predict(rows):
        raise ValueError("boom")

    servesim.models.function("m", predict, signature={"a": "double"})
    create(servesim, "e", "m")
    status, answer, _ = score(servesim, "e", {"a": 2})
    assert (status, answer["error_code"]) == (400, "BAD_REQUEST")
    assert "ValueError: boom" in answer["stack_trace"]


def test_a_signature_is_enforced_for_stubs_and_callables(servesim):
    servesim.models.stub("m", "echo", signature={"a": "double"})
    servesim.models.function("f", lambda rows: rows, signature={"a": "double"})
    for name in ("m", "f"):
        create(servesim, name, name)
        assert score(servesim, name, {"a": 1})[1] == {"predictions": [{"a": 1.0}]}
        status, answer, _ = score(servesim, name, {"b": 1})
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_what_only_mlflow_can_check_is_501_and_names_the_extra(servesim):
    servesim.models.stub("m")
    model = servesim.workspace.world.registry.get("m", "1")
    object.__setattr__(model, "signature", json.dumps({"inputs": '[{"type": "any", "name": "x"}]', "params": None}))
    create(servesim, "e", "m")
    status, answer, _ = score(servesim, "e", {"x": 1})
    assert (status, answer["error_code"]) == (501, "NOT_IMPLEMENTED")
    assert "servesim[mlflow]" in answer["message"]


def test_a_version_has_the_stage_that_is_said(servesim):
    servesim.models.stub("m", stage="Production")
    servesim.models.function("m", lambda rows: rows, stage="Staging")
    servesim.models.stub("m")
    assert [row["stage"] for row in servesim.models.list("m")] == ["Production", "Staging", "None"]
    with pytest.raises(ValueError, match="'Prod' is not a valid Stage"):
        servesim.models.stub("m", stage="Prod")
    with pytest.raises(ValueError, match="whose versions have no stage: use aliases"):
        servesim.models.stub("main.ml.m", stage="Production")


def test_versions_count_up_unless_named(servesim):
    assert servesim.models.stub("m") == "1"
    assert servesim.models.stub("m", version=7) == "7"
    assert servesim.models.function("m", len) == "8"


def test_the_clock_moves_when_told_and_never_back(servesim):
    assert servesim.clock.advance("31m") == "2026-01-05T09:31:00Z"
    assert servesim.clock.advance(1.5) == "2026-01-05T09:31:01.500Z"
    assert servesim.clock.run_until("2026-01-05T10:00:00+00:00") == "2026-01-05T10:00:00Z"
    assert servesim.clock.run_until("2026-01-01T00:00:00") == "2026-01-05T10:00:00Z"
    with pytest.raises(ValueError, match="time does not run backwards"):
        servesim.clock.advance(-1)
    with pytest.raises(ValueError, match="'half an hour' is not a duration"):
        servesim.clock.advance("half an hour")


@pytest.mark.servesim(clock="frozen")
def test_an_update_can_be_canceled(servesim):
    servesim.models.stub("m")
    spec = {"entity_name": "m", "entity_version": "1"}
    call(servesim, "/api/2.0/serving-endpoints", {"name": "e", "config": {"served_entities": [spec]}})
    servesim.cancel_update("e")
    answer = call(servesim, "/api/2.0/serving-endpoints/e")[1]
    assert answer["state"] == {
        "ready": "NOT_READY",
        "config_update": "UPDATE_CANCELED",
        "suspend": "NOT_SUSPENDED",
    }
    assert answer["pending_config"]["served_entities"][0]["state"]["deployment"] == "DEPLOYMENT_ABORTED"
    with pytest.raises(Rejected, match="no update"):
        servesim.cancel_update("e")


@pytest.mark.servesim(clock="frozen", hold_timeout=0.05)
def test_a_held_request_in_a_frozen_world_says_what_would_move_it(servesim):
    servesim.models.stub("m")
    spec = {"entity_name": "m", "entity_version": "1", "scale_to_zero_enabled": True}
    call(servesim, "/api/2.0/serving-endpoints", {"name": "e", "config": {"served_entities": [spec]}})
    servesim.clock.advance("41m")
    status, answer, _ = score(servesim, "e", {"a": 1})
    assert (status, answer["error_code"]) == (504, "DEADLINE_EXCEEDED")
    assert "waits for its cold start, due at 2026-01-05T09:41:1" in answer["message"]
    assert "servesim.clock.run_until('2026-01-05T09:41:1" in answer["message"]


def test_the_environment_points_clients_here(servesim):
    assert servesim.env["DATABRICKS_HOST"] == servesim.host
    assert servesim.env["DATABRICKS_TOKEN"] == servesim.token


def test_the_event_log_tells_the_story(servesim):
    servesim.models.stub("m")
    create(servesim, "e", "m")
    told = [(line.what, line.subject) for line in servesim.log]
    assert told[:4] == [
        ("principal added", "tester@example.com"),
        ("model added", "m"),
        ("endpoint created", "tester@example.com"),
        ("config asked for", "tester@example.com"),
    ]
    assert ("deployment ready", "m-1") in told


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "databricks.sdk", None)
    with pytest.raises(MissingExtra, match=r"pip install 'servesim\[clients\]'"), needs("clients"):
        import databricks.sdk  # noqa: F401 - the import is the case


def test_ids_and_draws_follow_the_seed_alone(servesim_server):
    def world(seed):
        sim = servesim_server.open(seed=seed)
        sim.models.stub("m")
        create(sim, "e", "m")
        found = call(sim, "/api/2.0/serving-endpoints/e")[1]["id"]
        sim.close()
        return found

    assert world(1) == world(1) != world(2)


def test_a_large_body_does_not_hold_up_the_others(servesim):
    from servesim.models.host import AT_ONCE_BYTES

    servesim.models.stub("m", "constant", value=1)
    create(servesim, "e", "m")
    host = servesim.workspace.models
    model = servesim.workspace.world.registry.get("m", "1")
    large = b'{"inputs": [' + b"1," * AT_ONCE_BYTES + b"1]}"
    assert host.answer_now(model, b'{"inputs": [1]}', "application/json") is not None
    assert host.answer_now(model, large, "application/json") is None
    status, answer, _ = call(servesim, "/serving-endpoints/e/invocations", json.loads(large))
    assert (status, len(answer["predictions"])) == (200, AT_ONCE_BYTES + 1)


@pytest.mark.parametrize("function", [3, None, "predict"])
def test_what_cannot_be_called_is_refused_when_it_is_registered(servesim, function):
    with pytest.raises(TypeError, match="a model is a plain function of rows"):
        servesim.models.function("m", function)


def test_a_coroutine_function_is_refused_when_it_is_registered(servesim):
    async def predict(rows):
        return rows

    with pytest.raises(TypeError, match="a model is a plain function of rows"):
        servesim.models.function("m", predict)


def test_a_handle_goes_on_after_a_reset(servesim, servesim_server):
    servesim.models.stub("m")
    servesim.clock.advance("1h")
    servesim_server.run(servesim.workspace.reset())
    assert servesim.clock.now() == "2026-01-05T09:00:00Z"
    assert servesim.clock.advance("1m") == "2026-01-05T09:01:00Z"
    assert servesim.models.stub("m") == "1"
    servesim.routes.add("GET", "/x", 1)
    assert call(servesim, "/x")[:2] == (200, 1)


# --- models that ask for time ---------------------------------------------------------------------

MOVERS = {
    "servesim.clock.advance": lambda sim: sim.clock.advance("1m"),
    "servesim.clock.run_until": lambda sim: sim.clock.run_until("2027-01-01T00:00:00Z"),
    "servesim.cancel_update": lambda sim: sim.cancel_update("e"),
    "servesim.start": lambda sim: sim.start(len, ""),
    "Pending.result": lambda sim: sim.pending.result(),
    "servesim.close": lambda sim: sim.close(),
}


@pytest.mark.parametrize("clock", ["autojump", "frozen", "paced"])
@pytest.mark.parametrize("name", MOVERS)
def test_a_model_that_would_wait_for_time_is_told_at_once(servesim_server, name, clock):
    with servesim_server.open(clock=clock, profile="instant") as sim:
        sim.pending = sim.start(len, "")
        sim.models.function("m", lambda rows: MOVERS[name](sim))
        create(sim, "e", "m")
        status, answer, _ = score(sim, "e", {"a": 1})
        assert (status, answer["error_code"]) == (400, "BAD_REQUEST")
        told = f"RuntimeError: {name}() was called from inside a model: the clock waits for this request"
        assert told in answer["stack_trace"]


def test_a_model_may_look_at_the_clock_and_register_models(servesim):
    servesim.models.function("m", lambda rows: [servesim.clock.now(), servesim.models.stub("n")])
    create(servesim, "e", "m")
    now = servesim.clock.now()
    assert score(servesim, "e", {"a": 1}, {"a": 2})[1] == {"predictions": [now, "1"]}


@pytest.fixture
def chained(servesim):
    """Give a workspace with two endpoints at zero, of which the first asks the second."""
    servesim.models.stub("second", "constant", value=2)
    servesim.models.function("first", lambda rows: score(servesim, "second", *rows)[1].get("predictions", ["none"]))
    spec = {"entity_version": "1", "scale_to_zero_enabled": True}
    for name in ("first", "second"):
        config = {"served_entities": [{"entity_name": name, **spec}]}
        assert call(servesim, "/api/2.0/serving-endpoints", {"name": name, "config": config})[0] == 200
    servesim.clock.advance("41m")
    return servesim


def test_a_cold_start_within_a_cold_start_goes_on(chained):
    """Time waits for the first request, whose model waits for time: it is the model that time then waits for."""
    before = chained.clock.now()
    assert score(chained, "first", {"a": 1})[1] == {"predictions": [2]}
    assert before < chained.clock.now() < "2026-01-05T09:41:41"  # two cold starts, one after the other
    starts = [(line.what, line.subject) for line in chained.log if line.what == "answered"]
    assert starts == [("answered", "second-1"), ("answered", "first-1")]


def test_a_cold_start_within_a_cold_start_is_the_same_every_time(servesim_server):
    def live():
        with servesim_server.open(seed=5) as sim:
            sim.models.stub("second", "constant", value=2)
            sim.models.function("first", lambda rows: score(sim, "second", *rows)[1]["predictions"])
            for name in ("first", "second"):
                create(sim, name, name, scale_to_zero_enabled=True)
            sim.clock.advance("41m")
            score(sim, "first", {"a": 1})
            return sim.log

    assert live() == live()


@pytest.mark.parametrize(
    "ready", [(), ("two",), ("three",), ("two", "three")], ids=lambda ready: "-".join(ready) or "none"
)
def test_a_chain_of_models_goes_on_whichever_of_them_are_ready(servesim, ready):
    """The first waits for time by way of others, which may themselves be waited for by time, or not."""
    chain = {"one": "two", "two": "three", "three": "four"}
    for name, following in chain.items():
        servesim.models.function(name, lambda rows, to=following: score(servesim, to, *rows)[1]["predictions"])
    servesim.models.stub("four", "constant", value=4)
    for name in (*chain, "four"):
        create(servesim, name, name, scale_to_zero_enabled=name not in ready)
    servesim.clock.advance("41m")
    assert score(servesim, "one", {"a": 1})[1] == {"predictions": [4]}


@pytest.mark.servesim(clock="frozen")
def test_a_cold_start_within_a_cold_start_when_time_is_moved(chained):
    pending = chained.start(score, chained, "first", {"a": 1})
    assert pending.state == "held"
    chained.clock.advance("1m")
    assert pending.result()[1] == {"predictions": [2]}


@pytest.mark.servesim(clock="frozen", hold_timeout=0.05)
def test_a_cold_start_within_a_cold_start_that_time_does_not_reach(chained):
    """The move ends before the second cold start does: the model gets the 504 and answers."""
    pending = chained.start(score, chained, "first", {"a": 1})
    chained.clock.run_until(pending.waits_for.partition("due at ")[2].partition(";")[0])
    assert pending.result()[1] == {"predictions": ["none"]}


@pytest.mark.sdk
@pytest.mark.servesim(poll="settle")
def test_a_model_that_takes_longer_than_the_limit_for_its_own_calls_is_timed_out(servesim):
    from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput

    endpoints = servesim.client().serving_endpoints
    entity = ServedEntityInput(entity_name="n", entity_version="1")
    config = EndpointCoreConfigInput("other", served_entities=[entity])
    names = []
    servesim.models.stub("n")
    servesim.models.function("m", lambda rows: names.append(endpoints.create_and_wait("other", config=config).name))
    create(servesim, "e", "m", scale_to_zero_enabled=True)
    servesim.clock.advance("41m")
    status, answer, _ = score(servesim, "e", {"a": 1})
    assert names == ["other"]  # ten simulated minutes later
    assert (status, answer["error_code"]) == (504, "DEADLINE_EXCEEDED")
    assert "Timed out while evaluating the model" in answer["message"]
