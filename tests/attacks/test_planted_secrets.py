"""Secrets, tokens and write-only fields are planted everywhere, and looked for in everything that can be read."""

from __future__ import annotations

import base64
import http.client
import json
import urllib.request

import pytest
from click.testing import CliRunner

from servesim.delivery.cli import main

ENDPOINTS = "/api/2.0/serving-endpoints"
ADMIN = "/_servesim/v1/workspaces/default"

PLANTED = {
    "token": "planted-token-of-the-workspace",
    "admin token": "planted-token-of-the-admin",
    "another's token": "planted-token-of-alice",
    "client secret": "planted-client-secret",
    "secret": "planted-secret-value",
    "replaced secret": "planted-secret-replaced",
    "write-only field": "planted-plaintext",
    "password in an Authorization header": "planted-wrong-password",
}
SCENARIO = f"""
principals:
  - {{user: alice@example.com, token: "{PLANTED["another's token"]}", groups: [analysts]}}
  - {{service_principal: 11111111-2222-3333-4444-555555555555, client_id: robot,
      client_secret: "{PLANTED["client secret"]}"}}
models:
  - {{name: main.ml.fraud, version: 1, stub: {{constant: 1}}, signature: {{amount: double}}}}
"""


def forms(value):
    """Give a value as it could come back: as it is, in base64, in hexadecimal."""
    yield value
    yield base64.b64encode(value.encode()).decode().rstrip("=")
    yield value.encode().hex()


@pytest.fixture
def server(server_process, tmp_path):
    """A server with a planted token of every kind."""
    scenario = tmp_path / "planted.yaml"
    scenario.write_text(SCENARIO, encoding="utf-8")
    tokens = ("--token", PLANTED["token"], "--admin-token", PLANTED["admin token"])
    return server_process("--scenario", str(scenario), *tokens)


def entity(**variables):
    return {"entity_name": "main.ml.fraud", "entity_version": "1", "environment_vars": variables}


def plant(server, said):
    """Use every planted value once; the answers join what was said."""

    def call(method, path, body=None, **options):
        status, answer = server.call(method, path, body, **options)
        said.append(answer)
        return status, answer

    assert call("POST", "/api/2.0/secrets/scopes/create", {"scope": "s"})[0] == 200
    for name in ("replaced secret", "secret"):
        put = {"scope": "s", "key": "k", "string_value": PLANTED[name]}
        assert call("POST", "/api/2.0/secrets/put", put)[0] == 200
    gateway = {
        "inference_table_config": {"enabled": True, "catalog_name": "c", "schema_name": "s"},
        "guardrails": {"input": {"api_key_plaintext": PLANTED["write-only field"]}},
    }
    for name, key in (("good", "k"), ("bad", "missing")):
        config = {"served_entities": [entity(KEY=f"{{{{secrets/s/{key}}}}}")]}
        assert call("POST", ENDPOINTS, {"name": name, "config": config, "ai_gateway": gateway})[0] == 200
    for _ in range(3):
        call("GET", f"{ENDPOINTS}/good")
        call("GET", f"{ENDPOINTS}/bad")
    assert call("POST", "/serving-endpoints/good/invocations", {"dataframe_records": [{"amount": 1.5}]})[0] == 200
    wrong = base64.b64encode(f"user:{PLANTED['password in an Authorization header']}".encode()).decode()
    refused(server, said, {"Authorization": f"Basic {wrong}"})
    refused(server, said, {"Authorization": f"Bearer {PLANTED['password in an Authorization header']}"})
    oauth = sign_in(server)
    said.append(server.call("POST", f"{ADMIN}/expire-tokens", {}, admin=True)[1])
    return oauth


def refused(server, said, headers):
    connection = http.client.HTTPConnection(server.address, timeout=60)
    connection.request("GET", ENDPOINTS, headers=headers)
    response = connection.getresponse()
    assert response.status in {401, 403}
    said.append(response.read())
    connection.close()


def sign_in(server):
    """Get an access token, the only answer that may hold one, and use it."""
    form = f"grant_type=client_credentials&scope=all-apis&client_id=robot&client_secret={PLANTED['client secret']}"
    with urllib.request.urlopen(f"http://{server.address}/oidc/v1/token", form.encode()) as answer:
        token = json.load(answer)["access_token"]
    request = urllib.request.Request(
        f"http://{server.address}{ENDPOINTS}", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request) as answer:
        answer.read()
    return token


def read_everything(server, said):
    """Read all that the APIs and the commands show."""
    for path in (
        *(ENDPOINTS, f"{ENDPOINTS}/good", f"{ENDPOINTS}/bad", "/api/2.0/preview/scim/v2/Me"),
        *(f"{ENDPOINTS}/{name}/{what}" for name in ("good", "bad") for what in ("events", "metrics", "openapi")),
        *(
            f"{ENDPOINTS}/{name}/served-models/fraud-1/{what}"
            for name in ("good", "bad")
            for what in ("logs", "build-logs")
        ),
        *("/api/2.0/secrets/scopes/list", "/api/2.0/secrets/list?scope=s", "/api/2.0/secrets/acls/list?scope=s"),
        "/api/2.0/secrets/get?scope=s&key=k",
    ):
        said.append(server.call("GET", path)[1])
    admin = ("", "/clock", "/events", "/requests", "/principals", "/models", "/faults", "/routes")
    said.append(server.call("GET", "/_servesim/v1/workspaces", admin=True)[1])
    said.extend(server.call("GET", ADMIN + path, admin=True)[1] for path in admin)
    said.append(server.call("GET", f"{ADMIN}/inference-table/good", admin=True)[1])
    last = json.loads(server.call("GET", f"{ADMIN}/requests", admin=True)[1])
    for record in last["requests"]:
        said.append(server.call("GET", f"{ADMIN}/requests/{record['request_id']}/why", admin=True)[1])
    reach = ["--url", f"http://{server.address}", "--admin-token", PLANTED["admin token"]]
    for words in (["clock", "now"], ["timeline"], ["requests", "list"], ["workspace", "list"]):
        result = CliRunner().invoke(main, [*words, *reach])
        assert result.exit_code == 0, result.output
        said.append(result.output.encode())


def test_what_was_planted_comes_back_nowhere(server):
    said = []
    oauth = plant(server, said)
    server.call("POST", f"{ADMIN}/clock/advance", {"by": "2h"}, admin=True)
    read_everything(server, said)
    exports = list(server.exports.values())
    server.end()
    assert exports.count(PLANTED["token"]) == 1
    seen = b"\n".join([*said, *(line.encode() for line in server.lines)]).decode()
    assert "scope 's'" in seen  # the failed deployment names scope and key
    assert "planted-token-of-the-workspace" not in seen
    found = {
        name for name, value in {**PLANTED, "access token": oauth}.items() for form in forms(value) if form in seen
    }
    assert found == set()


def test_the_search_would_find_a_planted_value():
    assert list(forms("abc")) == ["abc", "YWJj", "616263"]
