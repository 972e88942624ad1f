"""Documents of load runs, from routers that draw by the simulator's own index of chance."""

from __future__ import annotations

import importlib.util
from collections import Counter
from itertools import accumulate

import pytest

EXTRA = all(importlib.util.find_spec(name) for name in ("locust", "matplotlib", "numpy", "scipy"))
collect_ignore_glob = [] if EXTRA else ["test_*.py"]


def drawn(stream, true, ordinals):
    """Return who answers each request by the true split, with the draws of these ordinals."""
    answers = []
    for ordinal in ordinals:
        edges = accumulate(true.values())
        point = 100 * stream.fraction(ordinal)
        answers.append(next(entity for entity, edge in zip(true, edges, strict=True) if point < edge))
    return answers


def looked_at(at, answers, errors, split, log_e):
    """Return one second of a run's series."""
    return {
        "s": at,
        "users": 10,
        "entities": dict(Counter(answers)),
        "unattributed": errors,
        "statuses": {"200": len(answers), **({"429": errors} if errors else {})},
        "latency_ms": {"p50": 8 + at % 3, "p95": 21 + at % 5, "p99": 44 + 3 * (at % 4)},
        "log_e": log_e,
        "split": split,
        "provisioned": dict.fromkeys(split, 4),
        "held": dict.fromkeys(split, 0),
    }


def counted(series, rate, errors):
    """Return what a run says of its requests, and the check of their errors."""
    count = rate * len(series)
    requests = {
        "count": count,
        "errors": errors * len(series),
        "retries": 0,
        "rps": rate,
        "latency_ms": {"p50": 9, "p95": 23, "p99": 51, "max": 98.4},
        "by_status": {"200": count},
        "by_format": {"dataframe_split": count // 2, "inputs": count - count // 2},
    }
    why = f"{errors * len(series)} of {count} requests failed"
    value = errors / (rate + errors)
    check = {"name": "max error rate", "outcome": "pass", "limit": 0.01, "value": value, "why": why}
    return requests, check


def simulated_run(phases, *, rate=200, seconds=4, detect=5, seed=1, errors=0, **changed):
    """Return the document of a run: for each phase its name, the split that is asked for, and the true one."""
    from servesim.core.draws import Draws
    from servesim.verification import Judge

    series, judgements = [], []
    stream = Draws(seed).stream("load")
    for number, (name, split, true) in enumerate(phases):
        judging = Judge(split, detect=detect)
        for at in range(number * seconds, (number + 1) * seconds):
            answers = drawn(stream, true, range(at * rate, (at + 1) * rate))
            judging.add_in_order([*answers, *[None] * errors])
            series.append(looked_at(at, answers, errors, split, judging.look().log_e))
        span = {"from_s": number * seconds, "to_s": (number + 1) * seconds}
        judgements.append({"name": name, **span, **judging.look().as_json()})
    outcomes = [one["outcome"] for one in judgements]
    requests, check = counted(series, rate, errors)
    used = {"replica_seconds": 4 * len(series), "requests": requests["count"], "cold_starts": 0}
    return {
        "format": 1,
        "test": "rollout" if len(phases) > 1 else "traffic_split",
        "endpoint": "fraud",
        "url": "http://127.0.0.1:8765",
        "simulated": True,
        "users": 10,
        "processes": 1,
        "seconds": len(series),
        "outcome": next((one for one in ("fail", "inconclusive") if one in outcomes), "pass"),
        "judgements": judgements,
        "checks": [check],
        "requests": requests,
        "series": series,
        "phases": [{key: one[key] for key in ("name", "from_s", "to_s", "split")} for one in judgements],
        "capacity": [{"endpoint": "fraud", "entity": name, **used} for name in phases[0][1]],
        "notes": [],
        **changed,
    }


@pytest.fixture
def simulated():
    """Make documents of runs; see simulated_run."""
    return simulated_run


CANARY = {"champion": 90, "challenger": 10}


@pytest.fixture
def kept():
    """The document of a run in which the router kept its split."""
    return simulated_run([("90/10", CANARY, CANARY)], seconds=10)


@pytest.fixture
def skewed():
    """The document of a run in which the challenger got 15 % in place of 10 %."""
    return simulated_run([("90/10", CANARY, {"champion": 85, "challenger": 15})], seconds=10)
