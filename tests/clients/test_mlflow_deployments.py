"""``mlflow.deployments.get_deploy_client("databricks")``, unmodified."""

import pytest
import requests

pytestmark = [pytest.mark.mlflow, pytest.mark.servesim(poll="settle")]

ENTITY = {"entity_name": "main.ml.fraud", "entity_version": "1"}
CONFIG = {"served_entities": [ENTITY]}


@pytest.fixture
def client(world, monkeypatch):
    deployments = pytest.importorskip("mlflow.deployments", reason="the extra `mlflow` is not installed")
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)
    return deployments.get_deploy_client("databricks")


def test_the_whole_life_of_an_endpoint(client):
    made = client.create_endpoint(config={"name": "fraud", "config": CONFIG})
    assert made["state"]["config_update"] == "IN_PROGRESS"
    assert "config" not in made
    got = client.get_endpoint(endpoint="fraud")
    assert got["state"]["ready"] == "READY"
    assert [one["name"] for one in client.list_endpoints()] == ["fraud"]
    for inputs in (
        {"dataframe_split": {"columns": ["a"], "data": [[1], [2]]}},
        {"dataframe_records": [{"a": 1}, {"a": 2}]},
        {"instances": [1, 2]},
        {"inputs": [1, 2]},
    ):
        assert client.predict(endpoint="fraud", inputs=inputs)["predictions"] == [1, 1]
    second = {"served_entities": [{**ENTITY, "entity_version": "2"}]}
    client.update_endpoint_config(endpoint="fraud", config=second)
    assert client.get_endpoint(endpoint="fraud")["config"]["config_version"] == 2
    assert client.predict(endpoint="fraud", inputs={"inputs": [1]})["predictions"] == [2]
    assert client.delete_endpoint(endpoint="fraud") == {}
    assert client.list_endpoints() == []


def test_create_with_the_config_beside_the_name(client):
    with pytest.warns(UserWarning, match="deprecated"):
        client.create_endpoint(name="fraud", config={**CONFIG, "tags": [{"key": "team", "value": "risk"}]})
    assert client.get_endpoint(endpoint="fraud")["tags"] == [{"key": "team", "value": "risk"}]


# MLflow gives its users the status that it derives from the error_code, not the one on the wire.
@pytest.mark.parametrize(
    ("status", "code", "call"),
    [
        (404, "RESOURCE_DOES_NOT_EXIST", lambda client: client.get_endpoint(endpoint="none")),
        (404, "RESOURCE_DOES_NOT_EXIST", lambda client: client.delete_endpoint(endpoint="none")),
        (404, "ENDPOINT_NOT_FOUND", lambda client: client.predict(endpoint="none", inputs={"inputs": [1]})),
        (
            400,
            "INVALID_PARAMETER_VALUE",
            lambda client: client.create_endpoint(config={"name": "-", "config": CONFIG}),
        ),
        (
            400,
            "RESOURCE_ALREADY_EXISTS",
            lambda client: client.create_endpoint(config={"name": "taken", "config": CONFIG}),
        ),
    ],
    ids=["get", "delete", "predict", "bad name", "taken name"],
)
def test_the_status_of_an_error_follows_from_its_code(client, status, code, call):
    client.create_endpoint(config={"name": "taken", "config": CONFIG})
    with pytest.raises(requests.HTTPError) as refused:
        call(client)
    assert refused.value.response.status_code == status
    assert code in str(refused.value)


def test_a_stranger_is_told_403(client, world, monkeypatch):
    client.create_endpoint(config={"name": "fraud", "config": CONFIG})
    monkeypatch.setenv("DATABRICKS_TOKEN", world.principals.add(user="stranger@example.com"))
    with pytest.raises(requests.HTTPError, match="permission 'View' on Endpoint fraud") as refused:
        client.get_endpoint(endpoint="fraud")
    assert refused.value.response.status_code == 403


def test_the_settings_of_an_endpoint(client):
    client.create_endpoint(config={"name": "fraud", "config": CONFIG})
    tags = client.update_endpoint_tags(endpoint="fraud", config={"add_tags": [{"key": "team", "value": "risk"}]})
    assert tags == {"tags": [{"key": "team", "value": "risk"}]}
    limits = {"rate_limits": [{"calls": 1, "key": "user", "renewal_period": "minute"}]}
    assert client.update_endpoint_rate_limits(endpoint="fraud", config=limits) == limits
    gateway = {"usage_tracking_config": {"enabled": True}}
    assert client.update_endpoint_ai_gateway(endpoint="fraud", config=gateway) == gateway
    got = client.get_endpoint(endpoint="fraud")
    assert (got["tags"], got["ai_gateway"]) == (tags["tags"], gateway)


def test_a_conflict_is_409(client, servesim_server, monkeypatch):
    frozen = servesim_server.open(clock="frozen")
    frozen.models.stub("main.ml.fraud", "echo")
    monkeypatch.setenv("DATABRICKS_TOKEN", frozen.token)
    client.create_endpoint(config={"name": "fraud", "config": CONFIG})
    with pytest.raises(requests.HTTPError, match="currently being updated") as refused:
        client.update_endpoint_config(endpoint="fraud", config=CONFIG)
    assert refused.value.response.status_code == 409
    frozen.close()


def test_a_model_that_raises_is_400(client, world):
    world.models.stub("main.ml.broken", "fail")
    client.create_endpoint(
        config={
            "name": "broken",
            "config": {"served_entities": [{"entity_name": "main.ml.broken", "entity_version": "1"}]},
        }
    )
    client.get_endpoint(endpoint="broken")
    with pytest.raises(requests.HTTPError) as refused:
        client.predict(endpoint="broken", inputs={"inputs": [1]})
    assert refused.value.response.status_code == 400


def test_without_the_databricks_sdk(client, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_DB_SDK", "false")
    client.create_endpoint(config={"name": "fraud", "config": CONFIG})
    assert client.get_endpoint(endpoint="fraud")["state"]["ready"] == "READY"
    assert client.predict(endpoint="fraud", inputs={"inputs": [1]})["predictions"] == [1]
    with pytest.raises(requests.HTTPError) as refused:
        client.get_endpoint(endpoint="none")
    assert refused.value.response.status_code == 404
