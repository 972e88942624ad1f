"""A port of a workspace's own, and a workspace without model serving."""

from __future__ import annotations

import asyncio
import http.client
import json

import pytest

from servesim.core.access import Member, Principal
from servesim.http.server import Server
from servesim.models.host import ModelHost
from servesim.service.hub import Hub, WorkspaceSettings

ENDPOINTS = "/api/2.0/serving-endpoints"
DISABLED = "Model serving is not enabled for your shard. Please contact your organization admin or Databricks support."


def call(port, token, path=ENDPOINTS, method="GET", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, body and json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.fixture
def two(servesim_server):
    """Give two workspaces, the first with a port of its own."""
    with servesim_server.open() as mine, servesim_server.open() as other:
        port = servesim_server.run(servesim_server.server.open_port(mine.workspace))
        yield port, mine, other


def test_only_there_is_another_workspace_s_token_refused(servesim_server, two):
    port, mine, other = two
    assert call(port, mine.token)[0] == 200
    assert call(port, other.token) == (403, {"error_code": 403, "message": "Unauthorized access to workspace"})
    status, body = call(port, other.token, "/serving-endpoints/e/invocations", "POST", {"inputs": [1]})
    assert (status, body["error_code"]) == (403, 403)
    common = servesim_server.server.port
    assert [call(common, handle.token)[0] for handle in (mine, other)] == [200, 200]


def test_unknown_tokens_and_calls_without_one_are_refused_as_everywhere(two):
    port = two[0]
    assert call(port, "nobody")[1]["message"].startswith("Invalid access token. ")
    assert call(port, None)[0] == 401
    assert call(port, None, "/_servesim/v1/health") == (200, {"status": "ok"})


def test_a_port_ends_with_its_workspace(servesim_server):
    mine = servesim_server.open()
    port = servesim_server.run(servesim_server.server.open_port(mine.workspace))
    assert servesim_server.server.ports == {mine.workspace: port}
    mine.close()
    assert servesim_server.server.ports == {}
    with pytest.raises(ConnectionRefusedError):
        call(port, mine.token)


def test_workspaces_that_want_a_port_have_it_once_the_server_starts():
    async def scene():
        hub = Hub(ModelHost())
        workspace = hub.open(WorkspaceSettings(), {"t": Member(Principal("u"))})
        workspace.wants_port = 0
        server = Server(hub)
        await server.start()
        try:
            assert server.ports[workspace] not in {0, server.port}
            assert await asyncio.to_thread(call, server.ports[workspace], "t") == (200, {"endpoints": []})
        finally:
            await server.stop()
        assert server.ports == {}

    asyncio.run(scene())


def test_a_port_that_is_taken_is_an_error_and_harms_nothing(servesim_server, two):
    port, _, other = two
    with pytest.raises(OSError, match="in use"):
        servesim_server.run(servesim_server.server.open_port(other.workspace, port))
    assert call(port, two[1].token)[0] == 200


def test_a_client_of_elsewhere_gets_no_token_there(servesim_server, two, tmp_path):
    port = two[0]
    world = tmp_path / "world.yaml"
    world.write_text(
        "port: 0\nprincipals: [{service_principal: robot, client_id: robot, client_secret: s}]", encoding="utf-8"
    )
    with servesim_server.open(scenario=world) as third:
        own = servesim_server.server.ports[third.workspace]
        assert third.host == f"http://127.0.0.1:{own}"  # what its clients are told

        def ask(at):
            connection = http.client.HTTPConnection("127.0.0.1", at, timeout=30)
            form = "grant_type=client_credentials&client_id=robot&client_secret=s"
            connection.request("POST", "/oidc/v1/token", form, {"Content-Type": "application/x-www-form-urlencoded"})
            status = connection.getresponse().status
            connection.close()
            return status

        assert [ask(at) for at in (own, servesim_server.server.port, port)] == [200, 200, 401]


# --- model serving disabled -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ENDPOINTS),
        ("GET", f"{ENDPOINTS}/fraud"),
        ("POST", ENDPOINTS),
        ("POST", "/serving-endpoints/fraud/invocations"),
        ("GET", "/api/2.0/permissions/serving-endpoints/0"),
    ],
)
def test_without_model_serving_every_serving_call_is_refused(servesim_server, method, path):
    with servesim_server.open(model_serving="disabled") as handle:
        status, body = call(servesim_server.server.port, handle.token, path, method, {})
        assert (status, body["error_code"], body["message"]) == (500, "INTERNAL_ERROR", DISABLED)


def test_nothing_else_is_refused_without_model_serving(servesim_server):
    with servesim_server.open(model_serving="disabled") as handle:
        for path in ("/api/2.0/preview/scim/v2/Me", "/api/2.0/secrets/scopes/list", "/.well-known/databricks-config"):
            assert call(servesim_server.server.port, handle.token, path)[0] == 200


def test_a_word_that_is_neither_is_an_error(servesim_server):
    with pytest.raises(ValueError, match="model_serving must be one of enabled, disabled"):
        servesim_server.open(model_serving="off")


@pytest.mark.parametrize("path", [ENDPOINTS, "/serving-endpoints/e/invocations"])
def test_a_target_as_a_proxy_writes_it_is_the_same_call(servesim_server, path):
    method = "GET" if path == ENDPOINTS else "POST"
    with servesim_server.open(model_serving="disabled") as mine:
        port = servesim_server.server.port
        answers = [call(port, mine.token, at + path, method, {})[1] for at in ("", f"http://127.0.0.1:{port}")]
    assert [answer["message"] for answer in answers] == [DISABLED, DISABLED]
