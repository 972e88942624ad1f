"""Faults as people write them: what each key means, what is refused and how, and what is told of an order."""

import pytest

from servesim.contracts.documents import OF_A_WORKSPACE
from servesim.contracts.operations import operations
from servesim.core.errors import Rejected
from servesim.core.faults import EFFECTS, QUERIES, Fault
from servesim.core.timeline import START_MS
from servesim.service.fault_rules import KEYS, read_rule
from servesim.service.operation_names import NAMES, operation_of
from servesim.service.scenario import read_scenarios

NOW = START_MS
NEEDED = {"delay": {"delay": "1s"}, "status": {"status": 500}, "skew": {"split": {"a": 100}}}
OF_NOBODY = {
    "get_databricks_config",
    "get_authorization_server",
    "upload_by_signed_url",
    "download_by_signed_url",
    "abort_by_signed_url",
}
"""Calls that need no token, so they are no workspace's."""


def read(**rule):
    return read_rule(rule, NOW)


# --- which ----------------------------------------------------------------------------------------


def test_the_operations_are_those_of_the_contracts():
    there = operations(*OF_A_WORKSPACE)
    assert set(NAMES) == {one.id for one in there} - OF_NOBODY
    for one in there:
        if one.id not in {*QUERIES, *OF_NOBODY}:
            assert operation_of(one.method, one.path) == one.id


def test_every_route_of_the_server_that_is_in_a_contract_is_found():
    from servesim.http.serving import routes

    assert all(operation_of(method, path.replace("*", "{rest}")) in NAMES for method, path, _ in routes())


@pytest.mark.parametrize(
    ("effect", "operation", "times"),
    [
        ("fail", "deployment", 1),
        ("hang", "deployment", 1),
        ("delay", "deployment", 1),
        ("crash", "query", None),
        ("skew", "query", None),
        ("stale", None, None),
        ("status", None, None),
        ("reset", None, None),
    ],
)
def test_what_is_not_said_depends_on_the_effect(effect, operation, times):
    fault = read(effect=effect, **NEEDED.get(effect, {}))
    assert (fault.operation, fault.times) == (operation, times)


def test_any_is_every_operation_and_null_is_for_ever():
    fault = read(effect="delay", operation="any", delay="1s")
    assert (fault.operation, fault.times) == (None, None)
    assert read(effect="fail", times=None).times is None
    assert read(effect="reset", endpoint=None, share=None, skip=None) == read(effect="reset")


# --- when -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("31m", NOW + 31 * 60_000),
        (90, NOW + 90_000),
        ("2026-01-05T10:00:00Z", NOW + 3_600_000),
        ("2026-01-05T10:00:00+01:00", NOW),
        ("2026-01-05", NOW - 9 * 3_600_000),
    ],
)
def test_an_instant_is_one_or_a_duration_from_now(written, instant):
    fault = read(effect="reset", after=written, before=written)
    assert (fault.after, fault.before) == (instant, instant)


# --- what -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "headers"),
    [
        ({"status": 429}, {"Retry-After": "0"}),
        ({"status": 503}, {"Retry-After": "0"}),
        ({"status": 503, "retry_after": 30}, {"Retry-After": "30"}),
        ({"status": 503, "retry_after": None}, {}),
        ({"status": 500}, {}),
        ({"status": 500, "retry_after": 1}, {"Retry-After": "1"}),
        ({"status": 500, "body": {"a": 1}}, {"Content-Type": "application/json"}),
        ({"status": 500, "body": "plain"}, {"Content-Type": "text/plain; charset=utf-8"}),
        ({"status": 500, "body": "<p>", "headers": {"content-type": "text/html"}}, {"Content-Type": "text/html"}),
        ({"status": 500, "headers": {"X-A": "b"}}, {"X-A": "b"}),
        ({"status": 503, "headers": {"retry-after": "7"}}, {"retry-after": "7"}),
        ({"status": 503, "headers": {"retry-after": "7"}, "retry_after": None}, {"retry-after": "7"}),
    ],
    ids=str,
)
def test_headers_of_a_status(rule, headers):
    assert dict(read(effect="status", **rule).headers) == headers


def test_a_status_without_a_body_has_none():
    assert [read(effect="status", status=status).body for status in (204, 304, 200, 500)] == ["", "", None, None]


def test_a_delay_is_one_or_is_drawn():
    fault = read(effect="delay", delay="20m")
    assert (fault.delay_ms, fault.delay_p99_ms) == (20 * 60_000, 0)
    drawn = read(effect="delay", delay={"median": "300ms", "p99": "900ms"})
    assert (drawn.delay_ms, drawn.delay_p99_ms) == (300, 900)


# --- what is refused ------------------------------------------------------------------------------

WRONG = [
    ({}, "effect is one of fail, delay, hang, status"),
    ({"effect": "explode"}, "got 'explode'"),
    ({"effect": []}, r"got \[\]"),
    ({"effect": "reset", "operation": "get_endpiont"}, "operation 'get_endpiont' is unknown; there is get_endpoint,"),
    ({"effect": "reset", "operation": "querry"}, "there is query"),
    ({"effect": "reset", "operation": 5}, "operation 5 is unknown"),
    ({"effect": "reset", "operation": "deployment"}, "the effect reset strikes no deployment"),
    ({"effect": "fail", "operation": "query"}, "the effect fail strikes deployments alone"),
    ({"effect": "hang", "operation": "any"}, "strikes deployments alone"),
    ({"effect": "crash", "operation": "get_endpoint"}, "strikes scoring requests alone"),
    ({"effect": "skew", "operation": "query_served_entity", "split": {"a": 100}}, "no entity is named for"),
    ({"effect": "skew", "entity": "a", "split": {"a": 100}}, "no entity is named for"),
    ({"effect": "stale", "operation": "get_logs"}, "get_endpoint, list_endpoints, get_permissions"),
    ({"effect": "reset", "when": "now"}, "'when' is no key of a fault"),
    ({"effect": "reset", "status": 500}, "status is not for the effect reset"),
    ({"effect": "fail", "delay": None}, "delay is not for the effect fail"),
    ({"effect": "delay"}, "delay is missing"),
    ({"effect": "delay", "delay": 0}, "a delay is longer than nothing"),
    ({"effect": "delay", "delay": "-1m"}, "duration"),
    ({"effect": "delay", "delay": -1}, "a delay is longer than nothing"),
    ({"effect": "delay", "delay": {"median": "2s", "p99": "1s"}}, "p99"),
    ({"effect": "status"}, "status is missing"),
    ({"effect": "status", "status": 99}, "200 to 599"),
    ({"effect": "status", "status": 500, "retry_after": -1}, "retry_after is a whole number"),
    (
        {"effect": "status", "status": 500, "retry_after": 1, "headers": {"retry-after": "7"}},
        "retry_after is that header",
    ),
    ({"effect": "fail", "after": "2m", "before": "1m"}, "after lies behind before"),
    ({"effect": "fail", "message": "m" * 10_001}, "message has at most 10,000 characters; got 10,001"),
    ({"effect": "status", "status": 500, "body": 1, "message": "m"}, "body is all that is answered"),
    ({"effect": "status", "status": 500, "headers": {"Content-Length": "5"}}, "headers"),
    ({"effect": "status", "status": 500, "body": "x" * 70_000}, "bytes"),
    ({"effect": "truncate", "cut_at": -1}, "cut_at is a whole number"),
    ({"effect": "stale", "lag": "later"}, "is not a duration"),
    ({"effect": "stale", "lag": -5}, "lag is not before now"),
    ({"effect": "skew"}, "split is missing"),
    ({"effect": "skew", "split": {"a": 60}}, "add up to 100"),
    ({"effect": "skew", "split": {"a": 50.0, "b": 50}}, "whole percentage"),
    ({"effect": "skew", "split": [100]}, "add up to 100"),
    ({"effect": "reset", "share": 1.1}, "share is a number from 0 to 1"),
    ({"effect": "reset", "share": True}, "share is a number"),
    ({"effect": "reset", "skip": -1}, "skip is a whole number from 0"),
    ({"effect": "reset", "times": 0}, "times is a whole number from 1"),
    ({"effect": "reset", "times": 10**9}, "times is a whole number from 1 to 1,000,000"),
    ({"effect": "reset", "after": []}, "after is a duration"),
    ({"effect": "reset", "before": "2026-13-01"}, "not an instant"),
    ({"effect": "reset", "endpoint": 5}, "endpoint is text"),
]


@pytest.mark.parametrize(("rule", "message"), WRONG, ids=[str(rule)[:60] for rule, _ in WRONG])
def test_what_is_no_fault_is_refused_by_the_key(rule, message):
    with pytest.raises(ValueError, match=message):
        read_rule(rule, NOW)


# --- every surface --------------------------------------------------------------------------------

ALL = [{"effect": effect, **NEEDED.get(effect, {})} for effect in EFFECTS]


def test_python_takes_the_keys_and_tells_them_again(servesim):
    for number, rule in enumerate(ALL, 1):
        assert servesim.faults.add(**rule) == number
    report = servesim.faults.report()
    assert [one["effect"] for one in report] == list(EFFECTS)
    assert {(one["matched"], one["struck"]) for one in report} == {(0, 0)}
    assert all(isinstance(one, Fault) for one in servesim.faults.list().values())
    assert servesim.faults.unused()[3] == "fault 4: status 500 at any"
    with pytest.raises(ValueError, match="operation 'lits_endpoints' is unknown; there is list_endpoints"):
        servesim.faults.add("reset", operation="lits_endpoints")
    for number in range(1, len(ALL) + 1):
        servesim.faults.remove(number)
    with pytest.raises(Rejected):
        servesim.faults.remove(1)


def test_a_scenario_orders_them_once_everything_serves(tmp_path, servesim_server):
    file = tmp_path / "world.yaml"
    file.write_text(
        """
        models: [{name: m, stub: echo}]
        endpoints: [{name: e, config: {served_entities: [{entity_name: m, entity_version: "1"}]}}]
        faults:
          - {entity: m-1, operation: query, share: 0.05, effect: status, status: 500}
          - {entity: m-1, operation: query, effect: delay, delay: {median: 300ms, p99: 900ms}}
          - {effect: stale, operation: get_endpoint, after: 5m, lag: 1m}
        """,
        encoding="utf-8",
    )
    with servesim_server.open(scenario=file) as sim:
        told = sim.faults.report()
        assert [one["effect"] for one in told] == ["status", "delay", "stale"]
        assert (told[0]["share"], told[1]["delay_p99_ms"], told[2]["after"]) == (0.05, 900, "2026-01-05T09:05:00Z")
        for number in (1, 2, 3):
            sim.faults.remove(number)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("{effect: reset, operation: nothing_of_the_kind}", r"line 2: faults\[0\]: operation 'nothing_of_the_kind'"),
        ("{effect: explode}", r"line 2: faults\[0\].effect: "),
        ("{effect: skew, split: {a: 50}}", r"faults\[0\]: split"),
        ("{effect: delay, delay: [5]}", r"faults\[0\].delay: write a duration such as 300ms"),
    ],
)
def test_a_scenario_that_has_it_wrong_is_told_where(tmp_path, servesim_server, fault, message):
    file = tmp_path / "world.yaml"
    file.write_text(f"faults:\n  - {fault}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        servesim_server.open(scenario=file)


def test_the_schema_of_a_scenario_has_every_key(tmp_path):
    file = tmp_path / "world.yaml"
    written = ["{effect: status, status: 500, times: null, retry_after: null, message: m, error_code: E, skip: 1}"]
    written += ["{effect: status, status: 500, body: {a: 1}, headers: {X: y}, endpoint: e, entity: a, principal: p}"]
    written += ["{effect: truncate, cut_at: 5, before: '2026-01-05T10:00:00Z', after: 5, share: 0}"]
    written += ["{effect: stale, lag: 5m, operation: get_endpoint}", "{effect: skew, split: {a: 100}}"]
    written += ["{effect: delay, delay: 5m}"]
    file.write_text("faults:\n" + "".join(f"  - {one}\n" for one in written), encoding="utf-8")
    faults = read_scenarios([file])["default"].documents[0].content["faults"]
    assert set().union(*faults) == set(KEYS)
    assert all(read_rule(one, NOW) for one in faults)
