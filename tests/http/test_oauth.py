"""OAuth over the wire: discovery, the token endpoint and its refusals, and how long a token lives."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

import pytest

from servesim.core.access import Member, Principal
from servesim.service import tokens
from servesim.service.tokens import Client

ENDPOINTS = "/api/2.0/serving-endpoints"
TOKEN = "/oidc/v1/token"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SECRET = "planted-client-secret"
ROBOT = Member(Principal("robot", "Robot", "ServicePrincipal"), ("admins",))
JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture
def client(wire, servesim_server):
    """Add an OAuth client to the workspace."""

    async def add():
        servesim_server.server.hub.add_client(wire.handle.workspace, Client("robot", SECRET, ROBOT))

    servesim_server.run(add())


def basic(name="robot", secret=SECRET):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def ask(wire, headers=None, **fields):
    form = {"grant_type": "client_credentials", "scope": "all-apis"} | fields
    body = urlencode({name: value for name, value in form.items() if value is not None}).encode()
    return wire.call("POST", TOKEN, body, FORM | (basic() if headers is None else headers), token=False)


def get(wire, token, path=ENDPOINTS):
    return wire.call("GET", path, headers={"Authorization": f"Bearer {token}"})


def test_a_token_by_basic_and_by_fields(wire, client):
    for answer in (ask(wire), ask(wire, {}, client_id="robot", client_secret=SECRET)):
        assert answer.status == 200
        assert answer.json | {"access_token": ""} == {
            "access_token": "",
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "all-apis",
        }
        assert answer.headers["Cache-Control"] == "no-store"
        assert get(wire, answer.json["access_token"]).status == 200


def test_tokens_are_drawn_by_their_index(servesim_server, wire, tmp_path):
    world = tmp_path / "world.yaml"
    text = "principals: [{service_principal: robot, client_id: robot, client_secret: planted-client-secret}]"
    world.write_text(text, encoding="utf-8")
    drawn = []
    for seed in (1, 1, 2):
        with servesim_server.open(scenario=world, seed=seed) as handle:
            drawn.append([ask(type(wire)(handle)).json["access_token"] for _ in range(2)])
    assert drawn[0] == drawn[1] != drawn[2]
    assert len({*drawn[0], *drawn[2]}) == 4


REFUSED = {
    "a wrong secret": ({"headers": basic(secret="wrong")}, 401, "invalid_client"),
    "an empty secret": ({"headers": basic(secret="")}, 401, "invalid_client"),
    "an unknown client": ({"headers": basic("nobody", "")}, 401, "invalid_client"),
    "no client": ({"headers": {}}, 401, "invalid_client"),
    "malformed base64": ({"headers": {"Authorization": "Basic !!!"}}, 401, "invalid_client"),
    "no grant": ({"grant_type": None}, 400, "invalid_request"),
    "another grant": ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    "another scope": ({"scope": "sql"}, 400, "invalid_scope"),
    "no assertion": ({"grant_type": JWT, "authorization_details": "[]"}, 400, "invalid_grant"),
    "an unknown assertion": ({"grant_type": JWT, "assertion": "x"}, 400, "invalid_grant"),
    "details that are no JSON": ({"authorization_details": "{"}, 400, "invalid_authorization_details"),
    "details that are no list": ({"authorization_details": "7"}, 400, "invalid_authorization_details"),
    "details of nothing": ({"authorization_details": "[]"}, 400, "invalid_authorization_details"),
    "details of something else": (
        {"authorization_details": '[{"object_path": "/jobs/1"}]'},
        400,
        "invalid_authorization_details",
    ),
    "deep details": ({"authorization_details": "[" * 10_000}, 400, "invalid_authorization_details"),
    "an unknown endpoint": (
        {"authorization_details": '[{"object_path": "/serving-endpoints/0"}]'},
        401,
        "invalid_authorization_details",
    ),
}


@pytest.mark.parametrize(("fields", "status", "error"), REFUSED.values(), ids=REFUSED)
def test_refusals_have_the_form_of_oauth(wire, client, fields, status, error):
    answer = ask(wire, **fields)
    assert (answer.status, answer.json["error"]) == (status, error)
    assert answer.json["error_description"]
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert SECRET not in answer.body.decode()


@pytest.mark.parametrize(
    ("call", "headers", "status"),
    [
        (("GET", TOKEN, None), FORM, 405),
        (("POST", TOKEN, b'{"grant_type": "client_credentials"}'), {}, 400),
        (("POST", TOKEN, b"grant_type=a&grant_type=b"), FORM, 400),
        (("POST", TOKEN, b"\xff\xfe"), FORM, 400),
        (("POST", TOKEN, b"&".join(b"%d=1" % number for number in range(50))), FORM, 400),
        (("POST", TOKEN, b"x" * 70_000), FORM, 400),
        (("GET", "/oidc/v1/authorize?client_id=x", None), {}, 501),
    ],
    ids=range(7),
)
def test_what_is_no_request_for_a_token(wire, client, call, headers, status):
    answer = wire.call(*call, headers | basic(), token=False)
    assert answer.status == status
    assert answer.json


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("servesim.example:81", "http://servesim.example:81"),
        ("[::1]:8765", "http://[::1]:8765"),
        ('x"><script>', None),
        ("a" * 300, None),
    ],
)
def test_discovery_leads_back_to_where_the_client_came(wire, host, base):
    base = base or wire.handle.host
    config = wire.call("GET", "/.well-known/databricks-config", headers={"Host": host}, token=False).json
    assert config["oidc_endpoint"] == f"{base}/oidc"
    path = "/oidc/.well-known/oauth-authorization-server"
    found = wire.call("GET", path, headers={"Host": host}, token=False).json
    assert found["token_endpoint"] == f"{base}/oidc/v1/token"
    assert found["authorization_endpoint"] == f"{base}/oidc/v1/authorize"


def test_another_method_is_refused_with_the_one_that_is_taken(wire):
    refused = wire.call("PUT", TOKEN, token=False)
    assert (refused.status, refused.headers["Allow"]) == (405, "POST")


def test_host_discovery_is_a_get_alone(wire):
    assert wire.call("POST", "/.well-known/databricks-config", token=False).status == 401
    assert wire.call("POST", "/.well-known/databricks-config").status == 501


def test_a_token_for_an_endpoint_needs_the_right_to_query_it(wire):
    wire.handle.principals.add(service_principal="stranger", client_secret=SECRET)
    made = wire.ready().json["id"]
    details = json.dumps([{"object_path": f"/serving-endpoints/{made}"}])
    statuses = []
    for level in ("CAN_VIEW", "CAN_QUERY"):
        grant = {"service_principal_name": "stranger", "permission_level": level}
        wire.call("PUT", f"/api/2.0/permissions/serving-endpoints/{made}", {"access_control_list": [grant]})
        answer = ask(wire, basic("stranger"), authorization_details=details)
        statuses.append((answer.status, answer.json.get("error_description")))
    assert statuses == [(401, "User is not authorized to the requested authorizations"), (200, None)]


# --- how long a token lives -----------------------------------------------------------------------


def granted(wire):
    return ask(wire).json["access_token"]


@pytest.fixture
def hub(servesim_server):
    return servesim_server.server.hub


def test_a_token_lives_for_real_time_where_time_is_simulated(wire, client, hub, monkeypatch):
    token = granted(wire)
    wire.handle.clock.advance("2d")
    assert get(wire, token).status == 200
    monkeypatch.setattr(hub.tokens._watch, "seconds", lambda: 1e9)
    answer = get(wire, token)
    assert (answer.status, answer.json["error_code"]) == (403, 403)
    assert answer.json["message"].startswith("Invalid access token. [ReqId: ")


def test_a_token_lives_for_paced_time_where_time_is_paced(servesim_server, wire, tmp_path, hub, monkeypatch):
    world = tmp_path / "world.yaml"
    text = "principals: [{service_principal: robot, client_id: robot, client_secret: planted-client-secret}]"
    world.write_text(text, encoding="utf-8")
    with servesim_server.open(scenario=world, clock="paced", rate=2) as handle:
        paced = type(wire)(handle)
        answer = ask(paced).json
        assert answer["expires_in"] == 1800  # of the client's own seconds
        monkeypatch.setattr(hub.tokens._watch, "seconds", lambda: 1e9)
        assert get(paced, answer["access_token"]).status == 200
        handle.clock.advance("61m")
        assert get(paced, answer["access_token"]).status == 403


def test_tokens_are_expired_by_command(wire, client, hub, servesim_server):
    mine, theirs = granted(wire), wire.handle.token

    async def expire():
        return hub.expire_tokens(wire.handle.workspace)

    assert servesim_server.run(expire()) == 1
    assert get(wire, mine).status == 403
    assert get(wire, theirs).status == 200  # one that lasts
    again = granted(wire)
    assert again != mine
    assert get(wire, again).status == 200


def test_a_client_has_so_many_tokens_and_the_oldest_ends(wire, client, hub, monkeypatch):
    monkeypatch.setattr(tokens, "KEPT_GRANTS", 2)
    first, second, third = (granted(wire) for _ in range(3))
    assert [get(wire, token).status for token in (first, second, third)] == [403, 200, 200]
    assert len(hub.tokens._grants) == 2


def test_who_is_removed_has_no_tokens_left(wire, client, hub, servesim_server):
    token = granted(wire)

    async def change():
        lasting = hub.add_principal(wire.handle.workspace, ROBOT)
        assert hub.find(lasting).principal.name == "robot"
        return lasting

    lasting = servesim_server.run(change())
    assert get(wire, lasting).status == 200  # and its header is kept

    async def remove():
        hub.remove_principal(wire.handle.workspace, "robot")

    servesim_server.run(remove())
    assert [get(wire, one).status for one in (token, lasting)] == [403, 403]
    assert ask(wire).status == 401


def test_a_token_for_one_endpoint_cannot_get_one_for_all(wire, client):
    details = json.dumps([{"object_path": f"/serving-endpoints/{wire.ready().json['id']}"}])
    token = granted(wire)
    answer = ask(wire, {}, grant_type=JWT, assertion=token, authorization_details=details)
    assert answer.status == 200
    narrow = answer.json["access_token"]
    assert ask(wire, {}, grant_type=JWT, assertion=narrow, authorization_details=details).status == 400
    assert ask(wire, {}, grant_type=JWT, assertion=token).json["error"] == "invalid_request"
    assert get(wire, narrow).status == 403


def test_no_line_of_the_log_and_no_repr_has_a_secret_or_token(wire, client, hub, servesim_server, monkeypatch):
    lines = []
    monkeypatch.setattr(servesim_server.server, "_log_call", lines.append)
    token = granted(wire)
    wire.call("POST", f"{TOKEN}?client_secret={SECRET}&access_token={token}", b"", FORM, token=False)
    get(wire, token, f"/nowhere?access_token={token}")
    wire.handle.workspace.not_simulated.clear()
    seen = [
        *lines,
        repr(hub.tokens),
        repr(hub.tokens._clients),
        repr(hub.tokens._grants[token]),
        *map(repr, wire.handle.log),
    ]
    kept = [repr(call) for call in wire.handle.workspace.record]
    assert len(lines) == 3
    assert not [text for text in seen + kept if SECRET in text or token in text]
