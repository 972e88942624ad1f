"""Ordered faults by hand: every clock, both planes, what is on record, and what the connection shows."""

from __future__ import annotations

import socket
from http.client import HTTPConnection

import pytest

TOKEN = "admin-of-test"
ENDPOINTS = "/api/2.0/serving-endpoints"


def raw(wire, text):
    """Send a request as it is and return every byte that comes back, or the error that ends the connection."""
    host, port = wire.address.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(text.encode())
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
        except ConnectionResetError:
            return "reset"
        return received


def get(wire, path=ENDPOINTS, *, version="1.1", method="GET"):
    return raw(wire, f"{method} {path} HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {wire.handle.token}\r\n\r\n")


class Admin:
    """The admin API, for one workspace."""

    def __init__(self, wire) -> None:
        self.wire = wire

    def __call__(self, method, path, body=None):
        inside = f"/_servesim/v1/workspaces/{self.wire.handle.workspace.name}{path}"
        return self.wire.call(method, inside, body, {"Authorization": f"Bearer {TOKEN}"})

    def get(self, path):
        return self("GET", path)

    def post(self, path, body):
        return self("POST", path, body)


@pytest.fixture
def admin(wire, servesim_server, monkeypatch):
    monkeypatch.setattr(servesim_server.server, "admin_token", TOKEN)
    return Admin(wire)


# --- the wire -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_reset_is_one_and_a_lost_reply_is_an_orderly_end(wire, version):
    wire.handle.faults.add("reset", operation="list_endpoints", times=1)
    wire.handle.faults.add("lose_reply", operation="list_endpoints", skip=1, times=1)
    assert get(wire, version=version) == "reset"
    assert get(wire, version=version) == b""


def test_a_header_of_a_rule_takes_the_place_of_ours_however_it_is_written(wire):
    wire.handle.models.stub("m")
    wire.call(
        "POST", ENDPOINTS, {"name": "e", "config": {"served_entities": [{"entity_name": "m", "entity_version": "1"}]}}
    )
    wire.handle.clock.advance("20m")
    wire.handle.faults.add("status", operation="query", status=500, headers={"x-request-id": "mine"})
    head = "POST /serving-endpoints/e/invocations HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"
    answer = raw(wire, f"{head}Authorization: Bearer {wire.handle.token}\r\n\r\n").lower()
    assert answer.startswith(b"http/1.1 500 ")
    assert answer.count(b"x-request-id: ") == answer.count(b"x-request-id: mine\r\n") == 1


def test_a_server_of_its_own_resets_as_well(server_process):
    server = server_process()
    rule = {"effect": "reset", "operation": "list_endpoints", "times": 1}
    assert server.call("POST", "/_servesim/v1/workspaces/default/faults", rule, admin=True)[0] == 201
    with pytest.raises(ConnectionResetError):
        server.call("GET", ENDPOINTS)
    assert server.call("GET", ENDPOINTS)[0] == 200


def test_a_truncated_answer_has_the_head_of_the_whole(wire):
    wire.handle.faults.add("truncate", operation="list_endpoints", times=1, cut_at=4)
    head, _, body = get(wire).partition(b"\r\n\r\n")
    assert b"Content-Length: 16" in head
    assert body == b'{"en'


def test_a_large_answer_is_truncated_too(wire):
    wire.ready()
    wire.handle.models.stub("main.ml.echo", "echo")
    wire.ready("echo", [{"entity_name": "main.ml.echo", "entity_version": "1"}])
    wire.handle.faults.add("truncate", operation="query", cut_at=100_000)
    body = b'{"inputs": ["%b"]}' % (b"x" * 300_000)
    head = f"POST /serving-endpoints/echo/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    asked = f"{head}Content-Type: application/json\r\nAuthorization: Bearer {wire.handle.token}\r\n\r\n{body.decode()}"
    assert len(raw(wire, asked).partition(b"\r\n\r\n")[2]) == 100_000


def test_a_connection_goes_on_after_a_status(wire):
    wire.handle.faults.add("status", operation="list_endpoints", status=503, times=1)
    asked = f"GET {ENDPOINTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {wire.handle.token}\r\n"
    both = raw(wire, f"{asked}\r\n{asked}Connection: close\r\n\r\n")
    assert (both.count(b"HTTP/1.1 503"), both.count(b"HTTP/1.1 200")) == (1, 1)


# --- the control plane ----------------------------------------------------------------------------


def test_a_call_that_is_refused_in_place_has_changed_nothing(wire):
    wire.handle.faults.add("status", operation="create_endpoint", endpoint="fraud", status=500, times=1)
    assert [wire.create("other").status, wire.create().status] == [200, 500]
    assert b'"fraud"' not in wire.list()
    assert wire.create().status == 200


def test_a_body_that_is_no_json_is_refused_as_ever(wire):
    wire.handle.faults.add("status", operation="create_endpoint", endpoint="fraud", status=500)
    for body in (b"", b"{", b"[]", b'{"name": 5}', b"\xff"):
        assert wire.call("POST", ENDPOINTS, body).status == 400
    assert wire.call("POST", ENDPOINTS, b"x" * 2_000_000).status == 400
    wire.handle.faults.remove(1)


def test_permissions_are_found_by_the_name_of_their_endpoint(wire):
    wire.create("other")
    ids = {name: wire.create(name).json["id"] for name in ("fraud", "third")}
    wire.handle.faults.add("status", endpoint="fraud", operation="get_permissions", status=500)
    path = "/api/2.0/permissions/serving-endpoints/"
    assert [wire.call("GET", path + ids[name]).status for name in ("fraud", "third")] == [500, 200]


def test_logs_are_found_by_their_entity(wire):
    wire.ready()
    wire.handle.faults.add("status", entity="fraud-1", operation="get_logs", status=500, times=1)
    logs = f"{ENDPOINTS}/fraud/served-models/fraud-1/logs"
    assert [wire.call("GET", logs).status for _ in range(2)] == [500, 200]


def test_a_slash_at_the_end_and_any_operation(wire):
    wire.handle.faults.add("status", status=500, times=3)
    assert wire.call("GET", ENDPOINTS + "/").status == 500
    assert wire.call("GET", "/api/2.0/preview/scim/v2/Me").status == 500
    assert wire.call("GET", "/api/2.0/nothing/simulated").status == 501
    assert wire.call("GET", "/api/2.0/secrets/scopes/list").status == 500
    assert wire.call("GET", ENDPOINTS).status == 200


# --- time -----------------------------------------------------------------------------------------


@pytest.mark.servesim(clock="frozen", hold_timeout="100ms")
def test_where_time_stands_a_delayed_call_says_what_it_waits_for(wire):
    wire.handle.faults.add("delay", operation="list_endpoints", delay="20m")
    answer = wire.call("GET", ENDPOINTS, headers={"X-Servesim-Evidence": "1"})
    assert (answer.status, answer.headers["X-Servesim-Evidence"]) == (504, "injected")
    assert "Fault 1 delays this call until 2026-01-05T09:20:00Z" in answer.json["message"]
    assert wire.handle.workspace.world.timeline.pending() == []


@pytest.mark.servesim(clock="frozen")
def test_a_delayed_call_is_answered_once_time_has_come(wire):
    wire.handle.faults.add("delay", operation="create_endpoint", delay="20m", times=1)
    pending = wire.handle.start(wire.create)
    wire.handle.clock.advance("19m")
    assert not pending.done
    assert b"fraud" not in wire.list(), "it is carried out when it goes on"
    wire.handle.clock.advance("1m")
    assert pending.result().status == 200
    assert wire.call("GET", f"{ENDPOINTS}/fraud").json["creation_timestamp"] == 1_767_604_800_000


@pytest.mark.servesim(clock="frozen")
@pytest.mark.parametrize("mode", ["autojump", "paced"])
def test_another_mode_lets_a_delayed_call_go_on(wire, mode):
    wire.handle.faults.add("delay", operation="list_endpoints", delay="20m", times=1)
    pending = wire.handle.start(wire.list)
    wire.handle.clock.set_mode(mode, rate=100_000)
    assert pending.result() == b'{"endpoints":[]}'


@pytest.mark.servesim(clock="paced", rate=1000)
def test_in_paced_a_delayed_call_takes_its_time(wire):
    wire.handle.faults.add("delay", operation="list_endpoints", delay="100s", times=1)
    before = wire.handle.workspace.clock.now()
    assert wire.call("GET", ENDPOINTS).status == 200
    assert wire.handle.workspace.clock.now() >= before + 100_000


def test_a_delayed_call_is_told_that_the_workspace_ends(servesim_server):
    handle = servesim_server.open(clock="frozen")
    handle.faults.add("delay", operation="list_endpoints", delay="20m")
    connection = HTTPConnection(handle.host.removeprefix("http://"), timeout=30)
    asked = {"Authorization": f"Bearer {handle.token}"}

    def call():
        connection.request("GET", ENDPOINTS, headers=asked)
        return connection.getresponse().status

    pending = handle.start(call)
    handle.close()
    assert pending.result() == 503
    connection.close()


# --- the record -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "rule", "said"),
    [
        ("status", {"status": 500}, "another answer stands in place of its own"),
        ("delay", {"delay": "2s"}, "it took longer"),
        ("crash", {}, "the process of its served entity ended"),
        ("skew", {"split": {"fraud-1": 100}}, "the router dealt by other shares"),
        ("garble", {}, "its answer was garbled"),
        ("expire_token", {}, "its token counted as expired"),
    ],
)
def test_why_names_the_rule(admin, wire, effect, rule, said):
    wire.ready()
    wire.handle.faults.add(effect, operation="query", **rule)
    wire.score()
    (one,) = admin.get("/requests?kind=scoring").json["requests"]
    assert one["faults"] == [{"number": 1, "effect": effect}]
    told = admin.get(f"/requests/{one['number']}/why").json
    assert told["faults"] == one["faults"]
    assert any(said in line and line.startswith("Fault 1 struck it") for line in told["story"])
    assert (told["answered"]["by"] is None) == (effect in {"status", "crash", "expire_token"})


def test_a_struck_call_is_on_record_with_the_rule(admin, wire):
    wire.handle.faults.add("lose_reply", operation="create_endpoint", times=1)
    with pytest.raises(ConnectionError):
        wire.create()
    assert wire.create().status == 400
    second, first = admin.get("/requests").json["requests"]
    assert (first["status"], first["faults"], second["faults"]) == (200, [{"number": 1, "effect": "lose_reply"}], [])
    assert "it was carried out, and the answer was lost" in str(admin.get("/requests/1/why").json["story"])


def test_the_list_of_faults_counts_and_remembers(admin, wire):
    rule = {"effect": "status", "status": 500, "operation": "list_endpoints", "skip": 1, "times": 1}
    made = admin.post("/faults", rule)
    assert (made.status, made.json["operation"], made.json["status"]) == (201, "list_endpoints", 500)
    wire.list()
    (waiting,) = admin.get("/faults").json["faults"]
    assert (waiting["matched"], waiting["struck"], waiting["times"]) == (1, 0, 1)
    assert wire.call("GET", ENDPOINTS).status == 500
    listed = admin.get("/faults").json
    assert (listed["faults"], [(one["matched"], one["struck"]) for one in listed["used"]]) == ([], [(2, 1)])
    assert admin("DELETE", "/faults/1").status == 404


def test_an_unknown_operation_is_refused_with_what_is_near(admin):
    refused = admin.post("/faults", {"effect": "reset", "operation": "create_endpiont"})
    assert refused.status == 400
    assert "there is create_endpoint" in refused.json["message"]


def test_a_fault_that_cannot_strike_an_endpoint_leaves_its_short_way(wire):
    wire.ready()
    gateway, principal = wire.handle.workspace.gateway, None
    assert gateway.waits_for_nothing("fraud", 20, principal)
    wire.handle.faults.add("status", status=500, operation="get_endpoint")
    wire.handle.faults.add("status", status=500, operation="query", endpoint="other")
    assert gateway.waits_for_nothing("fraud", 20, principal)
    wire.handle.faults.add("status", status=500, operation="query", share=0)
    assert not gateway.waits_for_nothing("fraud", 20, principal)


def test_what_never_came_is_in_no_inference_table(admin, wire):
    wire.ready()
    gateway = {"inference_table_config": {"enabled": True, "catalog_name": "m", "schema_name": "s"}}
    assert wire.call("PUT", f"{ENDPOINTS}/fraud/ai-gateway", gateway).status == 200
    wire.handle.faults.add("reset", operation="query", times=1)
    wire.handle.faults.add("lose_reply", operation="query", skip=1, times=1)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            wire.score()
    assert wire.score().status == 200
    wire.handle.clock.advance("2h")
    assert [row["status_code"] for row in admin.get("/inference-table/fraud").json["rows"]] == [200, 200]


def test_a_workspace_that_is_made_begins_with_its_faults_and_again_after_a_reset(server_process):
    server = server_process()
    world = {
        "workspace": "ops",
        "principals": [{"user": "ana@example.com", "admin": True, "token": "dapi-ana"}],
        "faults": [{"effect": "status", "status": 503, "operation": "list_endpoints", "times": 1, "before": "1h"}],
    }
    assert server.call("POST", "/_servesim/v1/workspaces", world, admin=True)[0] == 201
    server.exports["DATABRICKS_TOKEN"] = "dapi-ana"
    assert [server.call("GET", ENDPOINTS)[0] for _ in range(2)] == [503, 200]
    assert server.call("POST", "/_servesim/v1/workspaces/ops/reset", admin=True)[0] == 200
    assert [server.call("GET", ENDPOINTS)[0] for _ in range(2)] == [503, 200]
    wrong = {"workspace": "other", "faults": [{"effect": "reset", "operation": "nothing"}]}
    status, body = server.call("POST", "/_servesim/v1/workspaces", wrong, admin=True)
    assert (status, b"faults[0]: operation 'nothing' is unknown" in body) == (400, True), body


# --- the retired generations ----------------------------------------------------------------------


@pytest.mark.servesim(serverless_preview="enabled")
def test_calls_about_one_model_are_struck_wherever_they_name_it(wire):
    for name in ("iris", "other"):
        wire.handle.models.stub(name)
    head = "/api/2.0/mlflow/endpoints-v2/"
    wire.handle.faults.add("status", operation="preview_enable", endpoint="model-endpoint/iris", status=503)
    wire.handle.faults.add("status", operation="preview_get_status", endpoint="model-endpoint/iris", status=500)
    statuses = [
        wire.call(*call).status
        for call in (
            ("POST", head + "enable", {"registered_model_name": "iris"}),
            ("POST", head + "enable", {"registered_model_name": "other"}),
            ("GET", head + "get-status?registered_model_name=iris"),
            ("GET", head + "get-status", {"registered_model_name": "iris"}),
            ("GET", head + "get-status", {"registered_model_name": "other"}),
            ("POST", head + "enable", b"[1]"),
        )
    ]
    assert statuses == [503, 200, 500, 500, 200, 400]


@pytest.mark.servesim(serverless_preview="enabled")
def test_scoring_requests_to_a_version_are_struck(wire):
    wire.handle.models.stub("iris")
    wire.move("iris", "1", "Staging")
    wire.call("POST", "/api/2.0/mlflow/endpoints-v2/enable", {"registered_model_name": "iris"})
    wire.handle.clock.advance("1h")
    wire.handle.faults.add("status", operation="query", endpoint="model-endpoint/iris", entity="1", status=500, times=1)
    path = "/model-endpoint/iris/Staging/invocations"
    assert [wire.call("POST", path, {"inputs": [1]}).status for _ in range(2)] == [500, 200]
