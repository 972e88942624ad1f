"""Secrets, principals, faults, access to models, kept requests and modes, by the handle."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from servesim.core.errors import Rejected

PLANTED = "planted-and-never-seen"


def call(sim, path, body=None, method=None, token=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(sim.host + path, data=data, method=method)
    request.add_header("Authorization", f"Bearer {token or sim.token}")
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def create(sim, name="e", model="m", token=None, **entity):
    config = {"served_entities": [{"entity_name": model, "entity_version": "1", **entity}]}
    return call(sim, "/api/2.0/serving-endpoints", {"name": name, "config": config}, token=token)


def deployment(sim, name="e", config="pending_config"):
    return call(sim, f"/api/2.0/serving-endpoints/{name}")[1][config]["served_entities"][0]["state"]


pytestmark = pytest.mark.servesim(clock="frozen")


def test_a_secret_is_kept_and_never_shown(servesim):
    servesim.secrets.put("scope", "key", PLANTED)
    servesim.secrets.put("scope", "other", b"\x00")
    assert servesim.secrets.list() == {"scope": ["key", "other"]}
    servesim.secrets.delete("scope", "other")
    servesim.models.stub("m")
    create(servesim, environment_vars={"PASSWORD": "{{secrets/scope/key}}"})
    servesim.clock.advance("10m")
    assert deployment(servesim, config="config")["deployment"] == "DEPLOYMENT_READY"
    assert PLANTED not in f"{servesim.log}{servesim.requests()}{servesim.secrets.list()}"
    with pytest.raises(Rejected):
        servesim.secrets.delete("scope", "none")


def test_a_missing_secret_fails_the_deployment(servesim):
    servesim.models.stub("m")
    create(servesim, environment_vars={"PASSWORD": "{{secrets/scope/key}}"})
    servesim.clock.advance("10m")
    assert deployment(servesim)["deployment"] == "DEPLOYMENT_FAILED"


def test_a_principal_gets_a_token(servesim):
    token = servesim.principals.add(user="ana@example.com", groups=["data-science"])
    assert call(servesim, "/api/2.0/preview/scim/v2/Me", token=token)[1]["userName"] == "ana@example.com"
    assert servesim.principals.list() == {"tester@example.com": ["admins"], "ana@example.com": ["data-science"]}
    servesim.principals.remove("ana@example.com")
    assert call(servesim, "/api/2.0/preview/scim/v2/Me", token=token)[0] == 403


def test_a_principal_without_rights_is_refused(servesim):
    servesim.models.stub("m")
    create(servesim)
    token = servesim.principals.add("bob@example.com", token="bob-token")
    assert token == "bob-token"
    assert call(servesim, "/api/2.0/serving-endpoints/e", token=token)[0] == 403
    assert servesim.principals.add("bob@example.com", admin=True, token="bob-again") == "bob-again"
    assert call(servesim, "/api/2.0/serving-endpoints/e", token=token)[0] == 200


def test_access_tokens_end_when_told(servesim):
    servesim.principals.add(service_principal="app-1", client_secret="its-secret")
    body = b"grant_type=client_credentials&scope=all-apis&client_id=app-1&client_secret=its-secret"
    with urllib.request.urlopen(f"{servesim.host}/oidc/v1/token", body) as answer:
        token = json.load(answer)["access_token"]
    assert call(servesim, "/api/2.0/serving-endpoints", token=token)[0] == 200
    assert servesim.expire_tokens() == 1
    assert call(servesim, "/api/2.0/serving-endpoints", token=token)[0] in {401, 403}


@pytest.mark.parametrize("names", [{}, {"user": "a", "service_principal": "b"}, {"user": "a", "client_secret": "s"}])
def test_a_principal_is_one_thing(servesim, names):
    with pytest.raises(ValueError, match="service_principal="):
        servesim.principals.add(**names)


def test_the_next_deployment_fails_with_a_message(servesim):
    servesim.models.stub("m")
    assert servesim.faults.fail_next("no room on this node", endpoint="e") == 1
    create(servesim, "other")
    create(servesim, "e")
    servesim.clock.advance("10m")
    assert deployment(servesim, "other", "config")["deployment"] == "DEPLOYMENT_READY"
    failed = deployment(servesim, "e")
    assert failed["deployment"] == "DEPLOYMENT_FAILED"
    assert "no room on this node" in failed["deployment_state_message"]
    assert servesim.faults.list() == {}


def test_the_next_deployment_takes_longer(servesim):
    servesim.models.stub("m")
    servesim.faults.delay_next("20m")
    create(servesim)
    servesim.clock.advance("29m")
    assert deployment(servesim)["deployment"] == "DEPLOYMENT_CREATING"
    servesim.clock.advance("1m")
    assert deployment(servesim, config="config")["deployment"] == "DEPLOYMENT_READY"
    with pytest.raises(ValueError, match="a delay is longer than nothing"):
        servesim.faults.delay_next(0)


def test_the_next_deployment_hangs_and_an_order_is_taken_back(servesim):
    servesim.models.stub("m")
    servesim.faults.hang_next()
    servesim.faults.remove(servesim.faults.hang_next(entity="m-1", times=3))
    create(servesim)
    servesim.clock.advance("2h")
    assert deployment(servesim)["deployment"] == "DEPLOYMENT_ABORTED"
    with pytest.raises(Rejected) as refused:
        servesim.faults.remove(7)
    assert refused.value.__notes__ == ["There is no fault 7: it was used up, removed, or never ordered."]
    with pytest.raises(ValueError, match="times is a whole number from 1"):
        servesim.faults.hang_next(times=0)


def test_a_model_that_only_some_may_serve(servesim):
    servesim.models.stub("m")
    servesim.models.allow("m", ["data-science"])
    ana = servesim.principals.add("ana@example.com", groups=["data-science"], entitlements=["allow-cluster-create"])
    bob = servesim.principals.add("bob@example.com", entitlements=["allow-cluster-create"])
    assert create(servesim, "a", token=ana)[0] == 200
    assert create(servesim, "b", token=bob)[0] == 403
    servesim.models.allow("m", None)
    assert create(servesim, "b", token=bob)[0] == 200


def test_the_last_requests(servesim):
    servesim.models.stub("m", "constant", value=1)
    create(servesim)
    servesim.clock.advance("10m")
    for _ in range(3):
        call(servesim, "/serving-endpoints/e/invocations", {"inputs": [1]})
    kept = servesim.requests()
    assert [record.kind for record in kept] == ["control", *["scoring"] * 3]
    assert [record.number for record in servesim.requests(last=2)] == [3, 4]
    assert json.loads(kept[-1].answer) == {"predictions": [1]}


def test_time_can_move_another_way(servesim):
    servesim.clock.set_mode("paced", rate=1e6)
    assert servesim.clock.mode == "paced"
    servesim.clock.set_mode("autojump")
    assert servesim.clock.mode == "autojump"
    with pytest.raises(ValueError, match="clock must be one of autojump, frozen, paced"):
        servesim.clock.set_mode("sundial")
