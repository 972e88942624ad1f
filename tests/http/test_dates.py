"""Dates over the wire: announced beforehand, in force from their first instant on, and of every kind of thing."""

from __future__ import annotations

import pytest

from servesim.core.calendar import GATEWAY_PAGE, MIGRATION_PAGE

ENDPOINTS = "/api/2.0/serving-endpoints"
LEGACY = "/api/2.0/preview/mlflow/endpoints"
PREVIEW = "/api/2.0/mlflow/endpoints-v2"
CLOSES, ENDS = "2025-08-22T00:00:00Z", "2025-09-15T00:00:00Z"
BOTH = f'<{MIGRATION_PAGE}>; rel="deprecation"; type="text/html", <{MIGRATION_PAGE}>; rel="sunset"; type="text/html"'
OWN = {"serverless_preview": "2026-03-01/2026-04-01"}


def told(answer):
    """Return what an answer announces: Deprecation, Sunset and Link."""
    return tuple(answer.headers.get(name) for name in ("Deprecation", "Sunset", "Link"))


@pytest.fixture
def wire(wire):
    """A workspace with a model of the workspace registry as well, one version in each stage."""
    for _ in range(2):
        wire.handle.models.stub("iris", "constant", value=1, service_time="60s")
    wire.move("iris", "1", "Production")
    wire.move("iris", "2", "Staging")
    return wire


def enable(wire, surface=LEGACY, model="iris"):
    return wire.call("POST", f"{surface}/enable", {"registered_model_name": model})


def status_of(wire, surface=LEGACY, model="iris"):
    return wire.call("GET", f"{surface}/get-status?registered_model_name={model}")


def score(wire, path="model"):
    return wire.call("POST", f"/{path}/iris/Production/invocations", {"inputs": [1]})


def refused_with(answer, *words):
    assert (answer.status, answer.json["error_code"]) == (404, "FEATURE_DISABLED")
    for word in (*words, "--start-time", "start="):
        assert word in answer.json["message"]
    return True


# --- the two steps of a surface -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "opens"),
    [("2025-08-21T00:00:00Z", True), ("2025-08-21T23:59:59.999Z", True), (CLOSES, False), ("2025-08-23", False)],
    ids=["day-before", "last-instant", "first-instant", "day-after"],
)
def test_nothing_new_begins_from_the_first_instant_of_the_first_day_on(servesim_server, make_wire, at, opens):
    with servesim_server.open(start=at) as sim:
        for model in ("iris", "rose"):
            sim.models.stub(model, "constant", value=1)
        sim.model_endpoints.enable("iris", "legacy")
        wire = make_wire(sim)
        answer = enable(wire, model="rose")
        if opens:
            assert answer.status == 200
        else:
            assert refused_with(answer, "'legacy' since " + CLOSES, MIGRATION_PAGE, at[:10])
        assert (status_of(wire).status, wire.call("POST", "/model/iris/1/invocations", {"inputs": [1]}).status) == (
            200,
            200,
        )


@pytest.mark.parametrize(
    ("at", "answers"),
    [("2025-09-14T00:00:00Z", True), ("2025-09-14T23:59:59.999Z", True), (ENDS, False), ("2025-09-16", False)],
    ids=["day-before", "last-instant", "first-instant", "day-after"],
)
def test_nothing_answers_from_the_first_instant_of_the_last_day_on(servesim_server, make_wire, at, answers):
    with servesim_server.open(start="2025-08-01", clock="frozen") as sim:
        sim.models.stub("iris", "constant", value=1)
        sim.model_endpoints.enable("iris", "legacy")
        sim.clock.run_until(at)
        wire = make_wire(sim)
        scored = wire.call("POST", "/model/iris/1/invocations", {"inputs": [1]})
        found = [status_of(wire), wire.call("GET", f"{LEGACY}/list"), scored]
        if answers:
            assert [one.status for one in found] == [200, 200, 200]
        else:
            assert all(refused_with(one, "'legacy' is retired since " + ENDS, MIGRATION_PAGE, at[:10]) for one in found)
        (row,) = sim.model_endpoints.list()
        assert row["state"] == ("ready" if answers else "ended")
        assert wire.call("GET", ENDPOINTS).status == 200


@pytest.mark.servesim(dates=OWN, serverless_preview="enabled", clock="frozen", start="2026-02-01", profile="instant")
def test_a_date_of_ones_own_gives_the_preview_the_same_two_steps(wire):
    assert enable(wire, PREVIEW).status == 200
    assert told(status_of(wire, PREVIEW)) == ("@1772323200", "Wed, 01 Apr 2026 00:00:00 GMT", BOTH)
    wire.handle.models.stub("rose", "echo")
    wire.handle.clock.run_until("2026-03-01")
    assert refused_with(enable(wire, PREVIEW, "rose"), "2026-03-01T00:00:00Z")
    wire.handle.clock.run_until("2026-03-31T23:59:59.999Z")
    assert status_of(wire, PREVIEW).status == 200
    wire.handle.clock.run_until("2026-04-01")
    for answer in (status_of(wire, PREVIEW), enable(wire, PREVIEW, "rose"), score(wire, "model-endpoint")):
        assert refused_with(answer, "'serverless_preview' is retired since 2026-04-01T00:00:00Z")


@pytest.mark.servesim(dates={"legacy": "never"}, profile="instant")
def test_a_surface_whose_end_was_taken_away_goes_on_and_announces_nothing(wire):
    assert enable(wire).status == 200
    assert told(status_of(wire)) == (None, None, None)


# --- across an end --------------------------------------------------------------------------------

ASLEEP = """
profile: {base: instant, cold_start: 1m}
models: [{name: iris, stub: {constant: 1}, stage: Production, service_time: 60s}]
serverless_preview: enabled
enabled_models:
  - {name: iris, generation: serverless_preview, compute: {Production: {scale_to_zero: true}}}
"""


@pytest.fixture
def ending(servesim_server, make_wire, tmp_path):
    """A frozen world whose preview ends at the next midnight, half a minute away; its model is asleep or awake."""
    (tmp_path / "world.yaml").write_text(ASLEEP, encoding="utf-8")
    options = {"clock": "frozen", "start": "2026-03-31T23:00:00Z", "dates": {"serverless_preview": "2026-04-01"}}
    with servesim_server.open(scenario=tmp_path / "world.yaml", hold_timeout=30, **options) as sim:
        yield make_wire(sim)


def test_a_request_that_is_held_across_the_end_is_refused(ending):
    sim = ending.handle
    sim.clock.run_until("2026-03-31T23:59:30Z")  # half an hour without traffic has gone by
    held = sim.start(score, ending, "model-endpoint")
    assert held.state == "held"
    sim.clock.run_until("2026-03-31T23:59:59.999Z")
    assert held.state == "held"
    sim.clock.run_until("2026-04-01")
    assert refused_with(held.result(), "'serverless_preview' is retired since 2026-04-01T00:00:00Z")


def test_a_request_that_was_admitted_before_the_end_completes(ending):
    sim = ending.handle
    first = sim.start(score, ending, "model-endpoint")
    sim.clock.advance("2m")
    assert first.result().status == 200
    sim.clock.run_until("2026-03-31T23:30:00Z")
    sim.start(score, ending, "model-endpoint")  # keeps it awake
    sim.clock.run_until("2026-03-31T23:59:30Z")
    admitted = sim.start(score, ending, "model-endpoint")
    sim.clock.run_until("2026-04-01T00:00:30Z")
    assert admitted.result().status == 200
    assert refused_with(score(ending, "model-endpoint"))


# --- headers --------------------------------------------------------------------------------------


@pytest.mark.servesim(start="2025-06-01", profile="instant")
def test_known_days_are_announced_on_every_answer_of_a_surface(wire):
    days = ("@1755820800", "Mon, 15 Sep 2025 00:00:00 GMT", BOTH)
    assert enable(wire).status == 200
    answers = [status_of(wire), score(wire), status_of(wire, model="other"), wire.call("GET", f"{LEGACY}/list")]
    answers += [wire.call("POST", "/model/other/1/invocations", {"inputs": [1]})]
    assert [(told(one), one.status < 400) for one in answers] == [
        (days, True),
        (days, True),
        (days, False),
        (days, True),
        (days, False),
    ]
    wire.handle.clock.run_until(ENDS)
    assert told(status_of(wire)) == days


@pytest.mark.servesim(serverless_preview="enabled", poll="settle", dates={"serverless_preview": "2026-01-05T09:01:00Z"})
def test_a_poll_that_waits_until_after_the_end_is_refused(wire):
    assert enable(wire, PREVIEW).status == 200
    assert refused_with(status_of(wire, PREVIEW), "'serverless_preview' is retired since 2026-01-05T09:01:00Z")


@pytest.mark.servesim(profile="instant")
def test_where_no_day_was_published_the_end_is_announced_without_one(wire):
    answers = [
        status_of(wire, PREVIEW),
        status_of(wire, PREVIEW.replace("/api/2.0", "/preview")),
        score(wire, "model-endpoint"),
    ]
    assert [told(one) for one in answers] == [("true", None, BOTH.partition(", ")[0])] * 3
    assert told(wire.call("GET", ENDPOINTS)) == (None, None, None)


@pytest.mark.servesim(start="2025-06-01", sunset_headers=False, dates={"operation:update_tags": "2026-01-01"})
def test_they_can_be_left_out(wire):
    wire.create()
    answers = [status_of(wire), status_of(wire, PREVIEW), wire.call("PATCH", f"{ENDPOINTS}/fraud/tags", {})]
    assert [told(one) for one in answers] == [(None, None, None)] * 3


# --- operations, fields, values -------------------------------------------------------------------

DATED = {
    "operation:update_tags": "2026-02-01",
    "field:create_endpoint:description": "2026-02-01",
    "field:*:served_models": "2026-02-01",
    'value:*:served_entities.workload_size="Large"': "2026-02-01",
    "operation:list_events": "2026-01-10/never",
}
MODELS = {"served_models": [{"model_name": "main.ml.fraud", "model_version": "1", "scale_to_zero_enabled": True}]}
LARGE = {"served_entities": [{"entity_name": "main.ml.fraud", "entity_version": "1", "workload_size": "Large"}]}
USES = {
    "operation": (("PATCH", "/fraud/tags", {"add_tags": [{"key": "a"}]}), "The operation 'update_tags' is retired"),
    "field": (("POST", "", {"name": "new", "description": ""}), "The field 'description' is retired"),
    "field-anywhere": (("POST", "", {"name": "new", "config": MODELS}), "The field 'served_models' is retired"),
    "value": (("PUT", "/fraud/config", LARGE), "The field 'served_entities.workload_size' takes \"Large\" no more"),
}


@pytest.mark.parametrize("kind", USES)
@pytest.mark.parametrize("ended", [False, True], ids=["before", "from-then-on"])
@pytest.mark.servesim(start="2026-01-31", clock="frozen", profile="instant", dates=DATED)
def test_operations_fields_and_values_have_dates(wire, kind, ended):
    wire.create()
    wire.handle.clock.run_until("2026-02-01T00:00:00Z" if ended else "2026-01-31T23:59:59.999Z")
    (method, path, body), text = USES[kind]
    answer = wire.call(method, ENDPOINTS + path, body, {"X-Servesim-Evidence": "1"})
    assert told(answer) == ("@1769904000", "Sun, 01 Feb 2026 00:00:00 GMT", None)
    if not ended:
        assert answer.status == 200
        return
    assert (answer.status, answer.headers["X-Servesim-Evidence"]) == (404 if kind == "operation" else 400, "injected")
    message = answer.json["message"]
    assert message.startswith(text)
    assert "since 2026-02-01T00:00:00Z" in message
    assert "time of this workspace is 2026-02-01T00:00:00Z" in message
    assert "--start-time" in message


@pytest.mark.servesim(start="2025-06-01", dates={"field:*:registered_model_name": "2025-01-01"})
@pytest.mark.parametrize(
    ("method", "path", "body", "content_type"),
    [
        ("POST", "/enable", {"registered_model_name": "iris"}, "application/json"),
        ("POST", "/enable", b"registered%5Fmodel_name=iris", "application/x-www-form-urlencoded"),
        ("GET", "/get-status", {"registered_model_name": "iris"}, "application/json"),
        ("GET", "/get-status?registered_model_name=iris", None, "application/json"),
    ],
    ids=["body", "form", "body of a GET", "query"],
)
def test_a_field_ends_wherever_it_is_sent(wire, method, path, body, content_type):
    answer = wire.call(method, LEGACY + path, body, {"Content-Type": content_type})
    assert (answer.status, "'registered_model_name' is retired" in answer.json["message"]) == (400, True)


@pytest.mark.servesim(start="2026-02-02", profile="instant", dates=DATED)
def test_a_call_that_uses_none_of_it_hears_nothing(wire):
    answer = wire.create()
    assert (answer.status, told(answer)) == (200, (None, None, None))
    events = wire.call("GET", f"{ENDPOINTS}/fraud/events")
    assert (events.status, told(events)) == (200, ("@1768003200", None, None))


@pytest.mark.servesim(dates={"operation:update_tags": "2026-01-01"})
def test_without_a_token_nobody_hears_of_dates(wire):
    answer = wire.call("PATCH", f"{ENDPOINTS}/fraud/tags", {}, token=False)
    assert (answer.status, told(answer)) == (401, (None, None, None))


@pytest.mark.servesim(dates={"operation:create_endpoint": "2026-01-01"}, validate_responses=True)
def test_a_fault_on_a_dated_operation_strikes_nothing(wire):
    wire.handle.faults.add("status", status=500, operation="create_endpoint")
    assert wire.create().status == 404
    assert len(wire.handle.faults.unused()) == 1
    wire.handle.faults.remove(1)


# --- the older inference table --------------------------------------------------------------------

CAPTURE = {"catalog_name": "main", "schema_name": "ml", "table_name_prefix": "", "enabled": "true"}


def captured(wire, name="fraud", **change):
    config = {"served_entities": [LARGE["served_entities"][0]], "auto_capture_config": {**CAPTURE, **change}}
    return wire.call("POST", ENDPOINTS, {"name": name, "config": config})


@pytest.mark.servesim(start="2025-12-31T23:00:00Z", clock="frozen", profile="instant")
def test_the_older_inference_table_is_taken_kept_and_shown_until_its_day(wire):
    answer = captured(wire)
    link = f'<{GATEWAY_PAGE}>; rel="deprecation"; type="text/html", <{GATEWAY_PAGE}>; rel="sunset"; type="text/html"'
    assert (answer.status, told(answer)) == (200, ("@1767225600", "Thu, 01 Jan 2026 00:00:00 GMT", link))
    shown = {
        "catalog_name": "main",
        "schema_name": "ml",
        "table_name_prefix": "fraud",
        "enabled": True,
        "state": {"payload_table": {"name": "main.ml.fraud_payload", "status": "READY", "status_message": ""}},
    }
    wire.handle.clock.run_until("2026-01-01")
    assert wire.call("GET", f"{ENDPOINTS}/fraud").json["config"]["auto_capture_config"] == shown
    answer = captured(wire, "other")
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert answer.json["message"].startswith("Legacy inference tables have been deprecated.")
    ended = "2026-01-01T00:00:00Z; simulated now 2026-01-01T00:00:00Z; to see it as it was, begin earlier, with "
    assert answer.headers["X-Servesim-Ended"] == f"{ended}--start-time or start="
    for action in ("stop", "start"):
        assert wire.call("POST", f"{ENDPOINTS}/fraud/config:{action}", {}).status == 200
    assert wire.call("GET", f"{ENDPOINTS}/fraud").json["config"]["auto_capture_config"] == shown
    assert captured(wire, "off", enabled=False).status == 200


@pytest.mark.servesim(dates={"value:*:auto_capture_config.enabled=true": "never"})
def test_its_day_can_be_taken_away_and_its_names_are_needed(wire):
    assert captured(wire).status == 200
    refused = captured(wire, "other", catalog_name="")
    assert (refused.status, "auto_capture_config.catalog_name" in refused.json["message"]) == (400, True)


@pytest.mark.servesim(dates={"value:*:auto_capture_config.enabled=true": "2026-01-02"})
def test_with_a_day_of_ones_own_its_refusal_names_the_day(wire):
    answer = captured(wire)
    assert answer.status == 400
    assert (
        "takes true no more since 2026-01-02T00:00:00Z. Use inference tables of AI Gateway." in answer.json["message"]
    )
