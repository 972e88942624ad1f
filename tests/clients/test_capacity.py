"""What clients meet where capacity ends: each loop of theirs ends by itself."""

import json
import threading
from datetime import datetime

import pytest

pytestmark = pytest.mark.sdk

MODEL = "main.ml.fraud"


@pytest.fixture
def client(world):
    return world.client()


def serve(world, client, name="fraud", service_time=None, **entity):
    """Make an endpoint that serves one stub."""
    from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput

    version = world.models.stub(MODEL, "constant", value=0.5, service_time=service_time)
    served = ServedEntityInput(name="a", entity_name=MODEL, entity_version=version, workload_size="Small", **entity)
    client.serving_endpoints.create_and_wait(
        name, config=EndpointCoreConfigInput(name="fraud", served_entities=[served])
    )


def instant(world):
    return datetime.fromisoformat(world.clock.now())


def ask(client, name="fraud"):
    return client.serving_endpoints.query(name, dataframe_records=[{"amount": 1.0}]).predictions


@pytest.mark.servesim(limits="all")
def test_300_calls_against_200_a_second_all_get_their_answer(world, client):
    serve(world, client, scale_to_zero_enabled=False)
    began = instant(world)
    assert [ask(client) for _ in range(300)] == [[0.5]] * 300
    assert (instant(world) - began).total_seconds() == 1
    refused = [call for call in world.requests(last=400) if call.status == 429]
    assert len(refused) == 1
    assert json.loads(refused[0].answer)["error_code"] == "REQUEST_LIMIT_EXCEEDED"


@pytest.mark.servesim(limits="all", profile="instant")
def test_51_creates_all_succeed(world, client):
    from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput

    version = world.models.stub(MODEL)
    config = EndpointCoreConfigInput(
        name="fraud", served_entities=[ServedEntityInput(entity_name=MODEL, entity_version=version)]
    )
    began = instant(world)
    for number in range(51):
        client.serving_endpoints.create(f"fraud-{number}", config=config)
    assert len(list(client.serving_endpoints.list())) == 51
    assert (instant(world) - began).total_seconds() == 300


def test_a_loop_of_updates_on_conflict_ends(world, client):
    from databricks.sdk.errors import ResourceConflict
    from databricks.sdk.service.serving import ServedEntityInput

    serve(world, client)
    refused = 0
    for _ in range(4):
        version = world.models.stub(MODEL, "echo")
        entity = ServedEntityInput(entity_name=MODEL, entity_version=version, workload_size="Small")
        while True:
            try:
                client.serving_endpoints.update_config("fraud", served_entities=[entity])
                break
            except ResourceConflict:
                refused += 1
    assert refused == 3
    assert client.serving_endpoints.wait_get_serving_endpoint_not_updating("fraud").config.config_version == 5


def test_a_rate_limit_holds_and_heals(world, client):
    from databricks.sdk.service.serving import RateLimit, RateLimitKey, RateLimitRenewalPeriod

    serve(world, client)
    minute = RateLimitRenewalPeriod.MINUTE
    client.serving_endpoints.put(
        "fraud", rate_limits=[RateLimit(calls=5, key=RateLimitKey.USER, renewal_period=minute)]
    )
    began = instant(world)
    assert len([ask(client) for _ in range(11)]) == 11
    assert (instant(world) - began).total_seconds() == 120


@pytest.mark.servesim(limits="none")
def test_without_limits_nothing_is_refused(world, client):
    from databricks.sdk.service.serving import RateLimit, RateLimitRenewalPeriod

    serve(world, client)
    client.serving_endpoints.put(
        "fraud", rate_limits=[RateLimit(calls=1, renewal_period=RateLimitRenewalPeriod.MINUTE)]
    )
    began = instant(world)
    assert len([ask(client) for _ in range(20)]) == 20
    assert instant(world) == began


def test_a_service_time_passes_while_the_client_waits(world, client):
    serve(world, client, service_time="40s")
    began = instant(world)
    assert ask(client) == [0.5]
    assert (instant(world) - began).total_seconds() == 40


@pytest.mark.servesim(clock="frozen", profile="instant")
def test_frozen_a_service_time_is_waited_for_and_named(world, client):
    serve(world, client, service_time="40s")
    pending = world.start(lambda: ask(client))
    assert "the end of a request's service time" in pending.waits_for
    world.clock.advance("39s")
    assert not pending.done
    world.clock.advance("1s")
    assert pending.result() == [0.5]


@pytest.mark.servesim(clock="frozen")
def test_frozen_a_burst_on_a_sleeping_endpoint_is_answered_in_order_within_its_slots(world, client):
    world.clock.set_mode("autojump")
    serve(world, client, service_time="1s", scale_to_zero_enabled=True)
    world.clock.advance("31m")
    world.clock.set_mode("frozen")
    calls = [world.start(lambda: ask(client)) for _ in range(10)]
    assert all("its cold start" in call.waits_for for call in calls)
    world.clock.advance("20s")
    world.clock.advance("4s")
    assert [call.result() for call in calls] == [[0.5]] * 10
    (used,) = world.usage()
    assert (used["requests"], used["queued"], used["cold_starts"], used["refused"]) == (10, 10, 1, 0)
    began = sorted(call.started for call in world.requests() if call.kind == "scoring")
    assert [instant - began[0] for instant in began] == [0] * 4 + [1_000] * 4 + [2_000] * 2


@pytest.mark.servesim(hold_timeout="100ms")
def test_real_work_has_four_slots_and_who_waits_for_them_moves_no_time(world, client):
    """A gate keeps the model at work, so that nothing here depends on how fast anything is."""
    from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput

    gate, lock, at_work, most = threading.Event(), threading.Lock(), [], []

    def slow(rows):
        with lock:
            at_work.append(1)
            most.append(len(at_work))
        gate.wait(60)
        with lock:
            at_work.pop()
        return [1] * len(rows)

    version = world.models.function(MODEL, slow)
    entity = ServedEntityInput(name="a", entity_name=MODEL, entity_version=version, workload_size="Small")
    client.serving_endpoints.create_and_wait(
        "fraud", config=EndpointCoreConfigInput(name="fraud", served_entities=[entity])
    )
    began = instant(world)
    calls = [world.start(lambda: ask(client)) for _ in range(9)]
    (used,) = world.usage()
    assert (used["provisioned"], used["in_flight"], used["held"]) == (4, 4, 5)
    assert [call.waits_for for call in calls[:4]] == [None] * 4
    gate.set()
    assert [call.result() for call in calls] == [[1]] * 9
    assert max(most) <= 4
    assert instant(world) == began


def test_a_full_queue_refuses_and_the_sdks_own_retry_is_answered(world, client):
    serve(world, client, service_time="1s")
    world.clock.set_mode("frozen")
    calls = [world.start(lambda: ask(client)) for _ in range(4 + 64)]
    refused = world.start(lambda: ask(client))
    while not (row := world.usage()[0])["refused"]:
        pass
    assert (row["in_flight"], row["held"]) == (4, 64)
    world.clock.set_mode("autojump")
    assert [call.result() for call in [*calls, refused]] == [[0.5]] * 69
    assert world.usage()[0]["requests"] == 69
    last = [call for call in world.requests(last=200) if call.status == 429]
    assert "Too many concurrent requests" in json.loads(last[0].answer)["message"]
