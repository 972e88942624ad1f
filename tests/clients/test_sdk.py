"""The unmodified Databricks SDK, newest and oldest supported: what scripts do with it works."""

import inspect
import logging
from datetime import timedelta

import pytest

databricks = pytest.importorskip("databricks.sdk", reason="the extra `clients` is not installed")

from databricks.sdk import errors  # noqa: E402 - only where the SDK is installed
from databricks.sdk.service.serving import (  # noqa: E402
    DataframeSplitInput,
    EndpointCoreConfigInput,
    EndpointStateConfigUpdate,
    EndpointStateReady,
    Route,
    ServedEntityInput,
    ServedModelInput,
    TrafficConfig,
)

pytestmark = pytest.mark.sdk
settle = pytest.mark.servesim(poll="settle")

MODEL = "main.ml.fraud"


def entity(version="1", **fields):
    return ServedEntityInput(
        entity_name=MODEL,
        entity_version=version,
        workload_size="Small",
        scale_to_zero_enabled=True,
        **fields,
    )


def config(name, *entities, **shares):
    routes = [
        Route(served_model_name=entity.replace("_", "-"), traffic_percentage=share) for entity, share in shares.items()
    ]
    traffic = TrafficConfig(routes=routes) if routes else None
    return EndpointCoreConfigInput(name=name, served_entities=list(entities), traffic_config=traffic)


def replace_config(client, name, *entities, **shares):
    new = config(name, *entities, **shares)
    return client.serving_endpoints.update_config(
        name, served_entities=new.served_entities, traffic_config=new.traffic_config
    )


@settle
def test_create_and_wait(client):
    made = client.serving_endpoints.create_and_wait("fraud", config=config("fraud", entity()))
    assert made.state.ready is EndpointStateReady.READY
    assert made.state.config_update is EndpointStateConfigUpdate.NOT_UPDATING
    assert made.pending_config is None
    (served,) = made.config.served_entities
    assert (served.name, served.entity_name, served.entity_version) == ("fraud-1", MODEL, "1")
    assert served.state.deployment.value == "DEPLOYMENT_READY"
    assert made.config.traffic_config.routes[0].traffic_percentage == 100


def test_create_and_wait_with_the_default_poll_takes_one_step_of_the_client(client, world):
    before = world.clock.now()
    made = client.serving_endpoints.create_and_wait("fraud", config=config("fraud", entity()))
    assert made.state.ready is EndpointStateReady.READY
    assert world.clock.now() > before


@settle
def test_create_and_the_waiter_by_itself(client):
    client.serving_endpoints.create("fraud", config=config("fraud", entity()))
    waited = client.serving_endpoints.wait_get_serving_endpoint_not_updating("fraud")
    assert waited.state.ready is EndpointStateReady.READY


def test_create_and_a_loop_of_ones_own(client):
    waiter = client.serving_endpoints.create("fraud", config=config("fraud", entity()))
    assert waiter.response.name == "fraud"
    looks = []
    while not looks or looks[-1].ready is not EndpointStateReady.READY:
        looks.append(client.serving_endpoints.get("fraud").state)
    assert [look.config_update.value for look in looks] == ["IN_PROGRESS", "NOT_UPDATING"]


@settle
def test_create_with_the_deprecated_twin(client):
    model = ServedModelInput(model_name=MODEL, model_version="2", scale_to_zero_enabled=True)
    made = client.serving_endpoints.create_and_wait(
        "fraud", config=EndpointCoreConfigInput(name="fraud", served_models=[model])
    )
    assert [one.model_version for one in made.config.served_models] == ["2"]
    assert [one.entity_version for one in made.config.served_entities] == ["2"]


@settle
def test_list(client):
    assert list(client.serving_endpoints.list()) == []
    for name in ("b", "a"):
        client.serving_endpoints.create_and_wait(name, config=config(name, entity()))
    listed = list(client.serving_endpoints.list())
    assert {one.name for one in listed} == {"a", "b"}
    assert [one.config.served_entities[0].entity_version for one in listed] == ["1", "1"]


@settle
def test_get(client):
    client.serving_endpoints.create_and_wait("fraud", config=config("fraud", entity()))
    got = client.serving_endpoints.get("fraud")
    assert got.creator == "tester@example.com"
    assert len(got.id) == 32
    assert got.permission_level.value == "CAN_MANAGE"


ROWS = {
    "dataframe_split": DataframeSplitInput(columns=["amount", "hour"], data=[[1.5, 2], [3.5, 4]]),
    "dataframe_records": [{"amount": 1.5, "hour": 2}, {"amount": 3.5, "hour": 4}],
    "instances": [{"amount": 1.5, "hour": 2}, {"amount": 3.5, "hour": 4}],
    "inputs": {"amount": [1.5, 3.5], "hour": [2, 4]},
}


@settle
@pytest.mark.parametrize("rows", ROWS)
def test_query_in_every_format(client, world, rows):
    world.models.stub("main.ml.same", "echo")
    same = ServedEntityInput(entity_name="main.ml.same", entity_version="1", scale_to_zero_enabled=False)
    client.serving_endpoints.create_and_wait("same", config=config("same", same))
    answer = client.serving_endpoints.query("same", **{rows: ROWS[rows]})
    assert answer.predictions == [{"amount": 1.5, "hour": 2}, {"amount": 3.5, "hour": 4}]
    assert answer.served_model_name == "same-1"


@settle
def test_query_with_an_id_of_ones_own(client):
    if "client_request_id" not in inspect.signature(client.serving_endpoints.query).parameters:
        pytest.skip("this SDK has no such argument")
    client.serving_endpoints.create_and_wait("fraud", config=config("fraud", entity()))
    answer = client.serving_endpoints.query("fraud", inputs=[1], client_request_id="mine")
    assert answer.predictions == [1]


@settle
def test_move_the_traffic(client):
    both = (entity("1"), entity("2"))
    client.serving_endpoints.create_and_wait("fraud", config=config("fraud", entity("1")))
    for first, second in ((90, 10), (50, 50), (0, 100)):
        moved = replace_config(client, "fraud", *both, fraud_1=first, fraud_2=second).result()
        shares = {one.served_model_name: one.traffic_percentage for one in moved.config.traffic_config.routes}
        assert shares == {"fraud-1": first, "fraud-2": second}
    assert client.serving_endpoints.query("fraud", inputs=[0]).predictions == [2]
    client.serving_endpoints.update_config_and_wait("fraud", served_entities=[entity("2")])
    (left,) = client.serving_endpoints.get("fraud").config.served_entities
    assert left.entity_version == "2"


@settle
def test_delete(client):
    client.serving_endpoints.create_and_wait("fraud", config=config("fraud", entity()))
    client.serving_endpoints.delete("fraud")
    with pytest.raises(errors.ResourceDoesNotExist, match=r"Endpoint with name 'fraud' does not exist\."):
        client.serving_endpoints.get("fraud")


def deploy(client, name, version):
    """Do what the official deployment-job notebook does; ``version`` is text from a widget."""
    served = [
        ServedEntityInput(
            entity_name=MODEL,
            entity_version=version,
            workload_size="Small",
            scale_to_zero_enabled=True,
        )
    ]
    try:
        client.serving_endpoints.update_config_and_wait(name=name, served_entities=served)
    except errors.ResourceDoesNotExist:
        client.serving_endpoints.create_and_wait(
            name=name, config=EndpointCoreConfigInput(name=name, served_entities=served)
        )


@settle
def test_update_or_create_as_the_deployment_notebook_does_it(client):
    for version in ("1", "2"):
        deploy(client, "fraud", version)
        assert client.serving_endpoints.query("fraud", inputs=[0]).predictions == [int(version)]
    assert client.serving_endpoints.get("fraud").config.config_version == 2


@settle
def test_get_or_create(client):
    try:
        client.serving_endpoints.get("fraud")
    except errors.ResourceDoesNotExist:
        client.serving_endpoints.create_and_wait("fraud", config=config("fraud", entity()))
    assert client.serving_endpoints.get("fraud").state.ready is EndpointStateReady.READY


# --- who calls -------------------------------------------------------------------------------------


def test_who_calls_and_which_workspace(client):
    assert client.current_user.me().user_name == "tester@example.com"
    assert client.get_workspace_id() > 10**14


def test_a_script_that_knows_nothing_of_servesim(world, monkeypatch):
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)
    client = databricks.WorkspaceClient()
    assert list(client.serving_endpoints.list()) == []
    assert client.config.auth_type == "pat"


def test_construction_warns_of_nothing(world, caplog):
    with caplog.at_level(logging.WARNING):
        world.client().serving_endpoints.list()
    assert caplog.records == []


# --- every class of error --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.serving_endpoints.get("none"),
        lambda client: client.serving_endpoints.delete("none"),
        lambda client: replace_config(client, "none", entity()),
        lambda client: client.serving_endpoints.create("new", config=config("new", entity("9"))),
    ],
    ids=["get", "delete", "update", "unknown version"],
)
def test_what_is_missing(client, call):
    with pytest.raises(errors.ResourceDoesNotExist, match="does not exist"):
        call(client)
    assert list(client.serving_endpoints.list()) == []


def test_query_of_nothing_is_not_found(client):
    with pytest.raises(errors.NotFound, match="The given endpoint does not exist, please retry") as refused:
        client.serving_endpoints.query("none", inputs=[1])
    assert refused.value.error_code == "ENDPOINT_NOT_FOUND"


@pytest.mark.servesim(clock="frozen")
def test_an_update_while_one_runs_conflicts(client):
    client.serving_endpoints.create("fraud", config=config("fraud", entity()))
    with pytest.raises(errors.ResourceConflict, match="Endpoint served entities are currently being updated"):
        replace_config(client, "fraud", entity("2"))


def test_a_loop_around_a_conflict_ends(client):
    client.serving_endpoints.create("fraud", config=config("fraud", entity()))
    tries = 0
    while not (updated := try_to_update(client)):
        tries += 1
    assert (tries, updated.response.config.config_version) == (1, 1)


def try_to_update(client):
    try:
        return replace_config(client, "fraud", entity("2"))
    except errors.ResourceConflict:
        return None


def test_a_name_that_is_taken(client):
    client.serving_endpoints.create("fraud", config=config("fraud", entity()))
    with pytest.raises(errors.ResourceAlreadyExists, match="fraud already exists"):
        client.serving_endpoints.create("fraud", config=config("fraud", entity("2")))


def test_a_bad_parameter(client):
    with pytest.raises(errors.InvalidParameterValue, match="must be maximum 63 characters") as refused:
        client.serving_endpoints.create("-fraud", config=config("-fraud", entity()))
    assert isinstance(refused.value, errors.BadRequest)


@settle
def test_a_bad_request_of_the_data_plane(client):
    client.serving_endpoints.create_and_wait("fraud", config=config("fraud", entity()))
    with pytest.raises(errors.BadRequest, match="exactly one of the input fields"):
        client.serving_endpoints.query("fraud", inputs=[1], instances=[1])


def test_an_unknown_token(world):
    stranger = databricks.WorkspaceClient(host=world.host, token="unknown", auth_type="pat")
    with pytest.raises(errors.PermissionDenied, match="Invalid access token"):
        stranger.serving_endpoints.list()


def test_a_credential_of_another_kind(world):
    other = databricks.WorkspaceClient(host=world.host, username="me", password="secret", auth_type="basic")
    with pytest.raises(errors.Unauthenticated, match="Credential was not sent or was of an unsupported type"):
        other.serving_endpoints.list()


def test_what_is_not_simulated(client, world):
    with pytest.raises(errors.NotImplemented, match=r"servesim does not simulate GET /api/2\.0/clusters/list"):
        client.api_client.do("GET", "/api/2.0/clusters/list")
    assert world.not_simulated == {"GET /api/2.0/clusters/list": 1}
    world.workspace.not_simulated.clear()  # meant here, no news for the summary


@settle
def test_a_failed_update_is_told_with_its_reason(client, world):
    client.serving_endpoints.create_and_wait("fraud", config=config("fraud", entity()))
    world.models.function("main.ml.broken", len)
    world.workspace.models.functions.clear()  # as if the process that knew it had gone
    broken = ServedEntityInput(entity_name="main.ml.broken", entity_version="1", scale_to_zero_enabled=True)
    with pytest.raises(errors.OperationFailed, match="UPDATE_FAILED"):
        replace_config(client, "fraud", broken).result(timeout=timedelta(minutes=1))
    got = client.serving_endpoints.get("fraud")
    assert got.state.ready is EndpointStateReady.READY
    (failed,) = got.pending_config.served_entities
    assert failed.state.deployment.value == "DEPLOYMENT_FAILED"
    assert "no Python callable is registered" in failed.state.deployment_state_message
    assert client.serving_endpoints.query("fraud", inputs=[0]).predictions == [1]
