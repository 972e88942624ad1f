"""Many clients at once: the same totals every time, and no request that an update costs."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

API = "/api/2.0/serving-endpoints"
THREADS = 8
EACH = 60


def entities(*versions):
    return [{"name": f"v{one}", "entity_name": "main.ml.fraud", "entity_version": one} for one in versions]


def config(**shares):
    routes = [{"served_entity_name": name, "traffic_percentage": share} for name, share in shares.items()]
    return {"served_entities": entities(*(name[1:] for name in shares)), "traffic_config": {"routes": routes}}


class Caller:
    """One client with a connection of its own."""

    def __init__(self, handle):
        self.host = handle.host
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {handle.token}"

    def control(self, method, path, body=None):
        answer = self.session.request(method, self.host + API + path, json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def settle(self):
        while (got := self.control("GET", "/fraud"))["state"]["config_update"] == "IN_PROGRESS":
            pass
        return got

    def score(self):
        """Return who answered, having checked that the answer is that entity's own."""
        url = f"{self.host}/serving-endpoints/fraud/invocations"
        answer = self.session.post(url, json={"inputs": [1]}, timeout=60)
        assert answer.status_code == 200, answer.text
        who = answer.headers["Served-Model-Name"]
        assert answer.json() == {"predictions": [int(who[1:])]}
        return who

    def close(self):
        self.session.close()


def opened(server, seed):
    handle = server.open(seed=seed)
    for version in (1, 2, 3):
        handle.models.stub("main.ml.fraud", "constant", value=version)
    caller = Caller(handle)
    caller.control("POST", "", {"name": "fraud", "config": config(v1=70, v2=30)})
    caller.settle()
    caller.close()
    return handle


def totals(server, seed):
    handle = opened(server, seed)
    callers = [Caller(handle) for _ in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        counts = list(pool.map(lambda caller: Counter(caller.score() for _ in range(EACH)), callers))
    for caller in callers:
        caller.close()
    handle.close()
    return sum(counts, Counter())


def test_eight_threads_give_the_same_count_for_each_entity_every_time(servesim_server):
    first, second = totals(servesim_server, 7), totals(servesim_server, 7)
    assert first == second
    assert first.total() == THREADS * EACH
    # Far off the split of 70 to 30 would mean that it is not drawn at all.
    assert 0.6 < first["v1"] / first.total() < 0.8
    assert totals(servesim_server, 8) != first


def test_one_client_gets_the_same_sequence_every_time(servesim_server):
    sequences = []
    for seed in (7, 7, 8):
        handle = opened(servesim_server, seed)
        caller = Caller(handle)
        sequences.append([caller.score() for _ in range(40)])
        caller.close()
        handle.close()
    assert sequences[0] == sequences[1] != sequences[2]


UPDATES = [config(v1=50, v2=50), config(v2=100), config(v2=20, v3=80), config(v3=100), config(v1=100)]


@pytest.mark.parametrize("mode", ["autojump", "paced"])
def test_no_request_is_lost_while_configs_change(servesim_server, mode):
    handle = servesim_server.open(clock=mode, rate=20_000)
    for version in (1, 2, 3):
        handle.models.stub("main.ml.fraud", "constant", value=version)
    operator = Caller(handle)
    operator.control("POST", "", {"name": "fraud", "config": config(v1=100)})
    operator.settle()
    stop = threading.Event()
    allowed = [{"v1"}]  # by config that could answer at some time; the last one is the newest
    callers = [Caller(handle) for _ in range(4)]

    def keep_asking(caller):
        seen = []
        while not stop.is_set():
            since = len(allowed) - 1
            who = caller.score()
            # The config that was newest when the call began may not serve yet: the one before it does.
            could = set().union(*allowed[max(since - 1, 0) :])
            assert who in could, (who, could)
            seen.append(who)
        return seen

    with ThreadPoolExecutor(len(callers)) as pool:
        asking = [pool.submit(keep_asking, caller) for caller in callers]
        try:
            for new in UPDATES:
                shares = new["traffic_config"]["routes"]
                allowed.append({one["served_entity_name"] for one in shares if one["traffic_percentage"]})
                operator.control("PUT", "/fraud/config", new)
                assert operator.settle()["state"]["ready"] == "READY"
                assert operator.score() in allowed[-1]
        finally:
            stop.set()
        seen = [who for future in asking for who in future.result()]
    assert set(seen) >= {"v1"}
    for caller in (*callers, operator):
        caller.close()
    handle.close()
