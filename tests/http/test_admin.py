"""The admin API over the wire: who may call it, every operation, and what it never says."""

from __future__ import annotations

import json
import re
import socket
import threading

import pytest

from servesim.http.admin import OPERATIONS
from servesim.service.clock import pause

BASE = "/_servesim/v1"
TOKEN = "admin-of-tests"
START = "2026-01-05T09:00:00Z"
ENDPOINTS = "/api/2.0/serving-endpoints"
ENTITY = {"name": "a", "entity_name": "main.ml.fraud", "entity_version": "1", "scale_to_zero_enabled": True}


class Admin:
    """The admin API, for one workspace unless a path begins with a slash twice."""

    def __init__(self, wire) -> None:
        self.wire = wire
        self.inside = f"{BASE}/workspaces/{wire.handle.workspace.name}"

    def __call__(self, method, path, body=None, **headers):
        path = path.removeprefix("/") if path.startswith("//") else self.inside + path
        sent = {"Authorization": f"Bearer {TOKEN}", **{name.replace("_", "-"): text for name, text in headers.items()}}
        return self.wire.call(method, path, body, sent)

    def get(self, path, **headers):
        return self("GET", path, **headers)

    def post(self, path, body=None, **headers):
        return self("POST", path, {} if body is None else body, **headers)


@pytest.fixture
def admin(wire, servesim_server, monkeypatch):
    monkeypatch.setattr(servesim_server.server, "admin_token", TOKEN)
    return Admin(wire)


def at(path):
    """Name a path of the whole server."""
    return f"/{BASE}{path}"


# --- who may call it ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("", 401),
        ("Basic YWRtaW4=", 401),
        ("Bearer", 401),
        ("Bearer wrong", 403),
        ("Bearer admin-of-test", 403),
        ("Bearer \xe4", 403),
    ],
    ids=["none", "basic", "empty", "wrong", "shorter", "not-ascii"],
)
def test_without_the_admin_token_nothing_is_said(admin, sent, status):
    answer = admin.get("", Authorization=sent)
    assert answer.status == status
    assert answer.json.keys() == {"error_code", "message"}
    assert "SERVESIM_ADMIN_TOKEN" in answer.json["message"]
    assert TOKEN not in answer.body.decode()


def test_a_workspace_s_own_token_does_not_open_it(admin, wire):
    assert admin.get("", Authorization=f"Bearer {wire.handle.token}").status == 403


def test_the_admin_token_opens_no_workspace(admin, wire):
    assert wire.call("GET", ENDPOINTS, headers={"Authorization": f"Bearer {TOKEN}"}).status == 403


def test_a_server_without_an_admin_token_has_no_admin_api(admin, servesim_server, monkeypatch):
    monkeypatch.setattr(servesim_server.server, "admin_token", None)
    assert admin.get("").status == 403


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:80", "LOCALHOST.", "127.0.0.1:1", "127.9.9.9", "[::1]:8765", "sim.test:9"]
)
def test_a_host_that_is_this_machine_s_or_allowed_is_answered(admin, servesim_server, monkeypatch, host):
    monkeypatch.setattr(servesim_server.server, "allowed_hosts", frozenset({"sim.test"}))
    assert admin.get("/clock", Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8765",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "[::2]",
        ":80",
        "",
    ],
)
def test_another_host_is_refused_even_with_the_token(admin, host):
    answer = admin.get("/clock", Host=host)
    assert answer.status == 403
    assert "--allowed-host" in answer.json["message"]


def test_a_call_without_a_host_is_refused(admin, wire):
    name, _, port = wire.address.partition(":")
    with socket.create_connection((name, int(port)), timeout=10) as connection:
        connection.sendall(f"GET {BASE}/workspaces HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        head = connection.makefile("rb").readline()
    assert b" 403 " in head


def test_a_call_with_two_hosts_is_refused(admin, wire):
    name, _, port = wire.address.partition(":")
    with socket.create_connection((name, int(port)), timeout=10) as connection:
        hosts = "Host: 127.0.0.1\r\nHost: evil.example\r\n"
        connection.sendall(f"GET {BASE}/workspaces HTTP/1.1\r\n{hosts}Authorization: Bearer {TOKEN}\r\n\r\n".encode())
        head = connection.makefile("rb").readline()
    assert head.split()[1] in {b"400", b"403"}


def test_health_needs_neither(wire):
    answer = wire.call("GET", f"{BASE}/health", headers={"Host": "evil.example"}, token=False)
    assert answer.json == {"status": "ok"}


def test_unknown_paths_and_methods_say_what_there_is(admin):
    assert "lists what it has" in admin.get(at("/nothing")).json["message"]
    refused = admin("DELETE", "/clock")
    assert (refused.status, refused.json["message"].endswith("takes GET, not DELETE.")) == (405, True)
    assert refused.headers["Allow"] == "GET"
    assert admin.get(at("/workspaces/nobody")).status == 404


@pytest.mark.parametrize("path", ["/workspaces/..%2f..", "/workspaces/%2e%2e/clock", "/../api", "/workspaces/a%2Fb"])
def test_odd_paths_are_not_found(admin, path):
    assert admin.get(at(path)).status in {403, 404}


@pytest.mark.parametrize(
    "body", [b"[", b"[1]", b'"x"', b"\xff", b"[" * 100_000], ids=["half", "list", "text", "bytes", "deep"]
)
def test_a_body_that_is_no_object_is_refused(admin, body):
    assert admin.post("/clock/advance", body).status == 400


def test_the_index_lists_every_operation(admin):
    listed = admin.get(at("")).json["operations"]
    assert [(one["method"], one["path"]) for one in listed] == [(row.method, row.path) for row in OPERATIONS]
    assert all(one["summary"] for one in listed)
    assert admin.get(at("/")).json["operations"] == listed


# --- time -----------------------------------------------------------------------------------------


@pytest.mark.servesim(clock="frozen")
def test_time_is_moved_and_says_what_is_ahead(admin, wire):
    wire.create(entities=[ENTITY])
    clock = admin.get("/clock").json
    assert (clock["now"], clock["mode"], clock["held"]) == (START, "frozen", [])
    assert clock["pending"] == [
        {
            "due": "2026-01-05T09:08:00Z",
            "in_ms": 480_000,
            "what": "built",
            "words": "its container is built",
            "endpoint": "fraud",
            "entity": "a",
        }
    ]
    moved = admin.post("/clock/advance", {"by": "10m"}).json
    assert (moved["from"], moved["now"]) == (START, "2026-01-05T09:10:00Z")
    assert admin.post("/clock/advance", {"by": 1.5}).json["now"] == "2026-01-05T09:10:01.500Z"
    assert admin.post("/clock/run-until", {"instant": "2026-01-05T10:00:00Z"}).json["now"] == "2026-01-05T10:00:00Z"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/clock/advance", {"by": "-5m"}),
        ("/clock/advance", {"by": -5}),
        ("/clock/advance", {"by": True}),
        ("/clock/advance", {"by": "soon"}),
        ("/clock/advance", {"by": 1e300}),
        ("/clock/advance", {"by": float("inf")}),
        ("/clock/advance", {"by": "9999999d"}),
        ("/clock/advance", {}),
        ("/clock/advance", {"for": "5m"}),
        ("/clock/run-until", {"instant": "2020-01-01"}),
        ("/clock/run-until", {"instant": "tomorrow"}),
        ("/clock/run-until", {"instant": 5}),
        ("/clock/mode", {"mode": "backwards"}),
        ("/clock/mode", {"mode": "paced", "rate": 0}),
        ("/clock/mode", {"mode": "paced", "rate": "60"}),
        ("/clock/mode", {"mode": "paced", "rate": 1e300}),
    ],
    ids=str,
)
@pytest.mark.servesim(clock="frozen")
def test_time_that_cannot_be_is_refused_and_nothing_moves(admin, path, body):
    refused = admin.post(path, body)
    assert (refused.status, refused.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), refused.body
    clock = admin.get("/clock").json
    assert (clock["now"], clock["mode"]) == (START, "frozen")


class Scoring(threading.Thread):
    """A request that is held while the test goes on."""

    def __init__(self, wire) -> None:
        super().__init__(daemon=True)
        self.wire = wire
        self.start()

    def run(self):
        self.answer = self.wire.score()

    def result(self):
        self.join(30)
        return self.answer


def held(admin):
    """Return the requests that are held, once one is."""
    while not (found := admin.get("/clock").json["held"]):
        pass
    return found


def asleep(admin, wire):
    """Make an endpoint that has scaled to zero, on a frozen clock."""
    wire.create(entities=[ENTITY])
    admin.post("/clock/advance", {"by": "41m"})


@pytest.mark.servesim(clock="frozen", hold_timeout=60)
def test_who_waits_for_what_is_told(admin, wire):
    asleep(admin, wire)
    call = Scoring(wire)
    (waiting,) = held(admin)
    assert waiting["requester"] == "tester@example.com"
    assert (waiting["endpoint"], waiting["entity"], waiting["waits_for"]) == ("fraud", "a", "its cold start")
    assert waiting["since"] == "2026-01-05T09:41:00Z"
    admin.post("/clock/run-until", {"instant": waiting["due"]})
    assert call.result().status == 200


@pytest.mark.servesim(clock="frozen", hold_timeout=60)
@pytest.mark.parametrize("mode", [{"mode": "autojump"}, {"mode": "paced", "rate": 100}], ids=["autojump", "paced"])
def test_who_is_held_goes_on_once_time_moves_by_itself(admin, wire, mode):
    asleep(admin, wire)
    call = Scoring(wire)
    held(admin)
    assert admin.post("/clock/mode", mode).json["mode"] == mode["mode"]
    assert call.result().status == 200


@pytest.mark.servesim(clock="paced", rate=1_000_000)
def test_time_stands_once_it_is_frozen(admin):
    stopped = admin.post("/clock/mode", {"mode": "frozen"}).json
    assert stopped["now"] > START
    assert admin.get("/clock").json["now"] == stopped["now"]


@pytest.mark.servesim(clock="frozen")
def test_paced_time_begins_where_it_stood(admin, wire):
    admin.post("/clock/advance", {"by": "1h"})
    admin.post("/clock/mode", {"mode": "paced", "rate": 0.001})
    assert wire.handle.workspace.clock._base[0] == wire.handle.workspace.settings.start + 3_600_000


@pytest.mark.servesim(clock="frozen", hold_timeout=0.01)
def test_the_504_names_the_command(admin, wire):
    asleep(admin, wire)
    message = wire.score().json["message"]
    assert re.search(r"`servesim clock run-until 2026-01-05T09:41:[\d.]+Z`", message)


# --- workspaces and principals --------------------------------------------------------------------


@pytest.fixture
def made(admin):
    answer = admin.post(
        at("/workspaces"),
        {
            "workspace": "made",
            "clock": "frozen",
            "seed": 7,
            "principals": [{"user": "a@b.c", "admin": True}],
            "models": [{"name": "main.ml.fraud", "version": 1, "stub": {"constant": 0.5}}],
            "endpoints": [{"name": "fraud", "config": {"served_entities": [ENTITY]}}],
        },
    )
    assert answer.status == 201, answer.body
    yield answer.json
    admin("DELETE", at("/workspaces/made"))


def as_(token):
    return {"Authorization": f"Bearer {token}"}


def test_a_workspace_is_made_from_a_scenario(admin, wire, made):
    assert (made["name"], made["mode"], made["endpoints"], made["now"]) == ("made", "frozen", ["fraud"], START)
    answer = wire.call("POST", "/serving-endpoints/fraud/invocations", {"inputs": [1]}, as_(made["tokens"]["a@b.c"]))
    assert answer.json == {"predictions": [0.5]}
    assert "made" in [one["name"] for one in admin.get(at("/workspaces")).json["workspaces"]]
    assert admin.get(at("/workspaces/made")).json["settings"]["seed"] == 7


def test_a_name_is_taken_once(admin, made):
    assert admin.post(at("/workspaces"), {"workspace": "made"}).status == 409


def test_a_workspace_without_anything_has_a_name_and_a_token(admin, wire):
    answer = admin.post(at("/workspaces")).json
    ((_, token),) = answer["tokens"].items()
    assert wire.call("GET", ENDPOINTS, headers=as_(token)).status == 200
    assert admin("DELETE", at(f"/workspaces/{answer['name']}")).status == 200
    assert wire.call("GET", ENDPOINTS, headers=as_(token)).status == 403


@pytest.mark.parametrize(
    "scenario",
    [
        {"clock": "sundial"},
        {"rate": -1},
        {"models": [{"name": "m", "stub": "shout"}]},
        {"endpoints": [{"name": "x", "config": {"served_entities": [ENTITY]}}]},
        {"principals": [{"user": "a"}, {"user": "b", "token": "t t"}]},
        {"nonsense": 1},
        {"profile": "no-such-file.yaml"},
        {"start": "tomorrow"},
    ],
    ids=str,
)
def test_a_scenario_that_is_none_makes_nothing(admin, scenario):
    before = admin.get(at("/workspaces")).json
    refused = admin.post(at("/workspaces"), {"workspace": "odd", **scenario})
    assert refused.status == 400, refused.body
    assert admin.get(at("/workspaces")).json == before


def test_a_workspace_can_have_a_port_of_its_own(admin, wire):
    made = admin.post(at("/workspaces"), {"workspace": "ported", "port": 0}).json
    assert made["port"] != int(wire.address.partition(":")[2])
    assert made["url"].endswith(f":{made['port']}")
    admin("DELETE", at("/workspaces/ported"))


def test_models_run_code_on_loopback_alone(admin, servesim_server, monkeypatch):
    monkeypatch.setattr(servesim_server.server, "host", "10.0.0.1")
    for path, body in (
        (at("/workspaces"), {"models": [{"name": "m", "mlflow": "m"}]}),
        (at("/workspaces"), {"mlflow_registry": "sqlite:///m.db"}),
    ):
        assert admin.post(path, body, Host="127.0.0.1").status == 403
    assert admin.post("/models", {"name": "m", "mlflow": "m"}, Host="127.0.0.1").status == 403


def test_reset_goes_back_to_how_it_began(admin, wire, made):
    mine = as_(made["tokens"]["a@b.c"])
    before = wire.call("GET", ENDPOINTS, headers=mine).body
    wire.call("DELETE", f"{ENDPOINTS}/fraud", headers=mine)
    wire.call("PUT", "/api/2.0/nothing", headers=mine)
    admin.post(at("/workspaces/made/clock/advance"), {"by": "1h"})
    assert admin.post(at("/workspaces/made/reset")).json["now"] == START
    assert wire.call("GET", ENDPOINTS, headers=mine).body == before
    assert admin.get(at("/workspaces/made/requests")).json["count"] == 1


def test_nothing_from_before_a_reset_is_answered_after_it(admin, wire):
    wire.create("before")
    assert b"before" in wire.list()
    admin.post("/reset")
    wire.handle.models.stub("main.ml.fraud", "echo")
    wire.create("after")
    assert [one["name"] for one in json.loads(wire.list())["endpoints"]] == ["after"]


@pytest.mark.servesim(clock="frozen", hold_timeout=60)
def test_reset_answers_who_is_held(admin, wire):
    asleep(admin, wire)
    call = Scoring(wire)
    held(admin)
    assert admin.post("/reset").status == 200
    assert call.result().status == 503
    assert wire.call("GET", ENDPOINTS).json == {"endpoints": []}


@pytest.mark.servesim(clock="frozen", hold_timeout=60)
def test_reset_answers_who_waits_for_time(admin, wire):
    goes_on, began = threading.Event(), threading.Event()

    def slow(rows):
        began.set()
        goes_on.wait(30)
        return rows

    wire.handle.models.function("main.ml.fraud", slow, version="1")
    asleep(admin, wire)
    call = Scoring(wire)
    held(admin)
    moved = []
    mover = threading.Thread(target=lambda: moved.append(admin.post("/clock/advance", {"by": "1h"})), daemon=True)
    mover.start()
    began.wait(30)  # time stands until this request has been answered
    assert admin.post("/reset").status == 200
    mover.join(30)
    goes_on.set()
    assert call.result().status == 200
    assert (moved[0].status, moved[0].json["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert admin.get("/clock").json["now"] == START


def test_principals_come_and_go(admin, wire):
    added = admin.post(
        "/principals", {"service_principal": "job-1", "groups": ["ds"], "entitlements": ["allow_cluster_create"]}
    )
    assert added.status == 201
    token = added.json.pop("token")
    assert wire.call("GET", ENDPOINTS, headers=as_(token)).status == 200
    listed = admin.get("/principals").json["principals"]
    assert {"name": "job-1", "kind": "ServicePrincipal", "groups": ["ds"], "admin": False}.items() <= listed[-1].items()
    assert token not in json.dumps(listed)
    assert admin("DELETE", "/principals/job-1").status == 200
    assert wire.call("GET", ENDPOINTS, headers=as_(token)).status == 403
    assert admin("DELETE", "/principals/job-1").status == 404


@pytest.mark.parametrize(
    "entry",
    [{}, {"user": ""}, {"user": "a", "token": "a b"}, {"user": "a", "tok": 1}, {"user": "a", "token": TOKEN * 0}],
    ids=str,
)
def test_a_principal_that_is_none_is_refused(admin, entry):
    assert admin.post("/principals", entry).status == 400


def test_a_token_stands_for_one_principal(admin, wire):
    assert admin.post("/principals", {"user": "b", "token": wire.handle.token}).status == 400


def test_access_tokens_are_expired(admin):
    assert admin.post("/expire-tokens").json == {"expired": 0}
    assert admin.post("/expire-tokens", {"principal": "nobody"}).status == 404
    assert admin.post("/expire-tokens", {"principal": 5}).status == 400


# --- models, faults, routes -----------------------------------------------------------------------


def test_models_are_registered_as_in_a_scenario(admin, wire):
    made = admin.post("/models", {"name": "main.ml.new", "stub": {"constant": 7}, "signature": {"x": "double"}})
    assert (made.status, made.json["version"], made.json["kind"]) == (201, "1", "stub")
    assert made.json in admin.get("/models").json["models"]
    wire.ready("new", [{"entity_name": "main.ml.new", "entity_version": "1"}])
    assert wire.score("new", body={"dataframe_records": [{"x": 1.0}]}).json == {"predictions": [7]}


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"name": "m"},
        {"name": "m", "stub": "x"},
        {"name": "m", "stub": "echo", "signature": {"x": "no"}},
        {"name": "m", "mlflow": "/nowhere"},
    ],
    ids=str,
)
def test_a_model_that_is_none_is_refused(admin, entry):
    before = admin.get("/models").body
    assert admin.post("/models", entry).status == 400
    assert admin.get("/models").body == before


def test_who_may_execute_a_model_is_set(admin):
    path = "/models/main.ml.fraud/access"
    assert admin("PUT", path, {"allowed": ["ds"]}).json == {"model": "main.ml.fraud", "allowed": ["ds"]}
    assert [one["allowed"] for one in admin.get("/models").json["models"]] == [["ds"], ["ds"]]
    assert admin("PUT", path, {"allowed": None}).json["allowed"] is None
    assert admin("PUT", path, {"allowed": "ds"}).status == 400
    assert admin("PUT", path, {}).status == 400
    assert admin("PUT", "/models/nothing/access", {"allowed": []}).status == 404


def test_the_next_deployment_fails_with_the_message(admin, wire):
    ordered = admin.post("/faults", {"effect": "fail", "endpoint": "fraud", "message": "out of memory"})
    assert ordered.json in admin.get("/faults").json["faults"]
    wire.create()
    for _ in range(3):
        got = wire.call("GET", f"{ENDPOINTS}/fraud")
    assert "out of memory" in got.body.decode()
    left = admin.get("/faults").json
    assert (left["faults"], [one["struck"] for one in left["used"]]) == ([], [1])


def test_a_fault_is_taken_back(admin):
    number = admin.post("/faults", {"effect": "hang"}).json["number"]
    assert admin("DELETE", f"/faults/{number}").status == 200
    for gone in (number, "x", "-1", "9" * 30):
        assert admin("DELETE", f"/faults/{gone}").status == 404


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"effect": "explode"},
        {"effect": "delay"},
        {"effect": "delay", "delay": "-1m"},
        {"effect": "delay", "delay": "soon"},
        {"effect": "delay", "delay": []},
        {"effect": "fail", "delay": "1m"},
        {"effect": "fail", "endpoint": 5},
        {"effect": "fail", "times": 0},
        {"effect": "fail", "times": 10**9},
        {"effect": "fail", "when": "now"},
    ],
    ids=str,
)
def test_a_fault_that_is_none_is_refused(admin, fault):
    assert admin.post("/faults", fault).status == 400
    assert admin.get("/faults").json == {"faults": [], "used": []}


def test_routes_answer_what_is_not_simulated(admin, wire):
    path = "/api/2.1/unity-catalog/tables/x"
    assert wire.call("GET", path).status == 501
    added = admin.post("/routes", {"method": "GET", "path": path, "json": {"name": "x"}})
    assert added.status == 201
    assert wire.call("GET", path).json == {"name": "x"}
    assert [one["hits"] for one in admin.get("/routes").json["routes"]] == [1]
    assert admin("DELETE", f"/routes/{added.json['number']}").status == 200
    assert wire.call("GET", path).status == 501
    assert admin("DELETE", f"/routes/{added.json['number']}").status == 404
    assert admin.post("/routes", {"method": "GET", "path": ENDPOINTS}).status == 400


# --- the event log --------------------------------------------------------------------------------


def test_the_event_log_goes_on_by_sequence(admin, wire):
    wire.ready()
    everything = admin.get("/events?after=0&limit=10000").json
    sequences = [line["sequence"] for line in everything["events"]]
    assert sequences == [*range(1, len(sequences) + 1)]
    assert everything["next"] == everything["logged"] == sequences[-1]
    first = admin.get("/events?after=0&limit=2").json
    second = admin.get(f"/events?after={first['next']}&limit=2").json
    assert [*first["events"], *second["events"]] == everything["events"][:4]
    assert admin.get("/events?limit=2").json["events"] == everything["events"][-2:]
    assert admin.get("/events?limit=0").json["events"] == []


def test_the_event_log_of_one_endpoint(admin, wire):
    wire.ready()
    wire.ready("other")
    lines = admin.get("/events?after=0&limit=3&endpoint=other").json
    assert {line["endpoint"] for line in lines["events"]} == {"other"}
    rest = admin.get(f"/events?after={lines['next']}&endpoint=other").json
    assert rest["events"][0]["sequence"] > lines["events"][-1]["sequence"]


def test_lines_that_are_gone_are_said_to_be(admin, wire, monkeypatch):
    world = wire.handle.workspace.world
    monkeypatch.setattr(world, "logged", world.logged + 100)
    page = admin.get("/events?after=0").json
    assert page["oldest"] == page["events"][0]["sequence"] == 101


def test_a_call_waits_for_the_next_line(admin, wire):
    logged = admin.get("/events").json["logged"]
    found = {}

    def follow():
        found.update(admin.get(f"/events?after={logged}&wait=30").json)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    wire.create()
    thread.join(20)
    assert found["events"][0]["sequence"] == logged + 1


def test_a_wait_without_a_line_ends(admin, wire, monkeypatch):
    looks = []

    async def at_once(seconds):
        looks.append(seconds)
        await pause(0)

    monkeypatch.setattr("servesim.service.clock.pause", at_once)
    logged = admin.get("/events").json["logged"]
    assert admin.get(f"/events?after={logged}&wait=2").json["events"] == []
    assert sum(looks) == pytest.approx(2)
    assert admin.get(f"/events?after={logged + 5}&wait=30").json["events"] == []
    assert sum(looks) == pytest.approx(2)


@pytest.mark.parametrize("query", ["limit=-1", "limit=x", "limit=10001", "wait=31", "after=-1", "after=" + "9" * 40])
def test_a_query_that_is_no_number_is_refused(admin, query):
    assert admin.get(f"/events?{query}").status == 400


# --- what it never says ---------------------------------------------------------------------------


def test_no_answer_holds_a_token_but_the_one_that_makes_it(admin, wire):
    token = admin.post("/principals", {"user": "x@y.z"}).json["token"]
    wire.call("GET", ENDPOINTS, headers=as_(token))
    wire.create()
    wire.score()
    secret = "planted-secret-value"
    wire.call("POST", "/api/2.0/secrets/scopes/create", {"scope": "s"})
    wire.call("POST", "/api/2.0/secrets/put", {"scope": "s", "key": "k", "string_value": secret})
    wire.call("GET", "/api/2.0/secrets/get?scope=s&key=k")
    paths = ["", "/clock", "/principals", "/models", "/faults", "/routes", "/events", "/requests?limit=1000"]
    paths += [f"/requests/{number}{why}" for number in range(1, 8) for why in ("", "/why")]
    for path in [*paths, at(""), at("/workspaces")]:
        said = admin.get(path).body.decode()
        for planted in (token, wire.handle.token, TOKEN, secret):
            assert planted not in said, path


def test_admin_calls_are_not_in_the_record(admin):
    admin.get("/clock")
    admin.post("/clock/advance", {"by": 1})
    assert admin.get("/requests").json["count"] == 0
