"""schemathesis against a running server: every operation, every check, and walks from a create to a delete."""

from __future__ import annotations

import copy
import importlib.util
import itertools
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

pytest.importorskip("schemathesis")

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from servesim.contracts.documents import document, raw_operations
from servesim.delivery.handle import LocalServer

HERE = Path(__file__).parent
SURFACES = ("control", "data", "workspace")
EXCEPTIONS = yaml.safe_load((HERE / "schemathesis_exceptions.yaml").read_text())
MOST_EXCEPTIONS = {"every": 2, "control": 0, "workspace": 2, "data": 7, "admin": 5}
"""How many there may be. The numbers go down, never up."""


def load_hooks():
    spec = importlib.util.spec_from_file_location("schemathesis_hooks", HERE / "schemathesis_hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOOKS = load_hooks()


WALKED = [*HOOKS.WALK, "get_permissions", "get_logs", "query_served_entity"]
"""What links lead to from a create. Stop and start would begin walks of their own, with names of nothing."""


ADMIN_TOKEN = "an-admin-token"
ENOUGH_TO_NEED_ALL = 250
"""Examples in which every exception is met; a shorter run may draw none of some."""
SHOWN = 20
"""Failures in a message: the rest is mostly more of the same."""


class Found(NamedTuple):
    """What one run of the engine told."""

    calls: int
    failures: list[str]


def settings(server, tokens, phases, examples, contract):
    """Return the settings of a run: all checks, one worker, nothing kept from run to run."""
    token, admin = tokens
    logins = {
        "bearer": {"bearer": token},
        "basic": {"username": "token", "password": token},
        "client": {"username": "pipeline-id", "password": "pipeline-secret"},
        "admin": {"bearer": admin},
    }
    known = {"examples": {"fill-missing": True}, "coverage": {}, "fuzzing": {}, "stateful": {}}
    return {
        "base-url": server.url,
        "seed": 1,
        "workers": 1,
        "continue-on-failure": True,
        "suppress-health-check": ["all"],
        "auth": {"openapi": {name: logins[name] for name in contract["components"]["securitySchemes"]}},
        "generation": {"deterministic": True, "max-examples": examples, "database": "none"},
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx"]}},
        "phases": {name: {"enabled": name in phases, **more} for name, more in known.items()},
    }


def loaded(contract, given):
    return schemathesis.openapi.from_dict(contract, config=SchemathesisConfig.from_dict(given))


def run(schema, offers, tally, exceptions):
    """Run the engine to its end."""
    failures = []
    before = tally.calls
    with HOOKS.installed(schema, offers, tally, exceptions):
        for event in from_schema(schema).execute():
            if isinstance(event, events.NonFatalError):
                failures.append(f"{event.label}: {event.info.title}: {event.info.message}")
            if isinstance(event, events.ScenarioFinished):
                failures += told(event.recorder)
    return Found(tally.calls - before, failures)


def told(recorder):
    """Yield what the checks of a scenario found, with the call and its answer."""
    for case, checks in recorder.checks.items():
        sent = recorder.interactions[case]
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                answer = sent.response and (sent.response.status_code, sent.response.text[:500])
                yield (
                    f"{check.name} {failure.operation}: {failure.title}: {failure.message}\n"
                    f"{sent.request.method} {sent.request.uri}\n{sent.request.body}\n-> {answer}"
                )


def missed(tally, contract):
    """Return operations without enough successes; one that never succeeds counts the answer that it documents."""
    few = {}
    for _, _, operation in raw_operations(contract):
        good = [int(status) for status in operation["responses"] if status.startswith("2")] or [501]
        number = sum(tally.answers[operation["operationId"], status] for status in good)
        if number < HOOKS.ENOUGH:
            few[operation["operationId"]] = number
    return few


def for_walks(contract):
    """Return a contract with what begins a walk.

    schemathesis takes `budget_policy_id` for the id of something that another call makes, and would not begin with
    the create. The other runs send it.
    """
    contract = copy.deepcopy(contract)
    del contract["components"]["schemas"]["CreateEndpointIn"]["properties"]["budget_policy_id"]
    return contract


def one_way(contract):
    """Return a contract whose links lead from the create to the delete alone: most walks of it get there."""
    contract = for_walks(contract)
    following = dict(itertools.pairwise(HOOKS.WALK))
    for _, _, operation in raw_operations(contract):
        for status, response in operation["responses"].items():
            whole = copy.deepcopy(resolved(contract, response))
            links = whole.pop("links", {})
            wanted = following.get(operation["operationId"])
            kept = {name: link for name, link in links.items() if resolved(contract, link)["operationId"] == wanted}
            operation["responses"][status] = {**whole, "links": kept}
    return contract


def resolved(contract, value):
    if "$ref" not in value:
        return value
    _, _, kind, name = value["$ref"].split("/")
    return contract["components"][kind][name]


def stateful(given, steps, **more):
    """Return settings for walks, where what was deleted is asked for as well, and an update may be in progress."""
    walks = {
        "enabled": True,
        "max-steps": steps,
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "404", "409"]}},
        **more,
    }
    return {**given, "phases": {**given["phases"], "stateful": walks}}


@pytest.fixture
def served():
    """A server with one workspace, and its handle; answers that break their contract fail the test."""
    with LocalServer() as server:
        yield server, server.open(scenario=HERE / "schemathesis_world.yaml")


@pytest.mark.parametrize("examples", [25, pytest.param(250, marks=pytest.mark.deep)])
@pytest.mark.parametrize("surface", SURFACES)
def test_every_operation(served, surface, examples):
    server, handle = served
    contract = document(surface)
    world = HOOKS.World(server.url, handle.token)
    tally, exceptions = HOOKS.Tally(world), HOOKS.Exceptions(EXCEPTIONS["every"] + EXCEPTIONS[surface])
    given = settings(server, (handle.token, ""), ("examples", "coverage", "fuzzing"), examples, contract)
    found = run(loaded(copy.deepcopy(contract), given), HOOKS.Offers(world), tally, exceptions)
    print(f"{found.calls} calls")  # noqa: T201 - what `pytest -s` is asked for
    assert not found.failures, "\n\n".join(found.failures[:SHOWN])
    assert missed(tally, contract) == {}
    if examples >= ENOUGH_TO_NEED_ALL:
        assert exceptions.unneeded() == set()


@pytest.mark.parametrize(("walks", "free"), [(80, 5), pytest.param(250, 40, marks=pytest.mark.deep)])
def test_walks_from_a_create_to_a_delete(served, walks, free):
    server, handle = served
    contract = document(*SURFACES)
    world = HOOKS.World(server.url, handle.token)
    offers, tally, exceptions = (
        HOOKS.Offers(world),
        HOOKS.Tally(world),
        HOOKS.Exceptions(EXCEPTIONS["every"] + EXCEPTIONS["data"]),
    )
    straight = {"generation": {"mode": "positive"}, "inference": {"algorithms": []}, "link-calibration": False}
    walk = loaded(one_way(contract), stateful(settings(server, (handle.token, ""), (), walks, contract), 8, **straight))
    found = run(walk.include(operation_id=list(HOOKS.WALK)), offers, tally, exceptions)
    assert not found.failures, "\n\n".join(found.failures[:SHOWN])
    assert tally.walks >= HOOKS.ENOUGH
    print(f"{found.calls} calls, {tally.walks} walks")  # noqa: T201 - as above
    every = loaded(for_walks(contract), stateful(settings(server, (handle.token, ""), (), free, contract), 20))
    found = run(every.include(operation_id=WALKED), offers, tally, exceptions)
    assert not found.failures, "\n\n".join(found.failures[:SHOWN])


@pytest.mark.parametrize("examples", [25, pytest.param(250, marks=pytest.mark.deep)])
def test_every_operation_of_the_admin_api(served, examples):
    server, handle = served
    contract = document("admin")
    server.server.admin_token = ADMIN_TOKEN
    HOOKS.World(server.url, handle.token).send("POST", "/serving-endpoints/fraud/invocations", {"inputs": [1]})
    world = HOOKS.World(server.url, ADMIN_TOKEN)
    offers = HOOKS.AdminOffers(world, handle.workspace.name)
    tally, exceptions = HOOKS.Tally(world), HOOKS.Exceptions(EXCEPTIONS["admin"])
    tokens = (handle.token, ADMIN_TOKEN)
    given = settings(server, tokens, ("examples", "coverage", "fuzzing"), examples, contract)
    found = run(loaded(copy.deepcopy(contract), given), offers, tally, exceptions)
    print(f"{found.calls} calls")  # noqa: T201 - as above
    assert not found.failures, "\n\n".join(found.failures[:SHOWN])
    assert missed(tally, contract) == {}
    if examples >= ENOUGH_TO_NEED_ALL:
        assert exceptions.unneeded() == set()


def test_exceptions_have_reasons_and_shrink():
    known = {operation["operationId"] for _, _, operation in raw_operations(document())}
    for name, entries in EXCEPTIONS.items():
        assert len(entries) <= MOST_EXCEPTIONS[name]
        for entry in entries:
            assert entry["reason"].endswith(".")
            if "field" in entry:
                assert entry.keys() == {"field", "instead", "reason"}
                continue
            assert {"failure", "status", "reason"} <= entry.keys()
            assert entry.keys() <= {"failure", "status", "reason", "operations", "media_type", "answer"}
            assert set(entry.get("operations", ())) <= known
