"""Requests on record over the admin API, and why each of them went as it did."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

BASE = "/_servesim/v1"
TOKEN = "admin-of-tests"
SPLIT = {
    "served_entities": [
        {
            "name": f"v{version}",
            "entity_name": "main.ml.fraud",
            "entity_version": version,
            "scale_to_zero_enabled": True,
        }
        for version in ("1", "2")
    ],
    "traffic_config": {
        "routes": [
            {"served_model_name": "v1", "traffic_percentage": 90},
            {"served_model_name": "v2", "traffic_percentage": 10},
        ]
    },
}
INVOCATIONS = "/serving-endpoints/fraud/invocations"


@pytest.fixture
def admin(wire, servesim_server, monkeypatch):
    monkeypatch.setattr(servesim_server.server, "admin_token", TOKEN)
    inside = f"{BASE}/workspaces/{wire.handle.workspace.name}"

    def ask(path, method="GET", body=None):
        return wire.call(method, inside + path, body, {"Authorization": f"Bearer {TOKEN}"})

    return ask


@pytest.fixture
def split(wire):
    """An endpoint with two entities, 90 to 10."""
    wire.call("POST", "/api/2.0/serving-endpoints", {"name": "fraud", "config": SPLIT})
    wire.handle.clock.advance("10m")


def why(admin, request):
    answer = admin(f"/requests/{request}/why")
    assert answer.status == 200, answer.body
    return answer.json


def test_requests_are_listed_the_newest_first(admin, wire, split):
    wire.score()
    wire.score("none")
    found = admin("/requests").json
    assert [(one["number"], one["kind"], one["status"]) for one in found["requests"]] == [
        (3, "scoring", 404),
        (2, "scoring", 200),
        (1, "control", 200),
    ]
    assert (found["kept"], found["count"]) == (3, 3)
    assert found["requests"][0]["error_code"] == "ENDPOINT_NOT_FOUND"
    assert found["requests"][1]["answer"] in ({"predictions": [1]}, {"predictions": [2]})
    assert [one["number"] for one in admin("/requests?kind=scoring&endpoint=fraud").json["requests"]] == [2]
    assert len(admin("/requests?limit=1").json["requests"]) == 1
    assert admin("/requests?kind=odd").status == 400


def test_one_request_is_shown_with_body_and_answer(admin, wire, split):
    sent = wire.score(body={"inputs": [5]})
    shown = admin(f"/requests/{sent.headers['X-Request-Id']}").json
    assert (shown["body"], shown["body_bytes"], shown["answer"]) == ({"inputs": [5]}, 15, sent.json)
    assert admin("/requests/nothing").status == 404


def test_why_tells_how_the_split_chose(admin, wire, split):
    sent = wire.score()
    told = why(admin, sent.headers["X-Request-Id"])
    routed = told["routed"]
    assert (routed["config_version"], routed["named"]) == (1, False)
    assert routed["shares"] == [
        {"entity": "v1", "percentage": 90, "from": 0.0, "to": 0.9},
        {"entity": "v2", "percentage": 10, "from": 0.9, "to": 1.0},
    ]
    (share,) = [share for share in routed["shares"] if share["from"] <= routed["draw"] < share["to"]]
    assert share["entity"] == routed["entity"] == sent.headers["Served-Model-Name"] == told["answered"]["by"]["entity"]
    assert told["asked"]["by"] == "tester@example.com"
    assert (told["held"], told["refused"]) == (None, None)
    assert f"the draw {routed['draw']:.4f} fell on '{routed['entity']}'" in told["story"][1]


def test_why_of_a_request_that_named_its_entity(admin, wire, split):
    sent = wire.score(served="v2")
    told = why(admin, sent.headers["X-Request-Id"])
    assert (told["routed"]["named"], told["routed"]["draw"]) == (True, None)
    assert "the split had no say" in told["story"][1]


@pytest.mark.servesim(serverless_preview="enabled")
def test_why_of_a_request_to_a_version_of_a_model(admin, wire):
    wire.handle.models.stub("iris", stage="Production")
    wire.handle.model_endpoints.enable("iris", "serverless_preview")
    routed = []
    for version in ("Production", "1"):
        sent = wire.call("POST", f"/model-endpoint/iris/{version}/invocations", {"inputs": [1]})
        assert sent.status == 200
        routed.append(why(admin, sent.headers["X-Request-Id"])["story"][1])
    assert routed == [
        "At 'model-endpoint/iris' Production led to version 1.",
        "It named version 1 of 'model-endpoint/iris'.",
    ]


def test_why_tells_of_a_cold_start(admin, wire, split):
    wire.handle.clock.advance("31m")
    sent = wire.score()  # autojump: time moves to the end of the cold start
    told = why(admin, sent.headers["X-Request-Id"])
    held = told["held"]
    assert (held["waited_for"], held["from"], held["to"]) == ("its cold start", "2026-01-05T09:41:00Z", held["due"])
    assert 10_000 <= held["ms"] <= 20_000
    assert told["answered"]["at"] == held["due"]
    assert told["story"][2].startswith("It was held from 2026-01-05T09:41:00Z to ")


@pytest.mark.servesim(clock="frozen", hold_timeout=0.01)
def test_why_of_a_request_that_was_held_too_long(admin, wire, split):
    wire.handle.clock.advance("31m")
    answer = wire.score()
    told = why(admin, answer.headers["X-Request-Id"])
    assert (told["refused"]["code"], told["answered"]["by"]) == ("held too long", None)
    assert told["story"][-1] == f"To let such a request run: servesim clock run-until {told['held']['due']}"


def test_why_of_a_refusal_gives_its_evidence(admin, wire):
    told = why(admin, wire.score("none").headers["X-Request-Id"])
    assert told["routed"] is None
    assert (told["refused"]["code"], told["refused"]["grade"]) == ("not served", "recorded")
    assert told["refused"]["source"] in told["story"][-1]


@pytest.mark.servesim(profile="faithful")
def test_why_of_a_model_that_failed(admin, wire):
    wire.handle.models.stub("main.ml.bad", "fail", message="ValueError: no")
    wire.ready("bad", [{"entity_name": "main.ml.bad", "entity_version": "1"}])
    answer = wire.score("bad")
    told = why(admin, answer.headers["X-Request-Id"])
    assert (told["answered"]["status"], told["refused"]["code"]) == (400, None)
    assert told["answered"]["by"]["model"] == "main.ml.bad"
    assert told["refused"]["message"] in "\n".join(told["story"])


def test_why_of_a_control_plane_refusal_by_the_id_in_its_details(admin, wire):
    refused = wire.call("GET", "/api/2.0/serving-endpoints/none")
    told = why(admin, refused.json["details"][0]["request_id"])
    assert (told["kind"], told["refused"]["error_code"]) == ("control", "RESOURCE_DOES_NOT_EXIST")
    assert (told["refused"]["grade"], told["refused"]["source"]) == ("recorded", "quotes of real workspaces")


def test_a_body_that_is_too_large_is_on_record_as_well(admin, wire):
    world = wire.handle.workspace.world
    world.profile = replace(world.profile, payload_limit_bytes=10)
    answer = wire.score(body={"inputs": [1, 2, 3, 4, 5]})
    assert answer.status == 400
    told = why(admin, answer.json["details"][0]["request_id"])
    assert (told["kind"], told["refused"]["code"]) == ("scoring", "body too large")


@pytest.mark.servesim(clock="frozen", hold_timeout=60)
def test_a_refusal_that_is_kept_keeps_no_frames_alive(admin, wire, split):
    wire.handle.clock.advance("31m")
    held = threading.Thread(target=wire.score, daemon=True)
    held.start()
    while not admin("/clock").json["held"]:
        pass
    wire.call("DELETE", "/api/2.0/serving-endpoints/fraud")
    held.join(30)
    (ticket,) = [kept[4][7] for kept in wire.handle.workspace.record._kept if not hasattr(kept[4], "method")]
    assert ticket.refusal.__traceback__ is None
    told = why(admin, "2") if why(admin, "2")["kind"] == "scoring" else why(admin, "3")
    assert (told["refused"]["code"], told["answered"]["by"]) == ("not served", None)


def test_bytes_that_are_no_text_are_shown_all_the_same(admin, wire, split):
    sent = wire.score(body=b"\xff\xfe")
    assert admin(f"/requests/{sent.headers['X-Request-Id']}").json["body"] == "\ufffd\ufffd"


def test_reading_the_record_while_it_grows(admin, wire, split):
    done = threading.Event()
    writer = threading.Thread(target=lambda: [wire.score() for _ in range(50)] and done.set(), daemon=True)
    writer.start()
    while not done.is_set():
        json.loads(admin("/requests?limit=1000").body)
    writer.join()
    assert admin("/requests").json["count"] == 51
