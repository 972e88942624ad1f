"""The rest of the control plane, call by call: what is answered, what is kept, what is refused."""

import pytest

ENDPOINTS = "/api/2.0/serving-endpoints"
ENTITY = {"entity_name": "main.ml.fraud", "entity_version": "1"}

frozen = pytest.mark.servesim(clock="frozen")
FRAUD = f"{ENDPOINTS}/fraud"


def code(answer):
    return answer.status, answer.json["error_code"]


# --- settings -------------------------------------------------------------------------------------


def test_the_order_of_tags_and_a_tag_twice(wire):
    wire.ready(tags=[{"key": "a", "value": "1"}])
    answer = wire.call("PATCH", f"{FRAUD}/tags", {"add_tags": [{"key": "b"}, {"key": "a", "value": "2"}]})
    assert answer.json == {"tags": [{"key": "a", "value": "2"}, {"key": "b"}]}
    assert wire.call("PATCH", f"{FRAUD}/tags", {}).json == answer.json


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        ("tags", "PATCH", {"add_tags": [{"key": "a.b"}]}),
        ("tags", "PATCH", {"delete_tags": "a"}),
        ("tags", "PATCH", {"delete_tags": [1]}),
        ("rate-limits", "PUT", {"rate_limits": [{"calls": -1, "renewal_period": "minute"}]}),
        ("rate-limits", "PUT", {"rate_limits": [{"calls": 1, "renewal_period": "hour"}]}),
        ("rate-limits", "PUT", {"rate_limits": [{"calls": 1, "key": "planet"}]}),
        ("ai-gateway", "PUT", {"guardrails": 1}),
        ("notifications", "PATCH", {"email_notifications": {"on_update_failure": "ops@example.com"}}),
        ("telemetry-config", "PATCH", {"telemetry_config": {"enabled_telemetry_features": ["EVERYTHING"]}}),
    ],
)
def test_a_bad_setting_changes_nothing(wire, path, method, body):
    wire.ready(tags=[{"key": "a"}])
    before = wire.call("GET", FRAUD).body
    assert code(wire.call(method, f"{FRAUD}/{path}", body)) == (400, "INVALID_PARAMETER_VALUE")
    assert wire.call("GET", FRAUD).body == before


def test_rate_limits_are_kept_and_not_echoed_by_get(wire):
    limits = [{"calls": 3, "key": "endpoint", "renewal_period": "minute"}]
    made = wire.ready(rate_limits=limits)
    assert "rate_limits" not in made.json
    more = [*limits, {"calls": 1, "renewal_period": "minute"}]
    assert wire.call("PUT", f"{FRAUD}/rate-limits", {"rate_limits": more}).json == {"rate_limits": more}
    assert "rate_limits" not in wire.call("GET", FRAUD).json


def test_notifications_of_a_create_are_forgotten_and_those_of_a_patch_are_kept(wire):
    wanted = {"on_update_success": ["a@example.com"]}
    assert "email_notifications" not in wire.ready(email_notifications=wanted).json
    answer = wire.call("PATCH", f"{FRAUD}/notifications", {"email_notifications": wanted})
    assert answer.json == {"email_notifications": wanted, "name": "fraud"}
    assert wire.call("GET", FRAUD).json["email_notifications"] == wanted


@frozen
def test_telemetry_while_an_update_runs_and_without_a_config(wire):
    wire.create()
    assert code(wire.call("PATCH", f"{FRAUD}/telemetry-config", {})) == (409, "RESOURCE_CONFLICT")
    wire.call("POST", ENDPOINTS, {"name": "empty", "telemetry_config": {"telemetry_profile_id": "p"}})
    answer = wire.call("PATCH", f"{ENDPOINTS}/empty/telemetry-config", {})
    assert "'NO_CONFIG'" in answer.json["message"]
    assert "telemetry_config" not in wire.call("GET", f"{ENDPOINTS}/empty").json


def test_the_next_try_of_a_telemetry_change_moves_time_to_the_end_of_the_update(wire):
    wire.create()
    assert wire.call("PATCH", f"{FRAUD}/telemetry-config", {}).status == 409
    assert wire.call("PATCH", f"{FRAUD}/telemetry-config", {}).status == 200


def test_telemetry_gives_a_profile_and_names_the_payload_table(wire):
    config = {
        "table_names": {"logs_table": "main.ml.logs"},
        "inference_table_config": {"sampling_fraction": 0.5},
        "enabled_telemetry_features": ["TELEMETRY_FEATURE_LOGS"],
    }
    wire.ready()
    kept = wire.call("PATCH", f"{FRAUD}/telemetry-config", {"telemetry_config": config}).json["telemetry_config"]
    assert len(kept.pop("telemetry_profile_id")) == 32
    assert kept == {
        "inference_table_config": {"name": "main.ml.logs_payload", "sampling_fraction": 0.5},
        "enabled_telemetry_features": ["TELEMETRY_FEATURE_LOGS"],
    }


def test_the_payload_table_is_named_after_the_logs_table_whatever_was_asked_for(wire):
    tables = {"table_names": {"logs_table": "main.ml.logs"}, "inference_table_config": {"name": "main.ml.other"}}
    wire.ready(telemetry_config=tables)
    config = wire.call("GET", FRAUD).json["telemetry_config"]
    assert config["inference_table_config"] == {"name": "main.ml.logs_payload"}


def test_telemetry_without_tables_or_a_profile_is_discarded(wire):
    nothing = {"enabled_telemetry_features": ["TELEMETRY_FEATURE_LOGS"]}
    assert "telemetry_config" not in wire.ready(telemetry_config=nothing).json
    path = f"{FRAUD}/telemetry-config"
    kept = wire.call("PATCH", path, {"telemetry_config": {"telemetry_profile_id": "p"}}).json
    assert kept["telemetry_config"] == {"telemetry_profile_id": "p"}
    assert wire.call("PATCH", path, {"telemetry_config": nothing}).json == kept
    assert "telemetry_config" not in wire.call("PATCH", path, {}).json


def test_notifications_of_nobody_are_none(wire):
    wire.ready()
    path = f"{FRAUD}/notifications"
    wire.call("PATCH", path, {"email_notifications": {"on_update_failure": ["ops@example.com"]}})
    assert wire.call("PATCH", path, {}).json == {"email_notifications": {}, "name": "fraud"}
    assert "email_notifications" not in wire.call("GET", FRAUD).json


def test_settings_that_are_empty(wire):
    wire.ready()
    assert wire.call("PATCH", f"{FRAUD}/tags", {}).json == {"tags": []}
    assert wire.call("PUT", f"{FRAUD}/rate-limits", {}).json == {"rate_limits": []}
    assert wire.call("PUT", f"{FRAUD}/ai-gateway", {}).json == {}


def test_plaintext_secrets_are_never_echoed(wire):
    gateway = {"guardrails": {"input": {"key_plaintext": "planted", "safety": True}}}
    wire.ready(ai_gateway=gateway)
    assert wire.call("GET", FRAUD).json["ai_gateway"] == {"guardrails": {"input": {"safety": True}}}
    answer = wire.call("PUT", f"{FRAUD}/ai-gateway", gateway)
    assert b"planted" not in answer.body + wire.call("GET", FRAUD).body + wire.list()


# --- stop and start -------------------------------------------------------------------------------


@frozen
def test_a_stopped_endpoint_waits_with_every_config_that_it_is_given(wire):
    wire.create()
    clock = wire.handle.clock
    assert code(wire.call("POST", f"{FRAUD}/config:stop")) == (409, "RESOURCE_CONFLICT")
    clock.advance("10m")
    assert code(wire.call("POST", f"{FRAUD}/config:start")) == (400, "INVALID_STATE")
    stopped = wire.call("POST", f"{FRAUD}/config:stop").json
    assert stopped["state"] == {"ready": "NOT_READY", "config_update": "NOT_UPDATING", "suspend": "STOPPED"}
    assert stopped["config"]["config_version"] == 1
    assert "pending_config" not in stopped
    assert code(wire.call("POST", f"{FRAUD}/config:stop")) == (400, "INVALID_STATE")
    assert code(wire.score()) == (400, "BAD_REQUEST")

    put = wire.call("PUT", f"{FRAUD}/config", {"served_entities": [{**ENTITY, "entity_version": "2"}]}).json
    assert put["state"]["suspend"] == "STOPPED"
    assert put["config"]["config_version"] == 2
    clock.advance("1h")
    assert wire.call("GET", FRAUD).json["state"] == put["state"]

    started = wire.call("POST", f"{FRAUD}/config:start").json
    assert started["state"] == {"ready": "NOT_READY", "config_update": "IN_PROGRESS", "suspend": "NOT_SUSPENDED"}
    assert started["pending_config"]["config_version"] == 3
    clock.advance("10m")
    assert wire.call("GET", FRAUD).json["config"]["config_version"] == 3
    assert wire.score().json == {"predictions": [2]}


def test_what_has_no_config_cannot_be_stopped(wire):
    wire.call("POST", ENDPOINTS, {"name": "empty"})
    assert code(wire.call("POST", f"{ENDPOINTS}/empty/config:stop")) == (400, "INVALID_STATE")
    assert code(wire.call("POST", f"{ENDPOINTS}/nothing/config:stop")) == (404, "RESOURCE_DOES_NOT_EXIST")


# --- logs and events ------------------------------------------------------------------------------


@frozen
def test_build_logs_come_when_the_build_has_ended_and_stay_by_config_version(wire):
    wire.create()
    path = f"{FRAUD}/served-models/fraud-1/build-logs"
    assert wire.call("GET", path).json == {"logs": ""}
    wire.handle.clock.advance("10m")
    first = wire.call("GET", path).json["logs"]
    assert first
    wire.call("PUT", f"{FRAUD}/config", {"served_entities": [{**ENTITY, "workload_size": "Medium"}]})
    assert wire.call("GET", path).json == {"logs": ""}
    assert wire.call("GET", f"{path}?config_version=1").json["logs"] == first
    assert wire.call("GET", path, {"config_version": "1"}).json["logs"] == first
    assert code(wire.call("GET", f"{path}?config_version=3")) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert code(wire.call("GET", f"{path}?config_version=x")) == (400, "INVALID_PARAMETER_VALUE")


@frozen
def test_events_tell_of_an_endpoints_life_the_newest_first(wire):
    wire.create()
    wire.handle.clock.advance("10m")
    events = wire.call("GET", f"{FRAUD}/events").json["events"]
    assert [set(event) for event in events] == [{"event_type", "status", "message", "timestamp"}] * len(events)
    assert [event["timestamp"] for event in events] == sorted((event["timestamp"] for event in events), reverse=True)
    built = next(event for event in events if event["message"] == "Container image creation finished successfully")
    assert built["event_type"] == "SERVED_ENTITY_CONTAINER_EVENT"
    assert wire.call("GET", f"{FRAUD}/events?limit=2").json["events"] == events[:2]
    assert code(wire.call("GET", f"{FRAUD}/events?limit=0")) == (400, "INVALID_PARAMETER_VALUE")


def test_a_start_builds_no_container_anew(wire):
    wire.ready()
    wire.call("POST", f"{FRAUD}/config:stop")
    wire.call("POST", f"{FRAUD}/config:start")
    wire.call("GET", FRAUD)
    messages = [event["message"] for event in wire.call("GET", f"{FRAUD}/events").json["events"]]
    assert messages.count("Container image creation finished successfully") == 1


def test_events_of_an_endpoint_of_the_same_name_are_its_own(wire):
    wire.ready()
    wire.call("DELETE", FRAUD)
    wire.create()
    messages = [event["message"] for event in wire.call("GET", f"{FRAUD}/events").json["events"]]
    assert not any("finished" in message for message in messages)


# --- what else can be read ------------------------------------------------------------------------


def test_metrics_before_there_are_any(wire):
    wire.call("POST", ENDPOINTS, {"name": "empty"})
    assert code(wire.call("GET", f"{ENDPOINTS}/empty/metrics")) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_optimization_info_wins_over_the_name_of_an_endpoint(wire):
    answer = wire.call("GET", f"{ENDPOINTS}/get-model-optimization-info/main.ml.fraud/1")
    assert answer.json["optimizable"] is False
    missing = wire.call("GET", f"{ENDPOINTS}/get-model-optimization-info/main.ml.fraud/7")
    assert code(missing) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_openapi_names_this_server(wire):
    wire.handle.models.stub("main.ml.signed", "constant", value=1, signature={"amount": "double"})
    wire.ready("signed", [{"entity_name": "main.ml.signed", "entity_version": "1"}])
    document = wire.call("GET", f"{ENDPOINTS}/signed/openapi").json
    assert document["servers"] == [{"url": f"{wire.handle.host}/serving-endpoints/signed"}]
