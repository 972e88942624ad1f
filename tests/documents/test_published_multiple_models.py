"""Serve multiple models to a Model Serving endpoint: its calls, each as a test of the step that it belongs to."""

import http.client
import json
from collections import Counter

import pytest

DOCUMENT = "Serve multiple models to an endpoint"
ADDRESS = "https://docs.databricks.com/aws/en/machine-learning/model-serving/serve-multiple-models-to-serving-endpoint"

ENDPOINT = "/api/2.0/serving-endpoints/multi-model"
ENTITIES = [
    {
        "name": name,
        "entity_name": model,
        "entity_version": "1",
        "workload_size": "Small",
        "scale_to_zero_enabled": True,
    }
    for name, model in (("current", "model-A"), ("challenger", "model-B"))
]
ROWS = {"dataframe_records": [{"amount": 12.5}]}
QUERIES = 400
NINETY_TEN = (324, 396)
"""Of so many, between these are for the first: 6 standard deviations of a correct router to either side."""
FIFTY_FIFTY = (140, 260)


def routes(current, challenger):
    shares = {"current": current, "challenger": challenger}
    return {"routes": [{"served_model_name": name, "traffic_percentage": share} for name, share in shares.items()]}


def served(world, path, number=QUERIES):
    """Count which model answers."""
    connection = http.client.HTTPConnection(world.sim.host.removeprefix("http://"), timeout=60)
    headers = {"Authorization": f"Bearer {world.sim.token}", "Content-Type": "application/json"}
    counted = Counter()
    for _ in range(number):
        connection.request("POST", path, json.dumps(ROWS), headers)
        (predicted,) = json.loads(connection.getresponse().read())["predictions"]
        counted[predicted] += 1
    connection.close()
    return counted


@pytest.fixture
def world(opens):
    """A registry with two models, each of which answers its own name."""
    world = opens(poll="settle")
    for name in ("model-A", "model-B"):
        world.models.stub(name, "constant", value=name)
    return world


@pytest.fixture
def split(world):
    """The endpoint of the page, ready."""
    config = {"served_entities": ENTITIES, "traffic_config": routes("90", "10")}
    world.do("POST", "/api/2.0/serving-endpoints", {"name": "multi-model", "config": config})
    assert world.do("GET", ENDPOINT)["state"]["ready"] == "READY"
    return world


def test_requirement_a_python_model_in_the_registry(world):
    """Requirements: a model that is registered."""
    entities = [ENTITIES[0], {**ENTITIES[1], "entity_name": "model-C"}]
    body = {"name": "multi-model", "config": {"served_entities": entities, "traffic_config": routes(90, 10)}}
    status, refusal = world.ask("POST", "/api/2.0/serving-endpoints", body)
    assert (status, refusal["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert "model-C" in refusal["message"]


def test_requirement_access_control(split):
    """Requirements: permission to change the endpoint."""
    bob = split.principals.add("bob@example.com")
    body = {"served_entities": ENTITIES, "traffic_config": routes(50, 50)}
    status, refusal = split.ask("PUT", f"{ENDPOINT}/config", body, token=bob)
    assert (status, refusal["error_code"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize("shares", [("90", "10"), (90, 10)], ids=["published", "numbers"])
def test_create_with_a_split(world, shares):
    """Create an endpoint with two models, 90 % to one and 10 % to the other.

    In the UI: a new endpoint with two served entities and their percentages.

    Here: `POST /api/2.0/serving-endpoints`
    """
    config = {"served_entities": ENTITIES, "traffic_config": routes(*shares)}
    world.do("POST", "/api/2.0/serving-endpoints", {"name": "multi-model", "config": config})
    given = world.do("GET", ENDPOINT)["config"]["traffic_config"]["routes"]
    assert {one["served_model_name"]: one["traffic_percentage"] for one in given} == {"current": 90, "challenger": 10}


def test_create_as_printed_is_no_json(world):
    """Create, as printed: a comma after the name is missing, and the service says that it cannot read it."""
    printed = '{"name": "multi-model"\n "config": {"served_entities": []}}'
    status, refusal = world.ask("POST", "/api/2.0/serving-endpoints", text=printed)
    assert (status, refusal["error_code"]) == (400, "MALFORMED_REQUEST")


def test_the_split_that_was_created_is_kept(split):
    """Requests are dealt by it."""
    counted = served(split, "/serving-endpoints/multi-model/invocations")
    low, high = NINETY_TEN
    assert low <= counted["model-A"] <= high
    assert counted["model-A"] + counted["model-B"] == QUERIES


def test_update_the_split(split):
    """Update the split to 50 % and 50 %.

    In the UI: the endpoint's tab *Serving*, *Edit configuration*.

    Here: `PUT /api/2.0/serving-endpoints/multi-model/config`
    """
    split.do("PUT", f"{ENDPOINT}/config", {"served_entities": ENTITIES, "traffic_config": routes("50", "50")})
    changed = split.do("GET", ENDPOINT)["config"]
    assert changed["config_version"] == 2
    assert [one["traffic_percentage"] for one in changed["traffic_config"]["routes"]] == [50, 50]
    counted = served(split, "/serving-endpoints/multi-model/invocations")
    low, high = FIFTY_FIFTY
    assert low <= counted["model-A"] <= high


def test_query_one_model(split):
    """Query one served model, whatever its share: the format is the same, the split does not count."""
    path = "/serving-endpoints/multi-model/served-models/challenger/invocations"
    assert served(split, path, 30) == {"model-B": 30}
    assert split.do("POST", path, {"inputs": [[12.5]]}) == {"predictions": ["model-B"]}
    status, _ = split.ask("POST", path.replace("challenger", "nobody"), ROWS)
    assert status == 404
