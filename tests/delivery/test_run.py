"""servesim.run(): a server and a workspace for a block of plain code."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest

import servesim


def call(sim, path):
    request = urllib.request.Request(sim.host + path, headers={"Authorization": f"Bearer {sim.token}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def test_it_gives_the_handle_of_the_fixture(servesim_server):
    with servesim.run(clock="frozen", seed=3) as sim, servesim_server.open() as other:
        assert type(sim) is type(other)
        assert sim.models.stub("m") == "1"
        assert sim.clock.advance("31m") == "2026-01-05T09:31:00Z"
        assert (sim.clock.mode, sim.workspace.settings.seed) == ("frozen", 3)
        assert call(sim, "/api/2.0/serving-endpoints") == {"endpoints": []}


def test_the_port_is_closed_at_the_end():
    with servesim.run() as sim:
        host = sim.host
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(host)
    with pytest.raises(RuntimeError, match="this servesim server has stopped"):
        sim.clock.now()


def test_the_port_is_the_one_asked_for_and_one_that_is_taken_is_an_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="address already in use"), servesim.run(port=port):
            pass
    with servesim.run(port=port) as sim:
        assert sim.host == f"http://127.0.0.1:{port}"


def test_a_scenario_begins_the_world(tmp_path):
    path = tmp_path / "world.yaml"
    path.write_text(
        "models: [{name: m, stub: echo}]\n"
        "endpoints: [{name: e, config: {served_entities: [{entity_name: m, entity_version: 1}]}}]\n",
        encoding="utf-8",
    )
    with servesim.run(scenario=path) as sim:
        assert call(sim, "/api/2.0/serving-endpoints/e")["state"]["ready"] == "READY"


def test_a_wrong_option_is_named_and_leaves_no_thread():
    before = threading.active_count()
    with pytest.raises(ValueError, match="servesim knows no setting 'speed'"), servesim.run(speed=3):
        pass
    assert threading.active_count() == before


def test_several_threads_have_servers_of_their_own():
    seen = {}

    def live(number):
        with servesim.run() as sim:
            sim.models.stub(f"m{number}")
            together.wait()
            seen[number] = (sim.host, [line.subject for line in sim.log])

    together = threading.Barrier(4)
    threads = [threading.Thread(target=live, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({host for host, _ in seen.values()}) == 4
    assert all(subjects == [f"m{number}"] for number, (_, subjects) in seen.items() for subjects in [subjects[-1:]])


def test_one_handle_is_used_by_several_threads():
    with servesim.run(clock="frozen") as sim:
        threads = [threading.Thread(target=sim.clock.advance, args=("10m",)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sim.clock.now() == "2026-01-05T10:00:00Z"


def test_importing_servesim_imports_nothing_else():
    code = "import sys; before = set(sys.modules); import servesim; print(*sorted(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Under coverage `__future__` is there already.
    assert set(run.stdout.split()) | {"__future__"} == {"__future__", "servesim"}
