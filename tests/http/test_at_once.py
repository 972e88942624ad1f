"""A scoring request that came whole and waits for nothing is answered at once, otherwise like any other."""

import asyncio
import contextlib
import json
import socket
from dataclasses import replace

import pytest

from servesim.http import data, rim, whole

PATH = "/serving-endpoints/fraud/invocations"
BODY = b'{"inputs": [1]}'
JSON = "Content-Type: application/json"
SPLIT = [
    {"entity_name": "main.ml.fraud", "entity_version": version, "name": name, "scale_to_zero_enabled": True}
    for version, name in (("1", "champion"), ("2", "challenger"))
]
SHARES = {
    "routes": [
        {"served_entity_name": "champion", "traffic_percentage": 90},
        {"served_entity_name": "challenger", "traffic_percentage": 10},
    ]
}


class Line:
    """One connection on which every byte is the test's own; its token is known, so that its header was read before."""

    def __init__(self, handle, stack):
        self.token = handle.token
        host, _, port = handle.host.removeprefix("http://").partition(":")
        self.socket = stack.enter_context(socket.create_connection((host, int(port)), timeout=30))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each call comes alone
        self.file = stack.enter_context(self.socket.makefile("rb"))
        self.ask(self.request(method="GET", path="/api/2.0/serving-endpoints"))

    def request(self, body=b"", *headers, method="POST", path=PATH, version="1.1", chunked=False):
        """Return the bytes of a call."""
        lines = [f"{method} {path} HTTP/{version}", "Host: x", f"Authorization: Bearer {self.token}", *headers]
        if chunked:
            sent = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return "\r\n".join([*lines, "Transfer-Encoding: chunked", "", ""]).encode() + sent + b"0\r\n\r\n"
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body

    def ask(self, call):
        """Send a call in one piece and return the bytes of its answer."""
        self.socket.sendall(call)
        return self.answer()

    def answer(self):
        """Return the bytes of the next answer."""
        head = b"".join(iter(self.file.readline, b"\r\n"))
        lengths = [line for line in head.lower().splitlines() if line.startswith(b"content-length:")]
        return head + b"\r\n" + self.file.read(int(lengths[0].partition(b":")[2]))


@pytest.fixture
def awaited(monkeypatch):
    """Collect the endpoints of requests that are not answered at once."""
    collected = []
    invoke = data.invoke

    def noted(request, session, asked):
        collected.append(asked.endpoint)
        return invoke(request, session, asked)

    monkeypatch.setattr(data, "invoke", noted)
    return collected


@pytest.fixture
def line(wire):
    """Give a connection to a workspace with an endpoint of two ready stubs."""
    wire.ready(entities=[SPLIT[0]])
    with contextlib.ExitStack() as stack:
        yield Line(wire.handle, stack)


@pytest.mark.parametrize(
    ("body", "headers", "path"),
    [
        (BODY, [JSON], PATH),
        (BODY, [JSON], PATH + "?q=1"),
        (BODY, [JSON], PATH + "/"),
        (BODY, [JSON], "/serving-endpoints/fr%61ud/served-models/challenger/invocations"),
        (BODY, [JSON], "/serving-endpoints/fraud/served-models/nobody/invocations"),
        (BODY, [], PATH),
        (BODY, ["Content-Type: text/plain"], PATH),
        (b"", [JSON], PATH),
        (b"{", [JSON], PATH),
        (b"[" * 1_000, [JSON], PATH),
        (b"a,b\n1,2\n", ["Content-Type: text/csv"], PATH),
    ],
)
def test_the_answer_and_the_record_are_those_of_a_request_that_waited(servesim_server, awaited, body, headers, path):
    said, kept = [], []
    for chunked in (False, True):
        with servesim_server.open(seed=7) as handle, contextlib.ExitStack() as stack:
            for version in (1, 2):
                handle.models.stub("main.ml.fraud", "constant", value=version)
            line = Line(handle, stack)
            config = {"served_entities": SPLIT, "traffic_config": SHARES}
            made = json.dumps({"name": "fraud", "config": config}).encode()
            line.ask(line.request(made, path="/api/2.0/serving-endpoints"))
            for _ in range(2):
                line.ask(line.request(method="GET", path="/api/2.0/serving-endpoints/fraud"))
            said.append([line.ask(line.request(body, *headers, path=path, chunked=chunked)) for _ in range(20)])
            kept.append([record for record in handle.workspace.record if record.kind == "scoring"])
            assert len(awaited) == (20 if chunked else 0)
    assert said[0] == said[1]
    assert kept[0] == kept[1]
    assert len(kept[0]) == 20


RETIRED = """
start: "2025-07-01T09:00:00Z"
serverless_preview: enabled
models:
  - {name: churn, version: 1, stub: {constant: 1}, stage: Production}
  - {name: tide, version: 1, stub: {constant: 2}, stage: Staging}
  - {name: old, version: 1, stub: {constant: 3}, stage: Staging, mlflow_version: "1.28.0"}
  - {name: slow, version: 1, stub: {constant: 3}, stage: Staging, service_time: 1s}
enabled_models:
  - {name: churn, generation: legacy}
  - {name: tide, generation: serverless_preview}
  - {name: old, generation: legacy}
  - {name: slow, generation: legacy}
"""


@pytest.mark.parametrize(
    ("path", "waits"),
    [
        ("/model/churn/Production/invocations", False),
        ("/model/churn/1/invocations/", False),
        ("/model-endpoint/t%69de/Staging/invocations?q=1", False),
        ("/model-endpoint/tide/2/invocations", True),
        ("/model-endpoint/churn/1/invocations", True),
        ("/model/nothing/1/invocations", True),
        ("/model/old/Staging/invocations", True),
        ("/model/slow/Staging/invocations", True),
    ],
)
def test_a_retired_surface_answers_at_once_as_if_it_had_waited(servesim_server, awaited, tmp_path, path, waits):
    world = tmp_path / "world.yaml"
    world.write_text(RETIRED, encoding="utf-8")
    said, kept = [], []
    for chunked in (False, True):
        with servesim_server.open(scenario=world, seed=7) as handle, contextlib.ExitStack() as stack:
            line = Line(handle, stack)
            said.append(line.ask(line.request(BODY, JSON, path=path, chunked=chunked)))
            kept.append([record for record in handle.workspace.record if record.kind == "scoring"])
        assert len(awaited) == waits + chunked
    assert said[0] == said[1]
    assert kept[0] == kept[1]
    assert b"\r\nDeprecation: " in said[0]


@pytest.mark.parametrize(
    "sent",
    [
        {"chunked": True},
        {"version": "1.0"},
        {"version": "1.0", "headers": ["Connection: keep-alive"]},
        {"headers": ["Connection: close"]},
        {"headers": ["Connection: Upgrade", "Upgrade: h2c"]},
        {"size": 64 * 1024 + 1},
    ],
    ids=["chunked", "1.0", "1.0 that stays", "close", "upgrade", "large"],
)
def test_what_aiohttp_has_to_see_is_left_to_it(line, awaited, sent):
    body = BODY + b" " * (sent.pop("size", len(BODY)) - len(BODY))
    answer = line.ask(line.request(body, JSON, *sent.pop("headers", []), **sent))
    assert answer.endswith(b'{"predictions": [1]}')
    assert awaited == ["fraud"]


def test_requests_that_come_together_are_answered_in_turn(line):
    calls = [line.request(f'{{"inputs": {[1] * count}}}'.encode(), JSON) for count in range(1, 9)]
    line.socket.sendall(b"".join(calls))
    answers = [json.loads(line.answer().partition(b"\r\n\r\n")[2]) for _ in calls]
    assert [len(answer["predictions"]) for answer in answers] == list(range(1, 9))


def test_a_body_in_two_pieces_is_waited_for(line, wire, awaited):
    call = line.request(BODY, JSON)
    line.socket.sendall(call[:-3])
    with contextlib.ExitStack() as stack:
        other = Line(wire.handle, stack)
        assert other.ask(other.request(BODY, JSON)).endswith(b'{"predictions": [1]}')
    line.socket.sendall(call[-3:])
    assert line.answer().endswith(b'{"predictions": [1]}')
    assert awaited == ["fraud"]
    assert line.ask(call).endswith(b'{"predictions": [1]}')  # the line is none the worse
    assert awaited == ["fraud"]


@pytest.fixture
def connection(servesim_server, line):
    """Give the server's side of that line, and a way to hand it pieces exactly as they are."""
    theirs = line.socket.getsockname()
    listed = servesim_server.server._listeners[0]._runner.server.connections
    (found,) = (one for one in listed if one.transport.get_extra_info("peername") == theirs)

    async def take(*pieces):
        for piece in pieces:
            found.data_received(piece)

    return found, lambda *pieces: servesim_server.run(take(*pieces))


def test_a_client_as_quick_as_the_loop_is_answered_at_once_again(line, awaited, monkeypatch):
    call, send, early = line.request(BODY, JSON), whole.send, []

    def sent(transport, reply, **options):
        send(transport, reply, **options)
        if not early:
            early.append(call)
            take = transport.get_protocol().data_received
            asyncio.get_running_loop().call_soon(take, call)  # as uvloop reads: before aiohttp's loop goes on

    monkeypatch.setattr(whole, "send", sent)
    line.ask(line.request(BODY + b" " * 64 * 1024, JSON))
    assert line.answer().endswith(b'{"predictions": [1]}')
    assert awaited == ["fraud"]  # the large one


def test_a_head_is_read_once(line, wire, monkeypatch):
    wire.handle.models.stub("main.ml.echo", "echo")
    wire.ready("echo", [{"entity_name": "main.ml.echo", "entity_version": "1"}])
    read, as_ever = [], rim.RequestHandler.data_received

    def noted(self, piece):
        read.append(piece)
        as_ever(self, piece)

    monkeypatch.setattr(rim.RequestHandler, "data_received", noted)
    numbers, path = (4, 5, 42), PATH.replace("fraud", "echo")
    calls = [line.request(b'{"inputs": [%d]}' % number, JSON, path=path) for number in numbers]
    for number, call in zip(numbers, calls, strict=True):
        assert line.ask(call).endswith(b'{"predictions": [%d]}' % number)
    assert read == [calls[0], calls[2]]  # another length is another head


def test_no_more_than_so_many_heads_are_kept(line, connection, monkeypatch):
    monkeypatch.setattr(rim, "HEADS_KEPT", 3)
    for number in range(10):
        assert line.ask(line.request(BODY, JSON, f"X-Number: {number}")).endswith(b'{"predictions": [1]}')
        assert 0 < len(connection[0]._heads) <= 3


def test_pieces_cut_anywhere_make_the_same_answers(line, wire, connection):
    wire.handle.models.stub("main.ml.echo", "echo")
    wire.ready("echo", [{"entity_name": "main.ml.echo", "entity_version": "1"}])
    path = PATH.replace("fraud", "echo")
    calls = [line.request(b'{"inputs": [%d]}' % number, JSON, path=path) for number in (4, 5, 6)]
    stream, (found, take) = b"".join(calls), connection
    line.ask(calls[0])  # its head is known from here on
    for cut in range(1, len(stream)):
        found._missing = 0  # as in a new connection
        take(stream[:cut])
        take(stream[cut:])
        assert [line.answer()[-3:] for _ in calls] == [b"4]}", b"5]}", b"6]}"]


@pytest.mark.parametrize("outside", ["body", "head"])
def test_a_call_within_a_call_is_none(line, wire, connection, outside):
    call, (_, take) = line.request(BODY, JSON), connection
    line.ask(call)  # its head is known from here on
    if outside == "body":
        pieces = [line.request(call + call, JSON).removesuffix(call + call), call, call]
    else:
        pieces = [b"GET /api/2.0/serving-endpoints HTTP/1.1\r\nX-Head: ", call]
    for piece in pieces:
        take(piece)
    assert line.answer().partition(b"\r\n")[0] == (
        b"HTTP/1.1 400 Bad Request" if outside == "body" else b"HTTP/1.1 200 OK"
    )
    records = [record for record in wire.handle.workspace.record if record.kind == "scoring"]
    assert len(records) == (2 if outside == "body" else 1)


@pytest.mark.parametrize("after", [b"\x00\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_no_http_is_refused_as_ever(line, after):
    assert line.ask(line.request(BODY, JSON)).startswith(b"HTTP/1.1 200 ")
    line.socket.sendall(after)
    assert line.file.readline().startswith(b"HTTP/1.0 400 ")


@pytest.mark.servesim(clock="frozen")
def test_a_request_that_a_cold_start_holds_waits_for_it(wire, awaited):
    wire.create(entities=[SPLIT[0]])
    wire.handle.clock.advance("2h")  # it serves, and then sleeps
    with contextlib.ExitStack() as stack:
        line = Line(wire.handle, stack)
        line.socket.sendall(line.request(BODY, JSON))
        while not wire.handle.workspace.world.tickets:
            wire.list()
        wire.handle.clock.advance("10m")
        assert line.answer().endswith(b'{"predictions": [1]}')
        assert line.ask(line.request(BODY, JSON)).endswith(b'{"predictions": [1]}')
    assert awaited == ["fraud"]  # the second time it was up


def test_at_the_clocks_own_pace_too_until_nothing_runs(line, wire, awaited):
    wire.handle.clock.set_mode("paced", rate=1)
    assert b" 200 " in line.ask(line.request(BODY, JSON))
    assert awaited == []
    wire.handle.clock.set_mode("autojump")
    wire.handle.clock.advance("31m")
    wire.handle.clock.set_mode("paced", rate=1_000)
    assert b" 200 " in line.ask(line.request(BODY, JSON))
    assert awaited == ["fraud"]


@pytest.mark.parametrize("taken", [{"service_time": "1s"}, {"fault": True}, {"limit": True}])
def test_what_takes_time_or_may_be_struck_is_waited_for(line, wire, awaited, taken):
    handle = wire.handle
    if "fault" in taken:
        handle.faults.add("status", operation="query", endpoint="fraud", status=503, skip=1)
    elif "limit" in taken:
        limits = json.dumps({"rate_limits": [{"calls": 1, "renewal_period": "minute"}]}).encode()
        line.ask(line.request(limits, JSON, method="PUT", path="/api/2.0/serving-endpoints/fraud/rate-limits"))
        assert [line.ask(line.request(BODY, JSON))[9:12] for _ in range(2)] == [b"200", b"429"]
        assert awaited == []
    else:
        handle.models.stub("main.ml.fraud", "echo", version=9, **taken)
        wire.ready(name="slow", entities=[{**SPLIT[0], "entity_version": "9"}])
        line.ask(line.request(BODY, JSON, path="/serving-endpoints/slow/invocations"))
        assert awaited == ["slow"]
        return
    assert b" 200 " in line.ask(line.request(BODY, JSON))
    assert awaited == ["fraud"]


def test_a_callable_is_waited_for(line, wire, awaited):
    wire.handle.models.function("main.ml.call", len)
    wire.ready("called", [{"entity_name": "main.ml.call", "entity_version": "1"}])
    assert line.ask(line.request(BODY, JSON, path="/serving-endpoints/called/invocations")).endswith(b"}")
    assert awaited == ["called"]


def test_a_lower_limit_holds(line, wire):
    world = wire.handle.workspace.world
    world.profile = replace(world.profile, payload_limit_bytes=10)
    assert b"10 bytes" in line.ask(line.request(BODY, JSON))


def test_who_may_not_ask_is_told_so(line, wire, awaited):
    line.token = wire.handle.principals.add(user="alice@example.com")
    line.ask(line.request(method="GET", path="/api/2.0/serving-endpoints"))
    assert b"PERMISSION_DENIED" in line.ask(line.request(BODY, JSON))
    assert awaited == []


def test_a_port_and_a_disabled_workspace_refuse_as_ever(servesim_server, line, wire):
    with servesim_server.open() as mine, contextlib.ExitStack() as stack:
        port = servesim_server.run(servesim_server.server.open_port(mine.workspace))
        peer = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
        line.socket, line.file = peer, stack.enter_context(peer.makefile("rb"))
        assert line.ask(line.request(BODY, JSON)).startswith(b"HTTP/1.1 403 ")
    with contextlib.ExitStack() as stack:
        wire.handle.workspace.serving_disabled = True
        line = Line(wire.handle, stack)
        assert b"Model serving is not enabled" in line.ask(line.request(BODY, JSON))


def test_each_has_its_line_in_the_log(servesim_server, line, monkeypatch):
    lines = []
    monkeypatch.setattr(servesim_server.server, "_log_call", lines.append)
    line.ask(line.request(BODY, JSON, path=PATH + "?secret=1"))
    assert [line.partition(" (")[0] for line in lines] == [f"tester@example.com POST {PATH} -> 200 champion"]


def test_who_does_not_read_is_not_written_to_without_end(line, wire, awaited):
    wire.handle.models.stub("main.ml.long", "constant", value="x" * 60_000)
    wire.ready("long", [{"entity_name": "main.ml.long", "entity_version": "1"}])
    call = line.request(BODY, JSON, path="/serving-endpoints/long/invocations")
    sent = 0
    while not awaited and sent < 500:  # 30 MB, more than the sockets hold
        line.socket.sendall(call)
        wire.list()  # once that is answered, the other has been too, or was left to aiohttp
        sent += 1
    assert awaited  # by aiohttp's loop, which goes on once somebody reads
    assert [line.answer().count(b"x") for _ in range(sent)] == [60_000] * sent


def test_a_failure_of_ours_is_a_500(line, monkeypatch, caplog):
    monkeypatch.setattr(data, "invoke_now", lambda *_: 1 / 0)
    answer = line.ask(line.request(BODY, JSON))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"INTERNAL_ERROR" in answer
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.undo()
    assert line.ask(line.request(BODY, JSON)).startswith(b"HTTP/1.1 200 ")


def test_this_aiohttp_keeps_what_is_read_of_it():
    assert rim.KNOWS_AIOHTTP


@pytest.mark.parametrize("known", [True, False])
def test_another_aiohttp_answers_by_itself(wire, monkeypatch, awaited, known):
    wire.ready(entities=[SPLIT[0]])
    monkeypatch.setattr(rim, "KNOWS_AIOHTTP", known)
    with contextlib.ExitStack() as stack:
        line = Line(wire.handle, stack)
        answer = line.ask(line.request(BODY, JSON))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert awaited == ([] if known else ["fraud"])
