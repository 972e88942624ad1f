"""A small world to experiment with, and a canonical picture of everything in it."""

from collections import deque
from dataclasses import fields, is_dataclass

import pytest

from servesim.core.access import Directory, Member, Principal
from servesim.core.commands import (
    Admit,
    ConfigRequest,
    CreateEndpoint,
    EntitySpec,
    LoadFinished,
    MoveTo,
    PutMember,
    Route,
    StartEndpoint,
    Step,
    StopEndpoint,
    UpdateConfig,
)
from servesim.core.deployment import Deployment
from servesim.core.draws import Draws, Stream
from servesim.core.endpoint import Deployed, Endpoint
from servesim.core.errors import Rejected
from servesim.core.limits import Limits
from servesim.core.minutes import Minutes
from servesim.core.model_commands import AddModel
from servesim.core.profile import FAITHFUL
from servesim.core.registry import ModelVersion, Registry
from servesim.core.routing import Ticket
from servesim.core.timeline import Timeline
from servesim.core.traffic import Traffic
from servesim.core.workspace import Workspace

ANA = Principal("ana@example.com", "Ana")


def picture(value):
    """Return a value as plain data that can be compared; what points back is given by its id."""
    for kind, draw in PICTURES.items():
        if isinstance(value, kind):
            return draw(value)
    return _members(value) if is_dataclass(value) else value


PICTURES = {
    Rejected: lambda refusal: [refusal.code, refusal.fields],
    Timeline: lambda timeline: [timeline.now, timeline._sequence, timeline.pending()],
    Registry: lambda registry: [registry._ever, registry.revision, registry.restricted, picture(registry.models)],
    Directory: lambda directory: [directory.revision, picture(directory.members)],
    Traffic: lambda traffic: picture(traffic._seconds),
    Minutes: lambda minutes: [picture(one._asdict()) for one in minutes.between(0, 10**15)],
    Limits: lambda limits: [picture(limits._windows), list(limits._operations)],
    Deployed: lambda one: [one.version, one.entity, one.deployment.id, one.deployment.phase],
    # What was worked out before is nobody's business.
    Endpoint: lambda one: {
        **_members(one, "levels", "levels_as_of", "deployed"),
        "deployed": [picture(served) for served in one.deployed],
    },
    (Stream, Draws): lambda _: None,
    Ticket: lambda ticket: {**_members(ticket, "deployment"), "deployment": ticket.deployment.id},
    Deployment: lambda one: {**_members(one, "held"), "held": list(one.held or ())},
    dict: lambda items: {key: picture(inner) for key, inner in items.items()},
    (list, deque): lambda items: [picture(inner) for inner in items],
}


def _members(value, *left_out):
    names = [field.name for field in fields(value) if field.name not in left_out]
    return {name: picture(getattr(value, name)) for name in names}


class Lab:
    """A workspace with a model ``m`` of three versions; loading works unless told otherwise."""

    def __init__(self, *, seed=0, profile=FAITHFUL, recorder=None):
        self.world = Workspace(seed=seed, profile=profile)
        self.world.recorder = recorder
        self.load_errors = {}
        self.hanging = set()
        for version in ("1", "2", "3"):
            self.do(AddModel(ModelVersion("m", version, "stub", "{}")))

    @property
    def now(self):
        return self.world.timeline.now

    def do(self, command):
        return self.world.execute(command)

    def snapshot(self):
        return {name: picture(value) for name, value in vars(self.world).items() if name != "recorder"}

    def refusal(self, command):
        """Return the refusal of a command, having checked that nothing changed."""
        before = self.snapshot()
        with pytest.raises(Rejected) as caught:
            self.do(command)
        assert self.snapshot() == before
        return caught.value

    # --- people ---

    def member(self, name, *groups, kind="User", entitlements=()):
        """Add somebody to the workspace and return who calls."""
        principal = Principal(name, name.title(), kind)
        self.do(PutMember(Member(principal, groups, entitlements)))
        return principal

    # --- endpoints ---

    def entity(self, name="a", version="1", **changes):
        return EntitySpec(name, "m", version, **changes)

    def config(self, *entities, **shares):
        routes = tuple(Route(name, share) for name, share in shares.items()) or None
        return ConfigRequest(entities or (self.entity(),), routes)

    def create(self, *entities, name="e", serving=False, **shares):
        config = self.config(*entities, **shares)
        return self.do(CreateEndpoint(name, ANA, config, serving=serving))

    def put(self, *entities, name="e", **shares):
        return self.do(UpdateConfig(name, ANA, self.config(*entities, **shares)))

    def serve(self, *entities, **shares):
        return self.create(*entities, serving=True, **shares)

    def stop(self, name="e", principal=None):
        return self.do(StopEndpoint(name, principal))

    def start(self, name="e", principal=None):
        return self.do(StartEndpoint(name, principal))

    def deployment(self, entity="a", *, pending=False, endpoint="e"):
        found = self.world.endpoints[endpoint]
        config = found.pending if pending else found.active
        return self.world.deployments[config.find(entity).deployment_id]

    def admit(self, entity=None, *, timed=False, endpoint="e"):
        return self.do(Admit(endpoint, entity, timed=timed))

    # --- time ---

    def run(self, by=0):
        """Move time by milliseconds; effects are performed as they come."""
        until = self.now + by
        self.load()
        while self.do(Step(until)):
            self.load()
        self.do(MoveTo(until))

    def step(self):
        """Let the next event happen, whenever it is due."""
        head = self.world.timeline.peek()
        return head is not None and self.do(Step(head.due))

    def load(self):
        """Report every load, except the ones that hang."""
        waiting = list(self.world.effects)
        self.world.effects.clear()
        for effect in waiting:
            name = self.world.deployments[effect.deployment_id].spec.name if self._lives(effect) else ""
            if name not in self.hanging:
                self.do(LoadFinished(effect.deployment_id, self.load_errors.get(name), "loading\n"))

    def _lives(self, effect):
        return effect.deployment_id in self.world.deployments

    # --- the event log ---

    def events(self, what=""):
        return [line for line in self.world.log if line.what.startswith(what)]


@pytest.fixture(scope="session")
def labs():
    """Make worlds."""
    return Lab


@pytest.fixture
def lab():
    """A world of its own."""
    return Lab()


@pytest.fixture(scope="session")
def ana():
    """Somebody who calls."""
    return ANA
