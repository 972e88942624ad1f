"""A random walk through the lives of endpoints, on servesim or on a wrapper around a client, with invariants."""

from __future__ import annotations

from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from servesim.strategies.broken import broken_configs
from servesim.strategies.configs import create_bodies, endpoint_configs, traffic_configs
from servesim.strategies.history import EXECUTION_LIMIT_MS, Did, History, Invoked, Look, Observation
from servesim.strategies.invariants import INVARIANTS, Invariant, check
from servesim.strategies.targets import Answer, Open, ServesimTarget, Target, can

if TYPE_CHECKING:
    from collections.abc import Sequence

DEPLOYED_S = 600
"""What a deployment takes on servesim."""
SPANS_S = (1, 10, 30, 120, 300, DEPLOYED_S - 1, DEPLOYED_S, 1_860, 3_600)
"""By how much the clock is moved: around a cold start, a switch, a deployment, the idle half hour, a time limit."""
MISSING = 404
UPDATING = "IN_PROGRESS"
STOPPED = "STOPPED"
TOLD = 12
"""How many of the last observations a failure shows."""


class _Waiting(NamedTuple):
    """An invocation that was held when it was last looked at."""

    open: Open
    begun: int
    endpoint: str
    entity: str | None


class EndpointLifecycle(RuleBasedStateMachine):
    """Creates, updates, stops, deletes, moves of the clock, faults and invocations, in any order.

    After each step every endpoint is looked at, and the invariants must hold of all that was seen. Subclass it, set
    ``target`` or override `make_target`, and give pytest the subclass's ``TestCase``.
    """

    target: Target | None = None
    """What is walked; None to have one made for each walk."""
    names: ClassVar[Sequence[str]] = ("walked-a", "walked-b")
    """The endpoints, which the walk may create and delete."""
    invariants_kept: ClassVar[Sequence[Invariant]] = INVARIANTS
    """What is checked."""
    execution_limit_ms: ClassVar[int] = EXECUTION_LIMIT_MS
    most_entities: ClassVar[int] = 3
    """Of one config."""

    def __init__(self) -> None:
        """Make the target and begin with nothing seen."""
        super().__init__()
        self.resources = ExitStack()
        self.walked: Target = self.target if self.target is not None else self.make_target()
        self.history = History([], self.execution_limit_ms)
        self._waiting: list[_Waiting] = []
        self._known: dict[str, dict[str, Any] | None] = dict.fromkeys(self.names)
        self._unanswered_at = self.walked.now()
        self._predictions = {model.predicts: model[:2] for model in self.walked.models if model.predicts is not None}

    def make_target(self) -> Target:
        """Return what this walk is made on: unless overridden a fresh workspace of servesim, in ``frozen`` time.

        What ``self.resources`` is given to enter or call is ended with the walk.
        """
        # Real seconds: an invocation is held for as long as the walk makes other steps.
        # By its name: handles are a layer above this one, and who has a target needs none.
        sim = self.resources.enter_context(import_module("servesim").run(clock="frozen", hold_timeout=600))
        return ServesimTarget(sim)

    # --- what can happen ---

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Begin with an endpoint that serves, or nearly does: few random steps would lead there."""
        self.create(data)
        if can(self.walked, "advance"):
            self.advance(data.draw(st.sampled_from([DEPLOYED_S, DEPLOYED_S - 1]), "seconds"))

    @precondition(lambda self: self._missing())
    @rule(data=st.data())
    def create(self, data: st.DataObject) -> None:
        """Create an endpoint, perhaps of a name that another one had."""
        name = data.draw(st.sampled_from(self._missing()), "name")
        body = data.draw(create_bodies(name, self.walked.models, most=self.most_entities), "body")
        self._did("create", name, self.walked.create(name, body))

    @precondition(lambda self: self._still())
    @rule(data=st.data())
    def update(self, data: st.DataObject) -> None:
        """Put a config where no update runs."""
        name = data.draw(st.sampled_from(self._still()), "name")
        self._did("update", name, self.walked.update(name, self._config(data, most=self.most_entities)))

    @precondition(lambda self: self._serving())
    @rule(data=st.data())
    def reroute(self, data: st.DataObject) -> None:
        """Put the config that serves once more, with other shares."""
        name = data.draw(st.sampled_from(self._serving()), "name")
        entities = _as_asked_for(self._known[name])
        traffic = data.draw(traffic_configs([entity["name"] for entity in entities]), "traffic")
        self._did("update", name, self.walked.update(name, {"served_entities": entities, "traffic_config": traffic}))

    @precondition(lambda self: not self._missing())
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """Delete an endpoint in whatever state it is; one is left."""
        name = self._any_name(data)
        self._did("delete", name, self.walked.delete(name))

    @rule(data=st.data())
    def be_refused(self, data: st.DataObject) -> None:
        """Break a rule of configs, create what is there, or call what is not."""
        name = data.draw(st.sampled_from(self.names), "name")
        if self._known[name] is None:
            self._did("update", name, self.walked.update(name, self._config(data, most=1)), "no such endpoint")
            self._did("delete", name, self.walked.delete(name), "no such endpoint")
            self._invoke(name, None)
            return
        if name not in self._still():
            # No rule is named: where time moves by itself, the update may have ended meanwhile.
            self._did("update", name, self.walked.update(name, self._config(data, most=1)))
            return
        broken = data.draw(broken_configs(self.walked.models), "broken")
        self._did("update", name, self.walked.update(name, broken.body), str(broken.reason))
        body = {"name": name, "config": self._config(data, most=1)}
        self._did("create", name, self.walked.create(name, body), "endpoint exists")

    @precondition(lambda self: self._there() and can(self.walked, "stop", "start"))
    @rule(data=st.data())
    def suspend(self, data: st.DataObject) -> None:
        """Stop an endpoint, which may be refused, or start one that is stopped."""
        name = self._any_name(data)
        stopped = (self._known[name] or {}).get("state", {}).get("suspend") == STOPPED
        what = "start" if stopped else "stop"
        self._did(what, name, getattr(self.walked, what)(name))

    @precondition(lambda self: can(self.walked, "advance"))
    @rule(seconds=st.sampled_from(SPANS_S))
    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._unanswered_at = self.walked.now()
        self.walked.advance(seconds)  # type: ignore[attr-defined]  # the precondition has asked for it

    @precondition(lambda self: len(self._still()) < len(self._there()) and can(self.walked, "advance"))
    @rule()
    def let_deploy(self) -> None:
        """Let the time of a deployment pass."""
        self.advance(DEPLOYED_S)

    @precondition(lambda self: self._there() and can(self.walked, "order"))
    @rule(data=st.data(), effect=st.sampled_from(["fail", "delay", "hang"]))
    def order(self, data: st.DataObject, effect: str) -> None:
        """Order trouble for the next deployment of an endpoint."""
        self.walked.order(effect, self._any_name(data))  # type: ignore[attr-defined]  # as above

    @precondition(lambda self: self._there())
    @rule(data=st.data())
    def invoke(self, data: st.DataObject) -> None:
        """Ask an endpoint and wait for the answer."""
        self._invoke(*self._asked(data))

    @precondition(lambda self: self._serving() and can(self.walked, "ask"))
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        """Ask an endpoint and go on, whether it answers or not."""
        name, entity = self._asked(data)
        self._unanswered_at = self.walked.now()
        begun = len(self.history.seen)
        self._waiting.append(_Waiting(self.walked.ask(name, entity), begun, name, entity))  # type: ignore[attr-defined]  # as above

    # --- what holds ---

    @invariant()
    def what_was_seen_holds(self) -> None:
        """Look at every endpoint; the invariants hold."""
        still = [waiting for waiting in self._waiting if waiting.open.held]
        for waiting in self._waiting:
            if waiting not in still:
                self._answered(waiting.endpoint, waiting.entity, waiting.begun, waiting.open.answer())
        self._waiting = still
        for name in self.names:
            self.look(name)
        try:
            check(self.history, self.invariants_kept)
        except AssertionError as error:
            for one in self.history.seen[-TOLD:]:
                error.add_note(str(one))
            raise

    def look(self, name: str) -> None:
        """Look at an endpoint and remember what was seen."""
        instant = self.walked.now()
        answer = self.walked.get(name)
        found = answer.document if answer.status != MISSING else None
        self._known[name] = found
        self.see(Look(instant, name, found))

    def see(self, one: Observation) -> None:
        """Add an observation to the history; override it to count what a walk reaches."""
        self.history.seen.append(one)

    def teardown(self) -> None:
        """Delete what is left, so that the next walk begins with nothing, and end the resources."""
        with self.resources:
            if can(self.walked, "calm"):
                self.walked.calm()  # type: ignore[attr-defined]  # as above
            for name in self.names:
                if self._known[name] is not None:
                    self.walked.delete(name)
            if can(self.walked, "close"):
                self.walked.close()  # type: ignore[attr-defined]  # as above

    # --- bookkeeping ---

    def _there(self) -> list[str]:
        return [name for name, document in self._known.items() if document is not None]

    def _still(self) -> list[str]:
        """List the endpoints that are there and not being updated."""
        states = {name: (document or {}).get("state", {}) for name, document in self._known.items()}
        return [name for name, state in states.items() if state.get("config_update", UPDATING) != UPDATING]

    def _missing(self) -> list[str]:
        return [name for name, document in self._known.items() if document is None]

    def _any_name(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(self._there()), "name")

    def _config(self, data: st.DataObject, *, most: int) -> dict[str, Any]:
        return data.draw(endpoint_configs(self.walked.models, most=most), "config")

    def _serving(self) -> list[str]:
        return [name for name, document in self._known.items() if document and "config" in document]

    def _asked(self, data: st.DataObject) -> tuple[str, str | None]:
        """Draw whom to ask: the split, or an entity that serves by its own path."""
        name = self._any_name(data)
        serving = (self._known[name] or {}).get("config", {}).get("served_entities", [])
        return name, data.draw(st.sampled_from([None, *(entity["name"] for entity in serving)]), "entity")

    def _invoke(self, name: str, entity: str | None) -> None:
        self._unanswered_at, begun = self.walked.now(), len(self.history.seen)
        self._answered(name, entity, begun, self.walked.invoke(name, entity))

    def _did(self, what: str, name: str, answer: Answer, breaks: str | None = None) -> None:
        self.see(Did(self.walked.now(), name, what, answer.status, breaks))

    def _answered(self, name: str, entity: str | None, begun: int, answer: Answer) -> None:
        model = None
        if isinstance(answer.document, dict) and isinstance(told := answer.document.get("predictions"), list):
            model = next((self._predictions[one] for one in told[:1] if one in self._predictions), None)
        instant = self.walked.now()
        self.see(Invoked(begun, self._unanswered_at, instant, name, answer.status, answer.served_by, entity, model))


def _as_asked_for(document: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the entities that serve as a config update would send them."""
    told = ("state", "creator", "creation_timestamp", "type")
    entities = (document or {})["config"]["served_entities"]
    return [{name: value for name, value in entity.items() if name not in told} for entity in entities]
