"""Many mixed calls from many clients: nothing stale, nothing lost, memory flat."""

from __future__ import annotations

import gc
import threading
import tracemalloc

import pytest

ENDPOINTS = "/api/2.0/serving-endpoints"
CLIENTS = 8
ROUNDS = 400


def entities(version):
    return [{"entity_name": "main.ml.fraud", "entity_version": version, "scale_to_zero_enabled": True}]


def live(wire, number, problems):
    """Be one client: create, update, read, score, list, sometimes delete, sometimes move time."""
    name = f"endpoint-{number % 4}"
    for turn in range(ROUNDS):
        version = str(turn % 3 + 1)
        scored = wire.call("POST", f"/serving-endpoints/{name}/invocations", {"inputs": [1]})
        answers = [
            scored,
            wire.create(name, entities(version)),
            wire.call("PUT", f"{ENDPOINTS}/{name}/config", {"served_entities": entities(version)}),
            wire.call("GET", f"{ENDPOINTS}/{name}"),
            wire.call("GET", ENDPOINTS),
        ]
        if turn % 50 == number:
            answers.append(wire.call("DELETE", f"{ENDPOINTS}/{name}"))
        if turn % 20 == number:
            wire.handle.clock.advance("31m")
        problems.extend(answer for answer in answers if answer.status not in {200, 400, 404, 409})
        # Version 2 predicts 2, and no other may speak for it.
        if scored.status == 200 and scored.json != {"predictions": [int(scored.headers["Served-Model-Name"][-1])]}:
            problems.append(scored)


def live_together(wire):
    problems = []
    threads = [threading.Thread(target=live, args=(wire, number, problems)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems


@pytest.mark.deep
@pytest.mark.servesim(poll="settle")
def test_clients_that_change_and_query_the_same_endpoints_for_long(wire):
    for version in (1, 2, 3):
        wire.handle.models.stub("main.ml.fraud", "constant", value=version, version=version)
    assert live_together(wire) == []
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    assert live_together(wire) == []
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert not wire.handle.workspace.world.tickets
    # What is kept of 16,000 calls is the event log, whose 10,000 lines may have been replaced once.
    assert grown < 4 * 1024 * 1024
