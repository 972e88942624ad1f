"""What a fake of Model Serving that was written from its documentation gets wrong, each as one test over HTTP."""

import re

import pytest
import requests

API = "/api/2.0/serving-endpoints"
ENTITY = {"entity_name": "main.ml.fraud", "entity_version": "1"}
SECOND = {**ENTITY, "entity_version": "2"}
READY = {"ready": "READY", "config_update": "NOT_UPDATING", "suspend": "NOT_SUSPENDED"}


class Http:
    """Plain HTTP against one workspace."""

    def __init__(self, host, session):
        self.host = host
        self.session = session

    def __call__(self, method, path, body=None, **options):
        return self.session.request(method, self.host + path, json=body, timeout=60, **options)

    def json(self, method, path, body=None):
        answer = self(method, path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def create(self, *entities, name="fraud", **fields):
        return self.json("POST", API, {"name": name, "config": {"served_entities": list(entities)}, **fields})

    def settled(self, name="fraud"):
        """Look until no update is in progress, as every waiter does."""
        while (got := self.json("GET", f"{API}/{name}"))["state"]["config_update"] == "IN_PROGRESS":
            pass
        return got

    def score(self, body=None, name="fraud"):
        return self("POST", f"/serving-endpoints/{name}/invocations", body or {"inputs": [1]})


@pytest.fixture
def http(world):
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {world.token}"
        yield Http(world.host, session)


def test_01_a_create_answers_with_a_pending_config_and_no_config(http):
    made = http.create(ENTITY)
    assert "config" not in made
    assert made["pending_config"]["config_version"] == 1
    assert made["state"] == {"ready": "NOT_READY", "config_update": "IN_PROGRESS", "suspend": "NOT_SUSPENDED"}
    got = http.settled()
    assert got["config"]["config_version"] == 1
    assert "pending_config" not in got


def test_02_during_an_update_the_old_config_serves_and_a_second_update_conflicts(http):
    http.create(ENTITY)
    old = http.settled()["config"]
    changing = http.json("PUT", f"{API}/fraud/config", {"served_entities": [SECOND]})
    assert changing["config"] == old
    assert changing["state"] == {**READY, "config_update": "IN_PROGRESS"}
    assert changing["pending_config"]["config_version"] == 2
    refused = http("PUT", f"{API}/fraud/config", {"served_entities": [ENTITY]})
    assert (refused.status_code, refused.json()["error_code"]) == (409, "RESOURCE_CONFLICT")
    assert refused.json()["message"].startswith("Endpoint served entities are currently being updated")
    assert http.score().json() == {"predictions": [1]}
    http.settled()
    assert http.score().json() == {"predictions": [2]}


def test_03_a_failed_update_stays_ready_and_shows_what_failed(http, world):
    http.create(ENTITY)
    old = http.settled()["config"]
    world.models.function("main.ml.broken", len)
    world.workspace.models.functions.clear()  # as if the process that knew it had gone
    both = [{**ENTITY, "name": "fine"}, {"entity_name": "main.ml.broken", "entity_version": "1", "name": "broken"}]
    routes = [{"served_entity_name": "fine", "traffic_percentage": 100}]
    http.json("PUT", f"{API}/fraud/config", {"served_entities": both, "traffic_config": {"routes": routes}})
    got = http.settled()
    assert got["state"] == {**READY, "config_update": "UPDATE_FAILED"}
    assert got["config"] == old
    states = {one["name"]: one["state"]["deployment"] for one in got["pending_config"]["served_entities"]}
    assert states == {"broken": "DEPLOYMENT_FAILED", "fine": "DEPLOYMENT_ABORTED"}
    assert http.score().json() == {"predictions": [1]}


def test_04_both_twins_and_both_names_of_a_route_come_back(http):
    model = {"model_name": "main.ml.fraud", "model_version": "1"}
    http.json("POST", API, {"name": "fraud", "config": {"served_models": [model]}})
    config = http.settled()["config"]
    assert [one["entity_version"] for one in config["served_entities"]] == ["1"]
    assert [one["model_version"] for one in config["served_models"]] == ["1"]
    (route,) = config["traffic_config"]["routes"]
    assert route["served_model_name"] == route["served_entity_name"] == "fraud-1"


def test_05_an_id_is_32_hexadecimal_digits_and_another_after_a_recreate(http):
    first = http.create(ENTITY)["id"]
    http.json("DELETE", f"{API}/fraud")
    second = http.create(ENTITY)["id"]
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert re.fullmatch("[0-9a-f]{32}", second)
    assert first != second


@pytest.mark.servesim(start="2026-01-05T09:00:00Z")
def test_06_scaled_to_zero_is_ready_and_the_first_request_waits(http, world):
    http.create({**ENTITY, "scale_to_zero_enabled": True})
    http.settled()
    world.clock.advance("31m")
    got = http.json("GET", f"{API}/fraud")
    assert got["state"] == READY
    (entity,) = got["config"]["served_entities"]
    assert entity["state"] == {"deployment": "DEPLOYMENT_READY", "deployment_state_message": "Scaled to zero"}
    before = world.clock.now()
    assert http.score().json() == {"predictions": [1]}
    after = world.clock.now()
    assert before < after
    (entity,) = http.json("GET", f"{API}/fraud")["config"]["served_entities"]
    assert entity["state"] == {"deployment": "DEPLOYMENT_READY", "deployment_state_message": ""}
    http.score()
    assert world.clock.now() == after


def test_07_percentages_may_be_strings_and_defaults_are_filled_in(http):
    routes = [
        {"served_model_name": "a", "traffic_percentage": "90"},
        {"served_model_name": "b", "traffic_percentage": "10"},
    ]
    config = {"served_entities": [{**ENTITY, "name": "a"}, {**SECOND, "name": "b"}]}
    made = http.json("POST", API, {"name": "fraud", "config": {**config, "traffic_config": {"routes": routes}}})
    assert [one["traffic_percentage"] for one in made["pending_config"]["traffic_config"]["routes"]] == [90, 10]
    single = http.create(ENTITY, name="single")["pending_config"]
    assert single["served_entities"][0]["workload_size"] == "Small"
    assert single["served_entities"][0]["workload_type"] == "CPU"
    assert [one["traffic_percentage"] for one in single["traffic_config"]["routes"]] == [100]


def test_08_the_default_name_is_the_last_segment_and_the_version(http):
    (entity,) = http.create(ENTITY)["pending_config"]["served_entities"]
    assert entity["name"] == "fraud-1"


def test_09_what_is_write_only_does_not_come_back_and_a_description_always_does(http):
    body = {
        "rate_limits": [{"calls": 1, "key": "user", "renewal_period": "minute"}],
        "telemetry_config": {"table_names": {"logs_table": "main.ml.logs"}},
        "email_notifications": {"on_update_failure": ["planted@example.com"]},
    }
    http.create({**ENTITY, "burst_scaling_enabled": True, "api_key_plaintext": "planted"}, **body)
    for answer in (http("GET", f"{API}/fraud"), http("GET", f"{API}/fraud"), http("GET", API)):
        for gone in ("burst_scaling", "rate_limits", "logs_table", "table_names", "email_notifications", "planted"):
            assert gone not in answer.text
    assert http.json("GET", f"{API}/fraud")["description"] == ""


@pytest.mark.parametrize("name", ["-a", "a-", "_a", "a_", "a.b", "a b", "x" * 64, ""])
def test_10_a_bad_name_is_refused_with_the_words_of_the_service(http, name):
    refused = http("POST", API, {"name": name})
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert refused.json()["message"] == (
        "Endpoint name must be maximum 63 characters, and alphanumeric with hyphens and underscores allowed in between."
    )


def test_10_names_of_databricks_are_reserved(http):
    assert http("POST", API, {"name": "databricks-mine"}).status_code == 400


def test_11_the_two_planes_say_not_found_differently(http):
    control, data = http("GET", f"{API}/none"), http.score(name="none")
    assert [control.status_code, data.status_code] == [404, 404]
    assert control.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert control.json()["message"] == "Endpoint with name 'none' does not exist."
    assert data.json()["error_code"] == "ENDPOINT_NOT_FOUND"
    assert data.json()["message"].startswith("The given endpoint does not exist, please retry after checking")


@pytest.mark.mlflow
def test_12_the_error_code_gives_mlflow_its_status(world, monkeypatch):
    deployments = pytest.importorskip("mlflow.deployments", reason="the extra `mlflow` is not installed")
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)
    client = deployments.get_deploy_client("databricks")
    for call in (
        lambda: client.get_endpoint(endpoint="none"),
        lambda: client.predict(endpoint="none", inputs={"inputs": [1]}),
    ):
        with pytest.raises(requests.HTTPError) as refused:
            call()
        assert refused.value.response.status_code == 404


def test_13_no_credential_is_401_with_a_number_and_a_bad_token_is_403(world):
    without = requests.get(world.host + API, timeout=60)
    unknown = requests.get(world.host + API, headers={"Authorization": "Bearer dapi-unknown"}, timeout=60)
    assert (without.status_code, without.json()["error_code"]) == (401, 401)
    assert (unknown.status_code, unknown.json()["error_code"]) == (403, 403)
    assert unknown.json()["message"].startswith("Invalid access token")


def test_14_the_small_things_that_clients_need(http, world):
    made = http("POST", f"{API}/", {"name": "fraud"}, allow_redirects=False)
    assert made.status_code == 200
    assert [one["name"] for one in http.json("GET", f"{API}/")["endpoints"]] == ["fraud"]
    assert http("DELETE", f"{API}/fraud").json() == {}
    assert http.json("GET", API) == {"endpoints": []}
    discovery = requests.get(f"{world.host}/.well-known/databricks-config", timeout=60)
    assert discovery.json()["oidc_endpoint"] == f"{world.host}/oidc"
    assert http("GET", "/api/2.0/preview/scim/v2/Me").headers["X-Databricks-Org-Id"].isdigit()


def test_15_the_payload_of_an_llm_is_not_wrapped_in_predictions(http, world):
    world.models.stub("main.ml.chat", "echo")
    http.create({"entity_name": "main.ml.chat", "entity_version": "1"}, name="chat")
    http.settled("chat")
    body = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}
    assert http.score(body, "chat").json() == body
