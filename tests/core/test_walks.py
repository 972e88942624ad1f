"""Random sessions: what holds after every command, what is left in the end, and what a replay gives."""

import json
import pickle
import types
import typing
from dataclasses import asdict, fields, is_dataclass, replace
from enum import Enum

import pytest
from hypothesis import Phase as Stage
from hypothesis import given, settings
from hypothesis import strategies as st

from servesim.core import calendar, commands
from servesim.core.access import ADMINS, Grantee, Level, Member, Principal, grantee_of
from servesim.core.capacity import range_of
from servesim.core.commands import (
    AddFault,
    Admit,
    Alarm,
    CancelUpdate,
    ChangeSetting,
    ChangeTags,
    ConfigRequest,
    CreateEndpoint,
    CreateScope,
    DeleteEndpoint,
    DeleteScope,
    DeleteSecret,
    DeleteSecretAcl,
    EndWait,
    EntitySpec,
    Finish,
    GiveUp,
    LoadFinished,
    MoveTo,
    NotSimulated,
    PutMember,
    PutSecret,
    PutSecretAcl,
    RemoveFault,
    RemoveMember,
    Route,
    SetModelAccess,
    SetPermissions,
    Signal,
    StartEndpoint,
    Step,
    StopEndpoint,
    Strike,
    UpdateConfig,
    WorkerDied,
)
from servesim.core.deployment import BROKEN, UP, WAITING, Phase
from servesim.core.draws import Stream
from servesim.core.endpoint import DEPLOYED_KEPT, EVENTS_KEPT, EndpointPhase
from servesim.core.enrolment import Step as EnrolmentStep
from servesim.core.enrolment import next_of
from servesim.core.errors import Rejected
from servesim.core.eventlog import LOG_LINES
from servesim.core.faults import Fault
from servesim.core.model_access import ModelLevel
from servesim.core.model_commands import (
    AddModel,
    CreateModelVersion,
    CreateRegisteredModel,
    DeleteModelVersion,
    DeleteRegisteredModel,
    FinishRegistration,
    SetAlias,
    SetModelPermissions,
    StageDeployment,
    TagModel,
    TransitionStage,
    UpdateModelVersion,
    UpdateRegisteredModel,
)
from servesim.core.model_compute import Compute
from servesim.core.model_endpoint import GENERATIONS, EndpointState
from servesim.core.model_endpoint_commands import (
    AdmitVersion,
    ChangeCompute,
    DisableModel,
    EnableModel,
    MoveEnrolment,
    RestartUpdate,
)
from servesim.core.profile import FAITHFUL, LIMITS, MINUTE
from servesim.core.registry import ACTIVE, Details, ModelVersion, Packed, Status
from servesim.core.registry import Stage as ModelStage
from servesim.core.routing import TicketState
from servesim.core.spread import Spread
from servesim.core.timeline import START_MS
from servesim.core.traffic import WINDOW_S
from servesim.generations.ga import render_endpoint

DATED = tuple(
    one._replace(no_new_from=START_MS + 20 * 60 * MINUTE, retired_on=START_MS + 30 * 60 * MINUTE)
    if one.what == calendar.LEGACY
    else one
    for one in calendar.CALENDAR
)
TIGHT = replace(
    FAITHFUL, queue_limit=3, parallel_limit=40, qps_limit=30, operation_limit=1_000, limits=LIMITS, calendar=DATED
)
ENDPOINTS = ("e", "f")
MODELS = ("w", "main.ml.u")
PREVIEW = calendar.SERVERLESS_PREVIEW
BOB = Principal("bob", "Bob")
ROBOT = Principal("robot", "Robot", "ServicePrincipal")

MAY_BE_STOPPED = {
    EndpointPhase.STARTING,
    EndpointPhase.UPDATING,
    EndpointPhase.UPDATE_FAILED,
    EndpointPhase.UPDATE_CANCELED,
}
"""Phases in which what is active may still be what was stopped: the start has not come through."""


STRIKING = (
    {"effect": "status", "operation": None, "status": 503},
    {"effect": "delay", "operation": None, "delay_ms": MINUTE, "delay_p99_ms": 3 * MINUTE},
    {"effect": "reset", "operation": "query", "skip": 2},
    {"effect": "skew", "operation": "query", "split": (("a", 100),), "entity": None},
)
"""Trouble for requests."""


class Walk:
    """One random session; ``choose(n)`` gives the next number below n."""

    def __init__(self, lab, ana, choose):
        self.lab, self.ana, self.choose = lab, ana, choose
        self.world = lab.world
        self.loading = []
        self.before = (lab.now, {}, {})
        self.rendered = {}

    def any_of(self, options):
        return options[self.choose(len(options))]

    def go(self, steps, *, checked):
        actions = [self.create, self.rare, self.suspend, self.aside, *[self.put, self.load, self.registry] * 2]
        actions += [self.pass_time, self.request, self.end] * 4
        actions += [self.retired] * 3
        for _ in range(steps):
            command = self.any_of(actions)()
            if command is None:
                continue
            picture = self.lab.snapshot() if checked else None
            try:
                self.world.execute(command)
            except Rejected:
                assert not checked or self.lab.snapshot() == picture
            self.loading += self.world.effects
            self.world.effects.clear()
            if checked:
                self.check()

    # --- what can happen ---

    def config(self):
        count = self.choose(3) + (self.choose(20) > 0)
        specs = [
            EntitySpec(name, "m", str(1 + self.choose(3)), scale_to_zero=self.choose(2) > 0)
            for name in ("a", "b", "c")[:count]
        ]
        share = 25 * self.choose(5)
        shares = {1: [100], 2: [share, 100 - share]}.get(count, [share, 0, 100 - share])
        return ConfigRequest(tuple(specs), tuple(map(Route, "abc"[:count], shares)))

    def create(self):
        config = self.config() if self.choose(6) else None
        return CreateEndpoint(self.any_of(ENDPOINTS), self.ana, config, serving=self.choose(3) == 0)

    def put(self):
        return UpdateConfig(self.any_of(ENDPOINTS), self.any_of([self.ana, self.ana, self.ana, BOB]), self.config())

    def request(self):
        entity, principal = self.any_of([None, None, "a", "x"]), self.any_of([None, None, self.ana, BOB])
        return Admit(self.any_of(ENDPOINTS), entity, timed=self.choose(2) > 0, principal=principal)

    def suspend(self):
        kind = self.any_of([StopEndpoint, StartEndpoint, StartEndpoint])
        return kind(self.any_of(ENDPOINTS), self.any_of([None, None, self.ana, ROBOT]))

    def aside(self):
        # Without its rights Ana makes and changes nothing: she gets them back sooner than she loses them.
        names = self.world.directory.names(self.ana.name)
        if not self.world.directory.is_open and not self.world.registry.may_execute("m", names):
            return SetModelAccess("m", None)
        if not self.world.directory.is_open and not names:
            return PutMember(Member(self.ana))
        return self.any_of([self.people, self.trouble, self.secret, self.small])()

    def people(self):
        ids = [endpoint.id for endpoint in self.world.endpoints.values()]
        grantee = self.any_of([*map(grantee_of, (self.ana, BOB, ROBOT)), Grantee("group", "users")])
        asking = self.any_of([None, self.ana, BOB])
        grants = ((grantee_of(self.ana), Level.CAN_MANAGE), (grantee, self.any_of(list(Level))))
        who = self.any_of([self.ana, self.ana, BOB, ROBOT])
        groups = self.any_of([(), ("readers",), (ADMINS,), (ADMINS,)])
        return self.any_of(
            [
                SetPermissions(self.any_of([*ids, "no id"]), asking, grants[self.choose(3) :], self.choose(2) > 0),
                PutMember(Member(who, groups, ("allow_cluster_create",)[self.choose(2) :])),
                RemoveMember(self.any_of([self.ana.name, BOB.name, ROBOT.name, "nobody"])),
                SetModelAccess(self.any_of(["m", "m", "n"]), self.any_of([None, None, (self.ana.name,), ("readers",)])),
            ]
        )

    def trouble(self):
        fault = Fault(
            self.any_of(["fail", "delay", "hang"]),
            self.any_of([None, *ENDPOINTS, "model-endpoint/m", "model/m"]),
            self.any_of([None, None, "a", "b"]),
            self.any_of(["", "ordered"]),
            self.choose(4) * MINUTE,
            1 + self.choose(2),
        )
        if self.choose(2):
            fault = replace(fault, times=None, share=self.any_of([None, 0.5]), **self.any_of(STRIKING))
        numbers, waits = self.world.faults.orders, self.world.faults.waits
        who = self.any_of([None, self.ana])
        return self.any_of(
            [
                AddFault(fault),
                RemoveFault(self.any_of([*numbers, 0])),
                RemoveFault(self.any_of([*numbers, 0])),
                Strike(self.any_of(["get_endpoint", "create_endpoint"]), self.any_of(ENDPOINTS), "", who),
                EndWait(self.any_of([*waits, 0])),
            ]
        )

    def small(self):
        name, who = self.any_of(ENDPOINTS), self.any_of([None, self.ana, BOB])
        tags = (("team", self.any_of([None, "ml"])), ("beta", "1"))
        return self.any_of(
            [
                ChangeTags(name, who, tags[self.choose(3) :], ("beta", "team")[self.choose(3) :]),
                ChangeSetting(name, who, self.any_of(["ai_gateway", "rate_limits"]), self.any_of(["", '{"a": 1}'])),
            ]
        )

    def secret(self):
        scope, who = self.any_of(["s", "t"]), self.any_of([None, self.ana, BOB])
        return self.any_of(
            [
                CreateScope(scope, who, self.any_of([None, "users"])),
                CreateScope(scope, who),
                DeleteScope(scope, who),
                PutSecret(scope, "key", who),
                DeleteSecret(scope, "key", who),
                PutSecretAcl(scope, who, self.any_of([BOB.name, "users"]), self.any_of(["READ", "MANAGE"])),
                DeleteSecretAcl(scope, who, self.any_of([BOB.name, "users"])),
            ]
        )

    def end(self):
        number = self.any_of([*self.world.tickets, 0])
        return Finish(number, 200) if self.choose(3) else GiveUp(number, "the client went away")

    def load(self):
        if not self.loading:
            return None
        effect = self.loading.pop(self.choose(len(self.loading)))
        return LoadFinished(effect.deployment_id, None if self.choose(5) else "no such file", "read\n")

    def pass_time(self):
        head = self.world.timeline.peek()
        if head is None:
            return MoveTo(self.lab.now + self.choose(40) * MINUTE)
        if self.choose(4):
            return Step(head.due)
        return MoveTo(self.lab.now + self.choose(head.due - self.lab.now + 1))

    def rare(self):
        deployment = self.any_of([*self.world.deployments, "nobody"])
        return self.any_of(
            [
                WorkerDied(deployment),
                WorkerDied(deployment),
                CancelUpdate(self.any_of(ENDPOINTS)),
                DeleteEndpoint(self.any_of(ENDPOINTS)),
                self.declared(),
                AddModel(ModelVersion("m", str(1 + self.choose(3)), "stub", "", service_time=Spread(5_000, 90_000))),
                NotSimulated(self.ana.name, "GET /x"),
            ]
        )

    def declared(self):
        stage, aliases = self.any_of(list(ModelStage)), ("champion",)[self.choose(2) :]
        model = ModelVersion("m", str(1 + self.choose(3)), "stub", str(self.choose(9)))
        return AddModel(model, Details(stage, aliases, staged=self.choose(2) > 0))

    def registry(self):
        """Models come, change and go; those of the served model stay, so that there is something to serve."""
        name, number = self.any_of(["m", *MODELS]), self.any_of("1234")
        who = self.any_of([None, self.ana, self.ana, BOB])
        other = name if name in MODELS else MODELS[0]
        return self.any_of(
            [
                CreateRegisteredModel(other, who, "made", (("team", "risk"),)),
                UpdateRegisteredModel(other, who, self.any_of([None, "more"]), self.any_of([None, None, *MODELS])),
                UpdateRegisteredModel(other, who, owner=self.any_of([BOB.name, "nobody"])),
                self.any_of([DeleteRegisteredModel(other, who), DeleteModelVersion(other, number, who)]),
                TagModel(name, who, "team", self.any_of([None, "ml"]), self.any_of([None, number])),
                self.version(other, who),
                self.version(other, who),
                UpdateModelVersion(name, number, who, "said"),
                TransitionStage(name, number, who, self.any_of(list(ModelStage)), self.choose(2) > 0, "go"),
                SetAlias(name, self.any_of(["champion", "v1"]), who, self.any_of([None, number])),
                StageDeployment(other, number, who),
                self.granted(name, who),
            ]
        )

    def version(self, name, who):
        number = self.any_of("1234")
        runtime, size = self.any_of(["client.4.9", "15.4"]), self.any_of([10, 10**10])
        packed = self.any_of([None, Packed(runtime, "3.17.2", size)])
        found = ModelVersion(name, number, "mlflow", "/models", packed=packed, unsupported=self.any_of(["", "no"]))
        finish = FinishRegistration(name, number, self.any_of([found, found, None]), "why")
        return self.any_of([CreateModelVersion(name, who, "/models", tags=(("a", "b"),)), finish])

    def granted(self, name, who):
        known = self.world.registry.models.get(name)
        found = "no id" if known is None else self.world.registry.id_of(known)
        grants = ((grantee_of(BOB), self.any_of(list(ModelLevel))), (grantee_of(self.ana), ModelLevel.CAN_MANAGE))
        return SetModelPermissions(found, who, grants, self.choose(2) > 0)

    def retired(self):
        """Models are served as the retired generations do it."""
        generation, who = self.any_of([*sorted(GENERATIONS), PREVIEW]), self.any_of([None, None, None, self.ana, BOB])
        model, version = self.any_of(["m", "m", "m", "w", "no"]), self.any_of(["1", "2", "3", "Staging", "Production"])
        compute = Compute(self.any_of(["Small", "Large"]), self.choose(2) > 0)
        stage = self.any_of(ACTIVE) if GENERATIONS[generation].by_stage else None
        failed = [
            (endpoint.model.name, number)
            for endpoint in self.world.model_endpoints.values()
            for number, served in endpoint.served.items()
            if served.failure
        ]
        if self.choose(2):
            # Half of the time somebody scores, or moves a version that is served.
            move = TransitionStage(model, self.any_of("123"), None, self.any_of(list(ModelStage)), self.choose(2) > 0)
            return self.any_of([AdmitVersion(generation, model, version, who, self.choose(2) > 0), move])
        return self.any_of(
            [
                EnableModel(generation, model, who, self.choose(2) > 0, ((stage, compute),)),
                EnableModel(generation, model, None),
                MoveEnrolment(next_of(self.world.enrolment) or self.any_of(list(EnrolmentStep)), who),
                DisableModel(self.any_of(["legacy", "legacy", PREVIEW]), model, who),
                RestartUpdate(PREVIEW, *self.any_of([*failed, *failed, (model, version)]), None),
                ChangeCompute(generation, model, who, stage, compute),
                ChangeCompute(generation, model, None, stage, compute),
            ]
        )

    # --- what holds ---

    def check_model_endpoints(self):
        living = {one.id for one in self.world.model_endpoints.values() if one.state is not EndpointState.ENDED}
        assert set(self.world.model_endpoints_by_id) == living
        for (generation, name), endpoint in self.world.model_endpoints.items():
            assert (endpoint.generation.name, endpoint.model.name) == (generation, name)
            assert endpoint.state is EndpointState.READY or not (endpoint.served or endpoint.aliases)
            assert (endpoint.starting is not None) == (endpoint.state is EndpointState.PENDING)
            assert len(endpoint.events) <= EVENTS_KEPT
            self.check_served(endpoint)

    def check_served(self, endpoint):
        rule, stages = endpoint.generation, {one.number: one.stage for one in endpoint.model.versions.values()}
        for number, served in endpoint.served.items():
            assert self.world.deployments[served.deployment.id] is served.deployment
            assert served.next is None or served.next.phase not in UP | BROKEN
            assert (served.next is None) <= (not served.retried)
            assert bool(served.next_compute) == bool(served.next or served.failure)
            assert stages.get(number) in rule.serves or number in endpoint.aliases.values()
        if endpoint.state is EndpointState.READY:
            ready = [one for one in endpoint.model.versions.values() if one.model and one.status is Status.READY]
            assert {one.number for one in ready if one.stage in rule.serves} <= set(endpoint.served)
        for stage, number in endpoint.aliases.items():
            there = [one for one in endpoint.served if stages.get(one) is stage]
            up = [one for one in there if endpoint.served[one].deployment.phase in UP | WAITING]
            best = up if rule.ready_aliases else there
            assert number == (max(best, key=int) if best else number)
            assert number in endpoint.served

    def check_registry(self):
        registry = self.world.registry
        for name, model in registry.models.items():
            assert model.name == name
            assert set(model.aliases.values()) <= set(model.versions)
            assert model.newest >= max(map(int, model.versions), default=0)
            assert registry.by_id(registry.id_of(model)) is model
            for number, version in model.versions.items():
                assert version.number == number
                assert (version.status is Status.READY) == (version.model is not None and not version.due)
                assert not version.due or version.due >= self.lab.now
                assert not version.staged or (number in "123" and name == "m") or version.model.packed is not None
        assert len({model.number for model in registry.models.values()}) == len(registry.models)

    def check(self):
        self.check_progress()
        self.check_registry()
        self.check_model_endpoints()
        for endpoint in self.world.endpoints.values():
            self.check_endpoint(endpoint)
            self.check_rights(endpoint)
        self.check_tickets()
        self.check_timers()
        self.check_for_leaks()
        self.check_bounds()

    def check_progress(self):
        now, versions, revisions = self.before
        living = self.world.by_id.values()
        self.before = (
            self.lab.now,
            {endpoint.id: endpoint.versions for endpoint in living},
            {endpoint.id: endpoint.revision for endpoint in living},
        )
        assert self.lab.now >= now
        for earlier, present in zip((versions, revisions), self.before[1:], strict=True):
            assert all(present[name] >= number for name, number in earlier.items() if name in present)
        assert sorted(self.world.by_id) == sorted(endpoint.id for endpoint in self.world.endpoints.values())
        assert self.world.logged >= len(self.world.log)

    def check_bounds(self):
        assert len(self.world.log) <= LOG_LINES
        for endpoint in self.world.endpoints.values():
            assert len(endpoint.events) <= EVENTS_KEPT
            assert len(endpoint.deployed) <= DEPLOYED_KEPT
            assert len(endpoint.levels or ()) <= max(len(self.world.directory.members), 3)
            gone = [one.deployment for one in endpoint.deployed if one.deployment.phase is Phase.GONE]
            assert not any(one.held or one.in_flight or one.timers or one.traffic for one in gone)
        running = self.world.deployments.values()
        assert all(len(one.traffic._seconds) <= WINDOW_S for one in running if one.traffic)

    def check_rights(self, endpoint):
        directory = self.world.directory
        for principal in (self.ana, BOB, ROBOT):
            anew = Level.CAN_MANAGE if directory.is_open else directory.level(principal, endpoint.acl.items())
            assert self.world.level(principal, endpoint) == anew

    def check_endpoint(self, endpoint):
        for config in (endpoint.active, endpoint.pending):
            assert not config or sum(route.percentage for route in config.routes) == 100
        serving = self.deployments(endpoint.active)
        stopped = [one.phase is Phase.STOPPED for one in serving]
        assert all(stopped) or not any(stopped)
        assert all(one.phase in UP | WAITING | BROKEN | {Phase.STOPPED} for one in serving)
        if any(stopped):
            assert endpoint.phase in MAY_BE_STOPPED | {EndpointPhase.STOPPED}
            assert not any(one.timers or one.held or one.in_flight or one.cold_starts for one in serving)
        if endpoint.phase is EndpointPhase.STOPPED:
            assert all(stopped)
            assert serving
            assert (endpoint.pending, endpoint.settling) == (None, None)
        assert self.world.is_ready(endpoint) == (bool(serving) and all(one.phase in UP for one in serving))
        assert endpoint.in_transition <= bool(endpoint.pending)
        if endpoint.in_transition:
            self.check_that_it_will_end(endpoint)
        assert (endpoint.settling is None) or endpoint.in_transition
        # Who keeps what was rendered may do so until the revision grows.
        key = (endpoint.id, endpoint.revision)
        document = render_endpoint(self.world, endpoint)
        assert self.rendered.setdefault(key, document) == document

    def check_that_it_will_end(self, endpoint):
        awaited = [one for one in self.deployments(endpoint.pending) if one.phase not in UP]
        assert awaited or endpoint.settling
        assert not any(one.phase in BROKEN for one in awaited)
        assert all(one.timers or self.is_loading(one) for one in awaited)

    def check_tickets(self):
        tickets = self.world.tickets.values()
        for deployment in {ticket.deployment for ticket in tickets} | set(self.world.deployments.values()):
            mine = [ticket for ticket in tickets if ticket.deployment is deployment]
            held = [ticket for ticket in mine if ticket.state is TicketState.HELD]
            assert deployment.id in self.world.deployments
            assert list((deployment.held or {}).values()) == held
            self.check_capacity(deployment, held)
            assert deployment.in_flight == len(mine) - len(held)
            assert all(ticket.timer for ticket in held)
        states = {TicketState.HELD, TicketState.RUNNING, TicketState.ANSWERED}
        assert {ticket.state for ticket in tickets} <= states
        assert all(ticket.timer for ticket in tickets if ticket.state is TicketState.ANSWERED)

    def check_capacity(self, deployment, held):
        full = deployment.in_flight == deployment.provisioned
        assert deployment.in_flight <= deployment.provisioned
        assert deployment.provisioned <= range_of(deployment.spec).most
        assert len(held) <= TIGHT.queue_limit
        assert not held or full or deployment.phase in WAITING | {Phase.LEAVING}
        assert held == sorted(held, key=lambda ticket: ticket.number)

    def check_timers(self):
        for timer in self.world.timeline.pending():
            due = timer.event
            if due.what is Alarm.CONFIG_SETTLED:
                assert self.world.by_id[due.endpoint_id].settling == timer
            elif due.what is Alarm.REGISTERED:
                found = {model.number: model for model in self.world.registry.models.values()}.get(int(due.endpoint_id))
                version = found and found.versions.get(due.deployment_id)
                assert version is None or version.due == timer.due
            elif due.what in {Alarm.MODEL_ENDPOINT_UP, Alarm.SURFACE_ENDS}:
                endpoint = self.world.model_endpoints_by_id[due.endpoint_id]
                assert timer in (endpoint.starting, endpoint.ending)
            elif due.what is Alarm.CALL_DELAY:
                assert self.world.faults.waits[due.request].timer == timer
            elif due.what in {Alarm.EXECUTION_LIMIT, Alarm.ANSWER_DUE}:
                assert self.world.tickets[due.request].timer == timer
            else:
                assert timer in self.world.deployments[due.deployment_id].timers

    def check_for_leaks(self):
        for deployment in self.world.deployments.values():
            endpoint = self.world.by_id.get(deployment.endpoint_id)
            configs = (endpoint.active, endpoint.pending) if endpoint else ()
            named = any(deployment in self.deployments(config) for config in configs)
            model = self.world.model_endpoints_by_id.get(deployment.endpoint_id)
            if model is not None:
                served = model.served.get(deployment.spec.name)
                named = served is not None and deployment in (served.deployment, served.next)
            waits = deployment.timers or self.is_loading(deployment)
            assert named != (deployment.phase in {Phase.LEAVING, Phase.DRAINING})
            assert named or waits
            if deployment.phase is Phase.READY and deployment.spec.scale_to_zero:
                assert deployment.in_flight or deployment.timers

    def deployments(self, config):
        return [self.world.deployments[one.deployment_id] for one in config.entities] if config else []

    def is_loading(self, deployment):
        return any(effect.deployment_id == deployment.id for effect in self.loading)

    # --- the end ---

    def finish(self):
        """Delete everything and let time pass: nothing may be left."""
        for name in list(self.world.endpoints):
            self.world.execute(DeleteEndpoint(name))
        for generation, model in list(self.world.model_endpoints):
            if self.world.model_endpoints[generation, model].state is not EndpointState.ENDED:
                self.world.execute(DisableModel(generation, model, None))
        for effect in self.loading:
            self.world.execute(LoadFinished(effect.deployment_id))
        self.loading.clear()
        while head := self.world.timeline.peek():
            self.world.execute(Step(head.due))
            for effect in list(self.world.effects):
                self.world.execute(LoadFinished(effect.deployment_id))
            self.world.effects.clear()
        left = (self.world.deployments, self.world.tickets, self.world.endpoints, self.world.by_id)
        assert left == ({}, {}, {}, {})
        assert self.world.model_endpoints_by_id == {}


# A counterexample is not made smaller: forty commands are short enough, and that would take minutes.
@settings(max_examples=120, deadline=None, phases=[Stage.reuse, Stage.generate])
@given(data=st.data())
def test_the_invariants_hold_after_every_command(labs, ana, data):
    walk = Walk(labs(profile=TIGHT), ana, lambda count: data.draw(st.integers(0, count - 1)))
    walk.go(40, checked=True)
    walk.finish()


@pytest.mark.parametrize("seed", range(12))
def test_the_invariants_hold_in_long_sessions(labs, ana, seed):
    walk = Walk(labs(seed=seed, profile=TIGHT), ana, chooser(seed))
    walk.go(400, checked=True)
    walk.finish()


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(1_000, 1_060))
def test_the_invariants_hold_in_many_long_sessions(labs, ana, seed):
    walk = Walk(labs(seed=seed, profile=TIGHT), ana, chooser(seed))
    walk.go(2_000, checked=True)
    walk.finish()


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(1_000, 1_050))
def test_long_recordings_can_be_executed_again(labs, ana, seed):
    lab, recorded = session(labs, ana, seed, steps=20_000)
    assert replay(labs, seed, recorded).snapshot() == lab.snapshot()


# --- replay ---------------------------------------------------------------------------------------


def chooser(seed):
    """Choose by draws: a session without any other chance in it."""
    stream, drawn = Stream(seed, "walk"), iter(range(10**9))
    return lambda count: stream.between(next(drawn), 0, count - 1)


def session(labs, ana, seed, steps=2_500):
    recorded = []
    lab = labs(seed=seed, profile=TIGHT, recorder=recorded.append)
    Walk(lab, ana, chooser(seed)).go(steps, checked=False)
    return lab, recorded


def replay(labs, seed, recorded):
    # The laboratory's own models came first in the recording, too.
    lab = labs(seed=seed, profile=TIGHT)
    for command in recorded[3:]:
        lab.world.effects.clear()
        try:
            lab.do(command)
        except Rejected:
            continue
    lab.world.effects.clear()
    return lab


def answers(lab):
    return {name: render_endpoint(lab.world, one) for name, one in lab.world.endpoints.items()}


def test_the_same_seed_and_commands_give_one_event_log_ten_times(labs, ana):
    logs = [list(session(labs, ana, seed=3)[0].world.log) for _ in range(10)]
    assert len(logs[0]) > 500
    assert all(log == logs[0] for log in logs)


def test_another_seed_gives_another(labs, ana):
    logs = []
    for seed in (3, 4):
        lab = labs(seed=seed, profile=TIGHT)
        Walk(lab, ana, chooser(0)).go(600, checked=False)
        logs.append(list(lab.world.log))
    assert logs[0] != logs[1]


def test_the_sessions_reach_every_phase(labs, ana):
    said = {line.what for seed in range(5) for line in session(labs, ana, seed)[0].world.log}
    assert {f"deployment {phase}" for phase in Phase} <= said
    assert {"update failed", "update canceled", "create failed", "create canceled", "config serving"} <= said
    assert {"endpoint stopped", "endpoint started", "fault", "permissions changed", "principal removed"} <= said
    assert {f"model endpoint {state}" for state in set(EndpointState) - {EndpointState.FAILED}} <= said
    assert {"stage points to", "compute updated", "compute update failed", "update restarted"} <= said


@pytest.mark.parametrize("seed", range(5))
def test_what_was_recorded_can_be_executed_again(labs, ana, seed):
    lab, recorded = session(labs, ana, seed)
    again = replay(labs, seed, recorded)
    assert again.snapshot() == lab.snapshot()
    assert answers(again) == answers(lab)


def test_the_sessions_use_every_command(labs, ana):
    used = {type(command) for seed in range(5) for command in session(labs, ana, seed)[1]}
    assert used == set(typing.get_args(commands.Command))


def test_recorded_commands_can_be_written_down(labs, ana):
    lab, recorded = session(labs, ana, seed=1)
    assert pickle.loads(pickle.dumps(recorded)) == recorded  # noqa: S301 - what this test has just written
    written = json.dumps([[type(command).__name__, command] for command in recorded], default=asdict)
    kinds = {kind.__name__: kind for kind in typing.get_args(commands.Command)}
    read = [rebuilt(kinds[name], members) for name, members in json.loads(written)]
    assert read == recorded
    assert list(map(type, read)) == list(map(type, recorded))
    assert replay(labs, 1, read).snapshot() == lab.snapshot()


def rebuilt(kind, value):
    """Make a value of a type from the JSON that was made of it."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return None if value is None else rebuilt(inner[0], value)
    if origin is tuple:
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(map(rebuilt, kinds, value))
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{field.name: rebuilt(hints[field.name], value[field.name]) for field in fields(kind)})
    if hasattr(kind, "_fields"):
        return kind(*map(rebuilt, typing.get_type_hints(kind).values(), value))
    return kind(value) if isinstance(kind, type) and issubclass(kind, Enum) else value


def test_every_command_is_a_frozen_value():
    for kind in typing.get_args(commands.Command):
        assert issubclass(kind, tuple), kind
        assert kind._fields, kind


def test_signals_and_alarms_never_share_a_name():
    # Timers of both kinds are told apart by equality.
    assert not {str(signal) for signal in Signal} & {str(alarm) for alarm in Alarm}
