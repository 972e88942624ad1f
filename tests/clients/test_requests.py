"""Scripts with plain ``requests``: bearer or basic, percentages as text, a form content type."""

import json

import pytest
import requests

pytestmark = pytest.mark.servesim(poll="settle")

ENTITY = {"entity_name": "main.ml.fraud", "entity_version": "1"}


@pytest.fixture
def session(world):
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {world.token}"
        yield session


@pytest.fixture
def api(world):
    return f"{world.host}/api/2.0/serving-endpoints"


def test_a_split_given_as_strings(session, api, world):
    # As the page about several models on one endpoint shows it.
    body = {
        "name": "fraud",
        "config": {
            "served_entities": [
                {"name": "current", **ENTITY, "workload_size": "Small", "scale_to_zero_enabled": "true"},
                {"name": "challenger", **ENTITY, "entity_version": "2", "scale_to_zero_enabled": "False"},
            ],
            "traffic_config": {
                "routes": [
                    {"served_model_name": "current", "traffic_percentage": "90"},
                    {"served_model_name": "challenger", "traffic_percentage": "10"},
                ]
            },
        },
    }
    assert session.post(api, json=body).status_code == 200
    made = session.get(f"{api}/fraud").json()
    assert [one["scale_to_zero_enabled"] for one in made["config"]["served_entities"]] == [False, True]
    body["config"]["traffic_config"]["routes"] = [
        {"served_entity_name": "current", "traffic_percentage": "25"},
        {"served_entity_name": "challenger", "traffic_percentage": 75},
    ]
    changed = session.put(f"{api}/fraud/config", json={"name": "fraud", **body["config"]})
    assert changed.status_code == 200, changed.text
    routes = session.get(f"{api}/fraud").json()["config"]["traffic_config"]["routes"]
    assert routes == [
        {"served_model_name": "current", "traffic_percentage": 25, "served_entity_name": "current"},
        {"served_model_name": "challenger", "traffic_percentage": 75, "served_entity_name": "challenger"},
    ]


def test_json_under_a_form_content_type_with_basic_auth(world, api):
    with requests.Session() as session:
        session.trust_env = False
        session.auth = ("token", world.token)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        body = json.dumps({"name": "fraud", "config": {"served_entities": [ENTITY]}})
        assert session.post(api, data=body, headers=form).status_code == 200
        assert session.get(f"{api}/fraud").json()["state"]["ready"] == "READY"


def test_headers_that_clients_add_change_nothing(session, api):
    session.post(api, json={"name": "fraud"})
    headers = {"X-Databricks-Workspace-Id": "1", "x-databricks-org-id": "2", "X-Databricks-Anything": "3"}
    assert session.get(f"{api}/fraud", headers=headers).content == session.get(f"{api}/fraud").content


def test_scoring_tells_who_answered(session, world, api):
    session.post(api, json={"name": "fraud", "config": {"served_entities": [ENTITY]}})
    assert session.get(f"{api}/fraud").json()["state"]["ready"] == "READY"
    answers = [
        session.post(f"{world.host}/serving-endpoints/fraud/invocations", json={"inputs": [1, 2]}) for _ in range(2)
    ]
    assert [answer.json() for answer in answers] == [{"predictions": [1, 1]}] * 2
    assert {answer.headers["Served-Model-Name"] for answer in answers} == {"fraud-1"}
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 2


def test_csv(session, world, api):
    world.models.stub("main.ml.echo", "echo")
    body = {
        "name": "e",
        "config": {"served_entities": [{"entity_name": "main.ml.echo", "entity_version": 1}]},
    }
    session.post(api, json=body)
    session.get(f"{api}/e")
    answer = session.post(
        f"{world.host}/serving-endpoints/e/invocations",
        data="amount,place\n1.5,here\n",
        headers={"Content-Type": "text/csv"},
    )
    assert answer.json() == {"predictions": [{"amount": 1.5, "place": "here"}]}


def test_a_body_that_is_too_large_is_told_and_the_session_goes_on(session, world, api):
    session.post(api, json={"name": "fraud", "config": {"served_entities": [ENTITY]}})
    assert session.get(f"{api}/fraud").json()["state"]["ready"] == "READY"
    url = f"{world.host}/serving-endpoints/fraud/invocations"
    for body in (b" " * (17 * 2**20), iter([b" " * 2**20] * 17)):
        refused = session.post(url, data=body, headers={"Content-Type": "application/json"})
        assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert session.post(url, json={"inputs": [1]}).json() == {"predictions": [1]}
