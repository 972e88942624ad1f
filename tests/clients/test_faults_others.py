"""What requests, curl, MLflow's deployment client and OpenAI's client make of ordered faults."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
import requests

pytestmark = pytest.mark.servesim(poll="settle")

ENTITIES = [
    {"name": "champion", "entity_name": "main.ml.fraud", "entity_version": "1"},
    {"name": "challenger", "entity_name": "main.ml.fraud", "entity_version": "2"},
]
ROUTES = [
    {"served_model_name": "champion", "traffic_percentage": 50},
    {"served_model_name": "challenger", "traffic_percentage": 50},
]
CONFIG = {"served_entities": ENTITIES, "traffic_config": {"routes": ROUTES}}
CONTROL = "/api/2.0/serving-endpoints"
SCORING = "/serving-endpoints/fraud/invocations"


@pytest.fixture
def session(world):
    """Plain requests, and an endpoint of two entities that serves."""
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {world.token}"
        assert session.post(world.host + CONTROL, json={"name": "fraud", "config": CONFIG}).status_code == 200
        assert session.get(f"{world.host}{CONTROL}/fraud").json()["state"]["ready"] == "READY"
        yield session


@pytest.fixture
def score(session, world):
    return lambda: session.post(world.host + SCORING, json={"inputs": [1]})


def last(world):
    return world.requests(1)[0]


# --- requests -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "error", "text"),
    [
        ("reset", requests.ConnectionError, "Connection reset by peer"),
        ("lose_reply", requests.ConnectionError, "closed connection without response"),
        ("truncate", requests.exceptions.ChunkedEncodingError, r"IncompleteRead\(10 bytes read, 10 more expected\)"),
    ],
)
def test_a_broken_connection_is_raised_by_its_kind(world, score, effect, error, text):
    world.faults.add(effect, operation="query", times=1)
    with pytest.raises(error, match=text):
        score()
    assert last(world).faults == ((1, effect),)
    assert score().status_code == 200, "the next connection is sound"


def test_a_body_is_cut_where_it_is_said(world, score):
    world.faults.add("truncate", operation="query", times=1, cut_at=3)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="3 bytes read"):
        score()


@pytest.mark.parametrize("effect", ["lose_reply", "truncate", "reset", "garble"])
@pytest.mark.parametrize("cut_at", [0, 10**6])
def test_what_is_empty_or_short_can_be_broken_too(world, session, effect, cut_at):
    rule = {"cut_at": cut_at} if effect == "truncate" else {}
    world.faults.add(effect, operation="delete_endpoint", times=1, **rule)
    try:
        answer = session.delete(f"{world.host}{CONTROL}/fraud")
    except requests.RequestException:
        pass
    else:
        assert (effect, answer.content) == ("garble", b"{<garbled by a fault>")
    assert (session.get(f"{world.host}{CONTROL}/fraud").status_code == 200) == (effect == "reset")


def test_a_body_is_garbled(world, score):
    world.faults.add("garble", operation="query", times=1)
    answer = score()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_a_refusal_is_broken_like_any_answer(world, session):
    world.faults.add("garble", operation="get_endpoint")
    answer = session.get(f"{world.host}{CONTROL}/nobody")
    assert answer.status_code == 404
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_a_status_has_the_body_and_the_headers_that_are_said(world, score, session):
    world.faults.add("status", operation="query", status=429, times=1)
    world.faults.add("status", operation="query", status=418, skip=1, times=1, body={"tea": 1}, headers={"X-Pot": "1"})
    world.faults.add("status", operation="query", status=502, skip=2, times=1, body="<h1>Bad gateway</h1>")
    plain, tea, gateway = score(), score(), score()
    assert (plain.json()["error_code"], plain.headers["Retry-After"]) == ("REQUEST_LIMIT_EXCEEDED", "0")
    assert (tea.status_code, tea.json(), tea.headers["X-Pot"]) == (418, {"tea": 1}, "1")
    assert (gateway.status_code, gateway.text) == (502, "<h1>Bad gateway</h1>")
    assert gateway.headers["Content-Type"].startswith("text/plain")
    assert "Retry-After" not in tea.headers
    graded = session.get(f"{world.host}{CONTROL}", headers={"X-Servesim-Evidence": "1"})
    assert graded.headers["X-Servesim-Evidence"] == "recorded"
    world.faults.add("status", operation="list_endpoints", status=500, error_code="ODD", message="no")
    odd = session.get(f"{world.host}{CONTROL}", headers={"X-Servesim-Evidence": "1"})
    assert (odd.headers["X-Servesim-Evidence"], odd.json()["error_code"], odd.json()["message"]) == (
        "injected",
        "ODD",
        "no",
    )


def test_the_entity_that_errs_is_named_and_counted(world, score, session):
    world.faults.add("status", entity="challenger", operation="query", status=500)
    answers = [score() for _ in range(40)]
    served = [(one.headers["served-model-name"], one.status_code) for one in answers]
    assert {
        served_by: {status for name, status in served if name == served_by} for served_by in ("champion", "challenger")
    } == {
        "champion": {200},
        "challenger": {500},
    }
    metrics = session.get(f"{world.host}{CONTROL}/fraud/metrics").text
    failed = [
        line for line in metrics.splitlines() if "5xx" in line and not line.startswith("#") and not line.endswith(" 0")
    ]
    assert failed, metrics


def test_a_delay_and_a_status_strike_one_request(world, score):
    world.faults.add("delay", operation="query", delay="2s", times=1)
    world.faults.add("status", operation="query", status=500, times=1)
    assert score().status_code == 500
    record = last(world)
    assert (record.faults, record.ended - record.admitted) == (((1, "delay"), (2, "status")), 2_000)


def test_the_router_is_skewed_for_a_share(world, score):
    world.faults.add("skew", split={"champion": 100}, share=0.5)
    answers = [score().headers["served-model-name"] for _ in range(60)]
    assert 38 < answers.count("champion") < 55


# --- curl -----------------------------------------------------------------------------------------

CURL = {"reset": 56, "lose_reply": 52, "truncate": 18, "garble": 0, "status": 0}
"""Its exit codes: a failure of receiving, an empty reply, a part of a file."""


@pytest.mark.parametrize(("effect", "code"), CURL.items())
@pytest.mark.usefixtures("session")
def test_curl_says_by_its_exit_code_what_broke(world, effect, code):
    assert shutil.which("curl"), "this test drives curl, and there is none on PATH: install it"
    rule = {"status": 503} if effect == "status" else {}
    world.faults.add(effect, operation="query", times=1, **rule)
    command = ["curl", "-q", "-s", "--noproxy", "*", "-u", f"token:{world.token}", "-d", '{"inputs": [1]}']
    typed = [*command, "-H", "Content-Type: application/json", "-w", "%{http_code}", world.host + SCORING]
    done = subprocess.run(typed, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code
    assert done.stdout.endswith({"reset": "000", "lose_reply": "000", "status": "503"}.get(effect, "200"))


@pytest.mark.usefixtures("session")
def test_curl_tries_a_throttled_call_again_if_it_is_told_to(world):
    world.faults.add("status", operation="list_endpoints", status=503, retry_after=0, times=1)
    command = ["curl", "-q", "-s", "--noproxy", "*", "-u", f"token:{world.token}", "--retry", "1", world.host + CONTROL]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert '"endpoints":[' in done.stdout
    assert [one.status for one in world.requests(2)] == [503, 200]


# --- MLflow ---------------------------------------------------------------------------------------


@pytest.fixture
def mlflow(world, session, monkeypatch):
    deployments = pytest.importorskip("mlflow.deployments", reason="the extra `mlflow` is not installed")
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("databricks.sdk.clock.RealClock.sleep", lambda _self, _seconds: None)
    return deployments.get_deploy_client("databricks")


@pytest.mark.mlflow
@pytest.mark.parametrize(("error_code", "told"), [("RESOURCE_EXHAUSTED", 429), ("NO_SUCH_CODE", 500)])
def test_mlflow_tells_the_status_by_the_code(world, mlflow, error_code, told):
    world.faults.add("status", operation="query", status=400, error_code=error_code)
    with pytest.raises(requests.HTTPError) as raised:
        mlflow.predict(endpoint="fraud", inputs={"inputs": [1]})
    assert raised.value.response.status_code == told


@pytest.mark.mlflow
@pytest.mark.parametrize(
    ("status", "told"), [(400, (400, 1)), (413, (400, 8)), (500, (500, 8)), (502, (500, 8)), (504, (504, 1))]
)
def test_mlflow_tries_seven_times_more_what_it_takes_for_a_500(world, mlflow, monkeypatch, status, told):
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    slept = []
    monkeypatch.setattr("time.sleep", lambda seconds: slept.append(int(seconds)))
    world.faults.add("status", operation="query", status=status)
    with pytest.raises(requests.HTTPError) as raised:
        mlflow.predict(endpoint="fraud", inputs={"inputs": [1]})
    calls = world.faults.report()[0]["struck"]
    assert (raised.value.response.status_code, calls) == told
    assert slept == [0, 4, 8, 16, 32, 64, 128][: calls - 1], "and some drawn time each"


@pytest.mark.mlflow
def test_mlflow_takes_an_expired_token_for_a_500_and_does_not_try_again(world, mlflow, monkeypatch):
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    world.faults.add("expire_token", operation="query", times=1)
    with pytest.raises(requests.HTTPError, match="Invalid access token") as raised:
        mlflow.predict(endpoint="fraud", inputs={"inputs": [1]})
    assert raised.value.response.status_code == 500


@pytest.mark.mlflow
@pytest.mark.parametrize("effect", ["reset", "lose_reply"])
def test_mlflow_tries_a_broken_connection_again_as_the_sdk_does(world, mlflow, effect):
    world.faults.add(effect, operation="query", times=1)
    assert mlflow.predict(endpoint="fraud", inputs={"inputs": [1]})["predictions"] in ([1], [2])
    assert [one.faults for one in world.requests(2)] == [((1, effect),), ()]


@pytest.mark.mlflow
@pytest.mark.parametrize(
    ("effect", "error"), [("garble", json.JSONDecodeError), ("truncate", requests.exceptions.ChunkedEncodingError)]
)
def test_mlflow_hands_on_what_is_no_json(world, mlflow, monkeypatch, effect, error):
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    world.faults.add(effect, operation="query", times=1)
    with pytest.raises(error):
        mlflow.predict(endpoint="fraud", inputs={"inputs": [1]})


# --- OpenAI ---------------------------------------------------------------------------------------


@pytest.fixture
def openai(world, session, monkeypatch):
    found = pytest.importorskip("openai")
    monkeypatch.setattr("time.sleep", lambda _seconds: None)  # its pauses, which Retry-After: 0 does not end
    client = found.OpenAI(base_url=f"{world.host}/serving-endpoints", api_key=world.token)
    return lambda: client.post("/fraud/invocations", cast_to=object, body={"inputs": [1]})


@pytest.mark.parametrize(
    ("effect", "rule"),
    [("status", {"status": 429}), ("status", {"status": 500}), ("reset", {}), ("lose_reply", {})],
    ids=["429", "500", "reset", "lost reply"],
)
def test_openai_tries_twice_more(world, openai, effect, rule):
    world.faults.add(effect, operation="query", times=2, **rule)
    assert openai()["predictions"] in ([1], [2])
    assert [len(one.faults) for one in world.requests(3)] == [1, 1, 0]


def test_openai_raises_after_the_third_and_never_retries_a_400(world, openai):
    import openai as library

    world.faults.add("status", operation="query", status=503, times=3)
    with pytest.raises(library.InternalServerError):
        openai()
    world.faults.add("reset", operation="query", times=3)
    with pytest.raises(library.APIConnectionError):
        openai()
    world.faults.add("status", operation="query", status=400, times=3)
    with pytest.raises(library.BadRequestError):
        openai()
    assert [one["struck"] for one in world.faults.report()] == [3, 3, 1]


# --- entities of a world for load tests -----------------------------------------------------------


@pytest.mark.parametrize("mode", ["paced", "autojump", "frozen"])
def test_an_entity_fails_a_share_and_is_slow_in_every_mode(world, session, score, mode):
    world.faults.add("status", entity="challenger", operation="query", share=0.25, status=500)
    world.faults.add("delay", entity="challenger", operation="query", delay={"median": "20ms", "p99": "60ms"})
    world.clock.set_mode(mode)
    answers = []
    for _ in range(30):
        if mode == "frozen":
            pending = world.start(score)
            world.clock.advance("1s")
            answers.append(pending.result())
        else:
            answers.append(score())
    failed = [one.headers["served-model-name"] for one in answers if one.status_code == 500]
    assert 0 < len(failed) < 10
    assert set(failed) == {"challenger"}
    took = {one.entity: set() for one in world.requests(30)}
    for one in world.requests(30):
        took[one.entity].add(one.ended - one.admitted)
    assert min(took["challenger"]) >= 5
    if mode == "autojump":
        assert took["champion"] == {0}
        assert len(took["challenger"]) > 5, "each is drawn"
