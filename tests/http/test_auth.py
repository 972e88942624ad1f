"""Who may call: bearer and basic; 401 without a credential, 403 with an unknown one."""

import base64

import pytest

ENDPOINTS = "/api/2.0/serving-endpoints"


def basic(text):
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_bearer_in_any_case(wire, scheme):
    headers = {"Authorization": f"{scheme} {wire.handle.token}"}
    assert wire.call("GET", ENDPOINTS, headers=headers).status == 200


@pytest.mark.parametrize("scheme", ["Basic", "basic"])
def test_basic_with_the_user_token(wire, scheme):
    credential = basic(f"token:{wire.handle.token}".encode()).partition(" ")[2]
    assert wire.call("GET", ENDPOINTS, headers={"Authorization": f"{scheme} {credential}"}).status == 200


NONE = {
    "nothing": None,
    "empty": "",
    "a scheme alone": "Bearer",
    "an empty token": "Bearer ",
    "blanks": "Bearer    ",
    "another scheme": "Digest abc",
    "malformed base64": "Basic !!!!",
    "half of base64": "Basic dG9rZW4",
    "not UTF-8": basic(b"token:\xff\xfe"),
    "no colon": basic(b"token"),
    "no token": basic(b"token:"),
    "another user": basic(b"me:secret"),
}


@pytest.mark.parametrize("credential", NONE.values(), ids=NONE)
def test_no_credential_is_401_with_an_integer_code(wire, credential):
    headers = {} if credential is None else {"Authorization": credential}
    answer = wire.call("GET", ENDPOINTS, headers=headers, token=False)
    assert answer.status == 401
    assert answer.json["error_code"] == 401
    message = answer.json["message"]
    assert message.startswith("Credential was not sent or was of an unsupported type for this API. [ReqId: ")


@pytest.mark.parametrize("credential", ["Bearer unknown", basic(b"token:unknown"), "Bearer \u00e4"])
def test_an_unknown_token_is_403(wire, credential):
    answer = wire.call("GET", ENDPOINTS, headers={"Authorization": credential}, token=False)
    assert (answer.status, answer.json["error_code"]) == (403, 403)
    assert answer.json["message"].startswith("Invalid access token. [ReqId: ")
    assert "unknown" not in answer.json["message"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nowhere"), ("POST", "/serving-endpoints/none/invocations"), ("PUT", ENDPOINTS)]
)
def test_a_stranger_learns_nothing(wire, method, path):
    assert wire.call(method, path, token=False).status == 401


def test_a_closed_workspace_forgets_its_token(servesim_server, wire):
    other = servesim_server.open()
    assert wire.call("GET", ENDPOINTS, headers={"Authorization": f"Bearer {other.token}"}).status == 200
    other.close()
    assert wire.call("GET", ENDPOINTS, headers={"Authorization": f"Bearer {other.token}"}).status == 403


def test_workspaces_of_one_server_see_nothing_of_each_other(servesim_server, wire):
    other = servesim_server.open()
    wire.ready()
    headers = {"Authorization": f"Bearer {other.token}"}
    assert wire.call("GET", ENDPOINTS, headers=headers).json == {"endpoints": []}
    assert wire.call("GET", f"{ENDPOINTS}/fraud", headers=headers).status == 404
    assert wire.call("POST", "/serving-endpoints/fraud/invocations", {"inputs": [1]}, headers).status == 404
    other.close()


# --- outside authentication -----------------------------------------------------------------------


@pytest.mark.parametrize("credential", [{}, {"Authorization": "Bearer unknown"}])
def test_health_needs_no_credential(wire, credential):
    answer = wire.call("GET", "/_servesim/v1/health", headers=credential, token=False)
    assert (answer.status, answer.json["status"]) == (200, "ok")


@pytest.mark.parametrize("credential", [{}, {"Authorization": "Bearer unknown"}])
def test_host_discovery_needs_no_credential_and_names_no_workspace(wire, credential):
    answer = wire.call("GET", "/.well-known/databricks-config", headers=credential, token=False)
    assert answer.status == 200
    assert answer.json == {"oidc_endpoint": f"http://{wire.address}/oidc", "cloud": "AWS"}


def test_me_of_a_service_principal_is_a_user_named_by_its_application(wire):
    robot = "1f0e2d3c-0000-0000-0000-000000000000"
    token = wire.handle.principals.add(service_principal=robot)
    answer = wire.call("GET", "/api/2.0/preview/scim/v2/Me", headers={"Authorization": f"Bearer {token}"})
    assert answer.json["schemas"] == ["urn:ietf:params:scim:schemas:core:2.0:User"]
    assert answer.json["userName"] == robot
    assert "emails" not in answer.json


def test_me_names_the_caller_and_its_workspace(wire, servesim_server):
    answer = wire.call("GET", "/api/2.0/preview/scim/v2/Me")
    assert answer.json["userName"] == "tester@example.com"
    assert answer.json["schemas"] == ["urn:ietf:params:scim:schemas:core:2.0:User"]
    first = answer.headers["X-Databricks-Org-Id"]
    assert first.isdigit()
    other = servesim_server.open(seed=1)
    headers = {"Authorization": f"Bearer {other.token}"}
    assert wire.call("GET", "/api/2.0/preview/scim/v2/Me", headers=headers).headers["X-Databricks-Org-Id"] != first
    other.close()
