"""Answers are looked at: against the contracts, and for what servesim chose."""

import json

import pytest

import servesim as package
from servesim.delivery.complaints import BadAnswers
from servesim.delivery.handle import LocalServer
from servesim.generations import ga
from servesim.http.reply import Reply

ENDPOINTS = "/api/2.0/serving-endpoints"


@pytest.fixture
def dropped(monkeypatch):
    """Break the rendering: an endpoint has no id any more."""
    whole = ga.render_endpoint

    def without_id(*arguments, **options):
        return {key: value for key, value in whole(*arguments, **options).items() if key != "id"}

    monkeypatch.setattr(ga, "render_endpoint", without_id)


@pytest.fixture
def server():
    local = LocalServer()
    with local:
        yield local
        local.server.complaints.clear()


def calls(handle):
    from http.client import HTTPConnection

    def call(method, path, body=None, **headers):
        connection = HTTPConnection(handle.host.removeprefix("http://"), timeout=60)
        sent = {"Authorization": f"Bearer {handle.token}", "Content-Type": "application/json", **headers}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            response = connection.getresponse()
            response.read()
            return response
        finally:
            connection.close()

    return call


def test_what_breaks_its_contract_fails_the_run(server, dropped):
    handle = server.open(unknown_models="stub", validate_responses=True)
    call = calls(handle)
    call("POST", ENDPOINTS, {"name": "fraud"})
    call("GET", f"{ENDPOINTS}/fraud")
    call("GET", f"{ENDPOINTS}/fraud")
    with pytest.raises(BadAnswers) as caught:
        handle.close()
    assert str(caught.value).splitlines() == [
        "servesim gave answers that this run does not accept:",
        'breaks its contract: create_endpoint: response body: "id" is a required property',
        'breaks its contract: get_endpoint: response body: "id" is a required property (2 x)',
    ]


def test_a_run_that_looks_at_nothing_accepts_it(server, dropped):
    handle = server.open(validate_responses=False)
    calls(handle)("POST", ENDPOINTS, {"name": "fraud"})
    handle.close()


def test_the_whole_server_stops_with_what_nobody_closed(dropped):
    local = LocalServer()
    local.start()
    calls(local.open(validate_responses=True))("POST", ENDPOINTS, {"name": "fraud"})
    with pytest.raises(BadAnswers, match="create_endpoint"):
        local.stop()


def test_an_error_on_its_way_goes_first(dropped):
    def session():
        with package.run(validate_responses=True) as sim:
            calls(sim)("POST", ENDPOINTS, {"name": "fraud"})
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        session()


def test_an_answer_that_was_chosen_fails_a_strict_run(server):
    handle = server.open(strict_evidence=True, unknown_models="stub")
    call = calls(handle)
    entity = {"entity_name": "m", "entity_version": "1"}
    call("POST", ENDPOINTS, {"name": "fraud", "config": {"served_entities": [entity]}})
    call("GET", ENDPOINTS)
    assert handle.workspace.complaints == {}
    call("POST", ENDPOINTS, {"name": "fraud"})
    call("GET", "/api/2.0/nothing")
    with pytest.raises(BadAnswers) as caught:
        handle.close()
    assert str(caught.value).splitlines()[1:] == [
        f"rests on what servesim chose: POST {ENDPOINTS} -> 400 RESOURCE_ALREADY_EXISTS",
        "rests on what servesim chose: GET /api/2.0/nothing -> 501 NOT_IMPLEMENTED",
    ]


def test_what_somebody_ordered_is_not_servesims_choice(server):
    handle = server.open(strict_evidence=True)
    handle.routes.add("GET", "/api/2.1/jobs/list", {"jobs": []})
    assert calls(handle)("GET", "/api/2.1/jobs/list").status == 200
    handle.close()


@pytest.mark.parametrize(
    ("method", "path", "status", "grade"),
    [
        ("GET", ENDPOINTS, 200, "recorded"),
        ("GET", f"{ENDPOINTS}/missing", 404, "recorded"),
        ("GET", "/api/2.0/nothing", 501, "chosen"),
        ("POST", "/serving-endpoints/missing/invocations", 404, "recorded"),
    ],
)
def test_an_answer_tells_its_grade_to_who_asks(server, method, path, status, grade):
    handle = server.open()
    call = calls(handle)
    asked = call(method, path, {} if method == "POST" else None, **{"X-Servesim-Evidence": "1"})
    assert (asked.status, asked.getheader("X-Servesim-Evidence")) == (status, grade)
    assert call(method, path, {} if method == "POST" else None).getheader("X-Servesim-Evidence") is None
    handle.close()


def test_answers_outside_every_workspace_are_held_against_the_contracts_too(monkeypatch):
    monkeypatch.setattr("servesim.http.oauth.databricks_config", lambda *_: Reply(200, b"{}"))
    local = LocalServer()
    local.start()
    assert calls(local.open())("GET", "/.well-known/databricks-config").status == 200
    with pytest.raises(BadAnswers, match='databricks_config: response body: "oidc_endpoint" is a required property'):
        local.stop()


@pytest.mark.parametrize(("wrong", "text"), [("maybe", "'maybe' is neither true nor false")])
def test_a_variable_that_is_neither(server, monkeypatch, wrong, text):
    monkeypatch.setenv("SERVESIM_STRICT_EVIDENCE", wrong)
    with pytest.raises(ValueError, match=f"strict_evidence: {text}"):
        server.open()


@pytest.mark.parametrize("effect", ["fail", "delay", "hang"])
@pytest.mark.parametrize("only_traffic", [False, True])
def test_an_answer_that_shows_an_ordered_fault_says_so(server, effect, only_traffic):
    handle = server.open(unknown_models="stub", clock="frozen", strict_evidence=True, validate_responses=True)
    call = calls(handle)

    def grade(method="GET", path=f"{ENDPOINTS}/fraud", body=None):
        return call(method, path, body, **{"X-Servesim-Evidence": "1"}).getheader("X-Servesim-Evidence")

    def config(share):
        entities = [{"name": name, "entity_name": "m", "entity_version": "1"} for name in ("a", "b")]
        shares = {"a": share, "b": 100 - share}
        routes = [{"served_model_name": name, "traffic_percentage": part} for name, part in shares.items()]
        return {"served_entities": entities, "traffic_config": {"routes": routes}}

    if only_traffic:
        call("POST", ENDPOINTS, {"name": "fraud", "config": config(50)})
        handle.clock.advance("1h")
        assert grade() == "recorded"
    getattr(handle.faults, f"{effect}_next")(**({"by": "1h"} if effect == "delay" else {}))
    if only_traffic:
        assert grade("PUT", f"{ENDPOINTS}/fraud/config", config(20)) == "injected"
    else:
        assert grade("POST", ENDPOINTS, {"name": "fraud", "config": config(50)}) == "injected"
    assert grade() == "injected"
    scored = grade("POST", "/serving-endpoints/fraud/invocations", {"inputs": [1]})
    assert scored == ("recorded" if only_traffic else "injected")
    handle.clock.advance("6h")
    assert grade() == ("recorded" if effect == "delay" else "injected")
    if effect != "delay":
        assert grade("PUT", f"{ENDPOINTS}/fraud/config", config(30)) == "recorded"
    handle.close()
