"""The random walk holds on servesim, reaches what there is to reach, and catches servers that are wrong on purpose."""

from __future__ import annotations

import copy
from collections import Counter
from contextlib import ExitStack

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from servesim.core import endpoint, rollout
from servesim.core.deployment import Phase as DeploymentPhase
from servesim.core.errors import Code
from servesim.core.faults import Fault
from servesim.strategies import invariants
from servesim.strategies.broken import BrokenConfig
from servesim.strategies.history import Did, Invoked, Look
from servesim.strategies.lifecycle import EndpointLifecycle
from servesim.strategies.targets import Answer, ServesimTarget, can

SHORT = settings(
    max_examples=30,
    stateful_step_count=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],  # what fails is not made smaller: that takes longer than the rest
)


@pytest.fixture
def machine(servesim_server):
    """Return a lifecycle on a fresh workspace of one server, with targets of a kind; it counts what it reaches."""

    def make(kind=ServesimTarget, **options):
        reached = Counter()

        class Walk(EndpointLifecycle):
            def make_target(self):
                sim = servesim_server.open(**{"clock": "frozen", "hold_timeout": 600, **options})
                self.resources.callback(sim.close)
                return kind(sim)

            def see(self, one):
                super().see(one)
                match one:
                    case Look(document=document) if document:
                        reached.update([" ".join(document["state"].values())])
                    case Did():
                        reached.update([f"{one.what} {one.status}"])
                    case Invoked():
                        late = "after a while" if one.instant > one.unanswered_at else "at once"
                        reached.update([f"invoked {one.status} {late}"])

        Walk.reached = reached
        return Walk

    return make


def test_the_invariants_hold_on_servesim_and_the_walk_reaches_much(machine):
    walk = machine()
    run_state_machine_as_test(walk, settings=SHORT)
    assert set(walk.reached) >= {
        "NOT_READY IN_PROGRESS NOT_SUSPENDED",
        "READY IN_PROGRESS NOT_SUSPENDED",
        "READY NOT_UPDATING NOT_SUSPENDED",
        "READY UPDATE_FAILED NOT_SUSPENDED",
        "NOT_READY NOT_UPDATING STOPPED",
        "create 200",
        "create 400",
        "update 200",
        "update 400",
        "update 404",
        "update 409",
        "stop 200",
        "start 200",
        "delete 200",
        "delete 404",
        "invoked 200 at once",
        "invoked 404 at once",
    }


@pytest.mark.parametrize("options", [{"clock": "autojump"}, {"clock": "autojump", "poll": "settle"}])
def test_the_invariants_hold_however_time_moves(machine, options):
    run_state_machine_as_test(machine(**options), settings=settings(SHORT, max_examples=8))


@pytest.mark.deep
def test_the_invariants_hold_in_long_walks(machine):
    long = settings(SHORT, max_examples=400, stateful_step_count=100)
    walk = machine()
    run_state_machine_as_test(walk, settings=long)
    assert {"NOT_READY UPDATE_FAILED NOT_SUSPENDED", "invoked 200 after a while"} <= set(walk.reached)


@pytest.mark.deep
@pytest.mark.parametrize("poll", ["step", "settle"])
def test_the_invariants_hold_in_long_walks_where_reading_moves_time(machine, poll):
    long = settings(SHORT, max_examples=200, stateful_step_count=50)
    run_state_machine_as_test(machine(clock="autojump", poll=poll), settings=long)


def test_a_walk_of_its_own_makes_a_server_and_ends_it():
    class Walk(EndpointLifecycle):
        pass

    run_state_machine_as_test(Walk, settings=settings(SHORT, max_examples=2, stateful_step_count=5))


def test_a_target_is_walked_again_and_again_and_left_empty(servesim_server):
    with servesim_server.open(clock="frozen", hold_timeout=600) as sim:

        class Walk(EndpointLifecycle):
            target = ServesimTarget(sim)
            names = ("only",)

        run_state_machine_as_test(Walk, settings=settings(SHORT, max_examples=5))
        assert Walk.target.call("GET", "/api/2.0/serving-endpoints").document == {"endpoints": []}
        assert sim.faults.list() == {}


class Drawn:
    """What a rule draws, by its labels."""

    def __init__(self, **drawn):
        self.drawn = drawn

    def draw(self, strategy, label):
        return self.drawn[label]


def stepping(walk):
    """Return what makes one step of a walk, checks what holds, and returns the answers so far."""

    def do(step, *args, **drawn):
        step(*args, **({"data": Drawn(**drawn)} if drawn else {}))
        walk.what_was_seen_holds()
        return [one for one in walk.history.seen if isinstance(one, Invoked)]

    return do


def test_other_steps_overtake_an_invocation_that_is_held(machine):
    walk = machine()()
    do = stepping(walk)
    entity = {"entity_name": "main.walk.fraud", "entity_version": "1", "scale_to_zero_enabled": True}
    body = {"name": "walked-a", "config": {"served_entities": [entity]}}
    do(walk.create, name="walked-a", body=body)
    do(walk.advance, 2_500)  # built, and at zero again
    assert do(walk.ask, name="walked-a", entity=None) == []
    assert do(walk.update, name="walked-a", config={"served_entities": [{**entity, "entity_version": "2"}]}) == []
    assert do(walk.advance, 1) == []
    (answered,) = do(walk.advance, 20)
    assert (answered.status, answered.served_by, answered.model) == (200, "fraud-1", ("main.walk.fraud", "1"))
    assert answered.instant - answered.unanswered_at == 20_000
    walk.teardown()


class Bare:
    """A target that can do nothing but what every target can."""

    def __init__(self, sim):
        self.whole = ServesimTarget(sim)
        self.models = self.whole.models
        for name in ("now", "create", "update", "get", "delete", "invoke"):
            setattr(self, name, getattr(self.whole, name))


def test_what_a_target_cannot_do_is_not_walked(machine):
    walk = machine(Bare, clock="autojump")
    run_state_machine_as_test(walk, settings=settings(SHORT, max_examples=5))
    assert walk.reached["update 200"]
    assert not {"stop 200", "start 200"} & set(walk.reached)


def test_a_target_says_what_it_can():
    assert can(ServesimTarget, "stop", "start", "ask")
    assert not can(ServesimTarget, "stop", "fly")


def test_the_trouble_that_is_ordered(servesim_server):
    with servesim_server.open(clock="frozen") as sim:
        target = ServesimTarget(sim)
        for effect in ("fail", "delay", "hang"):
            target.order(effect, "e")
        faults = list(sim.faults.list().values())
        assert [(one.effect, one.endpoint) for one in faults] == [("fail", "e"), ("delay", "e"), ("hang", "e")]
        assert isinstance(faults[0], Fault)
        target.calm()
        assert sim.faults.list() == {}


# --- servers that are wrong on purpose ------------------------------------------------------------


class Wrong(ServesimTarget):
    """A target whose GET answers are changed before they are seen."""

    def get(self, name):
        answer = super().get(name)
        if answer.status == 200:
            self.change(answer.document)
        return answer

    def change(self, document):
        pass


class ForgetsWhatIsPending(Wrong):
    def change(self, document):
        document.pop("pending_config", None)


class ShowsTheNewConfigEarly(Wrong):
    def change(self, document):
        if document["state"]["config_update"] == "IN_PROGRESS" and "config" in document:
            document["config"] = document["pending_config"]


class TakesTheOldConfigDown(Wrong):
    def change(self, document):
        if document["state"]["config_update"] == "IN_PROGRESS":
            document["state"]["ready"] = "NOT_READY"


class ForgetsAShare(Wrong):
    def change(self, document):
        for part in ("config", "pending_config"):
            if part in document and len(document[part]["traffic_config"]["routes"]) > 1:
                document[part]["traffic_config"]["routes"].pop()


class CountsConfigsDown(Wrong):
    def change(self, document):
        for part in ("config", "pending_config"):
            if part in document:
                document[part]["config_version"] = 100 - document[part]["config_version"]


class IsCreatedAnewByAnUpdate(Wrong):
    def change(self, document):
        document["creation_timestamp"] = document["last_updated_timestamp"]


class ServesTheNewConfigEarly(ServesimTarget):
    def score(self, name, entity):
        answer = super().score(name, entity)
        pending = (self.get(name).document or {}).get("pending_config")
        if answer.status != 200 or not pending:
            return answer
        new = pending["served_entities"][0]
        predictions = [f"{new['entity_name']}/{new['entity_version']}"]
        return Answer(200, {"predictions": predictions}, new["name"])


class AnswersNobodyDuringAnUpdate(ServesimTarget):
    def score(self, name, entity):
        updating = self.get(name).document.get("state", {}).get("config_update") == "IN_PROGRESS"
        return Answer(503, {}) if updating else super().score(name, entity)


class GoesOnWithTheFirstConfig(ServesimTarget):
    def __init__(self, sim):
        super().__init__(sim)
        self.first = {}

    def score(self, name, entity):
        answer = super().score(name, entity)
        return self.first.setdefault(name, answer) if answer.status == 200 else answer


class AnswersWhenStopped(GoesOnWithTheFirstConfig):
    def score(self, name, entity):
        answer = super().score(name, entity)
        return self.first.get(name, answer) if answer.status == 400 else answer


class RefusesAndUpdatesAllTheSame(ServesimTarget):
    def update(self, name, config):
        answer = super().update(name, config)
        if answer.status != 400:
            return answer
        tags = {"add_tags": [{"key": f"refused-{self.now()}"}]}
        self.call("PATCH", f"/api/2.0/serving-endpoints/{name}/tags", tags)
        return answer


class TakesWhatBreaksARule(ServesimTarget):
    def update(self, name, config):
        answer = super().update(name, config)
        return answer._replace(status=200) if answer.status == 400 else answer


class UpdatesInPlace(ServesimTarget):
    """An update goes on under the number that the config had."""

    def __init__(self, sim):
        super().__init__(sim)
        self.seen = {}

    def get(self, name):
        answer = copy.deepcopy(super().get(name))
        if "config" in (answer.document or {}):
            answer.document["config"]["config_version"] = 1
        return answer


class ClockGoesBack(ServesimTarget):
    def now(self):
        return -super().now()


WRONG = {
    ForgetsWhatIsPending: "an_update_shows_what_is_pending",
    ShowsTheNewConfigEarly: "the_old_config_serves_until_the_new_one_is_ready",
    TakesTheOldConfigDown: "the_old_config_serves_until_the_new_one_is_ready",
    ServesTheNewConfigEarly: "the_old_config_serves_until_the_new_one_is_ready",
    AnswersNobodyDuringAnUpdate: "a_ready_endpoint_answers",
    GoesOnWithTheFirstConfig: "nothing_is_answered_by_what_was_left_long_ago",
    AnswersWhenStopped: "a_request_is_answered_by_a_config_of_its_time",
    ForgetsAShare: "shares_sum_to_100",
    CountsConfigsDown: "config_version_only_grows",
    UpdatesInPlace: "a_config_stays_as_it_was_asked_for",
    RefusesAndUpdatesAllTheSame: "what_is_refused_changes_nothing",
    TakesWhatBreaksARule: "a_broken_rule_is_refused",
    IsCreatedAnewByAnUpdate: "timestamps_never_run_backwards",
    ClockGoesBack: "timestamps_never_run_backwards",
}


SELDOM = {AnswersNobodyDuringAnUpdate, AnswersWhenStopped, GoesOnWithTheFirstConfig, ServesTheNewConfigEarly}
"""What it takes a long walk to meet."""


def of_its_kind(machine, kind):
    """Return a walk of one endpoint that checks one invariant, so that no other sees first what is wrong."""
    walk = machine(kind)
    walk.names, walk.invariants_kept = ["only"], [getattr(invariants, WRONG[kind])]
    walk.most_entities = 2 if kind is ForgetsAShare else 1
    return walk


def live(walk):
    """Make a walk of which every step is said."""
    do, name = stepping(walk), "only"
    old = {"served_entities": [{"entity_name": "main.walk.fraud", "entity_version": "1"}]}
    routes = [{"served_entity_name": "fraud-2", "traffic_percentage": 90}]
    routes += [{"served_entity_name": "churn-1", "traffic_percentage": 10}]
    entities = [{"entity_name": "main.walk.fraud", "entity_version": "2"}]
    entities += [{"entity_name": "main.walk.churn", "entity_version": "1"}]
    new = {"served_entities": entities, "traffic_config": {"routes": routes}}
    broken = BrokenConfig({**new, "traffic_config": {"routes": routes[:1]}}, Code.TRAFFIC_SUM, 400, "")
    do(walk.create, name=name, body={"name": name, "config": old})
    do(walk.advance, 600)
    do(walk.invoke, name=name, entity=None)
    do(walk.be_refused, name=name, broken=broken, config=old)
    do(walk.update, name=name, config=new)
    do(walk.invoke, name=name, entity=None)
    do(walk.be_refused, name=name, config=old)
    do(walk.advance, 600)
    do(walk.invoke, name=name, entity="churn-1")
    do(walk.advance, 600)
    do(walk.invoke, name=name, entity=None)
    do(walk.suspend, name=name)
    do(walk.invoke, name=name, entity=None)
    do(walk.delete, name=name)
    do(walk.be_refused, name=name, config=old)


@pytest.fixture
def ended():
    """End walks with the test."""
    with ExitStack() as ends:
        yield lambda walk: ends.callback(walk.teardown)


def test_a_life_on_servesim_holds(machine, ended):
    walk = machine()
    walk.names = ["only"]
    one = walk()
    ended(one)
    live(one)
    assert [seen.status for seen in one.history.seen if isinstance(seen, Invoked)] == [200] * 4 + [400, 404]


@pytest.mark.parametrize("kind", WRONG, ids=lambda kind: kind.__name__)
def test_a_server_that_is_wrong_is_caught_in_a_life(machine, ended, kind):
    walk = of_its_kind(machine, kind)()
    ended(walk)
    with pytest.raises(AssertionError, match=WRONG[kind]) as caught:
        live(walk)
    assert any(note.startswith("endpoint only at ") for note in caught.value.__notes__)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.deep] * (kind in SELDOM), id=kind.__name__) for kind in WRONG]
)
def test_a_server_that_is_wrong_is_caught_in_a_random_walk(machine, kind):
    with pytest.raises(AssertionError, match=WRONG[kind]):
        run_state_machine_as_test(of_its_kind(machine, kind), settings=settings(SHORT, max_examples=200))


def test_a_core_that_does_not_wait_for_deployments_is_caught(machine, ended, monkeypatch):
    monkeypatch.setattr(rollout, "UP", frozenset(DeploymentPhase))
    walk = machine(validate_responses=False)  # the contracts would see it as well
    walk.names = ["only"]
    one = walk()
    ended(one)
    with pytest.raises(AssertionError, match="the_old_config_serves_until_the_new_one_is_ready"):
        live(one)


def test_a_core_that_adds_up_no_shares_is_caught(machine, ended, monkeypatch):
    monkeypatch.setattr(endpoint, "_check_routes", lambda routes, names: None)
    walk = machine()
    walk.names = ["only"]
    one = walk()
    ended(one)
    with pytest.raises(AssertionError, match=r"(?s)shares_sum_to_100: .*a_broken_rule_is_refused: "):
        live(one)
