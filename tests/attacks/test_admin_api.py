"""Whoever has the admin token and is careless with it: no call fails, and none takes the server along."""

from __future__ import annotations

import json

import pytest

WORKSPACES = "/_servesim/v1/workspaces"
HERE = f"{WORKSPACES}/default"
ENDPOINTS = "/api/2.0/serving-endpoints"
CREATE = {"name": "fraud", "config": {"served_entities": [{"entity_name": "main.ml.fraud", "entity_version": "1"}]}}


@pytest.fixture
def admin(server_process):
    """A server whose time stands still, and its admin API."""
    server = server_process("--unknown-models", "stub", "--clock", "frozen")

    def call(method, path, body=None):
        status, answer = server.call(method, path, body, admin=True)
        return status, json.loads(answer)

    call.server = server
    return call


def test_time_that_ran_past_the_year_9999_can_be_looked_at_and_ended(admin):
    assert admin("POST", f"{HERE}/faults", {"effect": "delay", "delay": 3e11})[0] == 201
    assert admin.server.call("POST", ENDPOINTS, CREATE)[0] == 200
    status, clock = admin("GET", f"{HERE}/clock")
    assert (status, clock["pending"][0]["due"]) == (200, "9999-12-31T23:59:59.999Z")
    assert admin("POST", f"{HERE}/clock/mode", {"mode": "autojump"})[0] == 200
    for _ in range(4):
        admin.server.call("GET", f"{ENDPOINTS}/fraud")
    for path in (WORKSPACES, HERE, f"{HERE}/clock", f"{HERE}/events", f"{HERE}/requests"):
        assert admin("GET", path)[0] == 200, path
    status, refused = admin("POST", f"{HERE}/clock/advance", {"by": "1h"})
    assert (status, refused["message"]) == (400, "by: simulated time ends with the year 9999.")
    assert admin("POST", f"{HERE}/reset")[0] == 200


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_an_instant_outside_the_calendar_is_refused(admin, instant):
    status, refused = admin("POST", f"{HERE}/clock/run-until", {"instant": instant})
    assert (status, refused["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("key", ["rate", "hold_timeout", "token_lifetime"])
def test_a_number_that_no_float_holds_is_refused(admin, key):
    status, refused = admin("POST", WORKSPACES, {key: 10**400})
    assert status == 400
    assert key in refused["message"]


ODD = {"text that UTF-8 cannot write": ["\ud800"], "too deep": json.loads("[" * 900 + "]" * 900)}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{HERE}/models", lambda odd: {"name": odd, "stub": "echo"}),
        (f"{HERE}/models", lambda odd: {"name": "a.b.c", "stub": {"constant": 1}, "version": odd}),
        (f"{HERE}/principals", lambda odd: {"user": odd}),
        (WORKSPACES, lambda odd: {"models": odd}),
    ],
    ids=["model", "version", "principal", "workspace"],
)
def test_a_value_that_cannot_be_checked_is_refused(admin, path, body, value):
    assert admin("POST", path, body(value))[0] == 400


def test_a_name_that_utf8_cannot_write_fails_nothing(admin):
    assert admin("POST", WORKSPACES, {"workspace": "\ud800", "principals": [{"user": "a"}]})[0] < 500
    assert admin("GET", WORKSPACES)[0] == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{HERE}/principals", {"user": "a", "token": "planted value"}),
        (f"{HERE}/principals", {"token": "planted"}),
        (f"{HERE}/principals", {"service_principal": "a", "client_id": "b", "client_secret": ["planted"]}),
        (WORKSPACES, {"principals": [{"token": "planted"}]}),
        (WORKSPACES, {"principals": "planted"}),
        (WORKSPACES, {"secrets": {"s": {"k": ["planted"]}}}),
        (WORKSPACES, {"secrets": {"s": "planted"}}),
    ],
)
def test_what_a_refused_document_has_of_secrets_is_not_shown(admin, path, body):
    status, refused = admin("POST", path, body)
    assert status == 400
    assert "planted" not in refused["message"]


def test_a_workspace_can_be_deleted_through_its_own_port(admin):
    made = admin("POST", WORKSPACES, {"workspace": "own", "port": 0})[1]
    main = admin.server.exports["DATABRICKS_HOST"]
    admin.server.exports["DATABRICKS_HOST"] = made["url"]
    assert admin("DELETE", f"{WORKSPACES}/own") == (200, {})
    admin.server.exports["DATABRICKS_HOST"] = main
    assert [one["name"] for one in admin("GET", WORKSPACES)[1]["workspaces"]] == ["default"]
