"""Time as clients meet it: held requests, the execution limit, caps of real work, workspaces apart."""

from __future__ import annotations

import threading

import pytest

from servesim.core.commands import DeleteEndpoint
from servesim.delivery.handle import LocalServer
from servesim.models.host import Settings

ENDPOINTS = "/api/2.0/serving-endpoints"
SLEEPY = {"entity_name": "main.ml.fraud", "entity_version": "1", "scale_to_zero_enabled": True}


def in_a_thread(call):
    """Start a call and return what gives its answer."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()

    def answer():
        thread.join(timeout=30)
        return answers[0]

    return answer


def wait_until(condition):
    """Wait for something that another thread brings about; the suite's time-out ends what never comes."""
    while not condition():
        pass


@pytest.fixture
def asleep(wire, tmp_path):
    """An endpoint that has scaled to zero in a frozen world whose cold starts take ten minutes."""
    profile = tmp_path / "slow.yaml"
    profile.write_text("cold_start: 10m", encoding="utf-8")
    with wire.handle._server.open(clock="frozen", profile=str(profile), hold_timeout=30) as sim:
        wire.handle, frozen = sim, wire.handle
        sim.models.stub("main.ml.fraud", "constant", value=1)
        wire.create(entities=[SLEEPY])
        sim.clock.advance("40m")
        assert "Scaled to zero" in wire.call("GET", f"{ENDPOINTS}/fraud").body.decode()
        yield wire
        wire.handle = frozen


def test_a_held_request_is_answered_when_its_cold_start_is_over(asleep):
    answer = in_a_thread(lambda: asleep.call("POST", "/serving-endpoints/fraud/invocations", {"inputs": [1]}))
    world = asleep.handle.workspace.world
    wait_until(lambda: world.tickets)
    # Its execution limit lies before the end of the cold start: 297 s against 10 minutes.
    asleep.handle.clock.advance("296s")
    assert world.tickets
    asleep.handle.clock.advance("1s")
    assert (answer().status, answer().json["error_code"]) == (504, "DEADLINE_EXCEEDED")
    assert answer().json["message"].startswith("Timed out while evaluating the model.")
    asleep.handle.clock.advance("10m")
    assert asleep.call("POST", "/serving-endpoints/fraud/invocations", {"inputs": [1]}).status == 200


def test_a_delete_refuses_what_is_held(asleep):
    answer = in_a_thread(lambda: asleep.call("POST", "/serving-endpoints/fraud/invocations", {"inputs": [1]}))
    wait_until(lambda: asleep.handle.workspace.world.tickets)
    assert asleep.call("DELETE", f"{ENDPOINTS}/fraud").status == 200
    assert (answer().status, answer().json["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


@pytest.mark.servesim(clock="paced", rate=1000, profile="instant")
def test_in_paced_time_the_limit_reaches_a_model_at_work(wire):
    done = threading.Event()
    wire.handle.models.function("main.ml.slow", lambda rows: done.wait(30) and rows)
    wire.ready("slow", [{"entity_name": "main.ml.slow", "entity_version": "1"}])
    # 297 simulated seconds are 0.3 real ones here.
    answer = wire.call("POST", "/serving-endpoints/slow/invocations", {"inputs": [1]})
    done.set()
    assert (answer.status, answer.json["error_code"]) == (504, "DEADLINE_EXCEEDED")


def test_real_work_has_a_cap_in_real_seconds(wire):
    done = threading.Event()
    with LocalServer(Settings(score_cap_s=0.1)) as server, server.open() as sim:
        wire.handle, mine = sim, wire.handle
        sim.models.function("main.ml.slow", lambda rows: done.wait(30) and rows)
        wire.address = sim.host.removeprefix("http://")
        wire.ready("slow", [{"entity_name": "main.ml.slow", "entity_version": "1"}])
        answer = wire.call("POST", "/serving-endpoints/slow/invocations", {"inputs": [1]})
        done.set()
        assert (answer.status, answer.json["error_code"]) == (504, "DEADLINE_EXCEEDED")
        assert [line.what for line in sim.log][-1] == "not answered"
        wire.handle = mine


def test_workspaces_have_clocks_seeds_and_models_of_their_own(wire, servesim_server):
    wire.ready()
    wire.handle.clock.advance("1d")
    with servesim_server.open(seed=5) as other:
        mine, wire.handle = wire.handle, other
        assert wire.call("GET", ENDPOINTS).json == {"endpoints": []}
        assert wire.create().json["error_code"] == "RESOURCE_DOES_NOT_EXIST"
        assert other.clock.now() == "2026-01-05T09:00:00Z"
        other.models.stub("main.ml.fraud")
        theirs = wire.create().json["id"]
        wire.handle = mine
    assert wire.call("GET", f"{ENDPOINTS}/fraud").json["id"] != theirs
    assert mine.clock.now() > "2026-01-06"


@pytest.mark.servesim(poll="settle")
def test_a_read_that_waits_while_its_endpoint_is_deleted_is_404(wire, monkeypatch):
    clock = wire.handle.workspace.clock

    async def somebody_deletes_it(_endpoint):
        clock.execute(DeleteEndpoint("fraud"))

    monkeypatch.setattr(clock, "before_status", somebody_deletes_it)
    wire.create()
    answer = wire.call("GET", f"{ENDPOINTS}/fraud")
    assert (answer.status, answer.json["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
