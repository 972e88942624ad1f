"""OAuth by the SDK as it is: client credentials, tokens that end, and the exchange for the data plane."""

from __future__ import annotations

import json

import pytest

from servesim.core.access import Member, Principal
from servesim.service.tokens import Client

pytestmark = pytest.mark.sdk

ENTITY = {"entity_name": "main.ml.fraud", "entity_version": "1"}
ROBOT = Member(Principal("robot", "Robot", "ServicePrincipal"), ("admins",))


@pytest.fixture
def robot(world, servesim_server):
    """Add a service principal that asks for tokens, and give the SDK's arguments for it."""
    hub, workspace = servesim_server.server.hub, world.workspace

    async def add():
        hub.add_client(workspace, Client("robot", "planted-client-secret", ROBOT))

    servesim_server.run(add())
    return {"host": world.host, "client_id": "robot", "client_secret": "planted-client-secret"}


def expire(servesim_server, world, principal=None):
    async def end():
        return servesim_server.server.hub.expire_tokens(world.workspace, principal)

    return servesim_server.run(end())


def asked(sent, path="/oidc/v1/token"):
    return [one for one in sent if one.path == path]


@pytest.fixture
def forms(servesim_server, monkeypatch):
    """Count what asks for a token: its form is no JSON, so ``sent`` cannot collect it."""
    hub = servesim_server.server.hub
    granted = []
    grant = hub.grant

    def counted(*arguments):
        granted.append(grant(*arguments))
        return granted[-1]

    monkeypatch.setattr(hub, "grant", counted)
    return granted


def test_a_client_with_a_secret_works_like_one_with_a_token(robot, forms):
    from databricks.sdk import WorkspaceClient

    client = WorkspaceClient(**robot)
    assert client.config.auth_type == "oauth-m2m"
    assert client.current_user.me().user_name == "robot"
    client.serving_endpoints.list()
    (grant,) = forms  # one token for both calls
    assert grant.expires_in == 3600


def test_a_wrong_secret_is_the_sdks_error(robot):
    from databricks.sdk import WorkspaceClient

    with pytest.raises(ValueError, match="invalid_client: Client authentication failed"):
        WorkspaceClient(**robot | {"client_secret": "wrong"}).current_user.me()


def test_the_sdk_keeps_a_token_that_was_expired_until_its_own_clock_says_so(robot, world, servesim_server, forms):
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors import PermissionDenied

    client = WorkspaceClient(**robot)
    client.current_user.me()
    assert expire(servesim_server, world) == 1
    for _ in range(2):  # it asks for no other token
        with pytest.raises(PermissionDenied, match="Invalid access token"):
            client.current_user.me()
    assert len(forms) == 1
    assert WorkspaceClient(**robot).current_user.me().user_name == "robot"


def test_only_the_named_principal_s_tokens_are_expired(robot, world, servesim_server):
    from databricks.sdk import WorkspaceClient

    client = WorkspaceClient(**robot)
    client.current_user.me()
    assert expire(servesim_server, world, "somebody-else") == 0
    assert client.current_user.me().user_name == "robot"
    assert expire(servesim_server, world, "robot") == 1


def test_the_sdk_refreshes_what_is_about_to_end(servesim_server, tmp_path, forms):
    from databricks.sdk import WorkspaceClient

    scenario = tmp_path / "world.yaml"
    scenario.write_text(
        "token_lifetime: 30s\n"  # the SDK takes a token for expired 40 s before it ends
        "principals: [{service_principal: robot, client_id: short, client_secret: planted-client-secret}]\n",
        encoding="utf-8",
    )
    with servesim_server.open(scenario=scenario) as here:
        client = WorkspaceClient(host=here.host, client_id="short", client_secret="planted-client-secret")
        for _ in range(3):
            assert client.current_user.me().user_name == "robot"
        assert [grant.expires_in for grant in forms] == [30, 30, 30]
        assert len({grant.token for grant in forms}) == 3


@pytest.mark.mlflow
def test_mlflow_deployments_by_oauth(robot, world, monkeypatch):
    from mlflow.deployments import get_deploy_client

    world.client().serving_endpoints.create_and_wait(name="fraud", config=config())
    monkeypatch.setenv("DATABRICKS_HOST", robot["host"])
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", robot["client_id"])
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", robot["client_secret"])
    client = get_deploy_client("databricks")
    assert client.predict(endpoint="fraud", inputs={"inputs": [1]})["predictions"] == [1]


def config():
    from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput

    return EndpointCoreConfigInput(name="", served_entities=[ServedEntityInput(**ENTITY)])


def test_a_token_for_one_endpoint_scores_that_endpoint_alone(robot, world):
    import requests
    from databricks.sdk import WorkspaceClient, data_plane

    if not hasattr(data_plane, "DataPlaneTokenSource"):
        pytest.skip("newer SDKs only")
    client = WorkspaceClient(**robot)
    ids = {}
    for name in ("one", "two"):
        ids[name] = client.serving_endpoints.create_and_wait(name=name, config=config()).id
    details = {
        "type": "workspace_permission",
        "object_type": "serving-endpoint",
        "object_path": f"/serving-endpoints/{ids['one']}",
        "actions": ["query_inference_endpoint"],
    }
    source = data_plane.DataPlaneTokenSource(world.host, client.config.oauth_token)
    token = source.token("one", json.dumps([details]))

    def status(method, path):
        headers = {"Authorization": f"Bearer {token.access_token}"}
        return requests.request(
            method, world.host + path, json={"inputs": [1]}, headers=headers, timeout=30
        ).status_code

    assert status("POST", "/serving-endpoints/one/invocations") == 200
    assert status("POST", "/serving-endpoints/two/invocations") == 403
    assert status("GET", "/api/2.0/serving-endpoints/one") == 403
