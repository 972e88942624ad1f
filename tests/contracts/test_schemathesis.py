"""schemathesis against a running server: every operation, every check, and walks from a create to a delete."""

from __future__ import annotations

import copy
import importlib.util
import itertools
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

pytest.importorskip("schemathesis")

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from servesim.contracts.documents import document, raw_operations
from servesim.delivery.handle import LocalServer

HERE = Path(__file__).parent
SURFACES = ("control", "data", "workspace", "registry", "unity_catalog", "serverless_preview", "legacy")
RETIRED = {"serverless_preview": "endpoints-v2", "legacy": "endpoints"}
"""The surfaces of the retired generations, and where their calls are."""
WORLD = "schemathesis_world.yaml"
WORLDS = dict.fromkeys(RETIRED, "schemathesis_models_world.yaml")
"""Of the surfaces that have another one."""
EXCEPTIONS = yaml.safe_load((HERE / "schemathesis_exceptions.yaml").read_text())
MOST_EXCEPTIONS = {
    "every": 2,
    "control": 0,
    "workspace": 2,
    "registry": 0,
    "unity_catalog": 3,
    "serverless_preview": 0,
    "legacy": 0,
    "data": 7,
    "admin": 5,
}
"""How many there may be. The numbers go down, never up."""


def loaded_module(name):
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOOKS = loaded_module("schemathesis_hooks")
REGISTRY = loaded_module("schemathesis_registry")
UNITY_CATALOG = loaded_module("schemathesis_unity_catalog")
MODEL_ENDPOINTS = loaded_module("schemathesis_model_endpoints")
NAMES = {
    "registry": REGISTRY.Names,
    "unity_catalog": UNITY_CATALOG.Names,
    **{name: partial(MODEL_ENDPOINTS.Names, place=place) for name, place in RETIRED.items()},
}
"""What knows the names that there are for a surface; for the others it is ``ServingNames``."""


class Walked(NamedTuple):
    """A walk, whose document has it, and all that links lead to from its create."""

    surfaces: tuple[str, ...]
    walk: Any
    operations: tuple[str, ...]
    begun: float
    """How many are begun for each that is to get to its end."""


WALKS = {
    # Stop and start would begin walks of their own, with names of nothing.
    "endpoints": Walked(
        ("control", "data", "workspace"),
        HOOKS.SERVING_WALK,
        (*HOOKS.SERVING_WALK.steps, "get_permissions", "get_logs", "query_served_entity"),
        begun=3,
    ),
    "registered models": Walked(
        ("registry",),
        HOOKS.Walk(*REGISTRY.WALK),
        (*REGISTRY.WALK[0], "get_registered_model", "transition_databricks_stage", "delete_model_version"),
        begun=2,
    ),
    "models in Unity Catalog": Walked(
        ("unity_catalog",),
        HOOKS.Walk(*UNITY_CATALOG.WALK),
        (*UNITY_CATALOG.STEPS, "uc_get_registered_model", "uc_get_model_version", "uc_delete_model_version"),
        begun=1.5,
    ),
}


ADMIN_TOKEN = "an-admin-token"
SHOWN = 20
"""Failures in a message: the rest is mostly more of the same."""


class Depth(NamedTuple):
    """How far a run goes beyond the examples of the documents and the edges of each field."""

    examples: int
    """That are made up for each operation; in many every exception is met, a few may draw none of some."""
    enough: int
    """Successes that each operation needs."""
    walks: int
    """That get to their end."""
    free: int
    """Walks whose steps are any."""

    @property
    def is_full(self) -> bool:
        """Whether every exception is met."""
        return self is DEEP


QUICK, DEEP = Depth(4, 5, 5, 3), Depth(250, 20, 60, 40)
DEPTHS = pytest.mark.parametrize(
    "depth", [pytest.param(QUICK, id="quick"), pytest.param(DEEP, id="deep", marks=pytest.mark.deep)]
)


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


def run(schema, known, tally, exceptions):
    """Run the engine to its end."""
    failures = []
    before = tally.calls
    with HOOKS.installed(schema, known, tally, exceptions):
        for event in from_schema(schema).execute():
            if isinstance(event, events.NonFatalError):
                failures.append(f"{event.label}: {event.info.title}: {event.info.message}")
            if isinstance(event, events.ScenarioFinished):
                failures += told(event.recorder)
    return Found(tally.calls - before, failures)


def offers(surface, world):
    """Return the hooks that give requests of a surface the names of what is there."""
    return HOOKS.Offers(NAMES.get(surface, HOOKS.ServingNames)(world))


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
        if number < tally.enough:
            few[operation["operationId"]] = number
    return few


def for_walks(contract):
    """Return a contract with what begins a walk.

    schemathesis takes `budget_policy_id` for the id of something that another call makes, and would not begin with
    the create. The other runs send it.
    """
    contract = copy.deepcopy(contract)
    for schema in contract["components"]["schemas"].values():
        schema.get("properties", {}).pop("budget_policy_id", None)
    return contract


def one_way(contract, steps):
    """Return a contract whose links lead from the create to the delete alone: most walks of it get there."""
    contract = for_walks(contract)
    following = dict(itertools.pairwise(steps))
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
    """A server; answers that break their contract fail the test."""
    with LocalServer() as server:
        yield server


@DEPTHS
@pytest.mark.parametrize("surface", SURFACES)
def test_every_operation(served, surface, depth):
    server, handle = served, served.open(scenario=HERE / WORLDS.get(surface, WORLD))
    contract = document(surface)
    world = HOOKS.World(server.url, handle.token)
    tally = HOOKS.Tally(world, depth.enough)
    others = () if surface not in RETIRED else ("data",)
    exceptions = HOOKS.Exceptions([one for name in ("every", surface, *others) for one in EXCEPTIONS[name]])
    given = settings(server, (handle.token, ""), ("examples", "coverage", "fuzzing"), depth.examples, contract)
    found = run(loaded(copy.deepcopy(contract), given), offers(surface, world), tally, exceptions)
    print(f"{found.calls} calls")  # noqa: T201 - what `pytest -s` is asked for
    assert not found.failures, "\n\n".join(found.failures[:SHOWN])
    assert missed(tally, contract) == {}
    if depth.is_full and not others:
        assert exceptions.unneeded() == set()


@DEPTHS
@pytest.mark.parametrize("what", WALKS)
def test_walks_from_a_create_to_a_delete(served, what, depth):
    server, handle = served, served.open(scenario=HERE / WORLD)
    surfaces, walk, operations, begun = WALKS[what]
    contract = document(*surfaces)
    world = HOOKS.World(server.url, handle.token)
    known, tally = offers(surfaces[0], world), HOOKS.Tally(world, depth.walks, walk)
    exceptions = HOOKS.Exceptions([one for name in ("every", *surfaces) for one in EXCEPTIONS[name]])
    straight = {"generation": {"mode": "positive"}, "inference": {"algorithms": []}, "link-calibration": False}
    given = settings(server, (handle.token, ""), (), int(begun * depth.walks), contract)
    straight_on = loaded(one_way(contract, walk.steps), stateful(given, len(walk.steps) * 2, **straight))
    found = run(straight_on.include(operation_id=list(walk.steps)), known, tally, exceptions)
    assert not found.failures, "\n\n".join(found.failures[:SHOWN])
    assert tally.walks >= tally.enough
    print(f"{found.calls} calls, {tally.walks} walks")  # noqa: T201 - as above
    every = loaded(for_walks(contract), stateful(settings(server, (handle.token, ""), (), depth.free, contract), 20))
    found = run(every.include(operation_id=list(operations)), known, tally, exceptions)
    assert not found.failures, "\n\n".join(found.failures[:SHOWN])


@DEPTHS
def test_every_operation_of_the_admin_api(served, depth):
    server, handle = served, served.open(scenario=HERE / WORLD)
    contract = document("admin")
    server.server.admin_token = ADMIN_TOKEN
    HOOKS.World(server.url, handle.token).send("POST", "/serving-endpoints/fraud/invocations", {"inputs": [1]})
    world = HOOKS.World(server.url, ADMIN_TOKEN)
    known = HOOKS.Offers(HOOKS.AdminNames(world, handle.workspace.name))
    tally, exceptions = HOOKS.Tally(world, depth.enough), HOOKS.Exceptions(EXCEPTIONS["admin"])
    tokens = (handle.token, ADMIN_TOKEN)
    given = settings(server, tokens, ("examples", "coverage", "fuzzing"), depth.examples, contract)
    found = run(loaded(copy.deepcopy(contract), given), known, tally, exceptions)
    print(f"{found.calls} calls")  # noqa: T201 - as above
    assert not found.failures, "\n\n".join(found.failures[:SHOWN])
    assert missed(tally, contract) == {}
    if depth.is_full:
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
