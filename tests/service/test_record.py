"""The record of calls: bounded, in order, and told by whoever reads it."""

from __future__ import annotations

import json

import pytest

from servesim.core.access import Principal
from servesim.core.commands import Admit, ConfigRequest, CreateEndpoint, EntitySpec, Finish
from servesim.core.errors import Code
from servesim.core.model_commands import AddModel
from servesim.core.registry import ModelVersion
from servesim.core.workspace import Workspace
from servesim.service import record
from servesim.service.record import Managed, Requests, Sent

USER = Principal("user@example.com")
OK = Sent(200, b'{"predictions": [1]}', "application/json", "")


@pytest.fixture
def world():
    world = Workspace()
    world.execute(AddModel(ModelVersion("m", "1", "stub", "{}")))
    world.execute(CreateEndpoint("e", USER, ConfigRequest((EntitySpec("a", "m", "1"),)), serving=True))
    return world


@pytest.fixture
def kept():
    return Requests()


def score(world, kept, number=1, *, body=b"{}", sent=OK, ticket=None, code=None, timer=None):
    target = "/serving-endpoints/e/invocations?q=secret"
    kept.scored(world, (f"id-{number}", target, USER, "e", None, body, sent, ticket, timer, code))


def manage(world, kept, path="/api/2.0/serving-endpoints", status=200, document=None):
    sent = Sent(status, json.dumps(document or {}).encode(), "application/json", "recorded")
    kept.managed(world, Managed("GET", path, USER.name, sent))


def test_a_scoring_request_is_told_with_everything_that_is_known(world, kept):
    ticket = world.execute(Admit("e", principal=USER))
    world.execute(Finish(ticket.number, 200))
    score(world, kept, ticket=ticket)
    (one,) = kept
    assert (one.number, one.kind, one.request_id, one.requester) == (1, "scoring", "id-1", "user@example.com")
    assert (one.path, one.body, one.answer, one.status) == ("/serving-endpoints/e/invocations", b"{}", OK.body, 200)
    assert (one.endpoint, one.entity, one.model, one.version, one.config_version) == ("e", "a", "m", "1", 1)
    assert one.endpoint_id == world.endpoints["e"].id
    assert one.deployment_id == ticket.deployment.id
    assert one.admitted == one.started == one.ended == world.timeline.now
    assert one.draw == ticket.draw is not None
    assert one.routes == (("a", 100),)
    assert (one.table, one.held_for, one.error) == (False, None, {})


def test_a_request_that_never_was_admitted_has_no_route(world, kept):
    score(world, kept, code=Code.NOT_SERVED, sent=Sent(404, b'{"error_code": "X"}', "application/json", "recorded"))
    (one,) = kept
    assert (one.admitted, one.started, one.draw, one.deployment_id) == (None, None, None, "")
    assert (one.code, one.error) == (Code.NOT_SERVED, {"error_code": "X"})


@pytest.mark.parametrize("enabled", [True, False])
def test_whether_there_was_an_inference_table_is_what_was_so_then(world, kept, enabled):
    endpoint = world.endpoints["e"]
    endpoint.settings = {"ai_gateway": json.dumps({"inference_table_config": {"enabled": enabled}})}
    score(world, kept)
    endpoint.settings = {"ai_gateway": "{}"}
    assert [one.table for one in kept] == [enabled]


def test_a_control_plane_call_is_known_by_the_id_in_its_error(world, kept):
    manage(world, kept)
    manage(world, kept, status=404, document={"error_code": "X", "details": [{"request_id": "id-9"}]})
    assert [one.request_id for one in kept] == ["", "id-9"]
    assert kept.find("id-9").number == 2
    assert kept.find("1").kind == "control"
    assert kept.find("") is not None  # the newest that has none
    assert kept.find("3") is None


@pytest.mark.parametrize("details", [None, [], ["x"], {}, [{"a": 1}]])
def test_an_error_of_another_shape_has_no_id(world, kept, details):
    manage(world, kept, status=400, document={"details": details})
    assert [one.request_id for one in kept] == [""]


@pytest.mark.parametrize("path", ["/oidc/v1/token", "/api/2.0/secrets/get", "/api/2.0/token/create"])
def test_answers_that_may_hold_secrets_are_not_kept(world, kept, path):
    manage(world, kept, path, document={"value": "planted"})
    (one,) = kept
    assert (one.answer, one.answer_bytes) == (None, 20)
    assert "planted" not in repr(list(kept._kept))


def test_what_is_long_is_kept_as_its_length(world, kept):
    score(world, kept, body=b"x" * (record.BODY_LIMIT + 1))
    score(world, kept, sent=OK._replace(body=b"y" * (record.BODY_LIMIT + 2)))
    manage(world, kept, document={"long": "z" * record.ANSWER_LIMIT})
    first, second, third = kept
    assert (first.body, first.body_bytes, first.answer) == (None, record.BODY_LIMIT + 1, OK.body)
    assert (second.body, second.answer, second.answer_bytes) == (b"{}", None, record.BODY_LIMIT + 2)
    assert (third.answer, third.answer_bytes > record.ANSWER_LIMIT) == (None, True)


def test_the_oldest_go_first_by_number(world, kept, monkeypatch):
    monkeypatch.setattr(record, "COUNT_LIMIT", 3)
    for number in range(1, 6):
        score(world, kept, number)
    assert [(one.number, one.request_id) for one in kept] == [(3, "id-3"), (4, "id-4"), (5, "id-5")]
    assert [one.number for one in reversed(kept)] == [5, 4, 3]
    assert (len(kept), kept.count, kept.find("id-2"), kept.find("2")) == (3, 5, None, None)


def test_the_oldest_go_first_by_bytes(world, kept, monkeypatch):
    monkeypatch.setattr(record, "BYTES_LIMIT", 1_000)
    for number in range(1, 4):
        score(world, kept, number, body=b"x" * 400)
    manage(world, kept, document={"x": "y" * 300})
    assert [one.number for one in kept] == [3, 4]
    counted = sum(len(one.body or b"") + len(one.answer or b"") + len(one.path) for one in kept)
    assert kept._bytes == counted + len("?q=secret") <= 1_000
