"""The Secrets API over the wire, and that a value comes back nowhere."""

from __future__ import annotations

import base64
import pickle

import pytest

from servesim.core.access import Member, Principal
from servesim.service import vault

HEAD = "/api/2.0/secrets/"
VALUE = "planted-s3cret-value"


@pytest.fixture
def other(wire, servesim_server):
    """Add a user without any rights; give the headers that it calls with."""

    async def add():
        return servesim_server.server.hub.add_principal(wire.handle.workspace, Member(Principal("other@example.com")))

    return {"Authorization": f"Bearer {servesim_server.run(add())}"}


@pytest.fixture
def scope(wire):
    """Make a scope with a secret in it."""
    assert post(wire, "scopes/create", scope="s").status == 200
    assert post(wire, "put", scope="s", key="k", string_value=VALUE).status == 200


def post(wire, path, headers=(), **fields):
    return wire.call("POST", HEAD + path, fields, headers)


def get(wire, path, headers=()):
    return wire.call("GET", HEAD + path, headers=headers)


def test_scopes_and_secrets_come_and_go(wire):
    assert get(wire, "scopes/list").json == {}
    assert post(wire, "scopes/create", scope="s").json == {}
    assert get(wire, "scopes/list").json == {"scopes": [{"name": "s", "backend_type": "DATABRICKS"}]}
    assert post(wire, "put", scope="s", key="k", string_value="a").json == {}
    assert post(wire, "put", scope="s", key="b", bytes_value=base64.b64encode(b"\0\xff").decode()).json == {}
    instant = 1767603600000  # simulated
    keys = [{"key": key, "last_updated_timestamp": instant} for key in ("b", "k")]
    assert get(wire, "list?scope=s").json == {"secrets": keys}
    assert post(wire, "delete", scope="s", key="b").json == {}
    assert post(wire, "scopes/delete", scope="s").json == {}
    assert get(wire, "list?scope=s").json["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_permissions_come_and_go(wire, scope, other):
    assert get(wire, "list?scope=s", other).json["error_code"] == "PERMISSION_DENIED"
    assert get(wire, "scopes/list", other).json == {}
    assert post(wire, "acls/put", scope="s", principal="other@example.com", permission="READ").status == 200
    assert get(wire, "list?scope=s", other).status == 200
    assert get(wire, "acls/list?scope=s").json["items"] == [
        {"principal": "other@example.com", "permission": "READ"},
        {"principal": "tester@example.com", "permission": "MANAGE"},
    ]
    path = "acls/get?scope=s&principal=other@example.com"
    assert get(wire, path).json == {"principal": "other@example.com", "permission": "READ"}
    assert get(wire, path, other).status == 403  # that takes MANAGE
    assert post(wire, "acls/delete", scope="s", principal="other@example.com").status == 200
    assert get(wire, path).status == 404


INVALID = (400, "INVALID_PARAMETER_VALUE")
K = {"scope": "s", "key": "k"}
REFUSED = {
    "a scope twice": ("scopes/create", {"scope": "s"}, (400, "RESOURCE_ALREADY_EXISTS")),
    "no scope": ("scopes/create", {}, INVALID),
    "a key vault": ("scopes/create", {"scope": "t", "scope_backend_type": "AZURE_KEYVAULT"}, INVALID),
    "an unknown scope": ("put", K | {"scope": "t", "string_value": VALUE}, (404, "RESOURCE_DOES_NOT_EXIST")),
    "no value": ("put", K, INVALID),
    "two values": ("put", K | {"string_value": VALUE, "bytes_value": VALUE}, INVALID),
    "a value that is no text": ("put", K | {"string_value": [VALUE]}, INVALID),
    "a lone surrogate": ("put", K | {"string_value": VALUE + "\ud800"}, INVALID),
    "no base64": ("put", K | {"bytes_value": VALUE + "!"}, INVALID),
    "a large value": ("put", K | {"string_value": VALUE * 10_000}, INVALID),
    "a bad key": ("put", {"scope": "s", "key": "a/b", "string_value": VALUE}, INVALID),
    "no such key": ("delete", {"scope": "s", "key": "none"}, (404, "RESOURCE_DOES_NOT_EXIST")),
    "no such level": ("acls/put", {"scope": "s", "principal": "users", "permission": "OWN"}, INVALID),
    "no level": ("acls/put", {"scope": "s", "principal": "users"}, INVALID),
}


@pytest.mark.parametrize(("path", "fields", "expected"), REFUSED.values(), ids=REFUSED)
def test_refusals_change_nothing_and_show_no_value(wire, scope, path, fields, expected):
    before = [get(wire, path).body for path in ("scopes/list", "list?scope=s", "acls/list?scope=s")]
    answer = post(wire, path, **fields)
    assert (answer.status, answer.json["error_code"]) == expected
    assert VALUE not in answer.body.decode()
    assert [get(wire, path).body for path in ("scopes/list", "list?scope=s", "acls/list?scope=s")] == before


def test_there_is_room_for_so_many_bytes(wire, scope, monkeypatch):
    monkeypatch.setattr(vault, "TOTAL_LIMIT", 30)
    assert post(wire, "put", scope="s", key="l", string_value="x" * 20).json["error_code"] == "RESOURCE_LIMIT_EXCEEDED"
    assert post(wire, "put", scope="s", key="k", string_value="x" * 30).status == 200  # in place of the old one


def test_a_value_comes_back_in_no_answer_log_or_record(wire, scope):
    answer = get(wire, "get?scope=s&key=k")
    assert answer.status == 501
    assert "appears in no answer" in answer.json["message"]
    workspace = wire.handle.workspace
    workspace.not_simulated.clear()
    encoded = base64.b64encode(VALUE.encode()).decode()
    seen = [
        *map(repr, wire.handle.log),
        *(repr(call) for call in workspace.record),
        repr(workspace.vault),
        repr(workspace.world.secrets),
        *(get(wire, path).body.decode() for path in ("scopes/list", "list?scope=s", "acls/list?scope=s")),
    ]
    assert [line for line in seen if VALUE in line or encoded in line] == []
    with pytest.raises(TypeError, match="not written down"):
        pickle.dumps(workspace.vault)


@pytest.mark.sdk
def test_the_sdk_s_secrets_api(wire):
    from databricks.sdk.errors import ResourceAlreadyExists, ResourceDoesNotExist
    from databricks.sdk.service.workspace import AclPermission

    api = wire.handle.client().secrets
    api.create_scope("mine", initial_manage_principal="users")
    with pytest.raises(ResourceAlreadyExists, match=r"Scope mine already exists!"):
        api.create_scope("mine")
    api.put_secret("mine", "key", string_value=VALUE)
    assert [secret.key for secret in api.list_secrets("mine")] == ["key"]
    api.put_acl("mine", "tester@example.com", AclPermission.WRITE)
    assert api.get_acl("mine", "tester@example.com").permission is AclPermission.WRITE
    assert {item.principal for item in api.list_acls("mine")} == {"users", "tester@example.com"}
    api.delete_acl("mine", "tester@example.com")
    api.delete_secret("mine", "key")
    with pytest.raises(ResourceDoesNotExist, match="Secret does not exist with scope: mine and key: key"):
        api.delete_secret("mine", "key")
    api.delete_scope("mine")
    assert list(api.list_scopes()) == []


# --- in a deployment ------------------------------------------------------------------------------


def deployed(wire, **environment):
    """Create an endpoint and return its only entity once the update has ended."""
    entity = {"entity_name": "main.ml.fraud", "entity_version": "1", "environment_vars": environment}
    assert wire.create(entities=(entity,)).status == 200
    for _ in range(3):
        found = wire.call("GET", "/api/2.0/serving-endpoints/fraud").json
    return (found.get("config") or found["pending_config"])["served_entities"][0]


def test_a_deployment_gets_its_secrets_and_shows_the_reference(wire, scope):
    entity = deployed(wire, KEY="{{secrets/s/k}}", MODE="fast")
    assert entity["state"]["deployment"] == "DEPLOYMENT_READY"
    assert entity["environment_vars"] == {"KEY": "{{secrets/s/k}}", "MODE": "fast"}


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("{{secrets/s/none}}", "secret 'none' of scope 's': the scope has no such key"),
        ("{{secrets/none/k}}", "secret 'k' of scope 'none': there is no such scope"),
    ],
)
def test_a_missing_key_fails_the_deployment_and_is_named(wire, scope, reference, said):
    state = deployed(wire, KEY=reference)["state"]
    assert state["deployment"] == "DEPLOYMENT_FAILED"
    assert said in state["deployment_state_message"]


def test_bytes_that_no_variable_can_hold_fail_the_deployment(wire, scope):
    post(wire, "put", scope="s", key="k", bytes_value=base64.b64encode(b"\xff\xfe").decode())
    state = deployed(wire, KEY="{{secrets/s/k}}")["state"]
    assert state["deployment"] == "DEPLOYMENT_FAILED"
    assert "secret 'k' of scope 's': its value is no text" in state["deployment_state_message"]
