"""Routes: answers to paths that servesim does not simulate, and calls that such routes answer."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from typing import Any, NamedTuple

import pytest

from servesim.delivery.handle import LocalServer
from servesim.http.server import Server
from servesim.models.host import Settings
from servesim.service import routes as routes_module
from servesim.service.patterns import Pattern
from servesim.service.routes import (
    BODY_LIMIT,
    RouteReply,
    Routes,
    answered,
    fixed_route,
    function_route,
    read_route,
)


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(sim, method, path, body=None, **headers):
    request = urllib.request.Request(sim.host + path, body, method=method, headers=headers)
    request.add_header("Authorization", f"Bearer {sim.token}")
    try:
        with urllib.request.urlopen(request) as answer:
            return Answer(answer.status, answer.read(), dict(answer.headers))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read(), dict(error.headers))


# --- paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("/api/2.1/jobs/list", "/api/2.1/jobs/list", {}),
        ("/api/2.1/jobs/list", "/api/2.1/jobs/list/", {}),
        ("/api/2.1/jobs/list", "/api/2.1/jobs", None),
        ("/api/2.1/jobs/list", "/api/2.1/jobs/list/more", None),
        ("/jobs/{job_id}", "/jobs/7", {"job_id": "7"}),
        ("/jobs/{job_id}", "/jobs/a%2Fb%20c", {"job_id": "a/b c"}),
        ("/jobs/{job_id}", "/jobs/", None),
        ("/jobs/{job_id}/runs/{run}", "/jobs/7/runs/8", {"job_id": "7", "run": "8"}),
        ("/jobs/{job_id}/runs/{run}", "/jobs/7/walks/8", None),
        ("/jobs/*", "/jobs/7/runs", {"*": "7/runs"}),
        ("/jobs/*", "/jobs/../x", {"*": "../x"}),
        ("/jobs/*", "/jobs", None),
        ("/{area}/*", "/jobs/7", {"area": "jobs", "*": "7"}),
        ("/*", "/anything", {"*": "anything"}),
        ("/with%20space", "/with%20space", {}),
        ("/", "/", {}),
    ],
)
def test_a_path_fits(pattern, path, found):
    assert Pattern(pattern).match(path) == found


@pytest.mark.parametrize(
    "path", ["", "jobs", "/jobs?x=1", "/jobs#x", "/{", "/a{b}", "/{a-b}", "/*/x", "/a*", "/{x}/{x}"]
)
def test_a_wrong_path_is_refused(path):
    with pytest.raises(ValueError, match=r"^path: "):
        Pattern(path)


@pytest.mark.parametrize("path", ["/jobs", "/jobs/{a}/{b}", "/jobs/*", "/*", "/"])
def test_a_sample_fits(path):
    pattern = Pattern(path)
    assert pattern.match(pattern.sample()) is not None


# --- what is written ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"path": "/x"}, "method: a route has one"),
        ({"method": "GET", "path": 3}, "path: a route has one"),
        ({"method": "FETCH", "path": "/x"}, "method: 'FETCH' is none of"),
        ({"method": "GET", "path": "/x", "body": 1}, "body: a route has headers, json"),
        ({"method": "GET", "path": "/x", "json": 1, "text": ""}, "json, text: a route answers with one"),
        ({"method": "GET", "path": "/x", "text": 1}, "text: int is not text"),
        ({"method": "GET", "path": "/x", "json": {1, 2}}, "json: the answer is no JSON"),
        ({"method": "GET", "path": "/x", "json": float("nan")}, "json: the answer is no JSON"),
        ({"method": "GET", "path": "/x", "json": "x" * BODY_LIMIT}, "the answer has 1,048,578 bytes"),
        ({"method": "GET", "path": "/x", "status": 101}, "status: 101 is no status"),
        ({"method": "GET", "path": "/x", "status": True}, "status: True is no status"),
        ({"method": "GET", "path": "/x", "headers": []}, "headers: at most 50 names"),
        ({"method": "GET", "path": "/x", "headers": {"A": "b\r\nSet-Cookie: c"}}, "headers: the value of A"),
        (
            {"method": "GET", "path": "/x", "headers": {"A\r\n": "b"}},
            "headers: 'A..rn' is no header".replace("..rn", r"\\r\\n"),
        ),
        ({"method": "GET", "path": "/x", "headers": {"Content-Length": "1"}}, "headers: 'Content-Length' is no header"),
        ({"method": "GET", "path": "/x", "headers": {"A": 1}}, "headers: the value of A"),
        ({"method": "GET", "path": "/x", "headers": {f"A{n}": "" for n in range(51)}}, "headers: at most 50"),
    ],
)
def test_a_wrong_route_names_the_key(entry, message):
    with pytest.raises(ValueError, match=message):
        read_route(entry)


def test_a_route_is_described_as_json():
    routes = Routes()
    assert routes.add(read_route({"method": "get", "path": "/x/{y}", "json": {"a": 1}, "status": 201})) == 1
    assert routes.add(function_route("*", "/z/*", len)) == 2
    routes.find("GET", "/x/1")
    assert routes.list() == [
        {"number": 1, "method": "GET", "path": "/x/{y}", "status": 201, "json": {"a": 1}, "headers": {}, "hits": 1},
        {"number": 2, "method": "*", "path": "/z/*", "function": "len", "hits": 0},
    ]
    json.dumps(routes.list())


def test_what_was_given_may_change_and_the_answer_does_not():
    document = {"jobs": [1]}
    route = fixed_route("GET", "/x", RouteReply(document))
    document["jobs"].append(2)
    assert route.fixed.body == b'{"jobs":[1]}'
    assert route.describe()["json"] == {"jobs": [1]}


def test_a_status_that_has_no_body_gets_none():
    assert answered((204, None)).body == b""


# --- the table ------------------------------------------------------------------------------------


def test_the_last_added_of_two_that_fit_answers():
    routes = Routes()
    for answer in ("first", "second"):
        routes.add(fixed_route("GET", "/x/*", RouteReply(answer)))
    assert routes.find("GET", "/x/y").route.fixed.body == b'"second"'
    routes.remove(2)
    assert routes.find("GET", "/x/y").route.fixed.body == b'"first"'
    routes.remove(1)
    assert routes.find("GET", "/x/y") is None
    with pytest.raises(KeyError, match="there is no route 1"):
        routes.remove(1)


def test_there_is_a_bound(monkeypatch):
    monkeypatch.setattr(routes_module, "ROUTE_LIMIT", 2)
    routes = Routes()
    for number in range(2):
        routes.add(fixed_route("GET", f"/{number}", RouteReply()))
    with pytest.raises(ValueError, match="at most 2 routes"):
        routes.add(fixed_route("GET", "/3", RouteReply()))


# --- calls ----------------------------------------------------------------------------------------


def test_a_fixed_answer(servesim):
    servesim.routes.add("GET", "/api/2.1/jobs/list", {"jobs": []}, headers={"X-Total": "0"})
    answer = call(servesim, "GET", "/api/2.1/jobs/list?limit=1")
    assert (answer.status, answer.json, answer.headers["X-Total"]) == (200, {"jobs": []}, "0")
    assert answer.headers["Content-Type"] == "application/json"
    assert servesim.routes.list()[0]["hits"] == 1
    assert servesim.not_simulated == {}


def test_a_status_and_text(servesim):
    servesim.routes.add("POST", "/x", text="gone", status=410)
    answer = call(servesim, "POST", "/x", b"ignored")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (410, b"gone", "text/plain; charset=utf-8")
    assert call(servesim, "GET", "/x").status == 501


def test_a_callable_is_called_with_the_request(servesim):
    seen = []

    def run_now(request):
        seen.append((request, threading.current_thread().name))
        return 202, {"run_id": int(request.params["job_id"]) + request.json["offset"]}

    servesim.routes.add("POST", "/api/2.1/jobs/{job_id}/run-now", run_now)
    answer = call(servesim, "POST", "/api/2.1/jobs/7/run-now?a=b", b'{"offset": 10}', **{"X-Mine": "1"})
    assert (answer.status, answer.json) == (202, {"run_id": 17})
    request, thread = seen[0]
    assert (request.method, request.path, request.query) == ("POST", "/api/2.1/jobs/7/run-now", {"a": "b"})
    assert request.headers["x-mine"] == "1"
    assert "authorization" not in request.headers
    assert thread.startswith("servesim-route")


def test_a_callable_may_answer_with_anything(servesim):
    answers = iter([None, [1], (503, {"later": True}), RouteReply(text="a,b", headers={"content-type": "text/csv"})])
    servesim.routes.add("*", "/x", lambda _: next(answers))
    assert call(servesim, "GET", "/x").body == b"null"
    assert call(servesim, "PUT", "/x").json == [1]
    assert call(servesim, "DELETE", "/x")[:2] == (503, b'{"later":true}')
    csv = call(servesim, "PATCH", "/x")
    assert (csv.body, csv.headers["Content-Type"]) == (b"a,b", "text/csv")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda _: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda _: object(), "raised ValueError: json: the answer is no JSON"),
        (lambda _: (1, 2, 3), "raised ValueError: a route answers with JSON"),
        (lambda _: (99, None), "raised ValueError: status: 99 is no status"),
        (lambda request: request.json, "raised JSONDecodeError"),
    ],
)
def test_what_a_callable_raises_is_a_500_that_names_it(servesim, function, reason):
    servesim.routes.add("POST", "/x", function)
    answer = call(servesim, "POST", "/x", b"no JSON")
    assert (answer.status, answer.json["error_code"]) == (500, "INTERNAL_ERROR")
    assert answer.json["message"].startswith(f"The callable of route 1 (POST /x) {reason}")


def test_a_callable_that_does_not_return_has_a_cap():
    end = threading.Event()
    with LocalServer(Settings(score_cap_s=0.05)) as server, server.open() as sim:
        sim.routes.add("GET", "/x", lambda _: end.wait())
        answer = call(sim, "GET", "/x")
        end.set()
    assert (answer.status, answer.json["message"]) == (
        500,
        "The callable of route 1 (GET /x) did not answer within 0.05 real seconds.",
    )


@pytest.mark.parametrize("function", ["async", 3])
def test_what_cannot_be_called_is_an_answer_or_refused(servesim, function):
    async def answer(_request): ...

    if function == "async":
        with pytest.raises(TypeError, match="answered by a plain function of the request"):
            servesim.routes.add("GET", "/x", answer)
    else:
        servesim.routes.add("GET", "/x", function)
        assert call(servesim, "GET", "/x").json == 3


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/2.0/serving-endpoints"),
        ("GET", "/api/2.0/serving-endpoints/"),
        ("DELETE", "/api/2.0/serving-endpoints/{x}"),
        ("*", "/api/2.0/serving-endpoints/{name}"),
        ("POST", "/serving-endpoints/{name}/invocations"),
        ("POST", "/serving-endpoints/fraud/served-models/{x}/invocations"),
        ("GET", "/.well-known/databricks-config"),
        ("GET", "/api/2.0/preview/scim/v2/Me"),
    ],
)
def test_a_route_over_what_is_simulated_is_refused(servesim, method, path):
    with pytest.raises(ValueError, match=r"path: servesim simulates .* itself"):
        servesim.routes.add(method, path, {})


def test_servesim_s_own_paths_are_its_own(servesim):
    with pytest.raises(ValueError, match="servesim's own"):
        servesim.routes.add("GET", "/_servesim/v2/x", {})


def test_another_method_of_a_simulated_path_can_be_routed(servesim):
    servesim.routes.add("HEAD", "/api/2.0/serving-endpoints", None)
    assert call(servesim, "HEAD", "/api/2.0/serving-endpoints").status == 200
    assert call(servesim, "GET", "/api/2.0/serving-endpoints").json == {"endpoints": []}


def test_what_is_simulated_wins_over_a_wide_route(servesim):
    servesim.routes.add("*", "/*", {"routed": True})
    assert call(servesim, "GET", "/api/2.0/serving-endpoints").json == {"endpoints": []}
    assert call(servesim, "GET", "/api/2.0/serving-endpoints/none").status == 404
    assert call(servesim, "GET", "/api/2.0/clusters/list").json == {"routed": True}


def test_a_removed_route_is_not_simulated_again(servesim):
    number = servesim.routes.add("GET", "/x", 1)
    servesim.routes.remove(number)
    assert call(servesim, "GET", "/x").status == 501
    assert servesim.routes.list() == []


def test_workspaces_have_routes_of_their_own(servesim_server, servesim):
    servesim.routes.add("GET", "/x", 1)
    with servesim_server.open() as other:
        assert call(other, "GET", "/x").status == 501


def test_a_route_needs_a_token(servesim):
    servesim.routes.add("GET", "/x", 1)
    with pytest.raises(urllib.error.HTTPError, match="401") as raised:
        urllib.request.urlopen(servesim.host + "/x")
    raised.value.close()


def test_a_body_over_16_mb_is_refused(servesim):
    servesim.routes.add("POST", "/x", lambda request: len(request.body))
    assert call(servesim, "POST", "/x", b"1" * 1_000_000).json == 1_000_000
    assert call(servesim, "POST", "/x", b"1" * (16 * 1024 * 1024 + 1)).status == 400


def test_the_request_log_says_that_a_route_answered(servesim_server, servesim, monkeypatch):
    lines: list[str] = []
    server: Server = servesim_server.server
    monkeypatch.setattr(server, "_log_call", lines.append)
    servesim.routes.add("GET", "/x", 1)
    call(servesim, "GET", "/x")
    assert lines == ["tester@example.com GET /x -> 200 (route)"]


def test_routes_of_a_scenario(tmp_path, servesim_server):
    path = tmp_path / "world.yaml"
    path.write_text(
        "routes:\n"
        "  - {method: GET, path: '/api/2.1/jobs/{id}', json: {job: 1}}\n"
        "  - {method: '*', path: '/text/*', text: hello, status: 201, headers: {X-A: b}}\n",
        encoding="utf-8",
    )
    with servesim_server.open(scenario=path) as sim:
        assert call(sim, "GET", "/api/2.1/jobs/7").json == {"job": 1}
        assert call(sim, "PUT", "/text/x")[:2] == (201, b"hello")


@pytest.mark.parametrize(
    ("route", "message"),
    [
        ("{method: GET, path: /api/2.0/serving-endpoints}", r"routes\[0\]: path: servesim simulates GET"),
        ("{method: GET, path: '/a{b'}", r"routes\[0\]: path: 'a{b' in"),
        ("{method: GET, path: x}", r"routes\[0\].path: "),
        ("{method: GET, path: /x, body: 1}", r"routes\[0\]: .*body"),
    ],
)
def test_a_wrong_route_of_a_scenario_names_file_and_line(tmp_path, servesim_server, route, message):
    path = tmp_path / "world.yaml"
    path.write_text(f"routes:\n  - {route}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=rf"world.yaml, line 2: {message}"):
        servesim_server.open(scenario=path)


def test_a_reset_takes_away_what_was_added_and_keeps_the_scenario_s(tmp_path, servesim_server):
    path = tmp_path / "world.yaml"
    path.write_text("routes: [{method: GET, path: /a, json: 1}]\n", encoding="utf-8")
    with servesim_server.open(scenario=path) as sim:
        sim.routes.add("GET", "/b", 2)
        assert [call(sim, "GET", name).status for name in ("/a", "/b")] == [200, 200]
        servesim_server.run(sim.workspace.reset())
        assert [call(sim, "GET", name).status for name in ("/a", "/b")] == [200, 501]
        with pytest.raises(ValueError, match="servesim simulates GET"):
            sim.routes.add("GET", "/api/2.0/serving-endpoints", {})
