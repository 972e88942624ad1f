"""start, look, advance, result: calls that run beside a test."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.servesim(clock="frozen")


def call(sim, path, body=None):
    request = urllib.request.Request(sim.host + path, None if body is None else json.dumps(body).encode())
    request.add_header("Authorization", f"Bearer {sim.token}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def score(sim, name="fraud"):
    return call(sim, f"/serving-endpoints/{name}/invocations", {"inputs": [1]})["predictions"]


def create(sim, name="fraud", model="m"):
    spec = {"entity_name": model, "entity_version": "1", "scale_to_zero_enabled": True}
    call(sim, "/api/2.0/serving-endpoints", {"name": name, "config": {"served_entities": [spec]}})


@pytest.fixture
def asleep(servesim):
    """Give a workspace with an endpoint that has scaled to zero."""
    servesim.models.stub("m", "constant", value=7)
    create(servesim)
    servesim.clock.run_until("2026-01-05T09:41:00Z")
    return servesim


def test_start_look_advance_result(asleep):
    pending = asleep.start(score, asleep)
    assert (pending.state, pending.done) == ("held", False)
    assert pending.request == "POST /serving-endpoints/fraud/invocations"
    assert pending.waits_for.startswith("its cold start, due at 2026-01-05T09:41:1")
    asleep.clock.advance("20s")
    assert pending.result() == [7]
    assert (pending.state, pending.done, pending.waits_for) == ("done", True, None)
    assert pending.exception() is None


def test_what_is_waited_for_names_the_call_that_moves_time_there(asleep):
    pending = asleep.start(score, asleep)
    waits_for = pending.waits_for
    due = waits_for.partition("due at ")[2].partition(";")[0]
    assert waits_for.endswith(f"simulated time stands at 2026-01-05T09:41:00Z: servesim.clock.run_until('{due}')")
    asleep.clock.run_until(due)
    assert pending.result() == [7]


def test_a_result_that_does_not_come_says_what_it_waits_for(asleep):
    pending = asleep.start(score, asleep)
    with pytest.raises(
        TimeoutError, match=r"^score has not ended within 0.01 real seconds: POST /.* is held and waits"
    ):
        pending.result(timeout=0.01)
    with pytest.raises(TimeoutError, match=r"its cold start, due at .*servesim.clock.run_until"):
        pending.exception(timeout=0.01)
    asleep.clock.advance("1m")
    assert pending.result() == [7]


def test_what_the_call_raises_is_raised(asleep):
    pending = asleep.start(score, asleep, "nothing")
    assert isinstance(pending.exception(), urllib.error.HTTPError)
    with pytest.raises(urllib.error.HTTPError, match="404") as raised:
        pending.result()
    raised.value.close()


def test_a_time_out_of_the_call_is_the_call_s_own(asleep):
    def late():
        raise TimeoutError("the call's own")

    with pytest.raises(TimeoutError, match="the call's own"):
        asleep.start(late).result()


def test_a_call_that_sends_nothing_has_started_when_it_has_ended(servesim):
    pending = servesim.start(sorted, [3, 1], reverse=True)
    assert (pending.state, pending.request, pending.result()) == ("done", "", [3, 1])
    assert repr(pending) == "<Pending sorted: done>"


def test_a_call_that_changes_something_has_done_so_when_it_has_started(servesim):
    servesim.models.stub("m")

    def create_and_wait():
        create(servesim)
        released.wait()
        return call(servesim, "/api/2.0/serving-endpoints/fraud")["state"]["ready"]

    released = threading.Event()
    pending = servesim.start(create_and_wait)
    assert (pending.state, pending.request) == ("running", "POST /api/2.0/serving-endpoints")
    assert [line.what for line in servesim.log].count("endpoint created") == 1
    servesim.clock.advance("10m")
    released.set()
    assert pending.result() == "READY"


@pytest.mark.servesim(clock="autojump")
def test_where_time_moves_by_itself_nothing_is_held(servesim):
    servesim.models.stub("m", "constant", value=7)
    create(servesim)
    servesim.clock.advance("41m")
    assert servesim.start(score, servesim).result() == [7]


def test_one_that_is_held_beside_one_that_is_not(asleep):
    asleep.models.stub("n", "constant", value=8)
    create(asleep, "other", "n")
    asleep.clock.advance("9m59s")
    held = asleep.start(score, asleep)
    asleep.clock.run_until("2026-01-05T09:51:30Z")
    assert held.result() == [7]
    assert asleep.start(score, asleep, "other").result() == [8]


def test_several_starts_each_see_their_own_request(asleep):
    pending = [asleep.start(score, asleep) for _ in range(5)]
    assert [one.state for one in pending] == ["held"] * 5
    asleep.clock.advance("20s")
    assert [one.result() for one in pending] == [[7]] * 5


def test_starts_from_several_threads_each_see_their_own_request(asleep):
    found = []

    def begin():
        found.append(asleep.start(score, asleep))

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.state for one in found] == ["held"] * 6
    asleep.clock.advance("20s")
    assert [one.result() for one in found] == [[7]] * 6


def test_a_connection_that_was_another_call_s_is_this_call_s_now(asleep):
    """Clients share connections: the request is of whoever sent it, not of whoever sent first from that address."""
    connection = http.client.HTTPConnection(asleep.host.removeprefix("http://"))
    headers = {"Authorization": f"Bearer {asleep.token}", "Content-Type": "application/json"}
    handed_over, done = threading.Event(), threading.Event()

    def status():
        connection.request("GET", "/api/2.0/serving-endpoints/fraud", headers=headers)
        connection.getresponse().read()
        handed_over.set()
        done.wait()

    def query():
        connection.request("POST", "/serving-endpoints/fraud/invocations", '{"inputs": [1]}', headers)
        return json.loads(connection.getresponse().read())

    first = asleep.start(status)
    handed_over.wait()
    second = asleep.start(query)
    assert (first.state, first.request) == ("running", "GET /api/2.0/serving-endpoints/fraud")
    assert second.state == "held"
    asleep.clock.advance("20s")
    assert second.result() == {"predictions": [7]}
    done.set()
    assert first.result() is None
    connection.close()


def test_a_request_that_another_process_sends_for_it_is_its_own(asleep):
    code = (
        "import sys, urllib.request as u; "
        "print(u.urlopen(u.Request(sys.argv[1], b'{\"inputs\": [1]}', {'Authorization': sys.argv[2], "
        "'Content-Type': 'application/json'})).read())"
    )
    url = f"{asleep.host}/serving-endpoints/fraud/invocations"
    command = [sys.executable, "-c", code, url, f"Bearer {asleep.token}"]
    pending = asleep.start(subprocess.run, command, capture_output=True, check=True)
    assert pending.state == "held"
    asleep.clock.advance("20s")
    assert b'"predictions": [7]' in pending.result().stdout


def test_a_retry_is_followed_beside_another(asleep):
    ready = threading.Event()

    def retrying():
        try:
            score(asleep, "other")
        except urllib.error.HTTPError as error:
            error.close()
        ready.wait()
        return score(asleep)

    calls = [asleep.start(retrying), asleep.start(retrying)]
    for pending in calls:
        assert (pending.state, pending.request) == ("running", "POST /serving-endpoints/other/invocations")
    ready.set()
    asleep.clock.advance("20s")
    calls.append(asleep.start(score, asleep))
    asleep.clock.advance("20s")
    assert [pending.result() for pending in calls] == [[7]] * 3


def test_a_profiler_of_the_thread_is_left_alone(asleep):
    seen = []

    def profiled():
        sys.setprofile(lambda *_: seen.append(1))
        try:
            return score(asleep)
        finally:
            sys.setprofile(None)

    pending = asleep.start(profiled)
    assert pending.state == "held"
    asleep.clock.advance("20s")
    assert pending.result() == [7]
    assert seen


@pytest.mark.parametrize("call", [None, 3, "query"])
def test_what_cannot_be_called_cannot_be_started(servesim, call):
    with pytest.raises(TypeError, match="start takes a call and its arguments"):
        servesim.start(call)


def test_a_coroutine_function_belongs_to_the_async_handle(servesim):
    async def query(): ...

    with pytest.raises(TypeError, match=r"query makes a coroutine: .* await sim.aio.start"):
        servesim.start(query)


def test_a_start_within_a_start_that_has_sent_nothing_is_refused(servesim):
    with pytest.raises(RuntimeError, match="whose own start waits for a request of it"):
        servesim.start(lambda: servesim.start(len, "")).result()


def test_a_workspace_that_closes_answers_what_it_holds(servesim_server):
    sim = servesim_server.open(clock="frozen")
    sim.models.stub("m")
    create(sim)
    sim.clock.advance("41m")
    pending = sim.start(score, sim)
    assert pending.state == "held"
    sim.close()
    error = pending.exception()
    assert isinstance(error, urllib.error.HTTPError)
    assert (error.code, json.load(error)["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    error.close()


@pytest.mark.sdk
def test_a_query_of_the_sdk(asleep):
    endpoints = asleep.client().serving_endpoints
    pending = asleep.start(endpoints.query, "fraud", inputs=[1])
    assert pending.state == "held"
    asleep.clock.advance("20s")
    assert pending.result().predictions == [7]


@pytest.mark.sdk
def test_waiters_of_the_sdk_beside_a_query_with_the_same_client(asleep):
    from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput

    endpoints = asleep.client().serving_endpoints
    entity = ServedEntityInput(entity_name="m", entity_version="1")
    creating = asleep.start(
        endpoints.create_and_wait, "other", config=EndpointCoreConfigInput("other", served_entities=[entity])
    )
    assert creating.state == "running"
    query = asleep.start(endpoints.query, "fraud", inputs=[1])
    assert query.state == "held"
    asleep.clock.advance("10m")
    assert query.result().predictions == [7]
    assert creating.result().state.ready.value == "READY"


def test_a_query_of_requests(asleep):
    requests = pytest.importorskip("requests")
    headers = {"Authorization": f"Bearer {asleep.token}"}
    with requests.Session() as session:
        url = f"{asleep.host}/serving-endpoints/fraud/invocations"
        pending = asleep.start(session.post, url, json={"inputs": [1]}, headers=headers)
        assert pending.state == "held"
        asleep.clock.advance("20s")
        assert pending.result().json() == {"predictions": [7]}
