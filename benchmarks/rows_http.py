"""Rows over HTTP: invocations, their answers under concurrency, GET and LIST."""

from __future__ import annotations

import json
import threading
import urllib.request
from statistics import median
from typing import TYPE_CHECKING, Any

import load
import servers
from calls import GET_ONE, HOST, LIST_ALL, LIST_PATH, ONE_ROW, TOKEN, score
from figures import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from calls import Call
    from load import Plan
    from processes import Process

CONNECTIONS = (8, 64)
MANY, QUICK_MANY = 100_000, 5_000
LISTED = 1_000
TYPED_PATH = "/serving-endpoints/typed/invocations"


def invocation_base(plan: Plan) -> list[Figure]:
    """Everything on, as ``pip install servesim`` gives it."""
    return _invocation("invocation-base", "base", plan, floor=0.60, reach=0.75)


def invocation_fast(plan: Plan) -> list[Figure]:
    """Everything on, with orjson and uvloop; the baseline stays on plain asyncio."""
    return _invocation("invocation-fast", "fast", plan, floor=0.70, reach=1.0)


def invocation_limits(plan: Plan) -> list[Figure]:
    """The same where every limit is held and none is reached, and a fault waits at another endpoint."""
    return _invocation("invocation-limits", "fast", plan, floor=0.60, reach=1.0, world=servers.WORLD_LIMITS)


def invocation_signature(plan: Plan) -> list[Figure]:
    """The same with a signature of four columns to check each row against; it has no floor."""
    typed = score(json.loads(ONE_ROW.body), TYPED_PATH)
    with servers.bare() as bare, servers.command_line("base") as base, servers.command_line("fast") as fast:
        sides = [(bare, ONE_ROW), (base, typed), (fast, typed)]
        theirs, *ours = _rounds(plan, sides, CONNECTIONS[0])
    return [
        load.throughput("invocation-signature", f"{install}, 8 connections", found, theirs)
        for install, found in zip(("base", "fast"), ours, strict=True)
    ]


def get_base(plan: Plan) -> list[Figure]:
    """GET of one endpoint, base install."""
    return _get("get-base", "base", plan)


def get_fast(plan: Plan) -> list[Figure]:
    """GET of one endpoint, with orjson and uvloop."""
    return _get("get-fast", "fast", plan)


def get_many(plan: Plan) -> list[Figure]:
    """GET of one endpoint among many."""
    count = QUICK_MANY if plan.quick else MANY
    with servers.made_in_core("fast", endpoints=1) as one, servers.made_in_core("fast", endpoints=count) as many:
        theirs, ours = _rounds(plan, [(one, GET_ONE), (many, GET_ONE)], CONNECTIONS[0])
    return [load.throughput("get-many", f"GET, {count:,} endpoints against one", ours, theirs, floor=0.9, reach=1.0)]


def list_all(plan: Plan) -> list[Figure]:
    """LIST of a full workspace."""
    with servers.made_in_core("fast", endpoints=LISTED) as server:
        found = [load.sample(server, LIST_ALL, CONNECTIONS[0], plan) for _ in range(plan.rounds)]
    rate = median(one.per_second for one in found)
    what = f"LIST of {LISTED:,} endpoints, 8 connections"
    return [
        Figure(row="list", what=what, value=rate, unit="/s", floor=1000, reach=1800, cpu_us=load.cpu_of(found)),
    ]


def answers(plan: Plan) -> list[Figure]:
    """Whether every answer is right while many ask and the split moves."""
    figures = []
    with servers.command_line("fast") as server:
        for connections in CONNECTIONS:
            calls = [_own_row(number) for number in range(connections)]
            expected = _expected(connections)
            mover = _Mover(server.port)
            found = load.built_in(server, calls, connections, plan.seconds, expected)
            mover.stop()
            mover.move(0)
            after = load.built_in(server, calls, connections, plan.seconds / 2, expected)
            wrong = found["wrong"] + found["refused"] + after["wrong"] + after["refused"]
            stale = after["served"].get("champion", 0)
            count = found["requests"] + after["requests"]
            what = f"{connections} connections, {count:,} requests, split moved {mover.moved} times"
            figures += [
                _none("answers", f"wrong or unmatched: {what}", wrong),
                _none("answers", f"from an entity at 0 %: {connections} connections", stale),
            ]
    return figures


def _invocation(
    row: str, install: str, plan: Plan, *, floor: float, reach: float, world: Path = servers.WORLD
) -> list[Figure]:
    figures = []
    with servers.bare() as bare, servers.command_line(install, world) as product:
        for connections in CONNECTIONS:
            theirs, ours = _rounds(plan, [(bare, ONE_ROW), (product, ONE_ROW)], connections)
            what = f"stub, everything on, {connections} connections"
            figures += [
                load.throughput(row, what, ours, theirs, floor=floor, reach=reach),
                load.tail(row, f"p99, {connections} connections", ours, theirs, 2.0),
            ]
    return figures


def _get(row: str, install: str, plan: Plan) -> list[Figure]:
    figures = []
    with servers.bare() as bare, servers.command_line(install) as product:
        for connections, floor in zip(CONNECTIONS, (0.6, 0.5), strict=True):
            theirs, ours = _rounds(plan, [(bare, GET_ONE), (product, GET_ONE)], connections)
            what = f"GET of one endpoint, {connections} connections"
            figures.append(load.throughput(row, what, ours, theirs, floor=floor, reach=0.8))
    return figures


def _rounds(plan: Plan, sides: list[tuple[Process, Call]], connections: int) -> list[list[load.Sample]]:
    def side(server: Process, call: Call) -> Any:
        return lambda: load.sample(server, call, connections, plan)

    return load.alternate(plan.rounds, *(side(*one) for one in sides))


def _none(row: str, what: str, count: int) -> Figure:
    return Figure(row=row, what=what, value=count, unit="answers", floor=0, at_least=False)


def _own_row(number: int) -> Call:
    return score({"dataframe_records": [{"asked_by": number}]}, "/serving-endpoints/answers/invocations")


def _expected(connections: int) -> dict[str, list[str]]:
    copies = [json.dumps({"predictions": [{"asked_by": number}]}) for number in range(connections)]
    return {"champion": copies, "challenger": [json.dumps({"predictions": [0.9]})] * connections}


class _Mover:
    """Moves the split of one endpoint back and forth while others ask it."""

    def __init__(self, port: int) -> None:
        """Begin."""
        self._address = f"http://{HOST}:{port}{LIST_PATH}/answers"
        self._stop = threading.Event()
        self.moved = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave the split alone."""
        self._stop.set()
        self._thread.join()

    def move(self, champion: int) -> None:
        """Give the champion this share and wait until that is so."""
        shares = {"champion": champion, "challenger": 100 - champion}
        routes = [{"served_entity_name": name, "traffic_percentage": share} for name, share in shares.items()]
        entities = self._call()["config"]["served_entities"]
        config = {"served_entities": entities, "traffic_config": {"routes": routes}}
        self._call("/config", config)
        while self._call()["state"]["config_update"] != "NOT_UPDATING":
            pass
        self.moved += 1

    def _run(self) -> None:
        while not self._stop.is_set():
            self.move(90 - 80 * (self.moved % 2))
            self._stop.wait(0.05)

    def _call(self, path: str = "", document: object = None) -> Any:
        request = urllib.request.Request(self._address + path, headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310 - a loopback address
        if document is not None:
            request.method = "PUT"
            request.data = json.dumps(document).encode()
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return json.load(answer)
