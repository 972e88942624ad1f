"""The control plane over HTTP: routes as clients write them, and answers key by key as recorded."""

import json

import pytest

ENDPOINTS = "/api/2.0/serving-endpoints"
ENTITY = {"entity_name": "main.ml.fraud", "entity_version": "1"}

# The orders of keys are those of recorded answers.
DETAILED = [
    "name",
    "creator",
    "creation_timestamp",
    "last_updated_timestamp",
    "state",
    "config",
    "id",
    "permission_level",
    "route_optimized",
    "creator_display_name",
    "creator_kind",
    "resource_credential_strategy",
    "description",
]
ENTITY_KEYS = [
    "name",
    "entity_name",
    "entity_version",
    "workload_size",
    "workload_type",
    "scale_to_zero_enabled",
    "type",
    "state",
    "creator",
    "creation_timestamp",
]


MODEL_KEYS = [
    "name",
    "workload_size",
    "workload_type",
    "scale_to_zero_enabled",
    "model_name",
    "model_version",
    "type",
    "state",
    "creator",
    "creation_timestamp",
]
LISTED = [
    "name",
    "creator",
    "creation_timestamp",
    "last_updated_timestamp",
    "state",
    "config",
    "id",
    "route_optimized",
    "permission_level",
    "creator_display_name",
    "creator_kind",
    "description",
]


def test_get_has_the_recorded_keys_in_the_recorded_order(wire):
    got = wire.ready().json
    assert list(got) == DETAILED
    assert list(got["state"]) == ["ready", "config_update", "suspend"]
    assert list(got["config"]) == ["served_entities", "served_models", "traffic_config", "config_version"]
    assert list(got["config"]["served_entities"][0]) == ENTITY_KEYS
    assert list(got["config"]["served_models"][0]) == MODEL_KEYS
    (route,) = got["config"]["traffic_config"]["routes"]
    assert list(route) == ["served_model_name", "traffic_percentage", "served_entity_name"]
    assert list(got["config"]["served_entities"][0]["state"]) == ["deployment", "deployment_state_message"]


def test_get_has_the_recorded_values(wire):
    got = wire.ready().json
    (entity,) = got["config"]["served_entities"]
    created = got["creation_timestamp"]
    assert {**got, "config": None, "id": None} == {
        "name": "fraud",
        "creator": "tester@example.com",
        "creation_timestamp": 1767603600000,
        "last_updated_timestamp": created,
        "state": {"ready": "READY", "config_update": "NOT_UPDATING", "suspend": "NOT_SUSPENDED"},
        "config": None,
        "id": None,
        "permission_level": "CAN_MANAGE",
        "route_optimized": False,
        "creator_display_name": "Tester",
        "creator_kind": "User",
        "resource_credential_strategy": "EMBEDDED_CREDENTIALS",
        "description": "",
    }
    assert entity == {
        "name": "fraud-1",
        "entity_name": "main.ml.fraud",
        "entity_version": "1",
        "workload_size": "Small",
        "workload_type": "CPU",
        "scale_to_zero_enabled": False,
        "type": "UC_MODEL",
        "state": {"deployment": "DEPLOYMENT_READY", "deployment_state_message": ""},
        "creator": "tester@example.com",
        "creation_timestamp": created,
    }
    assert created % 1000 == 0


@pytest.mark.servesim(clock="frozen")
def test_asking_for_an_update_moves_the_last_update_and_its_end_does_not(wire):
    made = wire.create().json
    wire.handle.clock.advance("1h")
    assert wire.call("GET", f"{ENDPOINTS}/fraud").json["last_updated_timestamp"] == made["creation_timestamp"]
    put = wire.call("PUT", f"{ENDPOINTS}/fraud/config", {"served_entities": [{**ENTITY, "entity_version": "2"}]}).json
    assert put["last_updated_timestamp"] == put["pending_config"]["start_time"] == made["creation_timestamp"] + 3600_000
    wire.handle.clock.advance("1h")
    ready = wire.call("GET", f"{ENDPOINTS}/fraud").json
    assert ready["last_updated_timestamp"] == put["last_updated_timestamp"]
    assert ready["config"]["config_version"] == 2


def test_create_answers_as_recorded(wire):
    made = wire.create().json
    assert list(made) == ["pending_config" if key == "config" else key for key in DETAILED]
    pending = made["pending_config"]
    assert list(pending) == [
        "served_entities",
        "served_models",
        "traffic_config",
        "config_version",
        "start_time",
    ]
    assert (pending["config_version"], pending["start_time"]) == (1, made["creation_timestamp"])
    assert made["state"] == {
        "ready": "NOT_READY",
        "config_update": "IN_PROGRESS",
        "suspend": "NOT_SUSPENDED",
    }
    assert pending["served_entities"][0]["state"] == {
        "deployment": "DEPLOYMENT_CREATING",
        "deployment_state_message": "Creating resources for served entity.",
    }


def test_an_update_answers_with_both_configs(wire):
    before = wire.ready().json
    second = {**ENTITY, "entity_version": "2"}
    changed = wire.call("PUT", f"{ENDPOINTS}/fraud/config", {"served_entities": [second]}).json
    at = DETAILED.index("config") + 1
    assert list(changed) == [*DETAILED[:at], "pending_config", *DETAILED[at:]]
    assert changed["config"] == before["config"]
    assert changed["pending_config"]["config_version"] == 2
    assert changed["state"] == {"ready": "READY", "config_update": "IN_PROGRESS", "suspend": "NOT_SUSPENDED"}


def test_list_has_the_recorded_keys(wire):
    wire.ready(tags=[{"key": "team", "value": "risk"}])
    (listed,) = json.loads(wire.list())["endpoints"]
    assert list(listed) == [*LISTED, "tags"]
    assert listed["state"] == {
        "ready": "READY",
        "config_update": "NOT_UPDATING",
        "suspend": "NOT_SUSPENDED",
        "system_update_failure": False,
    }
    assert listed["config"] == {
        "served_entities": [{"name": "fraud-1", **ENTITY, "type": "UC_MODEL"}],
        "served_models": [{"name": "fraud-1", "model_name": "main.ml.fraud", "model_version": "1", "type": "UC_MODEL"}],
    }


def test_list_tells_the_settings_that_the_sdk_reads_from_it(wire):
    gateway = {"usage_tracking_config": {"enabled": True}}
    wire.ready(ai_gateway=gateway, budget_policy_id="p", telemetry_config={"telemetry_profile_id": "t"})
    wire.call("PATCH", f"{ENDPOINTS}/fraud/notifications", {"email_notifications": {"on_update_failure": ["a@b.c"]}})
    (listed,) = json.loads(wire.list())["endpoints"]
    assert list(listed) == [*LISTED, "ai_gateway", "budget_policy_id", "telemetry_config"]
    assert listed["ai_gateway"] == gateway
    got = wire.call("GET", f"{ENDPOINTS}/fraud").json
    assert [key for key in got if key not in DETAILED] == [
        "ai_gateway",
        "budget_policy_id",
        "email_notifications",
        "telemetry_config",
    ]


# --- route-optimized endpoints --------------------------------------------------------------------


@pytest.mark.servesim(clock="frozen")
def test_a_route_optimized_endpoint_tells_where_it_is_queried_once_it_serves(wire):
    made = wire.create(route_optimized=True).json
    assert made["route_optimized"] is True
    assert list(made) == ["pending_config" if key == "config" else key for key in DETAILED]
    wire.handle.clock.advance("1h")
    got = wire.call("GET", f"{ENDPOINTS}/fraud").json
    assert list(got) == [*DETAILED, "data_plane_info", "endpoint_url"]
    url = f"{wire.handle.host}/serving-endpoints/fraud/invocations"
    assert got["endpoint_url"] == got["data_plane_info"]["query_info"]["endpoint_url"] == url
    assert json.loads(got["data_plane_info"]["query_info"]["authorization_details"]) == [
        {
            "type": "workspace_permission",
            "object_type": "serving-endpoints",
            "object_path": f"/serving-endpoints/{got['id']}",
            "actions": ["query_inference_endpoint"],
        }
    ]
    assert "endpoint_url" not in json.loads(wire.list())["endpoints"][0]


def test_each_reader_is_told_the_address_that_it_came_to(wire):
    wire.ready(route_optimized=True)
    hosts = ("one.example:81", wire.address, "two.example", "one.example:81")
    urls = [wire.call("GET", f"{ENDPOINTS}/fraud", headers={"Host": host}).json["endpoint_url"] for host in hosts]
    assert urls == [f"http://{host}/serving-endpoints/fraud/invocations" for host in hosts]


def test_an_empty_workspace_lists_no_endpoints(wire):
    assert wire.list() == b'{"endpoints":[]}'


def test_list_shows_nothing_pending(wire):
    wire.create()
    (listed,) = json.loads(wire.list())["endpoints"]
    assert not listed.keys() & {"config", "pending_config"}


def test_an_endpoint_without_a_config(wire):
    made = wire.call("POST", ENDPOINTS, {"name": "bare", "description": "later"}).json
    assert list(made) == [key for key in DETAILED if key != "config"]
    assert made["state"] == {
        "ready": "NOT_READY",
        "config_update": "NOT_UPDATING",
        "suspend": "NOT_SUSPENDED",
    }
    assert made["description"] == "later"
    assert wire.call("GET", f"{ENDPOINTS}/bare").json == made
    put = wire.call("PUT", f"{ENDPOINTS}/bare/config", {"served_entities": [ENTITY]})
    assert put.json["pending_config"]["config_version"] == 1


def test_delete_answers_an_empty_object(wire):
    wire.ready()
    answer = wire.call("DELETE", f"{ENDPOINTS}/fraud")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, b"{}", "application/json")
    assert wire.list() == b'{"endpoints":[]}'


@pytest.mark.servesim(clock="frozen")
def test_delete_in_the_middle_of_a_create(wire):
    wire.create()
    assert wire.call("DELETE", f"{ENDPOINTS}/fraud").body == b"{}"
    assert wire.create().status == 200


# --- how clients write routes ---------------------------------------------------------------------


@pytest.mark.parametrize("tail", ["", "/", "?", "/?", "?unknown=1"])
def test_a_route_with_what_clients_add(wire, tail):
    expected = wire.ready().body
    assert wire.call("GET", f"{ENDPOINTS}/fraud{tail}").body == expected
    assert json.loads(wire.call("GET", f"{ENDPOINTS}{tail}").body)["endpoints"][0]["name"] == "fraud"


def test_a_trailing_slash_on_every_route(wire):
    config = {"served_entities": [ENTITY]}
    assert wire.call("POST", f"{ENDPOINTS}/", {"name": "fraud", "config": config}).status == 200
    wire.call("GET", f"{ENDPOINTS}/fraud/")
    assert wire.call("POST", "/serving-endpoints/fraud/invocations/", {"inputs": [1]}).status == 200
    assert wire.call("POST", "/serving-endpoints/fraud/served-models/fraud-1/invocations/", {"inputs": [1]}).json
    assert wire.call("PUT", f"{ENDPOINTS}/fraud/config/", config).status == 200
    assert wire.call("GET", "/api/2.0/preview/scim/v2/Me/").status == 200
    assert wire.call("DELETE", f"{ENDPOINTS}/fraud/").body == b"{}"


@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8"]
)
def test_the_content_type_of_a_control_call_does_not_matter(wire, kind):
    answer = wire.call("POST", ENDPOINTS, {"name": "fraud"}, {"Content-Type": kind})
    assert answer.status == 200


def test_name_in_an_update_is_ignored(wire):
    wire.ready()
    body = {"name": "another", "served_entities": [{**ENTITY, "name": "x"}]}
    assert wire.call("PUT", f"{ENDPOINTS}/fraud/config", body).json["name"] == "fraud"


def test_a_recreated_endpoint_has_another_id(wire):
    first = wire.ready().json["id"]
    wire.call("DELETE", f"{ENDPOINTS}/fraud")
    second = wire.ready().json["id"]
    assert len(first) == len(second) == 32
    assert set(first + second) <= set("0123456789abcdef")
    assert first != second


# --- write-only fields ----------------------------------------------------------------------------

PLANTED = "planted-secret-7f3a"


def test_what_is_write_only_never_comes_back(wire):
    body = {
        "name": "fraud",
        "config": {
            "served_entities": [
                {**ENTITY, "burst_scaling_enabled": True, "token_plaintext": PLANTED, "unknown": {"x": PLANTED}}
            ],
            "unknown": PLANTED,
        },
        "email_notifications": {"on_update_failure": [f"{PLANTED}@example.com"]},
        "telemetry_config": {"table_names": {"logs_table": PLANTED}},
        "rate_limits": [{"calls": 1, "key": "user", "renewal_period": "minute", "note": PLANTED}],
        "ai_gateway": {"usage_tracking_config": {"enabled": True}, "unknown": PLANTED},
        "tags": [{"key": "team", "value": "risk", "unknown": PLANTED}],
        "openai_api_key_plaintext": PLANTED,
    }
    made = wire.call("POST", ENDPOINTS, body)
    assert made.status == 200, made.body
    got = wire.call("GET", f"{ENDPOINTS}/fraud")
    put = wire.call("PUT", f"{ENDPOINTS}/fraud/config", body["config"])
    assert put.status == 200, put.body
    for answer in (made, got, put, wire.call("GET", f"{ENDPOINTS}/fraud"), wire.call("GET", ENDPOINTS)):
        assert PLANTED.encode() not in answer.body
        for gone in (b"burst_scaling", b"rate_limits", b"email_notifications", b"table_names", b"unknown"):
            assert gone not in answer.body
    assert got.json["ai_gateway"] == {"usage_tracking_config": {"enabled": True}}
    assert got.json["tags"] == [{"key": "team", "value": "risk"}]


def test_a_refused_environment_does_not_show_its_values(wire):
    entity = {**ENTITY, "environment_vars": {"KEY": PLANTED, "OTHER": [PLANTED]}}
    answer = wire.create(entities=[entity])
    assert answer.status == 400
    assert PLANTED.encode() not in answer.body
    assert "environment_vars.OTHER" in answer.json["message"]
