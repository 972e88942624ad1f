"""What the Databricks SDK makes of ordered faults: what it tries again, what it raises, what it believes."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.sdk, pytest.mark.servesim(poll="settle")]

MODEL = "main.ml.fraud"


@pytest.fixture(autouse=True)
def _retries_at_once(monkeypatch):
    """Let the SDK try again without its pause, whose length is drawn."""
    monkeypatch.setattr("databricks.sdk.clock.RealClock.sleep", lambda _self, _seconds: None)


@pytest.fixture
def entity():
    from databricks.sdk.service.serving import ServedEntityInput

    def make(version="1"):
        return ServedEntityInput(entity_name=MODEL, entity_version=version, name="champion", scale_to_zero_enabled=True)

    return make


@pytest.fixture
def create(client, entity):
    from databricks.sdk.service.serving import EndpointCoreConfigInput

    return lambda name="fraud": client.serving_endpoints.create(
        name, config=EndpointCoreConfigInput(name=name, served_entities=[entity()])
    )


@pytest.fixture
def ready(client, create):
    create()
    client.serving_endpoints.wait_get_serving_endpoint_not_updating("fraud")
    return client.serving_endpoints


def went(world, last):
    """Return status and effects of the last calls."""
    return [(one.status, [effect for _, effect in one.faults]) for one in world.requests(last)]


# --- a status -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
def test_it_tries_again_what_it_is_throttled_by(world, client, status):
    world.faults.add("status", operation="list_endpoints", status=status, times=2)
    assert list(client.serving_endpoints.list()) == []
    assert went(world, 3) == [(status, ["status"]), (status, ["status"]), (200, [])]


@pytest.mark.parametrize(
    ("status", "error"), [(500, "InternalError"), (504, "DeadlineExceeded"), (502, "DatabricksError")]
)
def test_it_raises_any_other_failure_at_once(world, client, status, error):
    world.faults.add("status", operation="list_endpoints", status=status, message="not today")
    with pytest.raises(OSError, match="not today") as raised:
        list(client.serving_endpoints.list())
    assert type(raised.value).__name__ == error
    assert world.faults.report()[0]["struck"] == 1


@pytest.mark.parametrize(("status", "error"), [(429, "TooManyRequests"), (503, "TemporarilyUnavailable")])
def test_a_throttled_call_whose_body_is_no_json_is_raised(world, client, status, error):
    world.faults.add("status", operation="list_endpoints", status=status, body="<h1>Slow down</h1>")
    with pytest.raises(OSError, match="unable to parse response") as raised:
        list(client.serving_endpoints.list())
    assert type(raised.value).__name__ == error
    assert world.faults.report()[0]["struck"] == 1


@pytest.mark.parametrize("message", ["Unexpected error", "Please try again later or try a faster operation."])
def test_it_tries_again_whatever_the_status_if_the_message_says_so(world, client, message):
    world.faults.add("status", operation="list_endpoints", status=400, message=message, times=2)
    assert list(client.serving_endpoints.list()) == []
    assert went(world, 3) == [(400, ["status"]), (400, ["status"]), (200, [])]


def test_a_query_is_tried_again_and_draws_anew(world, ready):
    world.faults.add("status", operation="query", endpoint="fraud", status=429, times=1)
    assert ready.query("fraud", inputs=[1]).predictions == [1]
    assert went(world, 2) == [(429, ["status"]), (200, [])]


def test_it_waits_as_long_as_retry_after_says(world, client, monkeypatch):
    slept = []
    monkeypatch.setattr("databricks.sdk.clock.RealClock.sleep", lambda _self, seconds: slept.append(int(seconds)))
    world.faults.add("status", operation="list_endpoints", status=429, retry_after=7, times=1)
    world.faults.add("status", operation="list_endpoints", status=503, retry_after=None, skip=1, times=1)
    list(client.serving_endpoints.list())
    assert slept == [7, 1], "a second where nothing is said, and some drawn time each"


# --- a connection ---------------------------------------------------------------------------------


def test_a_create_whose_connection_is_reset_is_tried_again_and_made(world, create):
    world.faults.add("reset", operation="create_endpoint", times=1)
    assert create().response.name == "fraud"
    assert went(world, 2) == [(499, ["reset"]), (200, [])]


def test_a_create_whose_reply_is_lost_is_told_that_it_exists_already(world, client, create):
    from databricks.sdk.errors import ResourceAlreadyExists

    world.faults.add("lose_reply", operation="create_endpoint", endpoint="fraud", times=1)
    with pytest.raises(ResourceAlreadyExists, match="already exists"):
        create()
    assert went(world, 2) == [(200, ["lose_reply"]), (400, [])]
    assert client.serving_endpoints.get("fraud").name == "fraud", "it was made"


def test_a_delete_whose_reply_is_lost_is_told_that_there_is_none(world, ready):
    from databricks.sdk.errors import ResourceDoesNotExist

    world.faults.add("lose_reply", operation="delete_endpoint", times=1)
    with pytest.raises(ResourceDoesNotExist):
        ready.delete("fraud")
    assert list(ready.list()) == []


def test_a_query_whose_reply_is_lost_is_answered_twice(world, ready):
    world.faults.add("lose_reply", operation="query", times=1)
    assert ready.query("fraud", inputs=[1]).predictions == [1]
    assert [line.what for line in world.log].count("answered") == 2


@pytest.mark.parametrize(("effect", "error"), [("truncate", "ChunkedEncodingError"), ("garble", "JSONDecodeError")])
def test_a_body_that_is_broken_is_raised_as_requests_has_it(world, create, client, effect, error):
    world.faults.add(effect, operation="create_endpoint", times=1)
    with pytest.raises(OSError, match=r"IncompleteRead|line 1") as raised:
        create()
    assert type(raised.value).__name__ == error
    assert [one.name for one in client.serving_endpoints.list()] == ["fraud"], "it was made, and nothing tried again"


# --- what is old ----------------------------------------------------------------------------------


def test_the_waiter_of_an_update_believes_a_stale_read(world, ready, entity):
    world.faults.add("stale", operation="get_endpoint", endpoint="fraud", times=1)
    believed = ready.update_config_and_wait("fraud", served_entities=[entity("2")])
    assert believed.config.served_entities[0].entity_version == "1"
    assert ready.get("fraud").config.served_entities[0].entity_version == "2"


def test_the_waiter_of_a_create_fails_where_a_read_does_not_know_it_yet(world, create):
    from databricks.sdk.errors import ResourceDoesNotExist

    world.faults.add("stale", operation="get_endpoint", times=1)
    waiter = create()
    with pytest.raises(ResourceDoesNotExist):
        waiter.result()


def test_a_list_lags_a_get(world, client, create):
    world.faults.add("stale", operation="list_endpoints", times=1)
    create()
    assert list(client.serving_endpoints.list()) == []
    assert [one.name for one in client.serving_endpoints.list()] == ["fraud"]


def test_permissions_outlive_their_endpoint(world, ready):
    from databricks.sdk.errors import ResourceDoesNotExist

    found = ready.get("fraud").id
    world.faults.add("stale", operation="get_permissions", endpoint="fraud", times=1)
    ready.delete("fraud")
    assert ready.get_permissions(found).object_id == f"/serving-endpoints/{found}"
    with pytest.raises(ResourceDoesNotExist):
        ready.get_permissions(found)


@pytest.mark.servesim(clock="frozen", poll="step")
def test_a_read_can_be_as_old_as_is_said(world, client, create):
    world.faults.add("stale", operation="get_endpoint", lag="5m", share=1)
    create()
    world.clock.advance("12m")
    state = client.serving_endpoints.get("fraud").state
    assert state.ready.value == "NOT_READY", "as it was at seven minutes"
    world.clock.advance("4m")
    assert client.serving_endpoints.get("fraud").state.ready.value == "READY"


# --- tokens ---------------------------------------------------------------------------------------


def test_a_lasting_token_counts_as_expired_for_one_call(world, client):
    from databricks.sdk.errors import PermissionDenied

    world.faults.add("expire_token", operation="list_endpoints", times=1)
    with pytest.raises(PermissionDenied, match="Invalid access token"):
        list(client.serving_endpoints.list())
    assert list(client.serving_endpoints.list()) == []


def test_an_access_token_ends_and_the_client_does_not_ask_for_another(world):
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors import PermissionDenied

    world.principals.add(service_principal="robot", admin=True, client_secret="planted-secret")
    robot = WorkspaceClient(host=world.host, client_id="robot", client_secret="planted-secret")
    world.faults.add("expire_token", operation="list_endpoints", principal="robot", times=1)
    for _ in range(2):
        with pytest.raises(PermissionDenied, match="Invalid access token"):
            list(robot.serving_endpoints.list())
    assert went(world, 1) == [(403, ["expire_token"])], "the second token was known to nobody, so it is on no record"
    again = WorkspaceClient(host=world.host, client_id="robot", client_secret="planted-secret")
    assert list(again.serving_endpoints.list()) == []


def test_a_token_that_is_not_given_is_asked_for_again_by_the_next_call(world):
    from databricks.sdk import WorkspaceClient

    world.principals.add(service_principal="robot", admin=True, client_secret="planted-secret")
    body = {"error": "temporarily_unavailable", "error_description": "not now"}
    world.faults.add("status", operation="get_token", principal="robot", status=503, body=body)
    robot = WorkspaceClient(host=world.host, client_id="robot", client_secret="planted-secret")
    with pytest.raises(ValueError, match="temporarily_unavailable: not now"):
        list(robot.serving_endpoints.list())
    world.faults.remove(1)
    assert list(robot.serving_endpoints.list()) == []


# --- time, processes, shares ----------------------------------------------------------------------


def test_a_call_is_delayed_by_simulated_time(world, client):
    before = world.clock.now()
    world.faults.add("delay", operation="list_endpoints", delay="90s", times=1)
    assert list(client.serving_endpoints.list()) == []
    assert (before, world.clock.now()) == ("2026-01-05T09:00:00Z", "2026-01-05T09:01:30Z")


def test_a_query_takes_longer_by_simulated_time(world, ready):
    world.faults.add("delay", operation="query", delay="3s", times=1)
    ready.query("fraud", inputs=[1])
    record = world.requests(1)[0]
    assert (record.ended - record.admitted, record.faults) == (3_000, ((1, "delay"),))


def test_a_crash_fails_its_request_and_the_entity_recovers(world, ready):
    from databricks.sdk.errors import InternalError

    world.faults.add("crash", entity="champion", times=1)
    with pytest.raises(InternalError, match="server process"):
        ready.query("fraud", inputs=[1])
    assert ready.query("fraud", inputs=[1]).predictions == [1]
    assert "deployment recovering" in {line.what for line in world.log}
    metrics = ready.export_metrics("fraud").contents.read().decode()
    assert 'request_5xx_count_total{served_entity="champion"} 1 ' in metrics


def test_a_skewed_router_deals_otherwise_than_the_config_says(world, client, entity):
    from databricks.sdk.service.serving import EndpointCoreConfigInput, Route, ServedEntityInput, TrafficConfig

    routes = [
        Route(served_model_name=name, traffic_percentage=share)
        for name, share in (("champion", 90), ("challenger", 10))
    ]
    other = ServedEntityInput(name="challenger", entity_name=MODEL, entity_version="2")
    config = EndpointCoreConfigInput(
        name="fraud", served_entities=[entity(), other], traffic_config=TrafficConfig(routes=routes)
    )
    client.serving_endpoints.create_and_wait("fraud", config=config)
    world.faults.add("skew", endpoint="fraud", split={"champion": 0, "challenger": 100})
    answers = {client.serving_endpoints.query("fraud", inputs=[1]).predictions[0] for _ in range(5)}
    shown = client.serving_endpoints.get("fraud").config.traffic_config.routes
    assert answers == {2}
    assert {route.served_model_name: route.traffic_percentage for route in shown} == {"champion": 90, "challenger": 10}


@pytest.mark.servesim(profile="faithful")
def test_a_deployment_fails_as_it_did_before(world, create):
    from databricks.sdk.errors import OperationFailed

    world.faults.add("fail", endpoint="fraud", message="out of memory")
    with pytest.raises(OperationFailed):
        create().result()
    assert world.faults.report()[0]["times"] == 0
